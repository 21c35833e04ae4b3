// Package submission takes in what originators hand in: it validates, gives
// every object its handling class, stores it whole or not at all, and knows the
// same submission when it comes again.
//
// An artifact is staged before it is ready: its objects are stored in many
// short transactions under a row that does not exist for anyone, and one last
// transaction makes the whole visible, revises the release and records the
// event. A crash leaves a staged artifact, which Sweep drops.
package submission

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Config is what the room is built from.
type Config struct {
	Store Store
	Blobs Blobs
	Limit int64 // bytes of one submission; 0: 64 GiB
	// Shared says that other processes store into the same database: what they
	// may be storing now is not swept.
	Shared bool
	// Grounds keeps the legal basis of a share in its transaction; may be nil.
	Grounds func(tx Tx, c exchange.Charter, a exchange.Artifact, event int64) error
	// Parent answers what the actor may have under an identifier, an artifact's or
	// a STIX object's of the program; exchange.NotFound. nil: nothing can be derived.
	Parent func(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, id string) (Parent, error)
}

const defaultLimit = 64 << 30

// Service is the room. Its methods may be called by many goroutines.
type Service struct {
	c       Config
	opening sync.RWMutex // held for reading from staging an artifact until busy knows it
	mu      sync.Mutex
	staging map[int64]bool // artifacts that this process is storing now
	lanes   map[exchange.ProgramID]chan struct{}
}

// New returns the room.
func New(c Config) *Service {
	if c.Limit <= 0 {
		c.Limit = defaultLimit
	}
	return &Service{c: c, staging: map[int64]bool{}, lanes: map[exchange.ProgramID]chan struct{}{}}
}

// Input says what is handed in.
type Input struct {
	Release    exchange.ReleaseID
	Class      exchange.ContentClass
	Kind       exchange.ArtifactKind // empty: recognised from the content and the name
	Title      string                // empty: from the content, else the file name
	Filename   string
	MediaType  string
	Handling   exchange.Handling // what is left out is filled in by the program's default
	Supersedes exchange.ArtifactID
	// DerivedFrom are the artifacts and STIX objects of the program that it was
	// made from, and Relation is how: one of Relations.
	DerivedFrom []string
	Relation    string
	Progress    func(bytes int64) // called with the bytes taken so far; may be nil
}

// Receipt is the answer to a submission.
type Receipt struct {
	Artifact  exchange.Artifact
	Duplicate bool               // the same submission was here before; nothing was stored
	Types     map[string]int     // STIX objects by type
	Held      int                // objects held because a marking could not be resolved
	Warnings  []exchange.Problem // where the content goes against a SHOULD of its standard, a few of each code
	Release   exchange.Release
}

// Swept says what Sweep removed.
type Swept struct {
	Artifacts int // that a crash left half stored
}

// lane lets one STIX submission at a time into a program, so that two that
// disagree about one object version cannot both be found consistent. Between
// several nodes over one database this holds only for what is ready.
func (s *Service) lane(ctx context.Context, p exchange.ProgramID) (leave func(), err error) {
	s.mu.Lock()
	l := s.lanes[p]
	if l == nil {
		l = make(chan struct{}, 1)
		s.lanes[p] = l
	}
	s.mu.Unlock()
	select {
	case l <- struct{}{}:
		return func() { <-l }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Service) begin(number int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.staging[number] = true
}

func (s *Service) end(number int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.staging, number)
}

func (s *Service) busy(number int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.staging[number]
}

// Blobs keeps bytes under their SHA-256.
type Blobs interface {
	// Write stores r, at most limit bytes, and returns where it is kept. The
	// blob is durable when Write returns. Too much: exchange.Exhausted.
	Write(ctx context.Context, r io.Reader, limit int64) (sha256 string, size int64, err error)
	Open(sha256 string) (Blob, error)
	// Sweep removes blobs last written before the instant for which keep is false.
	Sweep(ctx context.Context, keep func(sha256 string) bool, before time.Time) error
}

// Blob is stored bytes.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64
}
