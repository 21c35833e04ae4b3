package blob

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAppend(t *testing.T) {
	root := t.TempDir()
	d, err := OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	name := journalPrefix + "art_1"
	read := func(n int) string {
		t.Helper()
		f, err := d.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		b := make([]byte, n)
		if _, err := f.ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if _, err := d.Open(name); err == nil {
		t.Error("it is there before it begins")
	}
	if err := d.Append(name, 5, []byte("x")); err == nil {
		t.Error("it begins in the middle")
	}
	for _, p := range []struct {
		at   int64
		text string
		want string
	}{
		{0, "one,", "one,"},
		{4, "left behind", "one,left behind"},
		{4, "two,", "one,two,"}, // what a crash left is written over
		{8, "three", "one,two,three"},
	} {
		if err := d.Append(name, p.at, []byte(p.text)); err != nil {
			t.Fatal(err)
		}
		if got := read(len(p.want)); got != p.want {
			t.Errorf("%q, want %q", got, p.want)
		}
	}
	if err := d.Append(name, 1000, []byte("x")); err == nil {
		t.Error("it has a hole")
	}
	for _, bad := range []string{"journal-", "journal-../../x", "journal-A", "art_1", "journal-a/b", "journal-" + strings.Repeat("a", 65)} {
		if err := d.Append(bad, 0, []byte("x")); err == nil {
			t.Errorf("%s is a name", bad)
		}
		if _, err := d.Open(bad); err == nil {
			t.Errorf("%s is opened", bad)
		}
	}
}

// A sweep takes journals that nobody knows, once they are old.
func TestSweepJournals(t *testing.T) {
	root := t.TempDir()
	d, err := OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	old := time.Now().Add(-2 * time.Hour)
	for name, age := range map[string]time.Time{"journal-used": old, "journal-orphan": old, "journal-young": time.Now()} {
		if err := d.Append(name, 0, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(root, "journals", name), age, age); err != nil {
			t.Fatal(err)
		}
	}
	err = d.Sweep(t.Context(), func(name string) bool { return name == "journal-used" }, time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"journal-used": true, "journal-orphan": false, "journal-young": true} {
		if _, err := os.Stat(filepath.Join(root, "journals", name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
