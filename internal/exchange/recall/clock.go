package recall

import (
	"context"
	"errors"
	"fmt"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// atOnce is how many artifacts or acts one look takes up.
const atOnce = 500

// Tick does what the clock brings: it tells holders, once, of what has expired,
// and reminds those who are silent. Several machines may call it at once.
func (s *Service) Tick(ctx context.Context) error {
	return errors.Join(s.expire(ctx), s.remindAll(ctx))
}

func (s *Service) expire(ctx context.Context) error {
	var failed error
	for after := int64(0); ; {
		var page []Expiry
		var due, never []int64
		err := s.c.Store.View(ctx, func(tx Tx) (err error) {
			due, never = nil, nil
			page, err = tx.Expiring(after, atOnce)
			for _, e := range page {
				after = e.Artifact
				switch {
				case e.At.IsZero():
					never = append(never, e.Artifact)
				case !e.At.After(tx.Now()):
					due = append(due, e.Artifact)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := s.settle(ctx, never...); err != nil {
			return err
		}
		for _, n := range due {
			if err := s.expireOne(ctx, n); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				failed = errors.Join(failed, fmt.Errorf("telling of an expiry: %w", err))
			}
		}
		if len(page) < atOnce {
			return failed
		}
	}
}

func (s *Service) settle(ctx context.Context, numbers ...int64) error {
	if len(numbers) == 0 {
		return nil
	}
	return s.c.Store.Update(ctx, func(tx Tx) error {
		for _, n := range numbers {
			if _, err := tx.Settle(n); err != nil {
				return err
			}
		}
		return nil
	})
}

// expireOne tells of one artifact that has expired. Where nobody had it, there
// is nothing to tell.
func (s *Service) expireOne(ctx context.Context, number int64) error {
	var d deed
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		d, err = s.lapse(tx, number)
		return err
	})
	if err != nil {
		return err
	}
	if d.Held() == 0 {
		return s.settle(ctx, number)
	}
	_, err = s.carry(ctx, d, func(tx Tx) (deed, error) { return s.lapse(tx, number) })
	if errors.Is(err, errSettled) || errors.Is(err, errMeanwhile) { // another machine did it, or the next look does
		return nil
	}
	return err
}

// lapse works out the expiry that came.
func (s *Service) lapse(tx Tx, number int64) (d deed, err error) {
	d.actor, d.settle = exchange.System(), true
	if d.artifact, err = tx.ArtifactByNumber(number); err != nil {
		return d, err
	}
	if d.charter, err = tx.Charter(d.artifact.Program); err != nil {
		return d, err
	}
	if d.release, err = tx.Release(d.artifact.Release); err != nil {
		return d, err
	}
	d.arts, d.owners = []exchange.Artifact{d.artifact}, d.artifact.Owners()
	a := d.artifact
	d.Recall = Recall{
		Kind: Expired, Program: a.Program, Release: a.Release, Artifact: a.ID, Number: a.Number, Title: a.Title, TLP: d.label(a.Handling),
		Person: exchange.System().Person, Owners: d.owners, At: tx.Now(), Effective: a.Handling.Expires,
		Reason: "its handling expired", Was: a.Handling, Handling: a.Handling, Objects: a.Objects,
	}
	if d.TLP == exchange.TLPRed {
		d.Persons = a.Handling.Persons
	}
	if !a.RecalledAt.IsZero() || !a.RemovedAt.IsZero() { // it was told already, or nobody had it
		return d, nil
	}
	return d, d.whom(s, tx)
}

// remindAll reminds the silent holders of every act whose time has come.
func (s *Service) remindAll(ctx context.Context) error {
	for nth := len(s.c.Remind); nth > 0; nth-- { // the last first: who was away gets one, not all
		wait := s.c.Remind[nth-1]
		var ids []ID
		err := s.c.Store.View(ctx, func(tx Tx) (err error) {
			ids, err = tx.Silent(nth, tx.Now().Add(-wait), atOnce)
			return err
		})
		if err != nil {
			return err
		}
		for _, id := range ids {
			err := s.c.Store.Update(ctx, func(tx Tx) error {
				r, err := tx.Recall(id)
				if err != nil {
					return err
				}
				_, err = remind(tx, exchange.System(), r, nth)
				return err
			})
			if err != nil {
				return fmt.Errorf("reminding holders: %w", err)
			}
		}
	}
	return nil
}
