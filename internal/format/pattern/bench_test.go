package pattern_test

import (
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/format/pattern"
)

// shapes are patterns of about size bytes, each of another form.
func shapes(size int) map[string]string {
	grown := func(open, sep, text, close string) string {
		n := max(1, size/(len(sep)+len(text)+4))
		return open + strings.Join(repeat(n, text), sep) + close
	}
	return map[string]string{
		"values":     grown("[", " OR ", "domain-name:value = 'host#.example'", "]"),
		"types":      grown("[", " OR ", "x-type#:value = 1", "]"),
		"set":        grown("[ipv4-addr:value IN (", ", ", "'198.51.100.#'", ")]"),
		"and":        grown("[", " AND ", "(file:a# = 1 OR file:b# = h'00ff')", "]"),
		"brackets":   grown("", " FOLLOWEDBY ", "([file:hashes.'SHA-256' = 'a#'] AND [url:value LIKE 'b#%']) WITHIN 5 SECONDS", ""),
		"one string": "[file:name = '" + strings.Repeat(`a\'`, size/3) + "']",
		"path":       grown("[file:a", "", "[*].b#", " = 1]"),
		"comment":    "[file:name = 'a'] /*" + strings.Repeat("/ * ", size/4) + "*/",
		"error":      grown("[", " OR ", "file:name = 'a#'", " OR ]"),
		"regexps":    grown("[", " OR ", "file:name MATCHES '^a#[b-y]+\\\\.z{2}$'", "]"),
	}
}

// BenchmarkParse reports MB/s and the ratio to checking the UTF-8 of the same
// bytes; of a size ten times as large the ratio stays what it was.
func BenchmarkParse(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20, 10_000_000} {
		for name, text := range shapes(size) {
			b.Run(name+"/"+strconv.Itoa(size), func(b *testing.B) {
				opt := pattern.Options{MaxProgram: 1 << 30, MaxBytes: 16 << 20, MaxNodes: 1 << 30}
				checked := perRun(func() { utf8.ValidString(text) })
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := pattern.Parse(text, opt); err != nil && name != "error" {
						b.Fatal(err)
					}
				}
				each := float64(b.Elapsed()) / float64(b.N)
				b.ReportMetric(each/float64(len(text)), "ns/byte")
				b.ReportMetric(each/checked, "×utf8.Valid")
			})
		}
	}
}

func BenchmarkNormalise(b *testing.B) {
	for name, text := range shapes(1 << 20) {
		p, err := pattern.Parse(text, pattern.Options{MaxProgram: 1 << 30})
		if name == "and" || err != nil {
			continue
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := p.Normalise(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMatch reports evaluations of one pattern on one observation a second.
func BenchmarkMatch(b *testing.B) {
	list := people(1000, "alice")
	in, err := pattern.ReadObservations(list, pattern.MatchOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{
		"equal":      "[x-person:name = 'bob']",
		"set":        "[x-person:name IN (" + strings.Join(repeat(1000, "'n#'"), ", ") + ")]",
		"like":       "[x-person:name LIKE '%bob%']",
		"matches":    "[x-person:name MATCHES '^b.*b$']",
		"repeats":    "[x-person:name = 'alice'] REPEATS 100 TIMES WITHIN 100 SECONDS",
		"followedby": "[x-person:name = 'alice'] FOLLOWEDBY [x-person:name LIKE 'a%'] FOLLOWEDBY [EXISTS x-person:name]",
	} {
		b.Run(name, func(b *testing.B) {
			m, err := pattern.Compile(parse(b, text))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Match(in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(len(list))/b.Elapsed().Seconds(), "observations/s")
		})
	}
}

// perRun is the time of one call of f in nanoseconds, over a twentieth of a second.
func perRun(f func()) float64 {
	n, start := 0, time.Now()
	for time.Since(start) < 50*time.Millisecond {
		f()
		n++
	}
	return float64(time.Since(start)) / float64(n)
}
