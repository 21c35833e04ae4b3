package submission_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
)

// cpu is what this process has used so far, in user and in kernel.
func cpu(b testing.TB) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

const objects = 100_000

// BenchmarkSubmit100k hands in 100,000 objects of about 1 kB and reports the
// CPU per object, and as ratios to appending the same bytes to a file and
// syncing it: in one write per object (each), and in large blocks (block).
func BenchmarkSubmit100k(b *testing.B) {
	var text bytes.Buffer
	if err := stixtest.Bundle(&text, objects, 1, stixtest.Options{}); err != nil {
		b.Fatal(err)
	}
	each, block := appending(b, text.Bytes(), text.Len()/objects), appending(b, text.Bytes(), 1<<20)
	var used time.Duration
	for b.Loop() {
		b.StopTimer()
		h := newHouse(b)
		before := cpu(b)
		b.StartTimer()
		in := submission.Input{Release: release, Class: exchange.DetectionGuidance}
		if _, err := h.room.Submit(context.Background(), operator, in, bytes.NewReader(text.Bytes())); err != nil {
			b.Fatal(describe(err))
		}
		b.StopTimer()
		used += cpu(b) - before
		b.StartTimer()
	}
	per := used / time.Duration(b.N)
	b.ReportMetric(float64(per.Nanoseconds())/objects, "cpu-ns/object")
	b.ReportMetric(objects/(b.Elapsed().Seconds()/float64(b.N)), "objects/s")
	b.ReportMetric(float64(each.Nanoseconds())/objects, "append-each-cpu-ns/object")
	b.ReportMetric(float64(block.Nanoseconds())/objects, "append-block-cpu-ns/object")
	b.ReportMetric(float64(per)/float64(each), "x-append-each")
	b.ReportMetric(float64(per)/float64(block), "x-append-block")
}

// appending is the CPU for appending the bytes to a file, size at a time, and
// syncing it once.
func appending(b *testing.B, text []byte, size int) time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	before := cpu(b)
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
	return cpu(b) - before
}

// BenchmarkSubmit1M hands in one bundle of 1,000,000 objects and reports the
// peak memory of the process. Run it alone: the peak is that of the process.
func BenchmarkSubmit1M(b *testing.B) {
	for b.Loop() {
		h := newHouse(b)
		in := submission.Input{Release: release, Class: exchange.DetectionGuidance}
		_, err := h.room.Submit(context.Background(), operator, in, stixtest.Reader(1_000_000, 1, stixtest.Options{}))
		if err != nil {
			b.Fatal(describe(err))
		}
	}
	b.ReportMetric(peak(b)/(1<<20), "peak-MB")
	b.ReportMetric(1_000_000/(b.Elapsed().Seconds()/float64(b.N)), "objects/s")
}

func peak(b *testing.B) float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb * 1024
		}
	}
	return 0
}
