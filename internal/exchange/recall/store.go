package recall

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	Record(e exchange.Event) (seq int64, err error)
	Notify(orgs []exchange.OrgID, n exchange.Notice) error
	BumpGeneration() error
	Register
	Things
	Staging
	Acts
	Copies
}

// Copies is what is known of redacted copies: an organisation that was given one
// knows an object by the identifier of the copy alone.
type Copies interface {
	// GivenIn lists the copies of an artifact's objects from one position to
	// another, by object and identifier.
	GivenIn(artifact, from, to int64) ([]Given, error)
	CountGiven(artifact int64) (int64, error)
	// CopiesGivenTo lists the organisation's copies that bear the identifier, or that are
	// of an object that bears it, by object.
	CopiesGivenTo(org exchange.OrgID, id string) ([]Given, error)
}

// Given is a redacted copy of an object that was made for an organisation.
type Given struct {
	Seq int64
	Org exchange.OrgID
	ID  string // of the copy
	Of  string // of the object itself
}

// Register is who and what can be named.
type Register interface {
	Charter(program exchange.ProgramID) (exchange.Charter, error)
	Charters() ([]exchange.Charter, error)
	HiddenMembers(program exchange.ProgramID) (map[exchange.OrgID]bool, error)
	Release(id exchange.ReleaseID) (exchange.Release, error)
	Organisation(id exchange.OrgID) (exchange.Organisation, error)
	Person(id exchange.PersonID) (exchange.Person, error)
	PersonByLogin(login string) (exchange.Person, error)
	Member(program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error)
}

// Things is what can be taken back.
type Things interface {
	Artifact(id exchange.ArtifactID) (exchange.Artifact, error) // no journal, no tombstones
	ArtifactByNumber(n int64) (exchange.Artifact, error)
	ClassesOf(artifact int64) ([]exchange.HandlingClass, error)
	// MarkRecalled notes that nobody has the artifact from now on.
	MarkRecalled(number int64) error
	// SetHandling replaces an artifact's handling.
	SetHandling(number int64, h exchange.Handling) error
	// SetSupersedes notes which artifact one takes the place of.
	SetSupersedes(number int64, old exchange.ArtifactID) error
	// Bearers lists the program's objects with the id, tombstones and removed ones
	// left out, those of recalled artifacts not.
	Bearers(program exchange.ProgramID, id string) ([]Object, error)
	// ObjectsFrom lists an artifact's objects from a position on, without those
	// that were removed.
	ObjectsFrom(artifact, position int64, limit int) ([]Object, error)
	// HeldIn lists the objects with the id that the artifacts hold. It costs no more
	// for one that others hold than for one that nobody holds.
	HeldIn(artifacts []int64, id string) ([]Object, error)
	// TakeOut takes objects out for everybody. The bytes of an artifact that held
	// one are given to nobody as a whole any more.
	TakeOut(objects []Object) error
}

// Staging is where tombstones are stored before they exist for anyone, and how
// they are given.
type Staging interface {
	StageArtifact(a exchange.Artifact) (number int64, err error)
	NextClassID(n int) (first int64, err error)
	PutClasses(cs []exchange.HandlingClass) error
	PutTombstones(program exchange.ProgramID, artifact int64, objs []Object) error
	// ReadyTombstones makes staged tombstones exist: their blob, size, number of
	// objects and time are known only now.
	ReadyTombstones(a exchange.Artifact) error
	DropStaged(number int64, limit int) (gone bool, err error)
	// GiveTo gives artifacts to one organisation alone.
	GiveTo(program exchange.ProgramID, org exchange.OrgID, artifacts []int64, until time.Time) error
}

// Acts is where acts are kept, and what is known of holders.
type Acts interface {
	// Exposed answers how near artifacts came to each organisation, by id.
	Exposed(artifacts []int64) ([]Holder, error)
	PutRecall(r Recall, hs []Holder) error
	Recall(id ID) (Recall, error) // exchange.NotFound
	Recalls(f Filter) ([]Recall, error)
	HoldersOfRecall(r Recall) ([]Holder, error)            // by organisation
	HolderOf(r Recall, org exchange.OrgID) (Holder, error) // exchange.NotFound
	// SetAnswer keeps what a holder says.
	SetAnswer(id ID, h Holder) error
	Timetable
}

// Timetable is what the clock does.
type Timetable interface {
	// Expiring lists artifacts whose expiry is still to be told, by number; a
	// number alone where there is nothing to tell.
	Expiring(after int64, limit int) ([]Expiry, error)
	// Settle notes that nothing of the artifact's expiry is to be told; false: it
	// was noted before.
	Settle(number int64) (bool, error)
	// Silent lists acts with holders that lose something, were reminded fewer than n
	// times by the clock, have not answered, and were told before the instant.
	Silent(n int, before time.Time, limit int) ([]ID, error)
	// SetReminded notes a reminder to holders: the clock's nth; 0: by hand.
	SetReminded(id ID, orgs []exchange.OrgID, nth int) error
}

// Expiry is when an artifact expires; zero: never.
type Expiry struct {
	Artifact int64
	At       time.Time
}

// Filter says which acts are asked for, newest first. Of Program, Owner and
// Holder one is set.
type Filter struct {
	Program exchange.ProgramID // of a program
	Owner   exchange.OrgID     // of what the organisation owns
	Holder  exchange.OrgID     // about something that the organisation was given
	Before  time.Time          // zero: from the newest on
	Limit   int
}

// Object is one STIX object: where its bytes lie, and what feeds know of it.
type Object struct {
	Seq       int64 // artifact << 24 | position
	Class     int64
	ID        string
	Type      string
	Version   int64 // Unix microseconds; 0: none
	Offset    int64
	Length    int64
	Contested bool // another object may bear the same id
}

// Artifact is the number of the artifact that holds it.
func (o Object) Artifact() int64 { return o.Seq >> 24 }
