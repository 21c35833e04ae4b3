package ledger

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

const testOrigin = "example.org/log"

// key is a key of the log that is the same in every run.
func key(t testing.TB, seed byte) (note.Signer, string) {
	t.Helper()
	private, public, err := note.GenerateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)), testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return s, public
}

func options(t testing.TB) Options {
	s, public := key(t, 1)
	v, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Origin: testOrigin, Signers: []note.Signer{s}, Verifiers: []note.Verifier{v}}
}

func open(t testing.TB, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// entry is the entry at an index, of a length that varies.
func entry(i int64) []byte {
	r := rand.New(rand.NewPCG(uint64(i), 7))
	n := 33
	if r.IntN(10) == 0 {
		n = r.IntN(300)
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(i))
	for len(b) < n {
		b = append(b, byte(r.Uint32()))
	}
	return b[:n:n]
}

func entries(first, count int64) [][]byte {
	all := make([][]byte, count)
	for i := range all {
		all[i] = entry(first + int64(i))
	}
	return all
}

// grow appends entries until the log has a size.
func grow(t testing.TB, l *Log, size int64) {
	t.Helper()
	from := l.Size()
	if err := l.Put(from, entries(from, size-from)); err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(context.Background(), size); err != nil {
		t.Fatal(err)
	}
}

// reference is the log as tlog itself keeps it.
type reference struct {
	hashes []tlog.Hash
	size   int64
}

func (r *reference) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = r.hashes[x]
	}
	return out, nil
}

func (r *reference) grow(t testing.TB, size int64) {
	t.Helper()
	for ; r.size < size; r.size++ {
		h, err := tlog.StoredHashes(r.size, entry(r.size), r)
		if err != nil {
			t.Fatal(err)
		}
		r.hashes = append(r.hashes, h...)
	}
}

