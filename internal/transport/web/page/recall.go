package page

// Recalls lists what was taken back and concerns the reader.
type Recalls struct {
	Frame
	Lines []RecallLine
	Next  string
}

// Name is the template's name.
func (Recalls) Name() string { return "recalls" }

// RecallLine is one act in a list.
type RecallLine struct {
	ID, Href, What, Kind, Program string
	At                            Moment
	State                         State
}

// RecallForm is the form of an act, and then its plan, which is confirmed.
type RecallForm struct {
	Frame
	Heading     string
	Target      string   // what is typed to confirm
	Fields      []Hidden // of the target
	Kinds       []Option
	Object      bool
	Kind        string
	Replacement string
	Reason      string
	Message     string
	At          string
	TLPs        []Option
	PAPs        []Option
	Only        string
	Not         string
	NotIn       string
	Persons     string
	Statement   string
	Plan        *RecallPlan
	Back        string
}

// Name is the template's name.
func (RecallForm) Name() string { return "recallform" }

// RecallPlan is what an act would do.
type RecallPlan struct {
	Says    string
	Lose    []string // organisations
	Keep    []string
	Offered int
	Objects int64
	Again   []Hidden // the form
}

// Hidden is a field of a form that is not shown.
type Hidden struct{ Field, Value string }

// Recall is one act: what is asked of a holder, or who holds it and what they did.
type Recall struct {
	Frame
	Heading  string
	Base     string
	Says     string
	Facts    []Fact
	At       Moment
	From     Moment // when it took effect
	Reason   string
	Message  string
	Mine     *HolderAnswer
	Holders  []RecallHolder
	Summary  string
	Remind   bool
	Hidden   bool // names of holders are not shown
	Reminded Moment
}

// Name is the template's name.
func (Recall) Name() string { return "recall" }

// HolderAnswer is what the reader's organisation is asked, and what it said.
type HolderAnswer struct {
	Signed  string // where its notice is, signed; empty: it had none
	Asks    bool
	Answer  string
	Note    string
	At      Moment
	Options []Option
}

// RecallHolder is one organisation that was given something.
type RecallHolder struct {
	Name, Near string
	Since      Moment
	State      State
	Told       string
	Polled     Moment
	Answered   Moment
	Note       string
}
