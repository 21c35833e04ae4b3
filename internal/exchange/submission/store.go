package submission

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
	BumpGeneration() error
	Charter(program exchange.ProgramID) (exchange.Charter, error)
	Release(id exchange.ReleaseID) (exchange.Release, error)
	// ReviseRelease records that the release's content changed: its revision
	// grows, approvals lapse, and waiting, armed and releasing fall back to draft.
	ReviseRelease(id exchange.ReleaseID, by exchange.PersonID) (exchange.Release, error)
	Register
	Artifacts
	Staging
	Markings
}

// Register is who can be named in a handling.
type Register interface {
	Organisation(id exchange.OrgID) (exchange.Organisation, error) // exchange.NotFound
	Person(id exchange.PersonID) (exchange.Person, error)
	PersonByLogin(login string) (exchange.Person, error)
}

// Artifacts is where artifacts are kept once they are ready.
type Artifacts interface {
	Artifact(id exchange.ArtifactID) (exchange.Artifact, error) // ready ones only; exchange.NotFound
	// SameArtifact is the ready artifact with these bytes, class and name that
	// was not taken out; exchange.NotFound.
	SameArtifact(release exchange.ReleaseID, class exchange.ContentClass, sha256, filename string) (exchange.Artifact, error)
	RemoveArtifact(number int64) error // sets removed_at
	Opened(number int64) (bool, error) // whether any audience was given it
	BlobsInUse() (map[string]bool, error)
}

// Markings is where it is kept what nobody understood, and what those who run
// the program say that it asks.
type Markings interface {
	// HoldMarkings notes what holds objects, or counts more of them, and answers
	// the markings that held nothing in the program before.
	HoldMarkings(program exchange.ProgramID, open []exchange.HeldMarking) (fresh []string, err error)
	// Held lists what is held in the program, without artifacts that were taken
	// out, by marking and artifact.
	Held(program exchange.ProgramID) ([]exchange.HeldIn, error)
	// HeldBy lists the classes that a marking holds, OpenIn the markings that hold
	// a class.
	HeldBy(program exchange.ProgramID, ref string) ([]exchange.HeldMarking, error)
	OpenIn(class int64) ([]exchange.HeldMarking, error)
	ReleaseMarking(program exchange.ProgramID, ref string) error // it holds nothing any more
	HandlingClass(id int64) (exchange.HandlingClass, error)
	ChangeClass(c exchange.HandlingClass) error
	Resolutions(program exchange.ProgramID) ([]exchange.MarkingResolution, error) // by reference
	PutResolution(program exchange.ProgramID, r exchange.MarkingResolution) error
	// Notify tells each organisation once of the event.
	Notify(orgs []exchange.OrgID, n exchange.Notice) error
}

// Staging is where an artifact and its objects are stored piece by piece
// before they exist for anyone.
type Staging interface {
	StageArtifact(a exchange.Artifact) (number int64, err error)
	NextClassID(n int) (first int64, err error)
	PutClasses(cs []exchange.HandlingClass) error
	// PutObjects stores objects of the artifact, by position, after those stored
	// before. It pairs them with objects of ready artifacts of the program that
	// bear the same id and version, at most one each, by position.
	PutObjects(program exchange.ProgramID, artifact int64, objs []Object) ([]Clash, error)
	// Definitions finds marking definitions among the program's ready objects.
	Definitions(program exchange.ProgramID, ids []string) ([]Clash, error)
	ReadyArtifact(a exchange.Artifact) error // final fields; from now on it exists
	// Staged lists artifacts that are not ready and were begun before.
	Staged(before time.Time) ([]int64, error)
	// DropStaged removes at most limit rows of an artifact that is not ready,
	// the artifact itself last, and reports whether nothing is left.
	DropStaged(number int64, limit int) (gone bool, err error)
}

// MaxObjects is how many STIX objects one artifact holds at most: the position
// takes 24 bits of an object's number.
const MaxObjects = 1<<24 - 1

// Object is one STIX object of an artifact: where its bytes lie in the
// artifact's blob, and what feeds need to know of it.
type Object struct {
	Position int64 // in the artifact, from 0 without gaps: repeated objects are left out
	Class    int64
	ID       string
	Type     string
	Version  int64 // Unix microseconds of modified, else created, else 0
	Offset   int64
	Length   int64
}

// Clash is an object of an earlier artifact.
type Clash struct {
	Position int64 // of the new object with the same id and version
	ID       string
	SHA256   string // the blob of the earlier object
	Offset   int64
	Length   int64
}
