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

// Sweep removes what was left behind: temporary files, and blobs and journals for
// which keep answers false, both only when last written before the given instant of
// the file system's clock. A blob is written before the transaction that names
// it, so choose an instant well in the past.
func (d *Dir) Sweep(ctx context.Context, keep func(sha string) bool, before time.Time) error {
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
			return sweepTemp(name, before)
		}
		sha := entry.Name()
		if filepath.Dir(name) == filepath.Join(d.root, journalFolder) {
			if keep(sha) {
				return nil
			}
			return sweepTemp(name, before)
		}
		if check(sha) != nil || d.path(sha) != name || keep(sha) {
			return nil
		}
		return d.sweepBlob(sha, before)
	})
	if err != nil {
		return fmt.Errorf("sweeping blobs: %w", err)
	}
	return nil
}

func sweepTemp(name string, before time.Time) error {
	if old, err := isOld(name, before); err != nil || !old {
		return err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sweepBlob looks at the date under the lock: a commit of the same content
// meanwhile has given the file a new one.
func (d *Dir) sweepBlob(sha string, before time.Time) error {
	d.place.Lock()
	defer d.place.Unlock()
	if old, err := isOld(d.path(sha), before); err != nil || !old {
		return err
	}
	return d.remove(sha)
}

// isOld is false of a file that is gone meanwhile.
func isOld(name string, before time.Time) (bool, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.ModTime().Before(before), err
}
