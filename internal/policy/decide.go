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

// trial is one decision in the making. h, held and tlp are those of the item,
// or of the part of it that is looked at.
type trial struct {
	r       *Recipient
	i       *Item
	h       *exchange.Handling
	held    bool
	tlp     exchange.TLP // effective
	now     time.Time
	explain bool

	code    string // of the step that failed
	verdict Verdict
	text    string // what the step said, where it is asked to explain

	d Decision
}

func decide(r Recipient, i Item, now time.Time, explain bool) Decision {
	t := trial{r: &r, i: &i, h: &i.Handling, held: i.Held, tlp: effective(i.Handling.TLP, i.ReleasedAt, now), now: now, explain: explain}
	t.d.At, t.d.TLP = now, t.tlp
	t.untils()
	end := passed
	for s := marking; s < fields && end == passed; s++ {
		end = t.run(s)
		if explain {
			t.d.Steps = append(t.d.Steps, Step{Rule: stepNames[s], Pass: end != failed, Text: t.text})
		}
	}
	if end == failed {
		t.d.Verdict, t.d.Code = t.verdict, t.code
		return t.d
	}
	t.d.Verdict = Allow
	shown := t.parts(end)
	if explain {
		t.d.Obligations = obligations(t.d.TLP, &shown, &i, now)
	}
	return t.d
}

// untils notes the instants at which the clock alone can change the decision.
func (t *trial) untils() {
	i := t.i
	for _, at := range [...]time.Time{
		i.Handling.From, i.Handling.Expires, i.OpenedAt, i.OpensAt, i.PublicAt, i.ReleasedAt, i.GrantedAt, i.GrantedUntil,
	} {
		t.until(at)
	}
	for n := range i.Fields {
		t.until(i.Fields[n].Handling.From)
		t.until(i.Fields[n].Handling.Expires)
	}
}

func (t *trial) until(at time.Time) {
	if at.After(t.now) && (t.d.Until.IsZero() || at.Before(t.d.Until)) {
		t.d.Until = at
	}
}

// run takes one step. It calls them by name: through a table they would make
// every decision allocate.
func (t *trial) run(s step) outcome {
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
	return passed
}

// parts decides on what has markings of its own, under the join of the item's
// handling and the part's, and returns the handling of what is shown.
func (t *trial) parts(end outcome) (shown exchange.Handling) {
	shown = *t.h
	unnamed := t.unnamed(t.h)
	withheld := 0
	for n := range t.i.Fields {
		f := &t.i.Fields[n]
		joint := t.h.Join(f.Handling)
		if end != entire {
			if code, text := t.part(f, &joint); code != "" {
				withheld++
				t.d.Fields = append(t.d.Fields, f.Selectors...)
				t.tell(code, text, f.Selectors)
				continue
			}
		}
		t.d.TLP = max(t.d.TLP, effective(joint.TLP, t.i.ReleasedAt, t.now))
		unnamed = unnamed || t.unnamed(&joint)
		if t.explain {
			shown = shown.Join(joint)
		}
	}
	if unnamed && end != entire {
		withheld++
		t.d.Fields = append(t.d.Fields, "created_by_ref")
		t.tell("E_ATTRIBUTION", "its originator stays unnamed", []string{"created_by_ref"})
	}
	if withheld > 0 {
		t.d.Verdict = AllowRedacted
		slices.Sort(t.d.Fields)
		t.d.Fields = slices.Compact(t.d.Fields)
	} else if t.explain && end != entire {
		t.d.Steps = append(t.d.Steps, Step{Rule: stepNames[fields], Pass: true, Text: "nothing in it is withheld"})
	}
	return shown
}

func (t *trial) tell(code, text string, selectors []string) {
	if t.explain {
		s := Step{Rule: stepNames[fields], Pass: true, Text: "withheld: " + list(selectors) + ": " + text + " (" + code + ")"}
		t.d.Steps = append(t.d.Steps, s)
	}
}

// part is one part under the joint handling; "": it may be had. Steps that look
// at the recipient and the item alone have passed.
func (t *trial) part(f *exchange.FieldHandling, joint *exchange.Handling) (code, text string) {
	p := *t
	p.h, p.held = joint, f.Held
	p.tlp = effective(joint.TLP, t.i.ReleasedAt, t.now)
	for s := marking; s < fields; s++ {
		switch s {
		case owner, membership, agreement, timed, rules:
			continue
		}
		switch p.run(s) {
		case failed:
			return p.code, p.text
		case settled, entire:
			return "", ""
		case passed:
		}
	}
	return "", ""
}

// unnamed reports whether who made the object is kept from the recipient.
func (t *trial) unnamed(h *exchange.Handling) bool {
	return h.Attribution == exchange.AttributionMustNot && !t.i.Whole && !t.originates()
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
