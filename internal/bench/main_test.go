package bench

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(folderVariable); folder != "" {
		if err := serveUntilStdinEnds(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	code := m.Run()
	table()
	os.Exit(code)
}

// figure is one line of the table at the end.
type figure struct {
	name   string
	value  float64
	format string
	most   float64 // target: at most this much
	least  float64 // or at least this much; with neither there is no target
}

var figures = map[string]figure{} // by name: the last run counts

func show(f figure) { figures[f.name] = f }

func (f figure) target() (target, verdict string) {
	met := true
	switch {
	case f.most > 0:
		target, met = "≤ "+fmt.Sprintf(f.format, f.most), f.value <= f.most
	case f.least > 0:
		target, met = "≥ "+fmt.Sprintf(f.format, f.least), f.value >= f.least
	default:
		return "", ""
	}
	if met {
		return target, "met"
	}
	return target, "MISSED"
}

// table prints the figures with their targets. A missed target fails nothing:
// what else runs on the machine counts too.
func table() {
	if len(figures) == 0 {
		return
	}
	all := make([]figure, 0, len(figures))
	for _, f := range figures {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b figure) int { return cmp.Compare(a.name, b.name) })
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nfigure\tmeasured\ttarget\t")
	for _, f := range all {
		target, verdict := f.target()
		fmt.Fprintf(w, "%s\t"+f.format+"\t%s\t%s\n", f.name, f.value, target, verdict)
	}
	_ = w.Flush()
}

// cpu is the processor time that this process has used, user and system.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// at answers the value below which the share of them lies, such as 0.5.
func at[T cmp.Ordered](values []T, share float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

func median[T cmp.Ordered](values []T) T { return at(values, 0.5) }
