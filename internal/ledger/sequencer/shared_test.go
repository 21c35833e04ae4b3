package sequencer_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

func onPostgres(t *testing.T, test func(t *testing.T, e storetest.Engine)) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		if e.Name != "postgres" {
			t.Skip("one process alone uses this store")
		}
		test(t, e)
	})
}

func (n *node) head() (h sequencer.Head) {
	n.t.Helper()
	err := n.db.View(n.t.Context(), func(tx *sqlstore.Tx) (err error) {
		h, err = tx.LogHead(1)
		return err
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return h
}

// Two nodes write one log: each act waits until it stands under a checkpoint that
// the head goes on from, whichever node carried it.
func TestNodesWriteOneLog(t *testing.T) {
	onPostgres(t, func(t *testing.T, e storetest.Engine) {
		url := e.URL(t)
		a, b := newNode(t, e, url), newNode(t, e, url)
		a.start()
		b.start()
		if a.keys()[0] != b.keys()[0] || len(b.keys()) != 1 {
			t.Fatal("two keys were made")
		}
		var all sync.WaitGroup
		for _, n := range []*node{a, b} {
			for range 6 {
				all.Go(func() {
					for range 15 {
						seq, err := n.act(2)
						if err != nil {
							t.Error(err)
							return
						}
						if size := n.q.Current().Size(); size < seq {
							t.Errorf("event %d was acknowledged, the node's log has %d entries", seq, size)
						}
						if h := n.head(); h.Size < seq {
							t.Errorf("event %d was acknowledged, the head stands at %d", seq, h.Size)
						}
					}
				})
			}
		}
		all.Wait()
		a.whole()
		b.whole()
		if !bytes.Equal(a.q.Current().Checkpoint(), b.q.Current().Checkpoint()) {
			t.Errorf("two checkpoints:\n%s\n%s", a.q.Current().Checkpoint(), b.q.Current().Checkpoint())
		}
		// One ends, the other goes on; the one comes back and has all of it.
		a.stop()
		b.acts(20)
		a.start()
		a.whole()
		b.stop()
		a.acts(20)
		b.start()
		b.whole()
		a.whole()
	})
}

// What a node made durable and had not told of when it ended is the same as what
// the others carry meanwhile: there is one history for each size.
func TestNodeEndsBeforeItTold(t *testing.T) {
	onPostgres(t, func(t *testing.T, e storetest.Engine) {
		url := e.URL(t)
		a, b := newNode(t, e, url), newNode(t, e, url)
		a.start()
		a.acts(10)
		ahead := a.head()
		a.acts(5)
		a.stop()
		// As if the process had ended between the sync and the head.
		a.exec(`UPDATE ledger_head SET size = ?1, checkpoint = ?2`, ahead.Size, ahead.Checkpoint)
		b.start()
		b.acts(1)
		a.start()
		a.whole()
		b.whole()
		if h := b.head(); h.Size != 16 {
			t.Errorf("the head stands at %d", h.Size)
		}
	})
}

// A node whose log does not go on from the head tells nobody of anything, at its
// start and while it runs.
func TestStaleNodeIsRefused(t *testing.T) {
	onPostgres(t, func(t *testing.T, e storetest.Engine) {
		url := e.URL(t)
		a := newNode(t, e, url)
		a.start()
		a.acts(10)
		good := a.head()
		// Another history of the same size, signed with the same key.
		other := newNode(t, e, e.URL(t))
		var logs []sequencer.Info
		var keys []sequencer.Key
		err := a.db.View(t.Context(), func(tx *sqlstore.Tx) (err error) {
			if logs, err = tx.Logs(); err != nil {
				return err
			}
			keys, err = tx.LogKeys(1)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		err = other.db.Update(t.Context(), func(tx *sqlstore.Tx) error { return errors.Join(tx.PutLog(logs[0]), tx.PutLogKey(keys[0])) })
		if err != nil {
			t.Fatal(err)
		}
		other.start()
		other.acts(12)
		forked := other.head()
		other.stop()
		a.exec(`UPDATE ledger_head SET size = ?1, checkpoint = ?2`, forked.Size, forked.Checkpoint)

		if _, err := a.act(2); exchange.KindOf(err) != exchange.Unavailable || !errors.Is(err, sequencer.ErrStale) {
			t.Errorf("the act was answered %v", err)
		}
		if size := a.q.Current().Size(); size != good.Size {
			t.Errorf("the log went on to %d", size)
		}
		if _, err := a.act(1); !errors.Is(err, sequencer.ErrStale) || len(a.entries()) != 12 {
			t.Errorf("%v, %d events", err, len(a.entries()))
		}
		if err := a.q.Wait(context.WithoutCancel(t.Context()), 11); !errors.Is(err, sequencer.ErrStale) {
			t.Errorf("waiting: %v", err)
		}
		if h := a.head(); !bytes.Equal(h.Checkpoint, forked.Checkpoint) {
			t.Errorf("the head was moved to %d", h.Size)
		}
		a.stop()
		if err := a.refused(); !errors.Is(err, sequencer.ErrStale) {
			t.Errorf("at the start: %v", err)
		}
		// With the head that others were told of, it goes on.
		a.exec(`UPDATE ledger_head SET size = ?1, checkpoint = ?2`, good.Size, good.Checkpoint)
		a.start()
		a.acts(1)
		a.whole()
	})
}

// A node that has never seen the log makes it again from the store, and a folder
// that is lost is made again.
func TestNodeWithoutFolder(t *testing.T) {
	onPostgres(t, func(t *testing.T, e storetest.Engine) {
		url := e.URL(t)
		a, b := newNode(t, e, url), newNode(t, e, url)
		a.start()
		a.acts(500)
		b.start()
		b.whole()
		b.stop()
		b.folder = filepath.Join(t.TempDir(), "ledger")
		b.start()
		b.acts(1)
		b.whole()
		a.whole()
	})
}
