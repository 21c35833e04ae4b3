package bench

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
)

// BenchmarkWithheld compares how long it takes to answer for what is withheld
// and for what does not exist, asked in turns by one client. The answers are
// equal in every byte; their times should not tell them apart either.
func BenchmarkWithheld(b *testing.B) {
	folder := b.TempDir()
	w := servertest.NewIn(b, folder)
	t0 := w.Clock.Now().Add(3000 * time.Hour)
	r := w.Draft("withheld", t0)
	const seed = 77
	bundle := w.Submit(r.ID, exchange.DetectionGuidance, "guidance.json", stixtest.Reader(10_000, seed, stixtest.Options{}))
	w.Submit(r.ID, exchange.PoC, "poc.py", strings.NewReader("print()\n"))
	w.Arm(r.ID)
	cut, back, value := given(b, w)
	token := w.Token(servertest.EarlyA)
	_, url := reopened(b, w, folder)
	object := func(i int) string { return stixtest.ID(stixtest.Type(i, stixtest.Options{}), seed, i) }
	unknown := func(i int) string { return stixtest.ID("indicator", seed+1, i) }
	again := func(typ string) func(i int) string { // as many as there are of those that they are compared with
		return func(i int) string { return stixtest.ID(typ, seed+1, i%back.objects) }
	}
	const taxii, api = "/taxii2/api/collections/early-warning/objects/%s/", "/api/v1/programs/early-warning/objects/%s"
	channels := []struct {
		name, path      string
		hidden, unknown func(i int) string
	}{
		{"object by TAXII", taxii, object, unknown},
		{"artifact by the API", "/api/v1/artifacts/%s", func(int) string { return string(bundle.ID) }, like("art")},
		{"release by the API", "/api/v1/releases/%s", func(int) string { return string(r.ID) }, like("rel")},
		{"original of a redacted copy by TAXII", taxii, cut, again("malware")},
		{"original of a redacted copy by the API", api, cut, again("malware")},
		{"recalled object by TAXII", taxii, func(i int) string { return servertest.MarkedID(back.seed, i%back.objects) }, again("indicator")},
		{"recalled artifact by the API", "/api/v1/artifacts/%s", func(int) string { return string(back.artifact) }, like("art")},
		{"value of a withheld object by the API", "/api/v1/lookup", value, func(i int) string { return fmt.Sprintf("marked-%d-%d.example", 6, i%500) }},
	}
	const asked, warm = 10_000, 500
	client := &http.Client{Transport: &http.Transport{}}
	ask := func(path, id string) float64 {
		method, body, want := http.MethodGet, "", http.StatusNotFound
		if address, _, ok := strings.Cut(path, "%s"); !ok {
			method, body, want, path = http.MethodPost, id, http.StatusOK, address
		} else {
			path = fmt.Sprintf(path, id)
		}
		req, _ := http.NewRequest(method, url+path, strings.NewReader(body))
		if body != "" {
			req.Header.Set("Content-Type", "text/plain")
		}
		req.Header.Set("Authorization", "Bearer "+token)
		start := time.Now()
		resp, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		took := time.Since(start)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want {
			b.Fatalf("%s %s: %s %v", path, id, resp.Status, err)
		}
		return float64(took.Nanoseconds()) / 1000
	}
	for n, c := range channels {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			var hidden, unknown []float64
			for b.Loop() {
				// Answers leave at instants that are far apart, so that time spent
				// before a question would be missing in what the answer takes.
				var ids [2][asked + warm]string
				for i := range asked + warm {
					ids[0][i], ids[1][i] = c.hidden(i), c.unknown(i)
				}
				for i := range asked + warm {
					var h, u float64
					if rand.IntN(2) == 0 { // in no order that something else on the machine keeps as well
						h, u = ask(c.path, ids[0][i]), ask(c.path, ids[1][i])
					} else {
						u, h = ask(c.path, ids[1][i]), ask(c.path, ids[0][i])
					}
					if i >= warm {
						hidden, unknown = append(hidden, h), append(unknown, u)
					}
				}
			}
			b.ReportMetric(median(hidden), "hidden-p50-µs")
			b.ReportMetric(median(unknown), "unknown-p50-µs")
			b.ReportMetric(at(hidden, 0.9), "hidden-p90-µs")
			b.ReportMetric(at(unknown, 0.9), "unknown-p90-µs")
			apart := separation(hidden, unknown)
			b.ReportMetric(apart, "guessed-right")
			b.ReportMetric(smirnov(hidden, unknown), "p")
			name := fmt.Sprintf("e%d withheld %s", n+1, c.name)
			show(figure{name: name + ": median µs", value: median(hidden), format: "%.0f"})
			show(figure{name: name + ": median µs where there is none", value: median(unknown), format: "%.0f"})
			show(figure{name: name + ": p90 µs", value: at(hidden, 0.9), format: "%.0f"})
			show(figure{name: name + ": p90 µs where there is none", value: at(unknown, 0.9), format: "%.0f"})
			show(figure{name: name + ": share told apart by one time (0.5: none)", value: apart, format: "%.2f"})
			show(figure{name: name + ": p of Kolmogorov and Smirnov, 10,000 of each", value: smirnov(hidden, unknown), format: "%.3f"})
		})
	}
}

