package bench

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
)

// corpus answers requests for pages of 100 objects, at pseudo-random places of
// an early cohort's collection of n objects.
func corpus(b *testing.B, n int) func(i int) *http.Request {
	b.Helper()
	folder := b.TempDir()
	w := servertest.NewIn(b, folder)
	t0 := w.Clock.Now().Add(time.Hour)
	r := w.Draft("corpus", t0)
	w.Submit(r.ID, exchange.DetectionGuidance, "corpus.json", stixtest.Reader(n, 1, stixtest.Options{}))
	w.Arm(r.ID)
	w.Clock.Set(t0.Add(time.Hour))
	if err := w.X.Releases.OpenDue(b.Context()); err != nil {
		b.Fatal(err)
	}
	token, cursors := w.Token(servertest.EarlyA), places(b, w, n)
	_, url := reopened(b, w, folder)
	return func(i int) *http.Request {
		req, _ := http.NewRequest(http.MethodGet, url+"/taxii2/api/collections/early-warning/objects/?limit=100&added_after="+cursors[(i*7919)%len(cursors)], nil)
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Accept", "application/taxii+json;version=2.1")
		return req
	}
}

// plain answers requests to net/http serving the same number of bytes from memory.
func plain(b *testing.B, size int64) func(i int) *http.Request {
	b.Helper()
	body := bytes.Repeat([]byte("x"), int(size))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/taxii+json;version=2.1")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
	b.Cleanup(s.Close)
	return func(int) *http.Request {
		req, _ := http.NewRequest(http.MethodGet, s.URL, nil)
		req.Header.Set("Accept", "application/taxii+json;version=2.1")
		return req
	}
}

// load is a set of clients that read answers to their end, as fast as they come.
type load struct {
	client  *http.Client
	clients int // at the same time
	request func(i int) *http.Request
	next    int
	wall    []time.Duration // for one answer, in each round
	cpu     []time.Duration // the same, server and clients together
	size    int64           // bytes of the first answer
}

// How many clients ask at the same time. A page is recorded durably before it is
// given, and one sync of the disk serves all that wait for it: few clients leave
// the processors idle meanwhile, many show what the server can do.
const few, many = 8, 32

func newLoad(b *testing.B, clients int, request func(i int) *http.Request) *load {
	b.Helper()
	l := &load{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}, clients: clients, request: request}
	l.round(b, 300) // these do not count
	l.wall, l.cpu = nil, nil
	return l
}

// round takes n answers.
func (l *load) round(b *testing.B, n int) {
	b.Helper()
	runtime.GC()
	var mu sync.Mutex
	end := l.next + n
	take := func() int {
		mu.Lock()
		defer mu.Unlock()
		l.next++
		return l.next - 1
	}
	start, used := time.Now(), cpu()
	var wg sync.WaitGroup
	for range l.clients {
		wg.Go(func() {
			buf := make([]byte, 256<<10)
			for k := take(); k < end; k = take() {
				size, err := l.get(k, buf)
				if err != nil {
					b.Error(err)
					return
				}
				if k == 0 {
					l.size = size
				}
			}
		})
	}
	wg.Wait()
	l.wall = append(l.wall, time.Since(start)/time.Duration(n))
	l.cpu = append(l.cpu, (cpu()-used)/time.Duration(n))
	l.next = end
}

func (l *load) get(k int, buf []byte) (int64, error) {
	resp, err := l.client.Do(l.request(k))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("answer %d: %s", k, resp.Status)
	}
	return io.CopyBuffer(onlyWriter{}, onlyReader{resp.Body}, buf)
}

type (
	onlyWriter struct{}
	onlyReader struct{ io.Reader }
)

func (onlyWriter) Write(p []byte) (int, error) { return len(p), nil }

// over is the median over the rounds of the ratio of two loads that took turns.
func over(a, b []time.Duration) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = float64(a[i]) / float64(b[i])
	}
	return median(ratios)
}

// BenchmarkPage serves pages of 100 objects over HTTP with a token, each
// recorded before it is given, out of 10,000 and out of 1,000,000 objects, in
// turns with net/http serving the same number of bytes from memory to the same
// clients. With -short there is only the smaller corpus.
func BenchmarkPage(b *testing.B) {
	small := corpus(b, 10_000)
	page := newLoad(b, many, small)
	memory := plain(b, page.size)
	floor := newLoad(b, many, memory)
	pageFew, floorFew := newLoad(b, few, small), newLoad(b, few, memory)
	turns := []*load{page, floor, pageFew, floorFew}
	var large *load
	if !testing.Short() {
		large = newLoad(b, many, corpus(b, 1_000_000))
		turns = append(turns, large)
	}
	for b.Loop() {
		for range 11 {
			for _, l := range turns {
				l.round(b, 1000)
			}
			slices.Reverse(turns)
		}
	}
	perSecond := 1 / median(page.wall).Seconds()
	ofPlain, ofPlainCPU, ofPlainFew := 100*over(floor.wall, page.wall), 100*over(floor.cpu, page.cpu), 100*over(floorFew.wall, pageFew.wall)
	b.ReportMetric(perSecond, "pages/s")
	b.ReportMetric(1/median(floor.wall).Seconds(), "plain/s")
	b.ReportMetric(ofPlain, "%-of-plain")
	b.ReportMetric(ofPlainCPU, "%-of-plain(cpu)")
	b.ReportMetric(ofPlainFew, "%-of-plain(8-clients)")
	b.ReportMetric(float64(median(page.cpu).Microseconds()), "cpu-µs/page")
	show(figure{name: "b1 page of 100 objects out of 10,000: pages per second, 32 clients", value: perSecond, format: "%.0f"})
	show(figure{name: "b2 the same, % of net/http serving the bytes from memory", value: ofPlain, format: "%.1f", least: 12})
	show(figure{name: "b3 the same, by processor time", value: ofPlainCPU, format: "%.1f"})
	show(figure{name: "b4 the same with 8 clients, who wait for the disk together, by clock", value: ofPlainFew, format: "%.1f"})
	if large == nil {
		return
	}
	growth, growthCPU := over(large.wall, page.wall), over(large.cpu, page.cpu)
	b.ReportMetric(1/median(large.wall).Seconds(), "pages/s(1M)")
	b.ReportMetric(growth, "x-cost-at-1M")
	b.ReportMetric(growthCPU, "x-cost-at-1M(cpu)")
	show(figure{name: "b5 page of 100 objects out of 1,000,000: pages per second", value: 1 / median(large.wall).Seconds(), format: "%.0f"})
	show(figure{name: "b6 cost of a page at 1,000,000, of that at 10,000, by clock", value: growth, format: "%.2f", most: 1.2})
	show(figure{name: "b7 the same, by processor time", value: growthCPU, format: "%.2f", most: 1.2})
}
