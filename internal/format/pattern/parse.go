package pattern

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// Parse reads a pattern by the grammar and the rules of STIX 2.1 §9. The error
// is a *SyntaxError; where a limit was reached, ErrLimit as well.
func Parse(src string, opt Options) (*Pattern, error) {
	opt = opt.withDefaults()
	if len(src) > opt.MaxBytes {
		e := at(src[:opt.MaxBytes], opt.MaxBytes)
		e.Reason = fmt.Sprintf("the pattern has %d bytes; at most %d are read", len(src), opt.MaxBytes)
		return nil, exceededError{e}
	}
	p := &parser{lexer: lexer{src: src}, opt: opt}
	if !utf8.ValidString(src) {
		for i, r := range src {
			if _, n := utf8.DecodeRuneInString(src[i:]); r == utf8.RuneError && n == 1 {
				return nil, p.wrong(i, "9.2", "a byte that is not UTF-8")
			}
		}
	}
	p.next()
	root, err := p.followedBy()
	if err != nil {
		return nil, err
	}
	if p.tok != tokEnd {
		return nil, p.unexpected("AND, OR, FOLLOWEDBY, WITHIN, REPEATS, START or the end of the pattern")
	}
	return &Pattern{root: root, opt: opt}, nil
}

// parser is recursive descent; MaxDepth bounds its depth.
type parser struct {
	lexer
	opt     Options
	depth   int
	nodes   int
	program int // instructions of all regular expressions
}

// wrong is an error with a reason of its own.
func (p *parser) wrong(offset int, section, format string, args ...any) error {
	e := at(p.src, offset)
	e.Reason, e.Section = fmt.Sprintf(format, args...), section
	return e
}

// limit is an error that says that a limit was reached.
func (p *parser) limit(offset int, format string, args ...any) error {
	e := at(p.src, offset)
	e.Reason = fmt.Sprintf(format, args...)
	return exceededError{e}
}

// unexpected says that the present token is not one of those expected.
func (p *parser) unexpected(expected string) error {
	e := at(p.src, p.start)
	e.Expected = expected
	switch p.tok {
	case tokEnd:
		e.Found = "the end of the pattern"
	case tokUnclosed:
		e.Reason = "a string without its closing quote"
		if p.text != "" && p.text[0] == '/' {
			e.Reason = "a comment without its */"
		}
	case tokWord:
		e.Found = excerpt(p.text)
		if k := upperKeyword(p.text); k != "" {
			e.Reason = fmt.Sprintf("found %s, expected %s; keywords are written in capitals: %s", e.Found, expected, k)
		}
	default:
		e.Found = excerpt(p.text)
	}
	return e
}

// upperKeyword is the keyword that a word means in other letters, or "".
func upperKeyword(word string) string {
	if len(word) > len("FOLLOWEDBY") {
		return ""
	}
	b := []byte(word)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 0x20
		}
	}
	if k := string(b); keywords[k] {
		return k
	}
	return ""
}

func (p *parser) is(text string) bool {
	return (p.tok == tokPunct || p.tok == tokKeyword) && p.text == text
}

// accept takes the token when it is this one.
func (p *parser) accept(text string) bool {
	if !p.is(text) {
		return false
	}
	p.next()
	return true
}

func (p *parser) expect(text, what string) error {
	if !p.accept(text) {
		return p.unexpected(what)
	}
	return nil
}

func (p *parser) count() error {
	p.nodes++
	if p.nodes > p.opt.MaxNodes {
		return p.limit(p.start, "the pattern has more than %d parts", p.opt.MaxNodes)
	}
	return nil
}

// enter counts an opening parenthesis.
func (p *parser) enter() error {
	p.depth++
	if p.depth > p.opt.MaxDepth {
		return p.limit(p.start, "more than %d parentheses inside each other", p.opt.MaxDepth)
	}
	return nil
}

func (p *parser) followedBy() (*observation, error) {
	return p.joined(followedBy, func() (*observation, error) {
		return p.joined(or, func() (*observation, error) { return p.joined(and, p.observation) })
	})
}

