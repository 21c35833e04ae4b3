package sequencer_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

// faulty is a store whose server is away at times.
type faulty struct {
	sequencer.Store
	away atomic.Bool
}

func (f *faulty) Update(ctx context.Context, fn func(sequencer.Tx) error) error {
	if f.away.Load() {
		return errors.New("the server is away")
	}
	return f.Store.Update(ctx, fn)
}

// While the head cannot be moved nobody is told of anything. When it can be again,
// the log goes on by itself, with what was recorded meanwhile.
func TestHeadIsAwayForAWhile(t *testing.T) {
	for name, long := range map[string]time.Duration{"briefly": 5 * time.Second, "for long": 5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &node{t: t, db: storetest.SQLite(t), folder: filepath.Join(t.TempDir(), "ledger")}
				store := &faulty{Store: n.db.Beneath()}
				o := n.options()
				o.Store, o.Shared, o.Now = store, true, time.Now
				q, err := sequencer.Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				n.q = q
				n.db.Attach(q)
				n.acts(3)
				store.away.Store(true)
				answered := make(chan error, 1)
				go func() {
					_, err := n.act(1)
					answered <- err
				}()
				time.Sleep(long)
				if size := q.Current().Size(); size != 3 {
					t.Errorf("the log has told of %d entries", size)
				}
				if long > time.Minute {
					if err := <-answered; exchange.KindOf(err) != exchange.Unavailable {
						t.Errorf("the act was answered %v", err)
					}
					if _, err := n.act(1); exchange.KindOf(err) != exchange.Unavailable || len(n.entries()) != 4 {
						t.Errorf("a further act was answered %v", err)
					}
				}
				store.away.Store(false)
				time.Sleep(time.Second)
				if long < time.Minute {
					if err := <-answered; err != nil {
						t.Errorf("the act was answered %v", err)
					}
				}
				n.acts(2)
				n.whole()
				n.stop()
			})
		})
	}
}
