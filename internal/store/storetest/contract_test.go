package storetest

import (
	"database/sql"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// schema is a small one of this package's own.
func schema() fs.FS {
	return fstest.MapFS{"0001_start.sql": {Data: []byte(`
CREATE TABLE counter (name TEXT PRIMARY KEY, n BIGINT NOT NULL);
INSERT INTO counter (name, n) VALUES ('log', 0);
CREATE TABLE entry (
	seq  BIGINT PRIMARY KEY,
	word TEXT NOT NULL UNIQUE,
	body {{bytes}}
);
CREATE TABLE pair (a TEXT NOT NULL, b BIGINT NOT NULL, PRIMARY KEY (a, b)) {{clustered}};
`)}}
}

// with adds a step to a schema.
func with(steps fs.FS, name, text string) fs.FS {
	steps.(fstest.MapFS)[name] = &fstest.MapFile{Data: []byte(text)}
	return steps
}

var fixed = time.Date(2030, 6, 11, 17, 0, 0, 123456789, time.FixedZone("here", 2*3600))

func options() store.Options {
	return store.Options{Migrations: schema(), Now: func() time.Time { return fixed }}
}

// TestEngines checks that each engine does what sqlstore.DB promises.
func TestEngines(t *testing.T) { Each(t, testEngine) }

func testEngine(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Engine)
	}{
		{"statements", testStatements},
		{"order by bytes", testByteOrder},
		{"constraints", testConstraints},
		{"read transaction", testRead},
		{"row guards", testRowGuards},
		{"one now", testNow},
		{"cancelled", testCancelled},
		{"failure", testFailureAlone},
		{"refused statement", testRefusedStatement},
		{"panic", testPanic},
		{"nested", testNested},
		{"savepoints", testSavepoints},
		{"hooks", testHooks},
		{"commit fails", testCommitFails},
		{"conflict", testConflict},
		{"readers beside", testReadersBeside},
		{"64 writers", testManyWriters},
		{"counter", testCounter},
		{"two nodes", testTwoNodes},
		{"migrations", testMigrations},
		{"close", testClose},
		{"rooms", testRooms},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, e) })
	}
}

// append takes the next number and writes an entry under it.
func appendEntry(tx *sqlstore.Tx, word string) (int64, error) {
	var seq int64
	err := tx.QueryRow(`UPDATE counter SET n = n + ?2 WHERE name = ?1 RETURNING n`, "log", 1).Scan(&seq)
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(`INSERT INTO entry (seq, word) VALUES (?1, ?2)`, seq, word)
	return seq, err
}

func scanWord(s sqlstore.Scanner) (string, error) {
	var word string
	err := s.Scan(&word)
	return word, err
}

