package pattern

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Normalise returns the normal form of a pattern: operands of AND and OR in the
// order of their text and without repetition, comparisons as OR of AND (IN as OR
// of =), AND, FOLLOWEDBY, WITHIN and START … STOP inside of OR, observation
// expressions joined by OR in one pair of brackets, what another alternative
// implies left out, NOT = as !=, and constants in one form: NFC, numbers,
// timestamps and binary by their value, addresses, networks and Windows registry
// keys as the systems compare them.
//
// Its size can grow exponentially; beyond Options.MaxTerms the error is ErrLimit.
func (p *Pattern) Normalise() (*Pattern, error) {
	n := &normaliser{left: p.opt.MaxTerms, most: p.opt.MaxTerms}
	terms, err := n.observation(p.root)
	if err != nil {
		return nil, err
	}
	if terms, err = n.reduce(terms); err != nil {
		return nil, err
	}
	return &Pattern{root: n.join(terms), opt: p.opt}, nil
}

// Equivalent reports whether two patterns have one normal form. Patterns with
// one normal form match the same observations; where it answers false, they
// differ for all that the normal form knows. ErrLimit says that the form of one
// of them is too large, so that nothing is known.
func Equivalent(a, b *Pattern) (bool, error) {
	x, err := a.Normalise()
	if err != nil {
		return false, err
	}
	y, err := b.Normalise()
	if err != nil {
		return false, err
	}
	return x.String() == y.String(), nil
}

// normaliser holds what is left of the bound.
type normaliser struct{ left, most int }

func (n *normaliser) spend(terms int) error {
	n.left -= terms
	if n.left < 0 {
		return &limitError{fmt.Sprintf("the normal form of the pattern has more than %d terms", n.most)}
	}
	return nil
}

// atom is a comparison with its canonical text.
type atom struct {
	text string
	test *comparison
}

// conjunction is atoms joined by AND, sorted, each once.
type conjunction []atom

// condition is the disjunctive normal form. No conjunction at all means that
// nothing matches.
func (n *normaliser) condition(c *condition) ([]conjunction, error) {
	switch c.op {
	case single:
		return n.comparison(c.test)
	case or:
		var out []conjunction
		for _, k := range c.kids {
			terms, err := n.condition(k)
			if err != nil {
				return nil, err
			}
			out = append(out, terms...)
		}
		return out, nil
	}
	out := []conjunction{nil}
	for _, k := range c.kids {
		terms, err := n.condition(k)
		if err != nil || len(terms) == 0 {
			return nil, err
		}
		if out, err = n.multiply(out, terms); err != nil {
			return nil, err
		}
	}
	for i, t := range out {
		slices.SortFunc(t, func(a, b atom) int { return strings.Compare(a.text, b.text) })
		out[i] = slices.CompactFunc(t, func(a, b atom) bool { return a.text == b.text })
	}
	return out, nil
}

// multiply joins every conjunction of rows with every one of terms. Each row
// has its memory to itself.
func (n *normaliser) multiply(rows, terms []conjunction) ([]conjunction, error) {
	if len(terms) == 1 {
		for i := range rows {
			if err := n.spend(len(terms[0])); err != nil {
				return nil, err
			}
			rows[i] = append(rows[i], terms[0]...)
		}
		return rows, nil
	}
	var next []conjunction
	for _, a := range rows {
		for _, b := range terms {
			if err := n.spend(1 + len(a)/8 + len(b)); err != nil {
				return nil, err
			}
			next = append(next, append(a[:len(a):len(a)], b...))
		}
	}
	return next, nil
}

func (n *normaliser) comparison(c *comparison) ([]conjunction, error) {
	tests := canonical(c)
	if err := n.spend(len(tests)); err != nil {
		return nil, err
	}
	out := make([]conjunction, len(tests))
	for i, t := range tests {
		var b strings.Builder
		writeComparison(&b, t)
		out[i] = conjunction{{b.String(), t}}
	}
	return out, nil
}

// absorb sorts conjunctions and leaves out those that another implies: of a and
// (a AND b) only a stays.
func (n *normaliser) absorb(terms []conjunction) ([]conjunction, error) {
	byText := func(a, b conjunction) int {
		return slices.CompareFunc(a, b, func(x, y atom) int { return strings.Compare(x.text, y.text) })
	}
	slices.SortFunc(terms, byText)
	terms = slices.CompactFunc(terms, func(a, b conjunction) bool { return byText(a, b) == 0 })
	shorter := indexOf(terms)
	out := terms[:0:0]
	for _, t := range terms {
		implied, err := n.covered(t, shorter, len(t)-1)
		if err != nil {
			return nil, err
		}
		if !implied {
			out = append(out, t)
		}
	}
	return out, nil
}

// index finds conjunctions by their first atom, the shorter ones first.
type index map[string][]conjunction

func indexOf(terms []conjunction) index {
	x := index{}
	for _, t := range terms {
		x[t[0].text] = append(x[t[0].text], t)
	}
	for _, list := range x {
		slices.SortStableFunc(list, func(a, b conjunction) int { return cmp.Compare(len(a), len(b)) })
	}
	return x
}

// covered reports whether t includes all atoms of one of the indexed
// conjunctions with at most most atoms.
func (n *normaliser) covered(t conjunction, in index, most int) (bool, error) {
	for _, a := range t {
		for _, other := range in[a.text] {
			if len(other) > most {
				break
			}
			if err := n.spend(1 + len(t)/8); err != nil {
				return false, err
			}
			if includes(t, other) {
				return true, nil
			}
		}
	}
	return false, nil
}

// includes reports whether all atoms of part are in whole, both sorted.
func includes(whole, part conjunction) bool {
	for _, a := range part {
		for len(whole) > 0 && whole[0].text < a.text {
			whole = whole[1:]
		}
		if len(whole) == 0 || whole[0].text != a.text {
			return false
		}
	}
	return true
}

// build makes a condition of terms; of none, one that nothing satisfies.
func build(terms []conjunction) *condition {
	if len(terms) == 0 {
		return &condition{op: single, test: &comparison{typ: "file", path: []step{{key: "name", isKey: true}}, op: opIn}}
	}
	alternatives := &condition{op: or}
	for _, t := range terms {
		all := &condition{op: and}
		for _, a := range t {
			all.kids = append(all.kids, &condition{op: single, test: a.test})
		}
		if len(all.kids) == 1 {
			all = all.kids[0]
		}
		alternatives.kids = append(alternatives.kids, all)
	}
	if len(alternatives.kids) == 1 {
		return alternatives.kids[0]
	}
	return alternatives
}
