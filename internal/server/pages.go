package server

import (
	"context"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/transport/web"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

// ledgerPages is the ledger as the pages show it.
type ledgerPages struct {
	q     *sequencer.Sequencer
	store sequencer.Store
}

var _ web.Ledger = ledgerPages{}

// Size is how many entries the log that is written now has.
func (l ledgerPages) Size() int64 { return l.q.Current().Size() }

// Logs are all logs, the one that is written now first.
func (l ledgerPages) Logs(ctx context.Context, _ exchange.Actor) ([]web.Log, error) {
	var out []web.Log
	err := l.store.View(ctx, func(tx sequencer.Tx) error {
		out = nil
		for _, info := range slices.Backward(l.q.Logs()) {
			log, err := l.read(tx, info)
			if err != nil {
				return err
			}
			out = append(out, log)
		}
		return nil
	})
	return out, err
}

func (l ledgerPages) read(tx sequencer.Tx, info sequencer.Info) (web.Log, error) {
	out := web.Log{Origin: info.Origin, Number: info.Number, Closed: !info.Closed.IsZero()}
	log, err := l.q.Log(info.Number)
	if err != nil {
		return out, err
	}
	out.Size = log.Size()
	if out.Root, err = log.Root(out.Size); err != nil {
		return out, err
	}
	keys, err := tx.LogKeys(info.Number)
	slices.SortStableFunc(keys, func(a, b sequencer.Key) int { return rank(b) - rank(a) })
	for _, k := range keys {
		out.Keys = append(out.Keys, k.Public)
	}
	return out, err
}

// rank puts keys that sign before those that do not any more.
func rank(k sequencer.Key) int {
	if k.Until < 0 {
		return 1
	}
	return 0
}

// Root is the root that a log had at a size.
func (l ledgerPages) Root(_ context.Context, origin string, size int64) (tlog.Hash, error) {
	for _, info := range l.q.Logs() {
		if info.Origin != origin {
			continue
		}
		log, err := l.q.Log(info.Number)
		if err != nil {
			return tlog.Hash{}, err
		}
		return log.Root(size)
	}
	return tlog.Hash{}, exchange.Missing()
}

// Alarms say what the witnesses hold against the log: there are none yet.
func (ledgerPages) Alarms(context.Context, exchange.Actor) ([]page.Alarm, error) { return nil, nil }
