package membership

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Join makes an organisation a member of a program; the operator does. It has
// no access before its signatory accepts the agreement. Who is a member
// already stays as they are.
func (s *Service) Join(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error) {
	return s.join(ctx, actor, program, org, false)
}

func (s *Service) join(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, org exchange.OrgID, hidden bool) (exchange.Member, error) {
	return s.change(ctx, func(tx Tx) (exchange.Member, error) {
		c, err := operated(tx, actor, program)
		if err != nil {
			return exchange.Member{}, err
		}
		o, err := tx.Organisation(org)
		switch {
		case exchange.KindOf(err) == exchange.NotFound:
			return exchange.Member{}, exchange.Fail(exchange.NotFound, "there is no such organisation; add it first")
		case err != nil:
			return exchange.Member{}, err
		case !o.SuspendedAt.IsZero():
			return exchange.Member{}, exchange.Fail(exchange.Conflict, "the organisation is suspended; resume it first")
		}
		old, err := tx.Member(program, org)
		switch {
		case err == nil && old.State == exchange.MemberActive:
			if hidden && !old.Hidden {
				return exchange.Member{}, exchange.Fail(exchange.Conflict, "the organisation takes part already, and others may have seen it; hide it instead")
			}
			return old, nil
		case err == nil && old.State == exchange.MemberSuspended:
			return exchange.Member{}, exchange.Fail(exchange.Conflict, "the membership is suspended; resume it instead")
		case err != nil && exchange.KindOf(err) != exchange.NotFound:
			return exchange.Member{}, err
		}
		m := exchange.Member{Program: program, Org: org, State: exchange.MemberActive, JoinedAt: tx.Now(), Since: tx.Now(), Hidden: hidden || old.Hidden}
		return s.store(tx, c, m, exchange.Event{Kind: exchange.EventMemberJoined, Actor: actor, Detail: hiddenDetail(m.Hidden)})
	})
}

// Leave ends a membership: by the operator or by the organisation's signatory.
// What was recorded stays.
func (s *Service) Leave(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, org exchange.OrgID, reason string) (exchange.Member, error) {
	return s.change(ctx, func(tx Tx) (exchange.Member, error) {
		c, m, err := membership(tx, actor, program, org)
		switch {
		case err != nil:
			return exchange.Member{}, err
		case !operates(actor, c) && !signsFor(actor, c.ID, org):
			return exchange.Member{}, exchange.Fail(exchange.Denied, "only an operator of the program or a signatory of the organisation may end the membership")
		case m.State == exchange.MemberLeft:
			return m, nil
		}
		m.State, m.Reason = exchange.MemberLeft, reason
		return s.store(tx, c, m, exchange.Event{
			Kind: exchange.EventMemberLeft, Actor: actor, Detail: exchange.Detail{"reason": reason},
		})
	})
}

// SuspendMember ends, at once, the organisation's access to one program.
func (s *Service) SuspendMember(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, org exchange.OrgID, reason string) (exchange.Member, error) {
	return s.change(ctx, func(tx Tx) (exchange.Member, error) {
		c, m, err := operatedMember(tx, actor, program, org)
		switch {
		case err != nil || m.State == exchange.MemberSuspended:
			return m, err
		case m.State == exchange.MemberLeft:
			return exchange.Member{}, exchange.Fail(exchange.Conflict, "the organisation has left the program")
		case reason == "":
			return exchange.Member{}, exchange.InvalidWith("nothing was suspended", []exchange.Problem{{Path: "reason", Message: "missing: why"}})
		}
		m.State, m.Reason = exchange.MemberSuspended, reason
		return s.store(tx, c, m, exchange.Event{
			Kind: exchange.EventMemberSuspended, Actor: actor, Detail: exchange.Detail{"reason": reason},
		})
	})
}

