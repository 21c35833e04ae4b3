// Package sqlite opens the embedded engine: one file in WAL mode, one writing
// connection and a few reading ones. Every commit is synced (synchronous=FULL):
// with NORMAL a power cut loses acknowledged transactions, and with group
// commit it is not faster.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // registers the driver

	"github.com/forewarn-exchange/forewarn/internal/store/engine"
)

const maxReaders = 4

// Open opens or creates the file at path. Its folder is created when missing;
// folder and file are for this user alone.
func Open(ctx context.Context, path string) (engine.Handles, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return engine.Handles{}, fmt.Errorf("finding the store's file: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return engine.Handles{}, fmt.Errorf("making the store's folder: %w", err)
	}
	// SQLite would create the file readable for all; its WAL takes the same mode.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return engine.Handles{}, fmt.Errorf("making the store's file: %w", err)
	}
	if err := f.Close(); err != nil {
		return engine.Handles{}, fmt.Errorf("making the store's file: %w", err)
	}
	write, err := open(ctx, path, 1, url.Values{
		"_pragma":       {"busy_timeout(5000)", "cache_size(-32768)", "page_size(8192)", "wal_autocheckpoint(16000)"},
		"_foreign_keys": {"1"},
		"_journal_mode": {"WAL"}, // set after page_size, which cannot change in WAL mode
		"_synchronous":  {"FULL"},
		"_txlock":       {"immediate"},
	})
	if err != nil {
		return engine.Handles{}, err
	}
	read, err := open(ctx, path, maxReaders, url.Values{
		"_pragma":     {"busy_timeout(5000)", "cache_size(-8192)"},
		"_query_only": {"1"},
	})
	if err != nil {
		return engine.Handles{}, errors.Join(err, write.Close())
	}
	return engine.Handles{
		Write: write, Read: read, Readers: maxReaders, Dialect: Dialect{},
		Close: func() error { return shut(write, read) },
	}, nil
}

// Inspect opens the file at path to be looked at, while another process may be
// writing to it. Nothing is made where there is no file.
func Inspect(ctx context.Context, path string) (engine.Handles, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return engine.Handles{}, fmt.Errorf("finding the store's file: %w", err)
	}
	// Not mode=ro: that would leave the WAL's files behind.
	query := url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(5000)", "cache_size(-8192)"}, "_query_only": {"1"}}
	write, err := open(ctx, path, 1, query)
	if err != nil {
		return engine.Handles{}, err
	}
	read, err := open(ctx, path, maxReaders, query)
	if err != nil {
		return engine.Handles{}, errors.Join(err, write.Close())
	}
	return engine.Handles{
		Write: write, Read: read, Readers: maxReaders, Dialect: Dialect{},
		Close: func() error { return errors.Join(read.Close(), write.Close()) },
	}, nil
}

func open(ctx context.Context, path string, conns int, query url.Values) (*sql.DB, error) {
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s: %w", path, err), db.Close())
	}
	return db, nil
}

// shut moves the WAL into the file, so that the file alone is the whole store.
// Another process that reads it may prevent that; the WAL then stays, whole.
func shut(write, read *sql.DB) error {
	err := read.Close()
	if _, e := write.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); e != nil {
		err = errors.Join(err, fmt.Errorf("moving the WAL into the file: %w", e))
	}
	return errors.Join(err, write.Close())
}

// Dialect is the engine's part of the shared SQL text.
type Dialect struct{}

// Name is "sqlite".
func (Dialect) Name() string { return "sqlite" }

// Rewrite leaves the text as it is: SQLite reads ?N.
func (Dialect) Rewrite(stmt string) string { return stmt }

// Begin takes the write lock at once, so that a transaction never finds out
// half-way that it cannot write.
func (Dialect) Begin(writable bool) string {
	if writable {
		return "BEGIN IMMEDIATE"
	}
	return "BEGIN"
}

// Tokens are the engine's words in migrations.
func (Dialect) Tokens() map[string]string {
	return map[string]string{"bytes": "BLOB", "clustered": "WITHOUT ROWID", "double": "REAL", "rowid": "INTEGER"}
}

// DDL leaves the text as it is: TEXT sorts by bytes.
func (Dialect) DDL(text string) string { return text }

// Embedded is true: the engine runs inside this process.
func (Dialect) Embedded() bool { return true }
