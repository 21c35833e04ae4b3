package pattern

import (
	"cmp"
	"math"
	"slices"
)

// Result says whether a pattern matches.
type Result struct {
	Matched bool
	// Observations are the positions of the observations of the first binding
	// found, in ascending order: together they satisfy the pattern. IDs are
	// their ids.
	Observations []int
	IDs          []string
}

// Match evaluates a pattern on observations. See Matcher.Match.
func Match(p *Pattern, list []Observation, opt MatchOptions) (Result, error) {
	m, err := Compile(p)
	if err != nil {
		return Result{}, err
	}
	in, err := ReadObservations(list, opt)
	if err != nil {
		return Result{}, err
	}
	return m.Match(in)
}

// Match evaluates the pattern (STIX 2.1 §9.5). AND and FOLLOWEDBY take different
// observations. REPEATS counts an observation number_observed times. An
// observation that lasts from first_observed to last_observed counts as being at
// any moment between them: WITHIN, START … STOP and FOLLOWEDBY hold where such
// moments can be chosen; one that REPEATS counts more than once must lie whole
// in the time asked for.
//
// The error is ErrLimit when MatchOptions.MaxSteps are used up: nothing is then
// known of the answer.
func (m *Matcher) Match(in *Observed) (Result, error) {
	s := &search{
		evaluation: evaluation{left: in.opt.MaxSteps, most: in.opt.MaxSteps}, in: in.all,
		taken: make([]int, len(in.all)), visited: make([]int, len(in.all)),
	}
	for i := range s.taken {
		s.taken[i] = free
	}
	s.observe(m.leaves)
	var out Result
	if s.over == nil {
		const ever = math.MaxInt64 / 4
		if _, possible := s.earliest(m.root, -ever, ever); possible {
			out.Matched = s.solve(&work{plan: m.root, lo: -ever, hi: ever})
		}
	}
	if s.over != nil {
		return Result{}, s.over
	}
	if out.Matched {
		for i, t := range s.taken {
			if t != free {
				out.Observations = append(out.Observations, i)
				out.IDs = append(out.IDs, s.in[i].id)
			}
		}
	}
	return out, nil
}

// candidates are the observations that satisfy a leaf, by their first moment.
// latest[i] is the highest last moment of the first i+1.
type candidates struct {
	list   []int
	latest []int64
	many   bool // one of them was observed more than once
}

// What may be in search.taken instead of a demand.
const (
	free   = -1
	always = -2 // of a REPEATS that counts observations several times
)

// search looks for a binding. WITHIN and FOLLOWEDBY become bounds on moments of
// leaves by choosing a moment, OR by choosing an operand; what is left is to
// give different observations to demands.
type search struct {
	evaluation
	in      []observed
	found   []candidates // by leaf
	many    bool         // an observation was observed more than once
	moments []int64      // first and last moments of candidates, sorted
	taken   []int        // by observation: the demand that has it
	units   []demand
	counted []demand // REPEATS that counts observations several times: solved last
	visited []int    // by observation: the round in which it was visited
	round   int
}

// demand asks for n observations of a leaf, from lo to hi; n is 1 in units.
type demand struct {
	leaf   int
	lo, hi int64
	n      int64
}

func (s *search) observe(leaves []*leaf) {
	seen := make([]bool, len(s.in))
	for _, l := range leaves {
		var c candidates
		for i := range s.in {
			if !s.spend(1) {
				return
			}
			if l.satisfied(&s.evaluation, &s.in[i]) {
				c.list = append(c.list, i)
				c.many = c.many || s.in[i].number > 1
				s.many = s.many || c.many
				if !seen[i] {
					seen[i] = true
					s.moments = append(s.moments, s.in[i].first, s.in[i].last)
				}
			}
		}
		slices.SortStableFunc(c.list, func(a, b int) int { return cmp.Compare(s.in[a].first, s.in[b].first) })
		most := int64(math.MinInt64)
		for _, i := range c.list {
			most = max(most, s.in[i].last)
			c.latest = append(c.latest, most)
		}
		s.found = append(s.found, c)
	}
	slices.Sort(s.moments)
	s.moments = slices.Compact(s.moments)
}

// each calls f for the candidates of a leaf that can be from lo to hi, until f
// answers false.
func (s *search) each(leaf int, lo, hi int64, f func(i int) bool) {
	c := &s.found[leaf]
	at, _ := slices.BinarySearch(c.latest, lo)
	for _, i := range c.list[at:] {
		if s.in[i].first > hi || !s.spend(1) {
			return
		}
		if s.in[i].last >= lo && !f(i) {
			return
		}
	}
}

// count is how often an observation counts for REPEATS.
func (s *search) count(i int, lo, hi int64) int64 {
	if s.in[i].first >= lo && s.in[i].last <= hi {
		return s.in[i].number
	}
	return 1
}

// earliest answers whether the plan can be satisfied from lo to hi if an
// observation could serve several times, and the earliest moment at which all of
// it has begun. What is impossible so, is impossible.
func (s *search) earliest(p *plan, lo, hi int64) (at int64, possible bool) {
	if !s.spend(1) || lo > hi {
		return 0, false
	}
	at = math.MinInt64
	switch p.op {
	case planLeaf:
		s.each(p.leaf.index, lo, hi, func(i int) bool {
			at, possible = s.in[i].first, true
			return false
		})
		return at, possible
	case planAny:
		for _, k := range p.kids {
			if t, ok := s.earliest(k, lo, hi); ok && (!possible || t < at) {
				at, possible = t, true
			}
		}
		return at, possible
	case planBetween:
		return s.earliest(p.kids[0], max(lo, p.lo), min(hi, p.hi))
	case planRepeat:
		return s.earliestRepeat(p, lo, hi)
	case planWindow:
		for _, t := range s.moments {
			begin, ok := s.earliest(p.kids[0], max(lo, t), min(hi, t+p.width))
			if ok && (!possible || begin < at) {
				at, possible = begin, true
			}
			if s.over != nil || t > hi || possible && !s.many {
				break // a later window begins no earlier
			}
		}
		return at, possible
	}
	for _, k := range p.kids {
		t, ok := s.earliest(k, lo, hi)
		if !ok {
			return 0, false
		}
		at = max(at, t)
		if p.op == planSequence {
			lo = max(lo, t)
		}
	}
	return at, true
}

func (s *search) earliestRepeat(p *plan, lo, hi int64) (at int64, possible bool) {
	inner, lo, hi := bare(p.kids[0], lo, hi)
	if inner.op != planLeaf {
		if p.n > int64(len(s.in)) {
			return 0, false
		}
		return s.earliest(inner, lo, hi)
	}
	need := p.n
	s.each(inner.leaf.index, lo, hi, func(i int) bool {
		need -= s.count(i, lo, hi)
		at = s.in[i].first
		return need > 0
	})
	return at, need <= 0
}

// bare goes through START … STOP, which narrow lo and hi.
func bare(p *plan, lo, hi int64) (*plan, int64, int64) {
	for p.op == planBetween {
		lo, hi, p = max(lo, p.lo), min(hi, p.hi), p.kids[0]
	}
	return p, lo, hi
}
