package sequencer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/ledger"
)

// Wait waits until the events up to seq stand under a signed checkpoint.
func (q *Sequencer) Wait(ctx context.Context, seq int64) error {
	for {
		q.mu.Lock()
		c, err := q.current, q.err
		if seq > c.handed && seq > c.Base {
			q.nudge()
		}
		q.mu.Unlock()
		if err != nil { // first: where the store was put back, the number says nothing
			return err
		}
		if seq <= c.Base || c.log.Size() >= seq-c.Base { // of a closed log all is durable
			return nil
		}
		err = waitFor(ctx, c, seq-c.Base)
		if err == nil {
			return nil
		}
		q.mu.Lock()
		same, stopped := q.current == c, q.err
		q.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case stopped != nil:
			return stopped
		case same:
			return err
		}
	}
}

// waitFor waits for a size of one log, until another one takes its place.
func waitFor(ctx context.Context, c *open, size int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.over, cancel)()
	return c.log.Wait(ctx, size)
}

// Settle waits for all that was committed before, by any node: what can be read
// then can be proved, and may leave.
func (q *Sequencer) Settle(ctx context.Context) error {
	var last int64
	err := q.o.Store.View(ctx, func(tx Tx) (err error) {
		last, err = tx.LastEvent()
		return err
	})
	if err != nil {
		return err
	}
	return q.Wait(ctx, last)
}

// Err says why nothing can be entered any more; nil while it can.
func (q *Sequencer) Err() error {
	q.mu.Lock()
	c, err := q.current, q.err
	q.mu.Unlock()
	if err != nil {
		return err
	}
	return c.log.Err()
}

// Current is the log that is written.
func (q *Sequencer) Current() *ledger.Log {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.current.log
}

// Find answers the log in which an event is or will be, its number, and the index
// of the event's entry. What does not exist is exchange.NotFound.
func (q *Sequencer) Find(seq int64) (log *ledger.Log, number int, index int64, err error) {
	q.mu.Lock()
	i := len(q.infos) - 1
	for i >= 0 && q.infos[i].Base >= seq {
		i--
	}
	if seq < 1 || i < 0 {
		q.mu.Unlock()
		return nil, 0, 0, exchange.Missing()
	}
	info := q.infos[i]
	q.mu.Unlock()
	log, err = q.Log(info.Number)
	return log, info.Number, seq - 1 - info.Base, err
}

// Logs lists all logs, by number; the last one is the current one.
func (q *Sequencer) Logs() []Info {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.infos)
}

// Log opens a log by its number: a closed one for reading alone. Which does not
// exist is exchange.NotFound.
func (q *Sequencer) Log(number int) (*ledger.Log, error) {
	l, info, err := q.opened(number)
	if l != nil || err != nil {
		return l, err
	}
	l, err = ledger.Open(q.dir(number), ledger.Options{Origin: info.Origin, ReadOnly: true, Now: q.o.Now, Log: q.o.Log})
	if err != nil {
		return nil, fmt.Errorf("opening log %d: %w", number, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, errors.Join(ledger.ErrClosed, l.Close())
	}
	if other := q.older[number]; other != nil { // somebody was quicker
		return other, l.Close()
	}
	q.older[number] = l
	return l, nil
}

// opened answers a log that is open, or what is known of one that is not.
func (q *Sequencer) opened(number int) (*ledger.Log, Info, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.infos, func(l Info) bool { return l.Number == number })
	switch {
	case number == q.current.Number:
		return q.current.log, Info{}, nil
	case i < 0:
		return nil, Info{}, exchange.Missing()
	case q.closed:
		return nil, Info{}, ledger.ErrClosed
	}
	return q.older[number], q.infos[i], nil
}
