package delivery_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// BenchmarkPageOfJournal reads pages of 100 at pseudo-random places of what a
// member wrote, with and without relationships among it, and of a submission.
func BenchmarkPageOfJournal(b *testing.B) {
	for _, c := range []struct {
		name  string
		edges int // of ten
	}{{"plain", 0}, {"edges", 3}} {
		b.Run(c.name, func(b *testing.B) {
			w := servertest.New(b)
			charter := testkit.Charter()
			charter.Contributions = exchange.Contributions{From: []exchange.CohortID{"early"}, To: []exchange.CohortID{"early", "standard"}}
			if _, err := w.X.Programs.Apply(b.Context(), w.Operator, charter.TOML(), false); err != nil {
				b.Fatal(err)
			}
			writer := w.Machine(servertest.EarlyA)
			writer.Verbs = []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
			for i := range 20 {
				if st, err := w.X.Contributions.Add(b.Context(), writer, testkit.Program, written(i*500, 500, c.edges)); err != nil || st.Failure > 0 {
					b.Fatal(st, err)
				}
			}
			readAround(b, w, w.Machine(servertest.EarlyB))
		})
	}
	b.Run("submission", func(b *testing.B) {
		w := servertest.New(b)
		r := w.Draft("Pages", t0)
		w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Bundle(10_000, 1))
		w.Arm(r.ID)
		w.Clock.Set(t0)
		readAround(b, w, w.Machine(servertest.EarlyB))
	})
}

// written is an envelope of n objects of which so many of ten are relationships.
func written(from, n, edges int) io.Reader {
	var all []string
	for i := from; i < from+n; i++ {
		head := `{"type":%q,"spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",`
		if i%10 < edges {
			all = append(all, fmt.Sprintf(head+`"relationship_type":"related-to","source_ref":%q,"target_ref":%q,"description":%q}`,
				"relationship", stixtest.ID("relationship", 77, i), stixtest.ID("indicator", 77, i/10*10+9), stixtest.ID("indicator", 77, max(0, i/10-7)*10+8), strings.Repeat("about it ", 30)))
			continue
		}
		all = append(all, fmt.Sprintf(head+`"name":"i","description":%q,"pattern":"[domain-name:value = 'i%d.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"}`,
			"indicator", stixtest.ID("indicator", 77, i), strings.Repeat("about it ", 30), i))
	}
	return strings.NewReader(`{"objects":[` + strings.Join(all, ",") + `]}`)
}

func readAround(b *testing.B, w *servertest.World, a exchange.Actor) {
	b.Helper()
	var places []int64
	for after := int64(0); ; {
		p, err := w.X.Delivery.Page(b.Context(), a, testkit.Program, delivery.Query{After: after, Limit: 100})
		if err != nil {
			b.Fatal(err)
		}
		if !p.More {
			break
		}
		after = p.Entries[37].Added
		places = append(places, after)
	}
	b.Logf("%d places", len(places))
	r := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		p, err := w.X.Delivery.Page(b.Context(), a, testkit.Program, delivery.Query{After: places[r.IntN(len(places))], Limit: 100, Bare: true})
		if err != nil || p.Len == 0 {
			b.Fatal(err)
		}
		if err := p.WriteObjects(io.Discard); err != nil {
			b.Fatal(err)
		}
		p.Close()
	}
}
