package recall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// carry does what was worked out: tombstones first, stored and durable but known
// to nobody; then, in one transaction, everything that makes it so. again works
// the act out anew in that transaction.
func (s *Service) carry(ctx context.Context, d deed, again func(tx Tx) (deed, error)) (Plan, error) {
	var g *grave
	if d.buries() {
		var err error
		if g, err = s.bury(ctx, d); err != nil {
			return Plan{}, err
		}
		defer g.close()
	}
	var done Plan
	id := ID(exchange.RandomID("rcl"))
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		now, err := again(tx)
		if err != nil {
			return err
		}
		if now.buries() && g == nil {
			return errMeanwhile
		}
		if g != nil {
			if ok, err := g.fits(tx, now); err != nil || !ok {
				return cmp.Or(err, errMeanwhile)
			}
		}
		now.ID = id
		done = Plan{}
		if err := now.do(tx, s, g); err != nil {
			return err
		}
		done = now.Plan
		return nil
	})
	if g != nil && (err != nil || done.Tombstones == 0) {
		// Also when the caller has gone: what is left behind only waits for the sweep.
		if failed := s.drop(context.WithoutCancel(ctx), g.number); failed != nil && err == nil {
			err = failed
		}
	}
	return done, err
}

// buries reports whether somebody is to be given tombstones.
func (d deed) buries() bool {
	holds := d.artifact.Kind == exchange.ArtifactSTIX || d.artifact.Kind == exchange.ArtifactJournal
	return holds && slices.ContainsFunc(d.Holders, buried)
}

// buried reports whether a holder's machines may have taken objects in, which
// they are told are revoked.
func buried(h Holder) bool {
	return h.Loses && (h.Near == exchange.ExposureServed || h.Near == exchange.ExposureDownloaded)
}

// do is the one transaction.
func (d *deed) do(tx Tx, s *Service, g *grave) error {
	if err := d.take(tx); err != nil {
		return err
	}
	if g != nil {
		if err := d.give(tx, s, g); err != nil {
			return err
		}
	}
	var err error
	if d.Event, err = tx.Record(d.event()); err != nil {
		return err
	}
	if err := tx.PutRecall(d.Recall, d.Holders); err != nil {
		return err
	}
	if err := d.tell(tx); err != nil {
		return err
	}
	if err := s.c.Derived(tx, d.Recall); err != nil {
		return err
	}
	return tx.BumpGeneration()
}

// take changes what holds.
func (d *deed) take(tx Tx) error {
	switch {
	case d.settle && d.Clock(): // it has expired already
	case d.Kind == Narrowed || d.Kind == Expired:
		if err := tx.SetHandling(d.Number, d.Handling); err != nil {
			return err
		}
	case d.object != "":
		if err := tx.TakeOut(d.objects); err != nil {
			return err
		}
	default:
		if err := tx.MarkRecalled(d.Number); err != nil {
			return err
		}
	}
	if d.Replacement != "" && d.object == "" {
		by, err := tx.Artifact(d.Replacement)
		if err != nil {
			return err
		}
		if err := tx.SetSupersedes(by.Number, d.Artifact); err != nil {
			return err
		}
	}
	if !d.settle {
		return nil
	}
	first, err := tx.Settle(d.Number)
	if err == nil && !first && d.Clock() {
		err = errSettled
	}
	return err
}

// errSettled says that another process told of the expiry first.
var errSettled = errors.New("the expiry was told already")

// give makes the tombstones exist, and gives them to those who lose what they
// were delivered.
func (d *deed) give(tx Tx, s *Service, g *grave) error {
	a := g.artifact
	if a.Objects == 0 { // nothing that can be revoked
		return nil
	}
	a.SubmittedAt = tx.Now()
	if err := tx.ReadyTombstones(a); err != nil {
		return err
	}
	for i := range d.Holders {
		h := &d.Holders[i]
		if !buried(*h) {
			continue
		}
		_, err := tx.Member(d.Program, h.Org)
		if exchange.KindOf(err) == exchange.NotFound { // it never had a collection
			continue
		}
		if err != nil {
			return err
		}
		if err := tx.GiveTo(d.Program, h.Org, []int64{a.Number}, time.Time{}); err != nil {
			return err
		}
		h.Tombs = true
	}
	d.Tombstones = a.Number
	return nil
}

func (d *deed) event() exchange.Event {
	subject := []string{string(d.ID), string(d.Artifact)}
	if d.object != "" {
		subject = append(subject, d.object)
	}
	return exchange.Event{
		Kind: exchange.EventRecalled, Actor: d.actor, Program: d.Program, Release: d.Release, Subject: subject,
		Detail: exchange.Detail{
			"kind": string(d.Kind), "reason": d.Reason, "message": d.Message, "effective": d.Effective, "replacement": string(d.Replacement),
			"holders": d.Held(), "losing": d.Losing(), "offered": len(d.Holders) - d.Held(), "objects": d.Objects,
			"tlp": d.Handling.TLP.String(), "expires": d.Handling.Expires,
		},
	}
}

// tell leaves every holder a notice: what is asked of those who lose it, and what
// holds from now on to the others. Who was offered it and took nothing has
// nothing to delete, and is not told.
func (d *deed) tell(tx Tx) error {
	lose, keep := map[string][]exchange.OrgID{}, map[string][]exchange.OrgID{} // by how they know it
	for _, h := range d.Holders {
		switch {
		case !h.Holds():
		case h.Loses:
			lose[h.as] = append(lose[h.as], h.Org)
		default:
			keep[h.as] = append(keep[h.as], h.Org)
		}
	}
	// Not under the release: who loses it may not see that any more.
	n := exchange.Notice{Program: d.Program, Kind: exchange.EventRecalled, Event: d.Event}
	for as, orgs := range lose {
		n.Text = d.to(as).asks()
		if err := tx.Notify(orgs, n); err != nil {
			return err
		}
	}
	for as, orgs := range keep {
		n.Text = d.to(as).says()
		if err := tx.Notify(orgs, n); err != nil {
			return err
		}
	}
	return nil
}

// to is the act as it is told to those who know its object by the identifier.
func (r Recall) to(as string) Recall {
	if as != "" {
		r.Object, r.Title = as, as
	}
	return r
}

const dropRows = 20_000

// drop removes staged tombstones, some rows at a time.
func (s *Service) drop(ctx context.Context, number int64) error {
	for {
		gone := false
		err := s.c.Store.Update(ctx, func(tx Tx) (err error) {
			gone, err = tx.DropStaged(number, dropRows)
			return err
		})
		if err != nil {
			return fmt.Errorf("dropping staged tombstones: %w", err)
		}
		if gone {
			return nil
		}
	}
}
