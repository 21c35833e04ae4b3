package webhook

import (
	"context"
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// standing is whom a webhook acts as, and how it stands.
type standing struct {
	actor  exchange.Actor
	silent string // why nothing is sent; empty: it is
	waits  int    // pending messages of the kind collection.changed
}

// stand gathers what the transaction knows of a webhook's standing. One whose
// person or token is gone is silent, and keeps no other from being looked at.
func stand(tx Tx, w Webhook) (standing, error) {
	st, err := standingOf(tx, w)
	if exchange.KindOf(err) == exchange.NotFound {
		return standing{silent: "the person or the token for which it acts is no longer known"}, nil
	}
	return st, err
}

func standingOf(tx Tx, w Webhook) (st standing, err error) {
	p, err := tx.Person(w.Person)
	if err != nil {
		return st, err
	}
	o, err := tx.Organisation(w.Org)
	if err != nil {
		return st, err
	}
	if st.waits, err = tx.PendingOf(w.ID, KindChanged); err != nil {
		return st, err
	}
	st.actor = w.Actor(p)
	switch {
	case !o.SuspendedAt.IsZero():
		st.silent = "the organisation is suspended"
	case !p.SuspendedAt.IsZero():
		st.silent = "the person is suspended"
	case !tx.Now().Before(w.ExpiresAt):
		st.silent = "it has expired; resume it to renew it"
	}
	if st.silent != "" || w.Token == "" {
		return st, nil
	}
	t, err := tx.Token(w.Token)
	switch {
	case err != nil:
		return st, err
	case !t.RevokedAt.IsZero():
		st.silent = "the token with which it was made is revoked; resume it with another"
	case !tx.Now().Before(t.ExpiresAt):
		st.silent = "the token with which it was made has expired; resume it with another"
	}
	return st, nil
}

// reads adds to the standing whether the actor has a collection at all. Only
// the organisation that made the webhook is told why it is silent.
func (s *Service) reads(ctx context.Context, w Webhook, st *standing) error {
	if st.silent != "" {
		return nil
	}
	_, err := s.c.Reads.Collection(ctx, st.actor, w.Program)
	if exchange.KindOf(err) == exchange.NotFound {
		st.silent = "the organisation reads nothing in the program: no active member, in no cohort, or without the agreement in force"
		return nil
	}
	return err
}

// acts is the whole standing of one webhook.
func (s *Service) acts(ctx context.Context, w Webhook) (st standing, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		st, err = stand(tx, w)
		return err
	})
	if err == nil {
		err = s.reads(ctx, w, &st)
	}
	return st, err
}

// scanPage is how many webhooks are looked at in one go.
const scanPage = 200

