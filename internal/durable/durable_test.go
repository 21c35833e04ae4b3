package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/durable"
)

// A file is replaced whole, with its mode, and nothing is left beside it; what
// cannot be written changes nothing.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "head")
	for _, text := range []string{"first", "second, longer", ""} {
		if err := durable.Replace(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		info, stat := os.Stat(path)
		if err != nil || stat != nil || string(got) != text || info.Mode().Perm() != 0o640 {
			t.Errorf("%q, %v, %v, %v", got, info.Mode(), err, stat)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "folder"), filepath.Join(dir, "none", "head")} {
		if err := durable.Replace(path, []byte("x"), 0o600); err == nil {
			t.Errorf("%s was written", path)
		}
	}
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
	if err := durable.SyncDir(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there was synced")
	}
}
