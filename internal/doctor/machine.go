package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// configuration is what the file says; that it can be read has been seen.
func (x *exam) configuration() {
	const name = "config"
	switch info, err := os.Stat(x.ConfigFile); {
	case errors.Is(err, fs.ErrNotExist):
		x.say(Warn, name, x.ConfigFile+" is missing: every setting is the default", "write the file, as forewarn init does")
		return
	case err != nil:
		x.say(Fail, name, err.Error(), "let the user who runs the server read the file")
		return
	case info.Mode().Perm()&0o022 != 0:
		x.say(Fail, name, fmt.Sprintf("%s has the mode %v: others may change it", x.ConfigFile, info.Mode().Perm()), "chmod go-w "+x.ConfigFile)
		return
	}
	for _, f := range []string{x.Config.DatabaseFile, x.Config.Mail.PasswordFile} {
		if f == "" {
			continue
		}
		info, err := os.Stat(f)
		switch {
		case err != nil:
			x.say(Fail, name, err.Error(), "put the file back, or change the setting")
			return
		case info.Mode().Perm()&0o077 != 0:
			x.say(Warn, name, fmt.Sprintf("%s holds a secret and has the mode %v", f, info.Mode().Perm()), "chmod go= "+f)
			return
		}
	}
	if x.Config.URL == "" {
		x.say(Warn, name, x.ConfigFile+" names no url: links, and the origin of the ledger, do not carry the public address", "set url before the exchange is used")
		return
	}
	x.say(OK, name, x.ConfigFile, "")
}

// folder looks at who may read the data folder, and whether a server runs on it.
func (x *exam) folder() {
	const name = "folder"
	open := 0
	for _, n := range []string{".", config.FileName, "forewarn.db", "forewarn.db-wal", "blobs", "ledger"} {
		path := filepath.Join(x.Data, n)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			x.say(Fail, name, err.Error(), "run this as the user who runs the server")
			return
		}
		if info.Mode().Perm()&0o077 != 0 && n != "ledger" || info.Mode().Perm()&0o022 != 0 { // the ledger's files are public
			open++
			x.say(Fail, name, fmt.Sprintf("%s has the mode %v: other users of this machine may reach it", path, info.Mode().Perm()), "chmod go= "+path)
		}
		if s, ok := info.Sys().(*syscall.Stat_t); ok && os.Geteuid() != 0 && int(s.Uid) != os.Geteuid() {
			x.say(Warn, name, fmt.Sprintf("%s belongs to another user (uid %d)", path, s.Uid), "run this as the user who runs the server")
			return
		}
	}
	if open > 0 {
		return
	}
	state := "no server runs on it"
	if x.locked() {
		state = "a server runs on it"
	}
	x.say(OK, name, x.Data+", for its user alone; "+state, "")
}

// locked reports whether another process holds the folder.
func (x *exam) locked() bool {
	f, err := os.Open(filepath.Join(x.Data, "lock"))
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}

// clock compares the machine's clock with what was recorded last.
func (x *exam) clock() {
	const name = "clock"
	var seq, at int64
	err := x.db.View(x.ctx, func(tx *sqlstore.Tx) error {
		return tx.QueryRow(`
			SELECT seq, at FROM (SELECT seq, at FROM event ORDER BY seq DESC LIMIT 1000) AS newest
			UNION ALL SELECT 0, 0 ORDER BY at DESC, seq DESC LIMIT 1`).Scan(&seq, &at)
	})
	if err != nil {
		x.say(Fail, name, "reading the newest events: "+err.Error(), "")
		return
	}
	newest := time.UnixMicro(at).UTC()
	switch {
	case seq == 0:
		x.say(OK, name, "nothing was recorded yet", "")
	case newest.After(x.Now.Add(ahead)):
		x.say(Fail, name, fmt.Sprintf("event %d was recorded at %s, and it is %s now: the clock is wrong, or was",
			seq, newest.Format(time.RFC3339), x.Now.UTC().Format(time.RFC3339)), "set the machine's clock by the network's time")
	default:
		x.say(OK, name, fmt.Sprintf("the newest event is of %s; none is of the future", newest.Format(time.RFC3339)), "")
	}
}
