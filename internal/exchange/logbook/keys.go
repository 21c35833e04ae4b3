package logbook

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/verify"
)

// The overlap of a rotation: both keys sign for as long. Who verifies less often
// than that, and knows the old key alone, follows the statements.
const (
	DefaultOverlap = 30 * 24 * time.Hour
	leastOverlap   = time.Hour
	mostOverlap    = 400 * 24 * time.Hour
)

// Rotate gives the log a further key. Both sign until the overlap has passed; then
// the old one ends and is destroyed.
func (s *Service) Rotate(ctx context.Context, a exchange.Actor, overlap time.Duration, reason string) (Key, error) {
	if err := allowed(a, reason); err != nil {
		return Key{}, err
	}
	if overlap < leastOverlap || overlap > mostOverlap {
		return Key{}, exchange.Fail(exchange.Invalid, "the overlap is from %v to %v; to end a key at once, retire it; nothing was changed", leastOverlap, mostOverlap)
	}
	return s.rotate(ctx, a, overlap, reason)
}

// acrossNodes is how long another node may take to sign with a new key.
const acrossNodes = 2 * time.Minute

// RetireKey gives the log a new key and ends those that sign now: for a key that
// others may know. It is at once where one process has the store, else within
// minutes.
func (s *Service) RetireKey(ctx context.Context, a exchange.Actor, reason string) (Key, error) {
	if err := allowed(a, reason); err != nil {
		return Key{}, err
	}
	if s.c.Shared {
		return s.rotate(ctx, a, acrossNodes, reason)
	}
	made, err := s.rotate(ctx, a, 0, reason)
	if err != nil {
		return made, err
	}
	// Only now: a checkpoint that the old key alone signed is never larger than the
	// size up to which that key counts.
	running := s.c.Current()
	if err := s.c.Store.Update(ctx, func(tx Tx) error { return end(tx, a, running.Origin(), reason) }); err != nil {
		return made, err
	}
	return made, s.sign(ctx)
}

// rotate makes the new key and has the log signed by it, too. Without an overlap the
// old ones are to end at once.
func (s *Service) rotate(ctx context.Context, a exchange.Actor, overlap time.Duration, reason string) (made Key, err error) {
	if s.c.Current() == nil {
		return Key{}, exchange.Fail(exchange.Unavailable, "the log is not open; nothing was changed")
	}
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		l, keys, err := open(tx)
		if err != nil {
			return err
		}
		if overlap > acrossNodes && len(keys) > 1 {
			return exchange.Fail(exchange.Conflict, "a rotation is under way until %s; nothing was changed",
				endOf(keys).UTC().Format(time.RFC3339))
		}
		var signer note.Signer
		if made, signer, err = newKey(l, 0); err != nil {
			return err
		}
		ends := tx.Now().Add(overlap)
		seq, err := tx.Record(exchange.Event{Kind: exchange.EventLedgerRotated, Actor: a, Detail: exchange.Detail{
			"log": int64(l.Number), "origin": l.Origin, "key": made.Public, "former": publics(keys), "until": ends, "reason": reason,
		}})
		if err != nil {
			return err
		}
		made.Since = seq - l.Base
		old, err := signersOf(keys)
		if err != nil {
			return err
		}
		st := verify.Statement{Origin: l.Origin, Key: made.Public, From: made.Since}
		if err := errors.Join(tx.KeepLogKey(made), state(tx, l.Number, st, append(old, signer)...)); err != nil {
			return err
		}
		for _, k := range keys {
			k.EndsAt = ends
			if err := tx.KeepLogKey(k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Key{}, err
	}
	made.Private = ""
	return made, s.sign(ctx)
}

// endOf is when the first of the keys ends.
func endOf(keys []Key) (t time.Time) {
	for _, k := range keys {
		if !k.EndsAt.IsZero() && (t.IsZero() || k.EndsAt.Before(t)) {
			t = k.EndsAt
		}
	}
	return t
}

// retire ends a key and destroys it. signer stays.
func retire(tx Tx, a exchange.Actor, l Log, k Key, signer note.Signer, reason string) error {
	seq, err := tx.Record(exchange.Event{Kind: exchange.EventLedgerKeyRetired, Actor: a, Detail: exchange.Detail{
		"log": int64(l.Number), "origin": l.Origin, "key": k.Public, "reason": reason,
	}})
	if err != nil {
		return err
	}
	k.Until, k.Private = seq-l.Base, ""
	if err := tx.KeepLogKey(k); err != nil {
		return err
	}
	return state(tx, l.Number, verify.Statement{Origin: l.Origin, Retired: k.Public, At: k.Until}, signer)
}

// Tick ends the keys whose overlap has passed, destroys those of closed logs, and has
// the log signed by the keys that sign. It is called once a minute.
func (s *Service) Tick(ctx context.Context) error {
	running := s.c.Current()
	if running == nil {
		return nil // another node has it
	}
	if err := s.sign(ctx); err != nil { // first: see RetireKey
		return err
	}
	due := false
	err := s.c.Store.View(ctx, func(tx Tx) error {
		ended, closed, err := overdue(tx, running.Origin())
		due = len(ended)+len(closed) > 0
		return err
	})
	if err != nil || !due {
		return err
	}
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		return end(tx, exchange.System(), running.Origin(), "the overlap of its rotation has passed")
	})
	if err != nil {
		return err
	}
	return s.sign(ctx)
}

