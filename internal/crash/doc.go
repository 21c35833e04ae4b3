// Package crash shows what a killed process leaves behind. It runs the exchange
// in a process of its own, kills that with SIGKILL at random moments of
// submission, wave opening and re-planning, opens the data folder again, and
// compares what is there with what the process had acknowledged and with what
// must always hold. What was acknowledged is also in the log, once, and the log
// extends every checkpoint that was seen. It holds tests only.
//
// SIGKILL leaves the writes that the operating system has taken; that a commit
// also survives a power cut rests on the syncs of store/sqlite and store/blob.
package crash
