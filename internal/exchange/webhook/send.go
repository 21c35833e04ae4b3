package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Schedule is how long after each failed attempt the next one follows (Standard
// Webhooks, "Retries"): ten attempts in a little over three days.
var Schedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

const (
	inFlight   = 32              // messages on their way at once
	perHost    = 4               // of them to one host
	perOrg     = 8               // and of one organisation, so that none keeps the others waiting
	lease      = time.Minute     // after which an attempt without an outcome is made again
	standstill = time.Minute     // how long a silent webhook is left alone
	fresh      = 2 * time.Second // for how long what was looked up when queueing holds
	retryMost  = time.Hour       // the most of a Retry-After that is heeded
	kept       = 30 * 24 * time.Hour
	atOnce     = 4096 // webhooks in one look at the queue
)

func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("writing a message: %w", err)
	}
	return b, nil
}

// Send starts every message that is due, within the limits, and returns when
// the next is due; zero: none waits. It does not wait for answers; see Wait.
func (s *Service) Send(ctx context.Context) (next time.Time, err error) {
	var due []Delivery
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		if due, err = tx.DueDeliveries(tx.Now(), atOnce); err != nil {
			return err
		}
		next, err = tx.NextDelivery()
		return err
	})
	for i := 0; err == nil && i < len(due); i++ {
		if one := s.start(ctx, due[i]); one != nil && ctx.Err() == nil {
			s.c.Log.Error("sending a webhook", "webhook", string(due[i].Webhook), "err", one)
		}
		err = ctx.Err()
	}
	return next, err
}

// Wait waits for the messages on their way.
func (s *Service) Wait() { s.flying.Wait() }

// start claims one delivery and sends it in the background.
func (s *Service) start(ctx context.Context, d Delivery) error {
	var w Webhook
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		w, err = tx.Webhook(d.Webhook)
		return err
	})
	if err != nil {
		return orGone(err)
	}
	if !s.enter(w) {
		return nil
	}
	m, err := s.claim(ctx, w, &d)
	if err != nil || m == nil {
		s.leave(w)
		return err
	}
	s.flying.Go(func() {
		defer s.leave(w)
		at := s.c.Sender.Send(ctx, *m)
		if ctx.Err() != nil && at.Status == 0 {
			return // the server ends: the lease runs out and the message goes again
		}
		if err := s.finish(context.WithoutCancel(ctx), d, at); err != nil {
			s.c.Log.Error("noting what became of a webhook's message", "webhook", string(w.ID), "err", err)
		}
	})
	return nil
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// enter takes one place: one message of a webhook at a time, so that they
// arrive in order, some for each host and organisation, some in all.
func (s *Service) enter(w Webhook) bool {
	host := hostOf(w.URL)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[w.ID] || len(s.busy) >= inFlight || s.hosts[host] >= perHost || s.orgs[w.Org] >= perOrg {
		return false
	}
	s.busy[w.ID] = true
	s.hosts[host]++
	s.orgs[w.Org]++
	return true
}

func (s *Service) leave(w Webhook) {
	host := hostOf(w.URL)
	s.mu.Lock()
	delete(s.busy, w.ID)
	if s.orgs[w.Org]--; s.orgs[w.Org] <= 0 {
		delete(s.orgs, w.Org)
	}
	s.todo[w.ID] = true // what came meanwhile waits for a message of its own
	if s.hosts[host]--; s.hosts[host] <= 0 {
		delete(s.hosts, host)
	}
	s.mu.Unlock()
	s.wake()
}

