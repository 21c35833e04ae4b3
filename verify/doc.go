// Package verify checks what a Forewarn exchange says of its ledger, without the
// exchange: entries and their openings, inclusion and consistency proofs, signed
// checkpoints and the witnesses' signatures beneath them, receipts, and evidence
// bundles. It needs the standard library and golang.org/x/mod alone, opens no
// connection by itself, and holds no state.
//
// The ledger is a Merkle tree as RFC 6962 §2.1 has it, published as C2SP
// tlog-tiles; its checkpoints are C2SP tlog-checkpoint, signed as signed-note,
// and witnesses sign them as tlog-cosignature. Each entry is a commitment to one
// event; who was given the opening of an entry can show what happened, and nobody
// else learns more than that something did.
package verify