// Scan queues a message for each webhook whose view has something after its
// cursor, unless one waits already.
func (s *Service) Scan(ctx context.Context) error {
	for after := ID(""); ; {
		var page []Webhook
		var stands []standing
		err := s.c.Store.View(ctx, func(tx Tx) (err error) {
			if page, err = tx.ActiveWebhooks(after, scanPage); err != nil {
				return err
			}
			stands = make([]standing, len(page))
			for i, w := range page {
				if stands[i], err = stand(tx, w); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i, w := range page {
			if err := s.look(ctx, w, stands[i]); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				s.c.Log.Error("looking for what a webhook announces", "webhook", string(w.ID), "err", err)
			}
		}
		if len(page) < scanPage {
			return nil
		}
		after = page[len(page)-1].ID
	}
}

// look queues what one webhook has to announce.
func (s *Service) look(ctx context.Context, w Webhook, st standing) error {
	if err := s.reads(ctx, w, &st); err != nil || st.silent != "" {
		return err
	}
	if st.waits == 0 {
		n, err := s.c.Reads.News(ctx, st.actor, w.Program, w.Cursor)
		if err != nil {
			return err
		}
		if n.Count > 0 {
			d := Delivery{Kind: KindChanged, After: w.Cursor, Last: n.Last, Count: n.Count, More: n.More}
			if err := s.queue(ctx, w, d); err != nil {
				return err
			}
		}
	}
	if !w.Notices {
		return nil
	}
	return s.notices(ctx, w, st.actor)
}

// queue adds a message, unless the webhook changed since it was read. On
// several machines only the first adds it.
func (s *Service) queue(ctx context.Context, w Webhook, d Delivery) error {
	return s.c.Store.Update(ctx, func(tx Tx) error {
		now, err := tx.Webhook(w.ID)
		if exchange.KindOf(err) == exchange.NotFound {
			return nil
		}
		if err != nil || now.State != Active || now.Cursor != w.Cursor {
			return err
		}
		n, err := tx.PendingOf(w.ID, d.Kind)
		if err != nil || n > 0 {
			return err
		}
		return put(tx, w.ID, d)
	})
}

func put(tx Tx, id ID, d Delivery) error {
	d.ID, d.Webhook, d.QueuedAt, d.State, d.NextAt = exchange.RandomID("msg"), id, tx.Now(), Pending, tx.Now()
	return tx.PutDelivery(&d)
}

// noticesAtOnce is how many notices one look takes up.
const noticesAtOnce = 100

// notices queues one message for each notice of the program that came after
// the last one queued.
func (s *Service) notices(ctx context.Context, w Webhook, a exchange.Actor) error {
	all, err := s.c.Reads.Notices(ctx, a, time.Time{}, noticesAtOnce)
	if err != nil {
		return err
	}
	fresh := false
	for _, n := range all {
		fresh = fresh || n.Event > w.NoticeCursor
	}
	if !fresh {
		return nil
	}
	return s.c.Store.Update(ctx, func(tx Tx) error {
		now, err := tx.Webhook(w.ID)
		if err != nil || now.State != Active {
			return orGone(err)
		}
		waiting, err := tx.PendingOf(w.ID, "")
		if err != nil {
			return err
		}
		last := now.NoticeCursor
		for i := len(all) - 1; i >= 0; i-- { // oldest first
			n := all[i]
			if n.Event <= now.NoticeCursor {
				continue
			}
			last = max(last, n.Event)
			if n.Program != w.Program || waiting >= maxWaiting {
				continue // what is left out stands in the list of notices
			}
			waiting++
			if err := put(tx, w.ID, Delivery{Kind: KindNotice, Subject: n.ID}); err != nil {
				return err
			}
		}
		now.NoticeCursor = last
		return tx.PutWebhook(now)
	})
}

// orGone lets a webhook be removed meanwhile.
func orGone(err error) error {
	if exchange.KindOf(err) == exchange.NotFound {
		return nil
	}
	return err
}

// body is the message as it goes out: the same bytes in every attempt.
func (s *Service) body(ctx context.Context, w Webhook, a exchange.Actor, d Delivery) ([]byte, error) {
	m := map[string]any{"type": d.Kind, "timestamp": d.QueuedAt.UTC().Format(exchange.TimeFormat)}
	switch d.Kind {
	case KindChanged:
		id, err := s.c.Reads.Collection(ctx, a, w.Program)
		if err != nil {
			return nil, err
		}
		after := time.UnixMicro(d.After).UTC().Format(exchange.TimeFormat)
		data := map[string]any{
			"collection": id, "program": string(w.Program), "added_after": after,
			"url": s.c.Objects(id) + "?added_after=" + after, "count_hint": d.Count,
		}
		if d.More {
			data["more"] = true
		}
		m["data"] = data
	case KindNotice:
		m["data"] = map[string]any{"notice": string(d.Subject), "program": string(w.Program)}
	case KindTest:
		m["data"] = map[string]any{"webhook": string(w.ID), "program": string(w.Program)}
	default:
		return nil, fmt.Errorf("a message of the unknown kind %q", d.Kind)
	}
	return marshal(m)
}