// same holds what a log answers against the reference.
func same(t *testing.T, l *Log, ref *reference, r *rand.Rand) {
	t.Helper()
	size := l.Size()
	signed, err := verify.OpenCheckpoint(l.Checkpoint(), []string{publicKey(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if signed.Size != size || signed.Origin != testOrigin {
		t.Fatalf("the checkpoint is of %s, %d", signed.Origin, signed.Size)
	}
	for range 20 {
		n := r.Int64N(size + 1)
		root, err := l.Root(n)
		want, _ := tlog.TreeHash(n, ref)
		if n == 0 {
			want = emptyRoot
		}
		if err != nil || root != want {
			t.Fatalf("root of %d: %v, %v", n, root, err)
		}
		if n == size && root != signed.Root {
			t.Fatal("the checkpoint has another root")
		}
		kept, err := l.CheckpointFor(n)
		if err != nil {
			t.Fatal(err)
		}
		c, err := verify.OpenCheckpoint(kept, []string{publicKey(t)}, nil)
		if err != nil || c.Size < n {
			t.Fatalf("for size %d the checkpoint of size %d: %v", n, c.Size, err)
		}
		p, err := l.Consistency(n, size)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			if err := tlog.CheckTree(p, size, signed.Root, n, root); err != nil {
				t.Fatal(err)
			}
		}
		if n == 0 {
			continue
		}
		i := r.Int64N(n)
		proof, err := l.Inclusion(i, n)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, n, root, i, tlog.RecordHash(entry(i))); err != nil {
			t.Fatal(err)
		}
		if e, err := l.Entry(i); err != nil || !bytes.Equal(e, entry(i)) {
			t.Fatalf("entry %d: %x, %v", i, e, err)
		}
	}
}

func publicKey(t testing.TB) string {
	_, public := key(t, 1)
	return public
}

// checked answers what Check finds.
func checked(t testing.TB, l *Log) (found []string) {
	t.Helper()
	err := l.Check(context.Background(), func(path string, index int64, err error) {
		found = append(found, fmt.Sprintf("%s %d %v", path, index, err))
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestLogAgainstReference(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			dir := filepath.Join(t.TempDir(), "log")
			o := options(t)
			o.SegmentSize = 1 << (12 + r.IntN(8))
			l := open(t, dir, o)
			ref := &reference{}
			steps := []int64{1, 2, 255, 256, 257, 600, 4096}
			for range 25 {
				size := ref.size + r.Int64N(steps[r.IntN(len(steps))])
				if seed == 0 && ref.size == 0 {
					size = 70_000
				}
				grow(t, l, size)
				ref.grow(t, size)
				same(t, l, ref, r)
				if r.IntN(4) == 0 {
					if err := l.Close(); err != nil {
						t.Fatal(err)
					}
					l = open(t, dir, o)
					if l.Size() != size {
						t.Fatalf("size %d after opening again, want %d", l.Size(), size)
					}
					same(t, l, ref, r)
				}
			}
			if found := checked(t, l); len(found) > 0 {
				t.Fatalf("the check found %q", found)
			}
			tilesAgree(t, l, ref)
		})
	}
}

// tilesAgree holds every tile that is served against tlog's own.
func tilesAgree(t *testing.T, l *Log, ref *reference) {
	t.Helper()
	for _, tile := range tlog.NewTiles(tileHeight, 0, ref.size) {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		b, immutable, err := l.File(path)
		want, _ := tlog.ReadTileData(tile, ref)
		if err != nil || !immutable || !bytes.Equal(b, want) {
			t.Fatalf("%s: %d bytes, %v", path, len(b), err)
		}
	}
	for n := int64(0); n*256 < ref.size; n++ {
		width := min(256, ref.size-n*256)
		var want []byte
		for i := range width {
			want = appendEntry(want, entry(n*256+i))
		}
		path := tilePath(bundleLevel, n, int(width%256))
		if b, _, err := l.File(path); err != nil || !bytes.Equal(b, want) {
			t.Fatalf("%s: %d bytes, %v", path, len(b), err)
		}
	}
	for _, path := range []string{
		"", "tile", "tile/0", "tile/0/", "tile/0/x999/999", "tile/0/0", "tile/00/000", "tile/0/000.p/0", "tile/0/000.p/256",
		"tile/0/000.p/01", "tile/64/000", "tile/63/000", "tile/-1/000", "tile/entries/x000/000", "tile/0/../0/000", "checkpoint/",
		"tile/0/x999/x999/x999/x999/x999/x999/999", "tile/9999999999999999999/000", "journal/00000001", "head",
	} {
		if _, _, err := l.File(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// Partial tiles of earlier sizes stay readable, and are the beginning of the full
// ones.
func TestEarlierTiles(t *testing.T) {
	l := open(t, t.TempDir(), options(t))
	earlier := map[string][]byte{}
	for _, size := range []int64{1, 7, 200, 256, 300, 700} {
		grow(t, l, size)
		for _, level := range []int{bundleLevel, 0, 1} {
			hashes := size >> (tileHeight * max(level, 0))
			path := tilePath(level, hashes/tileWidth, int(hashes%tileWidth))
			if hashes%tileWidth == 0 {
				if _, _, err := l.File(tilePath(level, hashes/tileWidth, 1)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("an empty tile of level %d at size %d: %v", level, size, err)
				}
				continue
			}
			b, immutable, err := l.File(path)
			if err != nil || !immutable || len(b) == 0 {
				t.Fatalf("%s: %v", path, err)
			}
			earlier[path] = b
		}
	}
	for path, want := range earlier {
		if b, _, err := l.File(path); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s was changed: %v", path, err)
		}
	}
	if b, immutable, err := l.File("checkpoint"); err != nil || immutable || !bytes.Equal(b, l.Checkpoint()) {
		t.Errorf("checkpoint: %q, %v", b, err)
	}
}

func TestPutCompares(t *testing.T) {
	l := open(t, t.TempDir(), options(t))
	grow(t, l, 300)
	if err := l.Put(100, entries(100, 300)); err != nil {
		t.Fatal(err)
	}
	if err := l.Put(390, [][]byte{entry(390), []byte("another")}); err == nil {
		t.Error("entry 391 was replaced")
	}
	other := entries(5, 10)
	other[3] = []byte("another")
	var f *verify.Failure
	if err := l.Put(5, other); !errors.As(err, &f) || f.Index != 8 {
		t.Errorf("putting another entry 8: %v", err)
	}
	if err := l.Put(402, entries(402, 1)); err == nil {
		t.Error("a gap was taken")
	}
	if err := l.Put(400, [][]byte{make([]byte, 1<<16)}); err == nil {
		t.Error("an entry of 64 KiB was taken")
	}
	if err := l.Wait(context.Background(), 400); err != nil || l.Size() != 400 {
		t.Errorf("size %d, %v", l.Size(), err)
	}
}

func TestFreeze(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, options(t))
	if err := l.Put(0, entries(0, 10)); err != nil {
		t.Fatal(err)
	}
	if err := l.Freeze(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Put(10, entries(10, 1)); !errors.Is(err, ErrFrozen) || !l.Frozen() || l.Size() != 10 {
			t.Fatalf("putting into a closed log of %d entries: %v", l.Size(), err)
		}
		if err := l.Put(9, entries(9, 1)); err != nil {
			t.Fatal(err)
		}
		l.Close()
		l = open(t, dir, options(t))
	}
}

func TestResign(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, options(t))
	grow(t, l, 5)
	second, public := key(t, 2)
	if err := l.Resign([]note.Signer{second}); err != nil {
		t.Fatal(err)
	}
	newest := func(l *Log, key string) {
		t.Helper()
		if c, err := verify.OpenCheckpoint(l.Checkpoint(), []string{key}, nil); err != nil || c.Size != l.Size() {
			t.Fatalf("the newest checkpoint, of size %d: %v", c.Size, err)
		}
	}
	newest(l, public)
	grow(t, l, 7)
	newest(l, public)
	l.Close()
	l = open(t, dir, options(t)) // the first key again
	newest(l, publicKey(t))
	if c, err := l.CheckpointFor(4); err != nil {
		t.Fatal(err)
	} else if _, err := verify.OpenCheckpoint(c, []string{publicKey(t)}, nil); err != nil {
		t.Fatal(err)
	}
	if err := l.Resign(nil); err == nil {
		t.Error("nobody signs, and that was taken")
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, options(t))
	grow(t, l, 1000)
	if _, err := Open(dir, options(t)); !errors.Is(err, ErrInUse) {
		t.Fatalf("opened twice: %v", err)
	}
	settle(l)
	before := listing(t, dir)
	r, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	ref := &reference{}
	ref.grow(t, 1000)
	same(t, r, ref, rand.New(rand.NewPCG(1, 1)))
	if err := r.Put(1000, entries(1000, 1)); !errors.Is(err, ErrReadOnly) {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if after := listing(t, dir); after != before {
		t.Errorf("reading changed the folder from\n%s\nto\n%s", before, after)
	}
	if _, err := Open(dir, Options{Origin: "example.org/other", ReadOnly: true}); err == nil {
		t.Error("opened as another log")
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		fmt.Fprintln(&b, path, info.Size(), info.ModTime())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