// overdue are the keys of the running log whose overlap has passed, and the closed
// logs whose keys are still there.
func overdue(tx Tx, origin string) (ended []Key, closed []Log, err error) {
	l, keys, err := open(tx)
	if exchange.KindOf(err) == exchange.Conflict || err == nil && l.Origin != origin {
		return nil, nil, nil // it is about to be opened, and may have to sign the end of the one before
	}
	if err != nil {
		return nil, nil, err
	}
	ended, _ = apart(keys, tx.Now())
	logs, err := tx.Logbook()
	if err != nil {
		return nil, nil, err
	}
	for _, l := range logs[:len(logs)-1] {
		keys, err := tx.KeysOfLog(l.Number)
		if err != nil {
			return nil, nil, err
		}
		if slices.ContainsFunc(keys, func(k Key) bool { return k.Private != "" }) {
			closed = append(closed, l)
		}
	}
	return ended, closed, nil
}

// end ends the keys that are overdue and destroys them, and those of closed logs.
func end(tx Tx, a exchange.Actor, origin, reason string) error {
	ended, closed, err := overdue(tx, origin)
	if err != nil {
		return err
	}
	for _, l := range closed {
		if err := destroy(tx, l); err != nil {
			return err
		}
	}
	if len(ended) == 0 {
		return nil
	}
	l, keys, err := open(tx)
	if err != nil {
		return err
	}
	signers, err := signersOf(keys[len(keys)-1:]) // the newest, which stays
	if err != nil {
		return err
	}
	for _, k := range ended {
		if err := retire(tx, a, l, k, signers[0], reason); err != nil {
			return err
		}
	}
	return nil
}

// apart divides keys into those that have ended and those that stay; the newest
// always stays.
func apart(keys []Key, now time.Time) (ended, staying []Key) {
	for i, k := range keys {
		if i < len(keys)-1 && !k.EndsAt.IsZero() && !now.Before(k.EndsAt) {
			ended = append(ended, k)
		} else {
			staying = append(staying, k)
		}
	}
	return ended, staying
}

// sign has the running log signed by exactly the keys that sign, if its newest
// checkpoint is not.
func (s *Service) sign(ctx context.Context) error {
	running := s.c.Current()
	if running == nil {
		return nil // another node has it
	}
	var keys []Key
	var all []string
	err := s.c.Store.View(ctx, func(tx Tx) error {
		l, signing, err := open(tx)
		if err != nil || l.Origin != running.Origin() {
			return err
		}
		keys = signing
		every, err := tx.KeysOfLog(l.Number)
		all = publics(every)
		return err
	})
	if err != nil || len(keys) == 0 {
		return err
	}
	signed, err := verify.OpenCheckpoint(running.Checkpoint(), all, nil)
	if err != nil {
		return err
	}
	slices.Sort(signed.Keys)
	if wanted := publics(keys); slices.Equal(slices.Sorted(slices.Values(wanted)), signed.Keys) {
		return nil
	}
	signers, err := signersOf(keys)
	if err != nil {
		return err
	}
	return running.Resign(signers)
}
