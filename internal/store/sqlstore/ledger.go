package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/verify"
)

var _ sequencer.Tx = (*Tx)(nil)

// Ledger carries what is recorded into the log.
type Ledger interface {
	// Recorded hands over the entries of the events first, first + 1, …, in the order
	// of commits. It runs on the writer: it must be short and may not call Update.
	Recorded(first int64, entries [][]byte)
	// Wait waits until the events up to seq stand under a signed checkpoint.
	Wait(ctx context.Context, seq int64) error
	// Err says why nothing can be carried any more; nil while it can.
	Err() error
}

// Attach has what is recorded carried into a ledger: from now on Update waits for
// it. It is called once, before the DB is used by more than one goroutine.
func (db *DB) Attach(l Ledger) { db.ledger = l }

// patience is how long an act waits for its entry. The log itself has no such
// limit: a disk that hangs, or a database server that is away, ends it.
const patience = 30 * time.Second

// provable reports whether acts can be entered into the ledger now.
func (db *DB) provable() error {
	if db.ledger == nil {
		return nil
	}
	if err := db.ledger.Err(); err != nil {
		return &exchange.Error{
			Kind:   exchange.Unavailable,
			Public: "The ledger cannot be written, and nothing is done without an entry in it. Nothing was done. Tell the operator: `forewarn doctor` says what is wrong.",
			Err:    err,
		}
	}
	return nil
}

// prove waits until the event is in the ledger. Who has gone meanwhile is not
// told otherwise than who has not.
func (db *DB) prove(ctx context.Context, seq int64) error {
	if db.ledger == nil || seq == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := db.ledger.Wait(ctx, seq); err != nil {
		return &exchange.Error{
			Kind: exchange.Unavailable,
			Public: "The act is recorded, but its entry in the ledger could not be made durable, so it cannot be proved yet and nothing was handed out. " +
				"It will be entered when the ledger can be written again: look at what is there before doing it once more.",
			Err: fmt.Errorf("event %d: %w", seq, err),
		}
	}
	return nil
}

// handOver gives the ledger what the functions recorded that have just been
// committed.
func (db *DB) handOver() {
	if db.ledger == nil {
		return
	}
	var first int64
	var entries [][]byte
	for _, j := range db.writer.ran {
		if len(j.entries) > 0 && first == 0 {
			first = j.last - int64(len(j.entries)) + 1
		}
		entries = append(entries, j.entries...)
	}
	if first > 0 {
		db.hook(func() { db.ledger.Recorded(first, entries) })
	}
}

// Beneath is the store as the ledger itself uses it: Update neither asks nor waits
// for the ledger, and records nothing.
type Beneath struct{ db *DB }

// Beneath answers the DB as the ledger uses it.
func (db *DB) Beneath() Beneath { return Beneath{db} }

// View runs fn in a read transaction.
func (b Beneath) View(ctx context.Context, fn func(sequencer.Tx) error) error {
	return b.db.View(ctx, func(tx *Tx) error { return fn(tx) })
}

// Update runs fn in a write transaction.
func (b Beneath) Update(ctx context.Context, fn func(sequencer.Tx) error) error {
	_, err := b.db.update(ctx, func(tx *Tx) error { return fn(tx) })
	return err
}

// Logs answers all logs, by number.
func (tx *Tx) Logs() ([]sequencer.Info, error) {
	all, err := Collect(tx, scanLog, `
		SELECT number, origin, base, opened_at, closed_at, size, root FROM ledger_log ORDER BY number`)
	if err != nil {
		return nil, fmt.Errorf("reading the logs: %w", err)
	}
	return all, nil
}

func scanLog(s Scanner) (l sequencer.Info, err error) {
	var opened, closed int64
	var root []byte
	err = s.Scan(&l.Number, &l.Origin, &l.Base, &opened, &closed, &l.Size, &root)
	l.Opened, l.Closed = instant(opened), instant(closed)
	if len(root) == tlog.HashSize {
		l.Root = tlog.Hash(root)
	}
	return l, err
}

// PutLog stores a log, in place of the one with its number.
func (tx *Tx) PutLog(l sequencer.Info) error {
	_, err := tx.Exec(`
		INSERT INTO ledger_log (number, origin, base, opened_at, closed_at, size, root)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
		ON CONFLICT (number) DO UPDATE SET closed_at = excluded.closed_at, size = excluded.size, root = excluded.root`,
		l.Number, l.Origin, l.Base, micros(l.Opened), micros(l.Closed), l.Size, l.Root[:])
	if err != nil {
		return fmt.Errorf("storing log %d: %w", l.Number, err)
	}
	return nil
}

