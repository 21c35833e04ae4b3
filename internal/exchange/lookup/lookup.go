// Package lookup answers which values the exchange knows: addresses, networks,
// domain names, URLs, hashes and names that stand in STIX objects which the
// asker may see, and those objects.
//
// The index behind it is derived from what is stored and lives in memory. It
// holds the values of every object, whoever may see it; what is answered passes
// the same decision as every other way to an object. A value that stands only in
// objects that are withheld answers as one that stands in none.
package lookup

import (
	"context"
	"io"
	"log/slog"
	"sync"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/observable"
	"github.com/forewarn-exchange/forewarn/internal/valueindex"
)

// Bounds of one look-up.
const (
	MaxValues  = 100_000 // asked at once
	MaxMatches = 100     // told for one value
	MaxAnswer  = 10_000  // told in one answer
)

// DefaultMemory is how many bytes the index may use: about ten million values
// of forty bytes.
const DefaultMemory = 1 << 30

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	// LookupSources lists artifacts with STIX objects numbered after the given
	// one, and those that grow, by number; those that are not ready included.
	LookupSources(after int64) ([]Source, error)
	// LookupObjects lists an artifact's objects from a position on, in order.
	LookupObjects(artifact, from int64, limit int) ([]Object, error)
}

// Source is an artifact that values come from.
type Source struct {
	Number  int64
	Program exchange.ProgramID
	Blob    string // SHA-256 of its bytes
	Ready   bool   // else it does not exist yet
	Grows   bool   // objects are added to it while it exists
}

// Object is where the bytes of one object are.
type Object struct {
	Number int64 // artifact << 24 | position
	Class  int64 // handling class
	Type   string
	Offset int64
	Length int64
}

// Store runs functions in a read snapshot.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
}

// Blob is stored bytes.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Blobs opens stored bytes.
type Blobs interface {
	Open(sha256 string) (Blob, error)
}

// Sight is what one actor may see at this moment, as the delivery room decides.
type Sight interface {
	// Holds reports whether the actor was given anything of the artifact, which
	// is the program's. It reads nothing.
	Holds(artifact int64, program exchange.ProgramID) bool
	// Allows answers which handling classes, with their artifacts, the actor may see.
	Allows(ctx context.Context, classes map[int64]int64) (map[int64]bool, error)
	// Show lists those of the objects, by ascending number, that the actor may
	// see and that no newer version replaces.
	Show(ctx context.Context, objects []int64) ([]Seen, error)
	// Give fills in the bytes and records all as delivered.
	Give(ctx context.Context, all []Seen) error
}

// Seen is one object that the actor may see.
type Seen struct {
	Number   int64
	ID       string
	Type     string
	Program  exchange.ProgramID
	Release  exchange.ReleaseID // empty: a member wrote it
	Title    string             // of the release
	Artifact exchange.ArtifactID
	TLP      exchange.TLP
	Added    int64  // date_added in the actor's collection, Unix microseconds; 0: not in one
	Copy     []byte // bytes of the copy that the actor has, where something of the object is withheld; else nil
	Raw      []byte // filled by Give
	Key      any    // what Sight knows it by
}

// Config is what the room is built from.
type Config struct {
	Store  Store
	Blobs  Blobs
	Sight  func(ctx context.Context, a exchange.Actor) (Sight, error)
	Memory int64        // bytes of the index; 0: DefaultMemory
	Log    *slog.Logger // nil: nothing is logged
}

// Service is the room.
type Service struct {
	c     Config
	index *valueindex.Index

	turn      chan struct{} // held by the one that fills the index
	extractor *observable.Extractor
	span      []byte            // bytes of objects, as they are read
	settled   int64             // everything up to this number is in the index, or never will be
	open      map[int64]*source // what may still give objects
	full      bool

	mu       sync.RWMutex
	programs map[int64]exchange.ProgramID // of artifacts
}

// New returns the room.
func New(c Config) *Service {
	if c.Memory == 0 {
		c.Memory = DefaultMemory
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{
		c: c, index: valueindex.New(c.Memory), turn: make(chan struct{}, 1), extractor: observable.NewExtractor(),
		open: map[int64]*source{}, programs: map[int64]exchange.ProgramID{},
	}
}

// Size is how many different values the index holds, and about how many bytes
// of memory it uses.
func (s *Service) Size() (values, bytes int64) { return s.index.Values(), s.index.Bytes() }
