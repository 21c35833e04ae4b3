package contribution

import (
	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// writer is who writes, under the charter in force.
type writer struct {
	actor   exchange.Actor
	charter exchange.Charter
}

// admit reads the facts and says whether the actor may write into the program.
// Members write: active ones, under the current agreement, of the cohorts that
// the charter names, with a credential that may submit.
func admit(tx Tx, a exchange.Actor, program exchange.ProgramID) (writer, error) {
	if a.Anonymous() || !a.Reaches(program) {
		return writer{}, exchange.Missing()
	}
	c, err := tx.Charter(program)
	if err != nil {
		return writer{}, err
	}
	m, active, err := membership(tx, a, c)
	if err != nil {
		return writer{}, err
	}
	deny := func(public string) (writer, error) {
		return writer{}, exchange.Fail(exchange.Denied, "%s; nothing was stored", public)
	}
	switch {
	case !active && a.Oversees(c.Owner):
		return deny("members of the program write; hand in a release instead")
	case !active:
		return writer{}, exchange.Missing()
	case !a.May(exchange.VerbSubmit):
		return deny("the credential may not submit")
	case !c.MayWrite(m.Audience.Cohort):
		return deny("members of this cohort do not write into the program")
	case m.Accepted < c.Required(tx.Now()):
		return deny("the program's agreement has not been accepted")
	case c.ReadOnlyAt(tx.Now()):
		return deny("the program's sunset date has passed: reads work, new shares are refused")
	}
	return writer{a, c}, nil
}

// membership is the actor's, and whether it is active.
func membership(tx Tx, a exchange.Actor, c exchange.Charter) (exchange.Member, bool, error) {
	m, err := tx.Member(c.ID, a.Org)
	if exchange.KindOf(err) == exchange.NotFound {
		return m, false, nil
	}
	if err != nil {
		return m, false, err
	}
	o, err := tx.Organisation(a.Org)
	return m, err == nil && m.State == exchange.MemberActive && o.SuspendedAt.IsZero(), err
}
