package page

// Bases is the register of legal bases.
type Bases struct {
	Frame
	Lines []BasisLine
	May   bool // add a line
	Old   BasisForm
}

// Name is the template's name.
func (Bases) Name() string { return "bases" }

// BasisLine is one line of the register, or what was kept for a share.
type BasisLine struct {
	ID, Jurisdiction, Instrument, Conditions, Source string
	State                                            State
	From, To, Known                                  Moment
}

// BasisForm is what was typed in.
type BasisForm struct {
	ID, Jurisdiction, Instrument, From, To, Known, Conditions, Source string
	Not                                                               bool
}

// Ground is how one basis of a program stands now.
type Ground struct {
	ID, Text string
	State    State
}

// SharedUnder is what was kept of the legal basis of a share, and what became
// known later.
type SharedUnder struct {
	At    Moment
	Kept  Ground
	Later []BasisLine
}
