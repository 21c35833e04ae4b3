package doctor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

const putBack = "stop the server and put a copy back: docs/guide/keep-the-ledger.md"

// database opens the store to be looked at.
func (x *exam) database() {
	const name = "database"
	url, err := x.Config.DatabaseURL(x.Data)
	if err != nil {
		x.say(Fail, name, err.Error(), "put the file back, or change database_file")
		return
	}
	db, err := store.Inspect(x.ctx, url, store.Options{})
	if err != nil {
		x.say(Fail, name, "it cannot be opened: "+err.Error(), putBack)
		return
	}
	switch {
	case db.Schema > db.Known:
		x.say(Fail, name, fmt.Sprintf("its schema is %d; this program knows up to %d", db.Schema, db.Known), "use the newer program")
		_ = db.Close() // nothing was written
		return
	case db.Schema < db.Known:
		x.say(Warn, name, fmt.Sprintf("its schema is %d; this program brings it to %d", db.Schema, db.Known), "copy the folder, then start the server")
		_ = db.Close()
		return
	}
	x.db = db
	x.integrity(url)
}

// integrity has the engine check its own file.
func (x *exam) integrity(url string) {
	const name = "database"
	if x.db.Engine() != "sqlite" {
		x.say(OK, name, fmt.Sprintf("%s, schema %d as this program's", x.db.Engine(), x.db.Schema), "")
		return
	}
	path := strings.TrimPrefix(strings.TrimPrefix(url, "sqlite:"), "//")
	info, err := os.Stat(path)
	if err != nil {
		x.say(Fail, name, err.Error(), putBack)
		return
	}
	size := fmt.Sprintf("%.1f MB, schema %d as this program's", float64(info.Size())/1e6, x.db.Schema)
	check := `PRAGMA quick_check(20)`
	switch {
	case x.Full:
		check = `PRAGMA integrity_check(20)`
	case info.Size() > quickStore:
		x.say(OK, name, size+"; its pages were not checked", "forewarn doctor --full checks them")
		return
	}
	var wrong []string
	err = x.db.View(x.ctx, func(tx *sqlstore.Tx) error {
		wrong, err = sqlstore.Collect(tx, func(s sqlstore.Scanner) (text string, err error) { return text, s.Scan(&text) }, check)
		return err
	})
	switch {
	case err != nil:
		x.say(Fail, name, "it cannot be read: "+err.Error(), putBack)
	case len(wrong) != 1 || wrong[0] != "ok":
		x.say(Fail, name, "SQLite finds it damaged: "+cut(strings.Join(wrong, "; ")), putBack)
	default:
		x.say(OK, name, size+", whole", "")
	}
}

// cut keeps a finding on a few lines, without what a terminal would act on.
func cut(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return s
}

// kept is a blob that the store names.
type kept struct {
	artifact, sha string
	size          int64
}

// blobs compares the newest blobs, or all, with their names: a blob's name is the
// SHA-256 of its bytes.
func (x *exam) blobs() {
	const name = "blobs"
	limit := int64(tailBlobs)
	if x.Full {
		limit = 1 << 62
	}
	looked, bytes, bad := 0, int64(0), 0
	below := int64(1) << 62
	for limit > 0 && (x.Full || bytes < blobBytes) {
		page, last, err := x.namedBlobs(below, min(limit, 1000))
		if err != nil {
			x.say(Fail, name, "reading which blobs there are: "+err.Error(), "")
			return
		}
		if len(page) == 0 {
			break
		}
		limit, below = limit-int64(len(page)), last
		for _, k := range page {
			if err := x.blob(k); err != nil {
				if bad++; bad <= mostToName {
					x.say(Fail, name, fmt.Sprintf("the content of %s: %v", k.artifact, err), "put the file back from a copy; until then it cannot be delivered")
				}
			}
			looked, bytes = looked+1, bytes+k.size
		}
	}
	switch {
	case bad > mostToName:
		x.say(Fail, name, fmt.Sprintf("and %d more", bad-mostToName), "")
	case bad == 0:
		x.say(OK, name, fmt.Sprintf("%d looked at, %.1f MB, each as its name says", looked, float64(bytes)/1e6), "")
	}
}

// namedBlobs are those of artifacts below a number, the newest first, and the
// number of the last.
func (x *exam) namedBlobs(below, limit int64) (out []kept, last int64, err error) {
	err = x.db.View(x.ctx, func(tx *sqlstore.Tx) error {
		out, err = sqlstore.Collect(tx, func(s sqlstore.Scanner) (k kept, err error) {
			return k, s.Scan(&last, &k.artifact, &k.sha, &k.size)
		}, `
			SELECT number, id, sha256, size FROM artifact
			WHERE number < ?1 AND ready = 1 AND removed_at = 0 ORDER BY number DESC LIMIT ?2 + 0`, below, limit)
		return err
	})
	return out, last, err
}

func (x *exam) blob(k kept) error {
	if len(k.sha) != 2*sha256.Size {
		return nil // of a journal: what members write has no name of its own
	}
	f, err := os.Open(filepath.Join(x.Data, "blobs", k.sha[:2], k.sha[2:4], k.sha))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blobs/%s/%s/%s is missing", k.sha[:2], k.sha[2:4], k.sha)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != k.sha {
		return fmt.Errorf("blobs/%s/%s/%s was changed: its SHA-256 is not its name", k.sha[:2], k.sha[2:4], k.sha)
	}
	return x.ctx.Err()
}
