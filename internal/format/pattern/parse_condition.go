package pattern

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// objectTypes is the set of object types that can satisfy a condition, sorted.
type objectTypes []string

// orCondition reads comparisons; AND binds stronger than OR (§9.5.3).
func (p *parser) orCondition() (*condition, objectTypes, error) {
	first, types, err := p.andCondition()
	if err != nil || !p.is("OR") {
		return first, types, err
	}
	all := &condition{op: or}
	all.kids = appendCondition(all.kids, or, first)
	for p.accept("OR") {
		next, more, err := p.andCondition()
		if err != nil {
			return nil, nil, err
		}
		all.kids = appendCondition(all.kids, or, next)
		types = append(types, more...)
	}
	return all, types.sorted(), nil
}

func appendCondition(kids []*condition, op connective, k *condition) []*condition {
	if k.op == op {
		return append(kids, k.kids...)
	}
	return append(kids, k)
}

// andCondition reads comparisons joined by AND. One object must be able to
// satisfy all of them (§9.5).
func (p *parser) andCondition() (*condition, objectTypes, error) {
	first, types, err := p.operand()
	if err != nil || !p.is("AND") {
		return first, types, err
	}
	all := &condition{op: and}
	all.kids = appendCondition(all.kids, and, first)
	for p.accept("AND") {
		begin := p.start
		next, more, err := p.operand()
		if err != nil {
			return nil, nil, err
		}
		all.kids = appendCondition(all.kids, and, next)
		common := types.intersection(more)
		if len(common) == 0 && !p.opt.MixedTypes {
			return nil, nil, p.wrong(begin, "9.5", "AND in one observation expression is about one object, which cannot be of type %s and of type %s",
				types.list(), more.list())
		}
		types = common
	}
	return all, types, nil
}

func (t objectTypes) sorted() objectTypes {
	slices.Sort(t)
	return slices.Compact(t)
}

func (t objectTypes) intersection(more objectTypes) objectTypes {
	if slices.Equal(t, more) {
		return t
	}
	var out objectTypes
	for _, s := range t {
		if _, found := slices.BinarySearch(more, s); found {
			out = append(out, s)
		}
	}
	return out
}

func (t objectTypes) list() string {
	cut := t[:min(len(t), 3)]
	out := make([]string, len(cut))
	for i, s := range cut {
		out[i] = excerpt(s)
	}
	return strings.Join(out, " or ")
}

// operand is a comparison, or a condition in parentheses.
func (p *parser) operand() (*condition, objectTypes, error) {
	if p.is("(") {
		if err := p.enter(); err != nil {
			return nil, nil, err
		}
		p.next()
		c, types, err := p.orCondition()
		if err != nil {
			return nil, nil, err
		}
		p.depth--
		return c, types, p.expect(")", "AND, OR or )")
	}
	test, err := p.comparison()
	if err != nil {
		return nil, nil, err
	}
	return &condition{op: single, test: test}, objectTypes{test.typ}, nil
}

const expectedOperator = "an operator: =, !=, <, <=, >, >=, IN, LIKE, MATCHES, ISSUBSET, ISSUPERSET, or NOT before one"

func (p *parser) comparison() (*comparison, error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	c := &comparison{}
	if p.is("NOT") || p.is("EXISTS") {
		c.negated = p.accept("NOT")
		if err := p.expect("EXISTS", "EXISTS; of other comparisons NOT stands before the operator"); err != nil {
			return nil, err
		}
		c.op = opExists
		return c, p.path(c)
	}
	if err := p.path(c); err != nil {
		return nil, err
	}
	c.negated = p.accept("NOT")
	if p.tok != tokPunct && p.tok != tokKeyword {
		return nil, p.unexpected(expectedOperator)
	}
	op, known := operators[p.text]
	if !known {
		return nil, p.unexpected(expectedOperator)
	}
	c.op = op
	p.next()
	switch op {
	case opIn:
		return c, p.set(c)
	case opLike, opMatches, opSubset, opSuperset:
		return c, p.stringOperand(c)
	}
	begin := p.start
	var err error
	if c.value, err = p.constant(); err != nil {
		return nil, err
	}
	if c.value.kind == kindBool && op != opEqual && op != opNotEqual {
		return nil, p.wrong(begin, "9.6.1", "%s does not compare booleans", op)
	}
	return c, nil
}

// operators are the signs of the operators that take a constant or a set.
var operators = map[string]operator{
	"=": opEqual, "==": opEqual, "!=": opNotEqual, "<>": opNotEqual, "<": opLess, "<=": opLessEqual, ">": opGreater,
	">=": opGreaterEqual, "IN": opIn, "LIKE": opLike, "MATCHES": opMatches, "ISSUBSET": opSubset, "ISSUPERSET": opSuperset,
}

