// Package delivery gives readers what the policy lets them have, and only
// that: pages of a collection, objects, artifacts, what is public. It is the
// one place through which content leaves, and what a client is given for the
// first time is recorded before it leaves.
//
// Pages come from a read model in memory, which is derived from the store: see
// model, feed, gathering, and docs/adr/0013.
package delivery

import (
	"cmp"
	"context"
	"io"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/covered"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	Record(e exchange.Event) (seq int64, err error)
	Expose(es []exchange.Exposure) error
	Readers
	Feeds
	Items
	Everyone
	Secrets
	Copies
}

// Readers is what is known of those who read.
type Readers interface {
	Charter(program exchange.ProgramID) (exchange.Charter, error)
	Charters() ([]exchange.Charter, error)
	Edition(program exchange.ProgramID) (exchange.Edition, error) // of the charter in force
	Organisation(id exchange.OrgID) (exchange.Organisation, error)
	PersonByLogin(login string) (exchange.Person, error)
	Member(program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error)
	MembershipsOf(org exchange.OrgID) ([]exchange.Member, error)
	HiddenMembers(program exchange.ProgramID) (map[exchange.OrgID]bool, error)
	Told
}

// Told is what organisations were told.
type Told interface {
	Notices(org exchange.OrgID, before time.Time, limit int) ([]exchange.Notice, error)
	Notice(org exchange.OrgID, id exchange.NoticeID) (exchange.Notice, error) // exchange.NotFound
	MarkRead(org exchange.OrgID, id exchange.NoticeID) error
	// ToldIncomplete is when the organisation was told that the fix behind the
	// release is incomplete; zero: never.
	ToldIncomplete(release exchange.ReleaseID, org exchange.OrgID) (time.Time, error)
}

// Feeds is what audiences were given, in order.
type Feeds interface {
	Subscriptions(program exchange.ProgramID, org exchange.OrgID) ([]Span, error)
	RunsOf(feed, after int64) ([]Run, error) // those with a later base, ascending
	// BlocksIn lists where the artifact's blocks begin, from … to, in order.
	BlocksIn(artifact, from, to int64) ([]int64, error)
	Block(artifact, first int64) (Rows, error)
	// EntriesOf lists objects by their numbers, ascending, with ids and without Added.
	EntriesOf(seqs []int64) ([]Entry, error)
	// ObjectsByHash lists objects whose id has the hash; among: only of artifacts
	// for which it answers true, so that others cost no more than an id that
	// nothing has.
	ObjectsByHash(program exchange.ProgramID, idHash int64, among func(artifact int64) bool) ([]Object, error)
}

// Items is what is known of what is read.
type Items interface {
	Artifact(id exchange.ArtifactID) (exchange.Artifact, error)
	ArtifactByNumber(n int64) (exchange.Artifact, error)
	ArtifactsOf(release exchange.ReleaseID) ([]exchange.Artifact, error)
	Release(id exchange.ReleaseID) (exchange.Release, error)
	ReleasesOf(program exchange.ProgramID) ([]exchange.Release, error)
	HandlingClass(id int64) (exchange.HandlingClass, error)
	ClassesOf(artifact int64) ([]exchange.HandlingClass, error) // of its objects; none for a document
	ObjectsIn(artifact int64, after int64, limit int) ([]Object, error)
	Openings
}

// Openings is what was given to whom.
type Openings interface {
	OpenedTo(artifact int64, a exchange.Audience) (time.Time, error) // zero: not given
	// OpenedToOrg is when the artifact was given to the organisation alone, and
	// until when; zero: not, and without end.
	OpenedToOrg(artifact int64, org exchange.OrgID) (at, until time.Time, err error)
	PlannedFor(release exchange.ReleaseID, a exchange.Audience, c exchange.ContentClass) (time.Time, error)
	// WasOffered reports whether the organisation was offered or given the artifact.
	WasOffered(artifact int64, org exchange.OrgID) (bool, error)
}

