package policy

import (
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

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

// within is what a level of PAP amounts to among the actions of IEP 2.0
// (formats §3.6, "effective action limit").
var within = map[exchange.PAP]exchange.Actions{
	exchange.PAPClear: exchange.ActionsDirect,
	exchange.PAPGreen: exchange.ActionsDirect,
	exchange.PAPAmber: exchange.ActionsIndirect,
	exchange.PAPRed:   exchange.ActionsInternal,
}

var acting = map[exchange.Actions]string{
	exchange.ActionsDirect:   "actions that the other side can see are permitted",
	exchange.ActionsIndirect: "actions that the other side can see are permitted only through third parties",
	exchange.ActionsInternal: "only actions that nobody outside the organisation can see",
	exchange.ActionsContact:  "ask its originator before any action",
	exchange.ActionsNone:     "no action at all; it is to be known, not used",
}

// EffectiveActions is what may be done with what is under the handling: the more
// restrictive of its PAP level and its IEP actions.
func EffectiveActions(h exchange.Handling) exchange.Actions {
	return max(within[h.PAP], h.Actions)
}

// Obligations returns the texts that are shown with an item that was given.
func Obligations(i Item, now time.Time) []string {
	return obligations(EffectiveTLP(i, now), &i.Handling, &i, now)
}

// obligations are those under the label and the handling of what is shown of i.
func obligations(tlp exchange.TLP, h *exchange.Handling, i *Item, now time.Time) []string {
	released := !i.ReleasedAt.IsZero() && !i.ReleasedAt.After(now)
	out := []string{tlp.String() + ": " + onward[tlp]}
	pap := h.PAP
	if pap == exchange.PAPUnset { // CLEAR, but AMBER before the public release
		if pap = exchange.PAPClear; !released {
			pap = exchange.PAPAmber
		}
	}
	out = append(out, pap.String()+": "+permitted[pap])
	if EffectiveActions(*h) > within[pap] {
		out = append(out, "Its IEP policy permits less: "+acting[h.Actions]+".")
	}
	// House rules for what is absent end with the publication of what is CLEAR.
	house := !released || tlp != exchange.TLPClear
	if h.Encrypt == exchange.DutyStrict || h.Encrypt == exchange.DutyUnset && house {
		out = append(out, "Send it over encrypted connections only.")
	}
	switch {
	case h.Notify == exchange.DutyStrict:
		out = append(out, "Parties that it shows to be affected may not be told.")
	case h.Notify == exchange.DutyUnset && !released:
		out = append(out, "Parties that it shows to be affected may be told only once it is public.")
	}
	if h.Resale == exchange.DutyStrict || h.Resale == exchange.DutyUnset && house {
		out = append(out, "It may not be sold unchanged.")
	}
	switch {
	case h.Attribution == exchange.AttributionMust:
		out = append(out, "Name its provider wherever it is used.")
	case h.Attribution == exchange.AttributionMustNot, h.Attribution == exchange.AttributionUnset && len(i.Originators) == 0 && house:
		out = append(out, "Its provider may not be named.")
	}
	if h.Statement != "" {
		out = append(out, h.Statement)
	}
	if !h.Expires.IsZero() {
		out = append(out, "It may be used until "+stamp(h.Expires)+".")
	}
	opened := !i.OpenedAt.IsZero() && !i.OpenedAt.After(now)
	if !opened && !i.GrantedAt.IsZero() && !i.GrantedUntil.IsZero() {
		out = append(out, "It was given to the organisation until "+stamp(i.GrantedUntil)+".")
	}
	return out
}
