package sequencer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
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
	c := q.current
	if q.held > 0 || c.away || first > c.handed+1 || c.handed-c.Base-c.log.Size() > maxAhead {
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
		if err := q.carry(ctx); err != nil && ctx.Err() == nil && q.Err() == nil {
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

// batch is what one snapshot of the store holds beyond what was handed over.
type batch struct {
	infos []Info
	log   Info // the current log, as it stands there
	next  Info // the one after it; Number 0: none
	rows  []Row
}

// end is the last event that belongs in the log.
func (b batch) end() int64 {
	if b.next.Number > 0 {
		return b.next.Base
	}
	return math.MaxInt64
}

// cut reports whether the store does not hold all of what the closed log holds: an
// older copy of it was accepted.
func (b batch) cut() bool { return b.next.Number > 0 && b.next.Base != b.log.Base+b.log.Size }

// carry reads what the store holds beyond what was handed over, and hands it over.
// Where a log was closed, it goes on with the next one.
func (q *Sequencer) carry(ctx context.Context) error {
	for {
		q.mu.Lock()
		c, after, stopped := q.current, q.current.handed, q.err
		q.mu.Unlock()
		if stopped != nil {
			return stopped
		}
		b, err := q.read(ctx, c, after)
		if err != nil {
			return err
		}
		handed, err := q.take(c, b, after)
		if err != nil {
			return err
		}
		// Memory is bounded: the next are read when these are durable.
		if err := c.log.Wait(ctx, handed-c.Base); err != nil {
			return err
		}
		switch {
		case b.next.Number > 0 && (handed >= b.end() || b.cut()):
			if err := q.follow(ctx, c, b); err != nil {
				return err
			}
		case len(b.rows) < readAtOnce:
			return nil
		}
	}
}

// take hands the rows of a batch to the log.
func (q *Sequencer) take(c *open, b batch, after int64) (handed int64, err error) {
	entries := make([][]byte, 0, len(b.rows))
	for _, r := range b.rows {
		if r.Seq <= b.end() && !b.cut() {
			entries = append(entries, r.Entry)
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	// From here on nothing is put into a closed log but what is in this batch.
	c.away = b.next.Number > 0
	if len(entries) > 0 {
		q.put(c, after+1, entries)
	}
	if c.handed < after+int64(len(entries)) {
		return c.handed, cmp.Or(q.err, c.log.Err(), ledger.ErrClosed)
	}
	return c.handed, q.err
}

// read reads, in one snapshot, the logs and the entries after an event, without a
// gap. Events from before the ledger get theirs now.
func (q *Sequencer) read(ctx context.Context, c *open, after int64) (b batch, err error) {
	missing := false
	read := func(tx Tx) (err error) {
		b, missing = batch{}, false
		if b.infos, err = tx.Logs(); err != nil {
			return err
		}
		for _, l := range b.infos {
			switch {
			case l.Number == c.Number:
				b.log = l
			case l.Number > c.Number && b.next.Number == 0:
				b.next = l
			}
		}
		if b.rows, err = tx.EventEntries(after, readAtOnce); err != nil {
			return err
		}
		for i, r := range b.rows {
			if r.Seq != after+1+int64(i) {
				return fmt.Errorf("event %d is missing in the store: the next one is %d", after+1+int64(i), r.Seq)
			}
			missing = missing || len(r.Entry) == 0
		}
		return nil
	}
	if err := q.o.Store.View(ctx, read); err != nil || !missing {
		return b, err
	}
	err = q.o.Store.Update(ctx, func(tx Tx) error {
		if err := fill(tx, after, readAtOnce); err != nil {
			return err
		}
		return read(tx)
	})
	return b, err
}

// follow goes on with the log after one that was closed.
func (q *Sequencer) follow(ctx context.Context, c *open, b batch) error {
	if c.log.Size() != b.log.Size {
		if !b.cut() {
			return q.refuse(fmt.Errorf("log %d has %d entries, the store says that it was closed at %d", c.Number, c.log.Size(), b.log.Size))
		}
		q.o.Log.Warn("a closed log is not whole in this folder", "log", c.Number, "size", c.log.Size(), "closed_at", b.log.Size)
	} else {
		root, err := c.log.Root(b.log.Size)
		if err != nil {
			return err
		}
		if root != b.log.Root {
			return q.refuse(fmt.Errorf("log %d ends otherwise than the store says", c.Number))
		}
		if err := c.log.Freeze(); err != nil {
			return err
		}
	}
	var keys []Key
	err := q.o.Store.View(ctx, func(tx Tx) (err error) {
		keys, err = tx.LogKeys(b.next.Number)
		return err
	})
	if err != nil {
		return err
	}
	if err := q.begin(ctx, b.next, keys); err != nil {
		return err
	}
	q.mu.Lock()
	q.infos, q.older[c.Number] = b.infos, c.log
	q.mu.Unlock()
	c.end()
	q.o.Log.Info("the ledger goes on in a new log", "log", b.next.Number, "origin", b.next.Origin)
	return nil
}

// refuse stops the sequencer.
func (q *Sequencer) refuse(err error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fail(err)
	return err
}

// Hold keeps entries from going into the log by themselves until release: then what
// was committed meanwhile is read from the store, and with it whether the log was
// closed and another follows. Whoever closes a log holds it from before the
// transaction until after it.
func (q *Sequencer) Hold() (release func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held++
	return sync.OnceFunc(func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.held--
		q.nudge()
	})
}

// fill gives events from before the ledger their numbers, salts and entries.
func fill(tx Tx, after int64, limit int) error {
	rows, err := tx.EventRows(after, limit)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := tx.PutEntry(r); err != nil {
			return err
		}
	}
	return nil
}