// Copies is what is known of redacted copies, and of objects that are not there
// any more.
type Copies interface {
	// PutCopies notes of which objects copies are. What is known already stays.
	PutCopies(cs []Copy) error
	// PutGiven notes for whom copies are: who holds one of what is taken back is
	// told so under its identifier.
	PutGiven(gs []Given) error
	// CopiesOf lists the objects of which a copy with the hash of the identifier
	// was made for anybody, ascending.
	CopiesOf(idHash int64) ([]int64, error)
	// Gone reports whether the program held an object with the hash of the
	// identifier that was taken out.
	Gone(program exchange.ProgramID, idHash int64) (bool, error)
}

// Copy says of which object, by number, the redacted copy with the identifier is.
type Copy struct {
	ID     string
	Object int64
}

// Given is a copy that was made for an organisation. Of is the identifier of the
// object itself.
type Given struct {
	Copy
	Org exchange.OrgID
	Of  string
}

// Span is a stretch of a feed that an organisation reads: added in (From, To].
// It belongs to a period, which begins when the organisation comes into an
// audience and ends when it leaves it. In each period the organisation reads
// the feed of its audience and, where it was behind its new audience, a stretch
// of a feed of its own.
type Span struct {
	Feed     int64
	From     int64
	To       int64             // math.MaxInt64: open
	EndedAt  time.Time         // when the period ended; zero: it has not
	Audience exchange.Audience // whose feed it is; the zero value: nobody's, or the organisation's own
	Own      bool
}

// Entry is one object version in a reader's view.
type Entry struct {
	Added     int64 // date_added, Unix microseconds
	Object    int64 // seq
	Class     int64
	Type      string
	Version   int64 // as stored; 0: the object has neither modified nor created
	Contested bool
	Removed   bool // taken out: it is nobody's any more
	Offset    int64
	Length    int64
	ID        string // filled where it is asked for
	Redacted  bool   // the reader has a copy, under the identifier of the copy
}

// VersionAt is the object's version as TAXII 2.1 §3.4 defines it: modified,
// else created, else the date it was added.
func (e Entry) VersionAt() int64 {
	if e.Version != 0 {
		return e.Version
	}
	return e.Added
}

