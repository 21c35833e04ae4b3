package membership

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// AddPerson registers somebody who may sign in. ID and dates are given by the
// exchange. A login that is taken is a Conflict.
func (s *Service) AddPerson(ctx context.Context, actor exchange.Actor, p exchange.Person) (exchange.Person, error) {
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		st, err := standingTo(tx, actor, p.Org)
		switch {
		case err != nil:
			return err
		case st < recruiter:
			return st.refusal()
		case !st.mayGive(p.Roles):
			return exchange.Fail(exchange.Denied, "only an administrator may give other roles than %v", grantable)
		}
		p = tidyPerson(p)
		if err := checkPerson(p); err != nil {
			return err
		}
		if _, err := tx.Organisation(p.Org); err != nil {
			return err
		}
		switch _, err := tx.PersonByLogin(p.Login); {
		case err == nil:
			return exchange.Fail(exchange.Conflict, "the login is taken; choose another one")
		case exchange.KindOf(err) != exchange.NotFound:
			return err
		}
		p.ID, p.CreatedAt, p.SuspendedAt, p.Revision = exchange.PersonID(exchange.RandomID("per")), tx.Now(), time.Time{}, 1
		if err := tx.PutPerson(p); err != nil {
			return err
		}
		return recordPerson(tx, actor, exchange.EventPersonAdded, p, exchange.Detail{"roles": names(p.Roles)})
	})
	if err != nil {
		return exchange.Person{}, err
	}
	return p, nil
}

// ChangePerson replaces name, e-mail, time zone and roles. Everybody may
// change the first three of their own; organisation and login never change.
// ifRevision is as in ChangeOrganisation.
func (s *Service) ChangePerson(ctx context.Context, actor exchange.Actor, p exchange.Person, ifRevision int64) (exchange.Person, error) {
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		old, err := tx.Person(p.ID)
		if err != nil {
			return err
		}
		if err := mayChange(tx, actor, old, p); err != nil {
			return err
		}
		if ifRevision != 0 && ifRevision != old.Revision {
			return exchange.Fail(exchange.Precondition, "the person was changed meanwhile; read it again, then repeat your change")
		}
		next := old
		next.Name, next.Email, next.TimeZone, next.Roles = p.Name, p.Email, p.TimeZone, p.Roles
		if next = tidyPerson(next); reflect.DeepEqual(next, old) {
			p = old
			return nil
		}
		if err := checkPerson(next); err != nil {
			return err
		}
		next.Revision++
		p = next
		return s.changedPerson(tx, actor, exchange.EventPersonChanged, p, exchange.Detail{
			"roles": names(p.Roles), "roles_before": names(old.Roles),
		})
	})
	if err != nil {
		return exchange.Person{}, err
	}
	return p, nil
}

func mayChange(tx Tx, actor exchange.Actor, old, next exchange.Person) error {
	st, err := standingTo(tx, actor, old.Org)
	if err != nil {
		return err
	}
	sameRoles := slices.Equal(tidyPerson(next).Roles, old.Roles)
	self := actor.Person == old.ID && actor.May(exchange.VerbOperate)
	switch {
	case self && sameRoles:
		return nil
	case !st.manages(old):
		return st.refusal()
	case !st.mayGive(next.Roles):
		return exchange.Fail(exchange.Denied, "only an administrator may give other roles than %v", grantable)
	}
	return nil
}

// SuspendPerson ends, at once, the person's sessions and everything that their
// tokens may do. A second time changes nothing.
func (s *Service) SuspendPerson(ctx context.Context, actor exchange.Actor, id exchange.PersonID) error {
	return s.c.Store.Update(ctx, func(tx Tx) error {
		p, err := managed(tx, actor, id)
		switch {
		case err != nil || !p.SuspendedAt.IsZero():
			return err
		case p.ID == actor.Person:
			return exchange.Fail(exchange.Conflict, "you cannot suspend yourself")
		}
		ended, err := tx.EndSessions(p.ID)
		if err != nil {
			return err
		}
		p.SuspendedAt = tx.Now()
		p.Revision++
		return s.changedPerson(tx, actor, exchange.EventPersonSuspended, p, exchange.Detail{"sessions_ended": ended})
	})
}

