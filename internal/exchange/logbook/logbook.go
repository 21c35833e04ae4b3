// Package logbook is the life of the exchange's log: which keys sign it, when a key
// ends, and how a log is closed and another follows it. Every such act is an event,
// so it stands in the log itself, and a signed statement that anybody can read
// (verify.Statement).
//
// A log has one key, or two while one replaces the other: both then sign every
// checkpoint, so that who knows only one of them can still verify. A key that has
// ended is destroyed. A log that is closed stays as it is for ever, and what was
// proved by it stays proved; its successor begins with an event that names the
// last checkpoint of the closed one.
//
// Only an administrator acts here, and a log never goes back: what cannot be kept
// together, a store that is older than its log, ends the log and says so.
package logbook

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Log is one log of the exchange. Entry i of it is the event with the number
// Base + i + 1.
type Log struct {
	Number   int // from 1
	Origin   string
	Base     int64
	OpenedAt time.Time
	ClosedAt time.Time // zero: it goes on
	Size     int64     // of the closed log
	Root     tlog.Hash
}

// Checkpoint is the last one of a closed log.
func (l Log) Checkpoint() verify.Checkpoint {
	return verify.Checkpoint{Origin: l.Origin, Size: l.Size, Root: l.Root}
}

// Key signs a log, from one size of it up to another.
type Key struct {
	Log     int
	Public  string // name+hash+base64
	Private string // empty: destroyed
	Since   int64
	Until   int64     // the last size that counts; -1: it signs
	EndsAt  time.Time // when it is to end; zero: nothing was decided
}

// Signs reports whether the key signs new checkpoints.
func (k Key) Signs() bool { return k.Until < 0 }

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	AfterCommit(f func())
	Record(e exchange.Event) (seq int64, err error)
	Logbook() ([]Log, error)          // oldest first
	KeepLog(l Log) error              // new, or with its end
	KeysOfLog(log int) ([]Key, error) // oldest first
	KeepLogKey(k Key) error           // new, or changed
	LogStatements(log int) ([][]byte, error)
	PutLogStatement(log int, signed []byte) error
	// EntriesAfter are the ledger's entries of the events after a number, in order.
	EntriesAfter(seq int64, limit int) ([][]byte, error)
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Running is the log that takes entries now.
type Running interface {
	Origin() string
	Size() int64
	Entry(index int64) ([]byte, error)
	Inclusion(index, size int64) (tlog.RecordProof, error)
	Checkpoint() []byte
	Resign(signers []note.Signer) error
}

// Config is what the room is built from.
type Config struct {
	Store Store
	// Current is the log that takes entries now, or nil when there is none in this
	// process.
	Current func() Running
	// Hold keeps entries from the log until release, which goes on with the log that
	// is then the last one.
	Hold   func() (release func())
	Shared bool // other nodes write the same log
}

// Service is the room.
type Service struct{ c Config }

// New returns the room.
func New(c Config) *Service { return &Service{c} }

// State is what everybody may know of a log.
type State struct {
	Log
	Keys []Key // without the private ones
}

// Logs lists the logs, the oldest first, and their keys. Nothing of it is secret.
func (s *Service) Logs(ctx context.Context) (out []State, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		logs, err := tx.Logbook()
		if err != nil {
			return err
		}
		out = make([]State, len(logs))
		for i, l := range logs {
			if out[i].Log = l; err == nil {
				out[i].Keys, err = tx.KeysOfLog(l.Number)
			}
			for k := range out[i].Keys {
				out[i].Keys[k].Private = ""
			}
		}
		return err
	})
	return out, err
}

// Statements are the signed statements of a log, the oldest first.
func (s *Service) Statements(ctx context.Context, log int) (out [][]byte, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		if _, err := find(tx, log); err != nil {
			return err
		}
		out, err = tx.LogStatements(log)
		return err
	})
	return out, err
}

// Keys are the public keys that sign a log, the newest first; of a closed log those
// that signed its end.
func (s *Service) Keys(ctx context.Context, log int) (out []string, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		if _, err := find(tx, log); err != nil {
			return err
		}
		keys, err := tx.KeysOfLog(log)
		for i := len(keys) - 1; i >= 0; i-- {
			if keys[i].Signs() {
				out = append(out, keys[i].Public)
			}
		}
		return err
	})
	return out, err
}

func find(tx Tx, number int) (Log, error) {
	logs, err := tx.Logbook()
	if err != nil {
		return Log{}, err
	}
	for _, l := range logs {
		if l.Number == number {
			return l, nil
		}
	}
	return Log{}, exchange.Missing()
}

// open is the log that goes on, and its keys that sign.
func open(tx Tx) (l Log, keys []Key, err error) {
	logs, err := tx.Logbook()
	if err != nil {
		return Log{}, nil, err
	}
	if len(logs) == 0 || !logs[len(logs)-1].ClosedAt.IsZero() {
		return Log{}, nil, exchange.Fail(exchange.Conflict, "the exchange has no log that is open; nothing was changed")
	}
	l = logs[len(logs)-1]
	all, err := tx.KeysOfLog(l.Number)
	for _, k := range all {
		if k.Signs() {
			keys = append(keys, k)
		}
	}
	if err == nil && len(keys) == 0 {
		err = fmt.Errorf("the log %d has no key", l.Number)
	}
	return l, keys, err
}

// newKey makes the key of a log.
func newKey(l Log, since int64) (Key, note.Signer, error) {
	private, public, err := note.GenerateKey(rand.Reader, l.Origin)
	if err != nil {
		return Key{}, nil, fmt.Errorf("making a key of the log: %w", err)
	}
	signer, err := note.NewSigner(private)
	return Key{Log: l.Number, Public: public, Private: private, Since: since, Until: -1}, signer, err
}

func signersOf(keys []Key) ([]note.Signer, error) {
	var out []note.Signer
	for _, k := range keys {
		s, err := note.NewSigner(k.Private)
		if err != nil {
			return nil, fmt.Errorf("reading a key of the log %d: %w", k.Log, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// state signs a statement and keeps it.
func state(tx Tx, log int, st verify.Statement, signers ...note.Signer) error {
	b, err := note.Sign(&note.Note{Text: st.Text()}, signers...)
	if err != nil {
		return fmt.Errorf("signing a statement of the log: %w", err)
	}
	if len(b) > verify.MaxStatement {
		return exchange.Fail(exchange.Invalid, "the statement would be larger than %d bytes; nothing was changed", verify.MaxStatement)
	}
	return tx.PutLogStatement(log, b)
}

// allowed says whether the actor may act on the log, for that reason.
func allowed(a exchange.Actor, reason string) error {
	if !a.Administers() {
		return exchange.Fail(exchange.Denied, "only an administrator acts on the log; nothing was changed")
	}
	if err := verify.CheckReason(reason); err != nil {
		return exchange.Fail(exchange.Invalid, "reason: %v; nothing was changed", err)
	}
	return nil
}

// following is the origin of the log with a number.
func following(first string, number int) string { return first + "/" + strconv.Itoa(number) }

func rootText(h tlog.Hash) string { return base64.StdEncoding.EncodeToString(h[:]) }

func publics(keys []Key) []string {
	out := make([]string, 0, len(keys))
	for _, k := range keys {
		out = append(out, k.Public)
	}
	return out
}
