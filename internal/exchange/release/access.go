package release

import (
	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// operated returns the program's charter if the actor runs it. Who may not
// know that it exists is told that it does not.
func operated(tx Tx, a exchange.Actor, program exchange.ProgramID) (exchange.Charter, error) {
	c, err := overseen(tx, a, program)
	if err != nil {
		return c, err
	}
	if !a.Operates(c.Owner) {
		return c, exchange.Fail(exchange.Denied, "only an operator of the program may do this; nothing was changed")
	}
	return c, nil
}

func overseen(tx Tx, a exchange.Actor, program exchange.ProgramID) (exchange.Charter, error) {
	if !a.Runs() {
		return exchange.Charter{}, exchange.Missing()
	}
	c, err := tx.Charter(program)
	if err != nil {
		return c, err
	}
	if !a.Oversees(c.Owner) || !a.Reaches(program) {
		return c, exchange.Missing()
	}
	return c, nil
}

// mine returns a release that the actor runs, and its charter.
func mine(tx Tx, a exchange.Actor, id exchange.ReleaseID) (exchange.Release, exchange.Charter, error) {
	if !a.Runs() {
		return exchange.Release{}, exchange.Charter{}, exchange.Missing()
	}
	r, err := tx.Release(id)
	if err != nil {
		return r, exchange.Charter{}, err
	}
	if r.Standing {
		return exchange.Release{}, exchange.Charter{}, exchange.Missing()
	}
	c, err := operated(tx, a, r.Program)
	return r, c, err
}

// seen returns a release that the actor oversees, and its charter.
func seen(tx Tx, a exchange.Actor, id exchange.ReleaseID) (exchange.Release, exchange.Charter, error) {
	if !a.Runs() {
		return exchange.Release{}, exchange.Charter{}, exchange.Missing()
	}
	r, err := tx.Release(id)
	if err != nil {
		return r, exchange.Charter{}, err
	}
	if r.Standing {
		return exchange.Release{}, exchange.Charter{}, exchange.Missing()
	}
	c, err := overseen(tx, a, r.Program)
	return r, c, err
}

func current(r exchange.Release, ifVersion int64) error {
	if ifVersion != 0 && ifVersion != r.Version {
		return exchange.Fail(exchange.Precondition, "the release was changed meanwhile (version %d, you saw %d); nothing was changed, read it again", r.Version, ifVersion)
	}
	return nil
}

func sunset(c exchange.Charter) error {
	return exchange.Fail(exchange.Conflict, "the program's sunset date %s has passed: reads work, new shares are refused until the charter is renewed", c.Sunset)
}

func event(k exchange.EventKind, a exchange.Actor, r exchange.Release, d exchange.Detail) exchange.Event {
	return exchange.Event{Kind: k, Actor: a, Program: r.Program, Release: r.ID, Detail: d}
}
