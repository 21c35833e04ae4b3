package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/forewarn-exchange/forewarn/internal/store"
)

func options() store.Options {
	return store.Options{Migrations: fstest.MapFS{"1_a.sql": {Data: []byte("CREATE TABLE a (b BIGINT);")}}}
}

func TestOpenFile(t *testing.T) {
	for _, prefix := range []string{"", "sqlite:", "sqlite://"} {
		path := filepath.Join(t.TempDir(), "x.db")
		db, err := store.Open(t.Context(), prefix+path, options())
		if err != nil {
			t.Errorf("%q: %v", prefix, err)
			continue
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	for url, want := range map[string]string{
		"":                          "no store given",
		"sqlite:":                   "no store given",
		"mysql://host/db":           `"mysql": known are a path, sqlite:PATH and postgres://`,
		"postgres://host:port/x":    "address",
		"postgres://u:s3cret@h:x/d": "address",
	} {
		db, err := store.Open(t.Context(), url, options())
		if err == nil || db != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", url, err, want)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: the password is in the error: %v", url, err)
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("files were made: %v, %v", left, err)
	}
}
