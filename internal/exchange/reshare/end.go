package reshare

import (
	"context"
	"fmt"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Withdraw takes a request back that waits for answers.
//
// Errors: exchange.NotFound, Denied for whoever did not ask, Conflict when it is
// decided.
func (s *Service) Withdraw(ctx context.Context, a exchange.Actor, id ID) (View, error) {
	return s.change(ctx, a, act{find: func(tx Tx) (Request, error) {
		r, p, err := find(tx, a, id)
		switch {
		case err != nil:
			return r, err
		case !p.asker || !asks(a):
			return r, exchange.Fail(exchange.Denied, "only who asked takes a request back")
		case r.State == Withdrawn:
			return r, nil
		case r.State != Open:
			return r, exchange.Fail(exchange.Conflict, "the request is %s; nothing was changed", r.State)
		}
		return r, nil
	}, do: func(tx Tx, r Request) (Request, error) {
		if r.State == Withdrawn {
			return r, nil
		}
		r.State, r.DecidedAt = Withdrawn, tx.Now()
		var waiting []exchange.OrgID
		for _, o := range r.Owners {
			if o != a.Org {
				waiting = append(waiting, o)
			}
		}
		return r, tell(tx, &r, waiting, exchange.EventReshareWithdrawn, a, "The request "+string(r.ID)+" was taken back: "+title(r)+".")
	}})
}

// Revoke ends what was granted, at once: any originator may.
//
// Errors: exchange.NotFound, Denied for whoever is no originator, Conflict when
// nothing is in force.
func (s *Service) Revoke(ctx context.Context, a exchange.Actor, id ID) (View, error) {
	return s.change(ctx, a, act{find: func(tx Tx) (Request, error) {
		r, p, err := find(tx, a, id)
		switch {
		case err != nil:
			return r, err
		case !p.owner:
			return r, exchange.Fail(exchange.Denied, "only the originators of the item revoke what they granted")
		case !answers(a):
			return r, exchange.Fail(exchange.Denied, "operators, approvers and signatories of an originator answer for it")
		case r.State == Revoked:
			return r, nil
		case r.Kind == Loosen:
			return r, exchange.Fail(exchange.Conflict, "a handling that was loosened is not taken back here; narrow it, which reaches those who hold it")
		case !r.InForce(tx.Now()):
			return r, exchange.Fail(exchange.Conflict, "nothing of this request is in force; nothing was changed")
		}
		return r, nil
	}, do: func(tx Tx, r Request) (Request, error) {
		if r.State == Revoked {
			return r, nil
		}
		return r, revoke(tx, a, &r)
	}})
}

func revoke(tx Tx, a exchange.Actor, r *Request) error {
	r.State, r.RevokedAt = Revoked, tx.Now()
	number := r.Number
	if r.Object.ID != "" {
		number = r.Copy
	}
	for _, org := range r.Given {
		until := tx.Now()
		if r.Object.ID == "" {
			others, err := tx.GrantsOn(r.Number, "")
			if err != nil {
				return err
			}
			for _, o := range others {
				if o.ID != r.ID && o.InForce(tx.Now()) && slices.Contains(o.Given, org) {
					until = exchange.Later(until, o.End())
				}
			}
		}
		if err := tx.GiveTo(r.Program, org, []int64{number}, until); err != nil {
			return err
		}
	}
	to := append([]exchange.OrgID{r.By}, r.Told...)
	err := tell(tx, r, to, exchange.EventReshareRevoked, a, "What was granted by the request "+string(r.ID)+" has ended: an originator revoked it. Use and pass on "+title(*r)+" no further under it.")
	if err != nil {
		return err
	}
	return tx.BumpGeneration()
}

const lapseAtOnce = 200

// Lapse ends the requests that were not answered in time, and tells those who
// asked. Doing it again changes nothing. The server calls it every minute; until
// then a request that has lapsed reads so already.
func (s *Service) Lapse(ctx context.Context) error {
	for {
		n := 0
		err := s.c.Store.Update(ctx, func(tx Tx) error {
			due, err := tx.DueReshares(tx.Now(), lapseAtOnce)
			if err != nil {
				return err
			}
			n = len(due)
			for _, r := range due {
				if r = r.At(tx.Now()); r.State != Lapsed {
					continue
				}
				text := "The request " + string(r.ID) + " has lapsed: not every originator answered in time. That is a no: " + title(r) + "."
				if err := tell(tx, &r, []exchange.OrgID{r.By}, exchange.EventReshareLapsed, exchange.System(), text); err != nil {
					return err
				}
				if err := tx.PutReshare(r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("ending requests that nobody answered: %w", err)
		}
		if n < lapseAtOnce {
			return nil
		}
	}
}
