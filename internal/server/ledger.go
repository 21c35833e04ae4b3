package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"path/filepath"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange/mail"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/notary"
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
// exchange is reached, else its name and eight random digits, and "/log". Two
// exchanges of one name are not taken for two histories of one log then.
func logOrigin(c config.Config) string {
	if u, err := url.Parse(c.URL); err == nil && u.Host != "" {
		return notary.KeyName(u.Host) + "/log"
	}
	var b [4]byte
	rand.Read(b[:])
	return notary.KeyName(c.Name) + "-" + hex.EncodeToString(b[:]) + "/log"
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
