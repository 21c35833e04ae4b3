package sequencer

import (
	"bytes"
	"context"
	"fmt"
)

// RolledBack says that the log holds events that the store does not: the store was
// put back to an older copy, or the folder of the ledger is another exchange's.
type RolledBack struct {
	Log    int
	Logged int64 // the last event in the log; -1: the store does not know the log
	Stored int64 // the last event in the store
}

func (e *RolledBack) Error() string {
	what := fmt.Sprintf("log %d of the ledger is not known to the store, whose last event is %d", e.Log, e.Stored)
	if e.Logged >= 0 {
		what = fmt.Sprintf("log %d of the ledger goes up to event %d, the store ends at event %d", e.Log, e.Logged, e.Stored)
	}
	return what + ": the store was put back to an older copy. Nothing was changed, and nothing is entered: " +
		"others hold proofs of what is missing. Put back the newer copy of the store; or, if it is lost, " +
		"close this log and go on in a new one with `forewarn ledger accept-rollback`"
}

// Diverged says that the store and the log hold different things.
type Diverged struct {
	Log   int
	Index int64 // of the first entry that differs
	Seq   int64 // its event
	Err   error
}

func (e *Diverged) Error() string {
	return fmt.Sprintf("event %d of the store is not what stands in the ledger (log %d, entry %d): one of the two was changed. "+
		"Nothing was changed now, and nothing is entered: a log never takes a second history. Put back the copy of the store "+
		"that the log was made from; or, if it is lost, close this log and go on in a new one with `forewarn ledger accept-rollback`",
		e.Seq, e.Log, e.Index)
}

func (e *Diverged) Unwrap() error { return e.Err }

// compared is how many of the last entries are compared at each start. All of them
// are compared where one of these differs, and by Check.
const compared = 1024

// compare holds the store against the log, when it was opened.
func (q *Sequencer) compare(ctx context.Context, c *open, last int64) error {
	logged := c.Base + c.log.Size()
	if logged > last {
		return &RolledBack{Log: c.Number, Logged: logged, Stored: last}
	}
	at, err := q.differs(ctx, c, max(c.Base, logged-compared), logged)
	if err != nil || at < 0 {
		return err
	}
	first, err := q.differs(ctx, c, c.Base, at+1)
	if err != nil {
		return err
	}
	if first < 0 {
		first = at
	}
	return &Diverged{Log: c.Number, Index: first - c.Base, Seq: first + 1}
}

// differs answers the number, less one, of the first event after one and up to
// another whose entry differs; -1: none.
func (q *Sequencer) differs(ctx context.Context, c *open, after, to int64) (int64, error) {
	for after < to {
		var rows []Row
		err := q.o.Store.View(ctx, func(tx Tx) (err error) {
			rows, err = tx.EventEntries(after, int(min(readAtOnce, to-after)))
			return err
		})
		if err != nil {
			return 0, err
		}
		for i := range min(readAtOnce, to-after) {
			if i >= int64(len(rows)) || rows[i].Seq != after+1+i {
				return after + i, nil
			}
			e, err := c.log.Entry(after + i - c.Base)
			if err != nil {
				return 0, err
			}
			if !bytes.Equal(e, rows[i].Entry) {
				return after + i, nil
			}
		}
		after += int64(len(rows))
	}
	return -1, nil
}
