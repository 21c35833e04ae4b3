// Package transport holds no code. It is the list of the interfaces through
// which the exchange is reached, one folder each:
//
//	api     the HTTP API, /api/v1, described by OpenAPI 3.1
//	taxii   TAXII 2.1, /taxii2/
//	web     the pages for browsers
//	log     the ledger's public files, C2SP tlog-tiles, /log/
//
// and of httpkit, what those that speak HTTP have in common: one form of
// error, limits, the access log, and who is calling.
//
// A new interface is a new folder and one line here. It reads objects through
// the delivery room alone, which takes a verdict of the policy for each.
package transport
