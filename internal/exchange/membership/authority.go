package membership

import (
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// A credential for one program has no say about the exchange as a whole.
func administers(a exchange.Actor) bool { return a.Administers() && a.Program == "" }

func operates(a exchange.Actor, c exchange.Charter) bool {
	return a.Operates(c.Owner) && a.Reaches(c.ID)
}

func oversees(a exchange.Actor, c exchange.Charter) bool {
	return a.Oversees(c.Owner) && a.Reaches(c.ID)
}

// operated answers the charter of a program that the actor operates. Who
// oversees it is told that the act is not theirs; anybody else learns nothing.
func operated(tx Tx, actor exchange.Actor, id exchange.ProgramID) (exchange.Charter, error) {
	c, err := tx.Charter(id)
	switch {
	case err != nil:
		return exchange.Charter{}, err
	case operates(actor, c):
		return c, nil
	case oversees(actor, c):
		return exchange.Charter{}, exchange.Fail(exchange.Denied, "only an operator of %s may do this", c.ID)
	}
	return exchange.Charter{}, exchange.Missing()
}

// bringsIn reports whether the actor may register organisations:
// administrators, and operators of any program.
func bringsIn(tx Tx, actor exchange.Actor) (bool, error) {
	if administers(actor) {
		return true, nil
	}
	all, err := tx.Charters()
	return slices.ContainsFunc(all, func(c exchange.Charter) bool { return operates(actor, c) }), err
}

// knowsAll reports whether the actor may read the register of organisations.
func knowsAll(tx Tx, actor exchange.Actor) (bool, error) {
	if administers(actor) {
		return true, nil
	}
	all, err := tx.Charters()
	return slices.ContainsFunc(all, func(c exchange.Charter) bool { return oversees(actor, c) }), err
}

// standing is how an actor stands to the people of an organisation.
type standing int

const (
	stranger  standing = iota
	colleague          // of the same organisation, without authority over it
	recruiter          // may add people to an organisation that is no member yet
	manager            // adds, changes, suspends, issues credentials
	admin              // the same, for people with any role
)

func standingTo(tx Tx, actor exchange.Actor, org exchange.OrgID) (standing, error) {
	switch {
	case administers(actor):
		return admin, nil
	case actor.Anonymous() || actor.Org == "":
		return stranger, nil
	case actor.Org == org && actor.Is(exchange.RoleSignatory) && actor.Program == "" && actor.May(exchange.VerbOperate):
		return manager, nil
	case actor.Org == org && actor.May(exchange.VerbRead):
		return colleague, nil
	case actor.Org == org || actor.Program != "" || !actor.Is(exchange.RoleOperator) || !actor.May(exchange.VerbOperate):
		return stranger, nil
	}
	all, err := tx.Charters()
	if err != nil {
		return stranger, err
	}
	var mine []exchange.ProgramID
	for _, c := range all {
		if c.Owner == org {
			return stranger, nil
		}
		if operates(actor, c) {
			mine = append(mine, c.ID)
		}
	}
	memberships, err := tx.MembershipsOf(org)
	if err != nil || len(mine) == 0 {
		return stranger, err
	}
	for _, m := range memberships {
		if !slices.Contains(mine, m.Program) {
			return stranger, nil
		}
	}
	if len(memberships) == 0 {
		return recruiter, nil
	}
	return manager, nil
}

// acquainted answers how the actor stands to an organisation, to everybody but
// strangers.
func acquainted(tx Tx, actor exchange.Actor, org exchange.OrgID) (standing, error) {
	st, err := standingTo(tx, actor, org)
	if err != nil || st == stranger {
		return stranger, orMissing(err)
	}
	_, err = tx.Organisation(org)
	return st, err
}

// grantable are the roles that somebody who is no administrator may give, and
// the only ones that people under their management may hold: with the others
// one could make oneself, or act as, the operator or second approver of a
// program.
var grantable = []exchange.Role{exchange.RoleSignatory, exchange.RoleAnalyst}

// mayGive reports whether the standing suffices to give or hold power over
// these roles.
func (s standing) mayGive(roles []exchange.Role) bool {
	if s == admin {
		return true
	}
	return s >= recruiter && !slices.ContainsFunc(roles, func(r exchange.Role) bool {
		return !slices.Contains(grantable, r)
	})
}

// manages reports whether the standing suffices to change this person and to
// issue credentials for them.
func (s standing) manages(p exchange.Person) bool {
	return s >= manager && s.mayGive(p.Roles)
}

// refusal is the answer to an act that the standing does not permit.
func (s standing) refusal() error {
	if s == stranger {
		return exchange.Missing()
	}
	return exchange.Fail(exchange.Denied, "this needs an administrator, or a signatory of the organisation")
}

// managed answers the person, if the actor manages them.
func managed(tx Tx, actor exchange.Actor, id exchange.PersonID) (exchange.Person, error) {
	p, err := tx.Person(id)
	if err != nil {
		return exchange.Person{}, err
	}
	s, err := standingTo(tx, actor, p.Org)
	switch {
	case err != nil:
		return exchange.Person{}, err
	case !s.manages(p):
		return exchange.Person{}, s.refusal()
	}
	return p, nil
}

// page brings a page size into its bounds.
func page(limit int) int {
	const normal, most = 100, 1000
	if limit <= 0 {
		return normal
	}
	return min(limit, most)
}
