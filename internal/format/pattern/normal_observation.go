package pattern

import (
	"maps"
	"slices"
	"strings"
)

// term is one alternative of the normal form of an observation expression:
// either the conjunctions of one pair of brackets without qualifiers, or another
// expression that has no OR at its top.
type term struct {
	tests []conjunction
	expr  *observation
	text  string
}

// observation is the alternatives of an observation expression; none means that
// nothing matches.
func (n *normaliser) observation(o *observation) (terms []term, err error) {
	switch o.op {
	case single:
		terms, err = n.brackets(o.test)
	case group:
		terms, err = n.observation(o.kids[0])
	case or:
		for _, k := range o.kids {
			more, err := n.observation(k)
			if err != nil {
				return nil, err
			}
			terms = append(terms, more...)
		}
	default:
		terms, err = n.product(o)
	}
	if err != nil {
		return nil, err
	}
	if terms, err = n.reduce(terms); err != nil {
		return nil, err
	}
	return n.qualify(terms, o.qual)
}

func (n *normaliser) brackets(c *condition) ([]term, error) {
	tests, err := n.condition(c)
	if err != nil || len(tests) == 0 {
		return nil, err
	}
	return []term{{tests: tests}}, nil
}

// product distributes AND and FOLLOWEDBY over the alternatives of their
// operands (§9.5.2). Brackets without qualifiers are one alternative: OR inside
// of them is about one observation, as OR between them would be.
func (n *normaliser) product(o *observation) ([]term, error) {
	rows := [][]*observation{nil}
	for _, k := range o.kids {
		terms, err := n.observation(k)
		if err != nil {
			return nil, err
		}
		if rows, err = n.extend(rows, terms, o.op); err != nil {
			return nil, err
		}
	}
	out := make([]term, 0, len(rows))
	for _, row := range rows {
		if o.op == and {
			row = sortByText(row)
		}
		out = append(out, term{expr: &observation{op: o.op, kids: row}})
	}
	return out, nil
}

// extend adds to every row each of the alternatives.
func (n *normaliser) extend(rows [][]*observation, terms []term, op connective) ([][]*observation, error) {
	var next [][]*observation
	for _, row := range rows {
		for i := range terms {
			cost := 1
			if len(terms) > 1 {
				row = row[:len(row):len(row)] // the next append copies
				cost += len(row) / 8
			}
			if err := n.spend(cost); err != nil {
				return nil, err
			}
			e, err := n.expression(&terms[i])
			if err != nil {
				return nil, err
			}
			next = append(next, appendObservation(row, op, e))
		}
	}
	return next, nil
}

func sortByText(kids []*observation) []*observation {
	texts := make(map[*observation]string, len(kids))
	for _, k := range kids {
		texts[k] = textOf(k)
	}
	kids = slices.Clone(kids)
	slices.SortStableFunc(kids, func(a, b *observation) int { return strings.Compare(texts[a], texts[b]) })
	return kids
}

func textOf(o *observation) string {
	var b strings.Builder
	writeObservation(&b, o)
	return b.String()
}

// expression is a term as an observation expression.
func (n *normaliser) expression(t *term) (*observation, error) {
	if t.expr == nil {
		tests, err := n.absorb(t.tests)
		if err != nil {
			return nil, err
		}
		t.tests, t.expr = tests, &observation{op: single, test: build(tests)}
	}
	return t.expr, nil
}

// reduce joins the brackets without qualifiers into one, drops repetition, and
// what another alternative implies, and sorts.
func (n *normaliser) reduce(terms []term) ([]term, error) {
	if len(terms) == 0 {
		return nil, nil
	}
	var tests []conjunction
	byText := map[string]term{}
	for _, t := range terms {
		if t.tests != nil {
			tests = append(tests, t.tests...)
			continue
		}
		t.text = textOf(t.expr)
		byText[t.text] = t
	}
	var out []term
	if tests != nil {
		tests, err := n.absorb(tests)
		if err != nil {
			return nil, err
		}
		t := term{tests: tests}
		t.expr = &observation{op: single, test: build(tests)}
		t.text = textOf(t.expr)
		out = append(out, t)
		in := indexOf(tests)
		for text, other := range byText {
			implied, err := n.implies(other.expr, in)
			if err != nil {
				return nil, err
			}
			if implied {
				delete(byText, text)
			}
		}
	}
	for _, text := range slices.Sorted(maps.Keys(byText)) {
		out = append(out, byText[text])
	}
	return out, nil
}

// implies reports whether whatever satisfies o satisfies the brackets with these
// conjunctions too: an AND or FOLLOWEDBY with an operand that is included in
// them, or such an operand with qualifiers.
func (n *normaliser) implies(o *observation, in index) (bool, error) {
	if o.op == single {
		mine, err := n.condition(o.test)
		if err != nil {
			return false, err
		}
		for _, m := range mine {
			if yes, err := n.covered(m, in, len(m)); !yes || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	for _, k := range o.kids {
		if yes, err := n.implies(k, in); yes || err != nil {
			return yes, err
		}
	}
	return false, nil
}

// qualify applies qualifiers to alternatives. WITHIN and START … STOP go into
// each; REPEATS, which may take another alternative each time, holds them
// together (§9.5.1).
func (n *normaliser) qualify(terms []term, quals []qualifier) ([]term, error) {
	for _, q := range quals {
		if len(terms) == 0 {
			return nil, nil
		}
		if q.kind == repeats {
			if q.times > 1 {
				terms = []term{{expr: qualified(n.join(terms), q)}}
			}
			continue
		}
		out := make([]term, 0, len(terms))
		for i := range terms {
			if q.kind == within && isOne(terms[i].expr) {
				out = append(out, terms[i]) // one observation is within any time
				continue
			}
			if err := n.spend(1); err != nil {
				return nil, err
			}
			e, err := n.expression(&terms[i])
			if err != nil {
				return nil, err
			}
			out = append(out, term{expr: qualified(e, q)})
		}
		terms = out
	}
	return terms, nil
}

// isOne reports whether an expression binds one observation; a term without an
// expression is brackets.
func isOne(o *observation) bool {
	if o == nil {
		return true
	}
	return o.op == single && !slices.ContainsFunc(o.qual, func(q qualifier) bool { return q.kind == repeats })
}

// qualified adds a qualifier. One that stands in a row with the last ones takes
// its place in the order of kinds (START … STOP first), since those two commute;
// a kind that is there already needs parentheses.
func qualified(o *observation, q qualifier) *observation {
	out := *o
	out.qual = slices.Clone(o.qual)
	if slices.ContainsFunc(out.qual, func(x qualifier) bool { return x.kind == q.kind }) {
		return &observation{op: group, kids: []*observation{o}, qual: []qualifier{q}}
	}
	if q.kind == startStop { // commutes with both others: they are about the same observations
		out.qual = append([]qualifier{q}, out.qual...)
		return &out
	}
	out.qual = append(out.qual, q)
	return &out
}

// join makes one expression of alternatives.
func (n *normaliser) join(terms []term) *observation {
	if len(terms) == 0 {
		return &observation{op: single, test: build(nil)}
	}
	all := &observation{op: or}
	for _, t := range terms {
		e := t.expr
		if e == nil {
			e = &observation{op: single, test: build(t.tests)}
		}
		all.kids = append(all.kids, e)
	}
	if len(all.kids) == 1 {
		return all.kids[0]
	}
	return all
}
