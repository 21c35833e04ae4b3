package webhook

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Bounds.
const (
	MaxPerOrganisation = 50
	maxURL             = 2048
	life               = 365 * 24 * time.Hour // of a webhook made in the browser
	margin             = time.Second          // a wave that opens in the same moment is not missed
	maxWaiting         = 200                  // pending deliveries of one webhook
)

// Request says what a webhook shall be.
type Request struct {
	Program   exchange.ProgramID
	URL       string
	Algorithm Algorithm // empty: HMAC
	Notices   bool
	Since     time.Time // announce what entered the view after this; zero: from now on
}

// Status is a webhook with what is to be known of it.
type Status struct {
	Webhook
	Silent  string // why nothing is sent although it is active; empty: it is sent
	Waiting int    // pending deliveries
}

// Add makes a webhook. What the receiver needs to verify messages is in the
// answer's first key (Key.Shown); a shared secret is shown only now.
//
// Errors, with nothing made: exchange.NotFound for whom the program has no
// collection, Denied for a credential that may only read, Invalid for an
// address that cannot be used, Conflict when there are too many.
func (s *Service) Add(ctx context.Context, a exchange.Actor, r Request) (Webhook, error) {
	if a.Anonymous() || !a.May(exchange.VerbRead) {
		return Webhook{}, exchange.Missing()
	}
	if _, err := s.c.Reads.Collection(ctx, a, r.Program); err != nil {
		return Webhook{}, err
	}
	if !a.May(exchange.VerbOperate) {
		return Webhook{}, exchange.Fail(exchange.Denied, "the credential may read only; a webhook is made with one that may operate. None was made")
	}
	if r.Algorithm == "" {
		r.Algorithm = HMAC
	}
	if err := s.check(r); err != nil {
		return Webhook{}, err
	}
	w := Webhook{
		ID: ID(exchange.RandomID("hook")), Org: a.Org, Person: a.Person, Token: a.Token, Program: r.Program, URL: r.URL,
		State: Active, Notices: r.Notices, Ceiling: a.Ceiling, Machine: a.Machine, Keys: []Key{NewKey(r.Algorithm)},
		Hat: a.Hat, Purpose: a.Purpose,
	}
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		all, err := tx.WebhooksOf(a.Org)
		if err != nil {
			return err
		}
		if len(all) >= MaxPerOrganisation {
			return exchange.Fail(exchange.Conflict, "the organisation has %d webhooks already; remove one first", len(all))
		}
		w.CreatedAt = tx.Now()
		if w.ExpiresAt, err = expiry(tx, a); err != nil {
			return err
		}
		if w.Cursor = tx.Now().Add(-margin).UnixMicro(); !r.Since.IsZero() {
			w.Cursor = min(w.Cursor, r.Since.UnixMicro())
		}
		if err := tx.PutWebhook(w); err != nil {
			return err
		}
		seq, err := s.record(tx, exchange.EventWebhookAdded, a, w, exchange.Detail{"algorithm": string(r.Algorithm), "notices": w.Notices, "expires": w.ExpiresAt})
		if err != nil {
			return err
		}
		w.NoticeCursor = seq // earlier notices are in the list of notices
		return tx.PutWebhook(w)
	})
	if err != nil {
		return Webhook{}, err
	}
	s.touch(w.ID)
	return w, nil
}

// expiry is when a webhook of the actor's ends: with the token, or in a year.
func expiry(tx Tx, a exchange.Actor) (time.Time, error) {
	if a.Token == "" {
		return tx.Now().Add(life), nil
	}
	t, err := tx.Token(a.Token)
	return t.ExpiresAt, err
}

