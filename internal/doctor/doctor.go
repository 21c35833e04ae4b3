// Package doctor looks at everything that an exchange keeps and says what is wrong
// with it and what to do: configuration, folder, database, blobs, and the ledger
// against the database. It changes nothing, and works while the server runs.
//
// What changes between two looks because the server runs is not held against it:
// the store is read in one snapshot, and before the ledger, which holds at least
// what was committed then.
package doctor

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/store"
)

// State says how something is.
type State string

// The states.
const (
	OK   State = "ok"
	Warn State = "warn" // it works, and will not for ever
	Fail State = "fail"
)

// Finding is what was found out about one thing.
type Finding struct {
	State State  `json:"state"`
	Name  string `json:"name"` // of the thing: config, folder, database, …
	Text  string `json:"text"`
	Do    string `json:"do,omitempty"` // what to do about it
}

// Options of Examine.
type Options struct {
	Data       string // the data folder
	Config     config.Config
	ConfigFile string
	Now        time.Time
	// Full looks at every byte; otherwise at what was written last, and at a
	// sample of the rest.
	Full bool
}

// Examine looks at the exchange in a data folder. Each thing has at least one
// finding; nothing is left out because something else is broken, unless it cannot
// be looked at.
func Examine(ctx context.Context, o Options) []Finding {
	x := &exam{Options: o, ctx: ctx, broken: map[int]bool{}}
	x.configuration()
	x.folder()
	x.database()
	if x.db != nil {
		defer x.db.Close()
		x.clock()
		x.blobs()
		x.ledger()
	}
	return x.found
}

// exam is one examination.
type exam struct {
	Options
	ctx   context.Context
	found []Finding
	db    *store.Inspection // nil: it cannot be read

	broken map[int]bool // logs of which something was found
}

func (x *exam) say(s State, name, text, do string) {
	x.found = append(x.found, Finding{s, name, text, do})
}

// The sizes of what is looked at without Full.
const (
	quickEntries = 200_000   // up to so many entries the whole folder of a log is checked
	tailEvents   = 10_000    // the newest events
	tailBlobs    = 50        // the newest blobs
	blobBytes    = 256 << 20 // of which so many bytes at most
	quickStore   = 1 << 30   // up to so many bytes the whole database is checked
	ahead        = 2 * time.Minute
	mostToName   = 20 // findings of one kind that are listed; the rest is counted
)