func words(t *testing.T, db *sqlstore.DB) []string {
	t.Helper()
	var all []string
	err := db.View(t.Context(), func(tx *sqlstore.Tx) (err error) {
		all, err = sqlstore.Collect(tx, scanWord, `SELECT word FROM entry ORDER BY seq`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantWords(t *testing.T, db *sqlstore.DB, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, words(t, db)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func update(t *testing.T, db *sqlstore.DB, fn func(*sqlstore.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func put(word string) func(*sqlstore.Tx) error {
	return func(tx *sqlstore.Tx) error {
		_, err := appendEntry(tx, word)
		return err
	}
}

func testStatements(t *testing.T, e Engine) {
	db := e.Open(t, options())
	if db.Engine() != e.Name {
		t.Errorf("engine %q", db.Engine())
	}
	body := []byte{0, 0xff, '?', '1', 0}
	update(t, db, func(tx *sqlstore.Tx) error {
		// Out of order, repeated, and beside question marks that are none.
		n, err := tx.Exec(`INSERT INTO entry (body, word, seq) -- not ?9
			VALUES (?3, ?2 || ' is ?1 ''?4'' ' || ?2, /* ?7 */ ?1)`, 7, "word", body)
		if n != 1 {
			t.Errorf("%d rows changed, want 1", n)
		}
		return err
	})
	var seq int64
	var word string
	var got []byte
	err := db.View(t.Context(), func(tx *sqlstore.Tx) error {
		if err := tx.QueryRow(`SELECT seq FROM entry WHERE seq = ?1`, 8).Scan(&seq); err != sql.ErrNoRows {
			t.Errorf("got %v, want sql.ErrNoRows itself", err)
		}
		return tx.QueryRow(`SELECT seq, word, body FROM entry WHERE seq = ?1`, 7).Scan(&seq, &word, &got)
	})
	if err != nil {
		t.Fatal(err)
	}
	if seq != 7 || word != "word is ?1 '?4' word" || !cmp.Equal(got, body) {
		t.Errorf("got %d %q %v", seq, word, got)
	}
	update(t, db, func(tx *sqlstore.Tx) error {
		if _, err := tx.Exec(`INSERT INTO pair (a, b) VALUES (?1, ?2), (?1, ?3)`, "x", 1, 2); err != nil {
			return err
		}
		n, err := tx.Exec(`INSERT INTO pair (a, b) VALUES (?1, ?2) ON CONFLICT (a, b) DO NOTHING`, "x", 1)
		if n != 0 {
			t.Errorf("%d rows changed by a duplicate, want 0", n)
		}
		return err
	})
	err = db.Update(t.Context(), func(tx *sqlstore.Tx) error {
		_, err := tx.Exec(`INSERT INTO pair (a, b) VALUES (?1, ?2)`, "x", time.Now())
		return err
	})
	if err == nil {
		t.Error("an argument of type time.Time was accepted")
	}
}

func testByteOrder(t *testing.T, e Engine) {
	db := e.Open(t, options())
	for _, word := range []string{"b", "ä", "B", "a", "A-1", "A1"} {
		update(t, db, put(word))
	}
	var sorted []string
	err := db.View(t.Context(), func(tx *sqlstore.Tx) (err error) {
		sorted, err = sqlstore.Collect(tx, scanWord, `SELECT word FROM entry WHERE word > ?1 ORDER BY word`, "A")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"A-1", "A1", "B", "a", "b", "ä"}, sorted); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func testConstraints(t *testing.T, e Engine) {
	db := e.Open(t, options())
	update(t, db, put("one"))
	for name, stmt := range map[string]string{
		"unique column": `INSERT INTO entry (seq, word) VALUES (9, 'one')`,
		"primary key":   `INSERT INTO entry (seq, word) VALUES (1, 'two')`,
		"clustered key": `INSERT INTO pair (a, b) VALUES ('x', 1), ('x', 1)`,
		"returning":     `INSERT INTO entry (seq, word) VALUES (9, 'one') RETURNING seq`,
		"not null":      `INSERT INTO entry (seq, word) VALUES (9, NULL)`,
		"no table":      `INSERT INTO missing (a) VALUES (1)`,
	} {
		err := db.Update(t.Context(), func(tx *sqlstore.Tx) error {
			if strings.Contains(stmt, "RETURNING") {
				return tx.QueryRow(stmt).Scan(new(int64))
			}
			_, err := tx.Exec(stmt)
			return err
		})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	wantWords(t, db, "one")
}

func testRead(t *testing.T, e Engine) {
	db := e.Open(t, options())
	update(t, db, put("before"))
	err := db.View(t.Context(), func(tx *sqlstore.Tx) error {
		first, err := sqlstore.Collect(tx, scanWord, `SELECT word FROM entry ORDER BY seq`)
		if err != nil {
			return err
		}
		update(t, db, put("during"))
		second, err := sqlstore.Collect(tx, scanWord, `SELECT word FROM entry ORDER BY seq`)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("one transaction read two states:\n%s", diff)
		}
		if _, err := tx.Exec(`DELETE FROM entry`); !errors.Is(err, sqlstore.ErrReadOnly) {
			t.Errorf("Exec got %v", err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wantWords(t, db, "before", "during")
	const erase = `DELETE FROM entry RETURNING seq`
	var seq int64
	err = db.View(t.Context(), func(tx *sqlstore.Tx) error { return tx.QueryRow(erase).Scan(&seq) })
	if err == nil {
		t.Error("View deleted")
	}
	wantWords(t, db, "before", "during")
}

func testRowGuards(t *testing.T, e Engine) {
	db := e.Open(t, options())
	update(t, db, put("one"))
	update(t, db, put("two"))
	var kept *sqlstore.Tx
	update(t, db, func(tx *sqlstore.Tx) error {
		kept = tx
		rows, err := tx.Query(`SELECT word FROM entry`)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`DELETE FROM entry`); !errors.Is(err, sqlstore.ErrRowsOpen) {
			t.Errorf("Exec beside open rows got %v", err)
		}
		if err := tx.QueryRow(`SELECT word FROM entry`).Scan(new(string)); !errors.Is(err, sqlstore.ErrRowsOpen) {
			t.Errorf("QueryRow beside open rows got %v", err)
		}
		if err := rows.Close(); err != nil {
			return err
		}
		if err := tx.QueryRow(`SELECT word FROM entry ORDER BY seq`).Scan(new(string)); err != nil {
			return err
		}
		_, err = tx.Query(`SELECT word FROM entry`) // left open: ended with the function
		return err
	})
	if _, err := kept.Exec(`DELETE FROM entry`); !errors.Is(err, sqlstore.ErrEnded) {
		t.Errorf("Exec after the end got %v", err)
	}
	wantWords(t, db, "one", "two")
}

func testNow(t *testing.T, e Engine) {
	db := e.Open(t, options())
	want := time.Date(2030, 6, 11, 15, 0, 0, 123456000, time.UTC)
	check := func(tx *sqlstore.Tx) error {
		if tx.Now() != want {
			t.Errorf("now is %v, want %v", tx.Now(), want)
		}
		return nil
	}
	update(t, db, check)
	if err := db.View(t.Context(), check); err != nil {
		t.Fatal(err)
	}
}
