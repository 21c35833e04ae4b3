package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// soakVariable says for how long BenchmarkSoak runs, such as 10m; without it the
// benchmark is left out.
const soakVariable = "FOREWARN_SOAK"

// BenchmarkSoak lets 64 clients walk through a collection again and again, in pages,
// and half of them compressed, while one writer hands in releases that open at
// once and one posts envelopes of objects. It prints errors, memory and times
// for each minute.
func BenchmarkSoak(b *testing.B) {
	length, err := time.ParseDuration(os.Getenv(soakVariable))
	if err != nil {
		b.Skip(soakVariable + " does not say for how long")
	}
	s := newSoak(b)
	for b.Loop() {
		ctx, cancel := context.WithTimeout(b.Context(), length)
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() { s.poll(ctx, i) })
		}
		wg.Go(func() { s.write(ctx) })
		wg.Go(func() { s.post(ctx) })
		wg.Go(func() { s.watch(ctx, min(time.Minute, length/5)) })
		wg.Wait()
		cancel()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	show(figure{name: "s1 soak: answers", value: float64(s.answers), format: "%.0f"})
	show(figure{name: "s2 soak: errors", value: float64(len(s.failed)), format: "%.0f"})
	show(figure{name: "s3 soak: releases and envelopes written", value: float64(s.written), format: "%.0f"})
	if len(s.failed) > 0 {
		b.Errorf("%d errors, the first: %v", len(s.failed), s.failed[0])
	}
}

type soak struct {
	b     *testing.B
	w     *servertest.World
	url   string
	token string // of a machine that polls
	pen   string // of one that writes
	now   func() time.Time

	mu      sync.Mutex
	took    []time.Duration
	answers int
	written int
	failed  []error
}

func newSoak(b *testing.B) *soak {
	b.Helper()
	folder := b.TempDir()
	w := servertest.NewIn(b, folder)
	s := &soak{b: b, w: w, token: w.Token(servertest.EarlyA), pen: w.Token(servertest.EarlyB, exchange.VerbSubmit)}
	c := testkit.Charter()
	c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early"}, To: []exchange.CohortID{"early", "standard", "at-release"}}
	if _, err := w.X.Programs.Apply(b.Context(), w.Operator, c.TOML(), false); err != nil {
		b.Fatal(err)
	}
	start, began := w.Clock.Now(), time.Now()
	s.now = func() time.Time { return start.Add(time.Since(began)) }
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	open, err := server.Open(b.Context(), server.Options{Data: folder, Config: unlimited(), Now: s.now})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = open.Close() })
	w.Server, w.X = open, open.Exchange
	web := httptest.NewServer(open.Handler())
	b.Cleanup(web.Close)
	s.url = web.URL
	s.release("first")
	return s
}

// release hands in a release that opens within a second.
func (s *soak) release(title string) {
	r := s.w.Draft(title, s.now().Add(time.Second))
	s.w.Submit(r.ID, exchange.DetectionGuidance, "guidance.json", servertest.Bundle(500, uint64(time.Now().UnixNano())))
	s.w.Arm(r.ID)
}

// post adds envelopes of a hundred objects.
func (s *soak) post(ctx context.Context) {
	for seed := uint64(1); ctx.Err() == nil; seed++ {
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/taxii2/api/collections/early-warning/objects/", stixtest.Reader(100, seed, stixtest.Options{Size: 780}))
		req.Header.Set("Authorization", "Bearer "+s.pen)
		req.Header.Set("Content-Type", "application/taxii+json;version=2.1")
		resp, err := http.DefaultClient.Do(req)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			body, _ := io.ReadAll(resp.Body)
			if _ = resp.Body.Close(); resp.StatusCode != http.StatusAccepted || !bytes.Contains(body, []byte(`"success_count":100`)) {
				err = fmt.Errorf("%s: %.300s", resp.Status, body)
			}
		}
		s.mu.Lock()
		s.written++
		if err != nil {
			s.failed = append(s.failed, err)
		}
		s.mu.Unlock()
		rest(ctx, 500*time.Millisecond)
	}
}

func (s *soak) write(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		s.release(fmt.Sprint("case ", i))
		s.mu.Lock()
		s.written++
		s.mu.Unlock()
		rest(ctx, 2*time.Second)
	}
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (s *soak) poll(ctx context.Context, i int) {
	client := &http.Client{Transport: &http.Transport{DisableCompression: i%2 == 0}}
	cursor, idle := "", 0
	for ctx.Err() == nil {
		start := time.Now()
		last, err := s.page(ctx, client, cursor)
		took := time.Since(start)
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		s.answers++
		s.took = append(s.took, took)
		if err != nil {
			s.failed = append(s.failed, err)
		}
		s.mu.Unlock()
		if cursor, idle = last, idle+1; last != "" {
			idle = 0
		}
		if idle == 0 {
			continue
		}
		rest(ctx, 20*time.Millisecond)
	}
}

// page polls once and answers the cursor to go on with, "" to begin again.
func (s *soak) page(ctx context.Context, client *http.Client, cursor string) (string, error) {
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/taxii2/api/collections/early-warning/objects/?limit=100&added_after="+url.QueryEscape(cursor), nil)
	if cursor == "" {
		req.URL.RawQuery = "limit=100"
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := client.Do(req)
	if err != nil {
		return cursor, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return cursor, err
	}
	if resp.StatusCode != http.StatusOK {
		return cursor, fmt.Errorf("%s", resp.Status)
	}
	return resp.Header.Get("X-Taxii-Date-Added-Last"), nil
}

// watch prints a line for each stretch of time.
func (s *soak) watch(ctx context.Context, every time.Duration) {
	for n := 1; ; n++ {
		rest(ctx, every)
		s.mu.Lock()
		took, answers, written, failed := s.took, s.answers, s.written, len(s.failed)
		s.took = nil
		s.mu.Unlock()
		if len(took) > 0 {
			fmt.Printf("soak %v: %d answers, %d writes, %d errors, p50 %v, p99 %v, memory %.0f MiB, of it files %.0f MiB\n",
				time.Duration(n)*every, answers, written, failed, at(took, 0.5), at(took, 0.99), resident()/(1<<20), statusOf("self", "RssFile")/(1<<20))
		}
		if ctx.Err() != nil {
			return
		}
	}
}
