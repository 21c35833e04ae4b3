package record

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Disclosures are the acts that gave something to somebody. Their subjects are the
// artifacts of which something was given.
func Disclosures() []exchange.EventKind {
	return []exchange.EventKind{
		exchange.EventPageServed, exchange.EventObjectServed, exchange.EventArtifactDownloaded,
		exchange.EventArtifactOpened, exchange.EventReleaseOpened,
	}
}

// facts are the members of an event that its parties are shown in lists.
type facts struct {
	ActorOrg exchange.OrgID   `json:"actor_org"`
	Channel  exchange.Channel `json:"channel"`
	Subject  []string         `json:"subject"`
}

func factsOf(r Recorded) (f facts, err error) {
	if r.erased() {
		return facts{}, nil
	}
	if err := json.Unmarshal(r.Body, &f); err != nil {
		return f, fmt.Errorf("reading event %d: %w", r.Seq, err)
	}
	return f, nil
}

// erased reports whether the opening was taken away.
func (r Recorded) erased() bool { return len(r.Body) == 0 }

// share is what of an event somebody is shown: all of it, or, as an originator, what
// concerns their own artifacts. The zero value is nothing.
type share struct {
	whole bool
	own   []int // the subjects that are shown, by their place
	named bool  // and who it was given to
	login bool  // and the name of the person or token that acted, beside its identifier
	facts facts
}

func (s share) some() bool { return s.whole || len(s.own) > 0 }

// reads is what may be shown of the ledger to the actor at all.
func reads(a exchange.Actor) bool {
	return !a.Anonymous() && a.May(exchange.VerbRead) && !a.Capped()
}

// shows decides what the viewer is shown of an event.
func (v *viewer) shows(r Recorded) (share, error) {
	f, err := factsOf(r)
	if err != nil {
		return share{}, err
	}
	if v.actor.Program != "" && r.Program != v.actor.Program {
		return share{}, nil
	}
	out := share{facts: f}
	if out.whole, err = v.wholly(r, f); err != nil {
		return out, err
	}
	if out.whole { // the names of people are for their own, and for who runs the program
		out.login = v.actor.Administers() || f.ActorOrg == v.actor.Org
		if !out.login && r.Program != "" {
			out.login, err = v.oversees(r.Program)
		}
		return out, err
	}
	err = v.originates(r, &out)
	return out, err
}

