package server

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/outbound/reach"
	asks "github.com/forewarn-exchange/forewarn/internal/outbound/witness"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// witnesses is what the witnesses of the ledger are told with.
func (s *Server) witnesses() (core.Witnesses, error) {
	networks, err := s.o.Config.Ledger.Networks()
	if err != nil {
		return core.Witnesses{}, err
	}
	every, err := s.o.Config.Ledger.Every()
	return core.Witnesses{
		Store: sqlstore.For[witness.Tx](s.DB), Current: s.currentLog, Keys: s.witnessedKeys, Settle: s.Ledger.Settle,
		Asker: asks.New(reach.Options{Allow: networks}), Every: every,
	}, err
}

// currentLog is the log that is written, and where it begins among the events.
func (s *Server) currentLog() (witness.Ledger, error) {
	infos := s.Ledger.Logs()
	last := infos[len(infos)-1]
	log, err := s.Ledger.Log(last.Number)
	return witness.Ledger{Log: log, Number: last.Number, Base: last.Base}, err
}

func (s *Server) witnessedKeys(ctx context.Context, log int) (out []witness.LogKey, err error) {
	err = s.DB.View(ctx, func(tx *sqlstore.Tx) error {
		keys, err := tx.LogKeys(log)
		out = nil
		for _, k := range keys {
			out = append(out, witness.LogKey{Public: k.Public, Until: k.Until})
		}
		return err
	})
	return out, err
}
