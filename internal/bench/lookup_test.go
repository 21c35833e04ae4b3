package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
)

// lookupObjects is the corpus of BenchmarkLookup: nine of ten objects hold values.
const lookupObjects = 100_000

// BenchmarkLookup looks up batches of 100,000 values over HTTP, of which one in a
// thousand is known, beside a server that does no more than to look the lines of
// the same bodies up in a Go map. Client and server share the process, so the
// processor time is that of both.
func BenchmarkLookup(b *testing.B) {
	folder := b.TempDir()
	w := servertest.NewIn(b, folder)
	r := w.Draft("look up", w.Clock.Now().Add(1000*time.Hour))
	w.Submit(r.ID, exchange.DetectionGuidance, "guidance.json", stixtest.Reader(lookupObjects, 5, stixtest.Options{}))
	w.Arm(r.ID)
	w.Clock.Set(r.Plan.T0)
	known := knownValues(b)
	token, outside := w.Token(servertest.EarlyA), w.Token(servertest.Late)
	s, url := reopened(b, w, folder)
	start := cpu()
	for done := false; !done; {
		var err error
		if done, err = s.Exchange.Lookup.Follow(b.Context(), 1<<30); err != nil {
			b.Fatal(err)
		}
	}
	took := cpu() - start
	values, size := s.Exchange.Lookup.Size()
	show(figure{name: "l0 index: µs of processor an object", value: float64(took.Microseconds()) / lookupObjects, format: "%.1f"})
	show(figure{name: "l0 index: MB a million values", value: float64(size) / float64(values), format: "%.0f"})

	batch := make([]string, 100_000)
	plain := make(map[string]struct{}, values)
	for i := range batch {
		switch {
		case i%1000 == 0:
			batch[i] = known[i/1000%len(known)]
			plain[batch[i]] = struct{}{}
		case i%10 < 4:
			batch[i] = fmt.Sprintf("%d.%d.%d.%d", 1+i%200, i>>16&255, i>>8&255, i&255)
		case i%10 < 7:
			batch[i] = fmt.Sprintf("h%x.unknown-%d.example", i*2654435761&0xffff, i)
		case i%10 < 9:
			batch[i] = fmt.Sprintf("%016x%016x%016x%016x", uint64(i)*0x9E3779B97F4A7C15, i, i, i)
		default:
			batch[i] = fmt.Sprintf("http://www.unknown-%d.example/path/%d", i, i)
		}
	}
	for i := range int(values) - len(plain) {
		plain[fmt.Sprint("other-", i, ".example")] = struct{}{}
	}
	limit := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := 0
		for line := range strings.SplitSeq(string(body), "\n") {
			if _, ok := plain[line]; ok {
				n++
			}
		}
		fmt.Fprintln(w, n)
	}))
	b.Cleanup(limit.Close)

	lines := []byte(strings.Join(batch, "\n"))
	array, err := json.Marshal(map[string][]string{"values": batch})
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	post := func(url, media, token string, body []byte) []byte {
		req, _ := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", media)
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatalf("%s: %.300s %v", resp.Status, got, err)
		}
		return got
	}
	b.Run("withheld", func(b *testing.B) {
		lookupWithheld(b, func(body []byte) {
			if got := post(url+"/api/v1/lookup", "text/plain", outside, body); !bytes.Contains(got, []byte(`"known":0,`)) {
				b.Fatalf("%.300s", got)
			}
		})
	})
	for n, c := range []struct {
		name, url, media string
		body             []byte
	}{
		{"lines", url + "/api/v1/lookup", "text/plain", lines},
		{"json", url + "/api/v1/lookup", "application/json", array},
		{"limit", limit.URL, "text/plain", lines},
	} {
		b.Run(c.name, func(b *testing.B) {
			if got := post(c.url, c.media, token, c.body); c.name != "limit" && !bytes.Contains(got, []byte(`"known":100,`)) {
				b.Fatalf("%.300s", got)
			}
			b.ResetTimer()
			start := cpu()
			for b.Loop() {
				post(c.url, c.media, token, c.body)
			}
			asked := float64(b.N * len(batch))
			perSecond, ns := asked/b.Elapsed().Seconds(), float64((cpu()-start).Nanoseconds())/asked
			b.ReportMetric(perSecond, "values/s")
			b.ReportMetric(ns, "cpu-ns/value")
			least := 1_000_000.0
			if c.name == "limit" {
				least = 0
			}
			show(figure{name: fmt.Sprintf("l%d look-up, %s: values/s", n+1, c.name), value: perSecond, format: "%.0f", least: least})
			show(figure{name: fmt.Sprintf("l%d look-up, %s: ns of processor a value, client and all", n+1, c.name), value: ns, format: "%.0f"})
		})
	}
}

// lookupWithheld compares how long it takes to answer for 20,000 names under a
// domain that is known and withheld, and under one that is not known.
func lookupWithheld(b *testing.B, ask func(body []byte)) {
	names := func(domain string) []byte {
		var s strings.Builder
		for i := range 20_000 {
			fmt.Fprintf(&s, "n%d.%s.example\n", i, domain)
		}
		return []byte(s.String())
	}
	withheld, unknown := names("host11"), names("hostzz")
	var hidden, none []float64
	timed := func(body []byte) float64 {
		start := time.Now()
		ask(body)
		return float64(time.Since(start).Microseconds())
	}
	for b.Loop() {
		for i := range 60 {
			if i%2 == 0 {
				hidden, none = append(hidden, timed(withheld)), append(none, timed(unknown))
			} else {
				none, hidden = append(none, timed(unknown)), append(hidden, timed(withheld))
			}
		}
	}
	show(figure{name: "l4 look-up of withheld names: median µs", value: median(hidden), format: "%.0f"})
	show(figure{name: "l4 look-up of withheld names: median µs where there is none", value: median(none), format: "%.0f"})
	show(figure{name: "l4 look-up of withheld names: share told apart by one time (0.5: none)", value: separation(hidden, none), format: "%.2f"})
}

// knownValues are values of the bundle that BenchmarkLookup submits.
func knownValues(b *testing.B) (out []string) {
	b.Helper()
	var doc struct {
		Objects []struct {
			Type  string `json:"type"`
			Value string `json:"value"`
		} `json:"objects"`
	}
	if err := json.NewDecoder(stixtest.Reader(2000, 5, stixtest.Options{})).Decode(&doc); err != nil {
		b.Fatal(err)
	}
	for _, o := range doc.Objects {
		if o.Type == "ipv4-addr" {
			out = append(out, o.Value)
		}
	}
	return out
}
