package bench

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// BenchmarkLargeBundle hands one bundle of 1,000,000 objects (1 GB) in over
// HTTP, streamed from a generator, to a server in a process of its own, and
// reports the most memory which that process ever had resident.
func BenchmarkLargeBundle(b *testing.B) {
	if testing.Short() {
		b.Skip("takes half a minute")
	}
	const objects = 1_000_000
	for b.Loop() {
		folder := b.TempDir()
		w := servertest.NewIn(b, folder)
		r := w.Draft("large", w.Clock.Now().Add(1000*time.Hour))
		token := w.Token(testkit.Owner, exchange.VerbSubmit)
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		p := spawn(b, folder)
		idle := p.memory("VmHWM")
		start := time.Now()
		got := post(b, p.url+"/api/v1/releases/"+string(r.ID)+"/artifacts?class=detection-guidance&filename=large.json", token,
			stixtest.Reader(objects, 1, stixtest.Options{}))
		took := time.Since(start)
		if got != objects {
			b.Fatalf("%d objects were stored", got)
		}
		peak := p.memory("VmHWM")
		p.end(b)
		b.ReportMetric(peak/(1<<20), "peak-MiB")
		b.ReportMetric(idle/(1<<20), "idle-MiB")
		b.ReportMetric(objects/took.Seconds(), "objects/s")
		show(figure{name: "c1 bundle of 1,000,000 objects: peak memory of the server, MiB", value: peak / (1 << 20), format: "%.0f", most: 256})
		show(figure{name: "c2 bundle of 1,000,000 objects: objects per second, over HTTP", value: objects / took.Seconds(), format: "%.0f"})
	}
}

// post hands an artifact in and answers how many objects were stored.
func post(b *testing.B, url, token string, body io.Reader) int64 {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, body)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/octet-stream")
	req.Header.Set("Idempotency-Key", "one")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		b.Fatalf("%s: %s %v", resp.Status, text, err)
	}
	var answer struct {
		Artifact struct {
			Objects int64 `json:"objects"`
		} `json:"artifact"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		b.Fatal(err)
	}
	return answer.Artifact.Objects
}
