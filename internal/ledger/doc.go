// Package ledger is an append-only log of bytes, kept as files: a Merkle tree as
// RFC 6962 §2.1 has it, published as C2SP tlog-tiles, under signed checkpoints
// (C2SP tlog-checkpoint). It knows nothing of events.
//
// A folder holds one log:
//
//	log                 what the folder is: two lines, the form and the log's origin
//	journal/00000001    what was appended, group after group, with the signed checkpoint of each; kept for ever
//	tile/0/x001/067     full tiles, 256 hashes each
//	tile/entries/…      full bundles, 256 entries each
//	head                where the journal ended when a group was last told of
//	tiles               up to where tiles and bundles are known to be on the disk
//	frozen              there when nothing is to be appended any more
//	lock                empty; locked by the process that writes
//
// The journal alone is the log: a group is durable by one write and one sync of
// it. Tiles and bundles are made from it and can be made again; those that are not
// full yet are answered from memory. One process writes a folder.
package ledger
