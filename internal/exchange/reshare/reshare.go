// Package reshare lets who holds an item ask those whose consent governs it:
// to pass it on to somebody, or to put it under a looser handling. Every
// originator answers for itself; silence is a no, and so is one no. What is
// granted takes effect in the transaction of the last yes, and ends by the
// clock or when an originator revokes it.
//
// Nobody answers for an originator: not who runs the program, and not who runs
// the exchange.
package reshare

import (
	"context"
	"io"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	Record(e exchange.Event) (seq int64, err error)
	// BumpGeneration ends all that was decided before.
	BumpGeneration() error
	Notify(orgs []exchange.OrgID, n exchange.Notice) error
	Charters() ([]exchange.Charter, error)
	Charter(program exchange.ProgramID) (exchange.Charter, error)
	Member(program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error) // exchange.NotFound
	Organisation(id exchange.OrgID) (exchange.Organisation, error)                  // exchange.NotFound
	Requests
	Effects
}

// Requests is where requests are kept.
type Requests interface {
	PutReshare(r Request) error // new, or in place of the one with its ID
	Reshare(id ID) (Request, error)
	// ResharesOf lists what the organisation asked, or is asked as an originator,
	// newest first, those asked before the given one ("": from the newest).
	ResharesOf(org exchange.OrgID, before ID, limit int) ([]Request, error)
	// ResharesIn lists what was asked in the program, likewise.
	ResharesIn(program exchange.ProgramID, before ID, limit int) ([]Request, error)
	// DueReshares lists open requests whose time to answer ended at or before now.
	DueReshares(now time.Time, limit int) ([]Request, error)
	// GrantsOn lists granted requests of kind Reshare on the artifact, or on the
	// object of it with this identifier.
	GrantsOn(artifact int64, object string) ([]Request, error)
}

// Effects is what a grant changes.
type Effects interface {
	Artifact(id exchange.ArtifactID) (exchange.Artifact, error)
	ArtifactByNumber(n int64) (exchange.Artifact, error)
	// GiveTo gives artifacts to one organisation until the instant, or changes
	// that instant.
	GiveTo(program exchange.ProgramID, org exchange.OrgID, artifacts []int64, until time.Time) error
	// SetHandling replaces the handling of an artifact.
	SetHandling(artifact int64, h exchange.Handling) error
	StandingRelease(program exchange.ProgramID) (exchange.Release, error) // exchange.NotFound
	PutRelease(r *exchange.Release) error
	// PutCopy stores a STIX bundle of few objects, all of one class, without giving
	// it to anybody, and answers its number.
	PutCopy(a exchange.Artifact, c exchange.HandlingClass, objs []CopyObject) (number int64, err error)
	// DerivedOf lists the ready artifacts of the program that were made from the
	// artifact, or from the STIX object, with this identifier.
	DerivedOf(program exchange.ProgramID, id string) ([]exchange.Artifact, error)
}

// CopyObject is one object of a copy: where it lies in the copy's bytes.
type CopyObject struct {
	ID, Type       string
	Version        int64 // Unix microseconds
	Offset, Length int64
}

// Held is one item that an actor may have.
type Held struct {
	Artifact exchange.Artifact // as the actor may know it; Number is set
	Release  exchange.ReleaseID
	Object   Object
	Owners   []exchange.OrgID
	Handling exchange.Handling // joined with what the markings of the objects say
	Shown    exchange.Handling // of what the actor has of it: without that of what is withheld
	TLP      exchange.TLP      // effective now
}

// Items answers what readers hold, by the one decision that every channel uses.
type Items interface {
	// Held answers what the actor may have under an identifier, an artifact's or a
	// STIX object's; exchange.NotFound.
	Held(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string) (Held, error)
	// Grantable answers whether the organisation would be given the item if its
	// originators gave it by name until then, and of a STIX object its bytes and the
	// selectors of what would be withheld in it all the same.
	Grantable(ctx context.Context, org exchange.OrgID, artifact int64, o Object, until time.Time) (raw []byte, withheld []string, ok bool, err error)
	// Objects gives the bytes of the STIX objects of an artifact, at most limit,
	// or of one object of the program, as the actor may have them; what is given
	// is recorded. More than limit: exchange.Exhausted.
	Objects(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string, limit int) ([][]byte, error)
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Blobs keeps bytes under their SHA-256.
type Blobs interface {
	Write(ctx context.Context, r io.Reader, limit int64) (sha256 string, size int64, err error)
}

// Config is what the room is built from.
type Config struct {
	Store Store
	Items Items
	Blobs Blobs
	Now   func() time.Time
	Name  string // of the exchange, for people
	URL   string // of the exchange: what the identifiers of copies are derived from
}

// Service is the room.
type Service struct{ c Config }

// New returns the room.
func New(c Config) *Service { return &Service{c} }