// check refuses what cannot be an address to send to. Where it leads is checked
// each time that something is sent.
func (s *Service) check(r Request) error {
	var ps []exchange.Problem
	add := func(path, message string) { ps = append(ps, exchange.Problem{Path: path, Message: message}) }
	u, err := url.Parse(r.URL)
	switch {
	case r.URL == "" || len(r.URL) > maxURL:
		add("url", "missing, or longer than 2048 bytes")
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		add("url", "not an absolute https address")
	case u.User != nil:
		add("url", "holds a user or a password; messages are signed instead")
	case u.Fragment != "" || strings.Contains(r.URL, "#"):
		add("url", "holds a fragment, which is never sent")
	case u.Scheme != "https" && (u.Scheme != "http" || !s.c.Plain):
		add("url", "must be https; http is for networks that the operator permits")
	}
	if r.Algorithm != HMAC && r.Algorithm != Ed25519 {
		add("algorithm", "unknown; choose hmac-sha256 or ed25519")
	}
	if !r.Since.IsZero() && r.Since.After(s.c.Now()) {
		add("since", "lies in the future")
	}
	if len(ps) > 0 {
		return exchange.InvalidWith("no webhook was made", ps)
	}
	return nil
}

func (s *Service) record(tx Tx, k exchange.EventKind, a exchange.Actor, w Webhook, d exchange.Detail) (int64, error) {
	return tx.Record(exchange.Event{Kind: k, Actor: a, Program: w.Program, Org: w.Org, Subject: []string{string(w.ID)}, Detail: d})
}

// knows reports whether the actor may know of the webhook: its person, and the
// signatories of the organisation.
func knows(a exchange.Actor, w Webhook) bool {
	return !a.Anonymous() && a.Org == w.Org && a.Reaches(w.Program) && a.May(exchange.VerbRead) &&
		(a.Person == w.Person || a.Is(exchange.RoleSignatory))
}

// known answers a webhook that the actor may know of.
func known(tx Tx, a exchange.Actor, id ID) (Webhook, error) {
	w, err := tx.Webhook(id)
	if err == nil && !knows(a, w) {
		return Webhook{}, exchange.Missing()
	}
	return w, err
}

// managed answers a webhook that the actor may change.
func managed(tx Tx, a exchange.Actor, id ID) (Webhook, error) {
	w, err := known(tx, a, id)
	if err == nil && !a.May(exchange.VerbOperate) {
		return Webhook{}, exchange.Fail(exchange.Denied, "the credential may read only; nothing was changed")
	}
	return w, err
}

// List answers the webhooks that the actor may know of, by id.
func (s *Service) List(ctx context.Context, a exchange.Actor) ([]Status, error) {
	var all []Webhook
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		if a.Anonymous() || a.Org == "" {
			return exchange.Missing()
		}
		all, err = tx.WebhooksOf(a.Org)
		return err
	})
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(w Webhook) bool { return !knows(a, w) })
	out := make([]Status, len(all))
	for i, w := range all {
		if out[i], err = s.status(ctx, w); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Read answers one webhook.
func (s *Service) Read(ctx context.Context, a exchange.Actor, id ID) (Status, error) {
	var w Webhook
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		w, err = known(tx, a, id)
		return err
	})
	if err != nil {
		return Status{}, err
	}
	return s.status(ctx, w)
}

func (s *Service) status(ctx context.Context, w Webhook) (Status, error) {
	st := Status{Webhook: w}
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		st.Waiting, err = tx.PendingOf(w.ID, "")
		return err
	})
	if err == nil && w.State == Active {
		var now standing
		now, err = s.acts(ctx, w)
		st.Silent = now.silent
	}
	return st, err
}

// Sendings lists the webhook's deliveries, newest first: those queued before
// the number, 0 for the newest.
func (s *Service) Sendings(ctx context.Context, a exchange.Actor, id ID, before int64, limit int) (ds []Delivery, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		if _, err := known(tx, a, id); err != nil {
			return err
		}
		ds, err = tx.DeliveriesOf(id, before, min(max(limit, 1), 1000))
		return err
	})
	return ds, err
}

// Pause keeps the webhook from sending; what comes meanwhile is announced after
// Resume.
func (s *Service) Pause(ctx context.Context, a exchange.Actor, id ID) (Webhook, error) {
	return s.change(ctx, a, id, "pause", func(_ Tx, w *Webhook) error {
		if w.State == Active {
			w.State, w.Reason = Paused, ""
		}
		return nil
	})
}

