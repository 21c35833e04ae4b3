package page

import "github.com/forewarn-exchange/forewarn/internal/exchange"

// Lookup says which values the exchange knows.
type Lookup struct {
	Frame
	Asked  string // the values as they were typed
	Count  string // "2 of 3 values are known"; empty: nothing was asked yet
	Notes  []string
	Values []LookedUp
	Empty  Empty
}

// Name is the template's name.
func (Lookup) Name() string { return "lookup" }

// LookedUp is a value that is known, with the objects behind it.
type LookedUp struct {
	Value, Kind string
	Matches     []LookupMatch
}

// LookupMatch is one object that holds a value which matches.
type LookupMatch struct {
	How     string
	Found   string // the object's value
	Title   string // of the object
	Href    string
	Type    string
	TLP     exchange.TLP
	Release Link
	Until   Moment // until when the object is valid
	Revoked bool
}
