package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/ledger"
)

// commitment is an entry as the exchange writes it.
func commitment(i int64) []byte {
	h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return append([]byte{1}, h[:]...)
}

func openLedger(b *testing.B, publish func(context.Context, int64, []byte) error) *ledger.Log {
	b.Helper()
	const origin = "example.org/log"
	private, _, err := note.GenerateKey(bytes.NewReader(make([]byte, 64)), origin)
	if err != nil {
		b.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(b.TempDir(), ledger.Options{Origin: origin, Signers: []note.Signer{signer}, Publish: publish})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return l
}

// BenchmarkLedgerAppend: writers that each wait until their own entry is durable
// under a signed checkpoint. Beside it stands the limit of the machine in the same
// run: one write and one sync after the other, of as many bytes, over zeros.
// tessera's writer stands beside it in tools/conformance.
func BenchmarkLedgerAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 256, 2048} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			var groups, size int64
			l := openLedger(b, func(_ context.Context, n int64, _ []byte) error { groups, size = groups+1, n; return nil })
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
			waits := slices.Concat(took...)
			perGroup := max(1, size/max(1, groups))
			floor := writeAndSync(b, int(perGroup), min(200, int(groups)))
			p50, p99 := at(waits, 0.5).Seconds()*1e3, at(waits, 0.99).Seconds()*1e3
			rate, ratio := float64(b.N)/spent.Seconds(), spent.Seconds()/float64(groups)/floor.Seconds()
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(rate, "appends/s")
			b.ReportMetric(p50, "p50-ms")
			b.ReportMetric(p99, "p99-ms")
			b.ReportMetric(float64(perGroup), "entries/group")
			b.ReportMetric(floor.Seconds()*1e3, "sync-ms")
			b.ReportMetric(ratio, "x-sync/group")
			name := fmt.Sprintf("l1 ledger, %4d writers: ", writers)
			first, second, third := figure{value: rate, format: "%.0f"}, figure{value: p50, format: "%.2f"}, figure{value: p99, format: "%.1f"}
			switch writers {
			case 256:
				second.most = 3
			case 2048:
				first.least, third.most = 50_000, 75
			}
			first.name, second.name, third.name = name+"durable appends/s", name+"ms, median", name+"ms, 99th percentile"
			show(first)
			show(second)
			show(third)
			show(figure{name: name + "time of a group in bare writes and syncs of its bytes", value: ratio, format: "%.1f"})
		})
	}
}

// writeAndSync answers the mean time of writing and syncing a group's bytes.
func writeAndSync(b *testing.B, entries, rounds int) time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	group := make([]byte, 300+entries*35)
	rounds = max(1, min(rounds, 16<<20/len(group)))
	if _, err := f.Write(make([]byte, rounds*len(group))); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	for i := range rounds {
		if _, err := f.WriteAt(group, int64(i*len(group))); err != nil {
			b.Fatal(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start) / time.Duration(rounds)
}

// BenchmarkLedgerProof makes and verifies inclusion proofs in a log of a million
// entries, and says how large a proof is.
func BenchmarkLedgerProof(b *testing.B) {
	const size = 1_000_000
	l := openLedger(b, nil)
	for n := int64(0); n < size; {
		all := make([][]byte, 20_000)
		for i := range all {
			all[i] = commitment(n)
			n++
		}
		if err := l.Put(n-int64(len(all)), all); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Wait(b.Context(), size); err != nil {
		b.Fatal(err)
	}
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
		show(figure{name: "l2 inclusion proof in a million entries: bytes", value: float64(len(proofs[0]) * tlog.HashSize), format: "%.0f"})
		show(figure{name: "l2 inclusion proof in a million entries: µs to verify", value: b.Elapsed().Seconds() * 1e6 / float64(b.N), format: "%.1f", most: 10})
	})
}
