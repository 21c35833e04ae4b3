package pattern

import (
	"cmp"
	"math/big"
	"strings"
	"time"
)

// Pattern is a parsed pattern. It is not changed after Parse, and may be used
// by several goroutines.
type Pattern struct {
	root *observation
	opt  Options
}

// connective joins expressions; none is an expression by itself.
type connective uint8

const (
	single     connective = iota // one comparison, or one observation expression
	and                          // AND
	or                           // OR
	followedBy                   // FOLLOWEDBY
	group                        // one expression in parentheses, for its own qualifiers
)

func (c connective) String() string { return [...]string{"", "AND", "OR", "FOLLOWEDBY", ""}[c] }

// observation is an observation expression (§9.5).
type observation struct {
	op   connective
	test *condition     // of single
	kids []*observation // of the others
	qual []qualifier    // in order: each is about what stands before it
}

type qualifierKind uint8

const (
	within qualifierKind = iota
	repeats
	startStop
)

func (k qualifierKind) String() string { return [...]string{"WITHIN", "REPEATS", "START"}[k] }

// qualifier is a qualifier of an observation expression (§9.5.1).
type qualifier struct {
	kind        qualifierKind
	seconds     float64 // WITHIN: more than 0
	times       int64   // REPEATS: more than 0
	start, stop instant // START … STOP …: start is before stop
}

// condition is what stands in brackets: comparisons and their connectives (§9.6).
type condition struct {
	op   connective // single, and, or
	test *comparison
	kids []*condition
}

// operator is a comparison operator (§9.6.1).
type operator uint8

const (
	opEqual operator = iota
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opIn
	opLike
	opMatches
	opSubset
	opSuperset
	opExists
)

func (o operator) String() string {
	return [...]string{"=", "!=", "<", "<=", ">", ">=", "IN", "LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET", "EXISTS"}[o]
}

// comparison is one comparison expression: a path, an operator and constants.
type comparison struct {
	typ     string // the object type
	path    []step // at least one, the first with a key
	negated bool   // NOT
	op      operator
	value   constant
	set     []constant // of opIn
}

// step is one step of an object path (§9.7): a key, an index, or [*].
type step struct {
	key   string
	index int // -1 is [*]; only without key
	isKey bool
}

// each calls f for every comparison of the condition.
func (c *condition) each(f func(*comparison)) {
	if c.op == single {
		f(c.test)
		return
	}
	for _, k := range c.kids {
		k.each(f)
	}
}

// each calls f for every bracketed condition.
func (o *observation) each(f func(*condition)) {
	if o.op == single {
		f(o.test)
		return
	}
	for _, k := range o.kids {
		k.each(f)
	}
}

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
