package csaf

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/jsonfeed"
)

// reader walks a JSON document token by token. It knows the path of the token
// to come and collects problems.
type reader struct {
	*jsonfeed.Feed
	src      io.LimitedReader // ends one byte after MaxSize
	path     []string
	problems []exchange.Problem
}

func newReader(r io.Reader) *reader {
	c := &reader{src: io.LimitedReader{R: r, N: MaxSize + 1}, path: []string{"$"}}
	c.Feed = jsonfeed.New(&c.src, MaxSize)
	return c
}

func (c *reader) problem(rule, section, message string) {
	if len(c.problems) == maxProblems {
		return
	}
	if section != "" {
		section = "CSAF 2.0 " + section
	}
	c.problems = append(c.problems, exchange.Problem{Path: strings.Join(c.path, ""), Code: rule, Section: section, Message: message})
}

func (c *reader) enter(part string) { c.path = append(c.path, part) }
func (c *reader) leave()            { c.path = c.path[:len(c.path)-1] }

// fields maps the names of an object's properties to what reads their values.
// A name that ends in ! is required.
type fields map[string]func() error

// object reads an object. Properties that f does not name are passed over.
func (c *reader) object(section string, f fields) error {
	if c.Peek() != jsontext.KindBeginObject {
		return c.wrong(section, "this has to be an object")
	}
	if _, err := c.Token(); err != nil {
		return err
	}
	have := make(map[string]bool, len(f))
	for c.Peek() != jsontext.KindEndObject {
		tok, err := c.Token()
		if err != nil {
			return err
		}
		name := tok.String()
		read, known := f[name]
		if !known {
			if read, known = f[name+"!"]; !known {
				read = c.Skip
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
	_, err := c.Token()
	return err
}

// list reads a list that may not be empty, each element by f.
func (c *reader) list(section string, f func() error) error {
	if c.Peek() != jsontext.KindBeginArray {
		return c.wrong(section, "this has to be a list")
	}
	if _, err := c.Token(); err != nil {
		return err
	}
	n := 0
	for ; c.Peek() != jsontext.KindEndArray; n++ {
		c.enter("[" + strconv.Itoa(n) + "]")
		if err := f(); err != nil {
			return err
		}
		c.leave()
	}
	if n == 0 {
		c.problem(RuleValue, section, "this list may not be empty")
	}
	_, err := c.Token()
	return err
}

// text reads a string that may not be empty. valid, where given, returns what
// is wrong with it.
func (c *reader) text(section string, valid func(string) string) error {
	if c.Peek() != jsontext.KindString {
		return c.wrong(section, "this has to be a string")
	}
	tok, err := c.Token()
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
	if c.Peek() != jsontext.KindInvalid {
		c.problem(RuleType, section, message)
	}
	return c.Skip()
}

// end reads to the end of the input, where only white space may follow.
func (c *reader) end() error {
	rest, err := c.End()
	if rest != "" && c.src.N > 0 {
		c.path = c.path[:1]
		c.problem(RuleTrailing, "§3.1", "something follows the end of the document, near "+rest)
	}
	return err
}

// explain turns what ended the reading, or nil, into a problem; an error of the
// source it returns.
func (c *reader) explain(err error) error {
	switch {
	case c.Err() != nil:
		return c.Err()
	case c.src.N == 0:
		c.path = c.path[:1]
		c.problem(RuleSize, "appendix C", fmt.Sprintf("larger than the %d bytes that this exchange takes for one advisory", MaxSize))
	case err != nil:
		c.problem(RuleSyntax, "", c.Fault(err))
	}
	return nil
}