// Object is one object version in the corpus.
type Object struct {
	Seq     int64
	Class   int64
	ID      string
	Type    string
	Version int64
	Offset  int64
	Length  int64
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Blobs opens stored bytes.
type Blobs interface {
	Open(sha256 string) (Blob, error)
}

// Blob is stored bytes.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Config is what the room is built from.
type Config struct {
	Store Store
	Blobs Blobs
	Now   func() time.Time
	// Due opens the waves whose moment has come, so that a reader at T0 sees
	// what T0 gives even when the timetable is a moment behind.
	Due func(ctx context.Context) error
	// Generation grows whenever a fact that verdicts depend on changes.
	Generation func(ctx context.Context) (int64, error)
	// Arrivals grows whenever members wrote something: feeds hold more, and what
	// was decided holds.
	Arrivals func(ctx context.Context) (int64, error)
	// Gone answers whether what was asked for, and is not for the actor, was taken
	// back from its organisation. id is an artifact's, a release's, or with a
	// program a STIX object's. nil: nothing is ever taken back.
	Gone func(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string) (Loss, error)
	// Audiences is what the audiences of the program's members would be under a
	// charter. It reads, no more.
	Audiences func(tx Tx, c exchange.Charter) (map[exchange.OrgID]exchange.Audience, error)
	// Digest answers the SHA-256 of ranges of stored bytes: for proofs of what was
	// given, which hold no content. exchange.NotFound: the bytes are there no more.
	Digest func(ctx context.Context, sha256 string, of []Range) ([][32]byte, error)
	// Settle waits until all that was committed before is in the ledger: what is shown
	// of an act without a record of its own must not be ahead of it. nil: no ledger.
	Settle func(ctx context.Context) error
	// Memory is how many bytes of what feeds hold are kept in memory, without
	// their runs; 0: DefaultMemory.
	Memory int64
}

// Range is a stretch of stored bytes.
type Range struct{ Offset, Length int64 }

// DefaultMemory is room for what is known of two million objects.
const DefaultMemory = 128 << 20

// Service is the room.
type Service struct {
	c     Config
	mu    sync.Mutex
	known *cached
	had   had
	feeds map[int64]*feed
	model *model
	tally tally
	key   sources
	links links
	made  made
}

// New returns the room.
func New(c Config) *Service {
	return &Service{
		c: c, had: had{of: map[seenKey]*covered.Set{}}, feeds: map[int64]*feed{}, model: newModel(cmp.Or(c.Memory, DefaultMemory)),
		tally: tally{of: map[tallyKey]*count{}},
		links: links{of: map[int64][]string{}}, made: made{of: map[Copy][]byte{}, noted: map[Given]struct{}{}},
	}
}

// Collection is a program as machines read it: one collection each.
type Collection struct {
	ID          string // UUID, derived from the program's id
	Program     exchange.ProgramID
	Title       string
	Description string
	CanRead     bool
	CanWrite    bool

	view *view // of whom it was returned to
}

// Query asks for a page of a collection.
type Query struct {
	After    int64 // added_after, exclusive, Unix microseconds
	Limit    int   // 1 … 1000
	IDs      []string
	Types    []string
	Versions Versions
	Bare     bool // Page.Entries is not wanted, and the page will be closed
	// Held is asked whether the reader has the page already, before its bytes are
	// opened. Then it comes without them, and nothing is recorded as given.
	Held func(p *Page) bool
}

// Versions is match[version] of TAXII 2.1 §3.4: all, first, last, or named
// versions (Unix microseconds). The zero value means last.
type Versions struct {
	All, First, Last bool
	At               []int64
}

// MemberRelease is a release as a reader sees it: only what the reader holds.
type MemberRelease struct {
	ID           exchange.ReleaseID
	Program      exchange.ProgramID
	Title        string
	Message      string
	State        string // "embargoed", "public", "closed", "contained"
	T0           time.Time
	PublicAt     time.Time
	TLP          exchange.TLP // the strictest label among the items
	Items        []Item
	Incomplete   exchange.ReleaseID // the earlier case whose fix was incomplete, when the reader holds it
	Superseded   exchange.ReleaseID // the later case that follows it, when the reader holds that
	NotCovering  time.Time          // since when the reader knows that the fix is incomplete: what was built on it may not cover; zero: not
	FirstOffered time.Time
}

// labelled returns the strictest label among the release's visible items.
func (m MemberRelease) labelled() exchange.TLP {
	top := exchange.TLPUnset
	for _, i := range m.Items {
		top = max(top, i.TLP)
	}
	return top
}

// Item is one artifact as a reader sees it.
type Item struct {
	Artifact    exchange.Artifact
	TLP         exchange.TLP // effective now
	OpenedAt    time.Time
	Obligations []string
	Superseded  bool
	// Partial says that some of its objects are withheld from the reader. Then
	// the bytes as a whole are not given, and hash, size and number of objects
	// are left out.
	Partial bool
	// Source is the name under which an originator is shown that must not be named:
	// to those who run the program and to the originator, beside its own.
	Source exchange.OrgID
}

// Content is an artifact's bytes, opened under a permit.
type Content struct {
	Artifact exchange.Artifact
	Blob     // Close it
}

// ObjectView is one STIX object as a reader sees it.
type ObjectView struct {
	Object   Object
	Raw      []byte
	Added    int64 // in this reader's view; 0 for those who run the program
	Release  exchange.ReleaseID
	Title    string // of the release
	Artifact exchange.Artifact
	TLP      exchange.TLP
	Decision policy.Decision
	T0       time.Time
	PublicAt time.Time
	Source   exchange.OrgID // as in Item
	// Redacted says that it is a copy without what is withheld from the reader,
	// under an identifier of its own.
	Redacted bool
	// CopyAsked is the identifier of a redacted copy that was asked for, where the
	// reader may have the original, which is what this is.
	CopyAsked string
}

// Why is the explained decision on one item for one recipient.
type Why struct {
	Item      string
	Artifact  exchange.Artifact
	Recipient exchange.OrgID
	Audience  exchange.Audience
	At        time.Time
	Decision  policy.Decision
	// Limited says that the asker, the originator of the item, is told what its
	// handling gives a member in good standing, and nothing of the member itself.
	Limited bool
}

// Hit is one result of a search.
type Hit struct {
	Kind    string // "object", "artifact" or "release"
	ID      string
	Title   string
	Release exchange.ReleaseID
	Program exchange.ProgramID
}
