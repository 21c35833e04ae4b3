package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// commitment is an entry of the size that the exchange writes.
func commitment(i int64) []byte {
	h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return append([]byte{1}, h[:]...)
}

// BenchmarkAppend: writers that each wait until their own entry is durable under a
// signed checkpoint. Beside it stands the limit of the machine in the same run:
// one write and one sync after the other, of groups of the same size.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 256, 2048} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			var groups, size int64
			o := options(b)
			o.Publish = func(_ context.Context, n int64, _ []byte) error { groups, size = groups+1, n; return nil }
			l := open(b, b.TempDir(), o)
			took := make([][]time.Duration, writers)
			var mu sync.Mutex
			var next atomic.Int64
			var put int64
			var all sync.WaitGroup
			b.ResetTimer()
			start := time.Now()
			for w := range writers {
				all.Go(func() {
					for next.Add(1) <= int64(b.N) {
						begun := time.Now()
						mu.Lock()
						i := put
						put++
						err := l.Put(i, [][]byte{commitment(i)})
						mu.Unlock()
						if err == nil {
							err = l.Wait(b.Context(), i+1)
						}
						if err != nil {
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
			perGroup := max(1, size/max(1, groups))
			floor := syncOnly(b, int(perGroup), min(200, int(groups)))
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(b.N)/spent.Seconds(), "appends/s")
			b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1e3, "p50-ms")
			b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1e3, "p99-ms")
			b.ReportMetric(float64(perGroup), "entries/group")
			b.ReportMetric(float64(floor.Microseconds())/1e3, "sync-ms")
			b.ReportMetric(spent.Seconds()/float64(groups)/floor.Seconds(), "x-sync/group")
		})
	}
}

// syncOnly answers the mean time of writing and syncing a group's bytes.
func syncOnly(b *testing.B, entries, rounds int) time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	group := make([]byte, recordHead+entries*35+sumSize+220)
	start := time.Now()
	for i := range max(1, rounds) {
		if _, err := f.WriteAt(group, int64(i*len(group))); err != nil {
			b.Fatal(err)
		}
		if err := syncData(f); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start) / time.Duration(max(1, rounds))
}

// filledLog is a log of a size, not synced group by group.
func filledLog(b *testing.B, dir string, size int64) *Log {
	b.Helper()
	l := open(b, dir, options(b))
	const step = 20_000
	for n := int64(0); n < size; n += step {
		all := make([][]byte, min(step, size-n))
		for i := range all {
			all[i] = commitment(n + int64(i))
		}
		if err := l.Put(n, all); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Wait(b.Context(), size); err != nil {
		b.Fatal(err)
	}
	settle(l)
	return l
}

// BenchmarkProof makes and verifies inclusion proofs in a log of a million
// entries, and says how large a proof is.
func BenchmarkProof(b *testing.B) {
	const size = 1_000_000
	l := filledLog(b, b.TempDir(), size)
	of := func(i int) int64 { return int64(uint64(i) * 0x9E3779B97F4A7C15 % size) }
	b.Run("make", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := l.Inclusion(of(i), size); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("make-newest", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := l.Inclusion(size-1-int64(i%2000), size); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		var proofs []tlog.RecordProof
		for i := range 256 {
			p, err := l.Inclusion(of(i), size)
			if err != nil {
				b.Fatal(err)
			}
			proofs = append(proofs, p)
		}
		root, _ := l.Root(size)
		for i := 0; b.Loop(); i++ {
			n := of(i % 256)
			if err := tlog.CheckRecord(proofs[i%256], size, root, n, tlog.RecordHash(commitment(n))); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(proofs[0])*tlog.HashSize), "bytes")
	})
	b.Run("checkpoint-for", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := l.CheckpointFor(of(i)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkOpen: how long a log of a million entries takes to open after its
// process was killed, and after it was closed.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	l := filledLog(b, dir, 1_000_000)
	killed := copyOf(b, dir)
	l.Close()
	for name, dir := range map[string]string{"killed": killed, "closed": dir} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				l, err := Open(dir, Options{ReadOnly: true})
				if err != nil {
					b.Fatal(err)
				}
				l.Close()
			}
		})
	}
	b.Run("bytes", func(b *testing.B) {
		var all int64
		for b.Loop() {
			all = folderSize(b, dir)
		}
		b.ReportMetric(float64(all)/1e6, "bytes/entry")
	})
	b.Run("check", func(b *testing.B) {
		l := open(b, dir, Options{ReadOnly: true})
		for b.Loop() {
			if err := l.Check(b.Context(), func(path string, i int64, err error) { b.Error(path, i, err) }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func folderSize(b *testing.B, dir string) (n int64) {
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		n += info.Size()
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}
