package page

// Organisations lists the organisations of the exchange.
type Organisations struct {
	Frame
	Lines []OrganisationLine
	Next  string
	Add   bool
	Form  OrganisationForm
	Kinds []string
}

// Name is the template's name.
func (Organisations) Name() string { return "organisations" }

// OrganisationLine is one organisation in a list.
type OrganisationLine struct {
	ID, Name, Href, Kind string
	Sectors              []string
	Jurisdictions        []string
	State                State
}

// OrganisationForm is what was typed about a new organisation.
type OrganisationForm struct {
	ID, Name, Kind                                  string
	Hats, Sectors, Jurisdictions, Regions, Products string
	Customers                                       string
}

// Organisation is one organisation: attributes, programs, people, machines, what
// it holds and what it gave.
type Organisation struct {
	Frame
	Heading       string
	Kind          string
	State         State
	Suspended     string // reason; operators only
	Facts         []Fact
	Jurisdictions []JurisdictionLine
	Programs      []ProgramLine
	People        []PersonLine
	Tokens        []TokenLine
	Holds         []HoldLine
	Gave          []FeedbackLine
	Base          string
	WebhooksHref  string // of those who belong to it
	Manage        bool   // may suspend, add people, issue tokens and links
	Roles         []Option
	TokenPersons  []Option
	TokenPrograms []Option
	Verbs         []Option
	Ceilings      []Option
	SuspendHref   string
	Joinable      []Option
}

// Name is the template's name.
func (Organisation) Name() string { return "organisation" }

// Fact is one attribute.
type Fact struct{ Name, Value string }

// JurisdictionLine is one jurisdiction and its duty.
type JurisdictionLine struct {
	Code   string
	Duty   State
	Within string
	Source string
	Since  string
}

// ProgramLine is one membership of an organisation.
type ProgramLine struct {
	Title, Href string
	Cohort      string
	State       State
	Joined      Moment
	Accepted    string
}

// PersonLine is one person.
type PersonLine struct {
	ID, Name, Login string
	Roles           string
	Zone            string
	State           State
}

// TokenLine is one machine credential.
type TokenLine struct {
	ID, Name, Person string
	Verbs            string
	Scope            string
	State            State
	Expires          Moment
	Used             Moment
	Revocable        bool
}

// HoldLine is something that the organisation was given.
type HoldLine struct {
	Release, Href string
	Kind          string
	At            Moment
}

// Suspend is the page that says what a suspension stops before it does.
type Suspend struct {
	Frame
	Heading string
	Action  string
	Back    string
	Stops   []string
	Holds   []HoldLine
}

// Name is the template's name.
func (Suspend) Name() string { return "suspend" }

// Secret shows a token or a sign-in link, once.
type Secret struct {
	Frame
	Heading string
	Text    string
	Secret  string
	Note    string
	Facts   []Fact
	Back    Link
}

// Name is the template's name.
func (Secret) Name() string { return "secret" }
