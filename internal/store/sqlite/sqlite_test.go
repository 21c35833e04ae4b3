package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/store/sqlite"
)

func open(t *testing.T, path string) (write, read *sql.DB) {
	t.Helper()
	h, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		// The file alone is the whole store.
		if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
			t.Errorf("the WAL holds %d bytes after Close", info.Size())
		}
	})
	return h.Write, h.Read
}

func TestPragmas(t *testing.T) {
	write, read := open(t, filepath.Join(t.TempDir(), "a.db"))
	if _, err := write.Exec(`CREATE TABLE t (a BIGINT)`); err != nil {
		t.Fatal(err)
	}
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "page_size": "8192", "wal_autocheckpoint": "16000",
		"cache_size": "-32768", "busy_timeout": "5000", "foreign_keys": "1", "query_only": "0",
	} {
		var got string
		if err := write.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("writer: %s is %s, %v; want %s", pragma, got, err, want)
		}
	}
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "page_size": "8192", "cache_size": "-8192", "busy_timeout": "5000", "query_only": "1",
	} {
		var got string
		if err := read.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("reader: %s is %s, %v; want %s", pragma, got, err, want)
		}
	}
	if _, err := read.Exec(`INSERT INTO t (a) VALUES (1)`); err == nil {
		t.Error("a reader wrote")
	}
	if w, r := write.Stats().MaxOpenConnections, read.Stats().MaxOpenConnections; w != 1 || r != 4 {
		t.Errorf("%d writers and %d readers, want 1 and 4", w, r)
	}
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "50% of? a#b.db")
	write, _ := open(t, path)
	if _, err := write.Exec(`CREATE TABLE t (a BIGINT)`); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600, filepath.Dir(path): 0o700,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Error(err)
		} else if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", filepath.Base(name), info.Mode().Perm(), want)
		}
	}
}
