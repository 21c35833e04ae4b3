package verify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// MaxStatement is the largest signed statement that is read, in bytes.
const MaxStatement = 16 << 10

// MaxStatements is how many statements of one log are read.
const MaxStatements = 1024

const (
	statementHead = "forewarn log statement v1"
	maxReason     = 1000 // bytes
)

// Statement is what a log says of itself, as a signed note (C2SP signed-note): a
// further key, a key that signs no more, or its end. Exactly one of Key, Retired
// and Closed is set. As text it is the line "forewarn log statement v1", the
// origin, and one of
//
//	key <name+hash+base64>      retired <name+hash+base64>   closed <size> <root in base 64>
//	from <size>                 at <size>                    successor <origin> <name+hash+base64>
//	                                                         reason <text>
//
// From is the size of the log when the key began to sign; At the size up to which
// what the retired key signed counts. successor and reason may be left out.
type Statement struct {
	Origin string

	Key  string // signed by a key of the log, and by this one
	From int64

	Retired string // signed by a key that stays
	At      int64

	Closed    *Checkpoint // signed by a key of the log, and by the successor's
	Successor string      // its origin
	SuccKey   string
	Reason    string
}

// Text is the text that is signed.
func (s Statement) Text() string {
	var b strings.Builder
	b.WriteString(statementHead + "\n" + s.Origin + "\n")
	switch {
	case s.Closed != nil:
		fmt.Fprintf(&b, "closed %d %s\n", s.Closed.Size, base64.StdEncoding.EncodeToString(s.Closed.Root[:]))
		if s.Successor != "" {
			fmt.Fprintf(&b, "successor %s %s\n", s.Successor, s.SuccKey)
		}
		if s.Reason != "" {
			fmt.Fprintf(&b, "reason %s\n", s.Reason)
		}
	case s.Retired != "":
		fmt.Fprintf(&b, "retired %s\nat %d\n", s.Retired, s.At)
	default:
		fmt.Fprintf(&b, "key %s\nfrom %d\n", s.Key, s.From)
	}
	return b.String()
}

var errStatement = errors.New(`not a statement of a log: the line "forewarn log statement v1", the origin, and then key and from, retired and at, or closed, successor and reason, a line each`)

// ParseStatement reads the text of a statement. It verifies nothing.
func ParseStatement(text string) (Statement, error) {
	if len(text) > MaxStatement {
		return Statement{}, errStatement
	}
	body, ended := strings.CutSuffix(text, "\n")
	lines := strings.Split(body, "\n")
	if !ended || len(lines) < 3 || lines[0] != statementHead || lines[1] == "" {
		return Statement{}, errStatement
	}
	s := Statement{Origin: lines[1]}
	var ok bool
	switch name, rest, _ := strings.Cut(lines[2], " "); name {
	case "key":
		s.Key, s.From, ok = keyAndSize(rest, lines[3:], "from")
	case "retired":
		s.Retired, s.At, ok = keyAndSize(rest, lines[3:], "at")
	case "closed":
		ok = s.closed(rest, lines[3:])
	}
	if !ok || s.Text() != text { // one text for one statement
		return Statement{}, errStatement
	}
	return s, nil
}

func keyAndSize(key string, lines []string, name string) (string, int64, bool) {
	if len(lines) != 1 {
		return "", 0, false
	}
	got, size, _ := strings.Cut(lines[0], " ")
	n, err := strconv.ParseInt(size, 10, 64)
	if _, bad := note.NewVerifier(key); bad != nil {
		return "", 0, false
	}
	return key, n, err == nil && n >= 0 && got == name
}

func (s *Statement) closed(rest string, lines []string) bool {
	size, root, _ := strings.Cut(rest, " ")
	c, err := ParseCheckpoint(s.Origin + "\n" + size + "\n" + root + "\n")
	if err != nil {
		return false
	}
	s.Closed = &c
	if len(lines) > 0 && strings.HasPrefix(lines[0], "successor ") {
		s.Successor, s.SuccKey, _ = strings.Cut(strings.TrimPrefix(lines[0], "successor "), " ")
		if v, err := note.NewVerifier(s.SuccKey); err != nil || v.Name() != s.Successor {
			return false
		}
		lines = lines[1:]
	}
	if len(lines) > 0 && strings.HasPrefix(lines[0], "reason ") {
		s.Reason = strings.TrimPrefix(lines[0], "reason ")
		lines = lines[1:]
		if CheckReason(s.Reason) != nil {
			return false
		}
	}
	return len(lines) == 0
}

