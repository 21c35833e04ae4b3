package exchange

import "slices"

// Channel is the way by which something is asked for or given. The same
// decision holds on each, but TLP forbids some labels on some channels.
type Channel string

// The channels.
const (
	ChannelWeb    Channel = "web"
	ChannelAPI    Channel = "api"
	ChannelTAXII  Channel = "taxii"
	ChannelPublic Channel = "public" // no sign-in
	ChannelSystem Channel = "system" // the scheduler and the command line on the host
)

// Actor is who is calling, as authn established it.
type Actor struct {
	Person  PersonID
	Token   TokenID // empty for a browser session
	Org     OrgID
	Name    string // login of the person or name of the token, for the reader's own pages
	Roles   []Role
	Verbs   []Verb    // empty for a session: no limit beyond the roles
	Program ProgramID // the one program of a token; empty: every program
	Ceiling TLP       // TLPUnset: no ceiling
	Channel Channel
	Machine bool // a service account: no named individual reads
	Zone    string
	Hat     string // in which the actor acts, of the organisation's hats; empty: in all of them
	Purpose string // for which the actor reads, as the session or the token says; empty: none was named
}

// System is the actor of acts that no person starts, such as a wave that opens
// on the clock.
func System() Actor { return Actor{Person: "system", Name: "scheduler", Channel: ChannelSystem} }

// Public is the actor of everyone without sign-in.
func Public() Actor { return Actor{Channel: ChannelPublic} }

// Anonymous reports whether nobody signed in.
func (a Actor) Anonymous() bool { return a.Person == "" && a.Token == "" }

// Is reports whether the actor holds the role.
func (a Actor) Is(r Role) bool { return slices.Contains(a.Roles, r) }

// May reports whether the actor's credential covers the verb. A session covers
// all; what the person may do is a matter of roles.
func (a Actor) May(v Verb) bool {
	return len(a.Verbs) == 0 || slices.Contains(a.Verbs, v) || slices.Contains(a.Verbs, VerbOperate)
}

// Reaches reports whether the actor's credential holds in the program: a token
// may be for one alone.
func (a Actor) Reaches(p ProgramID) bool { return a.Program == "" || a.Program == p }

// Client names the credential in events: the token, else the person.
func (a Actor) Client() string {
	if a.Token != "" {
		return string(a.Token)
	}
	return string(a.Person)
}

// Operates reports whether the actor runs programs owned by owner.
func (a Actor) Operates(owner OrgID) bool {
	return a.Channel == ChannelSystem || a.Org == owner && a.Is(RoleOperator) && a.May(VerbOperate) && !a.Capped()
}

// Capped reports whether the credential is kept below some label. Plans name
// what they hold, so such a credential does not run programs.
func (a Actor) Capped() bool { return a.Ceiling != TLPUnset && a.Ceiling < TLPRed }

// Approves reports whether the actor may approve releases of owner's programs.
func (a Actor) Approves(owner OrgID) bool {
	return a.Org == owner && a.Is(RoleApprover) && a.May(VerbOperate) && !a.Capped()
}

// Oversees reports whether the actor may read the operator's view of owner's
// programs: plans, members, exposure. Content is not part of it for auditors.
func (a Actor) Oversees(owner OrgID) bool {
	return a.Channel == ChannelSystem ||
		a.Org == owner && a.May(VerbOperate) && !a.Capped() && (a.Is(RoleOperator) || a.Is(RoleApprover) || a.Is(RoleAuditor))
}

// Reviews reports whether the actor reads the operator's view without content:
// an auditor who neither operates nor approves.
func (a Actor) Reviews(owner OrgID) bool {
	return a.Oversees(owner) && !a.Operates(owner) && !a.Approves(owner)
}

// Runs reports whether the actor takes part in running programs at all. Who
// does not is never asked about one: the way to "not found" is then the same
// for what is withheld and for what does not exist.
func (a Actor) Runs() bool {
	return a.Channel == ChannelSystem || a.Is(RoleOperator) || a.Is(RoleApprover) || a.Is(RoleAuditor)
}

// Administers reports whether the actor manages organisations and people.
func (a Actor) Administers() bool {
	return a.Channel == ChannelSystem || a.Is(RoleAdmin) && a.May(VerbOperate)
}
