package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

// copyOf copies a folder as it is at this moment, as a crash would leave it.
func copyOf(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// crashed is a log that ended while its last group was written.
type crashed struct {
	dir          string
	head         []byte // as it was before the last group
	journal      []byte // of the last segment, whole
	from         int    // where the last record begins in it
	before, size int64  // the log's sizes without and with it
	path         string
}

func crash(t testing.TB, sizes ...int64) crashed {
	t.Helper()
	dir := t.TempDir()
	l := open(t, dir, options(t))
	var c crashed
	for _, size := range sizes {
		var err error
		c.before, c.from = l.Size(), int(l.known.Load().at.offset)
		if c.head, err = os.ReadFile(filepath.Join(dir, "head")); err != nil {
			t.Fatal(err)
		}
		grow(t, l, size)
		c.size = size
	}
	settle(l)
	c.dir = copyOf(t, dir)
	c.path = filepath.Join(c.dir, "journal", segmentName(1))
	b, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	c.journal = b[:l.known.Load().at.offset]
	write(t, c.path, c.journal)
	return c
}

// settle waits until the files are written.
func settle(l *Log) {
	l.files.mu.Lock()
	defer l.files.mu.Unlock()
	for len(l.files.pending) > 0 && l.files.failed == nil {
		l.files.changed.Wait()
	}
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o640); err != nil {
		t.Fatal(err)
	}
}

