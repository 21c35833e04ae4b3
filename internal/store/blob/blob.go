// Package blob keeps files by their content: the name of a blob is the SHA-256
// of its bytes, so equal content is one file and a changed byte is seen. What
// Commit has acknowledged survives a power cut: the file is synced, renamed
// into place, and the folders are synced.
//
//	ROOT/tmp/…           blobs being written
//	ROOT/ab/cd/abcd…     blobs, named by 64 hexadecimal digits
package blob

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	bufferSize = 256 << 10
	openFiles  = 256
	tempFolder = "tmp"
)

// Ref names a blob.
type Ref struct {
	SHA256 string // 64 lower-case hexadecimal digits
	Size   int64  // bytes
}

// Dir is a folder of blobs. Its methods may be called by many goroutines; one
// process at a time may sweep or delete.
type Dir struct {
	root  string
	files *files
	place sync.Mutex // held while a name appears or disappears
}

// OpenDir opens the folder, which is made when it is missing, for this user
// alone.
func OpenDir(root string) (*Dir, error) {
	if err := os.MkdirAll(filepath.Join(root, tempFolder), 0o700); err != nil {
		return nil, fmt.Errorf("making the blob folder: %w", err)
	}
	if err := errors.Join(syncDir(root), syncDir(filepath.Dir(root))); err != nil {
		return nil, err
	}
	return &Dir{root: root, files: newFiles(openFiles)}, nil
}

// Close closes the files that are kept open. Blobs that are still open stay
// readable until they are closed.
func (d *Dir) Close() error { return d.files.close() }

// Writer takes the bytes of one blob. It ends with Commit or Abort.
type Writer struct {
	ctx  context.Context
	dir  *Dir
	file *os.File
	buf  *bufio.Writer
	hash hash.Hash
	size int64
	err  error
}

// Create begins a blob. Writing ends with an error when ctx does.
func (d *Dir) Create(ctx context.Context) (*Writer, error) {
	name := filepath.Join(d.root, tempFolder, rand.Text())
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("creating a blob: %w", err)
	}
	return &Writer{ctx: ctx, dir: d, file: f, buf: bufio.NewWriterSize(f, bufferSize), hash: sha256.New()}, nil
}

// Write adds bytes.
func (w *Writer) Write(p []byte) (int, error) {
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.buf.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	w.err = err
	return n, err
}

// Commit makes the blob durable and answers its name. Content that exists
// already stays one file. After an error nothing of the blob remains.
func (w *Writer) Commit() (Ref, error) {
	if w.file == nil {
		return Ref{}, fs.ErrClosed
	}
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err == nil {
		w.err = w.buf.Flush()
	}
	if w.err == nil {
		w.err = w.file.Sync()
	}
	if w.err != nil {
		w.Abort()
		return Ref{}, fmt.Errorf("writing a blob: %w", w.err)
	}
	ref := Ref{SHA256: hex.EncodeToString(w.hash.Sum(nil)), Size: w.size}
	name := w.file.Name()
	err := w.file.Close()
	w.file = nil
	if err == nil {
		err = w.dir.settle(name, ref)
	}
	w.err = fs.ErrClosed
	if err != nil {
		_ = os.Remove(name)
		return Ref{}, fmt.Errorf("keeping a blob: %w", err)
	}
	return ref, nil
}

// Abort removes what was written. After Commit it does nothing.
func (w *Writer) Abort() {
	if w.file == nil {
		return
	}
	_ = w.file.Close()
	_ = os.Remove(w.file.Name()) // what stays is swept
	w.file = nil
	if w.err == nil {
		w.err = fs.ErrClosed
	}
}

// settle gives a synced file its name.
func (d *Dir) settle(temp string, ref Ref) error {
	d.place.Lock()
	defer d.place.Unlock()
	final := d.path(ref.SHA256)
	folder := filepath.Dir(final)
	if info, err := os.Stat(final); err == nil && info.Size() == ref.Size {
		// A new date keeps a sweep from taking it for old.
		now := time.Now()
		if err := os.Chtimes(final, now, now); err != nil {
			return err
		}
		if err := os.Remove(temp); err != nil {
			return err
		}
	} else {
		if err := d.makeFolder(folder); err != nil {
			return err
		}
		if err := os.Rename(temp, final); err != nil {
			return err
		}
		d.files.forget(ref.SHA256) // a torn file of that name may be open
	}
	return syncDir(folder)
}

// makeFolder makes ROOT/ab/cd and syncs the folders that hold new names.
func (d *Dir) makeFolder(folder string) error {
	for _, dir := range []string{filepath.Dir(folder), folder} {
		err := os.Mkdir(dir, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dir) path(sha string) string { return filepath.Join(d.root, sha[:2], sha[2:4], sha) }

// check keeps anything but a hash from becoming a path.
func check(sha string) error {
	if len(sha) == 2*sha256.Size {
		for _, c := range []byte(sha) {
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return fmt.Errorf("blob name: %w", fs.ErrInvalid)
			}
		}
		return nil
	}
	return fmt.Errorf("blob name: %w", fs.ErrInvalid)
}

// ErrCorrupt is the answer to a blob whose bytes are not those of its name.
var ErrCorrupt = errors.New("the blob's content has changed")

// Open opens a blob to read from. It answers fs.ErrNotExist when there is none
// and ErrCorrupt when its size differs from the one given (a negative size is
// not compared); the hash is looked at by Verify.
func (d *Dir) Open(ref Ref) (*File, error) {
	if err := check(ref.SHA256); err != nil {
		return nil, err
	}
	f, err := d.files.open(ref.SHA256, d.path(ref.SHA256))
	if err != nil {
		return nil, fmt.Errorf("opening a blob: %w", err)
	}
	if ref.Size >= 0 && f.Size() != ref.Size {
		return nil, errors.Join(fmt.Errorf("opening a blob of %d bytes: found %d: %w", ref.Size, f.Size(), ErrCorrupt), f.Close())
	}
	return f, nil
}

// Verify reads the whole blob and compares its hash with its name.
func (d *Dir) Verify(ctx context.Context, ref Ref) error {
	f, err := d.Open(ref)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	buf := make([]byte, bufferSize)
	r := io.NewSectionReader(f, 0, f.Size())
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("verifying a blob: %w", err)
		}
	}
	if hex.EncodeToString(h.Sum(nil)) != ref.SHA256 {
		return fmt.Errorf("verifying a blob: %w", ErrCorrupt)
	}
	return nil
}

// Delete removes a blob. One that does not exist is no error. Readers that
// have it open finish undisturbed.
func (d *Dir) Delete(ref Ref) error {
	if err := check(ref.SHA256); err != nil {
		return err
	}
	d.place.Lock()
	defer d.place.Unlock()
	return d.remove(ref.SHA256)
}

func (d *Dir) remove(sha string) error {
	name := d.path(sha)
	err := os.Remove(name)
	d.files.forget(sha)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("deleting a blob: %w", err)
	}
	return syncDir(filepath.Dir(name))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing a folder: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("syncing a folder: %w", err)
	}
	return nil
}
