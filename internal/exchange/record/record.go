// Package record answers from what was recorded: events in commit order, and
// who had which artifact when.
package record

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Tx is what this room needs kept.
type Tx interface {
	Charter(program exchange.ProgramID) (exchange.Charter, error)
	Charters() ([]exchange.Charter, error)
	Release(id exchange.ReleaseID) (exchange.Release, error)
	Events(f EventFilter) ([]Entry, error)
	Exposures(f ExposureFilter) ([]exchange.Exposure, error)
	ArtifactsOf(release exchange.ReleaseID) ([]exchange.Artifact, error) // ready ones, removed ones included
	HiddenMembers(program exchange.ProgramID) (map[exchange.OrgID]bool, error)
	Copies
	Ledgered
}

// EventFilter narrows events; zero fields do not. Events come in ascending Seq,
// those above After, at most Limit.
type EventFilter struct {
	Program exchange.ProgramID
	Release exchange.ReleaseID
	Kinds   []exchange.EventKind
	Org     exchange.OrgID
	After   int64
	Limit   int
}

// Entry is an event as it was recorded: its canonical bytes and its columns.
type Entry struct {
	Seq     int64
	At      time.Time
	Kind    exchange.EventKind
	Program exchange.ProgramID
	Release exchange.ReleaseID
	Org     exchange.OrgID
	Person  exchange.PersonID
	Token   exchange.TokenID
	Body    []byte // canonical JSON (RFC 8785)
}

// ExposureFilter narrows exposures; zero fields do not. Lines come by time,
// artifact, organisation, client; those after the cursor, at most Limit.
type ExposureFilter struct {
	Release  exchange.ReleaseID
	Artifact exchange.ArtifactID
	Org      exchange.OrgID
	Kind     exchange.ExposureKind
	Until    time.Time // only what was so at this instant
	After    Cursor    // only lines after this one
	Limit    int       // 0: all
}

// Cursor is the place of a line among exposures; the zero value is before all.
type Cursor struct {
	At     time.Time
	Number int64 // of the artifact
	Org    exchange.OrgID
	Client string
	Kind   exchange.ExposureKind
}

// CursorOf is the place of a line.
func CursorOf(e exchange.Exposure) Cursor {
	return Cursor{At: e.At, Number: e.Number, Org: e.Org, Client: e.Client, Kind: e.Kind}
}

// Store runs functions in a read snapshot, and in a write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Config is what the room is built from. Bearers answers where an item is, as far
// as the actor may know (delivery does it). Without a Log nothing can be proved.
type Config struct {
	Store Store
	Log   Log
	Now   func() time.Time
	// Covered makes the list of objects again that a disclosure gave, and says of which
	// objects the copies among them are, by their places (delivery does it).
	Covered func(ctx context.Context, code []byte) (all []verify.ObjectVersion, of map[int]string, gone []int, err error)
	Bearers func(ctx context.Context, a exchange.Actor, program exchange.ProgramID, item string) (Bearers, error)
}

// Service is the room.
type Service struct{ c Config }

// New returns the room.
func New(c Config) *Service { return &Service{c} }
