package policy

import (
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// step is one of the published order.
type step uint8

// The published order. Fixed steps stand in code and cannot be loosened by a
// charter.
const (
	marking step = iota
	active
	credential
	exclusion
	purpose
	public
	owner
	membership
	agreement
	timed
	audience
	rules
	channel
	fields // looks at the parts that have markings of their own; it never fails
)

var stepNames = [...]string{
	"marking", "active", "credential", "exclusion", "purpose", "public", "owner", "membership",
	"agreement", "time", "audience", "rules", "channel", "fields",
}

// outcome is what a step says.
type outcome uint8

const (
	passed  outcome = iota // the next step decides
	failed                 // this step decides
	settled                // ALLOW, without the steps that follow, parts by their own markings
	entire                 // ALLOW, and every part of it
)

// result is the outcome of a step, and what it says where it is asked to explain.
type result struct {
	end     outcome
	verdict Verdict
	code    string
	text    string
}

// trial is what a step looks at. h, held and tlp are those of the item, or of
// the part of it that is decided on. What steps find is returned, not noted in
// it: otherwise every decision would allocate.
type trial struct {
	r       *Recipient
	i       *Item
	h       *exchange.Handling
	held    bool
	tlp     exchange.TLP // effective
	now     time.Time
	explain bool
}

func decide(r *Recipient, i *Item, now time.Time, explain bool) (d Decision) {
	t := trial{r: r, i: i, h: &i.Handling, held: i.Held, tlp: effective(i.Handling.TLP, i.ReleasedAt, now), now: now, explain: explain}
	d.At, d.Until, d.TLP = now, next(i, now), t.tlp
	end := passed
	for s := marking; s < fields && end == passed; s++ {
		found := t.run(s)
		end = found.end
		if explain {
			d.Steps = append(d.Steps, Step{Rule: stepNames[s], Pass: end != failed, Text: found.text})
		}
		if end == failed {
			d.Verdict, d.Code = found.verdict, found.code
			return d
		}
	}
	d.Verdict = Allow
	shown := &i.Handling
	if len(i.Fields) > 0 || i.Handling.Attribution == exchange.AttributionMustNot {
		shown = t.parts(&d, end)
	}
	if explain && end != entire && d.Verdict == Allow {
		d.Steps = append(d.Steps, Step{Rule: stepNames[fields], Pass: true, Text: "nothing in it is withheld"})
	}
	if explain {
		d.Obligations = obligations(d.TLP, shown, i, now)
	}
	return d
}

// next is the next instant at which the clock alone can change the decision;
// zero: never.
func next(i *Item, now time.Time) (at time.Time) {
	sooner := func(b time.Time) {
		if b.After(now) && (at.IsZero() || b.Before(at)) {
			at = b
		}
	}
	sooner(i.Handling.From)
	sooner(i.Handling.Expires)
	sooner(i.OpenedAt)
	sooner(i.OpensAt)
	sooner(i.PublicAt)
	sooner(i.ReleasedAt)
	sooner(i.GrantedAt)
	sooner(i.GrantedUntil)
	for n := range i.Fields {
		sooner(i.Fields[n].Handling.From)
		sooner(i.Fields[n].Handling.Expires)
	}
	return at
}

// run takes one step. It calls them by name: through a table they would make
// every decision allocate.
func (t *trial) run(s step) result {
	switch s {
	case marking:
		return t.marking()
	case active:
		return t.active()
	case credential:
		return t.credential()
	case exclusion:
		return t.exclusion()
	case purpose:
		return t.purpose()
	case public:
		return t.public()
	case owner:
		return t.owner()
	case membership:
		return t.membership()
	case agreement:
		return t.agreement()
	case timed:
		return t.time()
	case audience:
		return t.audience()
	case rules:
		return t.rules()
	case channel:
		return t.channel()
	}
	return result{}
}

// originates reports whether the recipient is one of those whose item it is.
func (t *trial) originates() bool {
	return t.r.Org != "" && slices.Contains(t.i.Originators, t.r.Org)
}

// granted reports whether its originators have given it to the recipient by name.
func (t *trial) granted() bool {
	i := t.i
	return !i.GrantedAt.IsZero() && !i.GrantedAt.After(t.now) && (i.GrantedUntil.IsZero() || t.now.Before(i.GrantedUntil))
}
