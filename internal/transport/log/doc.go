// Package log gives the exchange's ledger to anyone, without an account: the files
// of C2SP tlog-tiles, the keys, what the log says of itself, and the checkpoint
// that witnesses signed.
//
// A log keeps its address for ever, because its tiles are immutable and caches keep
// them: the first is at /log/, which is also the origin that its checkpoints name,
// and the log with number n at /log/n/. /log/1/ is the first as well. A closed log
// says in its statements which one follows.
//
//	checkpoint             the newest, signed (C2SP tlog-checkpoint)
//	tile/<L>/<N>[.p/<W>]   hashes
//	tile/entries/<N>[.p/<W>]
//	key                    the keys that sign now, one on each line
//	statements             {"statements":[…]}: further keys, retired ones, the end
//	cosigned               the newest checkpoint that enough witnesses signed
//
// What is served shows how many events there were, and nothing of them: an entry is
// a salted commitment. Pages of other origins may therefore read it.
package log
