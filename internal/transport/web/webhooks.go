package web

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// webhooks lists the visitor's webhooks.
func (s *site) webhooks(v *visit) error {
	all, err := s.Webhooks.List(v.ctx(), v.a)
	if err != nil {
		return err
	}
	p := &page.Webhooks{Frame: v.frame("Webhooks"), URL: v.form("url")}
	for _, w := range all {
		p.Lines = append(p.Lines, page.WebhookLine{
			ID: string(w.ID), Href: hookPath(w.ID), URL: w.URL, Program: string(w.Program), State: hookState(w), Waiting: w.Waiting,
		})
	}
	readable, err := s.Delivery.Collections(v.ctx(), v.a)
	for _, c := range slices.DeleteFunc(readable, func(c delivery.Collection) bool { return !c.CanRead }) {
		p.Programs = append(p.Programs, page.Option{Value: string(c.Program), Label: c.Title})
	}
	if err != nil {
		return err
	}
	return v.show(p)
}

func hookPath(id webhook.ID) string { return "/webhooks/" + string(id) }

func hookState(w webhook.Status) page.State {
	switch {
	case w.State == webhook.Disabled:
		return page.State{Text: "disabled", Kind: page.Danger}
	case w.State == webhook.Paused:
		return page.State{Text: "paused", Kind: page.Plain}
	case w.Silent != "":
		return page.State{Text: "silent", Kind: page.Warn}
	case !w.FailingSince.IsZero():
		return page.State{Text: "failing", Kind: page.Warn}
	}
	return page.State{Text: "active", Kind: page.Ok}
}

func (s *site) addWebhook(v *visit) error {
	w, err := s.Webhooks.Add(v.ctx(), v.a, webhook.Request{
		Program: exchange.ProgramID(v.form("program")), URL: v.form("url"), Algorithm: webhook.Algorithm(v.form("algorithm")), Notices: v.form("notices") != "",
	})
	if err != nil {
		return v.again(err, func() error { return s.webhooks(v) })
	}
	return v.showKey(w)
}

// showKey shows what the receiver needs, once.
func (v *visit) showKey(w webhook.Webhook) error {
	p := &page.Secret{
		Frame: v.frame("Key of a webhook"), Heading: "Key of a webhook", Text: "Put this secret into the receiver: with it, it checks that messages are from this exchange.",
		Secret: w.Keys[0].Shown(), Note: "It is shown only now.", Facts: []page.Fact{{Name: "Webhook", Value: string(w.ID)}, {Name: "Signature", Value: string(w.Keys[0].Algorithm)}},
		Back: page.Link{Label: "To the webhook", Href: hookPath(w.ID)},
	}
	if w.Keys[0].Public != "" {
		p.Text = "Put this public key into the receiver: with it, it checks that messages are from this exchange."
		p.Note = "It is no secret, and stands on the page of the webhook."
	}
	return v.show(p)
}

const sendingPage = 50

func (v *visit) hook() webhook.ID { return webhook.ID(v.path("webhook")) }

// webhook shows one webhook with what became of its messages.
func (s *site) webhook(v *visit) error {
	w, err := s.Webhooks.Read(v.ctx(), v.a, v.hook())
	if err != nil {
		return err
	}
	before, _ := strconv.ParseInt(v.r.URL.Query().Get("before"), 10, 64)
	sent, err := s.Webhooks.Sendings(v.ctx(), v.a, w.ID, before, sendingPage)
	if err != nil {
		return err
	}
	p := &page.Webhook{
		Frame: v.frame("Webhook"), Heading: w.URL, Base: hookPath(w.ID), State: hookState(w), Reason: sentence(cmp.Or(w.Reason, w.Silent)),
		Active: w.State == webhook.Active, Told: v.clock.At(time.UnixMicro(w.Cursor)), Expires: v.clock.At(w.ExpiresAt), Failing: v.clock.At(w.FailingSince),
		Facts: []page.Fact{
			{Name: "Id", Value: string(w.ID)},
			{Name: "Program", Value: string(w.Program)},
			{Name: "Acts for", Value: v.person(w.Person)},
			{Name: "Made with", Value: cmp.Or(string(w.Token), "a browser session")},
			{Name: "Signature", Value: string(w.Keys[0].Algorithm)},
			{Name: "Public key", Value: w.Keys[0].Public},
		},
	}
	if v.faults != nil {
		p.Since = v.form("since")
	}
	for _, d := range sent {
		p.Sent = append(p.Sent, v.sending(d, p.Active))
	}
	if len(sent) == sendingPage {
		p.Next = p.Base + "?before=" + strconv.FormatInt(sent[len(sent)-1].Number, 10)
	}
	return v.show(p)
}

