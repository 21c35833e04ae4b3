package exchange

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Role is what a person may do. A person has the union of their roles.
type Role string

// The roles of this version.
const (
	RoleAdmin     Role = "admin"     // organisations, people, tokens of the exchange; no content
	RoleOperator  Role = "operator"  // runs the programs that the person's organisation owns
	RoleApprover  Role = "approver"  // approves releases of those programs
	RoleSignatory Role = "signatory" // accepts agreements for the organisation
	RoleAnalyst   Role = "analyst"   // reads and gives feedback
	RoleAuditor   Role = "auditor"   // reads events and exposure, no content
)

// AllRoles lists every role.
var AllRoles = []Role{RoleAdmin, RoleOperator, RoleApprover, RoleSignatory, RoleAnalyst, RoleAuditor}

// Organisation is a legal entity that takes part. Its attributes decide, by
// rule, to which cohort of a program it belongs.
type Organisation struct {
	ID            OrgID
	Name          string
	Kind          string   // kind of actor, such as security-vendor, operator, cert, government, researcher, originator
	Hats          []string // such as csirt, regulator, defender (WP-A1)
	Sectors       []string
	Jurisdictions []string // ISO 3166-1 alpha-2, upper case
	Regions       []string
	Products      []string // what it can protect with; empty means that it makes no protections
	Customers     int64    // weight in coverage measures; 0 counts as 1
	ClientOf      OrgID    // the member that serves this organisation, when it reads as that member's client
	CreatedAt     time.Time
	SuspendedAt   time.Time // zero: active
	SuspendReason string
	Revision      int64
}

// Weight is the organisation's weight w_m in the measures (requirements §7).
func (o Organisation) Weight() int64 { return max(1, o.Customers) }

// Capable reports whether the organisation can build protections at all.
func (o Organisation) Capable() bool { return len(o.Products) > 0 }

// CheckActing lists what is wrong with a hat and a purpose in which somebody of
// the organisation wants to act; empty is right for both.
func (o Organisation) CheckActing(hat, purpose string) (problems []Problem) {
	if hat != "" && !slices.Contains(o.Hats, hat) {
		problems = append(problems, Problem{Path: "hat", Message: "not one of the organisation's hats"})
	}
	if purpose != "" && !ValidSlug(purpose) {
		problems = append(problems, Problem{Path: "purpose", Message: "not a short name: 1 to 63 lower-case letters, digits and inner hyphens"})
	}
	return problems
}

// Jurisdiction is one line of the register that the operator keeps: a fact of
// law with its source, not a judgement of those who live under it (MAPP-04).
type Jurisdiction struct {
	Code      string // ISO 3166-1 alpha-2
	Compelled bool   // firms there must report vulnerabilities to the state
	Within    string // for instance "48h", as the source says
	Source    string // the instrument
	ValidFrom time.Time
}

// Compelled returns the first of the organisation's jurisdictions with a duty
// in force at now, and whether there is one.
func Compelled(o Organisation, register []Jurisdiction, now time.Time) (Jurisdiction, bool) {
	for _, j := range register {
		if j.Compelled && !j.ValidFrom.After(now) && slices.Contains(o.Jurisdictions, j.Code) {
			return j, true
		}
	}
	return Jurisdiction{}, false
}

// Person is a human who signs in.
type Person struct {
	ID          PersonID
	Org         OrgID
	Login       string // unique, such as "m.ruiz@example-psirt"
	Name        string
	Email       string
	Roles       []Role
	TimeZone    string // IANA name; empty: UTC
	CreatedAt   time.Time
	SuspendedAt time.Time
	Revision    int64
}

// Has reports whether the person holds the role.
func (p Person) Has(r Role) bool { return slices.Contains(p.Roles, r) }

// Verb is what a machine token may be used for.
type Verb string

// The verbs of token scopes.
const (
	VerbRead     Verb = "read"     // feeds, objects, artifacts
	VerbFeedback Verb = "feedback" // protections, sightings, questions
	VerbSubmit   Verb = "submit"   // hand in artifacts
	VerbOperate  Verb = "operate"  // everything its person may do
)

// AllVerbs lists every verb.
var AllVerbs = []Verb{VerbRead, VerbFeedback, VerbSubmit, VerbOperate}

// Token is a machine credential: fw_<12 characters>_<52 characters>. The part
// before the secret names it (Prefix); of the secret only a SHA-256 is kept.
type Token struct {
	ID        TokenID // the public prefix, such as fw_c3v5kq2x7mzt
	Person    PersonID
	Org       OrgID
	Name      string
	Verbs     []Verb
	Program   ProgramID // empty: every program
	Ceiling   TLP       // nothing above this label is given to it
	Machine   bool      // a service account: no named individual reads with it
	Hat       string    // in which it acts; empty: in all of the organisation's
	Purpose   string    // for which it reads; empty: none was named
	CreatedAt time.Time
	ExpiresAt time.Time
	RevokedAt time.Time
	LastUsed  time.Time
}

// MemberState is where an organisation stands in one program (CON-T1; the
// states before active come with application and vetting).
type MemberState string

// The states.
const (
	MemberActive    MemberState = "active"
	MemberSuspended MemberState = "suspended"
	MemberLeft      MemberState = "left"
)

// Member is an organisation's membership in one program.
type Member struct {
	Program    ProgramID
	Org        OrgID
	State      MemberState
	JoinedAt   time.Time
	Audience   Audience // computed from the charter's rules; the zero value: no cohort matches
	Since      time.Time
	Reason     string
	Accepted   int // newest agreement version accepted; 0: none
	AcceptedAt time.Time
	Hidden     bool // other members do not learn that it takes part
}

// Acceptance is the signature of one agreement version for an organisation.
type Acceptance struct {
	Program ProgramID
	Org     OrgID
	Version int
	Person  PersonID
	At      time.Time
}

// Fewest is the smallest number of other members that members are told.
func (v Visibility) Fewest() int { return cmp.Or(v.Floor, DefaultFloor) }

// Count is how members are told that n others have or did something; empty: not
// at all. A small number would name them.
func (v Visibility) Count(n int) string {
	switch {
	case v.MembersSee == SeeNothing:
		return ""
	case n < v.Fewest() && v.MembersSee != SeeNames:
		return fmt.Sprintf("fewer than %d", v.Fewest())
	}
	return strconv.Itoa(n)
}