// joined reads operands of one connective. All three associate (§9.5.2), so that
// operands of the same connective in parentheses become its own.
func (p *parser) joined(op connective, operand func() (*observation, error)) (*observation, error) {
	first, err := operand()
	if err != nil || !p.is(op.String()) {
		return first, err
	}
	all := &observation{op: op}
	all.kids = appendObservation(all.kids, op, first)
	for p.accept(op.String()) {
		next, err := operand()
		if err != nil {
			return nil, err
		}
		all.kids = appendObservation(all.kids, op, next)
	}
	return all, nil
}

func appendObservation(kids []*observation, op connective, k *observation) []*observation {
	if k.op == op && len(k.qual) == 0 {
		return append(kids, k.kids...)
	}
	return append(kids, k)
}

func (p *parser) observation() (*observation, error) {
	var o *observation
	switch {
	case p.is("["):
		p.next()
		test, _, err := p.orCondition()
		if err != nil {
			return nil, err
		}
		if err := p.expect("]", "AND, OR or ]"); err != nil {
			return nil, err
		}
		o = &observation{op: single, test: test}
	case p.is("("):
		if err := p.enter(); err != nil {
			return nil, err
		}
		p.next()
		inner, err := p.followedBy()
		if err != nil {
			return nil, err
		}
		if err := p.expect(")", "AND, OR, FOLLOWEDBY, a qualifier or )"); err != nil {
			return nil, err
		}
		p.depth--
		o = inner
	default:
		return nil, p.unexpected("[ or (")
	}
	if err := p.qualifiers(&o); err != nil {
		return nil, err
	}
	return o, nil
}

// qualifiers reads what follows an observation expression. A qualifier must not
// stand twice on the same expression (§9.5.1).
func (p *parser) qualifiers(o **observation) error {
	var seen [3]bool
	var quals []qualifier
	for {
		begin := p.start
		q, err := p.qualifier()
		if err != nil {
			return err
		}
		if q == nil {
			break
		}
		if seen[q.kind] {
			return p.wrong(begin, "9.5.1", "a second %s on one observation expression", q.kind)
		}
		seen[q.kind] = true
		quals = append(quals, *q)
		if err := p.count(); err != nil {
			return err
		}
	}
	if len(quals) == 0 {
		return nil
	}
	if len((*o).qual) > 0 {
		*o = &observation{op: group, kids: []*observation{*o}}
	}
	(*o).qual = quals
	return nil
}

func (p *parser) qualifier() (*qualifier, error) {
	switch {
	case p.accept("WITHIN"):
		begin, text := p.start, p.text
		if p.tok != tokInteger && p.tok != tokFloat {
			return nil, p.unexpected("a positive number of seconds")
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || v <= 0 || math.IsInf(v, 0) {
			return nil, p.wrong(begin, "9.5.1", "WITHIN takes a positive number of seconds, not %s", excerpt(text))
		}
		p.next()
		return &qualifier{kind: within, seconds: v}, p.expect("SECONDS", "SECONDS")
	case p.accept("REPEATS"):
		begin, text := p.start, p.text
		if p.tok != tokInteger {
			return nil, p.unexpected("a positive integer")
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n <= 0 {
			return nil, p.wrong(begin, "9.5.1", "REPEATS takes a positive integer of at most 64 bits, not %s", excerpt(text))
		}
		p.next()
		return &qualifier{kind: repeats, times: n}, p.expect("TIMES", "TIMES")
	case p.accept("START"):
		begin := p.start
		q := &qualifier{kind: startStop}
		var err error
		if q.start, err = p.timestamp(); err != nil {
			return nil, err
		}
		if err = p.expect("STOP", "STOP"); err != nil {
			return nil, err
		}
		if q.stop, err = p.timestamp(); err != nil {
			return nil, err
		}
		if q.start.compare(q.stop) >= 0 {
			return nil, p.wrong(begin, "9.5.1", "START is not before STOP")
		}
		return q, nil
	}
	return nil, nil
}

func (p *parser) timestamp() (instant, error) {
	if p.tok != tokTime {
		return instant{}, p.unexpected("a timestamp, as t'2027-01-01T00:00:00Z'")
	}
	c, err := p.constant()
	return c.at, err
}
