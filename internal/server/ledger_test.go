package server

import (
	"context"
	"regexp"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/mail"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// outbox notes what is sent, and how far the log was then.
type outbox struct {
	s     *Server
	sizes []int64
}

func (o *outbox) sent() { o.sizes = append(o.sizes, o.s.Ledger.Current().Size()) }

type postbox struct{ *outbox }

func (p postbox) Send(context.Context, mail.Message) error { p.sent(); return nil }

type hook struct{ *outbox }

func (h hook) Send(context.Context, webhook.Message) webhook.Attempt {
	h.sent()
	return webhook.Attempt{Status: 204}
}

// What machines send leaves once all that was committed before is in the log, and
// not at all when it cannot be entered.
func TestNothingIsSentBeforeItIsEntered(t *testing.T) {
	s, err := Open(t.Context(), Options{Data: t.TempDir(), Config: config.Default()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out := &outbox{s: s}
	letters, hooks := settledMail{postbox{out}, s.Ledger}, settledWebhooks{hook{out}, s.Ledger}
	act := func() error {
		return s.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
			_, err := tx.Record(exchange.Event{Kind: exchange.EventFeedback})
			return err
		})
	}
	// Recorded as another node would: nobody has handed it over.
	s.DB.Attach(nil)
	for range 3 {
		if err := act(); err != nil {
			t.Fatal(err)
		}
	}
	s.DB.Attach(s.Ledger)
	if err := letters.Send(t.Context(), mail.Message{}); err != nil {
		t.Error(err)
	}
	if a := hooks.Send(t.Context(), webhook.Message{}); a.Error != "" {
		t.Error(a.Error)
	}
	if len(out.sizes) != 2 || out.sizes[0] != 3 || out.sizes[1] != 3 {
		t.Fatalf("sent when the log had %v entries, want 3 and 3", out.sizes)
	}
	if _, err := s.pulse(t.Context()); err != nil {
		t.Error(err)
	}
	// The store is put back while the exchange runs: the log stops.
	err = s.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
		if _, err := tx.Exec(`DELETE FROM event WHERE seq > 1`); err != nil {
			return err
		}
		_, err := tx.Exec(`UPDATE counter SET n = 1 WHERE name = 'event'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := act(); exchange.KindOf(err) != exchange.Unavailable {
		t.Fatalf("an act was answered %v", err)
	}
	if err := letters.Send(t.Context(), mail.Message{}); err == nil {
		t.Error("a mail was sent")
	}
	if a := hooks.Send(t.Context(), webhook.Message{}); a.Error != "ledger" {
		t.Errorf("a webhook was sent: %+v", a)
	}
	if _, err := s.pulse(t.Context()); err == nil {
		t.Error("streams were woken")
	}
	if len(out.sizes) != 2 {
		t.Errorf("%d messages were sent", len(out.sizes)-2)
	}
}

func TestLogOrigin(t *testing.T) {
	for want, c := range map[string]config.Config{
		`exchange\.example/log`:               {Name: "Glass Harbour", URL: "https://exchange.example/"},
		`exchange\.example:8443/log`:          {URL: "https://exchange.example:8443"},
		`Glass-Harbour---two-[0-9a-f]{8}/log`: {Name: "Glass Harbour + two"},
		`forewarn-[0-9a-f]{8}/log`:            {Name: "+ "},
	} {
		got := logOrigin(c)
		if !regexp.MustCompile("^" + want + "$").MatchString(got) {
			t.Errorf("%q and %q: %q, want %q", c.Name, c.URL, got, want)
		}
		if again := logOrigin(c); (again == got) != (c.URL != "") {
			t.Errorf("%q and %q: %q, then %q", c.Name, c.URL, got, again)
		}
	}
}
