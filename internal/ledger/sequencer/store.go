package sequencer

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Info is one log, as the store knows it.
type Info struct {
	Number int // 1, 2, 3, …: the name of its folder
	Origin string
	Base   int64 // events before it: its entry i is the event Base + 1 + i
	Opened time.Time
	Closed time.Time // zero: it is the current one
	Size   int64     // when it was closed
	Root   tlog.Hash // when it was closed
}

// Key is a key of a log, in the text forms of package note.
type Key struct {
	Log             int
	Private, Public string // Private is empty where the key was destroyed
	Since           int64  // signs checkpoints of this size and above
	Until           int64  // and no longer from this size on; -1: it still signs
}

// Head is how far any of several nodes has told of a log.
type Head struct {
	Log        int
	Size       int64
	Checkpoint []byte // signed
	Node       string
}

// Row is what the store holds of one event. Body and Salt are there where they
// were asked for; Salt and Entry are nil where the event is older than the ledger.
type Row struct {
	Seq               int64
	Body, Salt, Entry []byte
	Kept              []byte  // with Body: what is left of the opening when it was erased
	Columns           Columns // with Body
}

// Columns are what the store keeps of an event's body once more, to find it by.
type Columns struct {
	At                                         int64 // microseconds
	Kind, Program, Release, Org, Person, Token string
	Number                                     int64
}

// Tx is a transaction of the store.
type Tx interface {
	Logs() ([]Info, error) // by number
	PutLog(Info) error     // a new one, or in place of the one with its number
	LogKeys(log int) ([]Key, error)
	PutLogKey(Key) error
	// LogHead answers size 0 and no checkpoint where there is none.
	LogHead(log int) (Head, error)
	PutLogHead(Head) error

	LastEvent() (seq int64, err error)
	// EventEntries answers Seq and Entry of the events after one, in order.
	EventEntries(after int64, limit int) ([]Row, error)
	EventRows(after int64, limit int) ([]Row, error)
	// PutEntry gives an event of EventRows that has none its number in its program,
	// its salt and its entry.
	PutEntry(Row) error
}

// Store runs functions in a read snapshot or in one write transaction. Its Update
// does not wait for the ledger.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}
