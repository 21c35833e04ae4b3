// Package pattern reads, writes, compares and evaluates patterns of the STIX
// 2.1 patterning language (STIX 2.1 OASIS Standard §9).
//
// Parse checks the grammar and the rules of types; every error says where and
// what was expected. Normalise and Equivalent compare patterns by a normal form,
// Observables lists the values a pattern looks for, and Compile and Match
// evaluate it on observed data. All of them are bounded: a hostile pattern ends
// in an error, not in unbounded time or memory.
package pattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Options bound Parse and Normalise. The zero value takes the defaults.
type Options struct {
	MaxBytes  int // bytes of the pattern; default 10 MiB
	MaxDepth  int // parentheses inside each other; default 100, at most 1000
	MaxNodes  int // comparisons, members of sets, steps of paths and qualifiers; default 2,000,000
	MaxRegexp int // bytes of one regular expression; default 16 KiB
	// MaxProgram bounds what all regular expressions of a pattern compile to, in
	// instructions; default 1,000,000. A repetition counts for its unrolled form,
	// an expression for half its bytes at least.
	MaxProgram int
	// MaxTerms bounds the normal form: the comparisons in it and the observation
	// expressions in it; default 500,000.
	MaxTerms int
	// MixedTypes accepts AND between comparisons of different object types in
	// one observation expression. Such a pattern cannot match, as AND is about
	// one object; without MixedTypes it is refused.
	MixedTypes bool

	unread bool // regular expressions are taken as they are
}

// Check reports what is wrong with a pattern by the standard alone: what the
// standard permits and this package does not match, such as the look-ahead of
// PCRE in a regular expression, is no fault; neither is what is too large to be
// read.
func Check(src []byte) error {
	_, err := Parse(string(src), Options{unread: true, MixedTypes: true, MaxBytes: 2 << 20})
	if errors.Is(err, ErrLimit) {
		return nil // nothing is known of it
	}
	return err
}

const (
	defaultMaxBytes   = 10 << 20
	defaultMaxDepth   = 100
	highestMaxDepth   = 1000
	defaultMaxNodes   = 2_000_000
	defaultMaxRegexp  = 16 << 10
	defaultMaxProgram = 1_000_000
	defaultMaxTerms   = 500_000
)

func (o Options) withDefaults() Options {
	set := func(p *int, to int) {
		if *p <= 0 {
			*p = to
		}
	}
	set(&o.MaxBytes, defaultMaxBytes)
	set(&o.MaxDepth, defaultMaxDepth)
	set(&o.MaxNodes, defaultMaxNodes)
	set(&o.MaxRegexp, defaultMaxRegexp)
	set(&o.MaxProgram, defaultMaxProgram)
	set(&o.MaxTerms, defaultMaxTerms)
	o.MaxDepth = min(o.MaxDepth, highestMaxDepth)
	return o
}

// SyntaxError says what is wrong with a pattern, and where.
type SyntaxError struct {
	Offset int // bytes before the fault
	Line   int // from 1
	Column int // from 1, in characters
	// Found is what stands there, quoted, escaped and cut; empty where Reason
	// alone says it. Expected is what the grammar permits there.
	Found, Expected string
	Reason          string // what is wrong where it is not the grammar
	Section         string // the section of STIX 2.1, as "9.5.1"
}

func (e *SyntaxError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	if e.Reason != "" {
		b.WriteString(e.Reason)
	} else {
		fmt.Fprintf(&b, "found %s, expected %s", e.Found, e.Expected)
	}
	if e.Section != "" {
		b.WriteString(" (STIX 2.1 §" + e.Section + ")")
	}
	return b.String()
}

// ErrLimit is in every error that says that a limit was reached: of Options, or
// of MatchOptions. Nothing is then known of the answer.
var ErrLimit = errors.New("limit reached")

// limitError is ErrLimit with its reason.
type limitError struct{ text string }

func (l *limitError) Error() string { return l.text }
func (l *limitError) Unwrap() error { return ErrLimit }

// exceeded reports a syntax error that is a limit.
type exceededError struct{ *SyntaxError }

func (e exceededError) Unwrap() []error { return []error{ErrLimit, e.SyntaxError} }

// at makes a syntax error for an offset of the source.
func at(src string, offset int) *SyntaxError {
	offset = min(max(offset, 0), len(src))
	before := src[:offset]
	line := strings.Count(before, "\n")
	return &SyntaxError{
		Offset: offset, Line: line + 1,
		Column: utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1,
	}
}

// excerpt quotes at most 40 bytes.
func excerpt(s string) string {
	const most = 40
	if len(s) > most {
		cut := most
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		return fmt.Sprintf("%+q…", s[:cut])
	}
	return fmt.Sprintf("%+q", s)
}

// Values lists what a pattern looks for, as Observables does, whatever regular
// expressions it has. A pattern that cannot be read looks for nothing.
func Values(src string) []Observable {
	p, err := Parse(src, Options{unread: true, MixedTypes: true, MaxBytes: 1 << 20})
	if err != nil {
		return nil
	}
	return p.Observables()
}
