// Package core is the exchange assembled: one struct with one field for each
// room. Rooms do not know each other; what one needs of another is passed in
// here.
package core

import (
	"context"
	"io"
	"log/slog"
	"net/url"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/basis"
	"github.com/forewarn-exchange/forewarn/internal/exchange/connection"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/exchange/logbook"
	"github.com/forewarn-exchange/forewarn/internal/exchange/lookup"
	"github.com/forewarn-exchange/forewarn/internal/exchange/mail"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/pulse"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/exchange/witness"
)

// Stores is what the rooms need kept, one for each.
type Stores struct {
	Programs    program.Store
	Members     membership.Store
	Submissions submission.Store
	Releases    release.Store
	Delivery    delivery.Store
	Lookup      lookup.Store
	Feedback    feedback.Store
	Record      record.Store

	Contributions contribution.Store
	Connections   connection.Store
	Bases         basis.Store
	Recalls       recall.Store
	Reshares      reshare.Store
}

// Blob is stored bytes.
type Blob interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Blobs keeps bytes under their SHA-256 (hexadecimal).
type Blobs interface {
	// Write stores at most limit bytes of r; more is exchange.Exhausted. What it
	// returns is durable.
	Write(ctx context.Context, r io.Reader, limit int64) (sha256 string, size int64, err error)
	Open(sha256 string) (Blob, error)
	// Append makes p durable in a file that grows, at the offset: the end of what
	// the caller knows to be in it. Open takes the file's name, too.
	Append(name string, offset int64, p []byte) error
	// Sweep removes blobs last written before the instant for which keep is false.
	Sweep(ctx context.Context, keep func(sha256 string) bool, before time.Time) error
}

// Config is what an exchange is built from.
type Config struct {
	Stores     Stores
	Blobs      Blobs
	Generation func(ctx context.Context) (int64, error)
	Arrivals   func(ctx context.Context) (int64, error)
	Settle     func(ctx context.Context) error // waits until what was committed is in the ledger; nil: no ledger
	Now        func() time.Time
	Log        *slog.Logger
	Name       string // of the exchange, for people
	URL        string // external base address, without a trailing slash
	Shared     bool   // other processes may write to the same stores
	Push       Push
	Notary     Notary
	Mail       Mail
	Ledger     record.Log // nil: nothing can be proved
	Witnesses  Witnesses
	Logbook    logbook.Config
}

// Exchange is the exchange.
type Exchange struct {
	Programs    *program.Service
	Members     *membership.Service
	Submissions *submission.Service
	Releases    *release.Service
	Delivery    *delivery.Service
	Lookup      *lookup.Service
	Feedback    *feedback.Service
	Record      *record.Service
	Connections *connection.Service
	Bases       *basis.Service

	Contributions *contribution.Service
	Webhooks      *webhook.Service
	Mail          *mail.Service
	Recalls       *recall.Service
	Reshares      *reshare.Service
	Witnesses     *witness.Service
	Pulse         *pulse.Pulse // wakes who follows feeds
	Logbook       *logbook.Service

	Now  func() time.Time
	Name string
	URL  string

	notary Notary
}

// New assembles an exchange.
func New(c Config) *Exchange {
	clock := c.Now
	// Nothing finer than what the stores keep is ever shown or compared.
	c.Now = func() time.Time { return clock().UTC().Truncate(time.Microsecond) }
	x := &Exchange{Now: c.Now, Name: c.Name, URL: c.URL, notary: c.Notary}
	x.Programs = program.New(program.Config{Store: c.Stores.Programs, Place: place})
	x.Members = membership.New(membership.Config{Store: c.Stores.Members, Entitled: entitled})
	x.Submissions = submission.New(submission.Config{
		Store: c.Stores.Submissions, Blobs: submitted{c.Blobs}, Shared: c.Shared, Grounds: submittedOn, Parent: x.parent,
	})
	x.Releases = x.releases(c)
	due := x.due(c.Log)
	x.Delivery = delivery.New(delivery.Config{
		Store: c.Stores.Delivery, Blobs: delivered{c.Blobs}, Digest: delivered{c.Blobs}.digest, Settle: c.Settle, Now: c.Now, Due: due, Generation: c.Generation, Arrivals: c.Arrivals, Gone: x.gone,
		Audiences: audiences,
	})
	x.Lookup = newLookup(c, x.Delivery)
	x.Feedback = feedback.New(feedback.Config{Store: c.Stores.Feedback, Due: due, MaySee: x.Delivery.MaySee})
	x.Record = record.New(record.Config{Store: c.Stores.Record, Log: c.Ledger, Now: c.Now, Covered: x.Delivery.Covered, Bearers: x.bearers})
	x.Contributions = contribution.New(contribution.Config{
		Store: c.Stores.Contributions, Blobs: contributed{c.Blobs}, Shows: x.Delivery.Shows, Log: c.Log, Grounds: contributedOn,
	})
	x.Bases = basis.New(basis.Config{Store: c.Stores.Bases})
	x.Connections = x.connections(c)
	x.Logbook = logbook.New(c.Logbook)
	x.Recalls = x.recalls(c)
	x.Reshares = x.reshares(c)
	x.push(c)
	x.mail(c)
	return x
}

// SignInURL is the sign-in link with this code, which is a secret.
func (x *Exchange) SignInURL(code string) string {
	return x.URL + "/sign-in?code=" + url.QueryEscape(code)
}

// due opens the waves whose moment has come before somebody reads. One that
// cannot open stays closed; it does not keep anybody from reading the rest.
func (x *Exchange) due(log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := x.Releases.OpenDue(ctx); err != nil && ctx.Err() == nil && log != nil {
			log.Error("opening waves", "err", err)
		}
		return ctx.Err()
	}
}

// place lets the membership room recompute audiences in the program room's
// transaction. Both are the same transaction of the store.
func place(tx program.Tx, c exchange.Charter) ([]exchange.Move, error) {
	moves, err := membership.Place(tx.(membership.Tx), c)
	if err != nil {
		return nil, err
	}
	if err := release.Follow(tx.(release.Tx), c); err != nil {
		return nil, err
	}
	stacked, err := membership.PlaceStacked(tx.(membership.Tx), c)
	if err != nil {
		return nil, err
	}
	for _, o := range append(stacked, c) {
		if err := release.Offer(tx.(release.Tx), o); err != nil {
			return nil, err
		}
	}
	return moves, nil
}

// bearers lets delivery say where an item is, as far as the actor may know.
func (x *Exchange) bearers(ctx context.Context, a exchange.Actor, program exchange.ProgramID, item string) (record.Bearers, error) {
	b, err := x.Delivery.Bearers(ctx, a, program, item)
	return record.Bearers(b), err
}

// audiences lets the membership room say who would be in which audience under a
// charter that is not in force.
func audiences(tx delivery.Tx, c exchange.Charter) (map[exchange.OrgID]exchange.Audience, error) {
	return membership.Foresee(tx.(membership.Tx), c)
}

// entitled lets members who are entitled only now be offered what was given
// before, in the membership room's transaction.
func entitled(tx membership.Tx, c exchange.Charter, orgs []exchange.OrgID) error {
	return release.Offer(tx.(release.Tx), c, orgs...)
}

type contributed struct{ Blobs }

func (b contributed) Open(sha string) (contribution.Blob, error) { return b.Blobs.Open(sha) }

type submitted struct{ Blobs }

func (b submitted) Open(sha string) (submission.Blob, error) { return b.Blobs.Open(sha) }

type delivered struct{ Blobs }

func (b delivered) Open(sha string) (delivery.Blob, error) { return b.Blobs.Open(sha) }
