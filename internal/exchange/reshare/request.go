package reshare

import (
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// ID names a request: rsh_ and random letters.
type ID string

// Kind is what is asked for.
type Kind string

// The kinds.
const (
	Reshare Kind = "reshare" // to pass the item on to others
	Loosen  Kind = "loosen"  // to put it under a looser handling
)

// State is where a request stands.
//
//	open → granted, conditional, refused, lapsed, withdrawn
//
// and what was granted may be revoked by an originator.
type State string

// The states.
const (
	Open        State = "open"
	Granted     State = "granted"     // every originator said yes
	Conditional State = "conditional" // every originator said yes, at least one with a condition
	Refused     State = "refused"     // one originator said no
	Lapsed      State = "lapsed"      // an originator did not answer in time: no
	Withdrawn   State = "withdrawn"   // by who asked
	Revoked     State = "revoked"     // by an originator, after it was granted
)

// Request is one question to those whose consent governs an item.
type Request struct {
	ID       ID
	Program  exchange.ProgramID
	Release  exchange.ReleaseID
	Artifact exchange.ArtifactID // of what is asked about, or in which the object stands
	Number   int64               // Artifact.Number; never shown
	Object   Object              // a STIX object; the zero value: the artifact as a whole
	Title    string              // of the artifact, as it was when it was asked
	TLP      exchange.TLP        // effective when it was asked

	Kind    Kind
	By      exchange.OrgID
	Person  exchange.PersonID
	To      []exchange.OrgID // as they are known in the exchange, sorted
	Outside []string         // whom the exchange does not know, in words
	Why     string
	Until   time.Time // end of the permission; zero for Loosen

	Before exchange.Handling // of the artifact when Loosen was asked for
	Wanted exchange.Handling // by Loosen

	AskedAt   time.Time
	AnswerBy  time.Time
	DecidedAt time.Time // when it was granted, refused, lapsed or withdrawn
	RevokedAt time.Time
	State     State

	Owners  []exchange.OrgID // whose consent it takes, sorted
	Unnamed bool             // the owners are not named to who asks, nor to each other
	Answers []Answer         // at most one of each owner, by time

	Given []exchange.OrgID // who was given it through the exchange, sorted
	Told  []exchange.OrgID // of those, to whom that is known
	Copy  int64            // the artifact with a copy of the object that they were given; 0: none
}

// Object is the STIX object that a request is about.
type Object struct {
	ID      string
	Type    string
	Seq     int64
	Class   int64 // of its handling
	Offset  int64
	Length  int64
	Version int64
	Marks   exchange.HandlingClass // what its markings say

	Withheld []string // selectors of the parts that who asks did not have
}

// Answer is what one originator said.
type Answer struct {
	Org       exchange.OrgID
	Person    exchange.PersonID
	At        time.Time
	Yes       bool
	Condition string    // under which the yes holds
	Until     time.Time // an earlier end; zero: as asked
}

// At is the request as it stands at now: an open one whose time is over has
// lapsed, whether or not that was written down already.
func (r Request) At(now time.Time) Request {
	if r.State == Open && !now.Before(r.AnswerBy) {
		r.State, r.DecidedAt = Lapsed, r.AnswerBy
	}
	return r
}

// InForce reports whether the request is granted and its permission has not
// ended.
func (r Request) InForce(now time.Time) bool {
	return (r.State == Granted || r.State == Conditional) && (r.Kind == Loosen || now.Before(r.End()))
}

// End is when the permission ends: the earliest instant that anybody named.
func (r Request) End() time.Time {
	end := r.Until
	for _, a := range r.Answers {
		if a.Yes && !a.Until.IsZero() && a.Until.Before(end) {
			end = a.Until
		}
	}
	return end
}

// Conditions are those under which it was granted, in the order of the answers.
func (r Request) Conditions() []string {
	var out []string
	for _, a := range r.Answers {
		if a.Yes && a.Condition != "" && !slices.Contains(out, a.Condition) {
			out = append(out, a.Condition)
		}
	}
	return out
}

// answered reports whether the organisation has answered.
func (r Request) answered(org exchange.OrgID) bool {
	return slices.ContainsFunc(r.Answers, func(a Answer) bool { return a.Org == org })
}

// with is the request with one more answer: a no from any owner ends it, and a
// yes from every owner grants it.
func (r Request) with(a Answer) Request {
	r.Answers = append(slices.Clone(r.Answers), a)
	switch {
	case !a.Yes:
		r.State, r.DecidedAt = Refused, a.At
	case !slices.ContainsFunc(r.Owners, func(o exchange.OrgID) bool { return !r.answered(o) }):
		r.State, r.DecidedAt = Granted, a.At
		if len(r.Conditions()) > 0 || !r.End().Equal(r.Until) {
			r.State = Conditional
		}
	}
	return r
}

// Item is what the request is about: a STIX identifier or an artifact's.
func (r Request) Item() string {
	if r.Object.ID != "" {
		return r.Object.ID
	}
	return string(r.Artifact)
}

// Permission is what was granted, in one sentence for people, without the names
// of originators that stay unnamed.
func (r Request) Permission(names func(exchange.OrgID) string) string {
	var b strings.Builder
	b.WriteString("May be passed on by " + names(r.By) + " to " + list(r.whom(names)) + " until " + r.End().UTC().Format(time.RFC3339) + ".")
	for _, c := range r.Conditions() {
		b.WriteString(" On condition: " + strings.TrimSuffix(c, ".") + ".")
	}
	who := "its originators"
	if !r.Unnamed {
		all := make([]string, len(r.Owners))
		for i, o := range r.Owners {
			all[i] = names(o)
		}
		who = list(all)
	}
	b.WriteString(" Granted by " + who + " (" + string(r.ID) + ").")
	return b.String()
}

func (r Request) whom(names func(exchange.OrgID) string) []string {
	var out []string
	for _, o := range r.To {
		out = append(out, names(o))
	}
	return append(out, r.Outside...)
}

// list joins words as people do.
func list(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}
