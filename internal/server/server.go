// Package server wires the exchange together and runs it: the only package
// that sees everything.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/authn"
	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange/basis"
	"github.com/forewarn-exchange/forewarn/internal/exchange/connection"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/exchange/lookup"
	"github.com/forewarn-exchange/forewarn/internal/exchange/mail"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/notary"
	outbound "github.com/forewarn-exchange/forewarn/internal/outbound/webhook"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/blob"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/transport/taxii"
)

// Options is what a server is opened with.
type Options struct {
	Data   string // folder; it must exist
	Config config.Config
	Now    func() time.Time // nil: the clock of the machine
	Log    *slog.Logger     // nil: nothing is logged
}

// Server is an open exchange.
type Server struct {
	Exchange *core.Exchange
	Authn    *authn.Service
	DB       *sqlstore.DB
	Blobs    *blob.Dir
	Ledger   *sequencer.Sequencer

	o    Options
	lock *os.File
}

// Open opens the exchange kept in a data folder, and takes up what a crash left.
func Open(ctx context.Context, o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	lock, err := lockFolder(o.Data)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, lock: lock}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) error {
	url, err := s.o.Config.DatabaseURL(s.o.Data)
	if err != nil {
		return err
	}
	if s.DB, err = store.Open(ctx, url, store.Options{Now: s.o.Now, Logger: s.o.Log}); err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	if s.Blobs, err = blob.OpenDir(filepath.Join(s.o.Data, "blobs")); err != nil {
		return err
	}
	if err := s.openLedger(ctx); err != nil {
		return err
	}
	networks, err := s.o.Config.Webhooks.Networks()
	if err != nil {
		return err
	}
	sender, err := mailSender(s.o.Config.Mail)
	if err != nil {
		return err
	}
	if sender != nil {
		sender = settledMail{sender, s.Ledger}
	}
	signs, err := notary.Open(ctx, sqlstore.For[notary.Tx](s.DB), s.o.Config.Name)
	if err != nil {
		return err
	}
	witnesses, err := s.witnesses()
	if err != nil {
		return err
	}
	s.Exchange = core.New(core.Config{
		Stores: core.Stores{
			Programs: sqlstore.For[program.Tx](s.DB), Members: sqlstore.For[membership.Tx](s.DB),
			Submissions: sqlstore.For[submission.Tx](s.DB), Releases: sqlstore.For[release.Tx](s.DB),
			Delivery: sqlstore.For[delivery.Tx](s.DB), Feedback: sqlstore.For[feedback.Tx](s.DB), Record: sqlstore.For[record.Tx](s.DB),
			Contributions: sqlstore.For[contribution.Tx](s.DB),
			Connections:   sqlstore.For[connection.Tx](s.DB),
			Lookup:        sqlstore.For[lookup.Tx](s.DB),
			Bases:         sqlstore.For[basis.Tx](s.DB),
			Recalls:       sqlstore.For[recall.Tx](s.DB),
			Reshares:      sqlstore.For[reshare.Tx](s.DB),
		},
		Blobs: blobs{s.Blobs}, Generation: s.DB.Generation, Arrivals: s.DB.Arrivals, Settle: s.Ledger.Settle, Now: s.o.Now, Log: s.o.Log,
		Name: s.o.Config.Name, URL: s.o.Config.URL, Shared: s.DB.Engine() == "postgres",
		Push: core.Push{
			Store: sqlstore.For[webhook.Tx](s.DB), Sender: settledWebhooks{outbound.New(outbound.Options{Allow: networks}), s.Ledger},
			Plain: len(networks) > 0, Root: taxii.Root, Pulse: s.pulse,
		},
		Notary: signs,
		Mail:   core.Mail{Store: sqlstore.For[mail.Tx](s.DB), Sender: sender},
		Ledger: s.proofs(),

		Logbook:   s.logbook(),
		Witnesses: witnesses,
	})
	s.DB.Watch(s.Exchange.Delivery)
	s.Authn = authn.New(authn.Config{Store: sqlstore.For[authn.Tx](s.DB), Generation: s.DB.Generation, Now: s.o.Now})
	return nil
}

// SetURL tells the exchange under which address clients reach it.
func (s *Server) SetURL(url string) { s.Exchange.URL = url }

// APIRoot is the address of TAXII's API root.
func (s *Server) APIRoot() string { return s.Exchange.URL + taxii.Root }

// Close ends the server: what was acknowledged is durable, the rest is gone.
func (s *Server) Close() error {
	var errs []error
	if s.Authn != nil {
		errs = append(errs, s.Authn.Flush(context.Background()))
	}
	if s.Exchange != nil {
		errs = append(errs, s.Exchange.Delivery.Flush(context.Background()), s.Exchange.Connections.Flush(context.Background()))
	}
	if s.Ledger != nil { // what other nodes hear of is told through the store
		end, cancel := context.WithTimeout(context.Background(), drain)
		_ = s.Ledger.Settle(end) // what is not entered now is entered at the next start
		cancel()
	}
	if s.DB != nil {
		errs = append(errs, s.DB.Close())
	}
	if s.Ledger != nil {
		errs = append(errs, s.Ledger.Close())
	}
	if s.Blobs != nil {
		errs = append(errs, s.Blobs.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// blobs is the blob folder as core wants it.
type blobs struct{ *blob.Dir }

// Open opens a blob by its hash.
func (b blobs) Open(sha string) (core.Blob, error) { return b.Dir.Open(sha) }
