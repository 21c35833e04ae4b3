package exchange

import (
	"errors"
	"fmt"
)

// Kind is what went wrong, as a caller may know it. A Kind is itself an error,
// so errors.Is(err, exchange.NotFound) works on anything that wraps one.
type Kind string

// The kinds. Transports map each to one status (HTTP problem, TAXII error,
// exit code) in one table.
const (
	NotFound     Kind = "not found"           // absent, or withheld: the two are not told apart
	Denied       Kind = "denied"              // the caller is known and may not do this act
	Invalid      Kind = "invalid"             // the input breaks a rule; Problems say which
	Conflict     Kind = "conflict"            // the state does not permit the act, or it changed meanwhile
	Embargoed    Kind = "embargoed"           // an obligation forbids it before the public release
	Gone         Kind = "gone"                // it existed for the caller and was withdrawn
	Exhausted    Kind = "exhausted"           // a limit was reached
	Unavailable  Kind = "unavailable"         // try again later
	Unsigned     Kind = "sign-in required"    // no valid credentials
	Precondition Kind = "precondition failed" // If-Match does not hold
)

func (k Kind) Error() string { return string(k) }

// Problem is one fault in an input, at a place the sender can find.
type Problem struct {
	Path    string // a JSON path such as $.objects[3].id, or a field such as measure[0].target
	Code    string // short stable rule name, such as stix.timestamp; may be empty
	Section string // paragraph of the standard, such as "STIX 2.1 §3.2"; may be empty
	Message string // what is wrong, without echoing content
	Object  string // id of the STIX object that it is about; may be empty
}

func (p Problem) String() string {
	s := p.Path + ": " + p.Message
	if p.Section != "" {
		s += " (" + p.Section + ")"
	}
	return s
}

// Error carries the only text that a caller may read (Public), the faults of
// the input, and the inner error that belongs in the log alone.
type Error struct {
	Kind     Kind
	Public   string    // what happened, what was not done, the next step
	Problems []Problem // for Invalid: every fault that was found, up to a cap
	Total    int       // how many faults there were, when more than Problems lists
	Err      error
}

func (e *Error) Error() string {
	s := string(e.Kind) + ": " + e.Public
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is makes errors.Is(err, kind) true for the error's kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

func (e *Error) Unwrap() error { return e.Err }

// Fail returns an Error of the kind with a public text.
func Fail(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Public: fmt.Sprintf(format, args...)}
}

// Missing is the one answer to what does not exist and to what is withheld.
func Missing() error { return &Error{Kind: NotFound, Public: "not found"} }

// InvalidWith returns an Invalid error that lists the problems.
func InvalidWith(public string, ps []Problem) error {
	return &Error{Kind: Invalid, Public: public, Problems: ps, Total: len(ps)}
}

// KindOf returns the kind of err, or "" when err carries none (an internal
// fault whose text no caller may see).
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var k Kind
	if errors.As(err, &k) {
		return k
	}
	return ""
}
