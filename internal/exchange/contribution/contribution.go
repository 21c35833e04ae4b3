// Package contribution takes in STIX objects that members write into a
// program's collection one by one, as TAXII 2.1 has it: each object is valid or
// is refused by itself, what is taken is readable at once by the cohorts that
// the charter names, and a status says what became of each (TAXII 2.1 §4.3).
package contribution

import (
	"context"
	"io"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// StatusID is the identifier of a status: a UUID of version 4.
type StatusID string

// Status is what became of one request to add objects.
type Status struct {
	ID        StatusID
	Program   exchange.ProgramID
	Complete  bool // nothing is pending
	Requested time.Time
	Total     int
	Successes []Detail // for the first MaxDetails of each kind; the counts are exact
	Failures  []Detail
	Pendings  []Detail
	Success   int
	Failure   int
	Pending   int
}

// MaxDetails bounds each list of a status.
const MaxDetails = 10_000

// Detail is what became of one object.
type Detail struct {
	ID      string // of the object; of one without a usable id, its place in the envelope: "objects[3]"
	Version string // a STIX timestamp; "": none
	Message string // of a failure: what is wrong, with JSON path and section; of a success: what else there is to say
}

// Service is the room.
type Service struct{}

// Add takes an envelope of objects, or a bundle. A small one is taken when Add
// returns, and then durable; of a large one (over Config's bound) the bytes are
// durable, the status is pending, and the room goes on by itself, also after a
// restart.
//
// Errors, with nothing stored: exchange.NotFound for whoever may not know of
// the program, Denied where it may be known and not written to, Invalid for
// what is neither an envelope nor a bundle, Exhausted when there is too much.
func (s *Service) Add(ctx context.Context, a exchange.Actor, program exchange.ProgramID, r io.Reader) (Status, error) {
	return Status{}, exchange.Fail(exchange.Unavailable, "objects cannot be added yet")
}

// Status returns a status to whoever made the request: the same organisation
// (TAXII 2.1 §4.3), exchange.NotFound to everybody else.
func (s *Service) Status(ctx context.Context, a exchange.Actor, id StatusID) (Status, error) {
	return Status{}, exchange.Missing()
}

// Remove takes an object out: the versions that keep says are not to stay. Who
// wrote it, and operators of the program, may. Errors: exchange.NotFound for what the actor may
// not know of and for what does not exist, Denied where others wrote it.
func (s *Service) Remove(ctx context.Context, a exchange.Actor, program exchange.ProgramID, object string, drop func(version int64, oldest, newest bool) bool) error {
	return exchange.Missing()
}
