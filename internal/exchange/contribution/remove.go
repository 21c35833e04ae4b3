package contribution

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Remove takes an object out: the versions that drop answers true for, of those
// that the actor may take out. Who wrote it, and operators of the program, may.
// version is in Unix microseconds, 0 for an object without versions; oldest and
// newest are among the versions that the actor may take out.
//
// Errors: exchange.NotFound for what the actor may not know of and for what does
// not exist, Denied where others wrote it.
func (s *Service) Remove(ctx context.Context, a exchange.Actor, program exchange.ProgramID, object string, drop func(version int64, oldest, newest bool) bool) error {
	err := s.c.Store.View(ctx, func(tx Tx) error {
		_, err := remover(tx, a, program)
		return err
	})
	if err != nil {
		return err
	}
	l, err := s.enter(ctx, program)
	if err != nil {
		return err
	}
	defer l.leave()
	var others []Bearer
	removed := 0
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		removed, others = 0, nil
		org, err := remover(tx, a, program)
		if err != nil {
			return err
		}
		bs, err := tx.WrittenBy(program, org, object)
		if err != nil {
			return err
		}
		gone := chosen(bs, drop)
		if removed = len(gone); removed == 0 {
			if len(bs) == 0 && org != "" {
				others, err = tx.Bearing(program, a.Org, []Key{{object, anyVersion}})
			}
			return err
		}
		if err := tx.RemoveObjects(gone); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{
			Kind: exchange.EventContributionGone, Actor: a, Program: program, Org: gone[0].Org, Subject: []string{object},
			Detail: exchange.Detail{"versions": removed},
		})
		if err != nil {
			return err
		}
		return tx.BumpGeneration()
	})
	if err != nil || removed > 0 {
		return err
	}
	shown, err := s.shown(ctx, &job{actor: a, program: program}, others)
	if err != nil {
		return err
	}
	for _, ok := range shown {
		if ok {
			return exchange.Fail(exchange.Denied, "another organisation wrote this object; nothing was removed")
		}
	}
	return exchange.Missing()
}

// remover answers whose objects the actor may take out; the empty organisation:
// everybody's.
func remover(tx Tx, a exchange.Actor, program exchange.ProgramID) (exchange.OrgID, error) {
	c, err := tx.Charter(program)
	if err != nil {
		return "", err
	}
	if a.Operates(c.Owner) && a.Reaches(program) {
		return "", nil
	}
	_, err = admit(tx, a, program)
	return a.Org, err
}

func chosen(bs []Bearer, drop func(version int64, oldest, newest bool) bool) (out []Bearer) {
	if len(bs) == 0 {
		return nil
	}
	oldest, newest := bs[0].Version, bs[0].Version
	for _, b := range bs {
		oldest, newest = min(oldest, b.Version), max(newest, b.Version)
	}
	for _, b := range bs {
		if drop == nil || drop(b.Version, b.Version == oldest, b.Version == newest) {
			out = append(out, b)
		}
	}
	return out
}
