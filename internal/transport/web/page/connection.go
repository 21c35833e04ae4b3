package page

import "github.com/forewarn-exchange/forewarn/internal/exchange"

// Connections lists the machines of an organisation that poll.
type Connections struct {
	Frame
	Lines    []ConnectionLine
	Clients  []Option
	Programs []Option
	Form     ConnectionForm
	Add      bool
}

// Name is the template's name.
func (Connections) Name() string { return "connections" }

// ConnectionLine is one machine in a list.
type ConnectionLine struct {
	Name, Href string
	Client     string
	Scope      string
	State      State
	LastPoll   Moment
	Cursor     Moment
	Objects    int64
	Expires    Moment
}

// ConnectionForm is what was typed about a new machine.
type ConnectionForm struct {
	Title string // the name that people give it
	Days  string
	Write bool
}

// Settings is a new connection with the settings of its client, shown once.
type Settings struct {
	Frame
	Heading string
	Client  string
	Where   string
	Every   string
	Block   string
	Lines   int
	Facts   []Fact
	Base    string // of the connection's pages
}

// Name is the template's name.
func (Settings) Name() string { return "settings" }

// Connection is one machine: its polls, warnings and errors.
type Connection struct {
	Frame
	Heading  string
	Client   string
	State    State
	Warnings []string
	Facts    []Fact
	LastPoll Moment
	Cursor   Moment
	After    Moment
	Expires  Moment
	Errors   []ErrorLine
	Base     string
	Test     bool
	Remove   bool
}

// Name is the template's name.
func (Connection) Name() string { return "connection" }

// ErrorLine is one request that was refused.
type ErrorLine struct {
	At      Moment
	Status  int
	Problem string
	Request string
}

// TestPoll is what a test poll got.
type TestPoll struct {
	Frame
	Heading     string
	Why         string
	Collections []CollectedLine
	Base        string
}

// Name is the template's name.
func (TestPoll) Name() string { return "testpoll" }

// CollectedLine is what a test poll got of one collection.
type CollectedLine struct {
	Heading string
	ID      string
	Why     string
	Objects []GivenLine
	More    bool
	Cursor  string // as a client would send it
}

// GivenLine is one object that was given.
type GivenLine struct {
	Type, Object, Label string
	TLP                 exchange.TLP
	Added               string
}
