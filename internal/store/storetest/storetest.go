// Package storetest opens real stores for tests and holds what every engine
// must fulfil. It is imported by tests only.
package storetest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// Engine is one engine to run a test on.
type Engine struct {
	Name string
	// URL makes an empty store that lives as long as the test.
	URL func(t testing.TB) string
}

// The engines. Where PostgreSQL is not installed its tests are skipped, and fail
// when CI=true: there it must be installed.
var (
	embedded   = Engine{Name: "sqlite", URL: sqliteURL}
	PostgreSQL = Engine{Name: "postgres", URL: postgresURL}
)

// Each runs a test on every engine.
func Each(t *testing.T, test func(t *testing.T, e Engine)) {
	t.Helper()
	for _, e := range []Engine{embedded, PostgreSQL} {
		t.Run(e.Name, func(t *testing.T) { test(t, e) })
	}
}

// Open opens an empty store with the schema of the exchange and closes it when
// the test ends. At most one Options is given.
func (e Engine) Open(t testing.TB, o ...store.Options) *sqlstore.DB {
	t.Helper()
	return e.OpenAt(t, e.URL(t), o...)
}

// OpenAt opens the store at a URL that Engine.URL has given: again after it was
// closed, or a second time as another node would.
func (e Engine) OpenAt(t testing.TB, url string, o ...store.Options) *sqlstore.DB {
	t.Helper()
	var options store.Options
	if len(o) > 0 {
		options = o[0]
	}
	db, err := store.Open(t.Context(), url, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// SQLite opens an empty embedded store: enough for the tests of a room.
func SQLite(t testing.TB, o ...store.Options) *sqlstore.DB {
	t.Helper()
	return embedded.Open(t, o...)
}

// Value is what a statement reads: the one column of its first row.
func Value[T any](t testing.TB, db *sqlstore.DB, stmt string, args ...any) (v T) {
	t.Helper()
	err := db.View(t.Context(), func(tx *sqlstore.Tx) error { return tx.QueryRow(stmt, args...).Scan(&v) })
	if err != nil {
		t.Fatalf("%s: %v", stmt, err)
	}
	return v
}

// Main runs the tests of a package and stops the PostgreSQL they have started:
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	stopServer()
	os.Exit(code)
}

func sqliteURL(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "forewarn.db")
}
