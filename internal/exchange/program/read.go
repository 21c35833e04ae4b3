package program

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Charter answers the charter in force and its revision: to who oversees the
// program and to active members. For everybody else it does not exist.
func (s *Service) Charter(ctx context.Context, actor exchange.Actor, id exchange.ProgramID) (exchange.Charter, int64, error) {
	var p Stored
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		if p, err = known(tx, actor, id); err == nil {
			err = veil(tx, actor, &p)
		}
		return err
	})
	return p.Charter, p.Revision, err
}

// Export answers the charter as TOML that Apply reads back: to who oversees
// the program.
func (s *Service) Export(ctx context.Context, actor exchange.Actor, id exchange.ProgramID) ([]byte, error) {
	var text []byte
	err := s.c.Store.View(ctx, func(tx Tx) error {
		p, err := known(tx, actor, id)
		if err != nil {
			return err
		}
		if !actor.Oversees(p.Owner) {
			return exchange.Fail(exchange.Denied, "only those who run the program may export its charter")
		}
		text = p.Charter.TOML()
		return nil
	})
	return text, err
}

// List answers, by id, the programs that the actor may know: those that the
// actor oversees, and those of which the organisation is an active member.
func (s *Service) List(ctx context.Context, actor exchange.Actor) ([]Stored, error) {
	var own []Stored
	err := s.c.Store.View(ctx, func(tx Tx) error {
		all, err := tx.Programs()
		if err != nil {
			return err
		}
		for _, p := range all {
			knows, err := mayKnow(tx, actor, p)
			if err != nil {
				return err
			}
			if knows {
				if err := veil(tx, actor, &p); err != nil {
					return err
				}
				own = append(own, p)
			}
		}
		return nil
	})
	return own, err
}

func known(tx Tx, actor exchange.Actor, id exchange.ProgramID) (Stored, error) {
	p, err := tx.Program(id)
	if err != nil {
		return Stored{}, err
	}
	knows, err := mayKnow(tx, actor, p)
	switch {
	case err != nil:
		return Stored{}, err
	case !knows:
		return Stored{}, exchange.Missing()
	}
	return p, nil
}

func mayKnow(tx Tx, actor exchange.Actor, p Stored) (bool, error) {
	switch {
	case !actor.Reaches(p.ID):
		return false, nil
	case actor.Oversees(p.Owner):
		return true, nil
	case actor.Org == "":
		return false, nil
	}
	m, err := tx.Member(p.ID, actor.Org)
	if exchange.KindOf(err) == exchange.NotFound {
		return false, nil
	}
	return err == nil && m.State == exchange.MemberActive, err
}
