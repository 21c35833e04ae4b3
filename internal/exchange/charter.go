package exchange

import (
	"cmp"
	"slices"
	"time"
)

// Charter is what a program is for and how it works: the outcome and the
// measures by which it is judged, who takes part in which cohort, what is
// shared, and under which terms. A Charter may be incomplete; only one that
// passes Check opens a program.
type Charter struct {
	ID                  ProgramID
	Title               string
	Outcome             string // what is better for whom when the program works
	Owner               OrgID
	Beneficiaries       []string
	InformationTypes    []string // of AllInformationTypes
	OutOfScope          []string
	Review              Date // the day by which owner and members look at it again
	Sunset              Date // the last day on which something new is shared
	Measures            []Measure
	Calendar            Calendar
	ContentClasses      []ContentClass // those that the program uses
	Cohorts             []Cohort       // a member belongs to the first that matches
	Rules               []PlanRule     // the default plan of a release
	Agreement           Agreement
	Handling            Handling // fills what a submission leaves open
	CompelledDisclosure CompelledDisclosure
	Approvals           Approvals
	Visibility          Visibility
	Contributions       Contributions
	LegalBasis          []BasisID // of the register: on which grounds members share
	Resharing           Resharing
	Groups              []SharingGroup // named lists of organisations, for the allow-lists of handlings
	Policies            string         // Cedar: rules that take away from what the fixed steps allow
	PolicyTests         []PolicyTest   // cases that the policies must decide as they expect
	Purposes            []string       // that readers choose from; empty: any short name
	Ledger              Witnessing     // who watches over the ledger
	CountsFor           []ProgramID    // programs of other owners whose rules may ask for membership in this one
}

// PolicyTest is a case for a charter's policies: who asks, what for, and the
// outcome without which the charter is not accepted.
type PolicyTest struct {
	Name   string `toml:"name,omitempty"`
	Action string `toml:"action,omitempty"` // RuleRead or RuleEnter
	Expect string `toml:"expect,omitempty"` // RulePermit or RuleForbid

	Organisation        OrgID       `toml:"organisation,omitempty"`
	Kind                string      `toml:"kind,omitempty"`
	Hats                []string    `toml:"hats,omitempty"`
	Sectors             []string    `toml:"sectors,omitempty"`
	Jurisdictions       []string    `toml:"jurisdictions,omitempty"`
	Regions             []string    `toml:"regions,omitempty"`
	Products            []string    `toml:"products,omitempty"`
	CompelledDisclosure bool        `toml:"compelled_disclosure,omitempty"`
	Client              bool        `toml:"client,omitempty"`
	Cohort              CohortID    `toml:"cohort,omitempty"` // of the reader; for enter, the one to enter
	Groups              []GroupID   `toml:"groups,omitempty"`
	Programs            []ProgramID `toml:"programs,omitempty"` // of which it is an active member under the agreement in force

	Hat     string  `toml:"hat,omitempty"`
	Purpose string  `toml:"purpose,omitempty"`
	Channel Channel `toml:"channel,omitempty"`

	Class       ContentClass `toml:"class,omitempty"`
	TLP         string       `toml:"tlp,omitempty"`
	PAP         string       `toml:"pap,omitempty"`
	Originators []OrgID      `toml:"originators,omitempty"`
}

// The actions that policies are about, and what a test expects.
const (
	RuleRead   = "read"  // a member reads an item
	RuleEnter  = "enter" // a member enters a cohort
	RulePermit = "permit"
	RuleForbid = "forbid"
)

// Limits of a charter's policies.
const (
	MaxPolicyBytes = 256 << 10
	maxPolicyTests = 500
)

// Resharing says how long originators have to answer who asks to pass something
// on, and for how long at most they permit it. Zero values: 72 hours, 90 days.
type Resharing struct {
	AnswerWithin time.Duration
	MaxDays      int
}

// Within is how long originators have to answer.
func (r Resharing) Within() time.Duration { return cmp.Or(r.AnswerWithin, 72*time.Hour) }

// Longest is for how long something is permitted at most.
func (r Resharing) Longest() time.Duration {
	return time.Duration(cmp.Or(r.MaxDays, 90)) * 24 * time.Hour
}

// SharingGroup is a named list of organisations.
type SharingGroup struct {
	ID            GroupID `toml:"id,omitempty"`
	Title         string  `toml:"title,omitempty"`
	Organisations []OrgID `toml:"organisations,omitempty"`
}

// GroupsOf lists the groups that name the organisation.
func (c Charter) GroupsOf(org OrgID) (out []GroupID) {
	for _, g := range c.Groups {
		if slices.Contains(g.Organisations, org) {
			out = append(out, g.ID)
		}
	}
	return out
}

