package policy

import (
	"maps"
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// part is what a selector of granular markings names: all of them that hold for
// it are joined, as are those for what it stands in.
type part struct {
	selector string
	handling exchange.Handling // joined with the item's
	held     bool
}

// creator is what names the originator of an object (STIX 2.1 §3.2).
const creator = "created_by_ref"

// parts decides on what has markings of its own, and returns the handling of
// what is given, where it is asked to explain.
func (t *trial) parts(d *Decision, end outcome) *exchange.Handling {
	shown, withheld := *t.h, reasons{}
	unnamed := t.h.Attribution == exchange.AttributionMustNot
	for n := range t.i.Fields { // given or not: else the conflict of two markings would tell the name
		unnamed = unnamed || t.i.Fields[n].Handling.Attribution >= exchange.AttributionMustNot
	}
	for _, p := range t.governed() {
		if no := t.part(&p, end); no.end == failed {
			withheld.add(p.selector, no)
			continue
		}
		d.TLP = max(d.TLP, effective(p.handling.TLP, t.i.ReleasedAt, t.now))
		if t.explain {
			shown = shown.Join(p.handling)
		}
	}
	if unnamed && end != entire && !t.i.Whole && !t.originates() {
		withheld.add(creator, refuse(Deny, "E_ATTRIBUTION", "its originator stays unnamed"))
	}
	for _, w := range withheld {
		d.Verdict, d.Fields = AllowRedacted, append(d.Fields, w.selectors...)
		if t.explain {
			text := "withheld: " + strings.Join(w.selectors, ", ") + ": " + w.why.text + " (" + w.why.code + ")"
			d.Steps = append(d.Steps, Step{Rule: stepNames[fields], Pass: true, Text: text})
		}
	}
	slices.Sort(d.Fields)
	d.Fields = slices.Compact(d.Fields)
	return &shown
}

// governed lists the parts of the item that have markings of their own, by
// selector.
func (t *trial) governed() []part {
	if len(t.i.Fields) == 0 {
		return nil
	}
	by := map[string]*part{}
	for n := range t.i.Fields {
		f := &t.i.Fields[n]
		for _, s := range f.Selectors {
			p := by[s]
			if p == nil {
				by[s] = &part{s, f.Handling, f.Held}
				continue
			}
			p.handling, p.held = p.handling.Join(f.Handling), p.held || f.Held
		}
	}
	out := make([]part, 0, len(by))
	for _, s := range slices.Sorted(maps.Keys(by)) {
		p := *by[s]
		for n := range len(s) {
			if above := by[s[:n]]; s[n] == '.' && above != nil {
				p.handling, p.held = p.handling.Join(above.handling), p.held || above.held
			}
		}
		p.handling = t.h.Join(p.handling)
		out = append(out, p)
	}
	return out
}

// part decides on one part. The steps that look at the recipient and the item
// alone have passed.
func (t *trial) part(p *part, end outcome) result {
	if end == entire {
		return result{}
	}
	of := *t
	of.h, of.held = &p.handling, p.held
	of.tlp = effective(p.handling.TLP, t.i.ReleasedAt, t.now)
	if t.r.Rules != nil { // which may ask for the label of what they are asked about
		i := *t.i
		i.Handling = p.handling
		of.i = &i
	}
	for s := marking; s < fields; s++ {
		switch s {
		case owner, membership, agreement, timed:
			continue
		}
		if found := of.run(s); found.end != passed {
			return found
		}
	}
	return result{}
}

// reasons are what is withheld, by why.
type reasons []struct {
	why       result
	selectors []string
}

func (w *reasons) add(selector string, why result) {
	for n := range *w {
		if r := &(*w)[n]; r.why == why {
			r.selectors = append(r.selectors, selector)
			return
		}
	}
	*w = append(*w, struct {
		why       result
		selectors []string
	}{why, []string{selector}})
}