// CheckReason says what is wrong with a reason: it is one line of at most 1,000
// bytes, without control characters, and neither begins nor ends with a space.
func CheckReason(reason string) error {
	if reason == "" || len(reason) > maxReason || !utf8.ValidString(reason) || strings.TrimSpace(reason) != reason ||
		strings.ContainsFunc(reason, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }) {
		return fmt.Errorf("a reason is one line of at most %d bytes", maxReason)
	}
	return nil
}

// OpenStatement reads a signed statement: keys are those of the log that count, and
// one of them must have signed it. A new key and a successor's must have signed
// theirs, too. What does not hold is a *Failure.
func OpenStatement(signed []byte, origin string, keys []string) (Statement, error) {
	if len(signed) > MaxStatement {
		return Statement{}, failure("larger than %d bytes: not a statement of a log", MaxStatement)
	}
	s, err := unverified(signed)
	if err != nil {
		return Statement{}, err
	}
	if s.Origin != origin {
		return Statement{}, failure("the statement is of the log %.80q, not of %.80q", s.Origin, origin)
	}
	own := s.Key
	if s.SuccKey != "" {
		own = s.SuccKey
	}
	var all []note.Verifier
	for _, k := range append(slices.Clone(keys), own) {
		if k == "" {
			continue
		}
		v, err := note.NewVerifier(strings.TrimSpace(k))
		if err != nil {
			return Statement{}, fmt.Errorf("the key %.80q is not of the form name+hash+base64", k)
		}
		all = append(all, v)
	}
	if slices.Contains(keys, own) {
		return Statement{}, failure("the statement of %.80q names a key again that is known", origin)
	}
	n, err := note.Open(signed, note.VerifierList(all...))
	if err != nil {
		return Statement{}, failure("no key of the log %.80q that is known signed the statement, or it was changed (%v)", origin, err)
	}
	by := func(key string) bool {
		v, _ := note.NewVerifier(strings.TrimSpace(key))
		return slices.ContainsFunc(n.Sigs, func(g note.Signature) bool { return g.Name == v.Name() && g.Hash == v.KeyHash() })
	}
	if !slices.ContainsFunc(keys, func(k string) bool { return k != s.Retired && by(k) }) {
		return Statement{}, failure("no key of the log %.80q that is known, and stays, signed the statement", origin)
	}
	if own != "" && !by(own) {
		return Statement{}, failure("the key that the statement of %.80q names did not sign it", origin)
	}
	return s, nil
}

// KeySpan is a key of a log, and from and up to which size of the log it counts.
type KeySpan struct {
	Key   string
	From  int64
	Until int64 // -1: it signs now
}

// Successor is the log that follows one that was closed.
type Successor struct {
	Origin string
	Key    string
	Closed Checkpoint // the last of the closed log
	Reason string
}

// History is what the statements of one log say of it.
type History struct {
	Keys      []KeySpan   // in the order in which they came to be known
	Closed    *Checkpoint // the last one; nil while the log goes on
	Reason    string      // why it was closed
	Successor *Successor  // nil: none is named

	size int64 // that the last statement spoke of
}

// Trace follows the statements of one log, in their order, from keys that are known
// and trusted. A statement that is of another log, that no trusted key signed, that
// names a key again, goes back in size or comes after the end is a *Failure, and
// nothing of the statements then counts.
//
// The keys may be newer than the first statements: what comes before the one that
// introduces a key which was given, and is not signed by one that counts, is passed
// over. A key that a trusted one retires was the log's until then.
func Trace(origin string, keys []string, statements [][]byte) (History, error) {
	if len(statements) > MaxStatements {
		return History{}, failure("more than %d statements of the log %.80q", MaxStatements, origin)
	}
	var h History
	for _, k := range keys {
		if k = strings.TrimSpace(k); h.find(k) < 0 {
			h.Keys = append(h.Keys, KeySpan{Key: k, Until: -1})
		}
	}
	if len(h.Keys) == 0 {
		return History{}, errors.New("no key of the log is given")
	}
	last := -1 // of those that introduce a given key
	introduces, signed := make([]bool, len(statements)), map[string]bool{}
	for i, b := range statements {
		if introduces[i] = h.introduces(origin, b, signed); introduces[i] {
			last = i
		}
	}
	for i, b := range statements {
		if h.Closed != nil {
			return History{}, failure("statement %d of the log %.80q comes after its end", i+1, origin)
		}
		if introduces[i] {
			continue
		}
		next := h
		next.Keys = slices.Clone(h.Keys)
		s, err := OpenStatement(b, origin, h.now())
		if err == nil {
			err = next.take(s)
		}
		if err != nil && i < last {
			continue
		}
		if err != nil {
			return History{}, fmt.Errorf("statement %d: %w", i+1, err)
		}
		h = next
	}
	return h, nil
}

