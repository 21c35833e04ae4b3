// Package policy is the one decision of the exchange: facts in, verdict and
// reasons out. It reads no clock and performs no I/O, so the same facts at the
// same instant give the same answer on every channel.
//
// The order of the steps and the table by TLP label are published in
// docs/guide/decision.md; what fails first decides, and a denial always wins
// over a permission.
package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Verdict is the outcome of a decision.
type Verdict uint8

// The verdicts.
const (
	Deny          Verdict = iota // not for this recipient
	Allow                        // give it
	NotYet                       // its moment for this recipient has not come
	NeedsConsent                 // the current agreement has not been accepted
	Hold                         // a steward must look first
	AllowRedacted                // give it without the parts that Decision.Fields names
)

var verdictNames = [...]string{"DENY", "ALLOW", "NOT_YET", "NEEDS_CONSENT", "HOLD", "ALLOW_REDACTED"}

func (v Verdict) String() string { return verdictNames[v] }

// Recipient is what is known of who asks.
type Recipient struct {
	Anonymous     bool // nobody signed in: the public
	Org           exchange.OrgID
	Person        exchange.PersonID // empty for a machine
	Suspended     bool              // the person, credential, organisation or membership
	Owner         bool              // operator or approver of the organisation that owns the program
	Member        bool
	Client        bool           // reads as the client of a member
	Provider      exchange.OrgID // that member
	Audience      exchange.Audience
	Accepted      int                     // newest agreement version accepted
	Jurisdictions []string                // a client's and its provider's
	DeniedClasses []exchange.ContentClass // never given, by the charter's rule on compelled disclosure
	Program       exchange.ProgramID      // the one program of the credential; empty: all
	Ceiling       exchange.TLP            // of the credential
	MayRead       bool                    // the credential's verbs cover reading
	Channel       exchange.Channel
	Attributes    exchange.Attributes  // of the organisation, as cohort rules read them
	Groups        []exchange.GroupID   // of the charter that name the organisation
	Hat           string               // in which it acts; empty: in all of Attributes.Hats
	Purpose       string               // for which it reads, as the session or token says
	Programs      []exchange.ProgramID // active memberships under the agreement in force, sorted
	Rules         Rules                // of the program; nil: none
}

// Item is what is known of what is asked for.
type Item struct {
	Program    exchange.ProgramID
	State      exchange.ReleaseState
	Class      exchange.ContentClass
	Handling   exchange.Handling // of the artifact, its TLP joined with the markings of the object
	Held       bool              // a marking could not be resolved
	Removed    bool              // taken out of the release
	Required   int               // agreement version that the program requires
	OpenedAt   time.Time         // when a wave gave it to the recipient's audience; zero: not yet
	OpensAt    time.Time         // when it is planned to; zero: never
	PublicAt   time.Time         // when it was given to the public; zero: not yet, or never
	ReleasedAt time.Time         // when its release became public (T0); zero: not yet

	Fields       []exchange.FieldHandling // granular markings
	Recalled     bool
	Originators  []exchange.OrgID // whose consent governs it
	GrantedAt    time.Time        // when its originators gave it to the recipient by name; zero: not
	GrantedUntil time.Time        // zero: without end
}

// Step is one line of an explanation.
type Step struct {
	Rule string // short name, such as "time"
	Pass bool
	Text string
}

// Decision is the answer. Until is the next instant at which it can change by
// the clock alone; zero: never.
type Decision struct {
	Verdict     Verdict
	Code        string // E_SUSPENDED …, for the operator's eyes only
	At          time.Time
	Until       time.Time
	TLP         exchange.TLP // the effective label, which is what the recipient is shown
	Steps       []Step
	Obligations []string
	Fields      []string // of ALLOW_REDACTED: selectors of the parts that are withheld, sorted
}

// Allowed reports whether the item may be given, as a whole or in part.
func (d Decision) Allowed() bool { return d.Verdict == Allow || d.Verdict == AllowRedacted }

// Entire reports whether the item may be given as it is.
func (d Decision) Entire() bool { return d.Verdict == Allow }

// Permit is the only key to content. It can be made by nothing but a decision
// that allows.
type Permit struct{ artifact int64 }

// Permit returns the key to the artifact's content, if the decision allows it.
func (d Decision) Permit(artifact int64) (Permit, bool) {
	return Permit{artifact}, d.Allowed()
}

