package recall

import (
	"context"
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Side is from where an actor looks at an act.
type Side string

// The sides.
const (
	Issuer Side = "issuer" // an organisation that owns what it is about
	Runs   Side = "runs"   // who oversees the program
	Asked  Side = "holder" // an organisation that was given something of it
)

// View is an act as an actor sees it.
type View struct {
	Plan
	Side Side
	Mine *Holder // of a holder: its own line; Plan.Holders is then empty
	// Hidden says that the charter keeps the names of members from each other:
	// holders are numbered.
	Hidden bool
	unseen map[exchange.OrgID]bool // hidden members, whom an originator is not told
}

// sides answers from where the actor looks at an act; exchange.NotFound for who
// may not know of it.
func sides(tx Tx, a exchange.Actor, r Recall) (v View, err error) {
	if a.Anonymous() || !a.Reaches(r.Program) || a.Ceiling != exchange.TLPUnset && a.Ceiling < r.TLP {
		return v, exchange.Missing()
	}
	v.Recall = r
	c, err := tx.Charter(r.Program)
	if err != nil {
		return v, err
	}
	if a.Oversees(c.Owner) {
		v.Side = Runs
		return v, nil
	}
	if slices.Contains(r.Owners, a.Org) && a.Org != c.Owner {
		v.Side, v.Hidden = Issuer, c.Visibility.MembersSee != exchange.SeeNames
		v.unseen, err = tx.HiddenMembers(r.Program)
		return v, err
	}
	h, err := tx.HolderOf(r, a.Org)
	if err != nil {
		return v, err
	}
	m, err := tx.Member(r.Program, a.Org)
	if err != nil {
		return v, err
	}
	named := len(r.Persons) == 0 || slices.Contains(r.Persons, a.Person)
	if !h.Holds() || !named || m.State == exchange.MemberSuspended || !a.May(exchange.VerbRead) {
		return v, exchange.Missing()
	}
	v.Side, v.Mine = Asked, &h
	if v.Object != "" {
		as, err := knownAs(tx, a.Org, v.Object)
		if err != nil {
			return View{}, err
		}
		v.Object, v.Title = as, as
	}
	return v, nil
}

// Read returns an act. Its originator and those who run the program see every
// holder with what it did; a holder sees what it is asked, and its own answer.
func (s *Service) Read(ctx context.Context, a exchange.Actor, id ID) (v View, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		r, err := tx.Recall(id)
		if err != nil {
			return err
		}
		if v, err = sides(tx, a, r); err != nil {
			return err
		}
		if v.Side == Asked {
			return nil
		}
		v.Holders, err = tx.HoldersOfRecall(r)
		return err
	})
	if err != nil {
		return View{}, err
	}
	if v.Side != Asked {
		v.hide(a)
		return v, nil
	}
	v.forHolder()
	// What takes its place is named to those alone who see that.
	if v.Replacement != "" {
		err := s.c.Sees(ctx, a, v.Replacement)
		if exchange.KindOf(err) == exchange.NotFound {
			v.Replacement, err = "", nil
		}
		if err != nil {
			return View{}, err
		}
	}
	return v, nil
}

// forHolder takes away what is not the holder's business: who did it, whom its
// handling names, and how many objects it held, of which some may be withheld.
func (v *View) forHolder() {
	v.Objects, v.Tombstones, v.Number = 0, 0, 0
	v.By, v.Person, v.Owners, v.Persons, v.Was = "", "", nil, nil, exchange.Handling{}
	h := v.Handling
	v.Handling = exchange.Handling{TLP: h.TLP, PAP: h.PAP, Expires: h.Expires, Statement: h.Statement}
}

// hide takes the names of holders away where the charter keeps them.
func (v *View) hide(a exchange.Actor) {
	if !v.Hidden && len(v.unseen) == 0 {
		return
	}
	for i := range v.Holders {
		h := &v.Holders[i]
		if !v.Hidden && (!v.unseen[h.Org] || h.Org == a.Org) {
			continue
		}
		h.Org, h.Name, h.By, h.Notice = "", "", "", ""
	}
	// In an order that says nothing of who they are: by when each had it.
	slices.SortStableFunc(v.Holders, func(a, b Holder) int { return a.Since.Compare(b.Since) })
}

// List lists acts, newest first: those about what the actor's organisation owns
// or was given, and those of the programs that the actor oversees.
func (s *Service) List(ctx context.Context, a exchange.Actor, f Filter) ([]View, error) {
	if a.Anonymous() || !a.May(exchange.VerbRead) && !a.May(exchange.VerbSubmit) {
		return nil, exchange.Missing()
	}
	limit := min(max(f.Limit, 1), 1000)
	var out []View
	err := s.c.Store.View(ctx, func(tx Tx) error {
		out = nil
		all, err := gather(tx, a, Filter{Before: f.Before, Limit: limit})
		if err != nil {
			return err
		}
		for _, r := range all {
			v, err := sides(tx, a, r)
			if exchange.KindOf(err) == exchange.NotFound {
				continue
			}
			if err != nil {
				return err
			}
			if v.Side != Asked {
				if v.Holders, err = tx.HoldersOfRecall(r); err != nil {
					return err
				}
				v.hide(a)
			} else {
				v.forHolder()
				v.Replacement = ""
			}
			out = append(out, v)
		}
		return nil
	})
	return out, err
}

// gather merges what the actor may look at, newest first.
func gather(tx Tx, a exchange.Actor, f Filter) ([]Recall, error) {
	asks := []Filter{{Owner: a.Org}, {Holder: a.Org}}
	if a.Runs() {
		cs, err := tx.Charters()
		if err != nil {
			return nil, err
		}
		for _, c := range cs {
			if a.Oversees(c.Owner) && a.Reaches(c.ID) {
				asks = append(asks, Filter{Program: c.ID})
			}
		}
	}
	var all []Recall
	for _, q := range asks {
		q.Before, q.Limit = f.Before, f.Limit
		some, err := tx.Recalls(q)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b Recall) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return strings.Compare(string(b.ID), string(a.ID))
	})
	all = slices.CompactFunc(all, func(a, b Recall) bool { return a.ID == b.ID })
	return all[:min(len(all), f.Limit)], nil
}