// resumes opens a folder, which must have a size, and goes on from there.
func resumes(t *testing.T, dir string, size int64) {
	t.Helper()
	l, err := Open(dir, options(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Size() != size {
		t.Fatalf("the log has %d entries, want %d", l.Size(), size)
	}
	grow(t, l, size+3)
	ref := &reference{}
	ref.grow(t, size+3)
	root, _ := tlog.TreeHash(size+3, ref)
	if got, err := l.Root(size + 3); err != nil || got != root {
		t.Fatalf("root %v, want %v: %v", got, root, err)
	}
	if found := checked(t, l); len(found) > 0 {
		t.Fatalf("the check found %q", found)
	}
}

// refused opens a folder, which must not work and change nothing.
func refused(t *testing.T, dir string, index int64) {
	t.Helper()
	before, err := os.ReadFile(filepath.Join(dir, "journal", segmentName(1)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	l, err := Open(dir, options(t))
	var f *verify.Failure
	if !errors.As(err, &f) || f.Index != index {
		if l != nil {
			l.Close()
		}
		t.Fatalf("opened with %v, want a failure at entry %d", err, index)
	}
	after, _ := os.ReadFile(filepath.Join(dir, "journal", segmentName(1)))
	if !bytes.Equal(before, after) {
		t.Fatal("what was refused was changed")
	}
}

func TestTornEnd(t *testing.T) {
	c := crash(t, 1, 250, 270, 275)
	c.torn(t)
	// With a group that fills a tile, and with one that only signs.
	crash(t, 250, 260).torn(t)
}

func (c crashed) torn(t *testing.T) {
	t.Helper()
	damage := map[string]func(n int) []byte{
		"cut":    func(n int) []byte { return c.journal[:n] },
		"zeroed": func(n int) []byte { return append(bytes.Clone(c.journal[:n]), make([]byte, len(c.journal)-n)...) },
	}
	r := rand.New(rand.NewPCG(1, 2))
	looked := copyOf(t, c.dir)
	write(t, filepath.Join(looked, "head"), c.head)
	for how, f := range damage {
		for n := c.from; n <= len(c.journal); n++ {
			want, b := c.before, f(n)
			if bytes.Equal(b, c.journal) {
				want = c.size
			}
			// Every point by reading, which takes the same way, and some of them whole.
			write(t, filepath.Join(looked, "journal", segmentName(1)), b)
			l, err := Open(looked, Options{ReadOnly: true})
			if err != nil || l.Size() != want {
				t.Fatalf("%s at byte %d of %d: %v", how, n-c.from, len(c.journal)-c.from, err)
			}
			l.Close()
			if r.IntN(20) > 0 && n != c.from && n < len(c.journal)-1 {
				continue
			}
			t.Run(fmt.Sprintf("%s at %d of %d", how, n-c.from, len(c.journal)-c.from), func(t *testing.T) {
				dir := copyOf(t, c.dir)
				write(t, filepath.Join(dir, "journal", segmentName(1)), b)
				if want != c.size {
					refused(t, dir, c.before) // head says that it was told of
				}
				write(t, filepath.Join(dir, "head"), c.head)
				resumes(t, dir, want)
			})
		}
	}
}

// A bad byte before a good record is damage, whatever head says.
func TestDamagedMiddle(t *testing.T) {
	c := crash(t, 10, 20, 30)
	r := rand.New(rand.NewPCG(3, 2))
	w := &window{f: bytes.NewReader(c.journal), at: segmentHead, stop: int64(len(c.journal))}
	var starts []int
	for w.at < w.stop {
		starts = append(starts, int(w.at))
		if _, err := w.next(); err != nil {
			t.Fatal(err)
		}
	}
	first := []int64{0, 0, 10, 20} // of the checkpoint of size 0 and the three groups
	for range 100 {
		at := segmentHead + r.IntN(c.from-segmentHead)
		var want int64
		for i, s := range starts {
			if s <= at {
				want = first[i]
			}
		}
		b := bytes.Clone(c.journal)
		b[at] ^= 1 << r.IntN(8)
		dir := copyOf(t, c.dir)
		write(t, filepath.Join(dir, "journal", segmentName(1)), b)
		if r.IntN(2) == 0 {
			os.Remove(filepath.Join(dir, "head"))
		}
		refused(t, dir, want)
	}
}

func TestLostFiles(t *testing.T) {
	dir := t.TempDir()
	o := options(t)
	o.SegmentSize = 16 << 10
	l := open(t, dir, o)
	for size := int64(0); size < 3000; size += 200 {
		grow(t, l, size)
	}
	size := l.Size()
	l.Close()
	if n := len(l.journal.segments); n < 4 {
		t.Fatalf("%d segments", n)
	}
	lost := map[string]bool{ // and whether it can be made again
		"head": true, "tiles": true, "tile": true, "tile/0/000": true, "tile/entries": true,
		"log": false, "journal": false, "journal/00000001": false, "journal/00000002": false,
		"journal/" + segmentName(uint32(len(l.journal.segments))): false,
	}
	for name, again := range lost {
		t.Run(name, func(t *testing.T) {
			dir := copyOf(t, dir)
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			if again {
				os.Remove(filepath.Join(dir, "tiles")) // or only Check sees it
				resumes(t, dir, size)
				return
			}
			l, err := Open(dir, options(t))
			var f *verify.Failure
			if !errors.As(err, &f) {
				if l != nil {
					l.Close()
				}
				t.Fatalf("opened with %v", err)
			}
		})
	}
	// A folder that is rolled back to an earlier state is whole in itself. Its own
	// head tells when only the journal is.
	resumes(t, copyOf(t, dir), size)
}

// What fails stays failed, nothing of it is told, and after opening again the log
// goes on.
func TestFailedWrite(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, options(t))
	grow(t, l, 300)
	l.mu.Lock()
	l.journal.file.Close() // the disk is gone
	l.mu.Unlock()
	if err := l.Put(300, entries(300, 5)); err != nil {
		t.Fatal(err)
	}
	err := l.Wait(context.Background(), 305)
	if !errors.Is(err, os.ErrClosed) || l.Size() != 300 || !errors.Is(l.Err(), os.ErrClosed) {
		t.Fatalf("size %d, %v, %v", l.Size(), err, l.Err())
	}
	for _, err := range []error{
		l.Put(300, entries(300, 6)), l.Freeze(), l.Resign(options(t).Signers), l.Wait(context.Background(), 301),
	} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("after the failure: %v", err)
		}
	}
	if e, err := l.Entry(299); err != nil || !bytes.Equal(e, entry(299)) {
		t.Error("what is in the log cannot be read")
	}
	l.Close()
	resumes(t, dir, 300)
}

func TestPublish(t *testing.T) {
	dir := t.TempDir()
	o := options(t)
	var told []int64
	var l *Log
	var refuse error
	o.Publish = func(_ context.Context, size int64, checkpoint []byte) error {
		if l != nil && l.Size() >= size {
			t.Errorf("size %d was known before it was published", size)
		}
		if c, err := verify.OpenCheckpoint(checkpoint, []string{publicKey(t)}, nil); err != nil || c.Size != size {
			t.Errorf("published %q, %v", checkpoint, err)
		}
		told = append(told, size)
		return refuse
	}
	l = open(t, dir, o)
	grow(t, l, 3)
	refuse = errors.New("another one took over")
	if err := l.Put(3, entries(3, 1)); err != nil {
		t.Fatal(err)
	}
	if err := l.Wait(context.Background(), 4); !errors.Is(err, refuse) || l.Size() != 3 {
		t.Fatalf("size %d, %v", l.Size(), err)
	}
	l.Close()
	l = nil
	if _, err := Open(dir, o); !errors.Is(err, refuse) {
		t.Fatalf("opened with %v", err)
	}
	refuse = nil
	l = open(t, dir, o)
	if l.Size() != 4 || fmt.Sprint(told) != "[0 3 4 4 4]" {
		t.Fatalf("size %d, published %d", l.Size(), told)
	}
}

// Checkpoints are kept for ever, each under the size that it was signed for.
func TestCheckpointFor(t *testing.T) {
	o := options(t)
	o.SegmentSize = 8 << 10
	dir := t.TempDir()
	l := open(t, dir, o)
	r := rand.New(rand.NewPCG(5, 5))
	sizes := []int64{0}
	for len(sizes) < 200 {
		size := sizes[len(sizes)-1] + 1 + r.Int64N(20)
		grow(t, l, size)
		sizes = append(sizes, size)
	}
	for range 2 {
		for i, n := 0, int64(0); n <= l.Size(); n++ {
			if n > sizes[i] {
				i++
			}
			b, err := l.CheckpointFor(n)
			if err != nil {
				t.Fatal(err)
			}
			if c, err := verify.OpenCheckpoint(b, []string{publicKey(t)}, nil); err != nil || c.Size != sizes[i] {
				t.Fatalf("for %d: size %d, want %d: %v", n, c.Size, sizes[i], err)
			}
		}
		if _, err := l.CheckpointFor(l.Size() + 1); err == nil {
			t.Error("a checkpoint of the future")
		}
		l.Close()
		l = open(t, dir, o)
	}
}

func TestRefusedOptions(t *testing.T) {
	signer, _ := key(t, 1)
	for name, o := range map[string]Options{
		"no signer":       {Origin: testOrigin},
		"another's key":   {Origin: "example.org/other", Signers: []note.Signer{signer}},
		"no origin":       {Signers: []note.Signer{signer}},
		"a space":         {Origin: "example.org log", Signers: []note.Signer{signer}},
		"two lines":       {Origin: "example.org\nlog", Signers: []note.Signer{signer}},
		"nothing to read": {Origin: testOrigin, ReadOnly: true},
	} {
		dir := filepath.Join(t.TempDir(), "log")
		if _, err := Open(dir, o); err == nil {
			t.Errorf("%s: opened", name)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: a folder was made", name)
		}
	}
}

// A log with a marker is replayed from there. A marker that leads nowhere is
// passed over, and never makes anything be cut off.
func TestMarker(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, options(t))
	for size := int64(0); size <= markerEvery+9000; size += 9000 {
		grow(t, l, size)
	}
	grow(t, l, l.Size()+300)
	settle(l)
	size := l.Size()
	l.Close()
	b, err := os.ReadFile(filepath.Join(dir, "tiles"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := parsePosition(b)
	if err != nil || p.size < markerEvery {
		t.Fatalf("the marker is at %d, %v", p.size, err)
	}
	resumes(t, copyOf(t, dir), size)
	for name, wrong := range map[string]position{
		"within a record": {segment: p.segment, offset: p.offset + 7, size: p.size, prev: p.prev},
		"beyond the end":  {segment: p.segment, offset: p.offset + 1<<40, size: p.size, prev: p.prev},
		"no such segment": {segment: 9, offset: p.offset, size: p.size, prev: p.prev},
		"another size":    {segment: p.segment, offset: p.offset, size: p.size - 256, prev: p.prev},
		"not whole tiles": {segment: p.segment, offset: p.offset, size: p.size + 1, prev: p.prev},
		"another sum":     {segment: p.segment, offset: p.offset, size: p.size},
		"no tiles there":  {segment: p.segment, offset: p.offset, size: p.size << 20, prev: p.prev},
	} {
		dir := copyOf(t, dir)
		write(t, filepath.Join(dir, "tiles"), wrong.bytes())
		if len(name)%2 == 0 {
			os.Remove(filepath.Join(dir, "head"))
		}
		l, err := Open(dir, options(t))
		if err != nil || l.Size() != size {
			t.Fatalf("%s: %v", name, err)
		}
		l.Close()
	}
	// Damage behind the marker is named at once; before it, by Check.
	journal, err := os.ReadFile(filepath.Join(dir, "journal", segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []int64{p.offset + 5000, 5000} {
		dir := copyOf(t, dir)
		spoilt := bytes.Clone(journal)
		spoilt[from] ^= 1
		write(t, filepath.Join(dir, "journal", segmentName(1)), spoilt)
		if from > p.offset {
			l, err := Open(dir, options(t))
			var f *verify.Failure
			if !errors.As(err, &f) || f.Index > p.size || f.Index < p.size-9000 {
				t.Fatalf("%v, %v", l, err)
			}
			continue
		}
		l, err := Open(dir, options(t))
		if err != nil {
			t.Fatal(err)
		}
		if found := checked(t, l); len(found) != 1 {
			t.Errorf("found %q", found)
		}
		l.Close()
	}
}
