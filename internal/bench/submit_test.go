package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
)

// BenchmarkSubmit hands in 100,000 objects of about 1 KB, in turns with
// appending the same bytes to a file and syncing it: with one write for each
// object, and with one for each megabyte.
func BenchmarkSubmit(b *testing.B) {
	const objects, rounds = 100_000, 3
	var wall, used, each, block []time.Duration
	for b.Loop() {
		w := servertest.New(b)
		for i := range rounds {
			var text bytes.Buffer
			if err := stixtest.Bundle(&text, objects, uint64(i), stixtest.Options{}); err != nil {
				b.Fatal(err)
			}
			each = append(each, appended(b, text.Bytes(), text.Len()/objects))
			block = append(block, appended(b, text.Bytes(), 1<<20))
			r := w.Draft("case", w.Clock.Now().Add(1000*time.Hour))
			runtime.GC()
			start, before := time.Now(), cpu()
			receipt, err := w.X.Submissions.Submit(b.Context(), w.Operator, submission.Input{
				Release: r.ID, Class: exchange.DetectionGuidance, Filename: "case.json",
			}, bytes.NewReader(text.Bytes()))
			if err != nil || receipt.Artifact.Objects != objects {
				b.Fatalf("%d objects, %v", receipt.Artifact.Objects, err)
			}
			wall, used = append(wall, time.Since(start)), append(used, cpu()-before)
		}
	}
	perSecond := objects / median(wall).Seconds()
	b.ReportMetric(perSecond, "objects/s")
	b.ReportMetric(float64(median(used).Nanoseconds())/objects, "cpu-ns/object")
	b.ReportMetric(over(used, each), "x-append-each")
	b.ReportMetric(over(used, block), "x-append-block")
	show(figure{name: "a1 submission of 100,000 objects: objects per second", value: perSecond, format: "%.0f"})
	show(figure{name: "a2 the same, processor time over that of appending each object and syncing", value: over(used, each), format: "%.1f", most: 10})
	show(figure{name: "a3 the same, over that of appending megabytes and syncing", value: over(used, block), format: "%.1f"})
}

// appended is the processor time for appending the bytes to a file, size at a
// time, and syncing it once.
func appended(b *testing.B, text []byte, size int) time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	runtime.GC()
	before := cpu()
	for len(text) > 0 {
		n := min(size, len(text))
		if _, err := f.Write(text[:n]); err != nil {
			b.Fatal(err)
		}
		text = text[n:]
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	return cpu() - before
}
