package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/verify"
)

// spoilt is a file that is changed by one byte.
type spoilt struct {
	b      []byte
	first  int // the first byte that is another one; the file's length if it only became longer
	change string
}

// spoil changes a byte among the first n of a file.
func spoil(r *rand.Rand, b []byte, n int) spoilt {
	var s spoilt
	at := r.IntN(n)
	switch r.IntN(3) {
	case 0:
		s.change = "flipped"
		s.b = bytes.Clone(b)
		s.b[at] ^= 1 << r.IntN(8)
	case 1:
		s.change = "deleted"
		s.b = append(bytes.Clone(b[:at]), b[at+1:]...)
	case 2:
		s.change = "inserted"
		at = r.IntN(n + 1)
		s.b = append(append(bytes.Clone(b[:at]), byte(r.IntN(256))), b[at:]...)
	}
	for s.first < min(len(b), len(s.b)) && b[s.first] == s.b[s.first] {
		s.first++
	}
	return s
}

// place says which entry stands at a byte of a file, -1 where none does; in the
// head of a record the record's first one may be named as well.
type place struct{ index, or int64 }

// bundlePlaces says it of the entries of a bundle, or of a record.
func entryPlaces(at []place, b []byte, first int64) []place {
	for len(b) > 0 {
		e, rest, err := nextEntry(b)
		if err != nil {
			panic(err)
		}
		for range len(b) - len(rest) {
			at = append(at, place{first, first})
		}
		_, b = e, rest
		first++
	}
	return at
}

// places answers for each byte of each file which entry stands there.
func places(t *testing.T, dir string, end position) map[string][]place {
	t.Helper()
	out := map[string][]place{}
	for _, name := range paths(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		var at []place
		if level, n, _, err := parseTilePath(name); err == nil && level == bundleLevel {
			at = entryPlaces(nil, b, n*tileWidth)
		} else if err == nil {
			for i := range int64(len(b)) {
				index := (n*tileWidth + i/32) << (tileHeight * level)
				at = append(at, place{index, index})
			}
		} else {
			at = make([]place, segmentHead, len(b))
			for i := range at {
				at[i] = place{-1, -1}
			}
			if name == "journal/"+segmentName(end.segment) {
				b = b[:end.offset] // zeros follow
			}
			for w := (&window{f: bytes.NewReader(b), at: segmentHead, stop: int64(len(b))}); w.at < w.stop; {
				r, err := w.next()
				if err != nil {
					t.Fatal(err)
				}
				for range recordHead {
					at = append(at, place{-1, r.first})
				}
				at = entryPlaces(at, r.entries, r.first)
				for range len(r.checkpoint) + sumSize {
					at = append(at, place{-1, -1})
				}
			}
		}
		out[name] = append(at, place{-1, -1}) // behind the end
	}
	return out
}

// paths lists the journal, tiles and bundles.
func paths(t *testing.T, dir string) (out []string) {
	t.Helper()
	for line := range strings.Lines(listing(t, dir)) {
		name, err := filepath.Rel(dir, strings.Fields(line)[0])
		if err != nil {
			t.Fatal(err)
		}
		if name = filepath.ToSlash(name); strings.Contains(name, "/") {
			out = append(out, name)
		}
	}
	return out
}

// With this in the environment there are as many rounds of TestEveryByte and
// TestKill.
const roundsVariable = "FOREWARN_LEDGER_ROUNDS"

// TestEveryByte flips, deletes and inserts bytes of the journal, of tiles and of
// bundles. Each time Check names the file, and the first entry concerned.
func TestEveryByte(t *testing.T) {
	rounds := 500
	if n, err := strconv.Atoi(os.Getenv(roundsVariable)); err == nil {
		rounds = n
	}
	dir := t.TempDir()
	o := options(t)
	o.SegmentSize = 12 << 10
	l := open(t, dir, o)
	r := rand.New(rand.NewPCG(36, 36))
	for l.Size() < 800 {
		grow(t, l, l.Size()+1+r.Int64N(60))
	}
	settle(l)
	where, all := places(t, dir, l.known.Load().at), paths(t, dir)
	for range rounds {
		name := all[r.IntN(len(all))]
		was, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		s := spoil(r, was, len(where[name])-1)
		write(t, filepath.Join(dir, name), s.b)
		forget(l)
		var found []string
		index, first := int64(-1), true
		err = l.Check(context.Background(), func(path string, i int64, err error) {
			found = append(found, fmt.Sprintf("%s %d %v", path, i, err))
			if path == name && first {
				index, first = i, false
			}
			if path != name {
				t.Errorf("%s of %s: the check names %s: %v", s.change, name, path, err)
			}
		})
		want := where[name][s.first]
		if err != nil || first || index != want.index && index != want.or {
			t.Fatalf("byte %d of %s %s: found %q, %v; want entry %d", s.first, name, s.change, found, err, want.index)
		}
		write(t, filepath.Join(dir, name), was)
	}
	forget(l)
	if found := checked(t, l); len(found) > 0 {
		t.Fatalf("undamaged: %q", found)
	}
}

