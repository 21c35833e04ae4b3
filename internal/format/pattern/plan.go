package pattern

import (
	"cmp"
	"math"
	"slices"
)

// Matcher is a pattern that is ready to be evaluated many times. It is not
// changed, and may be used by several goroutines.
type Matcher struct {
	root   *plan
	leaves []*leaf
	bounds []int64 // START and STOP of all qualifiers
}

// leaf is what one observation satisfies by itself: one of these conditions.
type leaf struct {
	index int
	tests []*ready
}

// ready is a condition with compiled comparisons.
type ready struct {
	op   connective
	test *compiled
	kids []*ready
}

// planOp is what a node of a plan asks for.
type planOp uint8

const (
	planLeaf     planOp = iota // one observation that satisfies the leaf
	planAll                    // every operand, on different observations
	planAny                    // one operand
	planSequence               // every operand, on different observations, none before the earlier operands
	planWindow                 // observations within a time of each other
	planBetween                // observations from lo to hi
	planRepeat                 // the operand n times, on different observations
)

// plan is an observation expression as the search takes it.
type plan struct {
	op     planOp
	leaf   *leaf
	kids   []*plan
	n      int64 // of planRepeat
	width  int64 // of planWindow, microseconds
	lo, hi int64 // of planBetween, Unix microseconds, both included
}

// Compile makes a pattern ready for evaluation.
func Compile(p *Pattern) (*Matcher, error) {
	m := &Matcher{}
	root, err := m.plan(p.root)
	if err != nil {
		return nil, err
	}
	m.root = root
	m.number(root)
	return m, nil
}

// number lists the leaves that are left after joining, and the bounds.
func (m *Matcher) number(p *plan) {
	if p.op == planLeaf {
		p.leaf.index = len(m.leaves)
		m.leaves = append(m.leaves, p.leaf)
	}
	if p.op == planBetween {
		m.bounds = append(m.bounds, p.lo, p.hi)
	}
	for _, k := range p.kids {
		m.number(k)
	}
}

func (m *Matcher) plan(o *observation) (*plan, error) {
	out := &plan{}
	if o.op == single {
		test, err := prepare(o.test)
		if err != nil {
			return nil, err
		}
		out.leaf = &leaf{tests: []*ready{test}}
	} else {
		out.op = map[connective]planOp{and: planAll, or: planAny, followedBy: planSequence, group: planAll}[o.op]
		for _, k := range o.kids {
			kid, err := m.plan(k)
			if err != nil {
				return nil, err
			}
			out.kids = append(out.kids, kid)
		}
		out = simplify(out)
	}
	for _, q := range o.qual {
		out = qualifyPlan(out, q)
	}
	return out, nil
}

// simplify joins alternatives that one observation satisfies into one leaf.
func simplify(p *plan) *plan {
	if len(p.kids) == 1 {
		return p.kids[0]
	}
	if p.op == planAll { // what needs no choice first
		slices.SortStableFunc(p.kids, func(a, b *plan) int { return cmp.Compare(a.op, b.op) })
	}
	if p.op != planAny || slices.ContainsFunc(p.kids, func(k *plan) bool { return k.op != planLeaf }) {
		return p
	}
	joined := &leaf{}
	for _, k := range p.kids {
		joined.tests = append(joined.tests, k.leaf.tests...)
	}
	return &plan{op: planLeaf, leaf: joined}
}

func qualifyPlan(p *plan, q qualifier) *plan {
	switch q.kind {
	case repeats:
		if q.times == 1 {
			return p
		}
		return &plan{op: planRepeat, kids: []*plan{p}, n: q.times}
	case within:
		if p.op == planLeaf {
			return p
		}
		return &plan{op: planWindow, kids: []*plan{p}, width: int64(math.Min(q.seconds*1e6, 1<<60))}
	}
	lo, exact := q.start.micros()
	if !exact {
		lo++
	}
	hi, exact := q.stop.micros()
	if exact {
		hi-- // STOP itself is outside
	}
	return &plan{op: planBetween, kids: []*plan{p}, lo: lo, hi: hi}
}

func prepare(c *condition) (*ready, error) {
	out := &ready{op: c.op}
	if c.op == single {
		var err error
		out.test, err = compile(c.test)
		return out, err
	}
	for _, k := range c.kids {
		kid, err := prepare(k)
		if err != nil {
			return nil, err
		}
		out.kids = append(out.kids, kid)
	}
	return out, nil
}

// holds reports whether one object satisfies the condition: all of it is about
// that object (§9.5).
func (r *ready) holds(e *evaluation, typ string, root *value, in *observed) bool {
	switch r.op {
	case single:
		return e.spend(1) && r.test.typ == typ && e.holds(r.test, root, in)
	case and:
		for _, k := range r.kids {
			if !k.holds(e, typ, root, in) {
				return false
			}
		}
		return true
	}
	for _, k := range r.kids {
		if k.holds(e, typ, root, in) {
			return true
		}
	}
	return false
}

// satisfied reports whether an observation satisfies the leaf.
func (l *leaf) satisfied(e *evaluation, in *observed) bool {
	for _, root := range in.roots {
		typ := root.keys["type"]
		if typ == nil || typ.kind != valueString {
			continue
		}
		for _, t := range l.tests {
			if t.holds(e, typ.str, root, in) {
				return true
			}
		}
	}
	return false
}
