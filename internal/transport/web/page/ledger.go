package page

// Ledger is the log's head, how one verifies it, and the entries that the
// visitor may see.
type Ledger struct {
	Frame
	Head     LogHead
	Former   []LogHead // closed logs, newest first
	Member   bool      // somebody signed in
	Filter   LedgerFilter
	Lines    []EntryLine
	Empty    Empty
	Newer    string // address of the page of newer entries; empty: these are the newest
	Older    string
	Evidence string // address of the form for an evidence bundle
}

// Name is the template's name.
func (Ledger) Name() string { return "ledger" }

// LogHead is a log as its newest checkpoint has it.
type LogHead struct {
	Origin     string
	Size       string
	Root       string   // base 64, as in the checkpoint
	Keys       []string // those that sign it, newest first
	Newest     Moment   // when its newest entry was made
	State      State    // of the witnesses together
	Witnesses  []WitnessLine
	Command    string
	Checkpoint string // address
	Closed     bool
}

// WitnessLine is one witness of the log.
type WitnessLine struct {
	Label string
	Key   string
	State State
	Size  string // the largest that it signed; empty: none
	At    Moment
}

// Alarm says that something about the log does not hold, and what is to be done.
type Alarm struct {
	Heading string
	Text    string
	Todo    []string
	Href    string // of the page that shows more; empty: this one does
	Settle  int64  // the disagreement that may be settled here; 0: none
	Program string // of it
}

// LedgerFilter is what was asked of the list.
type LedgerFilter struct {
	Programs []Option
	Kinds    []OptionGroup
	Release  string
	Org      string
	Person   string
	Subject  string
	From, To string
	Set      bool // something was asked
	More     bool // of what stands in the second part
}

// OptionGroup is choices of a select under one heading.
type OptionGroup struct {
	Label   string
	Options []Option
}

// EntryLine is one entry of the ledger in a list.
type EntryLine struct {
	Seq     string
	Href    string
	At      Moment
	Exact   string // UTC, to the millisecond
	Who     string
	Of      string // the organisation of who did it
	Text    string
	About   string // the organisation concerned, where it is another
	Release Link
	Program string
	Proof   Link // the receipt; without an address: the entry is not in the log yet
}

// Entry is one entry of the ledger.
type Entry struct {
	Frame
	Heading  string
	Told     Told
	Seq      string
	Index    string
	Log      string // origin
	Size     string // of the checkpoint of the receipt
	Proof    string // hashes in the proof
	State    State
	Receipt  Link
	Broken   *Alarm // the receipt does not hold
	Command  string
	Objects  []ObjectProofLine
	MoreHref string // of the page with more objects
	Covers   string // how many objects the act gave, in words; empty: it gave none
}

// Name is the template's name.
func (Entry) Name() string { return "ledgerentry" }

// Told is what an opening tells.
type Told struct {
	Text   string // in one sentence
	At     Moment
	Exact  string // the instant to the microsecond
	Facts  []Fact
	Hidden int  // sealed places
	Whole  bool // nothing is kept back
}

// ObjectProofLine is an object that a disclosure gave.
type ObjectProofLine struct {
	Object string
	Href   string // of the proof
}

// Checked is what became of a receipt that was handed in.
type Checked struct {
	Frame
	Heading   string
	State     State
	Broken    *Alarm // what does not hold
	Told      Told
	Log       string
	Index     string
	Size      string
	Root      string
	Key       string
	Witnesses []WitnessLine
	SeenNote  string // about the witnesses
}

// Name is the template's name.
func (Checked) Name() string { return "ledgercheck" }

// Evidence is the form for an evidence bundle.
type Evidence struct {
	Frame
	Programs []Option
	From, To string
	Command  string
}

// Name is the template's name.
func (Evidence) Name() string { return "evidence" }
