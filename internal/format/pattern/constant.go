package pattern

import (
	"cmp"
	"math/big"
	"strings"
	"time"
)

// kind is the type of a constant (§9.2).
type kind uint8

const (
	kindNone kind = iota
	kindString
	kindInteger
	kindFloat
	kindBool
	kindBinary // h'' and b''
	kindTimestamp
)

// constant is a constant of a pattern.
type constant struct {
	kind kind
	b64  bool    // of a binary constant: written as b''
	yes  bool    // of a bool
	str  string  // of a string; of a binary constant its bytes
	i    int64   // of an integer
	f    float64 // of a float
	at   instant
}

func (k kind) numeric() bool { return k == kindInteger || k == kindFloat }

// instant is a moment in UTC: Unix seconds, and the digits of the fraction
// without zeros at the end.
type instant struct {
	sec  int64
	frac string
}

func (a instant) compare(b instant) int {
	if c := cmp.Compare(a.sec, b.sec); c != 0 {
		return c
	}
	return strings.Compare(a.frac, b.frac)
}

// micros is the moment in Unix microseconds; exact says that nothing was cut.
func (a instant) micros() (us int64, exact bool) {
	digits := (a.frac + "000000")[:6]
	for _, d := range digits {
		us = us*10 + int64(d-'0')
	}
	return a.sec*1e6 + us, len(a.frac) <= 6
}

func (a instant) String() string {
	s := time.Unix(a.sec, 0).UTC().Format("2006-01-02T15:04:05")
	if a.frac != "" {
		s += "." + a.frac
	}
	return s + "Z"
}

// parseInstant reads a timestamp of STIX (§2.14 and §9.2): RFC 3339, UTC, "T"
// and "Z" in capitals. Second 60 is the first of the next minute.
func parseInstant(s string) (instant, bool) {
	const form = "0000-00-00T00:00:00"
	if len(s) < len(form)+1 || s[len(s)-1] != 'Z' {
		return instant{}, false
	}
	for i := range len(form) {
		if form[i] == '0' && (s[i] < '0' || s[i] > '9') || form[i] != '0' && s[i] != form[i] {
			return instant{}, false
		}
	}
	two := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60 {
		return instant{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, min(second, 59), 0, time.UTC)
	if t.Day() != day {
		return instant{}, false
	}
	out := instant{sec: t.Unix()}
	if second == 60 {
		out.sec++
	}
	if frac := s[len(form) : len(s)-1]; frac != "" {
		if frac[0] != '.' || len(frac) == 1 || strings.Trim(frac[1:], "0123456789") != "" {
			return instant{}, false
		}
		out.frac = strings.TrimRight(frac[1:], "0")
	}
	return out, true
}

// compareNumbers compares exactly, also integers beyond the precision of float64.
func compareNumbers(a, b constant) int {
	switch {
	case a.kind == kindInteger && b.kind == kindInteger:
		return cmp.Compare(a.i, b.i)
	case a.kind == kindFloat && b.kind == kindFloat:
		return cmp.Compare(a.f, b.f)
	}
	return number(a).Cmp(number(b))
}

func number(c constant) *big.Float {
	if c.kind == kindInteger {
		return new(big.Float).SetInt64(c.i)
	}
	return new(big.Float).SetFloat64(c.f)
}
