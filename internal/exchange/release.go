package exchange

import (
	"slices"
	"time"
)

// ReleaseState is where a release stands.
//
//	draft → waiting → armed → releasing → public → closed
//
// and, from any state before closed, withdrawn or contained. An edit after
// approval sends waiting, armed and releasing back to draft; what was given
// stays given, and nothing further opens until the new plan is approved.
type ReleaseState string

// The states.
const (
	ReleaseDraft     ReleaseState = "draft"     // being written
	ReleaseWaiting   ReleaseState = "waiting"   // sent to the approvers
	ReleaseArmed     ReleaseState = "armed"     // approved; waves open on the clock
	ReleaseReleasing ReleaseState = "releasing" // approved and at least one wave is open
	ReleasePublic    ReleaseState = "public"    // T0 has passed and the public wave is open
	ReleaseClosed    ReleaseState = "closed"    // outcome final; feedback closed
	ReleaseWithdrawn ReleaseState = "withdrawn" // nobody receives it any more
	ReleaseContained ReleaseState = "contained" // a leak is suspected: nothing further opens
)

// Opens reports whether waves open on the clock in this state.
func (s ReleaseState) Opens() bool {
	return s == ReleaseArmed || s == ReleaseReleasing || s == ReleasePublic
}

// Readable reports whether what was opened may still be read.
func (s ReleaseState) Readable() bool { return s != ReleaseWithdrawn }

// Release is one case on its way to defenders: artifacts, a plan, a clock.
type Release struct {
	ID              ReleaseID
	Program         ProgramID
	Title           string
	Message         string // Markdown to the members who hold it
	State           ReleaseState
	Plan            Plan
	Revision        int64 // grows with every edit of content, plan or handling
	Version         int64 // grows with every change at all; the ETag
	Author          PersonID
	IncompleteFixOf ReleaseID
	CreatedAt       time.Time
	UpdatedAt       time.Time
	PublicAt        time.Time // when the public wave opened
	ClosedAt        time.Time
	Reason          string // of the last change of plan
	Approvals       []Approval
	Editors         []PersonID // who changed the current revision since the last approval round
	// Standing marks the one release of a program that holds what members write.
	// It has no plan, is in no list, and nobody acts on it.
	Standing bool
}

// Revise makes a new revision of the release: its approvals lapse, and nothing
// further opens until the new revision is approved. What was given stays given.
func (r *Release) Revise(by PersonID) {
	r.Revision++
	r.State = ReleaseDraft
	if !slices.Contains(r.Editors, by) {
		r.Editors = append(r.Editors, by)
	}
}

// Approval is one person's consent to one revision.
type Approval struct {
	Person   PersonID
	Revision int64
	At       time.Time
}

// Valid returns the approvals of the current revision by distinct persons.
func (r Release) Valid() []Approval {
	var out []Approval
	for _, a := range r.Approvals {
		dup := slices.ContainsFunc(out, func(b Approval) bool { return b.Person == a.Person })
		if a.Revision == r.Revision && !dup {
			out = append(out, a)
		}
	}
	return out
}

// WaveState is where a wave stands.
type WaveState string

// The states.
const (
	WaveScheduled WaveState = "scheduled"
	WaveHeld      WaveState = "held"   // waits until somebody resumes it, whatever the clock says
	WaveKilled    WaveState = "killed" // never opens
	WaveOpen      WaveState = "open"
)

// WaveRecord is a wave as it is kept: planned, then opened.
type WaveRecord struct {
	Release  ReleaseID
	Audience Audience
	At       time.Time // planned instant
	Classes  []ContentClass
	State    WaveState
	OpenedAt time.Time
	Late     time.Duration // how long after its instant it opened, when over a second
	Objects  int64         // how many objects it brought into the audience's feed
}

// ArtifactKind is how an artifact is read.
type ArtifactKind string

// The kinds.
const (
	ArtifactSTIX     ArtifactKind = "stix"     // a STIX 2.1 bundle: its objects enter the collection
	ArtifactCSAF     ArtifactKind = "csaf"     // a CSAF advisory, given as a document
	ArtifactMarkdown ArtifactKind = "markdown" // text for people
	ArtifactFile     ArtifactKind = "file"     // any bytes
	// ArtifactJournal holds what one organisation writes into a program, object
	// after object: its bytes grow, and what is written never changes.
	ArtifactJournal ArtifactKind = "journal"
	// ArtifactTombstone holds what takes the place of recalled STIX objects for
	// those who held them: the same identifiers, revoked, without content.
	ArtifactTombstone ArtifactKind = "tombstone"
)

// Artifact is one part of a release, of one content class. Its bytes never
// change: a correction is another artifact that supersedes it.
type Artifact struct {
	ID            ArtifactID
	Number        int64 // internal; never shown
	Release       ReleaseID
	Program       ProgramID
	Class         ContentClass
	Kind          ArtifactKind
	Title         string
	Filename      string
	MediaType     string
	Handling      Handling
	SHA256        string // of the bytes as submitted, hex
	Size          int64
	Objects       int64 // STIX objects in it
	Originator    OrgID
	SubmittedBy   PersonID
	SubmittedAt   time.Time
	Supersedes    ArtifactID
	RemovedAt     time.Time // taken out of the release before it was given to anyone
	RecalledAt    time.Time // by its originator, or by who runs the program; zero: not
	Originators   []OrgID   // of what was derived: the owners of all that it was derived from, sorted
	DerivedFrom   []string  // artifacts and STIX objects that it was made from
	Relation      string    // how: summary, tear-line or report
	SelfContained bool      // every reference of its objects leads to one of them
	Lessened      bool      // some of its objects were taken back: its bytes as a whole are given to nobody
}

// HandlingClass is the interned handling of some objects of one artifact: what
// the markings of the objects say and nothing else. What governs the objects is
// the join with the artifact's own policy, which may change: policy.Item.Under.
type HandlingClass struct {
	ID       int64
	Artifact int64           // Artifact.Number
	TLP      TLP             // join of the object markings; TLPUnset: they name no label
	Held     bool            // a marking could not be resolved: a steward must look
	Markings string          // the sorted marking references behind it, for the explanation
	Handling Handling        // join of the object markings; its TLP is in TLP
	Fields   []FieldHandling // granular markings, by selectors
}

// Owners are the organisations without whose consent the artifact's handling is
// not loosened: its originator, or, for what was derived, those of what it was
// derived from.
func (a Artifact) Owners() []OrgID {
	if len(a.Originators) > 0 {
		return a.Originators
	}
	if a.Originator == "" {
		return nil
	}
	return []OrgID{a.Originator}
}
