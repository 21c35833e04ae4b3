package record

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// partsKept are the members of an event that its entry can still be opened with when
// the rest was erased: an evidence bundle shows that it was there.
var partsKept = []string{"v", "at", "kind", "program", "release", "number"}

// left is what is left of an opening, as JSON.
func left(r Recorded) ([]byte, error) {
	whole, err := share{whole: true}.opening(r)
	if errors.Is(err, errNotCarried) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := whole.Show(func(name string) bool { return slices.Contains(partsKept, name) })
	if err != nil {
		return nil, err
	}
	return o.MarshalJSON()
}

// EraseOpening takes away what opens an entry of the ledger: the event, its salt, and
// who acted. What is left says that something of this kind happened in the program at
// that time. The entry stays in the ledger, which verifies as before, and so do
// receipts that were given earlier. It is for who runs the program, and outside
// programs for who administers; the act is recorded with its reason.
func (s *Service) EraseOpening(ctx context.Context, actor exchange.Actor, seq int64, reason string) error {
	if !reads(actor) || seq <= 0 {
		return exchange.Missing()
	}
	reason = trimmed(reason)
	return s.c.Store.Update(ctx, func(tx Tx) error {
		r, err := tx.Recorded(seq)
		if err != nil {
			return err
		}
		v := s.viewer(tx, actor)
		shown, err := v.shows(r)
		if err != nil {
			return err
		}
		if !shown.some() {
			return exchange.Missing()
		}
		owner, err := v.owner(r.Program)
		if err != nil {
			return err
		}
		if r.Program == "" && !actor.Administers() || r.Program != "" && !actor.Operates(owner) {
			return exchange.Fail(exchange.Denied, "openings are erased by who runs the program; nothing was erased")
		}
		switch {
		case reason == "":
			return exchange.InvalidWith("the opening was not erased", []exchange.Problem{{Path: "$.reason", Message: "missing: why it has to go"}})
		case r.Kind == exchange.EventOpeningErased:
			return exchange.Fail(exchange.Conflict, "that something was erased is not erased itself")
		case r.erased():
			return exchange.Fail(exchange.Conflict, "the opening of this entry was erased before")
		}
		kept, err := left(r)
		if err != nil {
			return err
		}
		if err := tx.Blank(seq, kept); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{
			Kind: exchange.EventOpeningErased, Actor: actor, Program: r.Program, Release: r.Release, Org: r.Org,
			Subject: []string{"entry " + strconv.FormatInt(seq, 10)}, Detail: exchange.Detail{"reason": reason, "erased": seq},
		})
		return err
	})
}