// AllInformationTypes lists the seven types of information of Goodwin and
// Nicholas, "A framework for cybersecurity information sharing and risk
// reduction" (2015).
var AllInformationTypes = []string{
	"incident", "threat", "vulnerability", "mitigation",
	"situational-awareness", "best-practice", "strategic-analysis",
}

// Obligation is a duty from the agreement, as data (MAPP-05). The exchange
// enforces publish-not-before; the others are stated to members and to those
// who judge a breach.
type Obligation string

// The obligations.
const (
	PublishNotBefore Obligation = "publish-not-before" // nothing live or public before T0
	NoVerbatimReuse  Obligation = "no-verbatim-reuse"
	InHouseOnly      Obligation = "in-house-only"
	NamingConsent    Obligation = "naming-consent"
	FeedbackDuty     Obligation = "feedback-duty"
	NoOffensiveUse   Obligation = "no-offensive-use"
	DeletionOnExit   Obligation = "deletion-on-exit"
)

// AllObligations lists every obligation.
var AllObligations = []Obligation{
	PublishNotBefore, NoVerbatimReuse, InHouseOnly, NamingConsent,
	FeedbackDuty, NoOffensiveUse, DeletionOnExit,
}

// Agreement is what a member's signatory accepts. Without an acceptance of the
// current version a member has no access.
type Agreement struct {
	Version     int
	Title       string
	Effective   Date
	Obligations []Obligation
	Text        string // Markdown
}

// Required is the version that a member must have accepted at now: the current
// one from its effective date on, until then the one before it. A program's
// first agreement is required at once.
func (c Charter) Required(now time.Time) int {
	a := c.Agreement
	if a.Version > 1 && !a.Effective.IsZero() && now.Before(c.Calendar.StartOfDay(a.Effective)) {
		return a.Version - 1
	}
	return a.Version
}

// Has reports whether the agreement carries the obligation.
func (a Agreement) Has(o Obligation) bool { return slices.Contains(a.Obligations, o) }

// How members with a compelled-disclosure duty receive the classes that are
// not denied to them.
const (
	OthersAsCohort  = "as-cohort"  // when their cohort does
	OthersAtRelease = "at-release" // not before T0
)

// CompelledDisclosure says what is withheld from members in a jurisdiction
// whose law makes them report vulnerabilities to the state. It states a legal
// environment, not an accusation (MAPP-04).
type CompelledDisclosure struct {
	Deny   []ContentClass
	Others string // OthersAsCohort or OthersAtRelease
}

// Denies reports whether members under the duty never receive the class.
func (d CompelledDisclosure) Denies(c ContentClass) bool { return slices.Contains(d.Deny, c) }

// Approvals says how many different people approve a release.
type Approvals struct {
	Default   int            // at least 1
	TwoPerson []ContentClass // classes that need two; always poc and repro-steps
}

// Needed is the number of different people who approve a release that holds
// these classes.
func (a Approvals) Needed(classes []ContentClass) int {
	n := max(1, a.Default)
	for _, c := range classes {
		if c.NeedsTwoApprovals() || slices.Contains(a.TwoPerson, c) {
			n = max(n, 2)
		}
	}
	return n
}

// What members see of each other.
const (
	SeeNothing = "nothing"
	SeeCounts  = "counts"
	SeeNames   = "names"
)

// DefaultFloor is the count floor of a charter that names none.
const DefaultFloor = 5

// Visibility says what members see of the other members. A count of members
// below Floor is shown to them as "fewer than".
type Visibility struct {
	MembersSee string
	Floor      int // at least 1
}

// ReadOnlyAt reports whether the program has passed its sunset: what was
// shared stays readable, nothing new is taken. The sunset day itself is still
// open, to its end in the program's zone.
func (c Charter) ReadOnlyAt(now time.Time) bool {
	return !c.Sunset.IsZero() && !now.Before(c.Calendar.StartOfDay(c.Sunset.Add(1)))
}

// Contributions says who writes into the program's collection object by
// object, and who reads what was written. The zero value: nobody does. What is
// handed in by the owner as a release follows its plan and is not meant here.
type Contributions struct {
	From []CohortID // cohorts whose members write
	To   []CohortID // cohorts whose members read what was written, from that moment on
}

// MayWrite reports whether members of the cohort write into the collection.
func (c Charter) MayWrite(cohort CohortID) bool {
	return cohort != "" && slices.Contains(c.Contributions.From, cohort)
}

// MayRead reports whether members of the cohort are ever given anything: by a
// rule of the plan, or what others contribute. Where only From names a cohort,
// its members have a drop box.
func (c Charter) MayRead(cohort CohortID) bool {
	return cohort != "" && (!slices.Contains(c.Contributions.From, cohort) || slices.Contains(c.Contributions.To, cohort) ||
		slices.ContainsFunc(c.Rules, func(r PlanRule) bool { return r.Cohort == cohort }))
}
