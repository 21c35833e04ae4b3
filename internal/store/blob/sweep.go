package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Swept says what a sweep removed.
type Swept struct {
	Temporary int   // files of writers that never ended
	Blobs     int   // blobs that nobody keeps
	Bytes     int64 // of both
}

// Sweep removes what was left behind: temporary files, and blobs for which
// keep answers false, both only when last written before the given instant of
// the file system's clock. A blob is written before the transaction that names
// it, so choose an instant well in the past. Nil keeps all blobs.
func (d *Dir) Sweep(ctx context.Context, keep func(sha string) bool, before time.Time) (Swept, error) {
	var swept Swept
	err := filepath.WalkDir(d.root, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		if filepath.Dir(name) == filepath.Join(d.root, tempFolder) {
			return d.sweepTemp(name, before, &swept)
		}
		sha := entry.Name()
		if keep == nil || check(sha) != nil || d.path(sha) != name || keep(sha) {
			return nil
		}
		return d.sweepBlob(sha, before, &swept)
	})
	if err != nil {
		return swept, fmt.Errorf("sweeping blobs: %w", err)
	}
	return swept, nil
}

func (d *Dir) sweepTemp(name string, before time.Time, swept *Swept) error {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its writer has ended
	}
	if err != nil {
		return err
	}
	if !info.ModTime().Before(before) {
		return nil
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	swept.Temporary++
	swept.Bytes += info.Size()
	return nil
}

// sweepBlob looks at the date under the lock: a commit of the same content
// meanwhile has given the file a new one.
func (d *Dir) sweepBlob(sha string, before time.Time, swept *Swept) error {
	d.place.Lock()
	defer d.place.Unlock()
	info, err := os.Stat(d.path(sha))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.ModTime().Before(before) {
		return nil
	}
	if err := d.remove(sha); err != nil {
		return err
	}
	swept.Blobs++
	swept.Bytes += info.Size()
	return nil
}
