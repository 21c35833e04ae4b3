package sequencer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/verify"
)

// ErrStale says that the log of this node does not go on from what another node
// has told, or was closed by it.
var ErrStale = errors.New("another node has told otherwise of the log")

// frontier is the right edge of the tree up to where this node has told: the roots
// of the full subtrees, the largest first; and what was put since.
type frontier struct {
	size  int64
	peaks []tlog.Hash
	ahead []tlog.Hash // hashes of the entries that follow
}

// frontierOf reads the edge of a log from the proof of its last entry, whose
// hashes are those to the left of it.
func frontierOf(l *ledger.Log) (*frontier, error) {
	f := &frontier{size: l.Size()}
	if f.size == 0 {
		return f, nil
	}
	e, err := l.Entry(f.size - 1)
	if err != nil {
		return nil, err
	}
	proof, err := l.Inclusion(f.size-1, f.size)
	if err != nil {
		return nil, err
	}
	last := tlog.RecordHash(e)
	for n := f.size; n&1 == 0; n >>= 1 {
		if len(proof) == 0 {
			return nil, errors.New("the proof of the last entry is too short")
		}
		last, proof = tlog.NodeHash(proof[0], last), proof[1:]
	}
	f.peaks = []tlog.Hash{last}
	for _, h := range proof {
		f.peaks = append([]tlog.Hash{h}, f.peaks...)
	}
	return f, nil
}

// step is the edge at a size not below f's and not beyond what is known.
func (f *frontier) step(size int64) (*frontier, bool) {
	n := size - f.size
	if n < 0 || n > int64(len(f.ahead)) {
		return nil, false
	}
	to := &frontier{size: f.size, peaks: append([]tlog.Hash(nil), f.peaks...), ahead: f.ahead[n:]}
	for _, h := range f.ahead[:n] {
		for s := to.size; s&1 == 1; s >>= 1 {
			h = tlog.NodeHash(to.peaks[len(to.peaks)-1], h)
			to.peaks = to.peaks[:len(to.peaks)-1]
		}
		to.peaks = append(to.peaks, h)
		to.size++
	}
	return to, true
}

func (f *frontier) root() tlog.Hash {
	if len(f.peaks) == 0 {
		return tlog.Hash(sha256.Sum256(nil))
	}
	h := f.peaks[len(f.peaks)-1]
	for i := len(f.peaks) - 2; i >= 0; i-- {
		h = tlog.NodeHash(f.peaks[i], h)
	}
	return h
}

// checkpoint reads a checkpoint that a node of ours has signed.
func checkpoint(signed []byte) (verify.Checkpoint, error) {
	n, err := note.Open(signed, note.VerifierList())
	if u, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		n, err = u.Note, nil
	}
	if err != nil {
		return verify.Checkpoint{}, err
	}
	return verify.ParseCheckpoint(n.Text)
}

// join holds a log that was just opened against the head, and moves the head on
// where the log is further: what the node had made durable when it ended.
func (q *Sequencer) join(ctx context.Context, c *open) error {
	f, err := frontierOf(c.log)
	if err != nil {
		return err
	}
	var last int64
	err = q.o.Store.Update(ctx, func(tx Tx) error {
		if last, err = tx.LastEvent(); err != nil {
			return err
		}
		if logged := c.Base + c.log.Size(); logged > last {
			return &RolledBack{Log: c.Number, Logged: logged, Stored: last}
		}
		h, err := tx.LogHead(c.Number)
		if err != nil {
			return err
		}
		if h.Size > c.log.Size() {
			return nil // it is compared when the log is that far
		}
		if h.Size > 0 {
			told, err := checkpoint(h.Checkpoint)
			if err != nil {
				return err
			}
			if root, err := c.log.Root(h.Size); err != nil || root != told.Root {
				return errors.Join(fmt.Errorf("at size %d: %w", h.Size, ErrStale), err)
			}
		}
		return tx.PutLogHead(Head{Log: c.Number, Size: c.log.Size(), Checkpoint: c.log.Checkpoint(), Node: q.o.Node})
	})
	if err != nil {
		return err
	}
	c.told = f
	return nil
}

