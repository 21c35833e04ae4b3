package record

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Page sizes of events.
const (
	normalPage = 100
	mostPage   = 1000
)

// Events lists events in commit order: those after f.After, f.Limit of them
// (100 when it is 0, at most 1,000).
//
// Who oversees a program, named in f.Program, sees what happened in it.
// Everybody else, and overseers where no program is named, see what their own
// organisation did, or what was done to it, in the programs of others; a member
// that owns programs sees those as overseer or not at all. Acts outside every
// program, such as sign-ins, are seen by administrators, by the organisation's
// auditors and signatories, and by the person concerned. What may not be seen
// is left out without a trace.
func (s *Service) Events(ctx context.Context, actor exchange.Actor, f EventFilter) ([]Entry, error) {
	// An event names what it is about, whatever its label.
	if actor.Anonymous() || !actor.May(exchange.VerbRead) || actor.Capped() {
		return nil, exchange.Missing()
	}
	limit := f.Limit
	if limit <= 0 {
		limit = normalPage
	}
	limit = min(limit, mostPage)
	var out []Entry
	err := s.c.Store.View(ctx, func(tx Tx) error {
		v := s.viewer(tx, actor)
		f, some, err := v.narrow(f)
		if err != nil || !some {
			return err
		}
		f.Limit = mostPage
		if v.everything {
			f.Limit = limit
		}
		for len(out) < limit {
			page, err := tx.Events(f)
			if err != nil {
				return err
			}
			for _, e := range page {
				sees, err := v.sees(e)
				if err != nil {
					return err
				}
				if sees && len(out) < limit {
					out = append(out, e)
				}
			}
			if len(page) < f.Limit {
				return nil
			}
			f.After = page[len(page)-1].Seq
		}
		return nil
	})
	return out, err
}

// viewer decides which events an actor sees.
type viewer struct {
	tx         Tx
	actor      exchange.Actor
	now        time.Time
	charters   map[exchange.ProgramID]exchange.Charter
	members    map[exchange.ProgramID]bool // the actor's organisation takes part
	everything bool                        // all that the filter lets through
}

// charter is the charter of a program, the zero value for one that does not exist.
func (v *viewer) charter(p exchange.ProgramID) (exchange.Charter, error) {
	if c, ok := v.charters[p]; ok {
		return c, nil
	}
	c, err := v.tx.Charter(p)
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return exchange.Charter{}, err
	}
	v.charters[p] = c
	return c, nil
}

// owner is the owner of a program, empty for one that does not exist.
func (v *viewer) owner(p exchange.ProgramID) (exchange.OrgID, error) {
	c, err := v.charter(p)
	return c.Owner, err
}

func (v *viewer) oversees(p exchange.ProgramID) (bool, error) {
	owner, err := v.owner(p)
	return err == nil && owner != "" && v.actor.Oversees(owner), err
}

// narrow lets the filter ask for no more than the actor may see, as far as a
// filter can say that; some is false when nothing is left.
func (v *viewer) narrow(f EventFilter) (_ EventFilter, some bool, err error) {
	if v.actor.Program != "" {
		if f.Program != "" && f.Program != v.actor.Program {
			return f, false, nil
		}
		f.Program = v.actor.Program
	}
	wide := v.actor.Channel == exchange.ChannelSystem
	if f.Program != "" && !wide {
		wide, err = v.oversees(f.Program)
	}
	v.everything = wide
	if err != nil || wide || f.Program == "" && v.actor.Administers() {
		return f, true, err
	}
	if v.actor.Org == "" || f.Org != "" && f.Org != v.actor.Org {
		return f, false, nil
	}
	f.Org = v.actor.Org
	return f, true, nil
}

func (v *viewer) sees(e Entry) (bool, error) {
	if v.everything {
		return true, nil
	}
	own := v.actor.Org != "" && e.Org == v.actor.Org
	if e.Program == "" {
		return v.actor.Administers() || own && (e.Person == v.actor.Person ||
			v.actor.Is(exchange.RoleAuditor) || v.actor.Is(exchange.RoleSignatory)), nil
	}
	oversees, err := v.oversees(e.Program)
	if err != nil || oversees {
		return oversees, err
	}
	owner, err := v.owner(e.Program)
	return own && owner != v.actor.Org, err
}
