package bench

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
)

// readers is a collection that many clients read, each with its own token.
type readers struct {
	corpus
	tokens []string
}

// newReaders serves 10,000 objects, with the ledger or without one.
func newReaders(b *testing.B, tokens int, ledger bool) *readers {
	b.Helper()
	folder := b.TempDir()
	w := servertest.NewIn(b, folder)
	t0 := w.Clock.Now().Add(time.Hour)
	r := w.Draft("corpus", t0)
	w.Submit(r.ID, exchange.DetectionGuidance, "corpus.json", stixtest.Reader(10_000, 1, stixtest.Options{}))
	w.Arm(r.ID)
	w.Clock.Set(t0.Add(time.Hour))
	if err := w.X.Releases.OpenDue(b.Context()); err != nil {
		b.Fatal(err)
	}
	c := &readers{corpus: corpus{cursors: places(b, w, 10_000)}}
	for i := range tokens {
		c.tokens = append(c.tokens, w.Token([]exchange.OrgID{servertest.EarlyA, servertest.EarlyB}[i%2]))
	}
	c.token = c.tokens[0]
	c.server, c.url = reopened(b, w, folder)
	if !ledger {
		c.server.DB.Attach(nil)
	}
	return c
}

// first answers requests for pages of 100 objects that no client had before: as many
// as there are tokens, times 90.
func (c *readers) first(i int) *http.Request {
	of := *c
	of.token = c.tokens[i%len(c.tokens)]
	return of.ask(fmt.Sprintf("?limit=100&added_after=%s", c.cursors[i/len(c.tokens)%90*100]))
}

// again answers requests for pages at pseudo-random places, of objects that every
// client has had.
func (c *readers) again(i int) *http.Request {
	of := *c
	of.token = c.tokens[i%64]
	return of.ask(fmt.Sprintf("?limit=100&added_after=%s", c.cursors[(i*7919)%len(c.cursors)]))
}

// BenchmarkDisclosure serves pages of 100 objects to 64 concurrent clients, with the
// ledger and without one, in turns: pages of objects that each client had before, which
// are summed up, and pages that are each client's first of their objects, which wait
// until their entry stands under a signed checkpoint on the disk.
func BenchmarkDisclosure(b *testing.B) {
	for b.Loop() {
		with, without := newReaders(b, 128, true), newReaders(b, 128, false)
		for _, kind := range []string{"1 first", "2 repeated"} {
			on, off := load{}, load{}
			pages, rounds, per := [2]func(int) *http.Request{with.first, without.first}, 7, 1400
			if kind == "2 repeated" {
				for _, c := range []*readers{with, without} { // each of 64 clients has had everything
					newLoad(b, 64, func(i int) *http.Request {
						of := *c
						of.token = c.tokens[i%64]
						return of.ask(fmt.Sprintf("?limit=1000&added_after=%s", c.cursors[i/64%9*1000]))
					}).round(b, 64*9)
				}
				pages, rounds, per = [2]func(int) *http.Request{with.again, without.again}, 9, 3000
			}
			on, off = *newLoad(b, 64, pages[0]), *newLoad(b, 64, pages[1])
			turns := []*load{&on, &off}
			for range rounds {
				for _, l := range turns {
					l.round(b, per)
				}
				slices.Reverse(turns)
			}
			name := "b disclosure, 64 clients, page of 100, " + kind + ": "
			b.ReportMetric(over(on.wall, off.wall), "x-with-ledger-"+kind[2:])
			show(figure{name: name + "1 pages/s with the ledger", value: 1 / median(on.wall).Seconds(), format: "%.0f"})
			show(figure{name: name + "2 pages/s without", value: 1 / median(off.wall).Seconds(), format: "%.0f"})
			show(figure{name: name + "3 cost with over without, by clock", value: over(on.wall, off.wall), format: "%.2f", most: 1.3})
			show(figure{name: name + "4 the same by processor time", value: over(on.cpu, off.cpu), format: "%.2f"})
			show(figure{name: name + "5 p50 and", value: micro(at(on.took, 0.5)), format: "%.0f µs with"})
			show(figure{name: name + "6 p99", value: micro(at(on.took, 0.99)), format: "%.0f µs with"})
			show(figure{name: name + "7 p50 and", value: micro(at(off.took, 0.5)), format: "%.0f µs without"})
			show(figure{name: name + "8 p99", value: micro(at(off.took, 0.99)), format: "%.0f µs without"})
		}
	}
}
