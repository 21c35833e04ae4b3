package membership

import (
	"context"
	"fmt"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Place computes the audience of every member of a program under the charter,
// stores what changed, lets those members read from their new audience's feed
// and answers the moves. A cohort that would grow beyond its max_members is a
// Conflict.
func Place(tx Tx, c exchange.Charter) ([]exchange.Move, error) { return place(tx, c, true) }

// PlaceAll places the members of every program anew. The server calls it by
// the clock, because time alone moves members too: by tenure (member_for_days)
// and when a law comes into force.
func (s *Service) PlaceAll(ctx context.Context) ([]exchange.Move, error) {
	var moves []exchange.Move
	err := s.c.Store.Update(ctx, func(tx Tx) (err error) {
		moves, err = s.placeEverywhere(tx)
		return err
	})
	return moves, err
}

// placeEverywhere does not ask for room in cohorts: a law holds whether or not
// there is a seat, and the operator sees the surplus.
func (s *Service) placeEverywhere(tx Tx) ([]exchange.Move, error) {
	all, err := tx.Charters()
	if err != nil {
		return nil, err
	}
	var moves []exchange.Move
	for _, c := range all {
		some, err := s.place(tx, c, false)
		if err != nil {
			return nil, err
		}
		moves = append(moves, some...)
	}
	return moves, nil
}

// place is Place after the organisation has changed. It may be entitled to more
// now, and so may those who were moved.
func (s *Service) place(tx Tx, c exchange.Charter, capped bool, changed ...exchange.OrgID) ([]exchange.Move, error) {
	moves, err := place(tx, c, capped)
	if err != nil {
		return nil, err
	}
	for _, m := range moves {
		if !slices.Contains(changed, m.Org) {
			changed = append(changed, m.Org)
		}
	}
	return moves, s.entitle(tx, c, changed...)
}

func (s *Service) entitle(tx Tx, c exchange.Charter, orgs ...exchange.OrgID) error {
	if s.c.Entitled == nil || len(orgs) == 0 {
		return nil
	}
	return s.c.Entitled(tx, c, orgs)
}

// eachProgram calls fn for every program that the organisation is a member of.
func eachProgram(tx Tx, org exchange.OrgID, fn func(c exchange.Charter) error) error {
	memberships, err := tx.MembershipsOf(org)
	if err != nil {
		return err
	}
	for _, m := range memberships {
		c, err := tx.Charter(m.Program)
		if err != nil {
			return err
		}
		if err := fn(c); err != nil {
			return err
		}
	}
	return nil
}

// placer holds the facts that decide on audiences.
type placer struct {
	tx       Tx
	charter  exchange.Charter
	register []exchange.Jurisdiction
	members  map[exchange.OrgID]exchange.Member
	orgs     map[exchange.OrgID]exchange.Organisation
}

// placing gathers the facts that decide on the audiences of a program.
func placing(tx Tx, c exchange.Charter) (*placer, []exchange.Member, error) {
	members, err := tx.ListMembers(c.ID, "", 0)
	if err != nil {
		return nil, nil, err
	}
	p := &placer{tx: tx, charter: c, members: map[exchange.OrgID]exchange.Member{}, orgs: map[exchange.OrgID]exchange.Organisation{}}
	if p.register, err = tx.Jurisdictions(); err != nil {
		return nil, nil, err
	}
	for _, m := range members {
		p.members[m.Org] = m
		if p.orgs[m.Org], err = tx.Organisation(m.Org); err != nil {
			return nil, nil, fmt.Errorf("reading member %s: %w", m.Org, err)
		}
	}
	return p, members, nil
}

// Foresee answers the audiences in which Place would put the members of a
// program. Nothing is changed.
func Foresee(tx Tx, c exchange.Charter) (map[exchange.OrgID]exchange.Audience, error) {
	p, members, err := placing(tx, c)
	if err != nil {
		return nil, err
	}
	out := make(map[exchange.OrgID]exchange.Audience, len(members))
	for _, m := range members {
		if out[m.Org], err = p.audience(m); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func place(tx Tx, c exchange.Charter, capped bool) ([]exchange.Move, error) {
	p, members, err := placing(tx, c)
	if err != nil {
		return nil, err
	}
	var moves []exchange.Move
	for _, m := range members {
		to, err := p.audience(m)
		if err != nil {
			return nil, err
		}
		if to == m.Audience {
			continue
		}
		moves = append(moves, exchange.Move{Org: m.Org, From: m.Audience, To: to})
		if err := p.move(m, to); err != nil {
			return nil, err
		}
	}
	if len(moves) == 0 {
		return nil, nil
	}
	if capped {
		if err := p.room(moves); err != nil {
			return nil, err
		}
	}
	return moves, tx.BumpGeneration()
}

// move lets a member read from another feed.
func (p *placer) move(m exchange.Member, to exchange.Audience) error {
	from := m.Audience
	m.Audience, m.Since = to, p.tx.Now()
	p.members[m.Org] = m
	if err := p.tx.PutMember(m); err != nil {
		return err
	}
	if err := p.tx.Resubscribe(m.Program, m.Org, to); err != nil {
		return fmt.Errorf("moving %s to another feed: %w", m.Org, err)
	}
	// The reasons stay out: a rule may name other members.
	_, err := p.tx.Record(exchange.Event{
		Kind: exchange.EventMemberMoved, Actor: exchange.System(), Program: m.Program, Org: m.Org,
		Detail: exchange.Detail{"from": from.String(), "to": to.String()},
	})
	return err
}

// audience decides for one member. Who has left is in none. A client reads
// what its provider reads, under the duties of both.
func (p *placer) audience(m exchange.Member) (exchange.Audience, error) {
	if m.State == exchange.MemberLeft {
		return exchange.Audience{}, nil
	}
	o := p.orgs[m.Org]
	if o.ClientOf == "" {
		return p.own(m)
	}
	provider, ok := p.members[o.ClientOf]
	serves := ok && provider.State == exchange.MemberActive && p.orgs[o.ClientOf].SuspendedAt.IsZero() &&
		p.orgs[o.ClientOf].ClientOf == ""
	if !serves {
		return exchange.Audience{}, nil
	}
	a, err := p.own(provider)
	if a.Cohort != "" {
		a.Compelled = a.Compelled || p.withheld(o)
	}
	return a, err
}

// own is the audience by the organisation's own attributes.
func (p *placer) own(m exchange.Member) (exchange.Audience, error) {
	o := p.orgs[m.Org]
	_, compelled := exchange.Compelled(o, p.register, p.tx.Now())
	programs, _, err := policy.ProgramsOf(p.tx, p.charter, m.Org, p.tx.Now())
	if err != nil {
		return exchange.Audience{}, err
	}
	cohort, _, ok := policy.CohortOf(p.charter, exchange.Attributes{
		Organisation: o.ID, Kind: o.Kind, Hats: o.Hats, Sectors: o.Sectors, Jurisdictions: o.Jurisdictions,
		Regions: o.Regions, Products: o.Products, CompelledDisclosure: compelled,
		JoinedAt: m.JoinedAt, Now: p.tx.Now(),
	}, programs, false)
	if !ok {
		return exchange.Audience{}, nil
	}
	return exchange.Audience{Cohort: cohort, Compelled: p.withheld(o)}, nil
}

// withheld reports whether the organisation is under a duty for which the
// charter withholds something.
func (p *placer) withheld(o exchange.Organisation) bool {
	d := p.charter.CompelledDisclosure
	if len(d.Deny) == 0 && d.Others != exchange.OthersAtRelease {
		return false
	}
	_, compelled := exchange.Compelled(o, p.register, p.tx.Now())
	return compelled
}

// room refuses moves into a cohort that has no seat left. Clients sit with
// their provider.
func (p *placer) room(moves []exchange.Move) error {
	taken := map[exchange.CohortID]int{}
	for id, m := range p.members {
		if p.orgs[id].ClientOf == "" {
			taken[m.Audience.Cohort]++
		}
	}
	for _, move := range moves {
		co, ok := p.charter.Cohort(move.To.Cohort)
		if !ok || move.From.Cohort == move.To.Cohort || p.orgs[move.Org].ClientOf != "" {
			continue
		}
		if n := taken[co.ID]; co.MaxMembers > 0 && n > co.MaxMembers {
			return exchange.Fail(exchange.Conflict,
				"cohort %s of %s would have %d members; its charter allows %d. Nothing was changed", co.ID, p.charter.ID, n, co.MaxMembers)
		}
	}
	return nil
}
