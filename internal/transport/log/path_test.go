package log

import (
	"strings"
	"testing"
)

func TestTilePaths(t *testing.T) {
	good := []string{
		"tile/0/000", "tile/0/255", "tile/63/000", "tile/1/x001/067", "tile/0/x001/x234/067", "tile/0/000.p/1",
		"tile/0/000.p/255", "tile/entries/000", "tile/entries/x001/000.p/12", "tile/2/x999/x999/x999/x999/x999/999",
	}
	bad := []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "tile/64/000", "tile/00/000", "tile/-1/000", "tile/+1/000", "tile/ 0/000",
		"tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/x000/001", "tile/0/x00/001", "tile/0/001/067", "tile/0/x001/x067",
		"tile/0/X001/067", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01",
		"tile/0/000.p/1/", "tile/0/000/", "tile/0/000.p/1.p/1", "tile/0/../../journal", "tile/entries/..", "tile/8/0/000",
		"tile/data/000", "tile/entries/entries/000", "journal", "./tile/0/000", "tile//0/000", "tile/0/00\u0660",
		"tile/0/" + strings.Repeat("x001/", 6) + "000", "tile/0/" + strings.Repeat("9", 1000), "tile/99999999999999999999/000",
	}
	for _, p := range good {
		if !isTile(p) {
			t.Errorf("%q is refused", p)
		}
	}
	for _, p := range bad {
		if isTile(p) {
			t.Errorf("%q is taken", p)
		}
	}
}

func TestNumbered(t *testing.T) {
	for path, want := range map[string]struct {
		number int
		rest   string
		ok     bool
	}{
		"checkpoint": {1, "checkpoint", true}, "1/checkpoint": {1, "checkpoint", true}, "2/tile/0/000": {2, "tile/0/000", true},
		"0/checkpoint": {0, "checkpoint", false}, "02/checkpoint": {0, "", false}, "2": {0, "", false}, "": {1, "", true},
		"99999999999999999999/checkpoint": {0, "", false}, "2x/checkpoint": {0, "", false}, "-2/checkpoint": {1, "-2/checkpoint", true},
	} {
		number, rest, ok := numbered(path)
		if ok != want.ok || ok && (number != want.number || rest != want.rest) {
			t.Errorf("%q: %d %q %v", path, number, rest, ok)
		}
	}
}

// FuzzPath: whatever is taken leads to a file beneath the log's folder, and is the
// only way to write it.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"tile/0/x001/067.p/3", "2/tile/entries/000", "tile/0/../000", "tile/63/x999/999"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		_, rest, ok := numbered(p)
		if !ok || !isTile(rest) {
			return
		}
		if len(rest) > 64 || strings.Contains(rest, "..") || strings.Contains(rest, "//") || strings.ToLower(rest) != rest {
			t.Errorf("%q is taken", p)
		}
		for _, c := range rest {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789/.", c) {
				t.Errorf("%q is taken", p)
			}
		}
	})
}
