package pattern

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// compiled is a comparison that is ready for evaluation.
type compiled struct {
	*comparison
	expr    *regexp.Regexp
	cost    int // of one run of expr for each byte
	network netip.Prefix
	members map[string]bool // of IN over strings: in NFC
	text    string          // of a string constant: in NFC
	like    []rune
	decode  func(string) ([]byte, error) // of the property's suffix _bin or _hex
}

func compile(c *comparison) (*compiled, error) {
	out := &compiled{comparison: c, text: norm.NFC.String(c.value.str)}
	last := c.path[len(c.path)-1].key
	for i := len(c.path) - 1; i > 0 && last == ""; i-- {
		last = c.path[i-1].key
	}
	switch {
	case strings.HasSuffix(last, "_hex"):
		out.decode = hex.DecodeString
	case strings.HasSuffix(last, "_bin"):
		out.decode = base64.StdEncoding.DecodeString
	}
	switch c.op {
	case opMatches:
		expr, err := regexp.Compile(out.text)
		if err != nil { // a combining character may have changed its syntax
			expr, err = regexp.Compile(c.value.str)
		}
		if err != nil {
			return nil, fmt.Errorf("compiling a regular expression: %w", err)
		}
		out.expr, out.cost = expr, 1+len(out.text)/16
	case opLike:
		out.like = []rune(out.text)
	case opSubset, opSuperset:
		out.network, _ = parseNetwork(c.value.str)
	case opIn:
		if len(c.set) > 0 && c.set[0].kind == kindString {
			out.members = make(map[string]bool, len(c.set))
			for _, v := range c.set {
				out.members[norm.NFC.String(v.str)] = true
			}
		}
	}
	return out, nil
}

// evaluation is one evaluation of a pattern, with what is left of its budget.
type evaluation struct {
	left, most int
	over       error
}

// spend reports whether there is budget for n further steps.
func (e *evaluation) spend(n int) bool {
	e.left -= n
	if e.left < 0 && e.over == nil {
		e.over = &limitError{fmt.Sprintf("the evaluation took more than %d steps", e.most)}
	}
	return e.left >= 0
}

// holds reports whether an object satisfies a comparison: one of the values that
// the path leads to does (§9.6, §9.7).
func (e *evaluation) holds(c *compiled, root *value, in *observed) bool {
	found := e.walk(root, in, c.path, "", func(v *value) bool {
		if c.op == opExists {
			return true
		}
		if v.kind == valueList || v.kind == valueObject {
			return false
		}
		return e.test(c, v) != c.negated
	})
	if c.op == opExists {
		return found != c.negated
	}
	return found
}

// walk follows a path and reports whether yes holds for a value at its end.
// property is the last key: where it is a reference and the path goes on, the
// path goes on in the object referred to (§9.7.4).
func (e *evaluation) walk(v *value, in *observed, path []step, property string, yes func(*value) bool) bool {
	if !e.spend(1) || v == nil || v.kind == valueNull {
		return false
	}
	if len(path) == 0 {
		return yes(v)
	}
	s := path[0]
	if s.isKey {
		if v.kind == valueString && (strings.HasSuffix(property, "_ref") || strings.HasSuffix(property, "_refs")) {
			if v = in.byID[v.str]; v == nil {
				return false
			}
		}
		if v.kind != valueObject {
			return false
		}
		return e.walk(v.keys[s.key], in, path[1:], s.key, yes)
	}
	if v.kind != valueList {
		return false
	}
	if s.index >= 0 {
		return s.index < len(v.list) && e.walk(v.list[s.index], in, path[1:], property, yes)
	}
	for _, item := range v.list {
		if e.walk(item, in, path[1:], property, yes) {
			return true
		}
	}
	return false
}

