package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// batch runs functions in one transaction, in their order: the first holds the
// writer until all others wait. It answers the errors of the others.
func batch(t *testing.T, db *sqlstore.DB, fns ...func(*sqlstore.Tx) error) []error {
	t.Helper()
	errs := make([]error, len(fns))
	var group sync.WaitGroup
	held, release := make(chan struct{}), make(chan struct{})
	hold := sync.OnceFunc(func() { close(held) }) // the function may run again
	group.Go(func() {
		err := db.Update(t.Context(), func(*sqlstore.Tx) error {
			hold()
			<-release
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	for i, fn := range fns {
		queued := make(chan struct{})
		group.Go(func() { errs[i] = db.Update(signalling{t.Context(), sync.OnceFunc(func() { close(queued) })}, fn) })
		<-queued
	}
	close(release)
	group.Wait()
	return errs
}

// signalling is a context that tells when Update waits on it, which it does
// once the function is in the queue (while that is not full).
type signalling struct {
	context.Context
	waits func()
}

func (s signalling) Done() <-chan struct{} {
	s.waits()
	return s.Context.Done()
}

func testCancelled(t *testing.T, e Engine) {
	db := e.Open(t, options())
	ctx, cancel := context.WithCancel(t.Context())
	ran := func(tx *sqlstore.Tx) error {
		t.Error("the function of a cancelled caller ran")
		return nil
	}
	// Cancelled while it waits in the queue, by one that is before it there.
	errs := batch(t, db, put("one"))
	held := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		update(t, db, func(tx *sqlstore.Tx) error {
			close(held)
			<-ctx.Done()
			return put("two")(tx)
		})
	})
	<-held
	group.Go(func() {
		if err := db.Update(ctx, ran); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	cancel()
	group.Wait()
	if err := db.Update(ctx, ran); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := db.View(ctx, ran); !errors.Is(err, context.Canceled) {
		t.Errorf("View got %v", err)
	}
	// Cancelled after the start: it ends, and its outcome is answered.
	ctx, cancel = context.WithCancel(t.Context())
	err := db.Update(ctx, func(tx *sqlstore.Tx) error {
		cancel()
		return put("three")(tx)
	})
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Error(err)
	}
	wantWords(t, db, "one", "two", "three")
}

func testFailureAlone(t *testing.T, e Engine) {
	db := e.Open(t, options())
	failure := errors.New("no")
	fail := func(tx *sqlstore.Tx) error {
		if err := put("failed")(tx); err != nil {
			t.Error(err)
		}
		return failure
	}
	before := db.Stats()
	errs := batch(t, db, put("one"), fail, put("two"), fail, put("three"))
	for i, err := range errs {
		if want := i%2 == 1; want != errors.Is(err, failure) || !want && err != nil {
			t.Errorf("function %d got %v", i, err)
		}
	}
	wantWords(t, db, "one", "two", "three")
	after := db.Stats()
	if n := after.Functions - before.Functions; n != 4 {
		t.Errorf("%d functions counted, want 4", n)
	}
	// Alone in its transaction.
	if err := db.Update(t.Context(), fail); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	wantWords(t, db, "one", "two", "three")
}

func testRefusedStatement(t *testing.T, e Engine) {
	db := e.Open(t, options())
	update(t, db, put("one"))
	// The function goes on after a duplicate: nothing of it may stay.
	goOn := func(tx *sqlstore.Tx) error {
		_, _ = tx.Exec(`INSERT INTO pair (a, b) VALUES ('lost', 1)`)
		_, _ = tx.Exec(`INSERT INTO entry (seq, word) VALUES (99, 'one')`)
		_, _ = tx.Exec(`INSERT INTO pair (a, b) VALUES ('lost', 2)`)
		return nil
	}
	errs := append(batch(t, db, put("two"), goOn, put("three")), db.Update(t.Context(), goOn))
	for i, err := range errs {
		if want := i == 1 || i == 3; want != (err != nil) {
			t.Errorf("function %d got %v", i, err)
		}
	}
	wantWords(t, db, "one", "two", "three")
	if n := Value[int](t, db, `SELECT count(*) FROM pair`); n != 0 {
		t.Errorf("%d rows of the refused functions", n)
	}
}

func testPanic(t *testing.T, e Engine) {
	db := e.Open(t, options())
	errs := batch(t, db, put("one"), func(tx *sqlstore.Tx) error {
		if err := put("failed")(tx); err != nil {
			t.Error(err)
		}
		panic("out of order")
	}, put("two"))
	if errs[1] == nil || !strings.Contains(errs[1].Error(), "out of order") {
		t.Errorf("got %v", errs[1])
	}
	if err := errors.Join(errs[0], errs[2]); err != nil {
		t.Error(err)
	}
	wantWords(t, db, "one", "two")
}

func testNested(t *testing.T, e Engine) {
	db := e.Open(t, options())
	update(t, db, func(tx *sqlstore.Tx) error {
		if err := put("outer")(tx); err != nil {
			return err
		}
		if err := db.Update(t.Context(), put("inner")); !errors.Is(err, sqlstore.ErrNested) {
			t.Errorf("got %v, want ErrNested", err)
		}
		if got := words(t, db); len(got) != 0 {
			t.Errorf("a read saw what is not committed: %v", got)
		}
		return nil
	})
	wantWords(t, db, "outer")
}

// Functions of one transaction see what the earlier ones wrote, and nothing of
// one that failed.
func testSavepoints(t *testing.T, e Engine) {
	db := e.Open(t, options())
	see := func(want ...string) func(*sqlstore.Tx) error {
		return func(tx *sqlstore.Tx) error {
			got, err := sqlstore.Collect(tx, scanWord, `SELECT word FROM entry ORDER BY seq`)
			if err == nil && !slices.Equal(got, want) {
				err = fmt.Errorf("saw %v, want %v", got, want)
			}
			return err
		}
	}
	fail := func(tx *sqlstore.Tx) error { return errors.Join(put("failed")(tx), errors.New("no")) }
	errs := batch(t, db, fail, see(), put("one"), fail, see("one"), put("two"), see("one", "two"))
	for i, err := range errs {
		if want := i == 0 || i == 3; want != (err != nil) {
			t.Errorf("function %d got %v", i, err)
		}
	}
	if n := Value[int64](t, db, `SELECT n FROM counter WHERE name = ?1`, "log"); n != 2 {
		t.Errorf("counter is %d, want 2", n)
	}
}

func testHooks(t *testing.T, e Engine) {
	db := e.Open(t, options())
	var mu sync.Mutex
	var called []string
	hooked := func(word string, result error) func(*sqlstore.Tx) error {
		return func(tx *sqlstore.Tx) error {
			for _, n := range []string{" first", " second"} {
				tx.AfterCommit(func() {
					if got := words(t, db); !slices.Contains(got, word) {
						t.Errorf("hook of %s came before its commit: %v", word, got)
					}
					mu.Lock()
					defer mu.Unlock()
					called = append(called, word+n)
				})
			}
			return errors.Join(put(word)(tx), result)
		}
	}
	wild := func(tx *sqlstore.Tx) error {
		tx.AfterCommit(func() { panic("hook") })
		return nil
	}
	batch(t, db, hooked("one", nil), hooked("failed", errors.New("no")), wild, hooked("two", nil))
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"one first", "one second", "two first", "two second"}; !slices.Equal(called, want) {
		t.Errorf("hooks called: %v, want %v", called, want)
	}
}

// A transaction that cannot be committed fails for all that share it.
func testCommitFails(t *testing.T, e Engine) {
	o := options()
	o.Migrations = with(schema(), "0002_owned.sql", `
CREATE TABLE owned (
	id    BIGINT PRIMARY KEY,
	owner TEXT NOT NULL REFERENCES counter (name) DEFERRABLE INITIALLY DEFERRED
);`)
	db := e.Open(t, o)
	own := func(owner string) func(*sqlstore.Tx) error {
		return func(tx *sqlstore.Tx) error {
			tx.AfterCommit(func() {
				if owner == "nobody" {
					t.Error("a hook ran without a commit")
				}
			})
			_, err := tx.Exec(`INSERT INTO owned (id, owner) VALUES (1, ?1)`, owner)
			return err
		}
	}
	if err := db.Update(t.Context(), own("nobody")); err == nil {
		t.Error("no error")
	}
	update(t, db, own("log"))
	update(t, db, put("after"))
	wantWords(t, db, "after")
}

// conflict is what an engine answers when a transaction is to be run again.
type conflict struct{}

func (conflict) Error() string    { return "could not serialize access" }
func (conflict) SQLState() string { return "40001" }

func testConflict(t *testing.T, e Engine) {
	db := e.Open(t, options())
	runs, hooks := 0, 0
	once := func(tx *sqlstore.Tx) error {
		runs++
		tx.AfterCommit(func() { hooks++ })
		if err := put("again")(tx); err != nil {
			return err
		}
		if runs < 3 {
			return fmt.Errorf("writing: %w", conflict{})
		}
		return nil
	}
	for i, err := range batch(t, db, put("one"), once, put("two")) {
		if err != nil {
			t.Errorf("function %d: %v", i, err)
		}
	}
	if runs != 3 || hooks != 1 {
		t.Errorf("%d runs and %d hooks, want 3 and 1", runs, hooks)
	}
	wantWords(t, db, "one", "again", "two")
	if db.Stats().Retries == 0 {
		t.Error("no retry counted")
	}
	err := db.Update(t.Context(), func(*sqlstore.Tx) error { return conflict{} })
	if !errors.As(err, &conflict{}) {
		t.Errorf("got %v, want the conflict", err)
	}
}

// An open store keeps working while others read from it and write to it.
func testReadersBeside(t *testing.T, e Engine) {
	db := e.Open(t, store.Options{Migrations: schema()})
	var group sync.WaitGroup
	done := make(chan struct{})
	for range 8 { // more than there are connections on either engine's least pool
		group.Go(func() {
			for last := 0; ; {
				select {
				case <-done:
					return
				default:
				}
				n := len(words(t, db))
				if n < last {
					t.Errorf("a reader saw %d entries after %d", n, last)
				}
				last = n
			}
		})
	}
	for i := range 50 {
		update(t, db, put(fmt.Sprint(i)))
	}
	close(done)
	group.Wait()
}