// Opens reports whether the permit is for this artifact.
func (p Permit) Opens(artifact int64) bool { return p.artifact != 0 && p.artifact == artifact }

// EffectiveTLP is the label that holds at now: what will be CLEAR or GREEN is
// AMBER until it is public (formats §3.7).
func EffectiveTLP(i Item, now time.Time) exchange.TLP {
	if i.ReleasedAt.IsZero() || i.ReleasedAt.After(now) {
		return max(i.Handling.TLP, exchange.TLPAmber)
	}
	return i.Handling.TLP
}

// Decide answers whether recipient r may be given item i at now.
func Decide(r Recipient, i Item, now time.Time) Decision { return decide(r, i, now, false) }

// Explain is Decide with every step and obligation spelled out.
func Explain(r Recipient, i Item, now time.Time) Decision { return decide(r, i, now, true) }

// Whole is the decision on an artifact of which the objects carry the markings:
// on the artifact, and whether its bytes may be given as they are. decide is
// Decide or Explain. Those who run the program are given it whole: the objects
// that are held wait for them.
func Whole(decide func(Recipient, Item, time.Time) Decision, r Recipient, i Item, marks []exchange.HandlingClass, now time.Time) (Decision, bool) {
	d := decide(r, i, now)
	if r.Owner {
		return d, true
	}
	parts := make([]Decision, len(marks))
	for n, h := range marks {
		parts[n] = Decide(r, i.Under(h), now)
	}
	return Container(d, parts...)
}

// Under is the item under the markings of some of its objects.
func (i Item) Under(h exchange.HandlingClass) Item {
	tlp := max(i.Handling.TLP, h.TLP)
	i.Held, i.Handling, i.Fields = h.Held, i.Handling.Join(h.Handling), h.Fields
	i.Handling.TLP = max(i.Handling.TLP, tlp)
	return i
}

// ItemOf is what a release says of its artifact. When it was given, and to
// whom, is for the caller to add.
func ItemOf(r exchange.Release, a exchange.Artifact, required int) Item {
	return Item{
		Program: r.Program, State: r.State, Class: a.Class, Handling: a.Handling, Removed: !a.RemovedAt.IsZero(),
		Recalled: !a.RecalledAt.IsZero(), Originators: a.Owners(),
		Required: required, ReleasedAt: r.PublicAt,
	}
}

// MemberOf is what a membership says of a recipient that may read. provider is
// the organisation that o is a client of; the zero value: it is none. Person,
// credential and channel are for the caller to add.
func MemberOf(c exchange.Charter, m exchange.Member, o, provider exchange.Organisation) Recipient {
	r := Recipient{
		Org: o.ID, Member: m.State == exchange.MemberActive,
		Suspended: m.State == exchange.MemberSuspended || !o.SuspendedAt.IsZero(),
		Client:    o.ClientOf != "", Provider: provider.ID, Audience: m.Audience, Accepted: m.Accepted,
		Jurisdictions: slices.Concat(o.Jurisdictions, provider.Jurisdictions), MayRead: true,
		Attributes: attributesOf(m, o), Groups: c.GroupsOf(o.ID), Rules: RulesOf(c).For(),
	}
	if m.Audience.Compelled {
		r.DeniedClasses = c.CompelledDisclosure.Deny
	}
	return r
}

// Container is the decision on what holds parts under markings of their own, such as
// a bundle: d, the decision under its own handling, unless no part may be had,
// in which case nothing useful is left of it. whole reports whether every part
// may be had, so that its bytes may be given as they are.
func Container(d Decision, parts ...Decision) (joint Decision, whole bool) {
	may, entire := 0, 0
	for _, p := range parts {
		if p.Allowed() {
			may++
		}
		if p.Entire() {
			entire++
		}
		if !p.Until.IsZero() && (d.Until.IsZero() || p.Until.Before(d.Until)) {
			d.Until = p.Until
		}
	}
	if d.Allowed() && may == 0 && len(parts) > 0 {
		d.Verdict, d.Code, d.Obligations = Deny, "E_EMPTY", nil
		if d.Steps != nil {
			d.Steps = append(d.Steps, Step{Rule: "parts", Text: "every object in it is withheld"})
		}
	}
	return d, d.Entire() && entire == len(parts)
}

type trial struct {
	r       Recipient
	i       Item
	now     time.Time
	d       Decision
	explain bool
}

