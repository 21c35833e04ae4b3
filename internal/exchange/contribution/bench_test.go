package contribution_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// cpu is the processor time that this process has taken.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAdd adds envelopes of n new objects, each durable when it returns,
// and beside it appends and syncs the same bytes to a file. cpu-ratio is how
// many times the processor time of that it takes.
func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, []exchange.CohortID{early}, []exchange.CohortID{early, standard, late})
			a := w.writer(servertest.EarlyA)
			f, err := os.Create(filepath.Join(b.TempDir(), "limit"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			var took, limit, spent, base time.Duration
			made := 0
			for b.Loop() {
				var body bytes.Buffer
				body.WriteString(`{"objects":[`)
				for i := range n {
					if i > 0 {
						body.WriteByte(',')
					}
					made++
					body.WriteString(indicator(made, v1, filler))
				}
				body.WriteString(`]}`)
				at, used := time.Now(), cpu()
				st, err := w.X.Contributions.Add(b.Context(), a, testkit.Program, bytes.NewReader(body.Bytes()))
				took, spent = took+time.Since(at), spent+cpu()-used
				if err != nil || st.Success != n || !st.Complete {
					b.Fatalf("%v: %d of %d", err, st.Success, n)
				}
				at, used = time.Now(), cpu()
				if _, err := io.Copy(f, &body); err != nil {
					b.Fatal(err)
				}
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
				limit, base = limit+time.Since(at), base+cpu()-used
			}
			b.ReportMetric(float64(made)/took.Seconds(), "objects/s")
			b.ReportMetric(float64(made)/spent.Seconds(), "objects/cpu-s")
			b.ReportMetric(float64(took)/float64(limit), "ratio")
			b.ReportMetric(float64(spent)/float64(base), "cpu-ratio")
		})
	}
}

// filler makes an indicator about 780 bytes long.
const filler = `,"description":"` + text + text + text + text + text + `"`

const text = "An indicator as sensors send them, with a text of some length: fifty bytes and more. "
