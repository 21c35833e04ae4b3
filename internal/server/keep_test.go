package server_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/forewarn-exchange/forewarn/internal/doctor"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/verify"
)

// direct opens the database beside the exchange.
func direct(t *testing.T, data string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "forewarn.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func (k *kept) examine(full bool) []doctor.Finding {
	k.t.Helper()
	return doctor.Examine(k.t.Context(), doctor.Options{
		Data: k.o.Data, Config: k.o.Config, ConfigFile: filepath.Join(k.o.Data, "forewarn.toml"), Now: k.clock.Now(), Full: full,
	})
}

// failing are the findings that do not hold.
func failing(all []doctor.Finding) (out []string) {
	for _, f := range all {
		if f.State == doctor.Fail {
			out = append(out, f.Name+": "+f.Text)
		}
	}
	return out
}

// TestCopyWhileItRuns copies ledger, database and blobs in the order of the guide
// while others act. The copy starts, is whole, and its log goes on from every
// checkpoint that the copied folder had.
func TestCopyWhileItRuns(t *testing.T) {
	k := newKept(t)
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for ctx.Err() == nil {
				k.act(1)
			}
		})
	}
	k.act(300)
	if bad := failing(k.examine(true)); len(bad) > 0 {
		t.Errorf("the doctor, while it runs: %q", bad)
	}
	to := t.TempDir()
	err := os.CopyFS(filepath.Join(to, "ledger"), os.DirFS(filepath.Join(k.o.Data, "ledger")))
	if err == nil {
		k.act(20)
		_, err = direct(t, k.o.Data).Exec(`VACUUM INTO ?`, filepath.Join(to, "forewarn.db"))
	}
	if err == nil {
		err = os.CopyFS(filepath.Join(to, "blobs"), os.DirFS(filepath.Join(k.o.Data, "blobs")))
	}
	k.act(20)
	stop()
	busy.Wait()
	if err != nil {
		t.Fatal(err)
	}
	keys, end := k.keys(""), k.get("checkpoint")
	k.stop()

	k.o.Data = to
	k.start()
	k.whole()
	now, whole := k.checkpoint("", keys...), k.s.Ledger.Current()
	last, err := verify.OpenCheckpoint([]byte(end), keys, nil)
	if err != nil || last.Size <= now.Size {
		t.Fatalf("the copy has %d entries, the exchange %d: %v", now.Size, last.Size, err)
	}
	if root, err := whole.Root(now.Size); err != nil || root != now.Root {
		t.Error(err)
	}
	k.stop()

	// Others know of more than the copy.
	done, err := server.AcceptRollback(t.Context(), k.o, []byte(end), because)
	if err != nil || done.WithoutEvent != last.Size-now.Size {
		t.Fatalf("%+v, %v", done, err)
	}
	k.start()
	k.act(1)
	k.whole()
	h := k.trace("", firstLog, keys...)
	if err := h.CheckClosed(last.Checkpoint); err == nil {
		t.Error("what was lost is not told from what was kept")
	}
}

// TestDoctorNamesWhatWasChanged changes one thing at a time.
func TestDoctorNamesWhatWasChanged(t *testing.T) {
	k := newKept(t)
	k.act(300)
	k.stop()
	if bad := failing(k.examine(true)); len(bad) > 0 {
		t.Fatalf("before anything was changed: %q", bad)
	}
	dir := filepath.Join(k.o.Data, "ledger", "1")
	file := func(path string, at int) func(t *testing.T) {
		return func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(dir, path))
			if err != nil {
				t.Fatal(err)
			}
			broken := append([]byte(nil), b...)
			broken[at] ^= 1
			put := func(b []byte) {
				if err := os.WriteFile(filepath.Join(dir, path), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			put(broken)
			t.Cleanup(func() { put(b) })
		}
	}
	row := func(there, back string) func(t *testing.T) {
		return func(t *testing.T) {
			db := direct(t, k.o.Data)
			for _, s := range []string{there, back} {
				if s == back {
					t.Cleanup(func() {
						if _, err := db.Exec(s); err != nil {
							t.Error(err)
						}
					})
				} else if _, err := db.Exec(s); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		change func(t *testing.T)
		says   string
	}{
		"a tile":          {file("tile/0/000", 32*41+7), "ledger: entry 41: tile/0/000"},
		"a bundle":        {file("tile/entries/000", 35*50+9), "ledger: entry 50: tile/entries/000"},
		"the journal":     {file("journal/00000001", 20000), "ledger: entry "},
		"the first file":  {file("log", 3), "ledger: "},
		"an event":        {row(`UPDATE event SET body = replace(body, '"subject":["7"]', '"subject":["9"]') WHERE seq = 8`, `UPDATE event SET body = replace(body, '"subject":["9"]', '"subject":["7"]') WHERE seq = 8`), "events: event 8"},
		"a column":        {row(`UPDATE event SET org = 'x' WHERE seq = 20`, `UPDATE event SET org = '' WHERE seq = 20`), "events: event 20"},
		"a missing event": {row(`UPDATE event SET seq = -30 WHERE seq = 30`, `UPDATE event SET seq = 30 WHERE seq = -30`), "events: event 30"},
		"a key":           {row(`UPDATE ledger_key SET since = 0, private = private || 'x', until = 5`, `UPDATE ledger_key SET private = substr(private, 1, length(private) - 1), until = -1`), "keys: "},
		"the clock":       {row(`UPDATE event SET at = at + 86400000000 WHERE seq = 200`, `UPDATE event SET at = at - 86400000000 WHERE seq = 200`), "clock: event 200"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Run("changed", func(t *testing.T) {
				c.change(t)
				bad := failing(k.examine(true))
				if !strings.Contains(strings.Join(bad, "\n"), c.says) {
					t.Errorf("the doctor says %q, want %q", bad, c.says)
				}
			})
			if bad := failing(k.examine(true)); len(bad) > 0 {
				t.Errorf("afterwards: %q", bad)
			}
		})
	}
}

// TestRebuildRefusesAChangedStore: the log is never made to fit a store that was
// changed.
func TestRebuildRefusesAChangedStore(t *testing.T) {
	k := newKept(t)
	k.act(20)
	newest := k.get("checkpoint")
	k.stop()
	db := direct(t, k.o.Data)
	if _, err := db.Exec(`UPDATE event SET entry = (SELECT entry FROM event WHERE seq = 4) WHERE seq = 3`); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(k.o.Data, "ledger", "1", "tile")); err != nil {
		t.Fatal(err)
	}
	if _, err := server.RebuildLedger(t.Context(), k.o, []byte(newest)); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("a store that was changed: %v", err)
	}
	if _, err := os.Stat(filepath.Join(k.o.Data, "ledger", "1", "journal")); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(k.o.Data, "ledger", "1.*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