// ResumePerson lets a suspended person sign in again.
func (s *Service) ResumePerson(ctx context.Context, actor exchange.Actor, id exchange.PersonID) error {
	return s.c.Store.Update(ctx, func(tx Tx) error {
		p, err := managed(tx, actor, id)
		if err != nil || p.SuspendedAt.IsZero() {
			return err
		}
		from := p.SuspendedAt
		p.SuspendedAt = time.Time{}
		p.Revision++
		return s.changedPerson(tx, actor, exchange.EventPersonResumed, p, exchange.Detail{"suspended_at": from})
	})
}

// changedPerson stores a changed person and records the act.
func (s *Service) changedPerson(tx Tx, actor exchange.Actor, kind exchange.EventKind, p exchange.Person, d exchange.Detail) error {
	if err := tx.PutPerson(p); err != nil {
		return err
	}
	if err := tx.BumpGeneration(); err != nil {
		return err
	}
	if err := recordPerson(tx, actor, kind, p, d); err != nil {
		return err
	}
	return eachProgram(tx, p.Org, func(c exchange.Charter) error { return s.entitle(tx, c, p.Org) })
}

// recordPerson records an act on a person by identifier: names and addresses
// stay out of a record that is never changed.
func recordPerson(tx Tx, actor exchange.Actor, kind exchange.EventKind, p exchange.Person, d exchange.Detail) error {
	_, err := tx.Record(exchange.Event{Kind: kind, Actor: actor, Org: p.Org, Subject: []string{string(p.ID)}, Detail: d})
	return err
}

// People lists the people of an organisation: to who manages them, and to
// their colleagues.
func (s *Service) People(ctx context.Context, actor exchange.Actor, org exchange.OrgID) ([]exchange.Person, error) {
	var all []exchange.Person
	err := s.c.Store.View(ctx, func(tx Tx) error {
		if _, err := acquainted(tx, actor, org); err != nil {
			return err
		}
		var err error
		all, err = tx.ListPeople(org)
		return err
	})
	return all, err
}

// Person answers one person: to who manages them, and to their colleagues.
func (s *Service) Person(ctx context.Context, actor exchange.Actor, id exchange.PersonID) (exchange.Person, error) {
	return s.person(ctx, actor, func(tx Tx) (exchange.Person, error) { return tx.Person(id) })
}

// PersonByLogin is Person for the login.
func (s *Service) PersonByLogin(ctx context.Context, actor exchange.Actor, login string) (exchange.Person, error) {
	return s.person(ctx, actor, func(tx Tx) (exchange.Person, error) { return tx.PersonByLogin(login) })
}

func (s *Service) person(ctx context.Context, actor exchange.Actor, read func(Tx) (exchange.Person, error)) (exchange.Person, error) {
	var p exchange.Person
	err := s.c.Store.View(ctx, func(tx Tx) error {
		found, err := read(tx)
		if err != nil {
			return err
		}
		st, err := standingTo(tx, actor, found.Org)
		if err != nil || st == stranger {
			return orMissing(err)
		}
		p = found
		return nil
	})
	return p, err
}

func tidyPerson(p exchange.Person) exchange.Person {
	p.Login, p.Name, p.Email = strings.TrimSpace(p.Login), strings.TrimSpace(p.Name), strings.TrimSpace(p.Email)
	var roles []exchange.Role
	for _, r := range p.Roles {
		if !slices.Contains(roles, r) {
			roles = append(roles, r)
		}
	}
	p.Roles = roles
	return p
}

// names is a list as events keep it.
func names[T ~string](list []T) (texts []string) {
	for _, v := range list {
		texts = append(texts, string(v))
	}
	return texts
}
