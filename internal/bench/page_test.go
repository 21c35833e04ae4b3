package bench

import (
	"bytes"
	"fmt"
	"io"
	"maps"
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
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
)

// corpus is an early cohort's collection of n objects, served.
type corpus struct {
	server  *server.Server
	url     string
	token   string
	cursors []string // places in it, each with at least a thousand objects after it
}

func newCorpus(b *testing.B, n int) *corpus {
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
	c := &corpus{token: w.Token(servertest.EarlyA), cursors: places(b, w, n)}
	c.server, c.url = reopened(b, w, folder)
	return c
}

// pages answers requests for pages at pseudo-random places.
func (c *corpus) pages(limit int, headers ...string) func(i int) *http.Request {
	return func(i int) *http.Request {
		return c.ask(fmt.Sprintf("?limit=%d&added_after=%s", limit, c.cursors[(i*7919)%len(c.cursors)]), headers...)
	}
}

func (c *corpus) ask(query string, headers ...string) *http.Request {
	req, _ := http.NewRequest(http.MethodGet, c.url+"/taxii2/api/collections/early-warning/objects/"+query, nil)
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/taxii+json;version=2.1")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return req
}

// plain answers the same requests to net/http serving so many bytes from memory.
func (c *corpus) plain(b *testing.B, limit int, size int64) func(i int) *http.Request {
	b.Helper()
	body := bytes.Repeat([]byte("x"), int(size))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/taxii+json;version=2.1")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	}))
	b.Cleanup(s.Close)
	other := *c
	other.url = s.URL
	return other.pages(limit)
}

// load is a set of clients that read answers to their end, as fast as they come.
type load struct {
	client  *http.Client
	clients int // at the same time
	request func(i int) *http.Request
	next    int
	wall    []time.Duration // for one answer, in each round
	took    []time.Duration // by each answer
	cpu     []time.Duration // the same, server and clients together
	size    int64           // bytes of the first answer
}

func newLoad(b *testing.B, clients int, request func(i int) *http.Request) *load {
	b.Helper()
	l := &load{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}}, clients: clients, request: request}
	l.round(b, 300) // these do not count
	l.wall, l.cpu, l.took = nil, nil, nil
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
			var took []time.Duration
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				l.took = append(l.took, took...)
			}()
			for k := take(); k < end; k = take() {
				asked := time.Now()
				size, err := l.get(k, buf)
				took = append(took, time.Since(asked))
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

// clients ask at the same time in one of these numbers.
var clients = []int{1, 4, 64}

// BenchmarkPage serves pages of 100 and of 1,000 objects over HTTP with a token,
// at pseudo-random places of 10,000 and of 1,000,000 objects, in turns with
// net/http serving the same number of bytes from memory to the same clients.
// With -short there is only the smaller corpus.
func BenchmarkPage(b *testing.B) {
	small := newCorpus(b, 10_000)
	before := statusOf("self", "RssAnon")
	large := small
	if !testing.Short() {
		large = newCorpus(b, 1_000_000)
		newLoad(b, 4, large.pages(100)).round(b, len(large.cursors)) // what is warm is measured
	}
	for b.Loop() {
		for _, limit := range []int{100, 1000} {
			for _, n := range clients {
				pages(b, small, large, limit, n)
			}
		}
	}
	if large != small {
		show(figure{
			name:  "b memory for 1,000,000 objects whose pages are read everywhere, clients included, MiB",
			value: (statusOf("self", "RssAnon") - before) / (1 << 20), format: "%.0f", most: 256,
		})
		show(figure{name: "b memory of files mapped meanwhile, MiB", value: statusOf("self", "RssFile") / (1 << 20), format: "%.0f"})
	}
}

func pages(b *testing.B, small, large *corpus, limit, n int) {
	page := newLoad(b, n, small.pages(limit))
	floor := newLoad(b, n, small.plain(b, limit, page.size))
	turns := []*load{page, floor}
	var big *load
	if large != small {
		big = newLoad(b, n, large.pages(limit))
		turns = append(turns, big)
	}
	for range 7 {
		for _, l := range turns {
			l.round(b, 100_000/limit)
		}
		slices.Reverse(turns)
	}
	name := fmt.Sprintf("b page of %4d, %2d clients: ", limit, n)
	wall, used := 100*over(floor.wall, page.wall), 100*over(floor.cpu, page.cpu)
	b.ReportMetric(wall, fmt.Sprintf("%%-of-plain(%d,%d)", limit, n))
	b.ReportMetric(used, fmt.Sprintf("%%-of-plain-cpu(%d,%d)", limit, n))
	show(figure{name: name + "1 pages/s", value: 1 / median(page.wall).Seconds(), format: "%.0f"})
	show(figure{name: name + "2 % of net/http from memory", value: wall, format: "%.1f", least: 60})
	show(figure{name: name + "3 the same by processor time", value: used, format: "%.1f", least: 60})
	show(figure{name: name + "4 p50, µs", value: micro(at(page.took, 0.5)), format: "%.0f"})
	show(figure{name: name + "5 p99, µs", value: micro(at(page.took, 0.99)), format: "%.0f"})
	show(figure{name: name + "6 p50 and", value: micro(at(floor.took, 0.5)), format: "%.0f of net/http"})
	show(figure{name: name + "7 p99, µs", value: micro(at(floor.took, 0.99)), format: "%.0f of net/http"})
	if big == nil {
		return
	}
	show(figure{name: name + "8 cost at 1,000,000 over 10,000, by clock", value: over(big.wall, page.wall), format: "%.2f", most: 1.2})
	show(figure{name: name + "9 the same by processor time", value: over(big.cpu, page.cpu), format: "%.2f", most: 1.2})
}

func micro(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// resident is how much memory this process has resident.
func resident() float64 { return statusOf("self", "VmRSS") }

// BenchmarkCompressed serves pages of 100 objects in a coding: pages that others have
// had, which are kept, and pages that nobody has had. It takes turns with net/http
// serving the plain bytes from memory.
func BenchmarkCompressed(b *testing.B) {
	c := newCorpus(b, 10_000)
	few := *c
	few.cursors = c.cursors[:50]
	size := newLoad(b, 1, c.pages(100)).size
	for b.Loop() {
		for _, coding := range []string{"gzip", "zstd"} {
			floor := newLoad(b, 4, c.plain(b, 100, size))
			kept := newLoad(b, 4, few.pages(100, "Accept-Encoding", coding))
			fresh := newLoad(b, 4, func(i int) *http.Request {
				again := i / len(c.cursors) // another limit makes other pages of the same places
				return c.pages(100-again, "Accept-Encoding", coding)(i)
			})
			turns := []*load{floor, kept, fresh}
			for range 5 {
				for _, l := range turns {
					l.round(b, 500)
				}
				slices.Reverse(turns)
			}
			name := "b compressed page of 100, " + coding + ": "
			show(figure{name: name + "1 size, % of plain", value: 100 * float64(kept.size) / float64(size), format: "%.1f"})
			show(figure{name: name + "2 kept: % of net/http serving it plain", value: 100 * over(floor.wall, kept.wall), format: "%.1f"})
			show(figure{name: name + "3 the same by processor time", value: 100 * over(floor.cpu, kept.cpu), format: "%.1f", least: 60})
			show(figure{name: name + "4 first of its kind, by processor time", value: 100 * over(floor.cpu, fresh.cpu), format: "%.1f"})
		}
	}
}

const idle = "?added_after=2099-01-01T00:00:00.000000Z"

// constant answers what the exchange answers to the query, from memory.
func (c *corpus) constant(b *testing.B, query string) http.HandlerFunc {
	b.Helper()
	resp, err := http.DefaultClient.Do(c.ask(query))
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatal(resp.Status, err)
	}
	resp.Header.Del("Date") // which the server sets
	return func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), resp.Header)
		_, _ = w.Write(body)
	}
}