// introduces reports whether a statement makes known a key that was given: the key
// itself has signed it, and none before. signed holds the keys that have.
func (h *History) introduces(origin string, statement []byte, signed map[string]bool) bool {
	s, err := unverified(statement)
	if err != nil || s.Origin != origin {
		return false
	}
	known := false
	for i, k := range h.Keys {
		v, err := note.NewVerifier(k.Key)
		if err != nil {
			continue // said by OpenStatement
		}
		if _, err := note.Open(statement, note.VerifierList(v)); err != nil {
			continue
		}
		if k.Key == s.Key && !signed[k.Key] {
			h.Keys[i].From, known = s.From, true
		}
		signed[k.Key] = true
	}
	return known
}

// unverified reads a statement, and no signature.
func unverified(signed []byte) (Statement, error) {
	var e *note.UnverifiedNoteError
	if _, err := note.Open(signed, note.VerifierList()); !errors.As(err, &e) {
		return Statement{}, failure("not a signed statement of a log")
	}
	s, err := ParseStatement(e.Note.Text)
	if err != nil {
		return Statement{}, failure("%v", err)
	}
	return s, nil
}

func (h *History) find(key string) int {
	return slices.IndexFunc(h.Keys, func(k KeySpan) bool { return k.Key == key })
}

func (h *History) now() []string {
	var out []string
	for _, k := range h.Keys {
		if k.Until < 0 {
			out = append(out, k.Key)
		}
	}
	return out
}

func (h *History) take(s Statement) error {
	size := s.From + s.At // one of them is 0
	if s.Closed != nil {
		size = s.Closed.Size
	}
	if size < h.size {
		return failure("the statement of %.80q speaks of a size of %d, after one of %d: the log went back", s.Origin, size, h.size)
	}
	h.size = size
	switch i := h.find(s.Key + s.Retired); {
	case s.Key != "" && i >= 0:
		return failure("the log %.80q names a key again that it had retired", s.Origin)
	case s.Key != "":
		h.Keys = append(h.Keys, KeySpan{Key: s.Key, From: s.From, Until: -1})
	case s.Retired != "" && i < 0:
		h.Keys = append(h.Keys, KeySpan{Key: s.Retired, Until: s.At})
	case s.Retired != "" && h.Keys[i].Until >= 0:
		return failure("the log %.80q retires a key again", s.Origin)
	case s.Retired != "":
		h.Keys[i].Until = s.At
	case s.Successor == s.Origin:
		return failure("the log %.80q names itself as the one that follows", s.Origin)
	default:
		h.Closed, h.Reason = s.Closed, s.Reason
		if s.Successor != "" {
			h.Successor = &Successor{Origin: s.Successor, Key: s.SuccKey, Closed: *s.Closed, Reason: s.Reason}
		}
	}
	return nil
}

// Follow answers which keys of a log count now, and which log follows it, if it was
// closed: see Trace. The statements of the successor are read at its own address,
// with its key; whoever follows on keeps the origins that were seen, and stops at
// one that comes again.
func Follow(origin string, keys []string, statements [][]byte) (trusted []string, successor *Successor, err error) {
	h, err := Trace(origin, keys, statements)
	if err != nil {
		return nil, nil, err
	}
	return h.now(), h.Successor, nil
}

// KeysFor are the keys whose signature counts beneath a checkpoint of that size: a
// receipt from before a key was retired holds for ever.
func (h History) KeysFor(size int64) []string {
	var out []string
	for _, k := range h.Keys {
		if size >= k.From && (k.Until < 0 || size <= k.Until) {
			out = append(out, k.Key)
		}
	}
	return out
}

// CheckClosed compares a checkpoint of the log with its end.
func (h History) CheckClosed(c Checkpoint) error {
	if h.Closed == nil || c.Size < h.Closed.Size {
		return nil
	}
	if c.Size > h.Closed.Size || c.Root != h.Closed.Root {
		return failure("the log %.80q was closed with %d entries and the root %s; this checkpoint of %d entries is not that",
			c.Origin, h.Closed.Size, h.Closed.Root, c.Size)
	}
	return nil
}

// LogPath is the path of a log on its exchange: "log" for the first, "log/2" for
// its successor. An origin that has no such end is answered with "log".
func LogPath(origin string) string {
	_, number, ok := cutLast(origin, "/log/")
	if n, err := strconv.Atoi(number); ok && err == nil && n > 1 && strconv.Itoa(n) == number {
		return "log/" + number
	}
	return "log"
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