// forget empties the cache, so that files are read.
func forget(l *Log) {
	l.files.mu.Lock()
	defer l.files.mu.Unlock()
	clear(l.files.old)
	clear(l.files.young)
}

// What is read through the API is held against the tree. A tile or bundle that is
// damaged or missing is made again; where the journal is damaged too, nothing is
// answered.
func TestDamagedTile(t *testing.T) {
	for _, level := range []string{"tile/0/001", "tile/entries/002", "tile/1/000"} {
		for _, how := range []string{"flipped", "cut", "missing"} {
			if level == "tile/1/000" && how != "missing" {
				continue // its log is large
			}
			for _, journal := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s %s, journal %t", level, how, journal), func(t *testing.T) { damaged(t, level, how, journal) })
			}
		}
	}
}

func damaged(t *testing.T, name, how string, journal bool) {
	t.Helper()
	dir := t.TempDir()
	l := open(t, dir, options(t))
	grow(t, l, 800)
	if name == "tile/1/000" {
		grow(t, l, 65_536+300)
	}
	settle(l)
	path := filepath.Join(dir, name)
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	spoilt := bytes.Clone(was)
	spoilt[len(was)/2] ^= 4
	switch how {
	case "flipped":
		write(t, path, spoilt)
	case "cut":
		write(t, path, was[:len(was)-1])
	case "missing":
		os.Remove(path)
	}
	if !journal { // nor the tiles below
		write(t, filepath.Join(dir, "journal", segmentName(1)), nil)
		write(t, filepath.Join(dir, "tile/0/000"), nil)
	}
	forget(l)
	b, _, err := l.File(name)
	if !journal {
		var f *verify.Failure
		if !errors.As(err, &f) {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		if _, err := l.Inclusion(300, l.Size()); name == "tile/0/001" && err == nil {
			t.Error("a proof from a damaged tile")
		}
		if _, err := l.Inclusion(l.Size()-1, l.Size()); err != nil {
			t.Errorf("a proof that needs no damaged tile: %v", err)
		}
		return
	}
	if err != nil || !bytes.Equal(b, was) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, was) {
		t.Fatalf("the file has %d bytes, %v", len(again), err)
	}
	if found := checked(t, l); len(found) > 0 {
		t.Errorf("found %q", found)
	}
}

// A file that is too many, one that is missing, and a checkpoint that another key
// signed.
func TestCheckFinds(t *testing.T) {
	dir := t.TempDir()
	o := options(t)
	l := open(t, dir, o)
	grow(t, l, 600)
	settle(l)
	for name, damage := range map[string]func(path string) error{
		"tile/0/001":       os.Remove,
		"tile/entries/000": os.Remove,
		"tile/1/000":       func(path string) error { return os.WriteFile(path, nil, 0o640) },
		"journal/00000002": func(path string) error { return os.WriteFile(path, nil, 0o640) },
		"head":             os.Remove,
		"tiles": func(path string) error {
			return os.WriteFile(path, position{segment: 1, offset: 65, size: 256}.bytes(), 0o640)
		},
		"log":   func(path string) error { return os.WriteFile(path, []byte("forewarn ledger v1\nother\n"), 0o640) },
		"notes": func(path string) error { return os.WriteFile(path, nil, 0o640) },
	} {
		c := copyOf(t, dir)
		r, err := Open(c, Options{ReadOnly: true, Verifiers: o.Verifiers})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(c, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := damage(filepath.Join(c, name)); err != nil {
			t.Fatal(err)
		}
		if found := checked(t, r); len(found) != 1 || !strings.HasPrefix(found[0], name+" ") {
			t.Errorf("%s: found %q", name, found)
		}
		r.Close()
	}
	_, public := key(t, 9)
	v, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(dir, Options{ReadOnly: true, Verifiers: []note.Verifier{v}})
	if err != nil {
		t.Fatal(err)
	}
	if found := checked(t, r); len(found) == 0 || !strings.Contains(found[0], "checkpoint of size 0") {
		t.Errorf("with another key: found %q", found)
	}
}
