package bench

import (
	"net/http"
	"testing"
)

// unsent takes an answer and keeps nothing of it.
type unsent struct {
	header http.Header
	status int
}

func (u *unsent) Header() http.Header         { return u.header }
func (u *unsent) WriteHeader(status int)      { u.status = status }
func (u *unsent) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkHandler answers TAXII requests without a network: what of a request
// is the exchange's own, in time and in allocations.
func BenchmarkHandler(b *testing.B) {
	c := newCorpus(b, 10_000)
	h := c.server.Handler()
	page := c.pages(100)
	for _, load := range []struct {
		name    string
		request func(i int) *http.Request
	}{
		{"idle", func(int) *http.Request { return c.ask(idle) }},
		{"page", page},
	} {
		b.Run(load.name, func(b *testing.B) {
			var requests []*http.Request
			for i := range 500 {
				r := load.request(i)
				r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "127.0.0.1:1"
				requests = append(requests, r)
			}
			b.ReportAllocs()
			i := 0
			used := cpu()
			for b.Loop() {
				u := &unsent{header: http.Header{}}
				if h.ServeHTTP(u, requests[i%len(requests)]); u.status != 0 && u.status != http.StatusOK {
					b.Fatal(u.status)
				}
				i++
			}
			b.ReportMetric(float64((cpu()-used).Nanoseconds())/float64(i), "cpu-ns/op")
		})
	}
}