// check is one step: it returns "" to pass, else the code of the refusal.
type check struct {
	rule string
	run  func(*trial) (code, text string, v Verdict)
}

// order is the published order of the steps. Fixed steps stand in code and
// cannot be loosened by a charter.
var order = [...]check{
	{"marking", (*trial).marking},
	{"active", (*trial).active},
	{"credential", (*trial).credential},
	{"exclusion", (*trial).exclusion},
	{"public", (*trial).public},
	{"owner", (*trial).owner},
	{"membership", (*trial).membership},
	{"agreement", (*trial).agreement},
	{"time", (*trial).time},
	{"audience", (*trial).audience},
	{"channel", (*trial).channel},
}

const settled = "settled" // a step that ends the trial with ALLOW

func decide(r Recipient, i Item, now time.Time, explain bool) Decision {
	t := trial{r: r, i: i, now: now, explain: explain}
	t.d.At, t.d.TLP = now, EffectiveTLP(i, now)
	t.until(i.Handling.Expires)
	t.until(i.OpenedAt)
	t.until(i.OpensAt)
	t.until(i.PublicAt)
	t.until(i.ReleasedAt)
	for _, c := range order {
		code, text, v := c.run(&t)
		if explain {
			t.d.Steps = append(t.d.Steps, Step{Rule: c.rule, Pass: code == "" || code == settled, Text: text})
		}
		if code == settled {
			break
		}
		if code != "" {
			t.d.Verdict, t.d.Code = v, code
			return t.d
		}
	}
	t.d.Verdict = Allow
	if explain {
		t.d.Obligations = obligations(t.d.TLP, i)
	}
	return t.d
}

func (t *trial) until(at time.Time) {
	if at.After(t.now) && (t.d.Until.IsZero() || at.Before(t.d.Until)) {
		t.d.Until = at
	}
}

