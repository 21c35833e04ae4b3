// Package exchange is the vocabulary of Forewarn: the nouns of an information
// exchange, their identifiers, invariants, error kinds and events.
//
// The package is pure. It performs no I/O and may not import context, so a
// method that would need one cannot be declared here; acts live in the rooms
// below this folder, one room for each capability.
package exchange
