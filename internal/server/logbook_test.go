package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

const (
	firstLog = "exchange.example/log"
	because  = "a test of what is written down"
)

// kept is an exchange whose folder outlives its server.
type kept struct {
	t     *testing.T
	o     server.Options
	clock *testkit.Clock
	s     *server.Server
}

func newKept(t *testing.T) *kept { return keptIn(t, "") }

// keptIn is one with its database at an address; empty: in its folder.
func keptIn(t *testing.T, database string) *kept {
	t.Helper()
	clock, c := testkit.NewClock(), config.Default()
	c.Database = database
	c.URL = "https://exchange.example"
	k := &kept{t: t, clock: clock, o: server.Options{Data: t.TempDir(), Config: c, Now: clock.Now}}
	if err := os.Chmod(k.o.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	k.start()
	t.Cleanup(k.stop)
	return k
}

func (k *kept) start() {
	k.t.Helper()
	var err error
	if k.s, err = server.Open(k.t.Context(), k.o); err != nil {
		k.t.Fatal(err)
	}
}

func (k *kept) stop() {
	k.t.Helper()
	if k.s == nil {
		return
	}
	if err := k.s.Close(); err != nil {
		k.t.Error(err)
	}
	k.s = nil
}

// act records n events, one after the other.
func (k *kept) act(n int) {
	k.t.Helper()
	for i := range n {
		err := k.s.DB.Update(k.t.Context(), func(tx *sqlstore.Tx) error {
			_, err := tx.Record(exchange.Event{Kind: exchange.EventOrgChanged, Actor: exchange.System(), Subject: []string{strconv.Itoa(i)}})
			return err
		})
		if err != nil {
			k.t.Fatal(err)
		}
	}
}

// get asks for a public file of the log.
func (k *kept) get(path string) string {
	k.t.Helper()
	w := httptest.NewRecorder()
	k.s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/log/"+path, nil))
	if w.Code != 200 {
		k.t.Fatalf("/log/%s: %d %s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

func (k *kept) keys(log string) []string { return strings.Fields(k.get(log + "key")) }

func (k *kept) statements(log string) (out [][]byte) {
	k.t.Helper()
	var all struct{ Statements []string }
	if err := json.Unmarshal([]byte(k.get(log+"statements")), &all); err != nil {
		k.t.Fatal(err)
	}
	for _, s := range all.Statements {
		out = append(out, []byte(s))
	}
	return out
}

func (k *kept) trace(log, origin string, keys ...string) verify.History {
	k.t.Helper()
	h, err := verify.Trace(origin, keys, k.statements(log))
	if err != nil {
		k.t.Fatal(err)
	}
	return h
}

func (k *kept) checkpoint(log string, keys ...string) verify.Signed {
	k.t.Helper()
	s, err := verify.OpenCheckpoint([]byte(k.get(log+"checkpoint")), keys, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	return s
}

// whole holds every event against the logs.
func (k *kept) whole() {
	k.t.Helper()
	c, err := sequencer.Check(k.t.Context(), k.s.DB.Beneath(), filepath.Join(k.o.Data, "ledger"), 0, func(f sequencer.Finding) {
		k.t.Errorf("event %d, log %d, entry %d: %s", f.Seq, f.Log, f.Index, f.What)
	})
	if err != nil || c.Events == 0 || c.Entered != c.Events {
		k.t.Errorf("%+v, %v", c, err)
	}
}

// kinds are those of the newest events, the newest first.
func (k *kept) kinds(n int) (out []string) {
	k.t.Helper()
	err := k.s.DB.View(k.t.Context(), func(tx *sqlstore.Tx) (err error) {
		out, err = sqlstore.Collect(tx, func(s sqlstore.Scanner) (v string, err error) { return v, s.Scan(&v) },
			`SELECT kind FROM event ORDER BY seq DESC LIMIT ?1 + 0`, n)
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}

// private counts the private keys that are left.
func (k *kept) private() (n int) {
	k.t.Helper()
	err := k.s.DB.View(k.t.Context(), func(tx *sqlstore.Tx) error {
		return tx.QueryRow(`SELECT COUNT(*) FROM ledger_key WHERE private <> ''`).Scan(&n)
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return n
}

func TestRotation(t *testing.T) {
	k := newKept(t)
	k.act(3)
	old := k.keys("")
	if len(old) != 1 {
		t.Fatalf("keys %q", old)
	}
	book, system := k.s.Exchange.Logbook, exchange.System()
	made, err := book.Rotate(t.Context(), system, 48*time.Hour, because)
	if err != nil {
		t.Fatal(err)
	}
	if made.Private != "" {
		t.Error("the private key was handed out")
	}
	if _, err := book.Rotate(t.Context(), system, 48*time.Hour, because); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("a second rotation: %v", err)
	}
	// Both sign, also what follows, and after another start.
	for range 2 {
		k.act(1)
		if s := k.checkpoint("", old[0], made.Public); len(s.Keys) != 2 {
			t.Errorf("signed by %q", s.Keys)
		}
		k.stop()
		k.start()
	}
	book = k.s.Exchange.Logbook
	k.clock.Advance(47 * time.Hour)
	if err := book.Tick(t.Context()); err != nil || k.private() != 2 {
		t.Errorf("before its end: %v, %d private keys", err, k.private())
	}
	k.clock.Advance(time.Hour)
	if err := book.Tick(t.Context()); err != nil || k.private() != 1 {
		t.Errorf("after its end: %v, %d private keys", err, k.private())
	}
	k.act(1)
	if s := k.checkpoint("", old[0], made.Public); len(s.Keys) != 1 || s.Keys[0] != made.Public {
		t.Errorf("signed by %q", s.Keys)
	}
	h := k.trace("", firstLog, old[0])
	if trusted, _, err := verify.Follow(firstLog, old, k.statements("")); err != nil || len(trusted) != 1 || trusted[0] != made.Public {
		t.Errorf("trusted %q, %v", trusted, err)
	}
	if got := h.KeysFor(3); len(got) != 1 || got[0] != old[0] {
		t.Errorf("keys of the beginning: %q", got)
	}
	if got := k.keys(""); len(got) != 1 || got[0] != made.Public {
		t.Errorf("keys now: %q", got)
	}
	if got := k.kinds(2)[1]; got != string(exchange.EventLedgerKeyRetired) {
		t.Errorf("the end of the key is not recorded: %s", got)
	}
	k.whole()
}

// TestRetireKey: every checkpoint that was ever signed is one of a key that counts at
// its size.
func TestRetireKey(t *testing.T) {
	k := newKept(t)
	k.act(2)
	old := k.keys("")
	made, err := k.s.Exchange.Logbook.RetireKey(t.Context(), exchange.System(), because)
	if err != nil || k.private() != 1 {
		t.Fatalf("%v, %d private keys", err, k.private())
	}
	k.act(2)
	h := k.trace("", firstLog, old[0])
	log := k.s.Ledger.Current()
	for size := int64(1); size <= log.Size(); size++ {
		signed, err := log.CheckpointFor(size)
		if err != nil {
			t.Fatal(err)
		}
		s, err := verify.OpenCheckpoint(signed, []string{old[0], made.Public}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify.OpenCheckpoint(signed, h.KeysFor(s.Size), nil); err != nil {
			t.Errorf("the checkpoint of %d: %v", s.Size, err)
		}
	}
	if s := k.checkpoint("", made.Public); len(s.Keys) != 1 {
		t.Errorf("signed by %q", s.Keys)
	}
	k.whole()
}

func TestOnlyAdministratorsActOnTheLog(t *testing.T) {
	k := newKept(t)
	before := k.get("checkpoint")
	for _, a := range []exchange.Actor{{}, {Person: "p", Org: "o", Roles: []exchange.Role{exchange.RoleOperator, exchange.RoleAuditor}, Channel: exchange.ChannelAPI}} {
		_, rotate := k.s.Exchange.Logbook.Rotate(t.Context(), a, 48*time.Hour, because)
		_, retire := k.s.Exchange.Logbook.RetireKey(t.Context(), a, because)
		_, end := k.s.Exchange.Logbook.Close(t.Context(), a, because)
		for _, err := range []error{rotate, retire, end} {
			if exchange.KindOf(err) != exchange.Denied {
				t.Errorf("%+v: %v", a, err)
			}
		}
	}
	for _, reason := range []string{"", "two\nlines", " padded", strings.Repeat("x", 1001), "bell\a"} {
		if _, err := k.s.Exchange.Logbook.Close(t.Context(), exchange.System(), reason); exchange.KindOf(err) != exchange.Invalid {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
	if k.get("checkpoint") != before || k.private() != 1 {
		t.Error("something was changed")
	}
}

// TestClose closes the log while others act: no entry is lost or doubled, the end is
// the closed log's last entry, and the beginning the first of the next.
func TestClose(t *testing.T) {
	k := newKept(t)
	old := k.keys("")
	ctx, stop := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for ctx.Err() == nil {
				k.act(1)
			}
		})
	}
	k.act(20)
	next, err := k.s.Exchange.Logbook.Close(t.Context(), exchange.System(), because)
	k.act(20)
	stop()
	busy.Wait()
	if err != nil {
		t.Fatal(err)
	}
	h := k.trace("", firstLog, old[0])
	if h.Closed == nil || h.Successor == nil || h.Successor.Origin != firstLog+"/2" || h.Reason != because {
		t.Fatalf("%+v", h)
	}
	end := k.checkpoint("", old[0])
	if end.Size != h.Closed.Size || end.Root != h.Closed.Root || next.Base != end.Size {
		t.Errorf("the log ends with %+v, and says %+v; the next begins after %d", end.Checkpoint, h.Closed, next.Base)
	}
	if again := k.get("1/checkpoint"); again != k.get("checkpoint") {
		t.Error("/log/1/ is another log")
	}
	now := k.checkpoint("2/", h.Successor.Key)
	if now.Origin != firstLog+"/2" || now.Size < 20 {
		t.Errorf("%+v", now.Checkpoint)
	}
	for seq, kind := range map[int64]exchange.EventKind{next.Base: exchange.EventLedgerClosed, next.Base + 1: exchange.EventLedgerOpened} {
		var got string
		err := k.s.DB.View(t.Context(), func(tx *sqlstore.Tx) error {
			return tx.QueryRow(`SELECT kind FROM event WHERE seq = ?1`, seq).Scan(&got)
		})
		if err != nil || got != string(kind) {
			t.Errorf("event %d is %s, %v; want %s", seq, got, err, kind)
		}
	}
	k.whole()
	if err := k.s.Exchange.Logbook.Tick(t.Context()); err != nil || k.private() != 1 {
		t.Errorf("%v, %d private keys", err, k.private())
	}
	k.stop()
	k.start()
	k.act(1)
	k.whole()
	if k.get("checkpoint") == "" || k.checkpoint("2/", h.Successor.Key).Size != now.Size+1 {
		t.Error("the next log does not go on")
	}
}

// copyFile copies the database at rest.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestStoreRolledBack puts an older copy of the store back.
func TestStoreRolledBack(t *testing.T) {
	k := newKept(t)
	db, aside := filepath.Join(k.o.Data, "forewarn.db"), filepath.Join(t.TempDir(), "copy.db")
	k.act(5)
	k.stop()
	copyFile(t, db, aside)
	k.start()
	k.act(7)
	old, end := k.keys(""), k.get("checkpoint")
	k.stop()
	copyFile(t, aside, db)

	_, err := server.Open(t.Context(), k.o)
	var rolled *sequencer.RolledBack
	if !errors.As(err, &rolled) || rolled.Logged-rolled.Stored != 7 {
		t.Fatalf("an older store: %v", err)
	}
	if _, err := server.AcceptRollback(t.Context(), k.o, nil, ""); exchange.KindOf(err) != exchange.Invalid {
		t.Errorf("without a reason: %v", err)
	}
	done, err := server.AcceptRollback(t.Context(), k.o, nil, because)
	if err != nil || done.WithoutEvent != 7 || done.Origin != firstLog+"/2" || done.Log != 2 {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := server.AcceptRollback(t.Context(), k.o, nil, because); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("a second time: %v", err)
	}
	k.start()
	if got := k.kinds(1)[0]; got != string(exchange.EventLedgerRolledBack) {
		t.Errorf("the newest event is %s", got)
	}
	k.act(3)
	if k.get("checkpoint") != end {
		t.Error("the ended log was changed")
	}
	h := k.trace("", firstLog, old[0])
	if h.Closed == nil || h.Successor == nil || h.Successor.Key != done.Key || h.Reason != because {
		t.Errorf("%+v", h)
	}
	if err := h.CheckClosed(k.checkpoint("", old[0]).Checkpoint); err != nil {
		t.Error(err)
	}
	if s := k.checkpoint("2/", done.Key); s.Size != 4 {
		t.Errorf("the new log has %d entries, want 4", s.Size)
	}
	if k.private() != 1 {
		t.Errorf("%d private keys", k.private())
	}
	k.whole()
}

// TestFolderRolledBack puts an older copy of the whole folder back: only others know
// of more.
func TestFolderRolledBack(t *testing.T) {
	k := newKept(t)
	k.act(5)
	k.stop()
	older := t.TempDir()
	if err := os.CopyFS(older, os.DirFS(k.o.Data)); err != nil {
		t.Fatal(err)
	}
	k.start()
	k.act(7)
	seen, old := []byte(k.get("checkpoint")), k.keys("")
	mine := []byte(k.get("checkpoint"))
	if _, err := server.AcceptRollback(t.Context(), k.o, mine, because); err == nil {
		t.Error("it works while the server runs")
	}
	k.stop()
	if _, err := server.AcceptRollback(t.Context(), k.o, mine, because); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("nothing was lost: %v", err)
	}

	k.o.Data = older
	if _, err := server.AcceptRollback(t.Context(), k.o, nil, because); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("without the checkpoint of others: %v", err)
	}
	if _, err := server.AcceptRollback(t.Context(), k.o, []byte("nothing\n"), because); exchange.KindOf(err) != exchange.Invalid {
		t.Errorf("with none: %v", err)
	}
	done, err := server.AcceptRollback(t.Context(), k.o, seen, because)
	if err != nil || done.WithoutEvent != 7 {
		t.Fatalf("%+v, %v", done, err)
	}
	k.start()
	k.act(2)
	h := k.trace("", firstLog, old[0])
	if h.Closed == nil || h.Successor.Key != done.Key {
		t.Errorf("%+v", h)
	}
	if s := k.checkpoint("2/", done.Key); s.Size != 3 {
		t.Errorf("the new log has %d entries", s.Size)
	}
	k.whole()
}

// TestRebuild loses the log's files in several ways.
func TestRebuild(t *testing.T) {
	k := newKept(t)
	k.act(300)
	before := k.get("checkpoint")
	k.stop()
	dir := filepath.Join(k.o.Data, "ledger", "1")
	journal := filepath.Join(dir, "journal", "00000001")
	flip := func(path string, at int64) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err == nil {
			b[at] ^= 1
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, harm := range map[string]func(){
		"a tile":      func() { flip(filepath.Join(dir, "tile", "0", "000"), 100) },
		"the journal": func() { flip(journal, 4000) },
		"all tiles":   func() { os.RemoveAll(filepath.Join(dir, "tile")) },
	} {
		harm()
		done, err := server.RebuildLedger(t.Context(), k.o, nil)
		if err != nil || done.Size < 300 || done.Against != done.Size || done.Kept == "" {
			t.Fatalf("%s: %+v, %v", name, done, err)
		}
		if err := os.RemoveAll(done.Kept); err != nil {
			t.Fatal(err)
		}
		k.start()
		if got := k.get("checkpoint"); strings.SplitN(got, "\n\n", 2)[0] != strings.SplitN(before, "\n\n", 2)[0] {
			t.Errorf("%s: the log became another: %s", name, got)
		}
		k.whole()
		k.stop()
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := server.RebuildLedger(t.Context(), k.o, nil); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("without any checkpoint: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a folder was made")
	}
	if done, err := server.RebuildLedger(t.Context(), k.o, []byte(before)); err != nil || done.From != "the file" {
		t.Errorf("%+v, %v", done, err)
	}
}