// test compares one value, NOT aside. Where the kinds cannot be compared, only
// != holds (§9.6.1).
func (e *evaluation) test(c *compiled, v *value) bool {
	if !e.spend(1 + (len(v.str)+len(c.value.str))/64) {
		return false
	}
	switch c.op {
	case opIn:
		return e.isMember(c, v)
	case opLike, opMatches:
		s, ok := c.textOf(v)
		if !ok {
			return false
		}
		if c.op == opLike {
			return e.like(c.like, []rune(s))
		}
		return e.spend(c.cost*(len(s)/8+1)) && c.expr.MatchString(s)
	case opSubset, opSuperset:
		if v.kind != valueString {
			return false
		}
		n, ok := parseNetwork(v.str)
		if !ok || n.Addr().BitLen() != c.network.Addr().BitLen() {
			return false
		}
		inner, outer := n, c.network
		if c.op == opSuperset {
			inner, outer = outer, inner
		}
		return inner.Bits() >= outer.Bits() && outer.Contains(inner.Addr())
	}
	order, ok := c.compare(v, c.value, c.text)
	switch c.op {
	case opEqual:
		return ok && order == 0
	case opNotEqual:
		return !ok || order != 0
	case opLess:
		return ok && order < 0
	case opLessEqual:
		return ok && order <= 0
	case opGreater:
		return ok && order > 0
	}
	return ok && order >= 0
}

func (e *evaluation) isMember(c *compiled, v *value) bool {
	if c.members != nil && v.kind == valueString && c.decode == nil {
		return c.members[norm.NFC.String(v.str)]
	}
	for _, member := range c.set {
		if !e.spend(1) {
			return false
		}
		text := member.str
		if member.kind == kindString {
			text = norm.NFC.String(text)
		}
		if order, ok := c.compare(v, member, text); ok && order == 0 {
			return true
		}
	}
	return false
}

// textOf is a value as text for LIKE and MATCHES, in NFC; of a binary property
// its bytes, each as the character with its number (§9.6.3).
func (c *compiled) textOf(v *value) (string, bool) {
	if v.kind != valueString {
		return "", false
	}
	if c.decode != nil {
		if b, err := c.decode(v.str); err == nil {
			return characters(string(b)), true
		}
	}
	return norm.NFC.String(v.str), true
}

// characters makes of every byte the character U+0000 to U+00FF with its number.
func characters(b string) string {
	r := make([]rune, len(b))
	for i := range len(b) {
		r[i] = rune(b[i])
	}
	return string(r)
}

// octets is the reverse of characters; false where a character has no byte.
func octets(s string) (string, bool) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return "", false
		}
		b = append(b, byte(r))
	}
	return string(b), true
}

// compare orders a value and a constant, whose text is in NFC; false where
// their kinds cannot be compared.
func (c *compiled) compare(v *value, to constant, text string) (int, bool) {
	switch v.kind {
	case valueNumber:
		if !to.kind.numeric() {
			return 0, false
		}
		return compareNumbers(v.number, to), true
	case valueBool:
		if to.kind != kindBool {
			return 0, false
		}
		return compareConstants(constant{kind: kindBool, yes: v.yes}, to), true
	case valueString:
		switch to.kind {
		case kindTimestamp:
			at, ok := parseInstant(v.str)
			return at.compare(to.at), ok
		case kindString:
			if c.decode != nil {
				if b, err := c.decode(v.str); err == nil {
					other, ok := octets(text)
					return strings.Compare(string(b), other), ok
				}
			}
			return strings.Compare(norm.NFC.String(v.str), text), true
		case kindBinary:
			if c.decode != nil {
				if b, err := c.decode(v.str); err == nil {
					return strings.Compare(string(b), to.str), true
				}
			}
			other, ok := octets(v.str)
			return strings.Compare(other, to.str), ok
		}
	}
	return 0, false
}

// like matches the whole text: % is any number of characters, _ exactly one
// (§9.6.1).
func (e *evaluation) like(expr, text []rune) bool {
	star, resume := -1, 0
	i, j := 0, 0
	for j < len(text) {
		if !e.spend(1) {
			return false
		}
		switch {
		case i < len(expr) && expr[i] == '%':
			star, resume = i, j
			i++
		case i < len(expr) && (expr[i] == '_' || expr[i] == text[j]):
			i++
			j++
		case star >= 0:
			resume++
			i, j = star+1, resume
		default:
			return false
		}
	}
	for i < len(expr) && expr[i] == '%' {
		i++
	}
	return i == len(expr)
}
