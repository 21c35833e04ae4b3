// Package policy is the one decision of the exchange: facts in, verdict and
// reasons out. It reads no clock and performs no I/O, so the same facts at the
// same instant give the same answer on every channel.
//
// The order of the steps and the table by TLP label are published in
// docs/guide/decision.md; what fails first decides, and a denial always wins
// over a permission.
package policy

import (
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
	House         bool              // of the organisation that owns the program
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
	Rules         Rules                // of the program's charter; nil: it has none
}

// Rules are what a program's charter adds to the fixed steps. They narrow and
// never widen: they are asked only where every step before theirs has passed.
// They see no clock: Attributes.Now is zero in every decision, so that what a
// rule says holds as long as the facts. They must not keep or change r and i,
// and may be asked by many at once.
type Rules interface {
	// Read reports whether r may read i, and by which rule.
	Read(r *Recipient, i *Item) (allowed bool, why string)
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

	// Whole says that it is an artifact as a whole: of what names its originator
	// inside it, its objects decide.
	Whole bool
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
	return effective(i.Handling.TLP, i.ReleasedAt, now)
}

func effective(own exchange.TLP, released, now time.Time) exchange.TLP {
	if released.IsZero() || released.After(now) {
		return max(own, exchange.TLPAmber)
	}
	return own
}

// Decide answers whether recipient r may be given item i at now.
func Decide(r Recipient, i Item, now time.Time) Decision { return decide(&r, &i, now, false) }

// Explain is Decide with every step and obligation spelled out.
func Explain(r Recipient, i Item, now time.Time) Decision { return decide(&r, &i, now, true) }

// Whole is the decision on an artifact of which the objects carry the markings:
// on the artifact, and whether its bytes may be given as they are. decide is
// Decide or Explain. Those who run the program are given it whole: the objects
// that are held wait for them.
func Whole(decide func(Recipient, Item, time.Time) Decision, r Recipient, i Item, marks []exchange.HandlingClass, now time.Time) (Decision, bool) {
	d := decide(r, i, now)
	if r.Owner {
		for _, h := range marks {
			d.TLP = max(d.TLP, effective(h.TLP, i.ReleasedAt, now))
		}
		return d, true
	}
	parts := make([]Decision, len(marks))
	for n, h := range marks {
		parts[n] = Decide(r, i.Under(h), now)
	}
	return Container(d, parts...)
}

// Under is one of the item's objects, which bears these markings, or none: what
// is asked of the object is the join of both, since the class does not repeat
// what the artifact asks. An object is never given as a whole artifact is.
func (i Item) Under(h exchange.HandlingClass) Item {
	tlp := max(i.Handling.TLP, h.TLP)
	i.Held, i.Handling, i.Fields = h.Held, i.Handling.Join(h.Handling), h.Fields
	i.Handling.TLP = max(i.Handling.TLP, tlp)
	i.Whole = false
	return i
}

// ItemOf is what a release says of its artifact. When it was given, and to
// whom, is for the caller to add.
func ItemOf(r exchange.Release, a exchange.Artifact, required int) Item {
	return Item{
		Program: r.Program, State: r.State, Class: a.Class, Handling: a.Handling, Removed: !a.RemovedAt.IsZero(),
		Recalled: !a.RecalledAt.IsZero(), Originators: a.Owners(),
		Required: required, ReleasedAt: r.PublicAt, Whole: true,
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
		Groups: c.GroupsOf(o.ID), House: o.ID != "" && o.ID == c.Owner, Rules: RulesOf(c).For(),
	}
	r.Attributes = exchange.Attributes{
		Organisation: o.ID, Kind: o.Kind, Hats: o.Hats, Sectors: o.Sectors, Jurisdictions: r.Jurisdictions,
		Regions: o.Regions, Products: o.Products, CompelledDisclosure: m.Audience.Compelled, JoinedAt: m.JoinedAt,
	}
	if m.Audience.Compelled {
		r.DeniedClasses = c.CompelledDisclosure.Deny
	}
	return r
}

// Container is the decision on what holds parts under markings of their own, such as
// a bundle: d, the decision under its own handling, unless no part may be had,
// in which case nothing useful is left of it. whole reports whether every part
// may be had, so that its bytes may be given as they are. Its label is the join
// of those that are seen.
func Container(d Decision, parts ...Decision) (joint Decision, whole bool) {
	may, entire, label := 0, 0, d.TLP
	for _, p := range parts {
		if p.Allowed() {
			may++
			label = max(label, p.TLP)
		}
		if p.Entire() {
			entire++
		}
		if !p.Until.IsZero() && (d.Until.IsZero() || p.Until.Before(d.Until)) {
			d.Until = p.Until
		}
	}
	if d.Allowed() {
		d.TLP = label
	}
	if d.Allowed() && may == 0 && len(parts) > 0 {
		d.Verdict, d.Code, d.Obligations = Deny, "E_EMPTY", nil
		if d.Steps != nil {
			d.Steps = append(d.Steps, Step{Rule: "parts", Text: "every object in it is withheld"})
		}
	}
	return d, d.Entire() && entire == len(parts)
}