// path reads TYPE:STEP… (§9.7).
func (p *parser) path(c *comparison) error {
	if p.tok != tokWord {
		return p.unexpected("an object path, as file:name, EXISTS or (")
	}
	c.typ = p.text
	p.next()
	if err := p.expect(":", "a colon after the object type"); err != nil {
		return err
	}
	if err := p.key(c); err != nil {
		return err
	}
	for {
		switch {
		case p.accept("."):
			if err := p.key(c); err != nil {
				return err
			}
		case p.accept("["):
			if err := p.index(c); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (p *parser) key(c *comparison) error {
	if err := p.count(); err != nil {
		return err
	}
	key := p.text
	switch p.tok {
	case tokWord:
		if strings.Contains(key, "-") {
			return p.wrong(p.start, "9.7", "a key with a hyphen stands in quotes: '%s'", strings.Trim(excerpt(key), `"`))
		}
	case tokString:
		var err error
		if key, err = p.unescape(p.start+1, p.text[1:len(p.text)-1]); err != nil {
			return err
		}
	case tokKeyword:
		return p.wrong(p.start, "9.7", "the keyword %s as a key stands in quotes", p.text)
	default:
		return p.unexpected("the name of a property, or a key in quotes")
	}
	c.path = append(c.path, step{key: key, isKey: true})
	p.next()
	return nil
}

func (p *parser) index(c *comparison) error {
	if err := p.count(); err != nil {
		return err
	}
	s := step{index: -1}
	if !p.accept("*") {
		if p.tok != tokInteger || p.text[0] == '-' || p.text[0] == '+' {
			return p.unexpected("an index from 0, or *")
		}
		n, err := strconv.ParseInt(p.text, 10, 32)
		if err != nil {
			return p.wrong(p.start, "9.7.2", "the index %s is too large", excerpt(p.text))
		}
		s.index = int(n)
		p.next()
	}
	c.path = append(c.path, s)
	return p.expect("]", "]")
}

// set reads (CONSTANT, …), of constants of one kind (§9.6.1); integers and
// floats are one kind, being numbers.
func (p *parser) set(c *comparison) error {
	if err := p.expect("(", "a set, as ('a', 'b')"); err != nil {
		return err
	}
	if p.accept(")") {
		return nil
	}
	for {
		begin := p.start
		v, err := p.constant()
		if err != nil {
			return err
		}
		if err := p.count(); err != nil {
			return err
		}
		if len(c.set) > 0 {
			if k := c.set[0].kind; k != v.kind && !(k.numeric() && v.kind.numeric()) {
				return p.wrong(begin, "9.6.1", "the constants of a set are of one kind")
			}
		}
		c.set = append(c.set, v)
		if p.accept(")") {
			return nil
		}
		if err := p.expect(",", "a comma or )"); err != nil {
			return err
		}
	}
}

// stringOperand reads the string of LIKE, MATCHES, ISSUBSET and ISSUPERSET.
func (p *parser) stringOperand(c *comparison) error {
	if p.tok != tokString {
		return p.unexpected("a string after " + c.op.String())
	}
	begin, raw := p.start, p.text[1:len(p.text)-1]
	var err error
	if c.value, err = p.constant(); err != nil {
		return err
	}
	switch c.op {
	case opMatches:
		return p.checkRegexp(begin+1, raw, c.value.str)
	case opSubset, opSuperset:
		if _, ok := parseNetwork(c.value.str); !ok {
			return p.wrong(begin, "9.6.1", "%s takes an IPv4 or IPv6 address or network, as '198.51.100.0/24'", c.op)
		}
	}
	return nil
}

// parseNetwork reads an address or a network; host bits may be set.
func parseNetwork(s string) (netip.Prefix, bool) {
	if strings.IndexByte(s, '/') >= 0 {
		n, err := netip.ParsePrefix(s)
		return n.Masked(), err == nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

// constant reads a constant (§9.2) and goes on.
func (p *parser) constant() (c constant, err error) {
	begin, text := p.start, p.text
	switch p.tok {
	case tokString:
		c.kind = kindString
		c.str, err = p.unescape(begin+1, text[1:len(text)-1])
	case tokInteger:
		c.kind = kindInteger
		if c.i, err = strconv.ParseInt(text, 10, 64); err != nil {
			err = p.wrong(begin, "9.2", "the integer %s has more than 64 bits", excerpt(text))
		}
	case tokFloat:
		c.kind = kindFloat
		if c.f, err = strconv.ParseFloat(text, 64); err != nil || math.IsInf(c.f, 0) {
			err = p.wrong(begin, "9.2", "the float %s is out of range", excerpt(text))
		}
	case tokHex:
		b, bad := hex.DecodeString(text[2 : len(text)-1])
		if bad != nil {
			err = p.wrong(begin, "9.2", "a hexadecimal constant has pairs of the digits 0-9, a-f")
		}
		c.kind, c.str = kindBinary, string(b)
	case tokBase64:
		b, bad := base64.StdEncoding.DecodeString(text[2 : len(text)-1])
		if bad != nil || strings.ContainsAny(text, "\r\n") {
			err = p.wrong(begin, "9.2", "a binary constant is base64 (RFC 4648 §4) with its padding")
		}
		c.kind, c.str, c.b64 = kindBinary, string(b), true
	case tokTime:
		var ok bool
		if c.at, ok = parseInstant(text[2 : len(text)-1]); !ok {
			err = p.wrong(begin, "9.2", "a timestamp is a date and time in UTC, as t'2027-01-01T00:00:00Z'")
		}
		c.kind = kindTimestamp
	case tokKeyword:
		if text != "true" && text != "false" {
			return c, p.unexpected(expectedConstant)
		}
		c.kind, c.yes = kindBool, text == "true"
	default:
		return c, p.unexpected(expectedConstant)
	}
	if err == nil {
		p.next()
	}
	return c, err
}

const expectedConstant = "a constant: a number, 'string', true, false, h'hex', b'base64' or t'timestamp'"

// unescape reads the inside of a string: \' and \\ are its escapes. It stands
// at offset in the source.
func (p *parser) unescape(offset int, raw string) (string, error) {
	i := strings.IndexByte(raw, '\\')
	if i < 0 {
		return raw, nil
	}
	b := make([]byte, 0, len(raw))
	for from := 0; ; {
		b = append(b, raw[from:i]...)
		if c := raw[i+1]; c != '\\' && c != '\'' {
			return "", p.wrong(offset+i, "9.2", `in a string a backslash stands before ' or another backslash; write it as \\`)
		}
		b = append(b, raw[i+1])
		from = i + 2
		n := strings.IndexByte(raw[from:], '\\')
		if n < 0 {
			return string(append(b, raw[from:]...)), nil
		}
		i = from + n
	}
}
