// Package release decides who gets what when: it plans a release by content
// class, cohort and time, takes the approvals, opens the waves on the clock,
// and changes the plan in one step when the world changes.
//
// States and transitions are those of exchange.ReleaseState. The package never
// gives content to anyone: it writes what an audience has been given (openings
// and feed entries); delivery reads it under the policy.
package release

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	Record(e exchange.Event) (seq int64, err error)
	BumpGeneration() error
	Charter(program exchange.ProgramID) (exchange.Charter, error)
	MembershipsOf(org exchange.OrgID) ([]exchange.Member, error)
	Releases
	Waves
	Audiences
}

// Releases is where releases and their approvals are kept.
type Releases interface {
	Release(id exchange.ReleaseID) (exchange.Release, error)           // with approvals; exchange.NotFound
	ReleasesOf(program exchange.ProgramID) ([]exchange.Release, error) // oldest first
	// PutRelease stores a new release (version 0), or changes the one that was
	// read at r.Version, else exchange.Precondition; it raises the version.
	PutRelease(r *exchange.Release) error
	ReviseRelease(id exchange.ReleaseID, by exchange.PersonID) (exchange.Release, error)
	PutApproval(release exchange.ReleaseID, a exchange.Approval) error
	Person(id exchange.PersonID) (exchange.Person, error)
	ArtifactsOf(release exchange.ReleaseID) ([]exchange.Artifact, error)
}

// Waves is where the plan of a release is kept as instants.
type Waves interface {
	WavesOf(release exchange.ReleaseID) ([]exchange.WaveRecord, error)     // by instant, audience
	PutPlanned(release exchange.ReleaseID, ws []exchange.WaveRecord) error // replaces every wave that is not open
	SetWave(old, now exchange.WaveRecord) error
	DueWaves(now time.Time, limit int) ([]exchange.WaveRecord, error) // scheduled, due, of releases that open; in order
	NextWave() (time.Time, error)                                     // instant of the next scheduled wave of a release that opens; zero: none
}

// Audiences is where what was given is kept.
type Audiences interface {
	OpeningsOf(release exchange.ReleaseID) ([]Opening, error)
	// OpenTo gives the artifacts to the audience: openings, and a place in its
	// feed with a date_added of their own. It returns how many objects that is.
	OpenTo(r exchange.Release, a exchange.Audience, artifacts []exchange.Artifact) (objects int64, err error)
	Expose(es []exchange.Exposure) error
	// Notify tells each organisation once of the event.
	Notify(orgs []exchange.OrgID, n exchange.Notice) error
	Recipients(program exchange.ProgramID) ([]Recipient, error) // without Programs
	ClassesOf(artifact int64) ([]exchange.HandlingClass, error) // of its objects; none for a document
	HoldersOf(release exchange.ReleaseID) ([]Held, error)       // what each organisation was offered
}

// Opening is one artifact as it was given to one audience.
type Opening struct {
	Artifact int64 // Artifact.Number
	Audience exchange.Audience
	OpenedAt time.Time
}

// Held is one artifact that one organisation was offered, and how near it came.
type Held struct {
	Org      exchange.OrgID
	Name     string
	Audience exchange.Audience
	Artifact int64
	At       time.Time // offered
	Given    bool      // delivered or downloaded by at least one client
}

// Recipient is a member as a plan sees it.
type Recipient struct {
	exchange.Member
	Organisation exchange.Organisation
	Provider     exchange.Organisation // that it is a client of; the zero value: of none
	People       []exchange.Person     // who read for it
	Programs     []exchange.ProgramID  // memberships that the charter's policies ask for
}

// Receives reports whether the member is one that waves give to.
func (r Recipient) Receives() bool {
	return r.State == exchange.MemberActive && r.Organisation.SuspendedAt.IsZero()
}

// Zone is where the member's first reader works (an IANA time zone).
func (r Recipient) Zone() string {
	if len(r.People) == 0 {
		return ""
	}
	return r.People[0].TimeZone
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Config is what the room is built from.
type Config struct {
	Store Store
	Now   func() time.Time
	Log   *slog.Logger
	// Held says why nothing may be released in a program whose charter asks for
	// witnesses (the witness room does it); empty: nothing keeps it. Nil: never.
	Held func(tx Tx, c exchange.Charter) (reason string, err error)
	// Opened is called after waves opened; it must not wait. Nil: nobody is told.
	Opened func()
}

// Service is the room.
type Service struct {
	c       Config
	mu      sync.Mutex
	next    time.Time // instant of the next wave, as far as this node knows
	checked time.Time // when next was read; zero: look again
	changes int       // of plans in this process
	wake    chan struct{}
}

// New returns the room.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{c: c, wake: make(chan struct{}, 1)}
}

// Draft is a release to be created. Rules nil: the charter's defaults.
type Draft struct {
	Program exchange.ProgramID
	Title   string
	Message string
	T0      time.Time
	Rules   []exchange.PlanRule
}

// Edit changes a release; nil fields stay. Any edit voids the approvals.
type Edit struct {
	Title   *string
	Message *string
	T0      *time.Time
	Rules   *[]exchange.PlanRule
}

// View is a release as those who run the program see it.
type View struct {
	exchange.Release
	Charter   exchange.Charter
	Artifacts []exchange.Artifact
	Waves     []exchange.WaveRecord
	Needed    int // approvals that the plan requires, by distinct persons
}

// Preview is what a plan would do, and to whom, before anybody approves it.
type Preview struct {
	Release  exchange.Release
	Waves    []PreviewWave
	Warnings []exchange.Warning // unusual: weekend, new member, missing agreement …
	Blocks   []exchange.Problem // what keeps it from being sent or armed
	Needed   int
	Valid    []exchange.Approval
	Holders  []Holder // who already holds what
}

// PreviewWave is one line of "who gets what when".
type PreviewWave struct {
	Audience   exchange.Audience
	Title      string // of the cohort
	At         time.Time
	State      exchange.WaveState
	OpenedAt   time.Time
	Classes    []exchange.ContentClass
	Artifacts  []exchange.Artifact
	Recipients []Recipient
	Past       bool // opens at once
}

// Holder is an organisation that has been given something of a release.
type Holder struct {
	Org       exchange.OrgID
	Name      string
	Audience  exchange.Audience
	Artifacts []exchange.Artifact
	Since     time.Time
	Given     bool // at least one client has fetched something
}

// Change is a change of plan.
type Change struct {
	Reason  string // required
	Version int64  // If-Match: the release's version that the caller saw; 0: any
}

// Changed is what a change of plan did.
type Changed struct {
	Release exchange.Release
	Waves   []exchange.WaveRecord
	Holders []Holder // who already holds what: recall cannot reach copies
	Told    []exchange.OrgID
}

// Rearm describes the case that follows an incomplete fix (MAPP-11).
type Rearm struct {
	Title   string
	Message string
	T0      time.Time
	Drop    []exchange.CohortID // cohorts of the old case that the new one leaves out
	Reason  string
}
