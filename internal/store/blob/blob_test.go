package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

func openDir(t *testing.T) *Dir {
	t.Helper()
	d, err := OpenDir(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

const plenty = 1 << 30

func put(t *testing.T, d *Dir, content string) string {
	t.Helper()
	sha, size, err := d.Write(t.Context(), strings.NewReader(content), int64(len(content)))
	if err != nil || size != int64(len(content)) {
		t.Fatalf("%d bytes: %v", size, err)
	}
	return sha
}

func read(t *testing.T, d *Dir, sha string) string {
	t.Helper()
	f, err := d.Open(sha)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// tree lists the regular files under the folder, temporary ones by folder only.
func tree(t *testing.T, d *Dir) (blobs, temps int) {
	t.Helper()
	err := filepath.WalkDir(d.root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", name, info.Mode().Perm(), want)
		}
		switch {
		case e.IsDir():
		case filepath.Base(filepath.Dir(name)) == tempFolder:
			temps++
		default:
			blobs++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return blobs, temps
}

func wantTree(t *testing.T, d *Dir, blobs, temps int) {
	t.Helper()
	if b, n := tree(t, d); b != blobs || n != temps {
		t.Errorf("folder holds %d blobs and %d temporary files, want %d and %d", b, n, blobs, temps)
	}
}

func TestWriteNamesContent(t *testing.T) {
	d := openDir(t)
	// The SHA-256 of "abc" of FIPS 180-2, appendix B.1.
	const want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	for range 2 {
		if got := put(t, d, "abc"); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	if _, err := os.Stat(filepath.Join(d.root, "ba", "78", want)); err != nil {
		t.Error(err)
	}
	if got := read(t, d, want); got != "abc" {
		t.Errorf("read %q", got)
	}
	put(t, d, "")
	wantTree(t, d, 2, 0)
}

func TestLargeContent(t *testing.T) {
	d := openDir(t)
	content := strings.Repeat("0123456789abcdef", 3*bufferSize/16) + "tail"
	sha := put(t, d, content)
	if read(t, d, sha) != content {
		t.Error("content differs")
	}
	f, err := d.Open(sha)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	piece := make([]byte, 4)
	if _, err := f.ReadAt(piece, f.Size()-4); err != nil || string(piece) != "tail" {
		t.Errorf("got %q, %v", piece, err)
	}
}

// ending calls end when it is first read from, and goes on.
type ending struct {
	io.Reader
	end func()
}

func (e ending) Read(p []byte) (int, error) {
	e.end()
	return e.Reader.Read(p)
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	d := openDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	broken := errors.New("broken off")
	for name, c := range map[string]struct {
		body  io.Reader
		limit int64
		is    func(error) bool
	}{
		"cancelled":  {ending{strings.NewReader("content"), cancel}, plenty, func(err error) bool { return errors.Is(err, context.Canceled) }},
		"broken off": {io.MultiReader(strings.NewReader("content"), iotest.ErrReader(broken)), plenty, func(err error) bool { return errors.Is(err, broken) }},
		"too large":  {strings.NewReader("content"), 6, func(err error) bool { return exchange.KindOf(err) == exchange.Exhausted }},
	} {
		ctx := ctx
		if name != "cancelled" {
			ctx = t.Context()
		}
		if sha, size, err := d.Write(ctx, c.body, c.limit); !c.is(err) || sha != "" || size != 0 {
			t.Errorf("%s: got %q, %d, %v", name, sha, size, err)
		}
	}
	wantTree(t, d, 0, 0)
}

func TestOpenRefuses(t *testing.T) {
	d := openDir(t)
	sha := put(t, d, "content")
	for name, c := range map[string]struct {
		sha  string
		want error
	}{
		"absent":     {strings.Repeat("0", 64), fs.ErrNotExist},
		"path":       {"../../" + sha[6:], fs.ErrInvalid},
		"upper case": {strings.ToUpper(sha), fs.ErrInvalid},
		"empty":      {"", fs.ErrInvalid},
	} {
		if f, err := d.Open(c.sha); !errors.Is(err, c.want) || f != nil {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestWriteReplacesTornFile(t *testing.T) {
	d := openDir(t)
	sha := put(t, d, "content")
	if err := os.Truncate(d.path(sha), 3); err != nil {
		t.Fatal(err)
	}
	if got := read(t, d, sha); got != "con" { // and the torn file is open now
		t.Fatalf("read %q", got)
	}
	put(t, d, "content")
	if got := read(t, d, sha); got != "content" {
		t.Errorf("read %q", got)
	}
}

func TestSweep(t *testing.T) {
	d := openDir(t)
	kept, unkept, fresh := put(t, d, "kept"), put(t, d, "unkept"), put(t, d, "fresh")
	again := put(t, d, "written again")
	old := time.Now().Add(-48 * time.Hour)
	age := func(name string) {
		t.Helper()
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	for _, sha := range []string{kept, unkept, again} {
		age(d.path(sha))
	}
	put(t, d, "written again")
	reading, err := d.Open(unkept)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	// A crash left one temporary file behind; another is being written now.
	crashed, current := filepath.Join(d.root, tempFolder, "crashed"), filepath.Join(d.root, tempFolder, "current")
	for _, name := range []string{crashed, current} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	age(crashed)
	for range 2 {
		if err := d.Sweep(t.Context(), func(sha string) bool { return sha == kept }, time.Now().Add(-24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for sha, content := range map[string]string{kept: "kept", fresh: "fresh", again: "written again"} {
		if got := read(t, d, sha); got != content {
			t.Errorf("read %q, want %q", got, content)
		}
	}
	if _, err := d.Open(unkept); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
	if _, err := reading.ReadAt(make([]byte, 6), 0); err != nil {
		t.Errorf("an open blob became unreadable: %v", err)
	}
	if _, err := os.Stat(current); err != nil {
		t.Error(err)
	}
	wantTree(t, d, 3, 1)
}

func TestManyWritersOneFile(t *testing.T) {
	d := openDir(t)
	shas := make([]string, 16)
	var group sync.WaitGroup
	for i := range shas {
		group.Go(func() {
			content := fmt.Sprintf("content %d", i%2)
			var err error
			if shas[i], _, err = d.Write(t.Context(), strings.NewReader(content), plenty); err != nil {
				t.Error(err)
				return
			}
			if f, err := d.Open(shas[i]); err != nil || f.Size() != int64(len(content)) || f.Close() != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i, sha := range shas {
		if sha != shas[i%2] {
			t.Errorf("writer %d got %v, want %v", i, sha, shas[i%2])
		}
	}
	wantTree(t, d, 2, 0)
}

func TestOpenFilesAreBounded(t *testing.T) {
	d := openDir(t)
	d.files.limit = 2
	var refs []string
	for i := range 4 {
		refs = append(refs, put(t, d, fmt.Sprint("content ", i)))
	}
	held, err := d.Open(refs[0])
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, ref := range refs {
			read(t, d, ref)
			if n := d.files.order.Len(); n > 2 || n != len(d.files.kept) {
				t.Fatalf("%d files kept in order, %d by name, limit 2", n, len(d.files.kept))
			}
		}
	}
	got := make([]byte, held.Size())
	if _, err := held.ReadAt(got, 0); err != nil || !bytes.Equal(got, []byte("content 0")) {
		t.Errorf("a held file was closed: %q, %v", got, err)
	}
	file := held.handle.file
	for range 2 {
		if err := held.Close(); err != nil {
			t.Error(err)
		}
	}
	if held.handle.kept {
		t.Fatal("the held file is still kept: the limit was not met")
	}
	if _, err := file.Stat(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the file stays open after its last use: %v", err)
	}
}

func TestHotReadsOpenNoFile(t *testing.T) {
	d := openDir(t)
	ref := put(t, d, "content")
	read(t, d, ref)
	f, err := d.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := d.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if f.handle != g.handle {
		t.Error("two uses of one blob opened two files")
	}
}
