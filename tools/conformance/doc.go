// Package conformance holds the ledger against software of others: tessera's
// client and fsck read what internal/ledger wrote, and tessera's own writer is
// measured beside it. It has a go.mod of its own, so that none of this is a
// dependency of the product.
package conformance
