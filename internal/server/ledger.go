package server

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange/mail"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
)

// LedgerOptions says how the ledger of a data folder is opened; the store is open.
func (s *Server) ledgerOptions() sequencer.Options {
	return sequencer.Options{
		Store: s.DB.Beneath(), Folder: filepath.Join(s.o.Data, "ledger"), Origin: logOrigin(s.o.Config),
		Shared: s.DB.Engine() == "postgres", Now: s.o.Now, Log: s.o.Log,
	}
}

// openLedger opens the ledger, and has every act wait for its entry from then on.
func (s *Server) openLedger(ctx context.Context) (err error) {
	if s.Ledger, err = sequencer.Open(ctx, s.ledgerOptions()); err != nil {
		return err
	}
	s.DB.Attach(s.Ledger)
	return nil
}

// logOrigin is the origin of a log that is made now: the host under which the
// exchange is reached, else its name, and "/log".
func logOrigin(c config.Config) string {
	name := c.Name
	if u, err := url.Parse(c.URL); err == nil && u.Host != "" {
		name = u.Host
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '.', r == '-', r == ':':
			return r
		}
		return '-'
	}, name)
	if name = strings.Trim(name, "-"); name == "" {
		name = "forewarn"
	}
	return name + "/log"
}

// What was committed before something is sent by machine must be provable first:
// the message may tell of it.

type settledWebhooks struct {
	to webhook.Sender
	q  *sequencer.Sequencer
}

// Send sends a message once all that was committed is in the ledger.
func (s settledWebhooks) Send(ctx context.Context, m webhook.Message) webhook.Attempt {
	if err := s.q.Settle(ctx); err != nil {
		return webhook.Attempt{Error: "ledger"}
	}
	return s.to.Send(ctx, m)
}

type settledMail struct {
	to mail.Sender
	q  *sequencer.Sequencer
}

// Send sends a mail once all that was committed is in the ledger.
func (s settledMail) Send(ctx context.Context, m mail.Message) error {
	if err := s.q.Settle(ctx); err != nil {
		return err
	}
	return s.to.Send(ctx, m)
}

// pulse is the store's, once what it tells of is in the ledger.
func (s *Server) pulse(ctx context.Context) (int64, error) {
	n, err := s.DB.Pulse(ctx)
	if err != nil {
		return 0, err
	}
	return n, s.Ledger.Settle(ctx)
}
