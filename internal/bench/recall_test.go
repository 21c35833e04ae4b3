package bench

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// BenchmarkRecall recalls an artifact that 1,000 members fetched, and measures
// how long after the commit the last of them is denied it, each asked once, next
// to asking each once when nothing was recalled.
func BenchmarkRecall(b *testing.B) {
	const members, clientsAtOnce = 1000, 8
	w := servertest.New(b)
	r := w.Draft("recalled", w.Clock.Now().Add(100*time.Hour))
	guidance := w.Submit(r.ID, exchange.DetectionGuidance, "guidance.json", servertest.Bundle(100, 7))
	w.Arm(r.ID)
	readers := make([]exchange.Actor, members)
	kit := sqlstore.For[testkit.Tx](w.DB)
	for i := range readers {
		id := exchange.OrgID(fmt.Sprintf("member-%04d", i))
		testkit.Put(b, kit, testkit.Organisation(id, func(o *exchange.Organisation) { o.Products = []string{"edr"} }),
			testkit.Person(id, "analyst", exchange.RoleAnalyst, exchange.RoleSignatory))
		if _, err := w.X.Members.Join(b.Context(), w.Operator, testkit.Program, id); err != nil {
			b.Fatal(err)
		}
		w.Accept(id)
		readers[i] = w.Machine(id)
	}
	w.Clock.Advance(99 * time.Hour)
	if err := w.X.Releases.OpenDue(b.Context()); err != nil {
		b.Fatal(err)
	}
	// fetch has everybody fetch what there is, which is recorded of each.
	var first delivery.Entry
	fetch := func() time.Duration {
		start := time.Now()
		for _, a := range readers {
			p, err := w.X.Delivery.Page(b.Context(), a, testkit.Program, delivery.Query{Limit: 1000})
			if err != nil || p.Len == 0 {
				b.Fatal(p.Len, err)
			}
			first = p.Entries[0]
			p.Close()
		}
		return time.Since(start)
	}
	fetch()
	objs, err := w.X.Delivery.Objects(b.Context(), w.Operator, guidance.ID, -1, 1)
	if err != nil {
		b.Fatal(err)
	}
	// all asks everybody once for an object in the version that was shared, and
	// answers how many were given it.
	q := delivery.Query{Limit: 1, IDs: []string{objs[0].ID}, Versions: delivery.Versions{At: []int64{first.VersionAt()}}}
	all := func() (int, time.Duration) {
		start := time.Now()
		var given atomic.Int64
		var clients sync.WaitGroup
		for c := range clientsAtOnce {
			clients.Go(func() {
				for i := c; i < members; i += clientsAtOnce {
					p, err := w.X.Delivery.Page(b.Context(), readers[i], testkit.Program, q)
					if err != nil {
						b.Error(err)
						return
					}
					given.Add(int64(p.Len))
					p.Close()
				}
			})
		}
		clients.Wait()
		return int(given.Load()), time.Since(start)
	}
	given, before := all()
	if given != members {
		b.Fatalf("%d of %d members were given it", given, members)
	}
	start := time.Now()
	p, err := w.X.Recalls.Issue(b.Context(), w.Operator, recall.Act{Kind: recall.Recalled, Artifact: guidance.ID, Reason: "a benchmark"})
	if err != nil || p.Losing() != members {
		b.Fatalf("%d of %d members lose it: %v", p.Losing(), members, err)
	}
	act := time.Since(start)
	given, after := all()
	if given != 0 {
		b.Fatalf("%d members are still given it", given)
	}
	polls := fetch()
	b.ReportMetric(act.Seconds(), "s/act")
	b.ReportMetric(after.Seconds(), "s/all-denied")
	b.ReportMetric(after.Seconds()/before.Seconds(), "×asking")
	show(figure{name: "recall: until 1,000 members are denied", value: after.Seconds(), format: "%.3f s", most: 1})
	show(figure{name: "recall: the same members asked when nothing was recalled", value: before.Seconds(), format: "%.3f s"})
	show(figure{name: "recall: the act itself, 1,000 holders", value: act.Seconds(), format: "%.3f s"})
	show(figure{name: "recall: 1,000 members fetch what is revoked", value: polls.Seconds(), format: "%.3f s"})
	b.ReportMetric(0, "ns/op")
}
