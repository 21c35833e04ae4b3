package sequencer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/verify"
)

const (
	readAtOnce = 4096 // events of one read
	maxAhead   = 1 << 16
	// pollEvery is how often the store is asked for what other nodes recorded, while
	// nobody waits for it.
	pollEvery = 200 * time.Millisecond
)

// Recorded takes over the entries of the events first, first + 1, … in the order
// of commits. It does not wait.
func (q *Sequencer) Recorded(first int64, entries [][]byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	last := first + int64(len(entries)) - 1
	q.wanted = max(q.wanted, last)
	c := q.current
	if c.away || first > c.handed+1 || c.handed-c.Base-c.log.Size() > maxAhead {
		q.nudge() // the carrier reads them
		return
	}
	q.put(c, first, entries)
}

// put hands entries to the log. q.mu is held.
func (q *Sequencer) put(c *open, first int64, entries [][]byte) {
	if q.err != nil {
		return
	}
	last := first + int64(len(entries)) - 1
	if c.told != nil && last > c.handed {
		for _, e := range entries[max(0, c.handed+1-first):] {
			c.told.ahead = append(c.told.ahead, tlog.RecordHash(e))
		}
	}
	err := c.log.Put(first-1-c.Base, entries)
	if err == nil {
		c.handed = max(c.handed, last)
		return
	}
	var f *verify.Failure
	if errors.As(err, &f) && f.Index >= 0 {
		q.fail(&Diverged{Log: c.Number, Index: f.Index, Seq: c.Base + 1 + f.Index, Err: err})
		return
	}
	if c.log.Err() == nil && !errors.Is(err, ledger.ErrClosed) { // else the log says why
		q.fail(err)
	}
}

// fail stops the sequencer. The first error stays. q.mu is held.
func (q *Sequencer) fail(err error) {
	if q.err == nil {
		q.err = err
		q.o.Log.Error("events are no longer carried into the ledger", "err", err)
		q.current.end()
	}
}

func (q *Sequencer) nudge() {
	select {
	case q.nudged <- struct{}{}:
	default:
	}
}

// run is the carrier: it reads from the store what was not handed over.
func (q *Sequencer) run(ctx context.Context) {
	defer close(q.ended)
	var poll <-chan time.Time
	if q.o.Shared {
		t := time.NewTicker(pollEvery)
		defer t.Stop()
		poll = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.nudged:
		case <-poll:
			q.revive(ctx)
		}
		if err := q.carry(ctx); err != nil && ctx.Err() == nil {
			// The next turn tries again; who waits does so up to its own limit.
			q.o.Log.Warn("reading events for the ledger", "err", err)
			pause(ctx, pollEvery)
			q.nudge()
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// carry reads what the store holds beyond what was handed over, and hands it over.
func (q *Sequencer) carry(ctx context.Context) error {
	for {
		q.mu.Lock()
		c, after, stopped := q.current, q.current.handed, q.err
		away := c.away
		q.mu.Unlock()
		if away || stopped != nil {
			return stopped
		}
		rows, err := q.entries(ctx, after, readAtOnce)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		entries := make([][]byte, len(rows))
		for i, r := range rows {
			entries[i] = r.Entry
		}
		q.mu.Lock()
		if !c.away && q.current == c {
			q.put(c, after+1, entries)
		}
		stopped, handed := q.err, c.handed
		q.wanted = max(q.wanted, handed)
		q.mu.Unlock()
		if stopped != nil {
			return stopped
		}
		// Memory is bounded: the next are read when these are durable.
		if err := c.log.Wait(ctx, handed-c.Base); err != nil {
			return err
		}
		if len(rows) < readAtOnce && !q.o.Shared {
			return nil
		}
	}
}

// entries reads the entries after an event, without a gap. Events from before the
// ledger get theirs now.
func (q *Sequencer) entries(ctx context.Context, after int64, limit int) ([]Row, error) {
	var rows []Row
	missing := false
	read := func(tx Tx) (err error) {
		rows, err = tx.EventEntries(after, limit)
		return err
	}
	if err := q.o.Store.View(ctx, read); err != nil {
		return nil, err
	}
	for i, r := range rows {
		if r.Seq != after+1+int64(i) {
			return nil, fmt.Errorf("event %d is missing in the store: the next one is %d", after+1+int64(i), r.Seq)
		}
		missing = missing || len(r.Entry) == 0
	}
	if !missing {
		return rows, nil
	}
	err := q.o.Store.Update(ctx, func(tx Tx) error {
		if err := fill(tx, after, limit); err != nil {
			return err
		}
		return read(tx)
	})
	return rows, err
}

// fill gives events from before the ledger their salts and entries.
func fill(tx Tx, after int64, limit int) error {
	rows, err := tx.EventRows(after, limit)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if len(r.Entry) > 0 {
			continue
		}
		var salt [verify.SaltSize]byte
		rand.Read(salt[:])
		entry, err := verify.Entry(r.Body, salt)
		if err != nil {
			return fmt.Errorf("entering event %d: %w", r.Seq, err)
		}
		if err := tx.PutEntry(Row{Seq: r.Seq, Salt: salt[:], Entry: entry}); err != nil {
			return err
		}
	}
	return nil
}
