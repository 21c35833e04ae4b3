package sqlstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/store/engine"
)

const (
	maxBatch    = 256                  // functions in one transaction
	maxWork     = 5 * time.Millisecond // after which a transaction takes no more
	maxAttempts = 8                    // of one function that meets conflicts
)

// The states of a job.
const (
	waiting int32 = iota
	taken         // the writer has it: its outcome counts
	dropped       // its caller has gone before it was taken
)

type job struct {
	ctx    context.Context
	run    func(*Tx) error
	state  atomic.Int32
	done   chan error
	after  []func()
	blocks []delivery.BlockID // that it wrote or changed

	entries [][]byte // of the events that it recorded
	last    int64    // number of the last one
}

// Update runs fn in a write transaction and returns once it is durable, or
// with the reason why nothing of it remains. Functions of several callers may
// share one transaction; the failure of one does not touch the others.
//
// fn may run more than once (after a conflict, or when the shared transaction
// was lost), so it must not keep state from an earlier run. It must not call
// Update: ErrNested. When ctx ends before fn starts, fn does not run; after
// that the outcome is waited for. A panic in fn becomes an error; fn must not end
// its goroutine, as t.Fatal does.
//
// With a ledger, it returns once the events that fn recorded are in there, too.
// While the ledger cannot be written, fn does not run: exchange.Unavailable. When
// it fails after fn was committed, the answer is exchange.Unavailable as well, and
// says so.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := db.provable(); err != nil {
		return err
	}
	last, err := db.update(ctx, fn)
	if err != nil {
		return err
	}
	return db.prove(ctx, last)
}

// update answers the number of the last event that fn recorded; 0: none.
func (db *DB) update(ctx context.Context, fn func(*Tx) error) (last int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if onWriter() {
		return 0, ErrNested
	}
	j := &job{ctx: ctx, run: fn, done: make(chan error, 1)}
	if err := db.enqueue(j); err != nil {
		return 0, err
	}
	select {
	case err := <-j.done:
		return j.last, err
	case <-ctx.Done():
		if j.state.CompareAndSwap(waiting, dropped) {
			return 0, ctx.Err()
		}
		err := <-j.done
		return j.last, err
	}
}

func (db *DB) enqueue(j *job) error {
	db.closing.RLock()
	defer db.closing.RUnlock()
	if db.closed {
		return ErrClosed
	}
	select {
	case db.queue <- j:
		return nil
	default: // full
	}
	select {
	case db.queue <- j:
		return nil
	case <-j.ctx.Done():
		return j.ctx.Err()
	}
}

// onWriter reports whether the caller stands on the writer's goroutine, where
// waiting for the writer would never end. Only the foot of the stack is looked
// at: the goroutine's first function, its wrapper and the runtime's own.
func onWriter() bool {
	var pcs [128]uintptr
	n := runtime.Callers(2, pcs[:])
	for _, pc := range pcs[max(0, n-3):n] {
		if f := runtime.FuncForPC(pc - 1); f != nil && strings.HasSuffix(f.Name(), ".(*DB).write") {
			return true
		}
	}
	return false
}

// writer is the state of the writing goroutine.
type writer struct {
	session *engine.Session
	open    bool   // a transaction is open
	ran     []*job // have run in it and wait for its commit
}

// write is the writer's goroutine.
func (db *DB) write() {
	ended := false
	defer func() {
		if !ended { // by runtime.Goexit: nobody would write any more, and all would wait
			panic("a function of Update ended its goroutine (t.Fatal?): it must return an error")
		}
	}()
	for j := range db.queue {
		start := time.Now()
		for n := 1; ; n++ {
			db.join(j)
			if n == maxBatch || time.Since(start) > maxWork {
				break
			}
			if j = db.next(); j == nil {
				break
			}
		}
		db.commitAll()
	}
	ended = true
	if db.writer.session != nil {
		db.writer.session.Discard()
	}
	close(db.written)
}

// next is a job that waits already, or nil.
func (db *DB) next() *job {
	select {
	case j := <-db.queue:
		return j
	default:
		return nil
	}
}

// join runs one function inside the transaction, opening it where needed. The
// first function needs no savepoint: when it fails there is nothing else to
// keep.
func (db *DB) join(j *job) {
	if !j.state.CompareAndSwap(waiting, taken) {
		return
	}
	if err := j.ctx.Err(); err != nil {
		j.done <- err
		return
	}
	w := &db.writer
	if len(w.ran) == 0 {
		db.joinFirst(j)
		return
	}
	if err := db.control("SAVEPOINT f"); err != nil {
		db.startOver(append(w.ran, j))
		return
	}
	err := db.call(j)
	if err == nil {
		err = db.control("RELEASE f")
		if err == nil {
			w.ran = append(w.ran, j)
			return
		}
		db.startOver(append(w.ran, j))
		return
	}
	if engine.IsRetryable(err) {
		db.startOver(append(w.ran, j))
		return
	}
	lost := db.control("ROLLBACK TO f")
	if lost == nil {
		lost = db.control("RELEASE f")
	}
	if lost != nil {
		// The engine gave the whole transaction up, as SQLite does when the
		// disk is full: the others are run again without this one.
		db.startOver(w.ran)
	}
	j.done <- err
}

