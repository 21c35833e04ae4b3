package pattern

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

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
