package program

import (
	"context"
	"errors"
	"fmt"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

const unchanged = "the charter was not accepted; nothing was changed"

// errDryRun undoes a transaction that was only to show what would happen.
var errDryRun = errors.New("dry run")

// Apply opens a program by its charter (TOML), or puts a new charter in force.
// Only an operator of the owner may. Every fault is listed with the path of
// its field. The charter in force a second time changes nothing. With dryRun
// the answer is the same and nothing is kept.
func (s *Service) Apply(ctx context.Context, actor exchange.Actor, toml []byte, dryRun bool) (Applied, error) {
	if actor.Channel != exchange.ChannelSystem && !(actor.Is(exchange.RoleOperator) && actor.May(exchange.VerbOperate)) {
		return Applied{}, exchange.Fail(exchange.Denied, "only an operator may apply a charter")
	}
	c, err := exchange.ParseCharter(toml)
	if err != nil {
		return Applied{}, err
	}
	var done Applied
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		done = Applied{Program: c.ID, DryRun: dryRun}
		if err := s.apply(tx, actor, c, &done); err != nil {
			return err
		}
		if dryRun {
			return errDryRun
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDryRun) {
		return Applied{}, err
	}
	return done, nil
}

func (s *Service) apply(tx Tx, actor exchange.Actor, c exchange.Charter, done *Applied) error {
	if c.Owner != "" && !actor.Operates(c.Owner) || !actor.Reaches(c.ID) {
		return exchange.Fail(exchange.Denied, "only an operator of the program's owner may apply its charter")
	}
	old, err := tx.Program(c.ID)
	switch {
	case exchange.KindOf(err) == exchange.NotFound:
		done.Created = true
	case err != nil:
		return err
	case c.Owner != old.Owner && !actor.Operates(old.Owner):
		return exchange.Fail(exchange.Conflict, "the id %s is taken; choose another one", c.ID)
	}
	var problems []exchange.Problem
	if done.Tests, problems, err = checkRules(tx, c); err != nil {
		return err
	}
	next := Stored{
		ID: c.ID, Owner: c.Owner, Charter: c,
		Revision: old.Revision + 1, CreatedAt: old.CreatedAt, UpdatedAt: tx.Now(),
	}
	if done.Created {
		next.CreatedAt = tx.Now()
	} else if done.Changes = exchange.Diff(old.Charter, c); len(done.Changes) == 0 {
		done.Revision = old.Revision
		return nil
	}
	if err := check(tx, old, c, problems); err != nil {
		return err
	}
	if done.Created {
		done.Changes = exchange.Diff(exchange.Charter{}, c)
	}
	done.Revision = next.Revision
	return s.put(tx, actor, next, done)
}

// put stores the charter, places the members by its rules and records the act.
func (s *Service) put(tx Tx, actor exchange.Actor, next Stored, done *Applied) error {
	if err := tx.PutProgram(next); err != nil {
		return err
	}
	if err := tx.BumpGeneration(); err != nil {
		return err
	}
	var paths []string
	for _, change := range done.Changes {
		paths = append(paths, change.Path)
	}
	_, err := tx.Record(exchange.Event{
		Kind: exchange.EventProgramApplied, Actor: actor, Program: next.ID, Org: next.Owner, Subject: paths,
		Detail: exchange.Detail{
			"created": done.Created, "revision": next.Revision, "agreement": next.Charter.Agreement.Version,
			"sunset": next.Charter.Sunset.String(),
		},
	})
	if err != nil {
		return err
	}
	done.Moves, err = s.c.Place(tx, next.Charter)
	return err
}

// check lists what the charter itself lacks, what was found in its policies,
// and what it may not change of the one in force.
func check(tx Tx, old Stored, c exchange.Charter, rules []exchange.Problem) error {
	problems := append(c.Check(tx.Now()), rules...)
	add := func(path, message string) {
		problems = append(problems, exchange.Problem{Path: path, Message: message})
	}
	if exchange.ValidSlug(string(c.Owner)) {
		owner, err := tx.Organisation(c.Owner)
		switch {
		case exchange.KindOf(err) == exchange.NotFound:
			add("owner", "there is no such organisation; add it first")
		case err != nil:
			return err
		case !owner.SuspendedAt.IsZero():
			add("owner", "the organisation is suspended")
		}
	}
	unknown, err := unregistered(tx, c)
	if err != nil {
		return err
	}
	problems = append(problems, unknown...)
	for i, id := range c.LegalBasis {
		if known, err := tx.HasBasis(id); err != nil {
			return err
		} else if !known {
			add(fmt.Sprintf("legal_basis[%d]", i), "the register has no such legal basis; add it first")
		}
	}
	if old.ID != "" {
		was, is := old.Charter.Agreement, c.Agreement
		switch {
		case c.Owner != "" && c.Owner != old.Owner:
			add("owner", "a program keeps its owner; open a new program instead")
		case is.Version > 0 && is.Version < was.Version:
			add("agreement.version", "lower than the version in force; versions only grow")
		case is.Version == was.Version && differ(was, is):
			add("agreement.version", "the agreement changed: raise its version, so that members accept the new text")
		}
	}
	if len(problems) > 0 {
		return exchange.InvalidWith(unchanged, problems)
	}
	return nil
}

// unregistered lists the organisations in the handling and in the groups that
// the register does not have: a name that nobody bears would exclude nobody,
// without a word.
func unregistered(tx Tx, c exchange.Charter) (problems []exchange.Problem, err error) {
	type named struct {
		path string
		ids  []exchange.OrgID
	}
	lists := []named{{"handling.organisations", c.Handling.Organisations}, {"handling.not_organisations", c.Handling.NotOrgs}}
	for i, g := range c.Groups {
		lists = append(lists, named{fmt.Sprintf("group[%d].organisations", i), g.Organisations})
	}
	for _, list := range lists {
		for i, id := range list.ids {
			switch _, err := tx.Organisation(id); {
			case exchange.KindOf(err) == exchange.NotFound:
				problems = append(problems, exchange.Problem{
					Path: fmt.Sprintf("%s[%d]", list.path, i), Message: "there is no such organisation; add it first",
				})
			case err != nil:
				return nil, err
			}
		}
	}
	return problems, nil
}

// differ reports whether members would be bound by something else than what
// they accepted.
func differ(a, b exchange.Agreement) bool {
	if a.Text != b.Text || a.Title != b.Title || len(a.Obligations) != len(b.Obligations) {
		return true
	}
	for _, o := range b.Obligations {
		if !a.Has(o) {
			return true
		}
	}
	return false
}
