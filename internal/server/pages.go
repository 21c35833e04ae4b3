package server

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/transport/web"
)

// ledgerPages is the ledger and its witnesses as the pages show them.
type ledgerPages struct {
	q     *sequencer.Sequencer
	store sequencer.Store
	x     *core.Exchange

	mu    sync.Mutex
	known []watched
	size  int64     // of the log when they were asked for
	at    time.Time // when
}

var _ web.Ledger = (*ledgerPages)(nil)

// watched is how the witnesses of one program stand.
type watched struct {
	charter exchange.Charter
	witness.Status
}

// Size is how many entries the log that is written now has.
func (l *ledgerPages) Size() int64 { return l.q.Current().Size() }

// Logs are all logs, the one that is written now first, with its witnesses.
func (l *ledgerPages) Logs(ctx context.Context, a exchange.Actor) ([]web.Log, error) {
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
	if err != nil {
		return nil, err
	}
	if !a.Anonymous() {
		if out[0].Newest, err = l.newest(ctx); err != nil {
			return nil, err
		}
	}
	out[0].Witnesses, err = l.witnesses(ctx, a)
	return out, err
}

// newest is when the newest event happened; zero: there is none, or it was erased.
func (l *ledgerPages) newest(ctx context.Context) (at time.Time, err error) {
	var event struct {
		At time.Time `json:"at"`
	}
	err = l.store.View(ctx, func(tx sequencer.Tx) error {
		last, err := tx.LastEvent()
		if err != nil || last == 0 {
			return err
		}
		rows, err := tx.EventRows(last-1, 1)
		if err != nil || len(rows) == 0 || len(rows[0].Body) == 0 {
			return err
		}
		return json.Unmarshal(rows[0].Body, &event)
	})
	return event.At, err
}

func (l *ledgerPages) read(tx sequencer.Tx, info sequencer.Info) (web.Log, error) {
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
func (l *ledgerPages) Root(_ context.Context, origin string, size int64) (tlog.Hash, error) {
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

// fresh is how long it stands what was read of the witnesses, while nothing new is
// in the log: what speaks against it is in the log itself.
const fresh = 5 * time.Second

// watched is how the witnesses of every program stand that names some.
func (l *ledgerPages) watched(ctx context.Context) ([]watched, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := l.Size()
	if l.size == size && time.Since(l.at) < fresh {
		return l.known, nil
	}
	all, err := l.x.Programs.List(ctx, exchange.System())
	if err != nil {
		return nil, err
	}
	var out []watched
	for _, p := range all {
		if len(p.Charter.Ledger.Witnesses) == 0 {
			continue
		}
		st, err := l.x.Witnesses.Status(ctx, exchange.System(), p.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, watched{p.Charter, st})
	}
	l.known, l.size, l.at = out, size, time.Now()
	return out, nil
}

// witnesses are those of every program, each once; the names are told to members of
// a program that names them, and to who oversees it.
func (l *ledgerPages) witnesses(ctx context.Context, a exchange.Actor) (out []web.Witness, err error) {
	all, err := l.watched(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range all {
		told, err := l.told(ctx, a, w)
		if err != nil {
			return nil, err
		}
		for _, one := range w.Witnesses {
			i := slices.IndexFunc(out, func(o web.Witness) bool { return o.Key == one.Key })
			if i < 0 {
				i, out = len(out), append(out, web.Witness{Key: one.Key, Size: one.Size, At: one.Seen, Standing: one.Standing})
			}
			if o := &out[i]; one.Standing == witness.Disagrees {
				o.Standing = one.Standing
			}
			if told {
				out[i].Name = one.Name
			}
		}
	}
	return out, nil
}

// told reports whether the actor may know which witnesses a program names.
func (l *ledgerPages) told(ctx context.Context, a exchange.Actor, w watched) (bool, error) {
	if a.Anonymous() {
		return false, nil
	}
	if a.Oversees(w.charter.Owner) && a.Reaches(w.Program) {
		return true, nil
	}
	_, err := l.x.Witnesses.Status(ctx, a, w.Program)
	if exchange.KindOf(err) == exchange.NotFound {
		return false, nil
	}
	return err == nil, err
}

// Doubts are what speaks against the log, in the programs that the actor oversees;
// with all, in those of which the actor may know.
func (l *ledgerPages) Doubts(ctx context.Context, a exchange.Actor, all bool) (out []web.Doubt, err error) {
	known, err := l.watched(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range known {
		oversees := a.Oversees(w.charter.Owner) && a.Reaches(w.Program)
		open := slices.ContainsFunc(w.Disagreements, witness.Disagreement.Open)
		if !open && !w.Held || !oversees && !all {
			continue
		}
		if told, err := l.told(ctx, a, w); err != nil || !told {
			if err != nil {
				return nil, err
			}
			continue
		}
		d := web.Doubt{Program: w.Program, Title: w.charter.Title, Held: w.Held, Lacking: w.Lacking, Oversees: oversees, Settles: a.Operates(w.charter.Owner)}
		for _, one := range w.Disagreements {
			if one.Open() {
				d.Open = append(d.Open, one)
			}
		}
		out = append(out, d)
	}
	return out, nil
}