// taken is an artifact that was recalled before the reader had it.
type taken struct {
	seed     uint64
	objects  int
	artifact exchange.ArtifactID
}

// given opens a release of which the reader is given something: copies of
// objects of which it may not have a part, by cut's identifiers; of what was
// recalled meanwhile, nothing; and nothing of what is for named persons, which
// holds the values.
func given(b *testing.B, w *servertest.World) (cut func(i int) string, back taken, value func(i int) string) {
	b.Helper()
	t0 := w.Clock.Now().Add(1000 * time.Hour)
	r := w.Draft("given", t0)
	persons := func(in *submission.Input) {
		in.Handling.Persons = []exchange.PersonID{w.Reader(servertest.EarlyB).Person}
	}
	const each, cutSeed, namedSeed = 500, 78, 4
	var things []servertest.Thing
	for i := range each {
		things = append(things, servertest.Thing{
			ID: stixtest.ID("malware", cutSeed, i), Grains: map[exchange.TLP][]string{exchange.TLPRed: {"description"}},
			More: fmt.Sprintf(`"name":"half %d","description":"the other half","is_family":true`, i),
		})
	}
	art := w.Submit(r.ID, exchange.DetectionGuidance, "cut.json", servertest.Graph(cutSeed, things...), servertest.Label(exchange.TLPAmber), persons)
	w.Grain(art, things...)
	marks := make([]string, each)
	back = taken{seed: 5, objects: each}
	back.artifact = w.Submit(r.ID, exchange.DetectionGuidance, "back.json", servertest.Marked(back.seed, marks...)).ID
	w.Submit(r.ID, exchange.DetectionGuidance, "named.json", servertest.Marked(namedSeed, marks...), servertest.Label(exchange.TLPRed), persons)
	w.Arm(r.ID)
	w.Clock.Set(t0.Add(-time.Hour))
	if err := w.X.Releases.OpenDue(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, err := w.X.Recalls.Issue(b.Context(), w.Operator, recall.Act{Kind: recall.Recalled, Artifact: back.artifact, Reason: "a benchmark"}); err != nil {
		b.Fatal(err)
	}
	return func(i int) string { return things[i%each].ID }, back,
		func(i int) string { return fmt.Sprintf("marked-%d-%d.example", namedSeed, i%each) }
}

// like makes identifiers that look right and name nothing.
func like(prefix string) func(i int) string {
	return func(int) string { return exchange.RandomID(prefix) }
}

// separation is how often a guess by the best threshold between two sets of
// times would be right: 0.5 is chance.
func separation(a, b []float64) float64 {
	best := 0.5
	for _, t := range append(append([]float64{}, a[:min(len(a), 500)]...), b[:min(len(b), 500)]...) {
		below := func(v []float64) (n int) {
			for _, x := range v {
				if x <= t {
					n++
				}
			}
			return n
		}
		right := (float64(below(a))/float64(len(a)) + 1 - float64(below(b))/float64(len(b))) / 2
		best = math.Max(best, math.Max(right, 1-right))
	}
	return best
}

// smirnov is the two-sample test of Kolmogorov and Smirnov: the chance that two
// sets of times from one distribution lie as far apart as these or further.
// Below 0.01 the two would be told apart.
func smirnov(a, b []float64) float64 {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	gap := 0.0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		x := min(a[i], b[j])
		for i < len(a) && a[i] == x {
			i++
		}
		for j < len(b) && b[j] == x {
			j++
		}
		gap = max(gap, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	n := math.Sqrt(float64(len(a)) * float64(len(b)) / float64(len(a)+len(b)))
	x := (n + 0.12 + 0.11/n) * gap
	p := 0.0
	for k := 1.0; k <= 100; k++ {
		term := 2 * math.Exp(-2*k*k*x*x)
		if int(k)%2 == 0 {
			term = -term
		}
		p += term
	}
	return min(1, max(0, p))
}
