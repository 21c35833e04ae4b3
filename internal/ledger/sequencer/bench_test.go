package sequencer_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// What the ledger adds to an act that writes one event, in turns of the same run.
func BenchmarkAct(b *testing.B) {
	sqlite := storetest.Engine{Name: "sqlite", URL: func(t testing.TB) string { return filepath.Join(t.TempDir(), "store.db") }}
	for _, e := range []storetest.Engine{sqlite, storetest.PostgreSQL} {
		for _, callers := range []int{1, 64, 256} {
			b.Run(fmt.Sprintf("%s/%d", e.Name, callers), func(b *testing.B) { benchmarkAct(b, e, callers) })
		}
	}
}

func benchmarkAct(b *testing.B, e storetest.Engine, callers int) {
	without, with := newNode(b, e, e.URL(b)), newNode(b, e, e.URL(b))
	with.start()
	var times [2][]time.Duration
	var total [2]time.Duration
	const turns = 10
	for range turns {
		for i, n := range []*node{without, with} {
			took, all := acting(b, n, callers, max(b.N/turns, callers))
			total[i] += all
			times[i] = append(times[i], took...)
		}
	}
	for i, name := range []string{"off", "on"} {
		slices.Sort(times[i])
		b.ReportMetric(float64(len(times[i]))/total[i].Seconds(), "acts/s-"+name)
		b.ReportMetric(float64(times[i][len(times[i])/2].Microseconds()), "p50us-"+name)
	}
	b.ReportMetric(total[1].Seconds()/total[0].Seconds(), "ratio")
	b.ReportMetric(0, "ns/op")
}

func acting(b *testing.B, n *node, callers, acts int) (each []time.Duration, whole time.Duration) {
	each = make([]time.Duration, acts)
	var next atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range callers {
		all.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(acts) {
					return
				}
				start := time.Now()
				if _, err := n.act(1); err != nil {
					b.Error(err)
					return
				}
				each[i] = time.Since(start)
			}
		})
	}
	all.Wait()
	return each, time.Since(began)
}

// Recording alone, in one long transaction.
func BenchmarkRecord(b *testing.B) {
	db := storetest.SQLite(b)
	err := db.Update(b.Context(), func(tx *sqlstore.Tx) error {
		for b.Loop() {
			_, err := tx.Record(exchange.Event{
				Kind: exchange.EventPageServed, Program: testkit.Program, Actor: exchange.Actor{Person: "per_1", Token: "fw_1", Org: "edr-a", Channel: exchange.ChannelAPI},
				Detail: exchange.Detail{"objects": 100, "after": int64(12), "collection": "c-1"},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
