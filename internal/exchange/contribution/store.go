package contribution

import (
	"context"
	"errors"
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
	BumpGeneration() error
	Charter(program exchange.ProgramID) (exchange.Charter, error)
	Member(program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error)
	Organisation(id exchange.OrgID) (exchange.Organisation, error)
	Journals
	Objects
	Statuses
	Markings
}

// Journals is where journals are begun. A journal is an artifact of the
// program's standing release.
type Journals interface {
	StandingRelease(program exchange.ProgramID) (exchange.Release, error) // exchange.NotFound
	PutRelease(r *exchange.Release) error
	StageArtifact(a exchange.Artifact) (number int64, err error)
	ReadyArtifact(a exchange.Artifact) error
	OpenTo(r exchange.Release, a exchange.Audience, artifacts []exchange.Artifact) (objects int64, err error)
	// JournalOf is the newest journal of the organisation in the program;
	// exchange.NotFound.
	JournalOf(program exchange.ProgramID, org exchange.OrgID) (Journal, error)
	PutJournal(j Journal) error
}

// Objects is where what is written is kept.
type Objects interface {
	ClassesOf(artifact int64) ([]exchange.HandlingClass, error)
	NextClassID(n int) (first int64, err error)
	PutClasses(cs []exchange.HandlingClass) error
	// Bearing lists objects of the program, other than removed ones, that bear
	// the id of a key: those of the same version, and else at least one of each
	// artifact, or only one of the organisation's own.
	Bearing(program exchange.ProgramID, org exchange.OrgID, keys []Key) ([]Bearer, error)
	// WrittenBy lists the objects with the id that the organisation wrote; the
	// empty organisation: that anybody wrote.
	WrittenBy(program exchange.ProgramID, org exchange.OrgID, id string) ([]Bearer, error)
	// AppendObjects stores objects at the journal's next positions, moves the
	// journal's end to size, and gives them to the audiences that read it, under
	// dates of their own. It is a Conflict when the journal has grown meanwhile,
	// and, where all ids are said to be new, ErrKnown when one is not.
	AppendObjects(j Journal, size int64, objs []Object, to []exchange.Audience, unknown bool) error
	// RemoveObjects takes objects out for everybody.
	RemoveObjects(objects []Bearer) error
}

// ErrKnown says that an object bears an id that is there already.
var ErrKnown = errors.New("an id is known already")

// Statuses is where it is kept what became of requests.
type Statuses interface {
	StatusRecord(id StatusID) (Record, error) // exchange.NotFound
	PutStatus(r Record) error                 // new, or in place of the one with its id
	// Waiting lists requests that are not worked off, oldest first.
	Waiting(limit int) ([]Record, error)
	PurgeStatuses(before time.Time) (int64, error) // of what is worked off
}

// Journal is what one organisation writes into one program.
type Journal struct {
	Artifact  int64 // Artifact.Number
	ID        exchange.ArtifactID
	Name      string // of its file
	Release   exchange.ReleaseID
	Program   exchange.ProgramID
	Org       exchange.OrgID
	Terms     string // who reads it and under which handling; another text begins another journal
	Size      int64  // bytes that are known
	Positions int64  // that are taken
}

// Object is one object to be stored: where its bytes lie in the journal, and
// what feeds need to know of it.
type Object struct {
	Class   int64
	ID      string
	Type    string
	Version int64
	Offset  int64
	Length  int64
}

// Key names one object that is handed in.
type Key struct {
	ID      string
	Version int64
}

// Bearer is an object that bears an id.
type Bearer struct {
	Key     int // the index of the key
	Seq     int64
	Class   int64
	ID      string
	Version int64
	Org     exchange.OrgID // who wrote it or handed it in
	Journal bool           // it was written by a member
	Blob    string
	Offset  int64
	Length  int64
}

// Record is a status as it is kept.
type Record struct {
	ID        StatusID
	Program   exchange.ProgramID
	Org       exchange.OrgID
	Requested time.Time
	Total     int
	Success   int
	Failure   int
	Details   []byte
	Spool     string // the blob of a request that is not worked off
	Actor     string // who sent that, as JSON
	Done      int    // elements of it that are worked off
}
