package page

import "github.com/forewarn-exchange/forewarn/internal/exchange"

// Why is the decision on one item for one recipient, step by step.
type Why struct {
	Frame
	Action  string
	Item    string
	For     string
	AtText  string // UTC stamp; empty: now
	Trouble string // why there is no answer
	Answer  *Answer
	Empty   Empty
}

// Name is the template's name.
func (Why) Name() string { return "why" }

// Answer is an explained decision.
type Answer struct {
	Verdict   State
	Words     string // the verdict as a sentence
	Code      string
	Recipient string
	Audience  string
	At        Moment
	Until     Moment
	TLP       exchange.TLP
	Class     string
	Steps     []Step
	Duties    []string
	Withheld  []string // selectors of the parts that are left out
	Limited   bool     // what the handling gives, and nothing of the member itself
}

// Step is one step of a decision.
type Step struct {
	Rule string
	Pass State
	Text string
}

// Has is who has an item, as far as the visitor may know: a part of the item's
// page, or a page of its own.
type Has struct {
	Note       string // what is shown to whom
	Others     string // "fewer than 5 other organisations"
	Orgs       []string
	Copies     []CopyLine
	Journal    bool
	AllHref    string
	SpreadHref string
	WhyHref    string
}

// CopyLine is what one client has of one version.
type CopyLine struct {
	Org, Client, Of             string
	Version                     string
	Offered, Delivered          Moment
	Downloaded, Opened, Replied Moment
}

// Holders is who has an item, page by page.
type Holders struct {
	Frame
	Heading  string
	Back     Link
	Versions []VersionLine
	Has      *Has
	Next     string
	First    string
	Empty    Empty
}

// Name is the template's name.
func (Holders) Name() string { return "holders" }

// VersionLine is one artifact of a chain of those that replace each other.
type VersionLine struct {
	Title, ID, SHA256, Supersedes string
	At                            Moment
}

// LeftOut is what a preview shows beside the member's own page.
type LeftOut struct {
	Counts []string
	Lines  []LeftLine
}

// LeftLine is an object that the member will not see, or not whole.
type LeftLine struct {
	ID, Type, Verdict string
	Parts             []string
}