func (t *trial) say(format string, args ...any) string {
	if !t.explain {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

func (t *trial) marking() (string, string, Verdict) {
	if t.i.Held {
		return "E_MARKING", "a marking of the object could not be resolved; a steward must look", Hold
	}
	if t.i.Handling.TLP == exchange.TLPUnset {
		return "E_MARKING", "the item carries no label", Hold
	}
	return "", "every marking is understood", Allow
}

func (t *trial) active() (string, string, Verdict) {
	switch {
	case !t.i.State.Readable():
		return "E_REVOKED", "the release was withdrawn", Deny
	case t.i.Removed:
		return "E_REVOKED", "the artifact was taken out of the release", Deny
	case !t.i.Handling.Expires.IsZero() && !t.now.Before(t.i.Handling.Expires):
		return "E_EXPIRED", t.say("its handling expired at %s", t.i.Handling.Expires.UTC().Format(time.RFC3339)), Deny
	case t.r.Suspended:
		return "E_SUSPENDED", "the recipient is suspended", Deny
	}
	return "", "item and recipient are active", Allow
}

func (t *trial) credential() (string, string, Verdict) {
	switch {
	case t.r.Anonymous:
		return "", "no sign-in", Allow
	case !t.r.MayRead:
		return "E_SCOPE", "the token may not read", Deny
	case t.r.Program != "" && t.r.Program != t.i.Program:
		return "E_SCOPE", "the token is for another program", Deny
	case t.r.Ceiling != exchange.TLPUnset && t.d.TLP > t.r.Ceiling:
		return "E_CEILING", t.say("%s is above the token's ceiling %s", t.d.TLP, t.r.Ceiling), Deny
	}
	return "", "the credential covers it", Allow
}

func (t *trial) exclusion() (string, string, Verdict) {
	excluded, _ := t.i.Handling.Restricts(t.r.Org, t.r.Jurisdictions)
	if t.r.Client { // it has only what reaches it through its provider
		through, _ := t.i.Handling.Restricts(t.r.Provider, nil)
		excluded = excluded || through
	}
	if excluded {
		return "E_EXCLUDED", "the originator excludes this organisation, its jurisdiction or its provider", Deny
	}
	if slices.Contains(t.r.DeniedClasses, t.i.Class) {
		return "E_EXCLUDED", t.say("the charter never gives %s to members with a compelled-disclosure duty", t.i.Class), Deny
	}
	return "", "not excluded", Allow
}

// public settles what everyone may read, signed in or not.
func (t *trial) public() (string, string, Verdict) {
	open := !t.i.PublicAt.IsZero() && !t.i.PublicAt.After(t.now) && t.d.TLP == exchange.TLPClear
	switch {
	case t.r.Anonymous && open:
		return settled, "public and TLP:CLEAR", Allow
	case t.r.Anonymous:
		return "E_AUDIENCE", "not public", Deny
	}
	return "", "signed in", Allow
}

func (t *trial) owner() (string, string, Verdict) {
	if t.r.Owner {
		return settled, "runs the program, or handed the item in", Allow
	}
	return "", "not the owner's own", Allow
}

func (t *trial) membership() (string, string, Verdict) {
	if !t.r.Member {
		return "E_AUDIENCE", "not a member of the program", Deny
	}
	if t.r.Audience.Cohort == "" {
		return "E_AUDIENCE", "no cohort's rule matches the organisation", Deny
	}
	return "", t.say("member, cohort %s", t.r.Audience), Allow
}

func (t *trial) agreement() (string, string, Verdict) {
	if t.r.Accepted < t.i.Required {
		return "E_AGREEMENT", t.say("agreement version %d is required, version %d was accepted", t.i.Required, t.r.Accepted), NeedsConsent
	}
	return "", t.say("agreement version %d accepted", t.r.Accepted), Allow
}

func (t *trial) time() (string, string, Verdict) {
	if t.i.OpenedAt.IsZero() || t.i.OpenedAt.After(t.now) {
		if t.i.OpensAt.IsZero() {
			return "E_TIME", "no wave gives it to this cohort", NotYet
		}
		return "E_TIME", t.say("its wave for this cohort opens at %s", t.i.OpensAt.UTC().Format(time.RFC3339)), NotYet
	}
	return "", t.say("given to this cohort at %s", t.i.OpenedAt.UTC().Format(time.RFC3339)), Allow
}

func (t *trial) audience() (string, string, Verdict) {
	_, notListed := t.i.Handling.Restricts(t.r.Org, nil)
	switch {
	case notListed:
		return "E_AUDIENCE", "the originator names its recipients and this organisation is not among them", Deny
	case t.d.TLP == exchange.TLPRed && !slices.Contains(t.i.Handling.Persons, t.r.Person):
		return "E_AUDIENCE", "TLP:RED is for named persons only", Deny
	case t.r.Client && t.d.TLP >= exchange.TLPAmberStrict:
		return "E_AUDIENCE", t.say("%s stays inside the member's own organisation; this is a client of it", t.d.TLP), Deny
	}
	return "", t.say("%s permits this recipient", t.d.TLP), Allow
}

func (t *trial) channel() (string, string, Verdict) {
	if t.d.TLP == exchange.TLPRed && t.r.Channel != exchange.ChannelWeb {
		return "E_CHANNEL", "TLP:RED is read by the person, in the browser only", Deny
	}
	return "", t.say("%s permits the channel %s", t.d.TLP, t.r.Channel), Allow
}

// onward says what TLP 2.0 lets a recipient do next.
var onward = map[exchange.TLP]string{
	exchange.TLPClear:       "may be shared without limit",
	exchange.TLPGreen:       "may be shared with the community, not by public channels",
	exchange.TLPAmber:       "may be shared on need-to-know inside the organisation and with its clients",
	exchange.TLPAmberStrict: "may be shared on need-to-know inside the organisation only",
	exchange.TLPRed:         "is for the eyes and ears of the named recipients only",
}

var permitted = map[exchange.PAP]string{
	exchange.PAPClear: "may be used without restriction",
	exchange.PAPGreen: "active actions such as blocking are permitted",
	exchange.PAPAmber: "passive checks only; no contact with the infrastructure described",
	exchange.PAPRed:   "own logs only; nothing that could be noticed",
}

func obligations(tlp exchange.TLP, i Item) []string {
	out := []string{tlp.String() + ": " + onward[tlp]}
	if p := i.Handling.PAP; p != exchange.PAPUnset {
		out = append(out, p.String()+": "+permitted[p])
	}
	if i.Handling.Statement != "" {
		out = append(out, i.Handling.Statement)
	}
	return out
}

// Obligations returns the texts that are shown with an item that was given.
func Obligations(i Item, now time.Time) []string { return obligations(EffectiveTLP(i, now), i) }