// publish moves the head to a checkpoint of this node, before anybody is told of
// it. Where another node has moved it further, it is compared and stays. It is
// called by the log, one call at a time.
func (q *Sequencer) publish(ctx context.Context, c *open, size int64, signed []byte) error {
	q.mu.Lock()
	f := c.told
	q.mu.Unlock()
	if f == nil {
		return nil // while it is opened: join does it
	}
	own, err := checkpoint(signed)
	if err != nil {
		return err
	}
	q.mu.Lock()
	to, ok := f.step(size)
	q.mu.Unlock()
	if !ok || to.root() != own.Root {
		return fmt.Errorf("the checkpoint of size %d is not what was handed over", size)
	}
	for {
		err := q.o.Store.Update(ctx, func(tx Tx) error { return q.advance(tx, c, f, own, signed) })
		if err == nil {
			break
		}
		if errors.Is(err, ErrStale) {
			q.mu.Lock()
			q.fail(err)
			q.mu.Unlock()
			return err
		}
		if ctx.Err() != nil {
			q.mu.Lock()
			c.cut = true
			q.mu.Unlock()
			return err
		}
		q.o.Log.Warn("telling the other nodes of the ledger", "err", err)
		pause(ctx, pollEvery)
	}
	q.mu.Lock()
	n := size - f.size
	c.told = &frontier{size: to.size, peaks: to.peaks, ahead: append([]tlog.Hash(nil), f.ahead[n:]...)}
	q.mu.Unlock()
	return nil
}

// advance is publish's transaction.
func (q *Sequencer) advance(tx Tx, c *open, f *frontier, own verify.Checkpoint, signed []byte) error {
	h, err := tx.LogHead(c.Number)
	if err != nil {
		return err
	}
	all, err := tx.Logs()
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.Number == c.Number && !l.Closed.IsZero() && own.Size > l.Size {
			return fmt.Errorf("it was closed at size %d: %w", l.Size, ErrStale)
		}
	}
	if h.Size > 0 {
		told, err := checkpoint(h.Checkpoint)
		if err != nil {
			return err
		}
		root := own.Root
		switch {
		case h.Size > own.Size:
			return nil // it is compared when this node is that far
		case h.Size < f.size:
			if root, err = c.log.Root(h.Size); err != nil {
				return err
			}
		case h.Size < own.Size:
			q.mu.Lock()
			at, ok := f.step(h.Size)
			q.mu.Unlock()
			if !ok {
				return fmt.Errorf("the head stands at %d, between %d and %d", h.Size, f.size, own.Size)
			}
			root = at.root()
		}
		if root != told.Root {
			return fmt.Errorf("at size %d: %w", h.Size, ErrStale)
		}
	}
	return tx.PutLogHead(Head{Log: c.Number, Size: own.Size, Checkpoint: signed, Node: q.o.Node})
}

// revive opens the log anew when it has stopped because the store was away.
func (q *Sequencer) revive(ctx context.Context) {
	q.mu.Lock()
	c, err, cut := q.current, q.err, q.current.cut
	q.mu.Unlock()
	stopped := c.log.Err()
	if err != nil || stopped == nil || !cut {
		return
	}
	q.o.Log.Warn("opening the ledger anew", "err", stopped)
	var keys []Key
	err = q.o.Store.View(ctx, func(tx Tx) (err error) {
		keys, err = tx.LogKeys(c.Number)
		return err
	})
	if err != nil {
		return
	}
	if err := c.log.Close(); err != nil {
		q.o.Log.Warn("closing the ledger", "err", err)
	}
	if err := q.begin(ctx, c.Info, keys); err != nil && ctx.Err() == nil {
		q.o.Log.Error("opening the ledger anew", "err", err)
		return
	}
	c.end()
}
