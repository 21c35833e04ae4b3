package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/format/stix"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
)

// BenchmarkValidate checks bundles of 10,000 and of 1,000,000 objects by every
// rule of STIX 2.1. The floor is json.Valid on such bytes; the bundles are made
// while they are read, and what that costs is taken off.
func BenchmarkValidate(b *testing.B) {
	var few bytes.Buffer
	if err := stixtest.Bundle(&few, 10_000, 1, stixtest.Options{}); err != nil {
		b.Fatal(err)
	}
	valid := time.Duration(0)
	for range 5 {
		valid = sooner(valid, spent(func() { json.Valid(few.Bytes()) }))
	}
	floor := float64(valid) / float64(few.Len())
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("objects=%d", n), func(b *testing.B) {
			var scan, made time.Duration
			size := int64(0)
			for b.Loop() {
				made = sooner(made, spent(func() { size, _ = io.Copy(io.Discard, stixtest.Reader(n, 1, stixtest.Options{})) }))
				scan = sooner(scan, spent(func() {
					sum, err := stix.Scan(stixtest.Reader(n, 1, stixtest.Options{}), stix.Options{}, nil)
					if err != nil || sum.ProblemCount > 0 || sum.Objects != n {
						b.Fatal(err, sum.Problems)
					}
				}))
			}
			each := float64(scan-made) / float64(size)
			b.ReportMetric(1000/each, "MB/s")
			b.ReportMetric(floor/each, "×json.Valid")
			show(figure{name: fmt.Sprintf("validation of %d objects beside json.Valid (CPU)", n), value: floor / each, format: "%.2f", least: 0.4})
			show(figure{name: fmt.Sprintf("validation of %d objects, MB per CPU second", n), value: 1000 / each, format: "%.0f"})
		})
	}
}

// spent is the processor time of one call.
func spent(f func()) time.Duration {
	start := cpu()
	f()
	return cpu() - start
}

// sooner is the lesser of two times, of which 0 is none.
func sooner(old, now time.Duration) time.Duration {
	if old == 0 {
		return now
	}
	return min(old, now)
}