// failures are the classes of failed attempts in words.
var failures = map[string]string{
	"address": "no address that may be reached", "dns": "the name is not known", "connect": "no connection", "tls": "the certificate is not valid",
	"timeout": "no answer in time", "redirect": "a redirect, which is not followed", "answer": "no whole answer", "setup": "the address or the key cannot be used",
	"ledger": "nothing was sent: the ledger could not be written",
}

func (v *visit) sending(d webhook.Delivery, active bool) page.SendingLine {
	l := page.SendingLine{
		ID: d.ID, What: d.Kind, Queued: v.clock.At(d.QueuedAt), Attempts: d.Attempts, SentAt: v.clock.At(d.SentAt), Answer: failures[d.Error],
		State: page.State{Text: string(d.State), Kind: page.Plain}, Again: active && d.State != webhook.Pending,
	}
	if d.Kind == webhook.KindChanged {
		l.What += ", " + page.Plural(d.Count, "object")
	}
	if d.Status != 0 {
		l.Answer = strings.TrimSuffix(fmt.Sprintf("%d, %s", d.Status, failures[d.Error]), ", ")
	}
	if d.Latency > 0 {
		l.Took = fmt.Sprintf("%d ms", d.Latency.Milliseconds())
	}
	switch {
	case d.State == webhook.Sent:
		l.State.Kind = page.Ok
	case d.State == webhook.Failed:
		l.State.Kind = page.Danger
	case d.State == webhook.Pending:
		l.NextAt = v.clock.At(d.NextAt)
		if d.Attempts > 0 {
			l.State.Kind = page.Warn
		}
	}
	return l
}

// onHook makes a handler of an act on a webhook.
func (s *site) onHook(code string, act func(v *visit, id webhook.ID) error) handler {
	return func(v *visit) error {
		if err := act(v, v.hook()); err != nil {
			return v.again(err, func() error { return s.webhook(v) })
		}
		return v.see(hookPath(v.hook()) + "?done=" + code)
	}
}

// hookActs are the forms on a webhook's page.
func (s *site) hookActs() map[string]handler {
	return map[string]handler{
		"POST /webhooks/{webhook}/test": s.onHook("hook-test", func(v *visit, id webhook.ID) error {
			_, err := s.Webhooks.Test(v.ctx(), v.a, id)
			return err
		}),
		"POST /webhooks/{webhook}/again": s.onHook("hook-again", func(v *visit, id webhook.ID) error {
			_, err := s.Webhooks.Again(v.ctx(), v.a, id, v.form("delivery"))
			return err
		}),
		"POST /webhooks/{webhook}/replay": s.onHook("hook-replay", func(v *visit, id webhook.ID) error {
			since, err := stamp(v.form("since"))
			if err == nil {
				_, err = s.Webhooks.Replay(v.ctx(), v.a, id, since)
			}
			return err
		}),
		"POST /webhooks/{webhook}/pause": s.onHook("hook-paused", func(v *visit, id webhook.ID) error {
			_, err := s.Webhooks.Pause(v.ctx(), v.a, id)
			return err
		}),
		"POST /webhooks/{webhook}/resume": s.onHook("hook-resumed", func(v *visit, id webhook.ID) error {
			_, err := s.Webhooks.Resume(v.ctx(), v.a, id)
			return err
		}),
		"POST /webhooks/{webhook}/rotate": func(v *visit) error {
			w, err := s.Webhooks.Rotate(v.ctx(), v.a, v.hook())
			if err != nil {
				return v.again(err, func() error { return s.webhook(v) })
			}
			return v.showKey(w)
		},
		"POST /webhooks/{webhook}/remove": func(v *visit) error {
			if err := s.Webhooks.Remove(v.ctx(), v.a, v.hook()); err != nil {
				return err
			}
			return v.see("/webhooks?done=hook-removed")
		},
	}
}
