package page

import "github.com/forewarn-exchange/forewarn/internal/exchange"

// Passing is what an item's page says about passing it on: what the reader's
// organisation was granted, and where to ask.
type Passing struct {
	Ask     string   // address of the form; empty: the reader does not ask
	Granted []string // permissions in force, in words
}

// Lineage is what an artifact was made from, and what was made from it, as far
// as the reader may know.
type Lineage struct {
	Relation string
	Owners   []string // without whose consent its handling is not loosened
	Parents  []Link
	Children []Link
}

// AskReshare is the form in which an item's originators are asked.
type AskReshare struct {
	Frame
	Item    string
	Program string
	Title   string
	Whole   bool // its handling can be loosened
	Within  string
	Longest string
	TLPs    []Option
	PAPs    []Option
	Drops   []Option

	To, Outside, Why, Until string // as they were typed
}

// Name is the template's name.
func (AskReshare) Name() string { return "askreshare" }

// Reshares lists requests: those that wait for the reader first.
type Reshares struct {
	Frame
	Waiting []ReshareLine // for the reader's answer
	Lines   []ReshareLine
	Times   string // how long originators take; empty: not for the reader
	Older   string
}

// Name is the template's name.
func (Reshares) Name() string { return "reshares" }

// ReshareLine is one request.
type ReshareLine struct {
	Href     string
	What     string // "pass on", "loosen"
	Title    string
	By       string
	State    State
	Asked    Moment
	AnswerBy Moment
}

// Reshare is one request with its answers.
type Reshare struct {
	Frame
	Heading  string
	Base     string
	State    State
	By       string
	Whom     []string // to whom it would be passed on
	Wanted   []string // the handling that is asked for
	Why      string
	Item     Link
	Label    exchange.TLP
	Asked    Moment
	AnswerBy Moment
	Until    Moment
	End      Moment
	Waiting  int
	Answers  []ReshareAnswer
	Answer   bool
	Timed    bool // an answer may name an earlier end
	Withdraw bool
	Revoke   bool
	Content  string // address of the copy; empty: none

	Condition, Earlier string // as they were typed
}

// Name is the template's name.
func (Reshare) Name() string { return "reshare" }

// ReshareAnswer is what one originator said.
type ReshareAnswer struct {
	Who       string
	Yes       bool
	Condition string
	Until     Moment
	At        Moment
}
