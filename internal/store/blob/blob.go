// Package blob keeps files by their content: the name of a blob is the SHA-256
// of its bytes, so equal content is one file. What Write has answered survives a
// power cut: the file is synced, renamed into place, and the folders are synced.
//
//	ROOT/tmp/…           blobs being written
//	ROOT/ab/cd/abcd…     blobs, named by 64 lower-case hexadecimal digits
//	ROOT/journals/…      files that grow; see Append
package blob

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/durable"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

const (
	bufferSize = 256 << 10
	openFiles  = 256
	tempFolder = "tmp"
)

// Dir is a folder of blobs. Its methods may be called by many goroutines; one
// process at a time may sweep.
type Dir struct {
	root  string
	files *files
	place sync.Mutex // held while a name appears or disappears
}

// OpenDir opens the folder, which is made when it is missing, for this user
// alone.
func OpenDir(root string) (*Dir, error) {
	for _, folder := range []string{tempFolder, journalFolder} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o700); err != nil {
			return nil, fmt.Errorf("making the blob folder: %w", err)
		}
	}
	if err := errors.Join(durable.SyncDir(root), durable.SyncDir(filepath.Dir(root))); err != nil {
		return nil, err
	}
	return &Dir{root: root, files: newFiles(openFiles)}, nil
}

// Close closes the files that are kept open. Blobs that are still open stay
// readable until they are closed.
func (d *Dir) Close() error { return d.files.close() }

// Write makes a durable blob of what r gives until its end, and answers its name
// and its size in bytes. More than limit bytes are exchange.Exhausted. Content
// that exists already stays one file. After an error nothing of it remains.
func (d *Dir) Write(ctx context.Context, r io.Reader, limit int64) (sha string, size int64, err error) {
	f, err := os.OpenFile(filepath.Join(d.root, tempFolder, rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", 0, fmt.Errorf("creating a blob: %w", err)
	}
	sha, size, err = fill(f, during{ctx, r}, limit)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = d.settle(f.Name(), sha, size)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what stays is swept
		return "", 0, fmt.Errorf("writing a blob: %w", err)
	}
	return sha, size, nil
}

// fill writes and syncs the file.
func fill(f *os.File, r io.Reader, limit int64) (sha string, size int64, err error) {
	buf, h := bufio.NewWriterSize(f, bufferSize), sha256.New()
	if size, err = io.Copy(io.MultiWriter(buf, h), io.LimitReader(r, limit+1)); err != nil {
		return "", 0, err
	}
	if size > limit {
		return "", 0, exchange.Fail(exchange.Exhausted, "the submission is larger than %d bytes; nothing was stored", limit)
	}
	if err = buf.Flush(); err == nil {
		err = f.Sync()
	}
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// during reads until ctx ends.
type during struct {
	ctx context.Context
	io.Reader
}

func (r during) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// settle gives a synced file its name.
func (d *Dir) settle(temp, sha string, size int64) error {
	d.place.Lock()
	defer d.place.Unlock()
	final := d.path(sha)
	folder := filepath.Dir(final)
	if info, err := os.Stat(final); err == nil && info.Size() == size {
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
		d.files.forget(sha) // a torn file of that name may be open
	}
	return durable.SyncDir(folder)
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
		if err := durable.SyncDir(filepath.Dir(dir)); err != nil {
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

// Open opens a blob or a journal to read from. It answers fs.ErrNotExist when there is none.
func (d *Dir) Open(sha string) (*File, error) {
	if f := d.files.reopen(sha); f != nil {
		return f, nil
	}
	path, err := d.journal(sha)
	if err != nil {
		if err = check(sha); err != nil {
			return nil, err
		}
		path = d.path(sha)
	}
	f, err := d.files.open(sha, path)
	if err != nil {
		return nil, fmt.Errorf("opening a blob: %w", err)
	}
	return f, nil
}

// remove takes a blob away. Readers that have it open finish undisturbed.
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
	return durable.SyncDir(filepath.Dir(name))
}
