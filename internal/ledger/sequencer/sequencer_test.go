package sequencer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// node is one process: a connection to the store, and a folder of its own.
type node struct {
	t      testing.TB
	db     *sqlstore.DB
	folder string
	shared bool
	q      *sequencer.Sequencer
}

func newNode(t testing.TB, e storetest.Engine, url string) *node {
	t.Helper()
	n := &node{t: t, db: e.OpenAt(t, url), folder: filepath.Join(t.TempDir(), "ledger"), shared: e.Name == "postgres"}
	t.Cleanup(func() { n.stop() })
	return n
}

func (n *node) options() sequencer.Options {
	return sequencer.Options{
		Store: n.db.Beneath(), Folder: n.folder, Origin: "ledger.example/log", Shared: n.shared, Now: testkit.NewClock().Now,
	}
}

func (n *node) start() {
	n.t.Helper()
	q, err := sequencer.Open(n.t.Context(), n.options())
	if err != nil {
		n.t.Fatal(err)
	}
	n.q = q
	n.db.Attach(q)
}

func (n *node) stop() {
	n.t.Helper()
	if n.q == nil {
		return
	}
	n.db.Attach(nil)
	if err := n.q.Close(); err != nil {
		n.t.Error(err)
	}
	n.q = nil
}

// refused starts it and wants the error.
func (n *node) refused() error {
	n.t.Helper()
	q, err := sequencer.Open(n.t.Context(), n.options())
	if err == nil {
		n.t.Fatal("a sequencer was opened", q.Close())
	}
	return err
}

// act records events in one transaction and answers the last one's number.
func (n *node) act(count int) (seq int64, err error) {
	err = n.db.Update(n.t.Context(), func(tx *sqlstore.Tx) error {
		for range count {
			if seq, err = tx.Record(exchange.Event{Kind: exchange.EventFeedback, Program: testkit.Program, Subject: []string{"a", "b"}}); err != nil {
				return err
			}
		}
		return nil
	})
	return seq, err
}

func (n *node) acts(count int) {
	n.t.Helper()
	if _, err := n.act(count); err != nil {
		n.t.Fatal(err)
	}
}