func (db *DB) joinFirst(j *job) {
	err := db.open()
	if err == nil {
		err = db.call(j)
	}
	switch {
	case err == nil:
		db.writer.ran = append(db.writer.ran, j)
	case engine.IsRetryable(err):
		db.startOver([]*job{j})
	default:
		db.rollback()
		j.done <- err
	}
}

// startOver gives the open transaction up and runs the functions, each in a
// transaction of its own.
func (db *DB) startOver(jobs []*job) {
	db.rollback()
	for _, j := range jobs {
		db.retries.Add(1)
		j.done <- db.alone(j)
	}
}

// alone runs one function in its own transaction, again while it meets
// conflicts.
func (db *DB) alone(j *job) error {
	for attempt := 1; ; attempt++ {
		err := db.attempt(j)
		if err == nil {
			return nil
		}
		db.rollback()
		if !engine.IsRetryable(err) || attempt == maxAttempts || j.ctx.Err() != nil {
			return err
		}
		db.retries.Add(1)
		time.Sleep(rand.N(time.Millisecond << attempt))
	}
}

func (db *DB) attempt(j *job) error {
	if err := db.open(); err != nil {
		return err
	}
	if err := db.call(j); err != nil {
		return err
	}
	db.writer.ran = append(db.writer.ran, j)
	return db.commit()
}

// commitAll ends the batch and answers its callers.
func (db *DB) commitAll() {
	ran := db.writer.ran
	if len(ran) == 0 {
		db.rollback()
		return
	}
	err := db.commit()
	if err != nil && engine.IsRetryable(err) {
		db.startOver(ran)
		return
	}
	if err != nil {
		db.rollback()
	}
	for _, j := range ran {
		j.done <- err
	}
}

// commit makes the open transaction durable and calls the hooks of its
// functions.
func (db *DB) commit() error {
	changed := db.changing()
	err := db.control("COMMIT")
	if len(changed) > 0 {
		db.memory.watcher.Changed(changed, err == nil)
	}
	if err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	w := &db.writer
	w.open = false
	w.session.Trim()
	db.commits.Add(1)
	db.functions.Add(int64(len(w.ran)))
	db.handOver()
	for _, j := range w.ran {
		for _, f := range j.after {
			db.hook(f)
		}
	}
	w.ran = nil
	return nil
}

func (db *DB) hook(f func()) {
	defer func() {
		if r := recover(); r != nil {
			db.log.Error("hook after commit panicked", "stack", string(debug.Stack()))
		}
	}()
	f()
}

// open begins a transaction where none is open, on a new connection where the
// old one has died.
func (db *DB) open() error {
	w := &db.writer
	if w.open {
		return nil
	}
	for {
		fresh := w.session == nil
		if fresh {
			s, err := engine.Open(context.Background(), db.handles.Write, db.handles.Dialect)
			if err != nil {
				return err
			}
			w.session = s
		}
		w.open = true
		err := db.control(db.handles.Dialect.Begin(true))
		if err == nil {
			return nil
		}
		db.rollback()
		if fresh || w.session != nil {
			return fmt.Errorf("beginning to write: %w", err)
		}
	}
}

// rollback ends the open transaction, if any. A connection that cannot even do
// that is given up.
func (db *DB) rollback() {
	w := &db.writer
	w.ran = nil
	if !w.open {
		return
	}
	w.open = false
	if err := db.control("ROLLBACK"); err != nil {
		w.session.Discard()
		w.session = nil
	}
}

func (db *DB) control(text string) error {
	_, err := db.writer.session.Exec(context.Background(), text)
	return err
}

// call runs the function of a job once.
func (db *DB) call(j *job) (err error) {
	tx := db.begin(context.WithoutCancel(j.ctx), db.writer.session, true)
	defer func() {
		if r := recover(); r != nil {
			db.log.Error("function of a transaction panicked", "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in a transaction: %v", r)
		}
		err = tx.finish(err)
		j.after, j.blocks = tx.after, tx.blocksChanged
		j.entries, j.last = tx.entries, tx.last
	}()
	return j.run(tx)
}

// Watcher is told of blocks that change, so that what is remembered of them is
// given up in time.
type Watcher interface {
	// Changing comes before a transaction that changes the blocks commits. Until
	// Changed comes for them, nothing may be remembered of them.
	Changing(blocks []delivery.BlockID)
	// Changed comes when the transaction has committed, or failed to.
	Changed(blocks []delivery.BlockID, committed bool)
	// ChangedElsewhere says that another process may have changed any block.
	ChangedElsewhere()
}

// Watch has the watcher told. It is called once, before the DB is used by more
// than one goroutine.
func (db *DB) Watch(w Watcher) { db.memory.watcher = w }

// changedBlock notes that the transaction wrote or changed a block.
func (tx *Tx) changedBlock(artifact, first int64) {
	tx.blocksChanged = append(tx.blocksChanged, delivery.BlockID{Artifact: artifact, First: first})
}

// changing is what the functions changed that share the open transaction.
func (db *DB) changing() (all []delivery.BlockID) {
	if db.memory.watcher == nil {
		return nil
	}
	for _, j := range db.writer.ran {
		all = append(all, j.blocks...)
	}
	if len(all) > 0 {
		db.memory.watcher.Changing(all)
	}
	return all
}
