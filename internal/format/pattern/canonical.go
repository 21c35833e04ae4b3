package pattern

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// canonical is a comparison as comparisons of which one holds when it holds: IN
// becomes one for each member. IN of nothing gives none.
func canonical(c *comparison) []*comparison {
	out := *c
	if c.op == opExists {
		return []*comparison{&out}
	}
	fold := foldFor(c)
	if c.op == opIn {
		set := make([]constant, len(c.set))
		for i, v := range c.set {
			set[i] = canonicalConstant(v, fold)
		}
		slices.SortFunc(set, compareConstants)
		out.set = slices.CompactFunc(set, func(a, b constant) bool { return compareConstants(a, b) == 0 })
		return members(out)
	}
	if c.op == opMatches { // NFC could change the syntax of an expression
		return []*comparison{&out}
	}
	out.value = canonicalConstant(c.value, fold)
	switch c.op {
	case opEqual, opNotEqual:
		if c.negated {
			out.negated, out.op = false, opEqual+opNotEqual-c.op
		}
	case opLike:
		for strings.Contains(out.value.str, "%%") {
			out.value.str = strings.ReplaceAll(out.value.str, "%%", "%")
		}
		if !strings.ContainsAny(out.value.str, "%_") {
			out.op, out.negated = opEqual, false
			if c.negated {
				out.op = opNotEqual
			}
			out.value = canonicalConstant(out.value, foldFor(&out))
		}
	case opSubset, opSuperset:
		if n, ok := parseNetwork(c.value.str); ok {
			out.value.str = networkText(n)
		}
	}
	return []*comparison{&out}
}

// members takes IN apart.
func members(c comparison) []*comparison {
	if !c.negated {
		out := make([]*comparison, len(c.set))
		for i, v := range c.set {
			out[i] = &comparison{typ: c.typ, path: c.path, op: opEqual, value: v}
		}
		return out
	}
	if len(c.set) == 1 {
		return []*comparison{{typ: c.typ, path: c.path, op: opNotEqual, value: c.set[0]}}
	}
	return []*comparison{&c}
}

// foldFor is how the strings that a comparison is about are written in one way,
// beyond NFC, where they are compared as wholes.
func foldFor(c *comparison) func(string) string {
	if c.op != opEqual && c.op != opNotEqual && c.op != opIn {
		return nil
	}
	last := c.path[len(c.path)-1].key
	switch {
	case c.typ == "ipv4-addr" && len(c.path) == 1 && last == "value":
		return func(s string) string { return foldAddress(s, true) }
	case c.typ == "ipv6-addr" && len(c.path) == 1 && last == "value":
		return func(s string) string { return foldAddress(s, false) }
	case c.typ == "windows-registry-key" && len(c.path) == 1 && last == "key",
		c.typ == "windows-registry-key" && len(c.path) == 3 && c.path[0].key == "values" && !c.path[1].isKey && last == "name":
		return strings.ToLower
	}
	return nil
}

// foldAddress writes an address or network of one family in one way: shortest
// form, host bits cleared, no prefix length that says nothing.
func foldAddress(s string, four bool) string {
	n, ok := parseNetwork(s)
	if !ok || n.Addr().Is4() != four {
		return s
	}
	return networkText(n)
}

func networkText(n netip.Prefix) string {
	if n.Bits() == n.Addr().BitLen() {
		return n.Addr().String()
	}
	return n.String()
}

func canonicalConstant(c constant, fold func(string) string) constant {
	switch c.kind {
	case kindString:
		c.str = norm.NFC.String(c.str)
		if fold != nil {
			c.str = norm.NFC.String(fold(c.str))
		}
	case kindFloat:
		if c.f == math.Trunc(c.f) && math.Abs(c.f) < 1<<62 {
			return constant{kind: kindInteger, i: int64(c.f)}
		}
	case kindBinary:
		c.b64 = false
	}
	return c
}

func compareConstants(a, b constant) int {
	if a.kind.numeric() && b.kind.numeric() {
		return compareNumbers(a, b)
	}
	if c := cmp.Compare(a.kind, b.kind); c != 0 {
		return c
	}
	switch a.kind {
	case kindBool:
		if a.yes == b.yes {
			return 0
		}
		if b.yes {
			return -1
		}
		return 1
	case kindTimestamp:
		return a.at.compare(b.at)
	}
	return strings.Compare(a.str, b.str)
}
