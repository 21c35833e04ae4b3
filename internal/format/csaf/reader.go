package csaf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// reader walks a JSON document token by token. It knows the path and the line
// of the token to come and collects problems.
type reader struct {
	src      limited
	dec      *jsontext.Decoder
	path     []string
	problems []Problem

	offset    int64 // newlines before it are counted
	line      int
	lineStart int64
}

// limited ends the input after MaxSize bytes.
type limited struct {
	r    io.Reader
	left int64
	err  error // of r, other than io.EOF
	over bool
}

var errTooLarge = errors.New("document too large")

func (l *limited) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	if l.left <= 0 {
		var one [1]byte
		n, err := io.ReadFull(l.r, one[:])
		if n == 0 && err == io.EOF {
			return 0, io.EOF
		}
		if n == 0 {
			l.err = err
			return 0, err
		}
		l.over = true
		return 0, errTooLarge
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	if err != nil && err != io.EOF {
		l.err = err
	}
	return n, err
}

func newReader(r io.Reader) *reader {
	c := &reader{src: limited{r: r, left: MaxSize}}
	c.dec = jsontext.NewDecoder(&c.src)
	c.path = append(c.path, "$")
	return c
}

// peek is the kind of the next token. Newlines stand only between tokens, so
// counting what lies before each token counts them all.
func (c *reader) peek() jsontext.Kind {
	k := c.dec.PeekKind()
	if k != jsontext.KindInvalid {
		c.count(c.dec.UnreadBuffer(), c.dec.InputOffset(), -1)
	}
	return k
}

// count counts newlines in b, which starts at offset start, up to offset end or,
// with end < 0, up to the next token.
func (c *reader) count(b []byte, start, end int64) {
	for i := max(c.offset-start, 0); i < int64(len(b)); i++ {
		if end >= 0 && start+i >= end || end < 0 && !strings.ContainsRune(" \r\n\t,:", rune(b[i])) {
			break
		}
		if b[i] == '\n' {
			c.line++
			c.lineStart = start + i + 1
		}
		c.offset = start + i + 1
	}
}

func (c *reader) next() (jsontext.Token, error) {
	c.peek()
	tok, err := c.dec.ReadToken()
	if err == nil {
		c.offset = max(c.offset, c.dec.InputOffset())
	}
	return tok, err
}

// skip passes over the next value.
func (c *reader) skip() error {
	depth := c.dec.StackDepth()
	for {
		if _, err := c.next(); err != nil {
			return err
		}
		if c.dec.StackDepth() <= depth {
			return nil
		}
	}
}

func (c *reader) problem(rule, section, message string) {
	if len(c.problems) == maxProblems {
		return
	}
	if section != "" {
		section = "CSAF 2.0 " + section
	}
	c.problems = append(c.problems, Problem{Path: strings.Join(c.path, ""), Rule: rule, Section: section, Message: message})
}

func (c *reader) enter(part string) { c.path = append(c.path, part) }
func (c *reader) leave()            { c.path = c.path[:len(c.path)-1] }

// fields maps the names of an object's properties to what reads their values.
// A name that ends in ! is required.
type fields map[string]func() error

// object reads an object. Properties that f does not name are passed over.
func (c *reader) object(section string, f fields) error {
	if c.peek() != jsontext.KindBeginObject {
		return c.wrong(section, "this has to be an object")
	}
	if _, err := c.next(); err != nil {
		return err
	}
	have := make(map[string]bool, len(f))
	for c.peek() != jsontext.KindEndObject {
		tok, err := c.next()
		if err != nil {
			return err
		}
		name := tok.String()
		read, known := f[name]
		if !known {
			if read, known = f[name+"!"]; !known {
				read = c.skip
			}
		}
		if known {
			have[name] = true
			c.enter("." + name)
		}
		if err := read(); err != nil {
			return err
		}
		if known {
			c.leave()
		}
	}
	for _, name := range sortedRequired(f) {
		if !have[name] {
			c.enter("." + name)
			c.problem(RuleRequired, section, name+" is required")
			c.leave()
		}
	}
	_, err := c.next()
	return err
}

// list reads a list that may not be empty, each element by f.
func (c *reader) list(section string, f func(i int) error) error {
	if c.peek() != jsontext.KindBeginArray {
		return c.wrong(section, "this has to be a list")
	}
	if _, err := c.next(); err != nil {
		return err
	}
	n := 0
	for ; c.peek() != jsontext.KindEndArray; n++ {
		c.enter("[" + strconv.Itoa(n) + "]")
		if err := f(n); err != nil {
			return err
		}
		c.leave()
	}
	if n == 0 {
		c.problem(RuleValue, section, "this list may not be empty")
	}
	_, err := c.next()
	return err
}

// text reads a string that may not be empty. valid, where given, returns what
// is wrong with it.
func (c *reader) text(section string, valid func(string) string) error {
	if c.peek() != jsontext.KindString {
		return c.wrong(section, "this has to be a string")
	}
	tok, err := c.next()
	if err != nil {
		return err
	}
	s := tok.String()
	if s == "" {
		c.problem(RuleValue, section, "this may not be empty")
		return nil
	}
	if valid == nil {
		return nil
	}
	if fault := valid(s); fault != "" {
		c.problem(RuleValue, section, fault)
	}
	return nil
}

// wrong passes over a value of the wrong type.
func (c *reader) wrong(section, message string) error {
	if c.peek() != jsontext.KindInvalid {
		c.problem(RuleType, section, message)
	}
	return c.skip()
}

// end reads to the end of the input, where only white space may follow.
func (c *reader) end() error {
	c.peek()
	_, err := c.dec.ReadToken()
	if err == io.EOF {
		return nil
	}
	if c.src.err != nil || c.src.over {
		return err
	}
	c.path = c.path[:1]
	c.problem(RuleTrailing, "§3.1", "something follows the end of the document")
	return nil
}

// explain turns what ended the reading into a problem; an error of the source
// it returns.
func (c *reader) explain(err error) error {
	if c.src.err != nil {
		return c.src.err
	}
	if c.src.over {
		c.path = c.path[:1]
		c.problem(RuleSize, "appendix C", fmt.Sprintf("larger than the %d bytes that this exchange takes for one advisory", MaxSize))
		return nil
	}
	message := "this is not JSON"
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		message = "a name stands twice in one object"
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		message = "the input ends before the JSON is complete"
	}
	unread, start := c.dec.UnreadBuffer(), c.dec.InputOffset()
	at := start + int64(len(unread))
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		at = syntax.ByteOffset
	}
	c.count(unread, start, at)
	message += fmt.Sprintf(", line = %d column = %d", c.line+1, max(at-c.lineStart, 0)+1)
	if at == 0 && bytes.HasPrefix(unread, []byte{0xEF}) {
		message += "; the input starts with a byte order mark, which JSON does not allow"
	}
	c.problem(RuleSyntax, "", message)
	return nil
}
