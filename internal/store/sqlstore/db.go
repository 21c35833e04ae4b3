// Package sqlstore keeps the nouns of the exchange in SQL, in one text for
// both engines: SQLite inside the process, and PostgreSQL. Each room has one
// file with its statements, as methods of Tx.
//
// Reads run in View, on a snapshot. Writes run in Update: one goroutine takes
// all functions that wait, runs them one after the other in one transaction,
// each inside its own savepoint, and commits once for all of them (group
// commit). On both engines writers exclude each other, so a function that
// reads and then writes needs no further lock, and a counter row gives numbers
// in commit order.
//
// A limit is written LIMIT ?N + 0: SQLite prepares a statement anew each time
// that a bare parameter of LIMIT is bound, because its value shapes the plan.
//
// What the statements may use: ?N placeholders, ON CONFLICT, RETURNING, row
// values, common table expressions, window functions, partial indexes; BIGINT
// for numbers and for instants (Unix microseconds), TEXT, and bytes. One
// statement per call. Not: arrays, sequences, TEMP tables, LISTEN, SKIP LOCKED.
package sqlstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/store/engine"
)

//go:embed migrations/*.sql
var embedded embed.FS

// Migrations are the numbered steps of the schema. They only go forward, and
// one that was shipped is never edited. Tokens such as {{bytes}} stand for
// what the engines call differently; see engine.Dialect.
func Migrations() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return sub
}

// DB is one open store. All its methods may be called by many goroutines.
//
// In a testing/synctest bubble, open it inside the bubble.
type DB struct {
	handles engine.Handles
	now     func() time.Time
	log     *slog.Logger
	readers *engine.Pool
	memory  memory
	ledger  Ledger // nil: none

	queue   chan *job
	written chan struct{} // closed when the writer has ended
	closing sync.RWMutex  // held for reading while a job is being queued
	closed  bool
	writer  writer

	commits   atomic.Int64
	functions atomic.Int64
	retries   atomic.Int64
}

// New makes a DB of open handles and starts its writer. Without now it is
// time.Now; without log nothing is logged.
func New(h engine.Handles, now func() time.Time, log *slog.Logger) *DB {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	db := &DB{
		handles: h,
		now:     now,
		log:     log,
		readers: engine.NewPool(h),
		queue:   make(chan *job, maxBatch),
		written: make(chan struct{}),
	}
	db.memory.generation.opened = time.Now()
	db.memory.arrivals.opened = time.Now()
	go db.write()
	return db
}

// Engine is "sqlite" or "postgres".
func (db *DB) Engine() string { return db.handles.Dialect.Name() }

// Stats are counters since the store was opened.
type Stats struct {
	Commits   int64 // transactions made durable
	Functions int64 // functions of Update in them
	Retries   int64 // functions run again after a conflict
}

// Stats answers the counters.
func (db *DB) Stats() Stats {
	return Stats{
		Commits:   db.commits.Load(),
		Functions: db.functions.Load(),
		Retries:   db.retries.Load(),
	}
}

// instant is the injected clock as the store keeps it.
func (db *DB) instant() time.Time { return db.now().UTC().Truncate(time.Microsecond) }

// View runs fn in a read transaction: all its statements see one snapshot,
// which holds everything that was acknowledged before the call.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) (err error) {
	s, err := db.beginRead(ctx)
	if err != nil {
		return fmt.Errorf("beginning to read: %w", err)
	}
	tx := db.begin(ctx, s, false)
	defer func() {
		err = tx.finish(err)
		if _, failed := s.Exec(context.WithoutCancel(ctx), "ROLLBACK"); failed != nil {
			db.readers.Drop(s)
			return
		}
		db.readers.Give(s)
	}()
	return fn(tx)
}

func (db *DB) begin(ctx context.Context, s *engine.Session, writable bool) *Tx {
	return &Tx{
		ctx: ctx, session: s, now: db.instant(),
		writable: writable, embedded: db.handles.Dialect.Embedded(), memory: &db.memory,
	}
}

// beginRead opens a snapshot. A connection that died while it was idle is
// replaced.
func (db *DB) beginRead(ctx context.Context) (*engine.Session, error) {
	for {
		s, err := db.readers.Take(ctx)
		if err != nil {
			return nil, err
		}
		if _, err = s.Exec(ctx, db.handles.Dialect.Begin(false)); err == nil {
			return s, nil
		}
		reused := s.Reused()
		db.readers.Drop(s)
		if !reused || ctx.Err() != nil {
			return nil, err
		}
	}
}

// Close runs what is queued, waits for open transactions, and closes the
// engine. Later calls of Update and View answer ErrClosed.
func (db *DB) Close() error {
	db.closing.Lock()
	again := db.closed
	db.closed = true
	if !again {
		close(db.queue)
	}
	db.closing.Unlock()
	<-db.written
	if again {
		return nil
	}
	db.readers.Close()
	if err := db.handles.Close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

// Rooms gives a room the transactions it declares: T is the room's own
// interface, which *Tx satisfies.
type Rooms[T any] struct{ db *DB }

// For makes the store of one room. It panics when *Tx lacks a method of T:
// that is a mistake in the program, to be seen when it starts.
func For[T any](db *DB) Rooms[T] {
	if _, ok := any((*Tx)(nil)).(T); !ok {
		panic(fmt.Sprintf("sqlstore: *Tx does not implement %T", (*T)(nil)))
	}
	return Rooms[T]{db: db}
}

// View runs fn in a read transaction.
func (r Rooms[T]) View(ctx context.Context, fn func(T) error) error {
	return r.db.View(ctx, func(tx *Tx) error { return fn(any(tx).(T)) })
}

// Update runs fn in a write transaction; see DB.Update.
func (r Rooms[T]) Update(ctx context.Context, fn func(T) error) error {
	return r.db.Update(ctx, func(tx *Tx) error { return fn(any(tx).(T)) })
}