// Resume lets a paused or disabled webhook send again, from where it stopped.
// Its own person thereby puts it under the credential of this call, and it
// lasts as long as that.
func (s *Service) Resume(ctx context.Context, a exchange.Actor, id ID) (Webhook, error) {
	return s.change(ctx, a, id, "resume", func(tx Tx, w *Webhook) (err error) {
		w.State, w.Reason, w.FailingSince = Active, "", time.Time{}
		if a.Person == w.Person {
			w.Token, w.Ceiling, w.Machine, w.Hat, w.Purpose = a.Token, a.Ceiling, a.Machine, a.Hat, a.Purpose
			w.ExpiresAt, err = expiry(tx, a)
		}
		return err
	})
}

// Rotate gives the webhook a new key of the same algorithm; the one before
// signs beside it for 24 hours more.
func (s *Service) Rotate(ctx context.Context, a exchange.Actor, id ID) (Webhook, error) {
	return s.change(ctx, a, id, "rotate", func(tx Tx, w *Webhook) error {
		w.Keys = rotated(w.Keys, tx.Now())
		return nil
	})
}

// Replay moves the webhook's cursor to an instant: what is in its view since
// then is announced anew, as one message.
func (s *Service) Replay(ctx context.Context, a exchange.Actor, id ID, since time.Time) (Webhook, error) {
	if since.IsZero() || since.After(s.c.Now()) {
		return Webhook{}, exchange.InvalidWith("nothing is replayed", []exchange.Problem{{Path: "since", Message: "missing, or in the future"}})
	}
	return s.change(ctx, a, id, "replay", func(tx Tx, w *Webhook) error {
		w.Cursor = since.UnixMicro()
		return tx.CancelPending(id, KindChanged)
	})
}

func (s *Service) change(ctx context.Context, a exchange.Actor, id ID, what string, fn func(Tx, *Webhook) error) (w Webhook, err error) {
	err = s.c.Store.Update(ctx, func(tx Tx) (err error) {
		if w, err = managed(tx, a, id); err != nil {
			return err
		}
		if err = fn(tx, &w); err != nil {
			return err
		}
		if err = tx.PutWebhook(w); err != nil {
			return err
		}
		_, err = s.record(tx, exchange.EventWebhookChanged, a, w, exchange.Detail{"change": what})
		return err
	})
	if err != nil {
		return Webhook{}, err
	}
	s.touch(w.ID)
	return w, nil
}

// Remove ends a webhook and forgets its deliveries.
func (s *Service) Remove(ctx context.Context, a exchange.Actor, id ID) error {
	return s.c.Store.Update(ctx, func(tx Tx) error {
		w, err := managed(tx, a, id)
		if err != nil {
			return err
		}
		if err := tx.DropWebhook(id); err != nil {
			return err
		}
		_, err = s.record(tx, exchange.EventWebhookRemoved, a, w, nil)
		return err
	})
}

// Test queues a message of the kind webhook.test.
func (s *Service) Test(ctx context.Context, a exchange.Actor, id ID) (d Delivery, err error) {
	return s.queued(ctx, a, id, func(tx Tx) (Delivery, error) {
		return Delivery{ID: exchange.RandomID("msg"), Webhook: id, Kind: KindTest, QueuedAt: tx.Now()}, nil
	})
}

// Again queues a delivery once more, under the same id. What it announces is
// checked again before it goes out.
func (s *Service) Again(ctx context.Context, a exchange.Actor, id ID, delivery string) (Delivery, error) {
	return s.queued(ctx, a, id, func(tx Tx) (Delivery, error) { return tx.Delivery(id, delivery) })
}

func (s *Service) queued(ctx context.Context, a exchange.Actor, id ID, which func(Tx) (Delivery, error)) (d Delivery, err error) {
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		w, err := managed(tx, a, id)
		if err != nil {
			return err
		}
		if w.State != Active {
			return exchange.Fail(exchange.Conflict, "the webhook is %s; resume it first. Nothing was sent", w.State)
		}
		if d, err = which(tx); err != nil {
			return err
		}
		n, err := tx.PendingOf(id, "")
		if err != nil {
			return err
		}
		if n >= maxWaiting {
			return exchange.Fail(exchange.Conflict, "%d messages wait already; nothing was added", n)
		}
		d.State, d.Attempts, d.NextAt = Pending, 0, tx.Now()
		return tx.PutDelivery(&d)
	})
	if err == nil {
		s.touch(id)
	}
	return d, err
}
