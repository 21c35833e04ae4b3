package conformance

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
)

// BenchmarkWriters: tessera's POSIX writer and the ledger in the same run, under
// the same load: writers that each wait until their own entry is under a published
// checkpoint. tessera is given its shortest interval between checkpoints.
func BenchmarkWriters(b *testing.B) {
	for _, writers := range []int{1, 16, 256, 2048} {
		b.Run(fmt.Sprintf("ledger/writers=%d", writers), func(b *testing.B) {
			l, _ := open(b)
			var mu sync.Mutex
			var put int64
			load(b, writers, func(ctx context.Context) error {
				mu.Lock()
				i := put
				put++
				err := l.Put(i, [][]byte{entry(i)})
				mu.Unlock()
				if err != nil {
					return err
				}
				return l.Wait(ctx, i+1)
			})
		})
		b.Run(fmt.Sprintf("tessera/writers=%d", writers), func(b *testing.B) {
			add := tesseraWriter(b, max(1, writers/4))
			var n atomic.Int64
			load(b, writers, func(ctx context.Context) error { return add(ctx, entry(n.Add(1))) })
		})
	}
}

func tesseraWriter(b *testing.B, batch int) func(context.Context, []byte) error {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	dir, err := os.MkdirTemp("", "tessera")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) }) // its background may still be writing there
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		b.Fatal(err)
	}
	s, _ := keys(b)
	o := tessera.NewAppendOptions().WithCheckpointSigner(s).WithCheckpointInterval(100*time.Millisecond).
		WithBatching(uint(batch), 5*time.Millisecond)
	a, shutdown, reader, err := tessera.NewAppender(ctx, driver, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = shutdown(ctx) })
	published := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 5*time.Millisecond)
	return func(ctx context.Context, entry []byte) error {
		_, _, err := published.Await(ctx, a.Add(ctx, tessera.NewEntry(entry)))
		return err
	}
}

// load runs b.N appends by a number of writers.
func load(b *testing.B, writers int, add func(context.Context) error) {
	b.Helper()
	took := make([][]time.Duration, writers)
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	start := time.Now()
	for w := range writers {
		all.Go(func() {
			for next.Add(1) <= int64(b.N) {
				begun := time.Now()
				if err := add(b.Context()); err != nil {
					b.Error(err)
					return
				}
				took[w] = append(took[w], time.Since(begun))
			}
		})
	}
	all.Wait()
	spent := time.Since(start)
	b.StopTimer()
	waits := slices.Sorted(slices.Values(slices.Concat(took...)))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(b.N)/spent.Seconds(), "appends/s")
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1e3, "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1e3, "p99-ms")
}
