// Package recall takes back what was shared: it recalls an artifact or a STIX
// object, has another artifact take its place, makes its handling stricter, or
// lets it expire. All four are one act in one transaction: from its commit on
// nobody who loses it is given it again, on any channel and on any machine;
// those who hold it are told, and asked to say what they did; machines that were
// delivered its objects are given the same objects revoked, without content.
//
// What the package never does: loosen a handling, delete bytes, or claim that a
// copy outside the exchange is gone. It knows who was given what by artifact.
package recall

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// ID names an act.
type ID string

// Kind is what an act does.
type Kind string

// The kinds.
const (
	Recalled   Kind = "recall"    // nobody has it any more
	Superseded Kind = "supersede" // another artifact takes its place: a correction
	Narrowed   Kind = "narrow"    // fewer have it, or may do less with it
	Expired    Kind = "expire"    // nobody has it from an instant on
)

// Act is what somebody asks for. Its target is an artifact, or, where Object is
// set, every version of one STIX object of a program that the actor's
// organisation originated; of an operator, every version there is.
type Act struct {
	Kind        Kind
	Artifact    exchange.ArtifactID
	Program     exchange.ProgramID // of Object
	Object      string
	Replacement exchange.ArtifactID // of Superseded: handed in before
	Handling    exchange.Handling   // of Narrowed: what becomes stricter; what is empty stays as it is
	Persons     []string            // of Narrowed: logins or identifiers, for Handling.Persons
	At          time.Time           // of Expired; zero, or before now: now
	Reason      string              // told to those who hold it
	Message     string              // further words to them; may be empty
}

// Recall is an act that was done, or, without an ID, one that is planned.
type Recall struct {
	ID          ID
	Kind        Kind
	Program     exchange.ProgramID
	Release     exchange.ReleaseID
	Artifact    exchange.ArtifactID // of an object: the one that holds its newest version
	Number      int64               // of Artifact
	Title       string
	Object      string // empty: the whole artifact
	TLP         exchange.TLP
	Persons     []exchange.PersonID // of TLP:RED: who may know of it
	By          exchange.OrgID      // empty: the clock
	Person      exchange.PersonID
	Owners      []exchange.OrgID // who follows it, besides those who run the program
	At          time.Time
	Effective   time.Time // from when on it is denied; of Expired it can lie in the future
	Reason      string
	Message     string
	Replacement exchange.ArtifactID
	Was         exchange.Handling // of Narrowed and Expired: before
	Handling    exchange.Handling // and after
	Objects     int64             // STIX objects that it took back
	Tombstones  int64             // number of the artifact that holds what takes their place; 0: none
	Event       int64
	RemindedAt  time.Time // by hand
}

// Clock reports whether no person did it: an expiry that came.
func (r Recall) Clock() bool { return r.By == "" }

// Answer is what a holder says that it did.
type Answer string

// The answers.
const (
	Deleted Answer = "deleted"
	Never   Answer = "never-imported"
	Kept    Answer = "kept" // for a legal reason, which the note gives
)

// Holder is one organisation that has, or could have had, what an act is about.
type Holder struct {
	Org    exchange.OrgID
	Name   string                // as the reader of a Recall may know it
	Near   exchange.ExposureKind // how near it came: opened, downloaded, delivered, or offered alone
	Since  time.Time             // when it came that near first
	Loses  bool                  // it is asked to delete it
	Tombs  bool                  // its machines are given tombstones
	as     string                // of an object: the identifier by which it knows it
	Answer Answer                // empty: silent
	Note   string
	By     exchange.PersonID // who answered
	At     time.Time         // when

	Reminders  int // that the clock sent
	RemindedAt time.Time

	Told
}

// Told is what is known of how a holder heard of an act.
type Told struct {
	Notice   exchange.NoticeID
	ReadAt   time.Time // the notice, in the browser or by the API; zero: not
	PushedAt time.Time // a webhook took the notice
	TakenAt  time.Time // its machine was given tombstones
	PolledAt time.Time // a connected machine of it asked for anything, last
}

// Holds reports whether the organisation was given something of it.
func (h Holder) Holds() bool { return h.Near != exchange.ExposureOffered }

// Asked reports whether the organisation is to answer and has not.
func (h Holder) Asked() bool { return h.Loses && h.Holds() && h.Answer == "" }

// Plan is what an act would do, or did.
type Plan struct {
	Recall
	Holders []Holder
}

// Losing counts the holders that lose it, and Offered those that were offered it
// and fetched nothing.
func (p Plan) Losing() (n int) {
	for _, h := range p.Holders {
		if h.Loses && h.Holds() {
			n++
		}
	}
	return n
}

// Held counts the organisations that were given something of it.
func (p Plan) Held() (n int) {
	for _, h := range p.Holders {
		if h.Holds() {
			n++
		}
	}
	return n
}

// Blob is stored bytes.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Blobs keeps bytes.
type Blobs interface {
	// Write makes a blob of at most limit bytes, named by its SHA-256. It is
	// durable when Write returns.
	Write(ctx context.Context, r io.Reader, limit int64) (sha256 string, size int64, err error)
	Open(name string) (Blob, error) // also a journal, by its name
}

// Config is what the room is built from.
type Config struct {
	Store Store
	Blobs Blobs
	// Sees answers nil when the actor may see the artifact, and exchange.NotFound
	// otherwise, without recording a look; SeesObject the same for an object.
	Sees       func(ctx context.Context, a exchange.Actor, id exchange.ArtifactID) error
	SeesObject func(ctx context.Context, a exchange.Actor, program exchange.ProgramID, object string) error
	// Entitled answers which members may have the artifact, were it given to them
	// now and were they in good standing; marks are the handling classes of the
	// objects asked about.
	Entitled func(tx Tx, c exchange.Charter, a exchange.Artifact, marks []exchange.HandlingClass) (map[exchange.OrgID]bool, error)
	// Standing is the release that holds what no release plans.
	Standing func(tx Tx, c exchange.Charter) (exchange.Release, error)
	// Derived tells those who made something from it, once the act is recorded.
	Derived func(tx Tx, r Recall) error
	// Keep stages an artifact by stage, and keeps the sweep of what is left behind
	// from it until end is called.
	Keep func(stage func() (int64, error)) (number int64, end func(), err error)
	Log  *slog.Logger

	Remind []time.Duration // after which the clock reminds who is silent; 24 h and 72 h
	Pause  time.Duration   // between reminders by hand; 1 h
	Part   int             // objects stored in one transaction; 10,000
}

// Service is the room. Its methods may be called by many goroutines.
type Service struct{ c Config }

// New returns the room.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Remind == nil {
		c.Remind = []time.Duration{24 * time.Hour, 72 * time.Hour}
	}
	if c.Derived == nil {
		c.Derived = func(Tx, Recall) error { return nil }
	}
	c.Pause, c.Part = cmp.Or(c.Pause, time.Hour), cmp.Or(c.Part, 10_000)
	return &Service{c: c}
}
