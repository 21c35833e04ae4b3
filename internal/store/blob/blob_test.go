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
	"time"
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

func put(t *testing.T, d *Dir, content string) Ref {
	t.Helper()
	w, err := d.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	ref, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func read(t *testing.T, d *Dir, ref Ref) string {
	t.Helper()
	f, err := d.Open(ref)
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

func TestCommitNamesContent(t *testing.T) {
	d := openDir(t)
	// The SHA-256 of "abc" of FIPS 180-2, appendix B.1.
	want := Ref{SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", Size: 3}
	if got := put(t, d, "abc"); got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
	if _, err := os.Stat(filepath.Join(d.root, "ba", "78", want.SHA256)); err != nil {
		t.Error(err)
	}
	if got := read(t, d, want); got != "abc" {
		t.Errorf("read %q", got)
	}
	if err := d.Verify(t.Context(), want); err != nil {
		t.Error(err)
	}
	if got := put(t, d, "abc"); got != want {
		t.Errorf("second commit got %v", got)
	}
	put(t, d, "")
	wantTree(t, d, 2, 0)
}

func TestLargeContent(t *testing.T) {
	d := openDir(t)
	content := strings.Repeat("0123456789abcdef", 3*bufferSize/16) + "tail"
	ref := put(t, d, content)
	if read(t, d, ref) != content {
		t.Error("content differs")
	}
	f, err := d.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	piece := make([]byte, 4)
	if _, err := f.ReadAt(piece, ref.Size-4); err != nil || string(piece) != "tail" {
		t.Errorf("got %q, %v", piece, err)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	d := openDir(t)
	w, err := d.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("secret")); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	w.Abort()
	if _, err := w.Write([]byte("more")); err == nil {
		t.Error("writing after Abort succeeded")
	}
	if _, err := w.Commit(); err == nil {
		t.Error("Commit after Abort succeeded")
	}
	wantTree(t, d, 0, 0)
}

func TestCancelledWriterLeavesNothing(t *testing.T) {
	d := openDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	w, err := d.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := w.Commit(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantTree(t, d, 0, 0)
}

func TestOpenRefuses(t *testing.T) {
	d := openDir(t)
	ref := put(t, d, "content")
	for name, c := range map[string]struct {
		ref  Ref
		want error
	}{
		"absent":     {Ref{strings.Repeat("0", 64), 7}, fs.ErrNotExist},
		"wrong size": {Ref{ref.SHA256, 8}, ErrCorrupt},
		"path":       {Ref{"../../" + ref.SHA256[6:], 7}, fs.ErrInvalid},
		"upper case": {Ref{strings.ToUpper(ref.SHA256), 7}, fs.ErrInvalid},
		"empty":      {Ref{}, fs.ErrInvalid},
	} {
		if f, err := d.Open(c.ref); !errors.Is(err, c.want) || f != nil {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestVerifySeesChangedByte(t *testing.T) {
	d := openDir(t)
	ref := put(t, d, "content")
	if err := os.WriteFile(d.path(ref.SHA256), []byte("c0ntent"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Verify(t.Context(), ref); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}

func TestCommitReplacesTornFile(t *testing.T) {
	d := openDir(t)
	ref := put(t, d, "content")
	if err := os.Truncate(d.path(ref.SHA256), 3); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(ref); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
	put(t, d, "content")
	if err := d.Verify(t.Context(), ref); err != nil {
		t.Error(err)
	}
}

func TestDelete(t *testing.T) {
	d := openDir(t)
	ref := put(t, d, "content")
	f, err := d.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		if err := d.Delete(ref); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Open(ref); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
	if _, err := f.ReadAt(make([]byte, 7), 0); err != nil {
		t.Errorf("an open blob became unreadable: %v", err)
	}
	wantTree(t, d, 0, 0)
}

func TestSweep(t *testing.T) {
	d := openDir(t)
	kept, unkept, fresh := put(t, d, "kept"), put(t, d, "unkept"), put(t, d, "fresh")
	again := put(t, d, "committed again")
	old := time.Now().Add(-48 * time.Hour)
	age := func(name string) {
		t.Helper()
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	for _, ref := range []Ref{kept, unkept, again} {
		age(d.path(ref.SHA256))
	}
	put(t, d, "committed again")
	// A crash leaves a temporary file behind; another is being written now.
	crashed, err := d.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := crashed.file.Close(); err != nil {
		t.Fatal(err)
	}
	age(crashed.file.Name())
	current, err := d.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keep := func(sha string) bool { return sha == kept.SHA256 }
	swept, err := d.Sweep(t.Context(), keep, time.Now().Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Swept{Temporary: 1, Blobs: 1, Bytes: unkept.Size}); swept != want {
		t.Errorf("swept %+v, want %+v", swept, want)
	}
	for _, ref := range []Ref{kept, fresh, again} {
		if err := d.Verify(t.Context(), ref); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Open(unkept); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
	if _, err := current.Commit(); err != nil {
		t.Error(err)
	}
}

func TestManyWritersOneFile(t *testing.T) {
	d := openDir(t)
	refs := make([]Ref, 16)
	var group sync.WaitGroup
	for i := range refs {
		group.Go(func() {
			w, err := d.Create(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := fmt.Fprintf(w, "content %d", i%2); err != nil {
				t.Error(err)
			}
			if refs[i], err = w.Commit(); err != nil {
				t.Error(err)
				return
			}
			if err := d.Verify(t.Context(), refs[i]); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i, ref := range refs {
		if ref != refs[i%2] {
			t.Errorf("writer %d got %v, want %v", i, ref, refs[i%2])
		}
	}
	wantTree(t, d, 2, 0)
}

func TestOpenFilesAreBounded(t *testing.T) {
	d := openDir(t)
	d.files.limit = 2
	var refs []Ref
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
