package iep

import (
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Handling is what the policy asks, and false where it names a TLP label that
// nobody knows: whom it is for cannot be told then. Any other value that nobody
// knows is taken as the strictest of its dimension.
//
// A policy that ended before now says nothing any more but its label: what it
// leaves open the house rules fill, and no label is loosened by time. One that
// has not begun is taken as begun.
func (p Policy) Handling(now time.Time) (exchange.Handling, bool) {
	tlp, err := exchange.ParseTLP(p.TLP)
	if err != nil {
		return exchange.Handling{}, false
	}
	h := exchange.Handling{TLP: tlp, References: p.references()}
	if !p.End.IsZero() && !p.End.After(now) {
		return h, true
	}
	if h.Actions, err = exchange.ParseActions(p.Actions); err != nil {
		h.Actions = exchange.ActionsNone
	}
	if h.Encrypt, err = exchange.ParseDuty(p.Encrypt, exchange.MustEncrypt); err != nil {
		h.Encrypt = exchange.DutyStrict
	}
	if h.Notify, err = exchange.ParseDuty(p.Notify, exchange.MustNotNotify); err != nil {
		h.Notify = exchange.DutyStrict
	}
	if h.Resale, err = exchange.ParseDuty(p.Resale, exchange.MustNotResell); err != nil {
		h.Resale = exchange.DutyStrict
	}
	if h.Attribution, err = exchange.ParseAttribution(p.Attribution); err != nil {
		h.Attribution = exchange.AttributionMustNot
	}
	return h, true
}

// references are the policy's id and what it refers to itself, sorted.
func (p Policy) references() []string {
	out := []string{"iep:" + p.ID}
	for _, link := range p.External[:min(len(p.External), 20)] {
		if exchange.Plain(link) && link != "" && len(link) <= 500 {
			out = append(out, link)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