// LogKeys answers the keys of a log, the oldest first.
func (tx *Tx) LogKeys(log int) ([]sequencer.Key, error) {
	all, err := Collect(tx, func(s Scanner) (k sequencer.Key, err error) {
		return k, s.Scan(&k.Log, &k.Private, &k.Public, &k.Since, &k.Until)
	}, `SELECT log, private, public, since, until FROM ledger_key WHERE log = ?1 ORDER BY since, public`, log)
	if err != nil {
		return nil, fmt.Errorf("reading the keys of log %d: %w", log, err)
	}
	return all, nil
}

// PutLogKey stores a key, or until when it signs.
func (tx *Tx) PutLogKey(k sequencer.Key) error {
	_, err := tx.Exec(`
		INSERT INTO ledger_key (log, public, private, since, until) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (log, public) DO UPDATE SET until = excluded.until`, k.Log, k.Public, k.Private, k.Since, k.Until)
	if err != nil {
		return fmt.Errorf("storing a key of log %d: %w", k.Log, err)
	}
	return nil
}

// LogHead answers how far any node has told of a log.
func (tx *Tx) LogHead(log int) (sequencer.Head, error) {
	h := sequencer.Head{Log: log}
	err := tx.QueryRow(`SELECT size, checkpoint, node FROM ledger_head WHERE log = ?1`, log).Scan(&h.Size, &h.Checkpoint, &h.Node)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return h, fmt.Errorf("reading the head of log %d: %w", log, err)
	}
	return h, nil
}

// PutLogHead moves the head. It does not move back.
func (tx *Tx) PutLogHead(h sequencer.Head) error {
	n, err := tx.Exec(`
		INSERT INTO ledger_head (log, size, checkpoint, node) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (log) DO UPDATE SET size = excluded.size, checkpoint = excluded.checkpoint, node = excluded.node
		WHERE excluded.size >= ledger_head.size`, h.Log, h.Size, h.Checkpoint, h.Node)
	if err == nil && n != 1 {
		err = errors.New("it is further already")
	}
	if err != nil {
		return fmt.Errorf("moving the head of log %d to %d: %w", h.Log, h.Size, err)
	}
	return nil
}

// LastEvent answers the number of the last event.
func (tx *Tx) LastEvent() (seq int64, err error) {
	if err := tx.QueryRow(`SELECT n FROM counter WHERE name = 'event'`).Scan(&seq); err != nil {
		return 0, fmt.Errorf("reading the number of the last event: %w", err)
	}
	return seq, nil
}

// EventEntries answers numbers and entries of the events after one.
func (tx *Tx) EventEntries(after int64, limit int) ([]sequencer.Row, error) {
	all, err := Collect(tx, func(s Scanner) (r sequencer.Row, err error) { return r, s.Scan(&r.Seq, &r.Entry) }, `
		SELECT seq, entry FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2 + 0`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading entries: %w", err)
	}
	return all, nil
}

// EventRows answers the same with the events' bytes.
func (tx *Tx) EventRows(after int64, limit int) ([]sequencer.Row, error) {
	all, err := Collect(tx, func(s Scanner) (r sequencer.Row, err error) {
		c := &r.Columns
		return r, s.Scan(&r.Seq, &r.Body, &r.Salt, &r.Entry, &c.At, &c.Kind, &c.Program, &c.Release, &c.Org, &c.Person, &c.Token, &c.Number, &r.Kept)
	}, `SELECT seq, body, salt, entry, at, kind, program, release, org, person, token, number, kept FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2 + 0`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return all, nil
}

// PutEntry gives an event from before the ledger its number in its program, its salt
// and its entry. Of an event that has them, nothing changes. Nobody was told of the
// event's bytes before, so the number becomes a member of them.
func (tx *Tx) PutEntry(r sequencer.Row) error {
	err := tx.enter(r)
	if err != nil {
		return fmt.Errorf("entering event %d: %w", r.Seq, err)
	}
	return nil
}

func (tx *Tx) enter(r sequencer.Row) error {
	if len(r.Entry) > 0 {
		return nil
	}
	body, number := r.Body, r.Columns.Number
	if program := exchange.ProgramID(r.Columns.Program); program != "" && number == 0 {
		var err error
		if number, err = tx.countOf(program); err != nil {
			return err
		}
		if body, err = verify.Canonical(fmt.Appendf(nil, `{"number":%d,%s`, number, bytes.TrimPrefix(body, []byte("{")))); err != nil {
			return err
		}
	}
	salt, entry, err := seal(body)
	if err != nil {
		return err
	}
	n, err := tx.Exec(`UPDATE event SET body = ?2, number = ?3, salt = ?4, entry = ?5 WHERE seq = ?1 AND entry IS NULL`,
		r.Seq, body, number, salt, entry)
	if err != nil || n == 0 {
		return err
	}
	return tx.concernOld(r.Seq)
}
