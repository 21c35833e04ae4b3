package blob

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/durable"
)

const (
	journalFolder = "journals"
	journalPrefix = "journal-"
)

// journal is the path of a journal, whose name is journalPrefix and an id of
// lower-case letters, digits and "_". It is never the name of a blob.
func (d *Dir) journal(name string) (string, error) {
	id, ok := strings.CutPrefix(name, journalPrefix)
	if !ok || id == "" || len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "", fmt.Errorf("journal name: %w", fs.ErrInvalid)
	}
	return filepath.Join(d.root, journalFolder, name), nil
}

// Append writes p to the journal so that it begins at the offset, which is the
// end of what the caller knows to be in it: what a crash has left behind that
// end is overwritten, and never read. The bytes are durable when Append
// returns. A journal begins with its first bytes, at offset 0. Callers of one
// journal take turns.
func (d *Dir) Append(name string, offset int64, p []byte) error {
	path, err := d.journal(name)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0o600)
	fresh := offset == 0 && errors.Is(err, fs.ErrNotExist)
	if fresh {
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return fmt.Errorf("opening a journal: %w", err)
	}
	if info, failed := f.Stat(); failed != nil {
		err = failed
	} else if info.Size() < offset {
		err = fmt.Errorf("it has %d bytes of %d", info.Size(), offset)
	}
	if err == nil {
		_, err = f.WriteAt(p, offset)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil && fresh {
		err = durable.SyncDir(filepath.Dir(path))
	}
	d.files.forget(name) // who opens it from now on finds the new end
	if err != nil {
		return fmt.Errorf("appending to a journal: %w", err)
	}
	return nil
}
