package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// BenchmarkWave opens a wave of three artifacts, one of 300 STIX objects, to a
// cohort of 1,000 members: each is offered each of them and told once.
func BenchmarkWave(b *testing.B) {
	const members, rounds = 1000, 7
	w := servertest.New(b)
	to := exchange.Audience{Cohort: "early"}
	var nouns []any
	for i := range members - 2 { // two are there
		id := exchange.OrgID(fmt.Sprintf("edr-%04d", i))
		nouns = append(nouns,
			testkit.Organisation(id, func(o *exchange.Organisation) { o.Products = []string{"edr"} }),
			testkit.Person(id, "analyst", exchange.RoleAnalyst), testkit.Member(testkit.Program, id, to, 1))
	}
	testkit.Put(b, sqlstore.For[testkit.Tx](w.DB), nouns...)
	var took []time.Duration
	for b.Loop() {
		for i := range rounds {
			took = append(took, open(b, w, to, fmt.Sprint("case ", len(took), i)))
		}
	}
	told := storetest.Value[int64](b, w.DB, `SELECT COUNT(*) FROM notice WHERE kind = 'wave.open'`)
	offered := storetest.Value[int64](b, w.DB, `SELECT COUNT(*) FROM exposure WHERE kind = 'offered'`)
	// The organisation that has not accepted the agreement is neither.
	if n := int64(len(took)); told != n*members || offered != 3*n*members {
		b.Fatalf("%d notices and %d offers in %d waves to %d members", told, offered, n, members)
	}
	b.ReportMetric(float64(median(took).Milliseconds()), "ms/wave")
	show(figure{name: "d1 opening a wave of 3 artifacts to 1,000 members, ms", value: median(took).Seconds() * 1000, format: "%.0f", most: 1000})
}

func open(b *testing.B, w *servertest.World, to exchange.Audience, title string) time.Duration {
	b.Helper()
	at := w.Clock.Now().Add(time.Hour)
	rule := func(c exchange.ContentClass) exchange.PlanRule {
		return exchange.PlanRule{Class: c, Cohort: to.Cohort, At: testkit.Offset("T0-24h")}
	}
	r, err := w.X.Releases.Create(b.Context(), w.Operator, release.Draft{
		Program: testkit.Program, Title: title, T0: at.Add(24 * time.Hour),
		Rules: []exchange.PlanRule{rule(exchange.DetectionGuidance), rule(exchange.PoC), rule(exchange.AdvanceNote)},
	})
	if err != nil {
		b.Fatal(err)
	}
	w.Submit(r.ID, exchange.DetectionGuidance, "guidance.json", servertest.Bundle(300, uint64(w.Clock.Now().UnixNano())))
	w.Submit(r.ID, exchange.PoC, "poc.py", strings.NewReader("print('"+title+"')\n"))
	w.Submit(r.ID, exchange.AdvanceNote, "note.md", strings.NewReader("# "+title+"\n"))
	w.Arm(r.ID)
	w.Clock.Set(at)
	start := time.Now()
	if err := w.X.Releases.OpenDue(b.Context()); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
