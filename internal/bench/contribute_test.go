package bench

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// BenchmarkContribute adds envelopes of new objects of about 780 bytes, each
// durable when it is answered, in turns with appending the same bytes to a file
// and syncing it, as BenchmarkSubmit does.
func BenchmarkContribute(b *testing.B) {
	for i, n := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := servertest.New(b)
			c := testkit.Charter()
			c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early"}, To: []exchange.CohortID{"early", "standard", "at-release"}}
			if _, err := w.X.Programs.Apply(b.Context(), w.Operator, c.TOML(), false); err != nil {
				b.Fatal(err)
			}
			a := w.Machine(servertest.EarlyA)
			a.Verbs = []exchange.Verb{exchange.VerbSubmit}
			var wall, used, each, block []time.Duration
			for seed := uint64(1); b.Loop(); seed++ {
				body, err := io.ReadAll(stixtest.Reader(n, seed, stixtest.Options{Size: 780}))
				if err != nil {
					b.Fatal(err)
				}
				each = append(each, appended(b, body, len(body)/n))
				block = append(block, appended(b, body, 1<<20))
				start, before := time.Now(), cpu()
				st, err := w.X.Contributions.Add(b.Context(), a, testkit.Program, bytes.NewReader(body))
				if err != nil || st.Success != n || !st.Complete {
					b.Fatalf("%d of %d, %v", st.Success, n, err)
				}
				wall, used = append(wall, time.Since(start)), append(used, cpu()-before)
			}
			perSecond := float64(n) / median(wall).Seconds()
			b.ReportMetric(perSecond, "objects/s")
			b.ReportMetric(float64(median(used).Nanoseconds())/float64(n), "cpu-ns/object")
			b.ReportMetric(over(used, each), "x-append-each")
			b.ReportMetric(over(used, block), "x-append-block")
			name := fmt.Sprintf("a%d envelopes of %d objects", 4+i, n)
			show(figure{name: name + ": objects per second", value: perSecond, format: "%.0f", least: 25_000})
			show(figure{name: name + ": processor time over that of appending each object and syncing", value: over(used, each), format: "%.1f", most: 8})
			show(figure{name: name + ": over that of appending all at once and syncing", value: over(used, block), format: "%.1f"})
		})
	}
}