// ResumeMember gives a suspended member its access back.
func (s *Service) ResumeMember(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error) {
	return s.change(ctx, func(tx Tx) (exchange.Member, error) {
		c, m, err := operatedMember(tx, actor, program, org)
		switch {
		case err != nil || m.State == exchange.MemberActive:
			return m, err
		case m.State == exchange.MemberLeft:
			return exchange.Member{}, exchange.Fail(exchange.Conflict, "the organisation has left the program; let it join again")
		}
		m.State, m.Reason = exchange.MemberActive, ""
		return s.store(tx, c, m, exchange.Event{Kind: exchange.EventMemberResumed, Actor: actor})
	})
}

func (s *Service) change(ctx context.Context, fn func(Tx) (exchange.Member, error)) (exchange.Member, error) {
	var m exchange.Member
	err := s.c.Store.Update(ctx, func(tx Tx) (err error) {
		m, err = fn(tx)
		return err
	})
	if err != nil {
		return exchange.Member{}, err
	}
	return m, nil
}

// store writes a membership, records the act, places the program's members
// anew (the member itself, and those who read as its clients) and answers the
// membership as it is then.
func (s *Service) store(tx Tx, c exchange.Charter, m exchange.Member, e exchange.Event) (exchange.Member, error) {
	if err := tx.PutMember(m); err != nil {
		return exchange.Member{}, err
	}
	if err := tx.BumpGeneration(); err != nil {
		return exchange.Member{}, err
	}
	e.Program, e.Org = m.Program, m.Org
	if _, err := tx.Record(e); err != nil {
		return exchange.Member{}, err
	}
	if _, err := s.place(tx, c, true, m.Org); err != nil {
		return exchange.Member{}, err
	}
	if err := s.placeElsewhere(tx, m.Org, m.Program); err != nil {
		return exchange.Member{}, err
	}
	return tx.Member(m.Program, m.Org)
}

// membership answers a membership to who oversees the program and to the
// organisation itself.
func membership(tx Tx, actor exchange.Actor, program exchange.ProgramID, org exchange.OrgID) (exchange.Charter, exchange.Member, error) {
	c, err := tx.Charter(program)
	if err != nil {
		return exchange.Charter{}, exchange.Member{}, err
	}
	own := actor.Org != "" && actor.Org == org && actor.Reaches(program)
	if !oversees(actor, c) && !own {
		return exchange.Charter{}, exchange.Member{}, exchange.Missing()
	}
	m, err := tx.Member(program, org)
	return c, m, err
}

func operatedMember(tx Tx, actor exchange.Actor, program exchange.ProgramID, org exchange.OrgID) (exchange.Charter, exchange.Member, error) {
	c, err := operated(tx, actor, program)
	if err != nil {
		// Members know that they are: they are told that the act is not theirs.
		if _, m, e := membership(tx, actor, program, org); e == nil && m.State != exchange.MemberLeft {
			err = exchange.Fail(exchange.Denied, "only an operator of the program may do this")
		}
		return exchange.Charter{}, exchange.Member{}, err
	}
	m, err := tx.Member(program, org)
	return c, m, err
}

// Member answers a membership: to who oversees the program, and to the
// organisation itself.
func (s *Service) Member(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error) {
	var m exchange.Member
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		_, m, err = membership(tx, actor, program, org)
		return err
	})
	return m, err
}

// Members lists the members of a program in every state, by organisation, to
// who oversees it: those after the given one, limit of them, 100 when it is 0,
// at most 1,000.
func (s *Service) Members(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, after exchange.OrgID, limit int) ([]exchange.Member, error) {
	var all []exchange.Member
	err := s.c.Store.View(ctx, func(tx Tx) error {
		c, err := tx.Charter(program)
		if err != nil || !oversees(actor, c) {
			return orMissing(err)
		}
		all, err = tx.ListMembers(program, after, page(limit))
		return err
	})
	return all, err
}

// Memberships lists the memberships of the actor's organisation, by program.
func (s *Service) Memberships(ctx context.Context, actor exchange.Actor) ([]exchange.Member, error) {
	if actor.Org == "" {
		return nil, nil
	}
	var own []exchange.Member
	err := s.c.Store.View(ctx, func(tx Tx) error {
		all, err := tx.MembershipsOf(actor.Org)
		for _, m := range all {
			if actor.Reaches(m.Program) {
				own = append(own, m)
			}
		}
		return err
	})
	return own, err
}
