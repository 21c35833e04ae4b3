package page

import (
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Frame is what stands around every page.
type Frame struct {
	Title    string
	Exchange string // name of the exchange
	Nonce    string // of the one script
	Nav      []Link
	Program  string // title of the program that Sub is about
	Sub      []Link // within a program
	Person   string // empty: nobody signed in
	Acting   string // in which hat, for what purpose; empty: nothing was chosen
	Org      string
	OrgHref  string
	Zone     string
	Unread   int
	TLP      exchange.TLP // strictest label of what the page shows; TLPUnset: nothing labelled
	Now      Moment
	Alarms   []Alarm // what does not hold about the ledger
	LogSize  string  // entries of the ledger; empty: there is none
	Done     string  // what the act before this page did
	Acted    []Link  // its entries in the ledger
	Recorded []Link  // entries that say that this page was given
	Ledger   string  // address of the entries about what the page shows
	Faults   *Faults
}

// Around makes every view that embeds Frame a Page but for its name.
func (f *Frame) Around() *Frame { return f }

// Link is a link of a navigation. Key is the second key of its "g" shortcut.
type Link struct {
	Label   string
	Href    string
	Key     string
	Current bool
}

// Faults says what went wrong with the form that was sent, what was not done
// and where to look.
type Faults struct {
	Text     string
	Problems []Problem
	More     int // how many further problems there were
}

// Problem is one fault. Field is the id of the form field it is about, if any.
type Problem struct {
	Field   string
	Path    string
	Section string
	Message string
}

// Badge is a label as text and the class that colours it.
type Badge struct{ Text, Class string }

func newBadge(t exchange.TLP) Badge {
	class := strings.ToLower(strings.NewReplacer("TLP:", "", "+", "-").Replace(t.String()))
	return Badge{t.String(), class}
}

// State is a status in words with the weight it is shown by.
type State struct {
	Text string
	Kind string // ok, warn, danger, plain
}

// The weights of a State.
const (
	Ok     = "ok"
	Warn   = "warn"
	Danger = "danger"
	Plain  = "plain"
)

// Glyph is the sign that goes with the state; never alone.
func (s State) Glyph() string {
	switch s.Kind {
	case Ok:
		return "✓"
	case Warn:
		return "!"
	case Danger:
		return "✕"
	}
	return "·"
}

// Option is a choice of a select.
type Option struct {
	Value    string
	Label    string
	Selected bool
}

// Empty is what a list says when it is empty: what will be here, and one act.
type Empty struct {
	Text   string
	Action string
	Href   string
}
