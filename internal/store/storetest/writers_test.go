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

func testManyWriters(t *testing.T, e Engine) {
	db := e.Open(t, options())
	const writers, each = 64, 5
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				word := fmt.Sprintf("%d-%d", w, i)
				if err := db.Update(t.Context(), put(word)); err != nil {
					t.Errorf("%s: %v", word, err)
					return
				}
				if Value[int](t, db, `SELECT count(*) FROM entry WHERE word = ?1`, word) != 1 {
					t.Errorf("%s was acknowledged and is not there", word)
				}
			}
		})
	}
	group.Wait()
	if got := len(words(t, db)); got != writers*each {
		t.Errorf("%d entries, want %d", got, writers*each)
	}
	if s := db.Stats(); s.Functions != writers*each || s.Commits < 1 || s.Commits > s.Functions {
		t.Errorf("stats %+v", s)
	}
}

// follow reads in the order of the counter, beside writers, until it has seen
// the number of entries, and reports an entry that appeared behind it.
func follow(t *testing.T, db *sqlstore.DB, entries int, done <-chan struct{}) {
	t.Helper()
	var last, seen int64
	for ended := false; ; {
		select {
		case <-done:
			ended = true
		default:
		}
		var page []int64
		err := db.View(t.Context(), func(tx *sqlstore.Tx) (err error) {
			page, err = sqlstore.Collect(tx, func(s sqlstore.Scanner) (seq int64, err error) {
				return seq, s.Scan(&seq)
			}, `SELECT seq FROM entry WHERE seq > ?1 ORDER BY seq LIMIT 50`, last)
			return err
		})
		if err != nil {
			t.Error(err)
			return
		}
		for _, seq := range page {
			if seq != last+1 {
				t.Errorf("%d follows %d", seq, last)
			}
			last = seq
			seen++
		}
		if ended && len(page) == 0 {
			break
		}
	}
	if seen != int64(entries) {
		t.Errorf("the follower saw %d of %d entries", seen, entries)
	}
}

func testCounter(t *testing.T, e Engine) {
	db := e.Open(t, options())
	writeAndFollow(t, 6, 60, db, db)
}

// Two processes on one store: writers take turns across them.
func testTwoNodes(t *testing.T, e Engine) {
	url := e.URL(t)
	one, two := e.OpenAt(t, url, options()), e.OpenAt(t, url, options())
	writeAndFollow(t, 6, 20, one, two)
}

func writeAndFollow(t *testing.T, writers, each int, one, two *sqlstore.DB) {
	t.Helper()
	var group sync.WaitGroup
	for w := range writers {
		db := one
		if w%2 == 1 {
			db = two
		}
		group.Go(func() {
			var last int64
			for i := range each {
				var seq int64
				err := db.Update(t.Context(), func(tx *sqlstore.Tx) (err error) {
					// What is read must not have changed when it is written.
					var n int64
					if err := tx.QueryRow(`SELECT n FROM counter WHERE name = ?1`, "log").Scan(&n); err != nil {
						return err
					}
					if seq, err = appendEntry(tx, fmt.Sprintf("%d-%d", w, i)); err == nil && seq != n+1 {
						err = fmt.Errorf("read %d, then took %d", n, seq)
					}
					return err
				})
				if err != nil {
					t.Errorf("writer %d: %v", w, err)
					return
				}
				if seq <= last {
					t.Errorf("writer %d got %d after %d", w, seq, last)
				}
				last = seq
			}
		})
	}
	done := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() { follow(t, two, writers*each, done) })
	group.Wait()
	close(done)
	reader.Wait()
}

