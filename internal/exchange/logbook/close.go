package logbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Close ends the log and opens the one that follows it. The last entry of the closed
// one is the event of its end; the first of the other is the event that names its
// last checkpoint. The reason is published.
func (s *Service) Close(ctx context.Context, a exchange.Actor, reason string) (next Log, err error) {
	if err := allowed(a, reason); err != nil {
		return Log{}, err
	}
	running := s.c.Current()
	if running == nil {
		return Log{}, exchange.Fail(exchange.Unavailable, "the log is written by another node; nothing was changed")
	}
	release := sync.OnceFunc(s.c.Hold())
	defer release()
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		l, keys, err := open(tx)
		if err != nil {
			return err
		}
		if l.Origin != running.Origin() {
			return exchange.Fail(exchange.Conflict, "the log %d is being opened; nothing was changed", l.Number)
		}
		seq, err := tx.Record(exchange.Event{Kind: exchange.EventLedgerClosed, Actor: a, Detail: exchange.Detail{
			"log": int64(l.Number), "origin": l.Origin, "reason": reason,
		}})
		if err != nil {
			return err
		}
		l.ClosedAt, l.Size = tx.Now(), seq-l.Base
		if l.Root, err = rootAt(tx, running, l); err != nil {
			return err
		}
		if next, err = succeed(tx, l, keys, Log{Number: l.Number + 1, Base: seq}, reason); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{Kind: exchange.EventLedgerOpened, Actor: a, Detail: exchange.Detail{
			"log": int64(next.Number), "origin": next.Origin, "former": l.Origin, "former_size": l.Size, "former_root": rootText(l.Root),
		}})
		tx.AfterCommit(func() { go release() }) // Update waits for what it recorded
		return err
	})
	return next, err
}

// succeed keeps the end of a log, which is in l, and enters the one that follows it,
// of which number and base are given.
func succeed(tx Tx, l Log, keys []Key, next Log, reason string) (Log, error) {
	logs, err := tx.Logbook()
	if err != nil {
		return Log{}, err
	}
	next.Origin, next.OpenedAt = following(logs[0].Origin, next.Number), l.ClosedAt
	key, signer, err := newKey(next, 0)
	if err != nil {
		return Log{}, err
	}
	signers, err := signersOf(keys)
	if err != nil {
		return Log{}, err
	}
	end := l.Checkpoint()
	st := verify.Statement{Origin: l.Origin, Closed: &end, Successor: next.Origin, SuccKey: key.Public, Reason: reason}
	return next, errors.Join(
		tx.KeepLog(l), tx.KeepLog(next), tx.KeepLogKey(key), state(tx, l.Number, st, append(signers, signer)...),
	)
}

// rootAt is the root of the running log at the size at which it ends, which it has
// not reached: what is missing is read from the store.
func rootAt(tx Tx, running Running, l Log) (tlog.Hash, error) {
	size := running.Size()
	peaks, err := edgeOf(running, size)
	if err != nil {
		return tlog.Hash{}, err
	}
	for size < l.Size {
		entries, err := tx.EntriesAfter(l.Base+size, int(min(1000, l.Size-size)))
		if err != nil {
			return tlog.Hash{}, err
		}
		if len(entries) == 0 {
			return tlog.Hash{}, fmt.Errorf("the store lacks the event %d", l.Base+size+1)
		}
		for _, e := range entries {
			h := tlog.RecordHash(e)
			for n := size; n&1 == 1; n >>= 1 {
				h = tlog.NodeHash(peaks[len(peaks)-1], h)
				peaks = peaks[:len(peaks)-1]
			}
			peaks, size = append(peaks, h), size+1
		}
	}
	root := peaks[len(peaks)-1] // the event of the end is there
	for _, h := range slices.Backward(peaks[:len(peaks)-1]) {
		root = tlog.NodeHash(h, root)
	}
	return root, nil
}

// edgeOf is the right edge of a tree: the roots of its full subtrees, the largest
// first. The proof of the last entry holds all that is to the left of it.
func edgeOf(log Running, size int64) ([]tlog.Hash, error) {
	if size == 0 {
		return nil, nil
	}
	e, err := log.Entry(size - 1)
	if err != nil {
		return nil, err
	}
	proof, err := log.Inclusion(size-1, size)
	if err != nil {
		return nil, err
	}
	last := tlog.RecordHash(e)
	for n := size; n&1 == 0; n >>= 1 { // the smallest subtree holds more than the last entry
		last, proof = tlog.NodeHash(proof[0], last), proof[1:]
	}
	slices.Reverse(proof)
	return append([]tlog.Hash(proof), last), nil
}

// Lost is the end of a log that the store does not know all of any more.
type Lost struct {
	Known   int64             // the events up to this one are in both, and alike
	Next    int               // number of the log that follows: that of no log that ever was
	Last    verify.Checkpoint // of the log, as it stands
	Witness verify.Checkpoint // the largest that others hold; the zero value: none larger
}

// Gone is how many entries of a log with that base have no event any more.
func (l Lost) Gone(base int64) int64 { return max(l.Last.Size, l.Witness.Size) - (l.Known - base) }

// AcceptRollback ends a log that does not go on from what the store holds, and
// enters the one that follows it. Nothing runs meanwhile. The first event after it
// says how much was lost, and why. The reason is published.
func (s *Service) AcceptRollback(ctx context.Context, lost Lost, reason string) (next Log, err error) {
	if err := verify.CheckReason(reason); err != nil {
		return Log{}, exchange.Fail(exchange.Invalid, "reason: %v; nothing was changed", err)
	}
	return next, s.c.Store.Update(ctx, func(tx Tx) error {
		l, keys, err := open(tx)
		if err != nil {
			return err
		}
		l.ClosedAt, l.Size, l.Root = tx.Now(), lost.Last.Size, lost.Last.Root
		if next, err = succeed(tx, l, keys, Log{Number: lost.Next, Base: lost.Known}, reason); err != nil {
			return err
		}
		detail := exchange.Detail{
			"log": int64(next.Number), "origin": next.Origin, "former": l.Origin, "former_size": l.Size,
			"former_root": rootText(l.Root), "without_event": lost.Gone(l.Base), "reason": reason,
		}
		if lost.Witness.Size > 0 {
			detail["witnessed_size"], detail["witnessed_root"] = lost.Witness.Size, rootText(lost.Witness.Root)
		}
		if _, err := tx.Record(exchange.Event{Kind: exchange.EventLedgerRolledBack, Actor: exchange.System(), Detail: detail}); err != nil {
			return err
		}
		return destroy(tx, l)
	})
}

// destroy blanks the private keys of a closed log, once its end is signed.
func destroy(tx Tx, l Log) error {
	keys, err := tx.KeysOfLog(l.Number)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.Private == "" {
			continue
		}
		k.Private = ""
		if err := tx.KeepLogKey(k); err != nil {
			return err
		}
	}
	return nil
}