// BenchmarkIdle polls where nothing is new, in turns with a handler that does
// nothing and with one that answers the same from constants.
func BenchmarkIdle(b *testing.B) {
	c := newCorpus(b, 2000)
	empty := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(empty.Close)
	same := httptest.NewServer(c.constant(b, idle))
	b.Cleanup(same.Close)
	for b.Loop() {
		for _, n := range clients {
			poll := newLoad(b, n, func(int) *http.Request { return c.ask(idle) })
			other := *c
			other.url = empty.URL
			floor := newLoad(b, n, func(int) *http.Request { return other.ask(idle) })
			third := *c
			third.url = same.URL
			alike := newLoad(b, n, func(int) *http.Request { return third.ask(idle) })
			turns := []*load{poll, floor, alike}
			for range 9 {
				for _, l := range turns {
					l.round(b, 4000)
				}
				slices.Reverse(turns)
			}
			name := fmt.Sprintf("b idle poll, %2d clients: ", n)
			b.ReportMetric(100*over(floor.wall, poll.wall), fmt.Sprintf("%%-of-empty(%d)", n))
			b.ReportMetric(100*over(alike.wall, poll.wall), fmt.Sprintf("%%-of-alike(%d)", n))
			show(figure{name: name + "1 polls/s", value: 1 / median(poll.wall).Seconds(), format: "%.0f"})
			show(figure{name: name + "2 % of a handler that does nothing", value: 100 * over(floor.wall, poll.wall), format: "%.1f", least: 80})
			show(figure{name: name + "2 the same by processor time", value: 100 * over(floor.cpu, poll.cpu), format: "%.1f"})
			show(figure{name: name + "3 % of a handler that answers the same from constants", value: 100 * over(alike.wall, poll.wall), format: "%.1f", least: 80})
			show(figure{name: name + "3 the same by processor time", value: 100 * over(alike.cpu, poll.cpu), format: "%.1f"})
			show(figure{name: name + "5 processor time, µs", value: micro(median(poll.cpu)), format: "%.1f"})
			show(figure{name: name + "6 processor time of an empty handler, µs", value: micro(median(floor.cpu)), format: "%.1f"})
			show(figure{name: name + "4 p99, µs", value: micro(at(poll.took, 0.99)), format: "%.0f"})
		}
	}
}
