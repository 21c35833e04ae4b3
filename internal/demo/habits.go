package demo

import (
	"context"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
)

// turn is one member with one release: what it does from the moment at which
// its cohort was given something.
type turn struct {
	*story
	e    *edition
	p    *somebody
	wave time.Time // first wave of its cohort
}

// react puts on the agenda what a member does with a release.
func (t *story) react(e *edition, p *somebody, wave time.Time) {
	u := turn{t, e, p, wave}
	switch m := p.member; m.habit {
	case quick:
		u.fetch(20*time.Minute, u.opens, u.acknowledges)
		u.ready(u.lead(1, 8), u.e.t0, true)
	case tester:
		u.fetch(20*time.Minute, u.opens, u.acknowledges)
		u.says(u.lead(1, 10), exchange.Feedback{Kind: exchange.FeedbackFalsePositive, Text: "The network signature also matches health checks of load balancers."})
		u.ready(u.lead(1, 4), u.e.t0, true)
	case steady:
		u.fetch(2*time.Hour, u.opens, u.acknowledges)
		u.ready(u.lead(1, 2), u.e.t0, false)
	case hasty:
		u.fetch(2*time.Hour, u.opens)
		u.tooEarly(u.lead(1, 3))
		u.ready(u.lead(1, 2), u.e.t0, false)
	case late:
		u.fetch(9*time.Hour, u.opens)
		u.ready(u.afterT0(20*time.Hour), u.e.t0.Add(19*time.Hour), false)
	case slow:
		u.fetch(9 * time.Hour)
		u.ready(u.afterT0(72*time.Hour), u.e.t0.Add(70*time.Hour), false)
	case asker:
		u.fetch(2*time.Hour, u.opens)
		u.says(u.wave.Add(4*time.Hour), exchange.Feedback{Kind: exchange.FeedbackQuestion, Text: "Are installations behind a proxy affected in the same way?"})
	case unharmed:
		u.fetch(2*time.Hour, u.opens)
		u.says(u.wave.Add(4*time.Hour), exchange.Feedback{Kind: exchange.FeedbackNotAffected, Text: "We do not use these products."})
	case watcher:
		u.fetch(2*time.Hour, u.opens, u.acknowledges)
		u.sighting(u.afterT0(40 * time.Hour))
	case reader:
		u.then(u.wave.Add(4*time.Hour), u.opens)
	case fetcher:
		u.fetch(20 * time.Minute)
	}
}

// lead is the moment at which part of the member's time before T0 is used up.
func (u turn) lead(part, of int) time.Time {
	return u.wave.Add(u.e.t0.Sub(u.wave) * time.Duration(part) / time.Duration(of)).Truncate(10 * time.Minute)
}

func (u turn) afterT0(d time.Duration) time.Time { return u.e.t0.Add(d) }

func (u turn) then(at time.Time, do func(ctx context.Context, x *core.Exchange) error) {
	u.agenda.add(at, u.p.person.Login+" in "+u.e.title(), do)
}

// fetch lets the member's machine fetch, and its person do the rest an hour
// after, one thing after the other.
func (u turn) fetch(after time.Duration, rest ...func(ctx context.Context, x *core.Exchange) error) {
	at := u.wave.Add(after)
	u.then(at, func(ctx context.Context, x *core.Exchange) error {
		_, err := x.Delivery.Page(ctx, u.p.machine(exchange.ChannelTAXII), Program, delivery.Query{Limit: delivery.MaxLimit})
		return err
	})
	for _, do := range rest {
		u.then(at.Add(time.Hour), do)
	}
}

func (u turn) opens(ctx context.Context, x *core.Exchange) error {
	_, err := x.Delivery.Release(ctx, u.p.web(), u.e.id)
	return err
}

func (u turn) give(ctx context.Context, x *core.Exchange, f exchange.Feedback) error {
	f.Release = u.e.id
	_, err := x.Feedback.Give(ctx, u.p.web(), f)
	return err
}

func (u turn) acknowledges(ctx context.Context, x *core.Exchange) error {
	return u.give(ctx, x, exchange.Feedback{Kind: exchange.FeedbackAcknowledged})
}

func (u turn) says(at time.Time, f exchange.Feedback) {
	u.then(at, func(ctx context.Context, x *core.Exchange) error { return u.give(ctx, x, f) })
}

// protections says what each product of a member makes.
var protections = map[string]struct{ kind, format string }{
	"edr": {"edr-rule", "sigma"}, "ids": {"ids-signature", "snort"}, "ips": {"ids-signature", "suricata"},
	"waf": {"waf-rule", "modsecurity"}, "av": {"av-signature", "yara"}, "siem": {"siem-rule", "sigma"}, "mail-filter": {"mail-rule", "yara"},
}

func (u turn) protection(ready, live time.Time, evidence bool) exchange.Feedback {
	m := u.p.member
	product, _, _ := strings.Cut(m.products, ",")
	f := exchange.Feedback{
		Kind: exchange.FeedbackProtection, Product: m.name + " " + strings.ToUpper(product), Type: protections[product].kind,
		Format: protections[product].format, ReadyAt: ready, LiveAt: live, Regions: split(m.regions), Share: 85,
	}
	if evidence {
		f.Share, f.Evidence = 98, "test report 12, replay of the proof of concept: detected"
	}
	return f
}

// ready registers a protection at a moment, ready then and live at another.
func (u turn) ready(at, live time.Time, evidence bool) {
	u.says(at, u.protection(minTime(at, live), live, evidence))
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// tooEarly tries to register a protection that is live already, which the
// agreement forbids and the exchange refuses.
func (u turn) tooEarly(at time.Time) {
	u.then(at, func(ctx context.Context, x *core.Exchange) error {
		err := u.give(ctx, x, u.protection(at, at, false))
		if exchange.KindOf(err) == exchange.Embargoed {
			return nil
		}
		return err
	})
}

func (u turn) sighting(at time.Time) {
	sectors := split(u.p.member.sectors)
	f := exchange.Feedback{
		Kind: exchange.FeedbackSighting, Count: int64(2 + len(u.p.member.id)%5), FirstSeen: at.Add(-20 * time.Hour), LastSeen: at.Add(-time.Hour),
		Text: "Requests as described; blocked.",
	}
	if len(sectors) > 0 {
		f.Sector, f.Region = sectors[0], split(u.p.member.regions)[0]
	}
	u.says(at, f)
}
