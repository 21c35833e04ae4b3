package record

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Log is the ledger as this room needs it.
type Log interface {
	// Prove answers where the entry of the event stands and proves that it is there,
	// under the smallest kept checkpoint that holds it, and where the witnesses of its
	// program have signed one, under the smallest of those.
	Prove(ctx context.Context, program exchange.ProgramID, seq int64) (Proof, error)
	// Head is the log that is written now.
	Head(ctx context.Context) (Head, error)
	// Evidence is the log of this number, 0 the one that is written now, under the
	// newest checkpoint that the program's witnesses signed when it holds the event of
	// the number upTo, else under the newest. Witnesses are left to the caller. An
	// unknown number is exchange.NotFound.
	Evidence(ctx context.Context, program exchange.ProgramID, number int, upTo int64) (Evidence, error)
}

// Proof proves one entry.
type Proof struct {
	Origin     string // of the log
	Number     int    // of the log, from 1
	Index      int64
	Hashes     tlog.RecordProof
	Checkpoint []byte // signed
}

// Head is what a log says of itself.
type Head struct {
	Origin     string
	Number     int
	Base       int64    // events before its first
	Keys       []string // those that sign now: name+hash+base64 (C2SP signed-note)
	Size       int64
	Root       tlog.Hash
	NewestAt   time.Time // when the newest event in it was recorded
	Checkpoint []byte    // signed
}

// Ledgered is what this room needs kept of the ledger.
type Ledgered interface {
	// Recorded is one event with what opens it.
	Recorded(seq int64) (Recorded, error)
	// Page lists events, newest first.
	Page(q EntryQuery) ([]Recorded, error)
	// OwnersOf are the owners of those of the artifacts that there are.
	OwnersOf(artifacts []string) (map[string][]exchange.OrgID, error)
	ArtifactByNumber(n int64) (exchange.Artifact, error)
	Member(program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error)
	// Stretch lists the events of a program in order, after a number, with what opens
	// them.
	Stretch(program exchange.ProgramID, after int64, limit int) ([]Recorded, error)
	// Between is the range of numbers of the events from one instant to before
	// another; zero is unbounded. first is 0 when there are none.
	Between(from, to time.Time) (first, last int64, err error)
	// ChartersOf are the charters that the program had, as far as they were kept.
	ChartersOf(program exchange.ProgramID) ([]CharterVersion, error)
	// Record writes an event.
	Record(e exchange.Event) (int64, error)
	// Blank takes away an event, what opens its entry, and who acted; kept is what
	// is left of the opening.
	Blank(seq int64, kept []byte) error
}

// Recorded is an event as it was recorded, with what stands in the ledger for it.
type Recorded struct {
	Entry
	OrgName   string // of the organisation concerned
	ActorName string // login of the person, or name of the token
	Number    int64  // among the events of its program
	Salt      []byte // empty: the opening was erased, or there never was one
	Leaf      []byte // the entry in the ledger; empty: it never was carried there
	Kept      []byte // what is left of the opening when it was erased, as JSON
	Covered   []byte // which objects a disclosure gave
}

// CharterVersion is one charter that was in force from At on.
type CharterVersion struct {
	Revision int64
	At       time.Time
	Document string // TOML
}

// EntryQuery asks the store for events below Before, newest first, Limit of them.
type EntryQuery struct {
	EntryFilter
	Party   exchange.OrgID // only those of which it is a party beside the organisation concerned:
	Owner   bool           // as an originator, or as who acted
	Outside bool           // only those outside every program
	First   int64          // lowest number
}