func testMigrations(t *testing.T, e Engine) {
	url := e.URL(t)
	db := e.OpenAt(t, url, options())
	update(t, db, put("one"))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantWords(t, e.OpenAt(t, url, options()), "one")

	o := options()
	o.Migrations = with(schema(), "0002_more.sql",
		"-- +goose Up\nALTER TABLE entry ADD COLUMN more BIGINT NOT NULL DEFAULT 3;\n")
	db = e.OpenAt(t, url, o)
	if more := Value[int](t, db, `SELECT more FROM entry`); more != 3 {
		t.Errorf("got %d, want 3", more)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	older, err := store.Open(t.Context(), url, options())
	if !errors.Is(err, store.ErrNewer) || older != nil || !strings.Contains(err.Error(), "2") {
		t.Errorf("an older program got %v", err)
	}

	for name, text := range map[string]string{
		"unknown token": "CREATE TABLE other (a {{colour}});",
		"bad SQL":       "CREATE TABLE other (a BIGINT); CREATE TABLEE (b);",
	} {
		o.Migrations = with(schema(), "0002_other.sql", text)
		url := e.URL(t)
		if _, err := store.Open(t.Context(), url, o); err == nil {
			t.Errorf("%s: no error", name)
		}
		// Nothing of it stayed, so that the corrected step can run.
		err := e.OpenAt(t, url, options()).View(t.Context(), func(tx *sqlstore.Tx) error {
			return tx.QueryRow(`SELECT count(*) FROM other`).Scan(new(int))
		})
		if err == nil {
			t.Errorf("%s: half of the step stayed", name)
		}
	}
}

func testClose(t *testing.T, e Engine) {
	url := e.URL(t)
	db := e.OpenAt(t, url, options())
	// Functions that wait when Close is called still run.
	started, release := make(chan struct{}), make(chan struct{})
	results := make(chan error, 10)
	go func() {
		results <- db.Update(t.Context(), func(tx *sqlstore.Tx) error {
			close(started)
			<-release
			return put("0")(tx)
		})
	}()
	<-started
	for i := range 8 {
		queued := make(chan struct{})
		ctx := signalling{t.Context(), sync.OnceFunc(func() { close(queued) })}
		go func() { results <- db.Update(ctx, put(fmt.Sprint(i+1))) }()
		<-queued
	}
	go func() { results <- db.Close() }()
	close(release)
	for range 10 {
		if err := <-results; err != nil && !errors.Is(err, sqlstore.ErrClosed) {
			t.Error(err)
		}
	}
	none := func(*sqlstore.Tx) error { t.Error("ran after Close"); return nil }
	for name, err := range map[string]error{
		"Update": db.Update(t.Context(), none),
		"View":   db.View(t.Context(), none),
	} {
		if !errors.Is(err, sqlstore.ErrClosed) {
			t.Errorf("%s after Close got %v", name, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Errorf("second Close got %v", err)
	}
	got := words(t, e.OpenAt(t, url, options()))
	slices.Sort(got)
	if want := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8"}; !slices.Equal(got, want) {
		t.Errorf("entries %v, want %v", got, want)
	}
}

// roomTx is what a room would declare.
type roomTx interface {
	Exec(stmt string, args ...any) (int64, error)
}

type roomStore interface {
	View(ctx context.Context, fn func(roomTx) error) error
	Update(ctx context.Context, fn func(roomTx) error) error
}

func testRooms(t *testing.T, e Engine) {
	db := e.Open(t, options())
	var room roomStore = sqlstore.For[roomTx](db)
	insert := func(tx roomTx) error {
		_, err := tx.Exec(`INSERT INTO entry (seq, word) VALUES (?1, ?2)`, 1, "one")
		return err
	}
	if err := room.View(t.Context(), insert); !errors.Is(err, sqlstore.ErrReadOnly) {
		t.Errorf("got %v", err)
	}
	if err := room.Update(t.Context(), insert); err != nil {
		t.Error(err)
	}
	wantWords(t, db, "one")
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "missingTx") {
			t.Errorf("For answered %v to an interface that *Tx lacks", r)
		}
	}()
	sqlstore.For[missingTx](db)
}

type missingTx interface{ Missing() }
