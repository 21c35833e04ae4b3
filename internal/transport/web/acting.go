package web

import (
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// acting lets a visitor choose in which hat of the organisation, and for what
// purpose, they go on.
func (s *site) acting(v *visit) error {
	o, err := s.Members.Organisation(v.ctx(), v.a, v.a.Org)
	if err != nil {
		return err
	}
	hat, purpose := v.a.Hat, v.a.Purpose
	if v.faults != nil {
		hat, purpose = v.form("hat"), v.form("purpose")
	}
	p := &page.Acting{Frame: v.frame("Hat and purpose"), Heading: o.Name, Purpose: purpose}
	if len(o.Hats) > 0 {
		p.Hats = append(p.Hats, page.Option{Label: "all of them", Selected: hat == ""})
	}
	for _, h := range o.Hats {
		p.Hats = append(p.Hats, page.Option{Value: h, Label: h, Selected: h == hat})
	}
	all, err := v.stored()
	if err != nil {
		return err
	}
	for _, st := range all {
		for _, purpose := range st.Charter.Purposes {
			if !slices.Contains(p.Purposes, purpose) {
				p.Purposes = append(p.Purposes, purpose)
			}
		}
	}
	slices.Sort(p.Purposes)
	return v.show(p)
}

// act chooses the hat and the purpose of the session.
func (s *site) act(v *visit) error {
	err := s.authn.ActAs(v.ctx(), httpkit.SessionOf(v.r), v.form("hat"), v.form("purpose"))
	if exchange.KindOf(err) == exchange.Invalid {
		return v.again(err, func() error { return s.acting(v) })
	}
	if err != nil {
		return err
	}
	return v.see("/acting?done=acting")
}

// actsAs says in the frame in which hat and for what the visitor acts; empty:
// nothing was chosen.
func actsAs(a exchange.Actor) string {
	switch {
	case a.Hat != "" && a.Purpose != "":
		return "As " + a.Hat + ", to " + a.Purpose
	case a.Hat != "":
		return "As " + a.Hat
	case a.Purpose != "":
		return "To " + a.Purpose
	}
	return ""
}
