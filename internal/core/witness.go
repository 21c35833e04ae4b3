package core

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/witness"
)

// Witnesses is what those who watch over the ledger are told with.
type Witnesses struct {
	Store   witness.Store
	Current func() (witness.Ledger, error)
	Keys    func(ctx context.Context, log int) ([]witness.LogKey, error)
	Settle  func(ctx context.Context) error
	Asker   witness.Asker
	Every   time.Duration // zero: the default
}

// releases assembles the release room, which asks the witness room whether anything
// may be released, in its own transaction.
func (x *Exchange) releases(c Config) *release.Service {
	x.Witnesses = witness.New(witness.Config{
		Store: c.Witnesses.Store, Current: c.Witnesses.Current, Keys: c.Witnesses.Keys, Settle: c.Witnesses.Settle,
		Asker: c.Witnesses.Asker, Every: c.Witnesses.Every, Now: c.Now, Log: c.Log,
		Resume: func() { x.Releases.Wake() },
	})
	return release.New(release.Config{
		Store: c.Stores.Releases, Now: c.Now, Log: c.Log, Opened: x.Witnesses.Kick,
		Held: func(tx release.Tx, ch exchange.Charter) (string, error) { return x.Witnesses.Held(tx.(witness.Tx), ch) },
	})
}
