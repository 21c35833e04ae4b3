package page

import (
	"html/template"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Compose is the form that begins a release.
type Compose struct {
	Frame
	Program string
	Action  string
	Heading string
	T0Text  string // as typed
	Message string
	Echo    []string
	Zones   string
}

// Name is the template's name.
func (Compose) Name() string { return "compose" }

// Operate is a release as those who run the program see it: composer, approver's
// page, plan and timeline.
type Operate struct {
	Frame
	ID         string
	Heading    string
	Message    string
	Prose      template.HTML
	State      State
	StateText  string
	Revision   int64
	Version    int64
	Reason     string
	Author     string
	FixOf      *Link
	T0         Moment
	T0Text     string // as typed
	Echo       []string
	Zones      string
	Updated    Moment
	Edit       bool   // the reader may change it now
	EditHref   string // where one begins to change it
	Cohorts    []string
	Matrix     []MatrixRow
	Artifacts  []ArtifactLine
	Upload     *Upload
	Waves      []WaveLine
	Warnings   []string
	Blocks     []Problem
	Checks     []string // what is in order
	Approvals  []ApprovalLine
	Needed     int
	Missing    int
	MaySend    bool
	MayApprove bool
	WhyNot     string // why the reader may not approve
	Holders    []HolderLine
	Plan       *PlanForms
	Members    []MemberState
	Feedback   []FeedbackLine
	Chart      *Chart
	Events     []EventLine
	EventsMore Link
	PreviewAs  []Option
}

// Name is the template's name.
func (Operate) Name() string { return "operate" }

// MatrixRow is one content class of the plan.
type MatrixRow struct {
	Class string
	Two   bool
	Files int
	Cells []MatrixCell
}

// MatrixCell is when one cohort gets one class.
type MatrixCell struct {
	Field  string // form field
	Cohort string
	Value  string
	When   string // UTC instant, "now", or empty
	Bad    bool
}

// ArtifactLine is one part of a release.
type ArtifactLine struct {
	ID, Title, Href string
	Class, Kind     string
	TLP             exchange.TLP
	PAP             string
	Asks            string // beyond label and level, in words
	Size            int64
	Objects         int64
	SHA256          string
	Removed         bool
	Recalled        bool
	Removable       bool
	TakeBack        string // of the form that takes it back
}

// Upload is the form that adds an artifact.
type Upload struct {
	Action  string
	Classes []Option
	TLPs    []Option
	PAPs    []Option
	Kinds   []Option
	Default string // the program's default handling in words
	Grounds []Ground

	Attributions []Option
	Actions      []Option // of IEP 2.0
	Groups       []string // of the charter
}

// WaveLine is one line of "who gets what when".
type WaveLine struct {
	Title      string
	Compelled  bool
	At         Moment
	State      State
	Late       string
	Past       bool
	Classes    []string
	Artifacts  []string
	Recipients []RecipientLine
	Public     bool
}

// RecipientLine is one organisation that will receive something, by name.
type RecipientLine struct {
	Name, Href string
	People     []string
	Local      string // the wave's moment where its people are
	Note       string // what is unusual
}

// ApprovalLine is one approval.
type ApprovalLine struct {
	Person string
	At     Moment
	Valid  bool
	Entry  Link // in the ledger; empty: the visitor is shown none
}

// HolderLine is an organisation that already holds something.
type HolderLine struct {
	Name, Href, Audience string
	Artifacts            []string
	Since                Moment
}

// PlanForms are the changes of plan that the state permits.
type PlanForms struct {
	Base     string // /releases/{id}
	Version  int64
	T0Text   string
	Waves    []Option
	Open     []Option // waves that are held
	Cohorts  []Option // for re-arming
	Move     bool
	Hold     bool
	Resume   bool
	Withdraw bool
	Contain  bool
	Rearm    bool
	Close    bool
	Held     int // how many already hold something
}

// MemberState is where one member stands with a release. Every state has its own
// moment; silent means given, and nothing since.
type MemberState struct {
	Name, Href, Audience string
	Offered              Moment
	Delivered            Moment
	Opened               Moment
	Acknowledged         Moment
	Protecting           Moment
	NotAffected          Moment
	Silent               string // how long; empty: not silent
}

// EventLine is one act of the timeline.
type EventLine struct {
	Seq  int64
	Href string // in the ledger
	At   Moment
	Text string
	Who  string
}
