package page

import (
	"html/template"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Read is a release as a member sees it.
type Read struct {
	Frame
	Heading     string
	State       State
	StateText   string
	Embargoed   bool
	T0          Moment
	Prose       template.HTML
	May         []string
	MayNot      []string
	Items       []ItemLine
	Objects     []ObjectLine
	ObjectCount string // "82 objects, the first 50 of them"
	ObjectsAll  string
	Feedback    *FeedbackForms
	Mine        []FeedbackLine
	Others      []string // counts of the others, by the program's visibility
	OthersNote  string
	NotCovering Moment // since when the reader knows that the fix is incomplete
	FixOf       *Link
	FollowedBy  *Link
	Receipt     string   // says that opening is recorded
	LeftOut     *LeftOut // of a preview
	Preview     string   // name of the member for whom an operator looks; no forms then
}

// Name is the template's name.
func (Read) Name() string { return "read" }

// ItemLine is one artifact as a reader sees it.
type ItemLine struct {
	Title, Href, Content string
	Class, Definition    string
	Kind                 string
	TLP                  exchange.TLP
	PAP                  string
	Size                 int64
	SHA256               string
	Objects              int64
	Opened               Moment
	Superseded           bool
	Partial              bool          // some objects are withheld; there are no bytes to download
	Prose                template.HTML // of Markdown, on public pages
}

// ObjectLine is one STIX object in a list.
type ObjectLine struct {
	ID, Href, Type string
	Title          string
	Added          Moment
}

// FeedbackForms are the ways to answer. Each works with one key and Enter.
type FeedbackForms struct {
	Action string
	Object string   // STIX id the feedback is about; empty: the release
	Back   string   // page to return to
	Types  []string // of protections
	Now    string   // UTC stamp that stands in the fields
	Early  string   // why nothing may be live before T0, when the agreement says so
	Only   bool     // the object's page: fewer forms
}

// Library lists what the reader may see of a program.
type Library struct {
	Frame
	Action string
	Query  string
	Types  []Option
	Count  string // "1,826 objects", "more than 10,000 objects"
	Lines  []ObjectLine
	Hits   []HitLine // of a search
	Next   string
	First  string
	Empty  Empty
}

// Name is the template's name.
func (Library) Name() string { return "library" }

// HitLine is one finding of a search.
type HitLine struct{ Kind, Title, ID, Href string }

// Object is one STIX object.
type Object struct {
	Frame
	ID, Type    string
	Heading     string
	Embargoed   bool
	T0          Moment
	May         []string
	MayNot      []string
	JSON        string
	Size        int64
	RawHref     string
	Release     Link
	Artifact    Link
	Class       string
	PAP         string
	Originator  string
	Owner       string
	Statement   string
	Expires     Moment
	Added       Moment
	Submitted   Moment
	Modified    string
	Explanation []StepLine
	Redacted    bool   // parts are withheld from the reader
	CopyAsked   string // identifier of somebody's copy, by which this was asked for
	Relations   []Relation
	Feedback    *FeedbackForms
	Passing     *Passing
	Exposure    []MemberState // those who run the program only
	TakeBack    string        // of the form that takes it back, for those who may
	Has         *Has
	Receipt     string
}

// Name is the template's name.
func (Object) Name() string { return "object" }

// StepLine is one step of the decision that lets the reader see it.
type StepLine struct{ Rule, Text string }

// Relation is a reference to or from the object, between things that the reader
// may see.
type Relation struct {
	Property string
	Other    Link
	Type     string
}

// Artifact is one artifact as a reader sees it.
type Artifact struct {
	Frame
	Heading   string
	Item      ItemLine
	Filename  string
	MediaType string
	Release   Link
	Embargoed bool
	T0        Moment
	May       []string
	MayNot    []string
	Prose     template.HTML // of Markdown
	Passing   *Passing
	Lineage   *Lineage
	Submitted Moment
	Receipt   string
	Shared    []SharedUnder // its legal basis, for who shared it
	Has       *Has
	From      string // originator
}

// Name is the template's name.
func (Artifact) Name() string { return "artifact" }