// beneath changes the store as the ledger's own transactions do.
func (n *node) exec(stmt string, args ...any) {
	n.t.Helper()
	err := n.db.Update(n.t.Context(), func(tx *sqlstore.Tx) error {
		_, err := tx.Exec(stmt, args...)
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) entries() (out [][]byte) {
	n.t.Helper()
	err := n.db.View(n.t.Context(), func(tx *sqlstore.Tx) error {
		rows, err := tx.EventEntries(0, 1<<20)
		for i, r := range rows {
			if r.Seq != int64(i+1) {
				n.t.Errorf("event %d stands where %d belongs", r.Seq, i+1)
			}
			out = append(out, r.Entry)
		}
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

func rootOf(t testing.TB, entries [][]byte) tlog.Hash {
	t.Helper()
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, i := range at {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	for i, e := range entries {
		more, err := tlog.StoredHashes(int64(i), e, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(int64(len(entries)), reader)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// whole wants each event once in the current log, in order, under its checkpoint.
func (n *node) whole() {
	n.t.Helper()
	if err := n.q.Settle(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	log := n.q.Current()
	all := n.entries()
	base := n.q.Logs()[len(n.q.Logs())-1].Base
	own := all[base:]
	if log.Size() != int64(len(own)) {
		n.t.Fatalf("the log has %d entries, the store %d events", log.Size(), len(own))
	}
	for i, e := range own {
		if got, err := log.Entry(int64(i)); err != nil || !bytes.Equal(got, e) {
			n.t.Fatalf("entry %d is %x, %v; want %x", i, got, err, e)
		}
	}
	signed, err := verify.OpenCheckpoint(log.Checkpoint(), n.keys(), nil)
	if err != nil || signed.Size != int64(len(own)) || signed.Root != rootOf(n.t, own) {
		n.t.Fatalf("the checkpoint is of size %d, %v", signed.Size, err)
	}
	checked, err := sequencer.Check(n.t.Context(), n.db.Beneath(), n.folder, 0, func(f sequencer.Finding) { n.t.Errorf("%+v", f) })
	if err != nil || checked.Entered != int64(len(all)) || checked.Waiting != 0 {
		n.t.Fatalf("checked: %+v, %v", checked, err)
	}
}

func (n *node) keys() (out []string) {
	n.t.Helper()
	err := n.db.View(n.t.Context(), func(tx *sqlstore.Tx) error {
		logs, err := tx.Logs()
		if err != nil {
			return err
		}
		for _, l := range logs {
			keys, err := tx.LogKeys(l.Number)
			if err != nil {
				return err
			}
			for _, k := range keys {
				out = append(out, k.Public)
			}
		}
		return nil
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// An act returns when its entry stands under a signed checkpoint, and not before;
// each is there once.
func TestActsWaitForTheirEntries(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		n := newNode(t, e, e.URL(t))
		n.start()
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				for range 10 {
					seq, err := n.act(1 + i%3)
					if err != nil {
						t.Error(err)
						return
					}
					if size := n.q.Current().Size(); size < seq {
						t.Errorf("event %d was acknowledged, the log has %d entries", seq, size)
					}
				}
			})
		}
		all.Wait()
		n.whole()
		log, number, index, err := n.q.Find(7)
		if err != nil || log != n.q.Current() || number != 1 || index != 6 {
			t.Errorf("found in log %d at %d, %v", number, index, err)
		}
		if _, _, _, err := n.q.Find(0); exchange.KindOf(err) != exchange.NotFound {
			t.Errorf("event 0: %v", err)
		}
		// What fails leaves neither event nor entry.
		size := n.q.Current().Size()
		undo := errors.New("undo")
		err = n.db.Update(t.Context(), func(tx *sqlstore.Tx) error {
			if _, err := tx.Record(exchange.Event{Kind: exchange.EventFeedback}); err != nil {
				return err
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
		n.whole()
		if n.q.Current().Size() != size {
			t.Errorf("an act that failed has an entry")
		}
	})
}

// What was committed and not entered, because the process ended, is entered at the
// next start, and so are events from before the ledger.
func TestWhatIsMissingIsCarried(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		n := newNode(t, e, e.URL(t))
		n.acts(300)
		n.exec(`UPDATE event SET entry = NULL, salt = NULL WHERE seq <= 200`)
		n.start()
		n.whole()
		n.acts(5)
		n.stop()
		n.acts(7) // no ledger is attached: as if the process had ended right after the commit
		before := n.entries()
		n.start()
		n.whole()
		for i, entry := range n.entries() {
			if !bytes.Equal(entry, before[i]) {
				t.Fatalf("entry %d was changed", i)
			}
		}
		n.stop()
		n.start()
		n.whole()
	})
}

// A store that was put back, or changed, is refused, by name; neither it nor the
// log is changed.
func TestStoreAndLogMustFit(t *testing.T) {
	e := storetest.Engine{Name: "sqlite"}
	storetest.Each(t, func(t *testing.T, each storetest.Engine) {
		if e = each; e.Name != "sqlite" {
			t.Skip("the engines do not differ here")
		}
		fresh := func() *node {
			n := newNode(t, e, e.URL(t))
			n.start()
			n.acts(40)
			n.stop()
			return n
		}
		t.Run("put back", func(t *testing.T) {
			n := fresh()
			n.exec(`DELETE FROM event WHERE seq > 30`)
			n.exec(`UPDATE counter SET n = 30 WHERE name = 'event'`)
			err := n.refused()
			if b, ok := errors.AsType[*sequencer.RolledBack](err); !ok || b.Log != 1 || b.Logged != 40 || b.Stored != 30 {
				t.Fatal(err)
			}
			d, err := sequencer.Compare(t.Context(), n.db.Beneath(), n.folder)
			if err != nil || d == nil || d.Known != 30 || d.Stored != 30 || !bytes.HasPrefix(d.Checkpoint, []byte("ledger.example/log\n40\n")) {
				t.Errorf("%+v, %v", d, err)
			}
			n.acts(20) // without a ledger: others than those that the log holds
			err = n.refused()
			if d, ok := errors.AsType[*sequencer.Diverged](err); !ok || d.Index != 30 || d.Seq != 31 {
				t.Fatal(err)
			}
			if d, err := sequencer.Compare(t.Context(), n.db.Beneath(), n.folder); err != nil || d == nil || d.Known != 30 || d.Stored != 50 {
				t.Errorf("%+v, %v", d, err)
			}
		})
		t.Run("another store", func(t *testing.T) {
			n, other := fresh(), newNode(t, e, e.URL(t))
			other.folder = n.folder
			if b, ok := errors.AsType[*sequencer.RolledBack](other.refused()); !ok || b.Log != 1 {
				t.Fatal("not refused")
			}
		})
		t.Run("an entry was changed", func(t *testing.T) {
			n := fresh()
			n.exec(`UPDATE event SET entry = (SELECT entry FROM event WHERE seq = 1) WHERE seq IN (12, 39)`)
			if d, ok := errors.AsType[*sequencer.Diverged](n.refused()); !ok || d.Log != 1 || d.Seq != 12 || d.Index != 11 {
				t.Fatalf("%+v", d)
			}
		})
		t.Run("the folder was lost", func(t *testing.T) {
			n := fresh()
			n.folder = filepath.Join(t.TempDir(), "ledger")
			n.start() // the same log is made again: nothing differs
			n.whole()
		})
		t.Run("it is changed while it runs", func(t *testing.T) {
			n := fresh()
			n.start()
			n.exec(`DELETE FROM event WHERE seq > 30`)
			n.exec(`UPDATE counter SET n = 30 WHERE name = 'event'`)
			_, err := n.act(1)
			if d, ok := errors.AsType[*sequencer.Diverged](err); exchange.KindOf(err) != exchange.Unavailable || !ok || d.Seq != 31 {
				t.Errorf("%v", err)
			}
			events := len(n.entries())
			if _, err := n.act(1); exchange.KindOf(err) != exchange.Unavailable || len(n.entries()) != events {
				t.Errorf("%v, %d events", err, len(n.entries()))
			}
		})
	})
}

// Check names the first event that was changed, whatever was changed of it.
func TestCheckNamesWhatWasChanged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		n := newNode(t, e, e.URL(t))
		n.start()
		n.acts(30)
		n.stop()
		for _, c := range []struct{ change, undo string }{
			{`UPDATE event SET kind = 'page.serve' WHERE seq = 9`, `UPDATE event SET kind = 'feedback.give' WHERE seq = 9`},
			{`UPDATE event SET at = at + 1 WHERE seq = 9`, `UPDATE event SET at = at - 1 WHERE seq = 9`},
			{`UPDATE event SET number = 8 WHERE seq = 9`, `UPDATE event SET number = 9 WHERE seq = 9`},
			{`UPDATE event SET salt = (SELECT salt FROM event WHERE seq = 8) WHERE seq IN (9, 20)`, ``},
			{`DELETE FROM event WHERE seq = 4`, ``},
			{`UPDATE counter SET n = 29 WHERE name = 'event'`, `UPDATE counter SET n = 30 WHERE name = 'event'`},
		} {
			n.exec(c.change)
			var found []sequencer.Finding
			if _, err := sequencer.Check(t.Context(), n.db.Beneath(), n.folder, 0, func(f sequencer.Finding) { found = append(found, f) }); err != nil {
				t.Fatal(err)
			}
			want := int64(9)
			switch {
			case strings.HasPrefix(c.change, "DELETE"):
				want = 4
			case strings.HasPrefix(c.change, "UPDATE counter"):
				want = 30
			}
			if !slices.ContainsFunc(found, func(f sequencer.Finding) bool { return f.Seq == want }) || want == 9 && found[0].Seq != want {
				t.Errorf("%s: %+v", c.change, found)
			}
			if c.undo != "" {
				n.exec(c.undo)
			}
		}
	})
}

// A log that is closed ends with the event of its end, and the next one begins with
// the event after it.
func TestClosedLogIsFollowed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		n := newNode(t, e, e.URL(t))
		n.start()
		n.acts(10)
		closeLog := func(first int64) {
			t.Helper()
			release := n.q.Hold()
			defer release()
			err := n.db.Update(context.WithoutCancel(t.Context()), func(tx *sqlstore.Tx) error {
				seq, err := tx.Record(exchange.Event{Kind: exchange.EventFeedback, Subject: []string{"the end"}})
				if err != nil {
					return err
				}
				rows, err := tx.EventEntries(first, 1000)
				if err != nil {
					return err
				}
				var own [][]byte
				for _, r := range rows {
					own = append(own, r.Entry)
				}
				logs, err := tx.Logs()
				if err != nil {
					return err
				}
				l := logs[len(logs)-1]
				l.Closed, l.Size, l.Root = tx.Now(), seq-l.Base, rootOf(t, own)
				next := sequencer.Info{Number: l.Number + 1, Origin: fmt.Sprintf("ledger.example/log/%d", l.Number+1), Base: seq, Opened: tx.Now()}
				k, err := sequencer.NewKey(next)
				if err != nil {
					return err
				}
				if err := errors.Join(tx.PutLog(l), tx.PutLog(next), tx.PutLogKey(k)); err != nil {
					return err
				}
				tx.AfterCommit(func() { go release() })
				_, err = tx.Record(exchange.Event{Kind: exchange.EventFeedback, Subject: []string{"the beginning"}})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		closeLog(0)
		n.acts(3)
		n.whole()
		if log, number, index, err := n.q.Find(11); err != nil || number != 1 || index != 10 || log.Size() != 11 || !log.Frozen() {
			t.Errorf("the end is in log %d at %d, %v", number, index, err)
		}
		if log, number, index, err := n.q.Find(12); err != nil || number != 2 || index != 0 || log != n.q.Current() {
			t.Errorf("the beginning is in log %d at %d, %v", number, index, err)
		}
		n.stop()
		n.start()
		if log, number, _, err := n.q.Find(3); err != nil || number != 1 || log.Size() != 11 || !log.Frozen() {
			t.Errorf("log %d, %v", number, err)
		}
		n.acts(1)
		n.whole()
		// The process ends right after the transaction: the next start ends the log.
		n.q.Hold()
		first := n.q.Logs()[1].Base
		live := n.q
		n.db.Attach(nil)
		n.q = live
		closeLog(first)
		n.stop()
		n.start()
		n.acts(2)
		n.whole()
		if got := n.q.Logs(); len(got) != 3 || n.q.Current().Origin() != "ledger.example/log/3" {
			t.Errorf("%+v", got)
		}
		if log, err := n.q.Log(2); err != nil || !log.Frozen() {
			t.Errorf("log 2: %v", err)
		}
	})
}
