package web

import (
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/basis"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// bases shows the register of legal bases.
func (s *site) bases(v *visit) error {
	lines, err := s.Bases.Lines(v.ctx(), v.a, "")
	if err != nil {
		return err
	}
	p := &page.Bases{
		Frame: v.frame("Legal bases"),
		Old: page.BasisForm{
			ID: v.form("id"), Jurisdiction: v.form("jurisdiction"), Instrument: v.form("instrument"), From: v.form("valid_from"),
			To: v.form("valid_to"), Known: v.form("known_from"), Conditions: v.form("conditions"), Source: v.form("source"), Not: v.form("not_in_force") != "",
		},
	}
	all, err := v.stored()
	if err != nil {
		return err
	}
	p.May = v.a.Administers()
	for _, st := range all {
		p.May = p.May || v.a.Operates(st.Owner)
	}
	slices.SortStableFunc(lines, func(a, b room.Line) int {
		if a.Basis != b.Basis {
			if a.Basis < b.Basis {
				return -1
			}
			return 1
		}
		return a.From.Compare(b.From)
	})
	for _, l := range lines {
		p.Lines = append(p.Lines, v.basisLine(l))
	}
	return v.show(p)
}

func (v *visit) basisLine(l room.Line) page.BasisLine {
	return page.BasisLine{
		ID: string(l.Basis), Jurisdiction: l.Jurisdiction, Instrument: l.Instrument, Conditions: l.Conditions, Source: l.Source,
		State: inForce(l.InForce), From: v.clock.At(l.From), To: v.clock.At(l.To), Known: v.clock.At(l.KnownFrom),
	}
}

func inForce(yes bool) page.State {
	if yes {
		return page.State{Text: "in force", Kind: page.Ok}
	}
	return page.State{Text: "not in force", Kind: page.Warn}
}

func (s *site) addBasis(v *visit) error {
	var from, to, known time.Time
	ps := v.stamps(map[string]*time.Time{"valid_from": &from, "valid_to": &to, "known_from": &known})
	var err error
	if len(ps) > 0 {
		err = exchange.InvalidWith("nothing was added to the register", ps)
	} else {
		_, err = s.Bases.Add(v.ctx(), v.a, room.Line{
			Basis: exchange.BasisID(v.form("id")), Jurisdiction: v.form("jurisdiction"), Instrument: v.form("instrument"),
			InForce: v.form("not_in_force") == "", From: from, To: to, KnownFrom: known, Conditions: v.form("conditions"), Source: v.form("source"),
		})
	}
	if err != nil {
		return v.again(err, func() error { return s.bases(v) })
	}
	return v.see("/legal-bases?done=basis")
}

func ground(st room.Standing) page.Ground {
	g := page.Ground{ID: string(st.Basis), State: inForce(st.InForce), Text: st.Warning()}
	if st.InForce && st.Line.Number != 0 {
		g.Text = st.Line.Jurisdiction + ": " + st.Line.Instrument
	}
	return g
}

// grounds are how the bases of a program stand now.
func (v *visit) grounds(c exchange.Charter) ([]page.Ground, error) {
	if len(c.LegalBasis) == 0 {
		return nil, nil
	}
	all, err := v.site.Bases.Check(v.ctx(), v.a, c.ID)
	if err != nil {
		return nil, err
	}
	var out []page.Ground
	for _, st := range all {
		out = append(out, ground(st))
	}
	return out, nil
}

// shared is the legal basis of an artifact's share, for those who may see it.
func (v *visit) shared(id exchange.ArtifactID) ([]page.SharedUnder, error) {
	all, err := v.site.Bases.SharesOf(v.ctx(), v.a, id, 0, 1)
	if exchange.KindOf(err) == exchange.NotFound {
		return nil, nil
	}
	var out []page.SharedUnder
	for _, s := range all {
		line := page.SharedUnder{At: v.clock.At(s.Standing.At), Kept: ground(s.Standing)}
		for _, l := range s.Later {
			line.Later = append(line.Later, v.basisLine(l))
		}
		out = append(out, line)
	}
	return out, err
}
