package delivery

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// BenchmarkVerdicts is what asking for verdicts costs a page for each of its
// objects, when they have been taken before: by whole blocks, with more and with
// fewer handling classes to a block.
func BenchmarkVerdicts(b *testing.B) {
	const objects, perBlock = 1280, 128
	now := time.Date(2027, time.July, 12, 16, 0, 0, 0, time.UTC)
	for _, classes := range []int64{1, 8, perBlock} {
		b.Run(fmt.Sprintf("classes=%d", classes), func(b *testing.B) {
			v := newView(exchange.Charter{}, policy.Recipient{}, now)
			for c := range classes {
				v.classes[c] = &class{decision: policy.Decision{Verdict: policy.Allow, At: now}}
			}
			var blocks []*block
			for first := int64(0); first < objects; first += perBlock {
				var rows list
				for p := range int64(perBlock) {
					rows = append(rows, Entry{Object: first + p, Class: p % classes})
				}
				blocks = append(blocks, newBlock(BlockID{}, rows))
			}
			s := &Service{}
			g := gathering{parts: make([]part, 0, objects)}
			for b.Loop() {
				g = gathering{s: s, ctx: context.Background(), v: v, now: now, limit: objects, parts: g.parts[:0]}
				for _, bl := range blocks {
					if _, err := g.take(bl, 0, bl.Len(), Run{}); err != nil {
						b.Fatal(err)
					}
				}
				if g.n != objects {
					b.Fatalf("%d of %d objects", g.n, objects)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/objects, "ns/object")
		})
	}
}

// BenchmarkVerdict asks for one verdict that was taken before, of 2,000.
func BenchmarkVerdict(b *testing.B) {
	now := time.Date(2027, time.July, 12, 16, 0, 0, 0, time.UTC)
	v := newView(exchange.Charter{}, policy.Recipient{}, now)
	for c := range int64(2000) {
		v.classes[c] = &class{decision: policy.Decision{Verdict: policy.Allow, At: now}}
	}
	id := int64(0)
	for b.Loop() {
		k, err := v.classOf(nil, id, now)
		if err != nil || !k.decision.Allowed() {
			b.Fatal(err)
		}
		id = (id + 7) % 2000
	}
}
