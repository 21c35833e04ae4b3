package page

import "github.com/forewarn-exchange/forewarn/internal/exchange"

// Dashboard is the landing page of those who run programs: whether they work.
type Dashboard struct {
	Frame
	Programs []Option // choice of the program shown
	Next     *NextRelease
	Needs    []Need
	Tiles    []Tile
	TilesOf  string // the releases that the tiles are about, in words
	Chart    *Chart
	Active   []ActiveRelease
	Empty    Empty // when there is no program yet
}

// Name is the template's name.
func (Dashboard) Name() string { return "dashboard" }

// NextRelease is the release whose clock runs out first.
type NextRelease struct {
	Title string
	Href  string
	TLP   exchange.TLP
	What  string // what happens then: "public release", "wave to validate"
	At    Moment
}

// Need is something that waits for the reader.
type Need struct {
	Text  string
	Href  string
	Since Moment
}

// Tile is one measure: value, target, state, what it is counted over, and where
// the rows behind it are.
type Tile struct {
	ID         string
	Label      string
	Value      string // "no data" where there is none, never 0
	Target     string
	State      State
	Basis      string // n and denominator: "12 of 14 capable members, 3 releases"
	Definition string
	RowsHref   string
}

// ActiveRelease is one line of the dashboard's table. Each member stands in the
// furthest state that was recorded, so that silence is a state of its own.
type ActiveRelease struct {
	Title     string
	Href      string
	TLP       exchange.TLP
	State     State
	Approvals string // "1 of 2"; empty: none wanted
	T0        Moment
	Given     int
	States    []int // as feedback.AllStates
}

// StateHeads are the columns of ActiveRelease.States, as feedback.AllStates.
func (Dashboard) StateHeads() []string {
	return []string{"Silent", "Delivered", "Opened", "Acknowledged", "Not affected", "Protecting"}
}

// Home is the landing page of a member.
type Home struct {
	Frame
	Agreements []PendingAgreement
	Programs   []Membership
	Releases   []GivenRelease
	Notices    []NoticeLine
	Feedback   []FeedbackLine
}

// Name is the template's name.
func (Home) Name() string { return "home" }

// PendingAgreement is one that the organisation has not accepted.
type PendingAgreement struct {
	Program string
	Href    string
	Version int
	Title   string
	MaySign bool // the reader is a signatory
}

// Membership is one program as a member sees it.
type Membership struct {
	Title    string
	Href     string
	Outcome  string
	State    State
	Cohort   string
	Accepted string // "version 3, 2026-06-01"
	New      int    // releases given in the last seven days
	Sunset   string
}

// GivenRelease is a release that the reader's organisation was given.
type GivenRelease struct {
	Title   string
	Program string
	Href    string
	TLP     exchange.TLP
	State   State
	T0      Moment
	Given   Moment
	Items   int
	New     bool
}

// NoticeLine is one notice.
type NoticeLine struct {
	ID   string
	Text string
	Href string
	At   Moment
	New  bool

	Entry Link // in the ledger; empty: the visitor is shown none
}

// FeedbackLine is one feedback, as its giver or the operator sees it.
type FeedbackLine struct {
	Kind    string
	Release string
	Href    string
	Org     string
	Text    string
	At      Moment
}

// Notices lists all notices.
type Notices struct {
	Frame
	Lines []NoticeLine
	Older string // link to the next page
}

// Name is the template's name.
func (Notices) Name() string { return "notices" }
