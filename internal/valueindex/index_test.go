package valueindex

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/format/observable"
)

func parse(tb testing.TB, s string) observable.Value {
	tb.Helper()
	v, err := observable.Parse(s)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// answer is what the index says of a value: how, which value, which object.
func (x *Index) answer(v observable.Value) []string {
	found, _ := x.Find(v, nil)
	var out []string
	for _, m := range found {
		x.Groups(m, func(g Group) {
			for _, o := range x.Objects(g, nil) {
				out = append(out, fmt.Sprint(m.How, " ", x.Text(m), " ", o, " ", g.Class))
			}
		})
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestFind(t *testing.T) {
	x := New(1 << 30)
	const art = 7 << positionBits
	for i, s := range []string{
		"192.0.2.1", "192.0.2.0/24", "192.0.2.128/25", "192.0.3.1", "2001:db8::1", "2001:db8::/32",
		"evil.example", "deep.sub.evil.example", "http://evil.example/a", strings.Repeat("Ab", 16),
	} {
		if err := x.Add(parse(t, s), art|int64(i), 1); err != nil {
			t.Fatal(err)
		}
	}
	name := parse(t, "other.example")
	name.Kind = observable.Text // a file of this name
	if err := x.Add(name, art|90, 2); err != nil {
		t.Fatal(err)
	}
	n := func(how, value string, i int) string { return fmt.Sprint(how, " ", value, " ", art|i, " 1") }
	for in, want := range map[string][]string{
		"192.0.2.1":                 {n("exact", "192.0.2.1", 0), n("network", "192.0.2.0/24", 1)},
		"192.0.2.200":               {n("network", "192.0.2.0/24", 1), n("network", "192.0.2.128/25", 2)},
		"192.0.2.0/24":              {n("exact", "192.0.2.0/24", 1), n("within", "192.0.2.1", 0), n("within", "192.0.2.128/25", 2)},
		"192.0.2.0/23":              {n("within", "192.0.2.0/24", 1), n("within", "192.0.2.1", 0), n("within", "192.0.2.128/25", 2), n("within", "192.0.3.1", 3)},
		"192.0.2.0/30":              {n("network", "192.0.2.0/24", 1), n("within", "192.0.2.1", 0)},
		"198.51.100.1":              nil,
		"2001:db8:1::1":             {n("network", "2001:db8::/32", 5)},
		"2001:db8::/64":             {n("network", "2001:db8::/32", 5), n("within", "2001:db8::1", 4)},
		"evil.example":              {n("exact", "evil.example", 6)},
		"a.b.EVIL.example":          {n("parent", "evil.example", 6)},
		"x.deep.sub.evil.example":   {n("parent", "deep.sub.evil.example", 7), n("parent", "evil.example", 6)},
		"notevil.example":           nil,
		"example":                   nil,
		"http://evil.example/a":     {n("exact", "http://evil.example/a", 8), n("host", "evil.example", 6)},
		"http://sub.evil.example/b": {n("parent", "evil.example", 6)},
		"http://192.0.2.1/":         {n("host", "192.0.2.1", 0), n("network", "192.0.2.0/24", 1)},
		strings.Repeat("aB", 16):    {n("exact", strings.Repeat("ab", 16), 9)},
		"other.example":             {fmt.Sprint("exact other.example ", art|90, " 2")},
		"sub.other.example":         nil,
		"http://other.example/":     nil,
	} {
		slices.Sort(want)
		if d := cmp.Diff(want, x.answer(parse(t, in))); d != "" {
			t.Errorf("%s: %s", in, d)
		}
	}
}

// Whatever is added, the index finds what a search through all finds.
func TestAsASearchThroughAll(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	type held struct {
		v             observable.Value
		object, class int64
	}
	x, all := New(1<<30), []held{}
	random := func() observable.Value {
		var s string
		switch r.IntN(6) {
		case 0:
			s = fmt.Sprintf("10.%d.%d.%d", r.IntN(3), r.IntN(4), r.IntN(8))
		case 1:
			s = fmt.Sprintf("10.%d.%d.0/%d", r.IntN(3), r.IntN(4), 12+r.IntN(20))
		case 2:
			s = fmt.Sprintf("2001:db8:%x::%x", r.IntN(3), r.IntN(6))
		case 3:
			s = fmt.Sprintf("2001:db8:%x::/%d", r.IntN(3), 30+r.IntN(99))
		case 4:
			s = strings.Repeat("s.", r.IntN(3)) + fmt.Sprintf("d%d.example", r.IntN(40))
		default:
			s = fmt.Sprintf("http://%s/%d", []string{"d1.example", "s.d2.example", "10.0.1.2"}[r.IntN(3)], r.IntN(20))
		}
		v := parse(t, s)
		if r.IntN(10) == 0 {
			v.Kind = observable.Text
		}
		return v
	}
	for i := range 6000 {
		h := held{random(), int64(1+i/500)<<positionBits | int64(i%500), int64(i % 5)}
		if err := x.Add(h.v, h.object, h.class+h.object>>positionBits*10); err != nil {
			t.Fatal(err)
		}
		all = append(all, h)
	}
	brute := func(v observable.Value) (out []string) {
		host, hasHost := v.Host()
		for _, h := range all {
			how := func(w How) {
				out = append(out, fmt.Sprint(w, " ", h.v.Text, " ", h.object, " ", h.class+h.object>>positionBits*10))
			}
			if h.v.Text == v.Text {
				how(Exact)
			}
			on := v
			if hasHost {
				on = host
				if h.v.Text == host.Text && Host.takes(h.v.Kind) {
					how(Host)
				}
			}
			switch {
			case on.Kind.Address() && h.v.Kind == observable.Network && h.v.Prefix().Contains(on.Addr()):
				how(Network)
			case on.Kind == observable.Domain && h.v.Kind == observable.Domain && strings.HasSuffix(on.Text, "."+h.v.Text):
				how(Parent)
			case on.Kind == observable.Network && h.v.Text != on.Text:
				p := on.Prefix()
				if h.v.Kind.Address() && p.Contains(h.v.Addr()) || h.v.Kind == observable.Network && inside(h.v.Prefix(), p) {
					how(Within)
				}
				if h.v.Kind == observable.Network && inside(p, h.v.Prefix()) {
					how(Network)
				}
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	hits := 0
	for range 600 {
		v := random()
		v = parse(t, v.Text)
		want := brute(v)
		hits += min(1, len(want))
		if d := cmp.Diff(want, x.answer(v)); d != "" {
			t.Fatalf("%s: %s", v.Text, d)
		}
	}
	if hits < 100 {
		t.Errorf("only %d of 600 were known", hits)
	}
}

func inside(small, large netip.Prefix) bool {
	return small.Bits() > large.Bits() && large.Contains(small.Addr())
}

// Objects under one handling do not crowd out those under another, and of many
// the newest are kept.
func TestKept(t *testing.T) {
	x := New(1 << 30)
	v := parse(t, "evil.example")
	const n = 3 * Kept
	for i := range int64(n) {
		if err := x.Add(v, 1<<positionBits|i, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Add(v, 2<<positionBits, 2); err != nil {
		t.Fatal(err)
	}
	got := map[int64][]int64{}
	m, _ := x.Find(v, nil)
	x.Groups(m[0], func(g Group) { got[g.Class] = x.Objects(g, got[g.Class]) })
	if len(got[2]) != 1 || len(got[1]) != Kept {
		t.Fatalf("%d and %d objects are kept", len(got[1]), len(got[2]))
	}
	for i := int64(n - Kept + 1); i < n; i++ {
		if !slices.Contains(got[1], 1<<positionBits|i) {
			t.Errorf("object %d is not kept", i)
		}
	}
}

func TestFull(t *testing.T) {
	x := New(100_000)
	var err error
	n := 0
	for ; err == nil; n++ {
		err = x.Add(parse(t, fmt.Sprintf("d%d.example", n)), int64(n), 1)
	}
	if err != ErrFull || n < 500 || x.Bytes() > 200_000 { //nolint:errorlint // it is returned as it is
		t.Errorf("%v after %d values and %d bytes", err, n, x.Bytes())
	}
	if len(x.answer(parse(t, "d7.example"))) != 1 {
		t.Error("what was taken up before is lost")
	}
}

// Values are looked up while others are added.
func TestGrowsWhileAsked(t *testing.T) {
	x := New(1 << 30)
	vs := make([]observable.Value, 20_000)
	for i := range vs {
		switch i % 3 {
		case 0:
			vs[i] = parse(t, fmt.Sprintf("d%d.example", i))
		case 1:
			vs[i] = parse(t, fmt.Sprintf("10.%d.%d.9", i/250, i%250))
		default:
			vs[i] = parse(t, fmt.Sprintf("10.%d.%d.0/25", i/250, i%250))
		}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				for _, line := range x.answer(vs[i*7919%len(vs)]) {
					if line == "" {
						t.Error("an empty answer")
					}
				}
				x.answer(observable.Value{Kind: observable.Network, Text: "10.3.0.0/16"})
			}
		})
	}
	for i, v := range vs {
		for class := range int64(3) {
			if err := x.Add(v, int64(i)<<4|class, class); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(done)
	wg.Wait()
	for _, v := range vs {
		found, _ := x.Find(v, nil)
		if n := 0; len(found) == 0 {
			t.Fatalf("%s is lost", v.Text)
		} else if x.Groups(found[0], func(Group) { n++ }); n != 3 {
			t.Fatalf("%s stands in %d groups", v.Text, n)
		}
	}
}

// used is the processor time that the process has used, which counts the same
// on a machine that does other things too.
func used(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFind reports the processor time of one value inside, parsed and looked up, in
// an index of a million, beside a Go map of the same texts in the same run.
func BenchmarkFind(b *testing.B) {
	const n = 1_000_000
	value := func(i int) string {
		switch i % 10 {
		case 0, 1, 2, 3:
			return fmt.Sprintf("%d.%d.%d.%d", 1+i>>22&127, i>>14&255, i>>6&255, i&63)
		case 4, 5, 6:
			return fmt.Sprintf("h%x.evil-%d.example", i*2654435761&0xffff, i)
		case 7, 8:
			return fmt.Sprintf("%016x%016x%016x%016x", uint64(i)*0x9E3779B97F4A7C15, i, i, i)
		}
		return fmt.Sprintf("http://www.evil-%d.example/path/%d", i, i)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	x := New(4 << 30)
	for i := range n {
		v, _ := observable.Parse(value(i))
		if err := x.Add(v, int64(i), 1); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 1000 {
		v, _ := observable.Parse(fmt.Sprintf("172.%d.%d.0/24", 16+i/250, i%250))
		if err := x.Add(v, int64(n+i), 1); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	perValue := float64(after.HeapAlloc-before.HeapAlloc) / n
	known := make(map[string]struct{}, n)
	for i := range n {
		known[value(i)] = struct{}{}
	}
	asked := make([]string, 100_000)
	for name, hit := range map[string]bool{"misses": false, "hits": true} {
		for i := range asked {
			asked[i] = value(i * 9)
			if !hit {
				asked[i] = value(n + i*9)
			}
		}
		b.Run(name, func(b *testing.B) {
			start := used(b)
			m := 0
			for _, s := range asked {
				if _, ok := known[s]; ok {
					m++
				}
			}
			plain := used(b) - start
			var dst []Match
			start = used(b)
			for b.Loop() {
				for _, s := range asked {
					v, _ := observable.Parse(s)
					dst, _ = x.Find(v, dst[:0])
				}
			}
			each := float64((used(b) - start).Nanoseconds()) / float64(b.N*len(asked))
			b.ReportMetric(each, "cpu-ns/value")
			b.ReportMetric(each*float64(len(asked))/float64(plain.Nanoseconds()), "×map")
			b.ReportMetric(perValue, "B/value")
			b.ReportMetric(float64(x.Bytes())/n, "counted-B/value")
		})
	}
}
