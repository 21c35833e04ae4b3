// Package contribution takes in STIX objects that members write into a
// program's collection one by one, as TAXII 2.1 has it: each object is valid or
// is refused by itself, what is taken is readable at once by the cohorts that
// the charter names, and a status says what became of each (TAXII 2.1 §4.3).
//
// What an organisation writes is appended to a journal of its own: the bytes as
// received, made durable before the transaction that makes them known. The
// answer to a writer depends on nothing that the writer may not see.
package contribution

import (
	"context"
	"io"
	"log/slog"
	"sync"
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
	Pendings  []Detail // never listed: what is pending has only its count
	Success   int
	Failure   int
	Pending   int
}

// MaxDetails bounds each list of a status.
const MaxDetails = 10_000

// Detail is what became of one object.
type Detail struct {
	ID      string // of the object; of one without a usable id, its place in the envelope: "objects[3]"
	Version int64  // in Unix microseconds; 0: none
	Message string // of a failure: what is wrong, with JSON path and section; of a success: what else there is to say
}

// Config is what the room is built from. Numbers that are 0 take their defaults.
type Config struct {
	Store Store
	Blobs Blobs
	// Shows answers which objects, given by number and handling class, the actor
	// is shown in its collection now.
	Shows func(ctx context.Context, a exchange.Actor, program exchange.ProgramID, objects, classes []int64) ([]bool, error)
	Log   *slog.Logger
	// Grounds keeps the legal basis of a share in its transaction; may be nil.
	Grounds func(tx Tx, c exchange.Charter, a exchange.Artifact, event int64) error

	Limit     int64 // bytes of one request; 100 MiB
	Later     int64 // bytes from which on a request is worked off in the background; 8 MiB
	Queue     int   // requests that wait at most; 64
	Part      int   // objects stored in one transaction; 10,000
	Positions int64 // of one journal; 2^24 - 1
	Journal   int64 // bytes of one journal; 4 GiB
}

const (
	defaultLimit     = 100 << 20
	defaultLater     = 8 << 20
	defaultQueue     = 64
	defaultPart      = 10_000
	defaultPositions = 1<<24 - 1
	defaultJournal   = 4 << 30
	atOnce           = 16 // requests whose bytes are in memory
)

// Service is the room. Its methods may be called by many goroutines.
type Service struct {
	c      Config
	bodies chan struct{}
	wake   chan struct{}
	mu     sync.Mutex
	lanes  map[exchange.ProgramID]*lane
}

// New returns the room.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Limit, c.Later, c.Journal = or(c.Limit, defaultLimit), or(c.Later, defaultLater), or(c.Journal, defaultJournal)
	c.Queue, c.Part, c.Positions = or(c.Queue, defaultQueue), or(c.Part, defaultPart), or(c.Positions, defaultPositions)
	return &Service{
		c: c, bodies: make(chan struct{}, atOnce), wake: make(chan struct{}, 1), lanes: map[exchange.ProgramID]*lane{},
	}
}

func or[T int | int64](n, normal T) T {
	if n > 0 {
		return n
	}
	return normal
}

// lane lets one writer at a time into a program: what one writes, the next sees.
type lane struct {
	turn chan struct{}
	tips map[exchange.OrgID]tip // of the journals that were written to
}

// enter waits for the turn in a program. leave has to follow.
func (s *Service) enter(ctx context.Context, p exchange.ProgramID) (*lane, error) {
	s.mu.Lock()
	l := s.lanes[p]
	if l == nil {
		l = &lane{turn: make(chan struct{}, 1), tips: map[exchange.OrgID]tip{}}
		s.lanes[p] = l
	}
	s.mu.Unlock()
	select {
	case l.turn <- struct{}{}:
		return l, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *lane) leave() { <-l.turn }

// Blobs keeps bytes.
type Blobs interface {
	// Write makes a blob of at most limit bytes, named by its SHA-256; more is
	// exchange.Exhausted. It is durable when Write returns.
	Write(ctx context.Context, r io.Reader, limit int64) (sha256 string, size int64, err error)
	// Open opens a blob, or a journal by its name.
	Open(name string) (Blob, error)
	// Append makes p durable in a journal, whose name begins with "journal-", at
	// the offset: the end of what is known to be in it.
	Append(name string, offset int64, p []byte) error
}

// Blob is stored bytes.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64
}
