package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver

	"github.com/forewarn-exchange/forewarn/internal/store/postgres"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestRewrite(t *testing.T) {
	for in, want := range map[string]string{
		``:                                   ``,
		`SELECT ?1`:                          `SELECT $1`,
		`?2,?1,?12`:                          `$2,$1,$12`,
		`a ? b`:                              `a ? b`,
		`a ?0 ?`:                             `a ?0 ?`,
		`'?1' || ?1`:                         `'?1' || $1`,
		`'it''s ?1' || ?1`:                   `'it''s ?1' || $1`,
		`"?1" = ?1 AND "a""?2" = ?2`:         `"?1" = $1 AND "a""?2" = $2`,
		"-- what is ?1\n?1":                  "-- what is ?1\n$1",
		`?1 -- ?2`:                           `$1 -- ?2`,
		`/* ?1 ' */ ?1 /* ?2`:                `/* ?1 ' */ $1 /* ?2`,
		`?1 - ?2 / ?3 * ?4`:                  `$1 - $2 / $3 * $4`,
		`'open ?1`:                           `'open ?1`,
		`'ü?1' || ?1`:                        `'ü?1' || $1`,
		`(a, b) > (?1, ?2) LIMIT ?3::bigint`: `(a, b) > ($1, $2) LIMIT $3::bigint`,
	} {
		if got := (postgres.Dialect{}).Rewrite(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

// A server that restarts, or an administrator, ends the connections that wait
// for work: the next calls open new ones, and nobody sees an error.
func TestIdleConnectionsDie(t *testing.T) {
	url := storetest.PostgreSQL.URL(t)
	db := storetest.PostgreSQL.OpenAt(t, url)
	admin, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	kill := func() {
		t.Helper()
		var n int
		err := admin.QueryRow(`SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&n)
		if err != nil || n == 0 {
			t.Fatalf("ended %d connections: %v", n, err)
		}
	}
	ctx := t.Context()
	count := func(tx *sqlstore.Tx) error {
		var n int
		return tx.QueryRow(`SELECT count(*) FROM counter`).Scan(&n)
	}
	calls := map[string]func() error{
		"View":   func() error { return db.View(ctx, count) },
		"Update": func() error { return db.Update(ctx, count) },
	}
	for name, call := range calls {
		for range 2 {
			if err := call(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			kill()
		}
		if err := call(); err != nil {
			t.Errorf("%s after the last connection died: %v", name, err)
		}
	}
}

// A reader that gives up ends its statement and leaves the pool usable.
func TestReaderGivesUp(t *testing.T) {
	db := storetest.PostgreSQL.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.View(ctx, func(tx *sqlstore.Tx) error {
		cancel()
		return tx.QueryRow(`SELECT 1`).Scan(new(int))
	})
	if err == nil {
		t.Error("no error")
	}
	for range 20 { // more than the pool holds
		ctx, cancel := context.WithCancel(t.Context())
		err := db.View(ctx, func(tx *sqlstore.Tx) error {
			rows, err := tx.Query(`SELECT generate_series(1, 100000)`)
			if err != nil {
				return err
			}
			if !rows.Next() {
				return rows.Err()
			}
			cancel()
			for rows.Next() {
			}
			return rows.Err()
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled reader got %v", err)
		}
	}
	storetest.Value[int](t, db, `SELECT 1`)
}
