package pattern_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/format/pattern"
)

// small bounds keep one run of a fuzz target short.
var small = pattern.Options{MaxBytes: 4096, MaxDepth: 20, MaxProgram: 5000, MaxTerms: 2000}

func FuzzPattern(f *testing.F) {
	for _, v := range vectors(f, "grammar.txt") {
		f.Add(unprintable.Replace(v.rest[3:]))
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := pattern.Parse(text, small)
		if err != nil {
			var e *pattern.SyntaxError
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(text) || e.Line < 1 || e.Column < 1 || e.Error() == "" {
				t.Fatalf("%+v", err)
			}
			return
		}
		stable(t, p)
		for _, o := range p.Observables() {
			if o.ObjectType == "" || o.Path == "" {
				t.Fatalf("%+v", o)
			}
		}
		if _, err := pattern.Compile(p); err != nil {
			t.Fatalf("accepted, but not compiled: %v", err)
		}
	})
}

func FuzzMatch(f *testing.F) {
	for _, v := range vectors(f, "equivalence.txt") {
		f.Add(v.rest[5:], []byte(`{"type":"x-a","b":[1,{"c":"a"}],"from_ref":"0"}`), uint16(3), uint16(5))
	}
	f.Add("[x-a:b_ref.b_ref.b_ref.c = 1]", []byte(`{"type":"x-a","b_ref":"0","c":1}`), uint16(0), uint16(0))
	f.Add("([x-a:b = 1] FOLLOWEDBY [x-a:b = 1] REPEATS 2 TIMES) WITHIN 3 SECONDS REPEATS 2 TIMES", []byte(`{"type":"x-a","b":1}`), uint16(9), uint16(77))
	f.Fuzz(func(t *testing.T, text string, object []byte, times, numbers uint16) {
		p, err := pattern.Parse(text, small)
		if err != nil {
			return
		}
		var list []pattern.Observation
		for i := range 5 {
			first := int(times>>i) % 7
			list = append(list, pattern.Observation{
				FirstObserved: at(first), LastObserved: at(first + int(times>>(i+5))%5), NumberObserved: int(numbers>>(2*i)) % 4,
				Objects: [][]byte{object}, Inline: []byte(`{"0":` + string(object) + `}`),
			})
		}
		opt := pattern.MatchOptions{MaxSteps: 200_000}
		in, err := pattern.ReadObservations(list, opt)
		if err != nil {
			return
		}
		m, err := pattern.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		res, err := m.Match(in)
		if err != nil && !errors.Is(err, pattern.ErrLimit) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		if res.Matched != (len(res.Observations) > 0) || len(res.IDs) != len(res.Observations) {
			t.Fatalf("%+v", res)
		}
		// The observations of the binding satisfy the pattern by themselves.
		if res.Matched {
			var bound []pattern.Observation
			for _, i := range res.Observations {
				bound = append(bound, list[i])
			}
			if again, err := pattern.Match(p, bound, opt); err == nil && !again.Matched {
				t.Fatalf("%s: the binding %v does not match by itself", text, res.Observations)
			}
		}
		if n, err := p.Normalise(); err == nil {
			other, err := pattern.Match(n, list, opt)
			if err == nil && other.Matched != res.Matched && !addresses(text) {
				t.Fatalf("%s matches: %v, its normal form %s: %v", text, res.Matched, n, other.Matched)
			}
		}
	})
}

// addresses reports patterns whose normal form matches otherwise by intent: it
// writes addresses and registry keys as the systems compare them.
func addresses(text string) bool {
	return strings.Contains(text, "ipv4-addr") || strings.Contains(text, "ipv6-addr") || strings.Contains(text, "windows-registry-key")
}
