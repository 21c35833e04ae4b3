package pattern_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/format/pattern"
)

// sample is an observation of the oracle: its names, its whole seconds, and how
// often it was made.
type sample struct {
	names       string
	first, last int
	number      int
}

// element is an observation in a binding, at a moment or, counted several
// times, over all of its time.
type element struct{ sample, from, to, count int }

// oracle is an expression as text, with all of its bindings by definition.
type oracle struct {
	text string
	leaf bool
	all  func([]sample) [][]element
}

func leafOracle(names string) oracle {
	text := "[x-s:" + names[:1] + " = 1"
	for _, c := range names[1:] {
		text += " OR x-s:" + string(c) + " = 1"
	}
	return oracle{text + "]", true, func(list []sample) (out [][]element) {
		for i, s := range list {
			for m := s.first; m <= s.last && strings.ContainsAny(s.names, names); m++ {
				out = append(out, []element{{i, m, m, 1}})
			}
		}
		return out
	}}
}

// product joins bindings of different observations where ok.
func product(a, b [][]element, ok func(x, y []element) bool) (out [][]element) {
	for _, x := range a {
		for _, y := range b {
			if disjoint(x, y) && ok(x, y) {
				out = append(out, append(x[:len(x):len(x)], y...))
			}
		}
	}
	return out
}

func disjoint(x, y []element) bool {
	for _, a := range x {
		for _, b := range y {
			if a.sample == b.sample {
				return false
			}
		}
	}
	return true
}

func ends(x []element) (from, to int) {
	from, to = x[0].from, x[0].to
	for _, e := range x {
		from, to = min(from, e.from), max(to, e.to)
	}
	return from, to
}

func filter(in [][]element, ok func(from, to int) bool) (out [][]element) {
	for _, x := range in {
		if ok(ends(x)) {
			out = append(out, x)
		}
	}
	return out
}

// repeated is REPEATS n TIMES of a leaf: an observation counts once at one of
// its moments, or up to its number over its whole time.
func repeated(o oracle, n int, list []sample) (out [][]element) {
	once := o.all(list)
	choices := make([][]element, len(list))
	for _, x := range once {
		i := x[0].sample
		if len(choices[i]) == 0 && list[i].number > 1 {
			choices[i] = append(choices[i], element{i, list[i].first, list[i].last, list[i].number})
		}
		choices[i] = append(choices[i], x[0])
	}
	var pick func(i, need int, taken []element)
	pick = func(i, need int, taken []element) {
		if need <= 0 {
			out = append(out, append([]element(nil), taken...))
			return
		}
		if i == len(list) {
			return
		}
		for _, c := range choices[i] {
			pick(i+1, need-c.count, append(taken[:len(taken):len(taken)], c))
		}
		pick(i+1, need, taken)
	}
	pick(0, n, nil)
	return out
}

// randomOracle makes an expression of at most depth levels.
func randomOracle(r *rand.Rand, depth int) oracle {
	if depth == 0 || r.IntN(5) == 0 {
		return leafOracle([]string{"a", "b", "ab"}[r.IntN(3)])
	}
	a := randomOracle(r, depth-1)
	inner := "(" + a.text + ")"
	switch r.IntN(6) {
	case 0:
		w := r.IntN(4) + 1
		return oracle{inner + fmt.Sprintf(" WITHIN %d SECONDS", w), a.leaf, func(l []sample) [][]element {
			return filter(a.all(l), func(from, to int) bool { return to-from <= w })
		}}
	case 1:
		start := r.IntN(6)
		stop := start + 1 + r.IntN(4)
		text := fmt.Sprintf(" START t'2027-03-01T08:00:%02dZ' STOP t'2027-03-01T08:00:%02dZ'", start, stop)
		// Its bounds hold for what REPEATS counts, as they do outside of it.
		return oracle{inner + text, false, func(l []sample) [][]element {
			return filter(a.all(l), func(from, to int) bool { return from >= start && to < stop })
		}}
	case 2:
		if !a.leaf {
			break
		}
		n := r.IntN(4) + 2
		return oracle{inner + fmt.Sprintf(" REPEATS %d TIMES", n), false, func(l []sample) [][]element { return repeated(a, n, l) }}
	}
	b := randomOracle(r, depth-1)
	switch r.IntN(3) {
	case 0:
		return oracle{inner + " AND (" + b.text + ")", false, func(l []sample) [][]element {
			return product(a.all(l), b.all(l), func(_, _ []element) bool { return true })
		}}
	case 1:
		return oracle{inner + " OR (" + b.text + ")", false, func(l []sample) [][]element { return append(a.all(l), b.all(l)...) }}
	}
	return oracle{inner + " FOLLOWEDBY (" + b.text + ")", false, func(l []sample) [][]element {
		return product(a.all(l), b.all(l), func(x, y []element) bool {
			_, end := ends(x)
			begin, _ := ends(y)
			return end <= begin
		})
	}}
}

// TestMatchAgainstDefinition compares the search with enumerating every binding.
func TestMatchAgainstDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	matched := 0
	const runs = 6000
	for range runs {
		var samples []sample
		var list []pattern.Observation
		for i := range 1 + r.IntN(4) {
			s := sample{[]string{"a", "b", "ab", "c"}[r.IntN(4)], r.IntN(8), 0, 1}
			s.last = s.first + r.IntN(7)*r.IntN(2)
			if r.IntN(3) == 0 {
				s.number = 2 + r.IntN(2)
			}
			samples = append(samples, s)
			object := fmt.Sprintf(`{"type":"x-s","id":"x-s--%d"`, i)
			for _, c := range s.names {
				object += fmt.Sprintf(`,"%c":1`, c)
			}
			list = append(list, pattern.Observation{
				FirstObserved: at(s.first), LastObserved: at(s.last), NumberObserved: s.number,
				Objects: [][]byte{[]byte(object + "}")},
			})
		}
		o := randomOracle(r, 3)
		want := len(o.all(samples)) > 0
		if want {
			matched++
		}
		p := parse(t, o.text)
		n, err := p.Normalise()
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []*pattern.Pattern{p, n} {
			got, err := pattern.Match(form, list, pattern.MatchOptions{})
			if err != nil && !errors.Is(err, pattern.ErrLimit) {
				t.Fatal(err)
			}
			if err == nil && got.Matched != want {
				t.Fatalf("%s\nas %s\non %+v: %v, by definition %v", o.text, form, samples, got.Matched, want)
			}
		}
	}
	if matched < runs/10 || matched > runs*9/10 {
		t.Errorf("%d of %d match: the samples say little", matched, runs)
	}
	t.Logf("%d patterns, %d match", runs, matched)
}