// wholly reports whether the event is opened whole: to who oversees the program, and
// to the organisation that acted and the one concerned; outside programs to who
// administers, to the person concerned, and to their organisation's auditors and
// signatories.
func (v *viewer) wholly(r Recorded, f facts) (bool, error) {
	if v.actor.Channel == exchange.ChannelSystem {
		return true, nil
	}
	for _, org := range []exchange.OrgID{r.Org, f.ActorOrg} {
		e := r.Entry
		e.Org = org
		if ok, err := v.sees(e); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// originates adds what an originator is shown of a disclosure: that something of its
// own was given, and when, and to whom as far as it is told who has its artifacts.
func (v *viewer) originates(r Recorded, out *share) error {
	if v.actor.Org == "" || r.Program == "" || len(out.facts.Subject) == 0 || !slices.Contains(Disclosures(), r.Kind) {
		return nil
	}
	if ok, err := v.member(r.Program); !ok || err != nil {
		return err
	}
	owners, err := v.tx.OwnersOf(out.facts.Subject)
	if err != nil {
		return err
	}
	for i, id := range out.facts.Subject {
		if slices.Contains(owners[id], v.actor.Org) {
			out.own = append(out.own, i)
		}
	}
	if len(out.own) == 0 {
		return nil
	}
	hidden, err := v.tx.HiddenMembers(r.Program)
	out.named = err == nil && !hidden[r.Org] && !hidden[out.facts.ActorOrg]
	return err
}

// member reports whether the actor's organisation takes part in the program, which
// is not its own: who owns it sees as overseer or not at all.
func (v *viewer) member(p exchange.ProgramID) (bool, error) {
	if is, ok := v.members[p]; ok {
		return is, nil
	}
	c, err := v.charter(p)
	if err != nil || c.Owner == "" || c.Owner == v.actor.Org {
		v.members[p] = false
		return false, err
	}
	m, err := v.tx.Member(p, v.actor.Org)
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return false, err
	}
	is := err == nil && m.State == exchange.MemberActive && m.Audience.Cohort != "" && m.Accepted >= c.Required(v.now)
	v.members[p] = is
	return is, nil
}

// partsShown are the members of a disclosure that its originators are shown, beside
// their own subjects.
var partsShown = []string{
	"v", "at", "kind", "program", "release", "channel", "d_manifest", "d_objects_root", "d_charter", "d_charter_digest",
}

// opening opens the event as far as the share goes.
func (s share) opening(r Recorded) (o verify.Opening, err error) {
	if len(r.Kept) > 0 {
		return o, json.Unmarshal(r.Kept, &o)
	}
	if len(r.Salt) != verify.SaltSize {
		return verify.Opening{}, errNotCarried
	}
	whole := verify.Opening{Event: r.Body, Salt: [verify.SaltSize]byte(r.Salt)}
	if s.whole {
		return whole, nil
	}
	show := slices.Clone(partsShown)
	for _, i := range s.own {
		show = append(show, "subject["+strconv.Itoa(i)+"]")
	}
	if s.named {
		show = append(show, "org", "actor_org")
	}
	return whole.Show(func(name string) bool { return slices.Contains(show, name) })
}

// LedgerEntry is an entry of the ledger as one of its parties is shown it.
type LedgerEntry struct {
	Seq       int64
	Number    int64 // among the events of its program; 0 when it is not shown
	At        time.Time
	Kind      exchange.EventKind
	Words     string // the kind in plain words
	Program   exchange.ProgramID
	Release   exchange.ReleaseID
	Org       exchange.OrgID // the organisation concerned, else who acted; empty when it is not shown
	OrgName   string
	ActorOrg  exchange.OrgID
	Person    exchange.PersonID
	Token     exchange.TokenID
	ActorName string // login of the person, or name of the token; empty for who may not know it
	Channel   exchange.Channel
	Subjects  []string
	Whole     bool   // false: an originator is shown what concerns its own artifacts
	Erased    bool   // the opening was erased: there is no receipt any more
	Body      []byte // the whole event; nil when it is not shown
}

// entry is what the share shows of the event in a list.
func (s share) entry(r Recorded) LedgerEntry {
	e := LedgerEntry{
		Seq: r.Seq, At: r.At, Kind: r.Kind, Words: Words(r.Kind), Program: r.Program, Release: r.Release,
		Channel: s.facts.Channel, Whole: s.whole, Erased: r.erased(),
	}
	if s.whole || s.named {
		e.Org, e.OrgName, e.ActorOrg = r.Org, r.OrgName, s.facts.ActorOrg
	}
	if s.whole {
		e.Number, e.Person, e.Token, e.Subjects, e.Body = r.Number, r.Person, r.Token, s.facts.Subject, r.Body
		if s.login {
			e.ActorName = r.ActorName
		}
		if r.Person == exchange.System().Person {
			e.ActorName = exchange.System().Name
		}
		return e
	}
	for _, i := range s.own {
		e.Subjects = append(e.Subjects, s.facts.Subject[i])
	}
	return e
}

// matches reports whether the entry, as it is shown, is one that was asked for:
// nobody learns by a filter what they are not shown.
func (f EntryFilter) matches(e LedgerEntry) bool {
	return (f.Org == "" || e.Org == f.Org || e.ActorOrg == f.Org) && (f.Person == "" || e.Person == f.Person) &&
		(f.Subject == "" || slices.Contains(e.Subjects, f.Subject)) && (f.Release == "" || e.Release == f.Release)
}

func trimmed(s string) string { return strings.TrimSpace(s) }
