package bench

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// BenchmarkContribute adds envelopes of new objects of about 780 bytes, each
// envelope durable when it is answered, to the room and by POST to a served
// collection. It takes turns with appending the same bytes to a file and
// syncing it, as BenchmarkSubmit does. What is posted counts the client too.
func BenchmarkContribute(b *testing.B) {
	for i, n := range []int{100, 1_000, 10_000} {
		name := fmt.Sprintf("a%d envelopes of %5d objects, ", 4+i, n)
		b.Run(fmt.Sprintf("room/%d", n), func(b *testing.B) {
			w := contributing(b, b.TempDir())
			a := w.Machine(servertest.EarlyA)
			a.Verbs = []exchange.Verb{exchange.VerbSubmit}
			contribute(b, name+"in the room", n, func(body []byte) error {
				st, err := w.X.Contributions.Add(b.Context(), a, testkit.Program, bytes.NewReader(body))
				if err == nil && (st.Success != n || !st.Complete) {
					err = fmt.Errorf("%d of %d", st.Success, n)
				}
				return err
			})
		})
		b.Run(fmt.Sprintf("post/%d", n), func(b *testing.B) {
			folder := b.TempDir()
			w := contributing(b, folder)
			token := w.Token(servertest.EarlyA, exchange.VerbSubmit)
			_, url := reopened(b, w, folder)
			answer := make([]byte, 64<<10)
			contribute(b, name+"posted", n, func(body []byte) error {
				req, _ := http.NewRequest(http.MethodPost, url+"/taxii2/api/collections/early-warning/objects/", bytes.NewReader(body))
				req.Header.Set("Authorization", "Bearer "+token)
				req.Header.Set("Accept", "application/taxii+json;version=2.1")
				req.Header.Set("Content-Type", "application/taxii+json;version=2.1")
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				head, err := io.ReadFull(resp.Body, answer[:100])
				if want := []byte(`"status":"complete"`); err == nil && (resp.StatusCode != http.StatusAccepted || !bytes.Contains(answer[:head], want)) {
					err = fmt.Errorf("%s: %s", resp.Status, answer[:head])
				}
				if err == nil {
					_, err = io.CopyBuffer(onlyWriter{}, onlyReader{resp.Body}, answer)
				}
				return err
			})
		})
	}
}

// contributing is a world whose program takes what members write.
func contributing(b *testing.B, folder string) *servertest.World {
	b.Helper()
	w := servertest.NewIn(b, folder)
	c := testkit.Charter()
	c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early"}, To: []exchange.CohortID{"early", "standard", "at-release"}}
	if _, err := w.X.Programs.Apply(b.Context(), w.Operator, c.TOML(), false); err != nil {
		b.Fatal(err)
	}
	return w
}

// contribute measures adding envelopes of n objects, some of them in a turn. The
// first of all does not count.
func contribute(b *testing.B, name string, n int, add func(body []byte) error) {
	b.Helper()
	turn := max(3, min(20, 4_000/n))
	var wall, used, each, block []time.Duration
	seed := uint64(1)
	body := func() []byte {
		seed++
		text, err := io.ReadAll(stixtest.Reader(n, seed, stixtest.Options{Size: 780}))
		if err != nil {
			b.Fatal(err)
		}
		return text
	}
	if err := add(body()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		bodies := make([][]byte, turn)
		for i := range bodies {
			bodies[i] = body()
			each = append(each, appended(b, bodies[i], len(bodies[i])/n))
			block = append(block, appended(b, bodies[i], 1<<20))
		}
		runtime.GC()
		for _, text := range bodies {
			start, before := time.Now(), cpu()
			if err := add(text); err != nil {
				b.Fatal(err)
			}
			wall, used = append(wall, time.Since(start)), append(used, cpu()-before)
		}
	}
	perSecond := float64(n) / median(wall).Seconds()
	b.ReportMetric(perSecond, "objects/s")
	b.ReportMetric(float64(median(used).Nanoseconds())/float64(n), "cpu-ns/object")
	b.ReportMetric(over(used, each), "x-append-each")
	b.ReportMetric(over(used, block), "x-append-block")
	show(figure{name: name + ": 1 objects per second", value: perSecond, format: "%.0f", least: 25_000})
	show(figure{name: name + ": 2 processor time over appending each object and syncing", value: over(used, each), format: "%.1f", most: 8})
	show(figure{name: name + ": 3 over appending all at once and syncing", value: over(used, block), format: "%.1f"})
}