// claim takes a due delivery for one attempt and makes its message. It returns
// nil when there is nothing to send: another node has it, the webhook is
// silent, or what it announced is no longer there.
func (s *Service) claim(ctx context.Context, w Webhook, d *Delivery) (*Message, error) {
	st, err := s.acts(ctx, w)
	if err != nil {
		return nil, err
	}
	a, silent := st.actor, st.silent
	gone := false
	if silent == "" && d.Kind == KindChanged && s.c.Now().Sub(d.QueuedAt) > fresh {
		n, err := s.c.Reads.News(ctx, a, w.Program, d.After)
		if err != nil {
			return nil, err
		}
		gone = n.Count == 0
	}
	var body []byte
	if silent == "" {
		if body, err = s.body(ctx, w, a, *d); err != nil {
			return nil, err
		}
	}
	sends := false
	var at time.Time
	var keys []Key
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		sends = false
		now, err := tx.Delivery(d.Webhook, d.ID)
		if err != nil || now.State != Pending || now.NextAt.After(tx.Now()) {
			return orGone(err)
		}
		hook, err := tx.Webhook(d.Webhook)
		if err != nil || hook.State != Active {
			return orGone(err)
		}
		switch {
		case silent != "":
			now.NextAt = tx.Now().Add(standstill)
		case gone:
			now.State = Cancelled
		default:
			sends = true
			now.Attempts++
			now.SentAt, now.NextAt = tx.Now(), tx.Now().Add(lease)
			now.Status, now.Latency, now.Error = 0, 0, ""
		}
		at, keys, *d = tx.Now(), signing(hook.Keys, tx.Now()), now
		return tx.PutDelivery(&now)
	})
	if err != nil || !sends {
		return nil, err
	}
	return &Message{ID: d.ID, URL: w.URL, At: at, Body: body, Keys: keys}, nil
}

// statusGone is the answer of a receiver that wants nothing any more (Standard
// Webhooks, "Responses").
const statusGone = 410

// finish notes what came of an attempt and says when the next one is.
func (s *Service) finish(ctx context.Context, d Delivery, at Attempt) error {
	return s.c.Store.Update(ctx, func(tx Tx) error {
		now, err := tx.Delivery(d.Webhook, d.ID)
		if err != nil || now.State != Pending || now.Attempts != d.Attempts {
			return orGone(err)
		}
		w, err := tx.Webhook(d.Webhook)
		if err != nil {
			return orGone(err)
		}
		now.Status, now.Latency, now.Error = at.Status, at.Latency, at.Error
		if at.Error == "" && at.Status >= 200 && at.Status < 300 {
			now.State, w.FailingSince = Sent, time.Time{}
			if d.Kind == KindChanged {
				w.Cursor = max(w.Cursor, d.Last)
			}
		} else if err := s.failed(tx, &now, &w, at); err != nil {
			return err
		}
		if err := tx.PutDelivery(&now); err != nil {
			return err
		}
		return tx.PutWebhook(w)
	})
}

// failed puts the delivery off, or gives it and its webhook up.
func (s *Service) failed(tx Tx, d *Delivery, w *Webhook, at Attempt) error {
	if w.FailingSince.IsZero() {
		w.FailingSince = tx.Now()
	}
	switch {
	case d.Kind == KindTest:
		d.State = Failed // whoever tests looks at the answer
		return nil
	case at.Status == statusGone:
		d.State = Failed
		return s.disable(tx, w, "the receiver answered 410 Gone")
	case d.Attempts > len(Schedule):
		d.State = Failed
		return s.disable(tx, w, "nothing was taken since "+w.FailingSince.UTC().Format(time.RFC3339))
	}
	d.NextAt = tx.Now().Add(max(s.c.Jitter(Schedule[d.Attempts-1]), min(at.RetryAfter, retryMost)))
	return nil
}

// disable stops a webhook and tells its organisation. The cursor stays: after
// Resume it goes on where it stopped.
func (s *Service) disable(tx Tx, w *Webhook, reason string) error {
	if w.State == Disabled {
		return nil
	}
	w.State, w.Reason = Disabled, reason
	seq, err := s.record(tx, exchange.EventWebhookDisabled, exchange.System(), *w, exchange.Detail{"reason": reason})
	if err != nil {
		return err
	}
	return tx.Notify([]exchange.OrgID{w.Org}, exchange.Notice{
		Program: w.Program, Kind: exchange.EventWebhookDisabled, At: tx.Now(), Event: seq,
		Text: "A webhook was disabled: " + reason + ". Resume it once the receiver is back: nothing is lost.",
	})
}
