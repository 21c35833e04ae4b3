package page

// Held is what waits because nobody understands a marking, for those who run the
// program.
type Held struct {
	Frame
	Heading string
	Base    string // of the page
	May     bool   // say what a marking asks
	Marks   []HeldMark
	Said    []SaidMark
	TLPs    []Option
	PAPs    []Option
	Ref     string // of the form that was refused
	Reason  string // as it was typed
}

// Name is the template's name.
func (Held) Name() string { return "held" }

// HeldMark is one marking and what it holds.
type HeldMark struct {
	Ref     string
	Refused bool // its form was refused
	Lines   []HeldLine
}

// HeldLine is what a marking holds in one artifact.
type HeldLine struct {
	Title   string
	Href    string // of its release; empty: members wrote it
	Objects int64
	Parts   int64
	Since   Moment
}

// SaidMark is what was said of a marking.
type SaidMark struct {
	Ref, Asks, Reason, Person string
	At                        Moment
}
