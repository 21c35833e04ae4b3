package bench

import (
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// BenchmarkEntries lists a page of the ledger over a million events, in each of the
// ways that people ask for one.
func BenchmarkEntries(b *testing.B) {
	w := servertest.New(b)
	fill(b, w)
	at := func(us int) time.Time { return testkit.Start.Add(time.Duration(us) * time.Microsecond) }
	member := w.Reader(servertest.EarlyA)
	for _, q := range []struct {
		name  string
		actor exchange.Actor
		f     record.EntryFilter
		most  int // entries that must be there
	}{
		{"newest", w.Operator, record.EntryFilter{Program: testkit.Program}, 100},
		{"every program", w.Operator, record.EntryFilter{}, 100},
		{"far back", w.Operator, record.EntryFilter{Program: testkit.Program, Before: 400_000}, 100},
		{"organisation", w.Operator, record.EntryFilter{Program: testkit.Program, Org: "org-7"}, 100},
		{"person", w.Operator, record.EntryFilter{Program: testkit.Program, Person: "per_17"}, 100},
		{"nobody", w.Operator, record.EntryFilter{Program: testkit.Program, Person: "per_none"}, 0},
		{"rare kind", w.Operator, record.EntryFilter{Program: testkit.Program, Kinds: []exchange.EventKind{exchange.EventReleaseApproved}}, 20},
		{"kinds", w.Operator, record.EntryFilter{Program: testkit.Program, Kinds: []exchange.EventKind{exchange.EventReleaseApproved, exchange.EventFeedback}}, 100},
		{"subject", w.Operator, record.EntryFilter{Program: testkit.Program, Subject: "art_7"}, 100},
		{"subject and rare kind", w.Operator, record.EntryFilter{Program: testkit.Program, Subject: "art_1", Kinds: []exchange.EventKind{exchange.EventReleaseApproved}}, 20},
		{"subject and organisation", w.Operator, record.EntryFilter{Program: testkit.Program, Subject: "art_7", Org: "org-7"}, 0},
		{"release", w.Operator, record.EntryFilter{Program: testkit.Program, Release: "rel_7"}, 100},
		{"time", w.Operator, record.EntryFilter{Program: testkit.Program, From: at(300_000), To: at(300_050)}, 50},
		{"long time and rare kind", w.Operator, record.EntryFilter{Program: testkit.Program, From: at(1), To: at(900_000), Kinds: []exchange.EventKind{exchange.EventReleaseApproved}}, 18},
		{"originator", member, record.EntryFilter{}, 100},
		{"originator, subject", member, record.EntryFilter{Subject: "art_7"}, 100},
		{"originator, another's subject", member, record.EntryFilter{Subject: "art_77"}, 0},
		{"originator, organisation", member, record.EntryFilter{Org: "org-7"}, 100},
		{"originator, no such", member, record.EntryFilter{Org: "org-none"}, 0},
	} {
		b.Run(q.name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				page, err := w.X.Record.Entries(b.Context(), q.actor, q.f)
				if err != nil || len(page) < q.most {
					b.Fatalf("%d entries, %v", len(page), err)
				}
				took = append(took, time.Since(start))
			}
			ms := median(took).Seconds() * 1000
			b.ReportMetric(ms, "ms/page")
			show(figure{name: "f2 a page of the ledger, over 1,000,000 events: " + q.name + ", ms", value: ms, format: "%.1f", most: 2000})
		})
	}
}
