package connection

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Shown is a connection as somebody sees it who may.
type Shown struct {
	Connection
	Scope    exchange.Token // its token, without the secret: name, verbs, program, expiry
	Warnings []Warning
}

// Warning is something that the people behind a machine should look after.
type Warning struct {
	Kind string // one of the Warn constants
	Text string // for people: what was seen, and what to do
}

// The kinds of warning.
const (
	WarnRevoked  = "revoked"
	WarnExpired  = "expired"
	WarnExpires  = "expires"
	WarnNever    = "never-polled"
	WarnStalls   = "stalls"
	WarnLoops    = "loops"
	WarnRestarts = "restarts"
	WarnSkips    = "skips"
)

// When warnings begin and end.
const (
	expiresSoon = 14 * 24 * time.Hour
	leastStall  = time.Hour
	remembered  = 24 * time.Hour // for how long what a machine did wrong is told
)

// List lists the connections of an organisation that the actor may see, newest
// last: those whose tokens they see. exchange.NotFound to strangers.
func (s *Service) List(ctx context.Context, a exchange.Actor, org exchange.OrgID) ([]Shown, error) {
	tokens, err := s.c.Tokens.Visible(ctx, a, org)
	if err != nil {
		return nil, err
	}
	if err := s.Flush(ctx); err != nil {
		return nil, err
	}
	var all []Connection
	var now time.Time
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		now = tx.Now()
		all, err = tx.ConnectionsOf(org)
		return err
	})
	if err != nil {
		return nil, err
	}
	var out []Shown
	for _, c := range all {
		if i := slices.IndexFunc(tokens, func(t exchange.Token) bool { return t.ID == c.Token }); i >= 0 {
			out = append(out, Shown{c, tokens[i], warnings(c, tokens[i], now)})
		}
	}
	slices.SortStableFunc(out, func(a, b Shown) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// Show returns one connection, and its newest errors, newest first.
// exchange.NotFound: there is none, it was removed, or the actor may not know.
func (s *Service) Show(ctx context.Context, a exchange.Actor, id ID) (Shown, []PollError, error) {
	if err := s.Flush(ctx); err != nil {
		return Shown{}, nil, err
	}
	c, t, err := s.visible(ctx, a, id)
	if err != nil {
		return Shown{}, nil, err
	}
	var errs []PollError
	var now time.Time
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		now = tx.Now()
		errs, err = tx.PollErrors(id)
		return err
	})
	return Shown{c, t, warnings(c, t, now)}, errs, err
}

// visible is a connection that the actor may know of, and its token.
func (s *Service) visible(ctx context.Context, a exchange.Actor, id ID) (Connection, exchange.Token, error) {
	var c Connection
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		c, err = tx.Connection(id)
		return err
	})
	if err == nil && !c.RemovedAt.IsZero() {
		err = exchange.Missing()
	}
	if err != nil {
		return Connection{}, exchange.Token{}, err
	}
	tokens, err := s.c.Tokens.Visible(ctx, a, c.Org)
	if err != nil {
		return Connection{}, exchange.Token{}, err
	}
	for _, t := range tokens {
		if t.ID == c.Token {
			return c, t, nil
		}
	}
	return Connection{}, exchange.Token{}, exchange.Missing()
}

// warnings says what is to be looked after at now.
func warnings(c Connection, t exchange.Token, now time.Time) []Warning {
	var out []Warning
	add := func(kind, format string, args ...any) {
		out = append(out, Warning{kind, fmt.Sprintf(format, args...)})
	}
	switch {
	case !t.RevokedAt.IsZero():
		add(WarnRevoked, "its token was revoked on %s: it is given nothing; add a new connection", stamp(t.RevokedAt))
		return out
	case !now.Before(t.ExpiresAt):
		add(WarnExpired, "its token expired on %s: it is given nothing; add a new connection", stamp(t.ExpiresAt))
		return out
	case t.ExpiresAt.Sub(now) <= expiresSoon:
		add(WarnExpires, "its token expires on %s; add a new connection before, and put its token in place of this one's", stamp(t.ExpiresAt))
	}
	quiet := max(leastStall, 3*c.Usual)
	switch {
	case c.LastAt.IsZero() && now.Sub(c.CreatedAt) >= leastStall:
		add(WarnNever, "it has never polled: check the address, and that the machine reaches it")
	case !c.LastAt.IsZero() && now.Sub(c.LastAt) > quiet && c.Usual > 0:
		add(WarnStalls, "it has not polled since %s, and used to poll every %s", stamp(c.LastAt), about(c.Usual))
	case !c.LastAt.IsZero() && now.Sub(c.LastAt) > quiet:
		add(WarnStalls, "it has not polled since %s", stamp(c.LastAt))
	}
	recent := func(at time.Time) bool { return !at.IsZero() && now.Sub(at) <= remembered }
	if recent(c.LoopAt) {
		add(WarnLoops, "it loops: up to %s it asked again and again with the same cursor and was given the same objects; let it keep X-TAXII-Date-Added-Last of the last page, and send that as added_after", stamp(c.LoopAt))
	}
	if recent(c.RestartAt) {
		add(WarnRestarts, "it does not follow next: up to %s it began anew although more was to come, and so never reaches the end", stamp(c.RestartAt))
	}
	if recent(c.SkipAt) {
		add(WarnSkips, "it does not follow next: on %s it asked with a later cursor than it was given although more was to come, and lost what lay between; reset its state once it uses the dates of the server", stamp(c.SkipAt))
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// about is a span in one unit.
func about(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d.Round(24*time.Hour)/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d.Round(time.Hour)/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d.Round(time.Minute)/time.Minute)
	}
	return fmt.Sprintf("%d seconds", d.Round(time.Second)/time.Second)
}
