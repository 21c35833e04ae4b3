package policy_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// BenchmarkRules decides on 2,000 handling classes for one member under 50
// policies, beginning with what has to be worked out for the member. "plain"
// is the time that Cedar takes from the beginning for each class, measured in
// the same run; ratio is how many times faster the reader is.
func BenchmarkRules(b *testing.B) {
	set := compiled(b, fifty())
	rnd := rand.New(rand.NewPCG(50, 2000))
	r := randomRecipient(rnd)
	mixed := make([]policy.Item, 2000)
	for n := range mixed {
		mixed[n] = randomItem(rnd)
	}
	distinct := make([]policy.Item, 2000)
	for n := range distinct {
		distinct[n] = randomItem(rnd)
		distinct[n].Originators = append(distinct[n].Originators, exchange.OrgID(fmt.Sprint("org-", n)))
	}
	for _, bb := range []struct {
		name  string
		items []policy.Item
	}{{"mixed", mixed}, {"distinct", distinct}} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				rules := set.For()
				for n := range bb.items {
					rules.Read(&r, &bb.items[n])
				}
			}
			b.StopTimer()
			each := b.Elapsed() / time.Duration(b.N)
			begin := time.Now()
			for n := range bb.items {
				policy.PlainRead(set, &r, &bb.items[n])
			}
			plain := time.Since(begin)
			b.ReportMetric(each.Seconds()*1000, "ms/2000")
			b.ReportMetric(plain.Seconds()*1000, "plain-ms/2000")
			b.ReportMetric(plain.Seconds()/each.Seconds(), "ratio")
		})
	}
}

func BenchmarkCompileRules(b *testing.B) {
	text := fifty()
	for b.Loop() {
		policy.CompileRules(text)
	}
}
