// Package sequencer carries events from the store into the log, in the order of
// their numbers. Event seq is entry seq - 1 - base of the log, so that "exactly
// once, and none left out" is arithmetic: the log's size says what was carried.
//
// A commit hands over what it recorded; what was not handed over, because the
// process ended or another node recorded it, is read from the store. An act waits
// until its events stand under a signed checkpoint (sqlstore.DB.Update).
//
// Several nodes may use one store. Each carries the same events into its own
// folder; a row of the store, the head, says how far any of them has told. A node
// tells nobody of a checkpoint before the head is that far, and moves the head only
// where its own log goes on from it. So there is one log, whoever writes it.
//
// A log never signs a second history: where store and log disagree, it stops.
package sequencer
