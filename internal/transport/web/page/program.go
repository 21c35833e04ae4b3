package page

import (
	"html/template"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Programs lists the programs that the reader runs or takes part in.
type Programs struct {
	Frame
	Lines []Membership
	Runs  bool // the reader runs programs: says how one is opened
}

// Name is the template's name.
func (Programs) Name() string { return "programs" }

// Program is what a program is for and how it works.
type Program struct {
	Frame
	ID             string
	State          State
	Outcome        string
	Owner          string
	Beneficiaries  []string
	Information    []string
	OutOfScope     []string
	Review, Sunset string
	Closed         bool // past its sunset: nothing new is taken
	Measures       []MeasureLine
	Cohorts        []CohortLine
	Classes        []ClassLine
	Zone           string
	Weekend        string
	Holidays       []string
	Rules          []RuleLine
	Defaults       []string
	Agreement      Agreement
	Members        []MemberLine // nil for who does not run it
	MembersMore    string
	Candidates     []Option // organisations that may be added
	Runs           bool
	ExportHref     string
	NewHref        string
	Grounds        []Ground // how its legal bases stand now
	Hidden         bool     // the reader's organisation takes part without the other members' knowing
}

// Name is the template's name.
func (Program) Name() string { return "program" }

// MeasureLine is one lead measure of the charter.
type MeasureLine struct {
	Name, Definition, Target, By, Now string
	State                             State
	RowsHref                          string
	Lead                              bool
}

// CohortLine is one cohort.
type CohortLine struct {
	ID, Title, Rule string
	Members         int
	Cap             int
	Counted         bool // the reader may know how many there are
	Mine            bool
	Writes          bool // its members write into the collection
	Reads           bool // they read what members write
	Dropbox         bool // they write, and are given nothing
}

// ClassLine is one content class.
type ClassLine struct {
	ID, Definition string
	Two            bool
}

// RuleLine is one row of the default plan: a class and what each cohort gets.
type RuleLine struct {
	Class string
	At    []string // in the order of PlanHeads
}

// PlanHeads are the columns of the default plan.
func (p Program) PlanHeads() []string {
	var out []string
	for _, c := range p.Cohorts {
		out = append(out, c.ID)
	}
	return append(out, string(exchange.PublicCohort))
}

// Agreement is the agreement in force and where the reader stands.
type Agreement struct {
	Version     int
	Title       string
	Effective   string
	Obligations []string
	Text        template.HTML
	State       State
	Accept      bool // the reader may accept it now
}

// MemberLine is a member as the operator sees it.
type MemberLine struct {
	Name, Href string
	Cohort     string
	Compelled  bool
	State      State
	Accepted   string
	Joined     Moment
	Org        string // its id
	Hidden     bool   // from the other members
	MayHide    bool
}

// Outcome is the rows behind the measures of a program or of one release.
type Outcome struct {
	Frame
	Program  string
	Window   string
	From, To string // YYYY-MM-DD as typed
	Tiles    []Tile
	Tables   []RowTable
}

// Name is the template's name.
func (Outcome) Name() string { return "outcome" }

// RowTable is the rows behind one measure.
type RowTable struct {
	ID, Title, Definition string
	Heads                 []string
	Rows                  [][]string
	Total                 int // rows, of which Rows shows the first
	Note                  string
}

// Releases lists releases.
type Releases struct {
	Frame
	ProgramTitle string
	Lines        []ReleaseLine
	NewHref      string
	Empty        Empty
	Runs         bool
}

// Name is the template's name.
func (Releases) Name() string { return "releases" }

// ReleaseLine is one release in a list.
type ReleaseLine struct {
	Title, Href, Program string
	TLP                  exchange.TLP
	State                State
	T0                   Moment
	Items                int
	Approvals            string
	Given                Moment
}
