package pattern

import (
	"cmp"
	"math"
	"slices"
	"sort"
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
	s.moments = append(s.moments, m.bounds...)
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
	moments []int64      // that may have to be chosen: first and last moments of candidates, START and STOP; sorted
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
			at, possible = max(s.in[i].first, lo), true
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
		at = max(s.in[i].first, lo)
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

// work is what is still to be satisfied: a plan, or the operands of a sequence
// from one on.
type work struct {
	plan   *plan
	from   int // of a sequence: the operands before are done
	lo, hi int64
	next   *work
}

// solve satisfies all of the work, or takes back what it took.
func (s *search) solve(w *work) bool {
	units, counted := len(s.units), len(s.counted)
	for w != nil {
		if !s.spend(1) || w.lo > w.hi {
			s.release(units, counted)
			return false
		}
		p := w.plan
		switch p.op {
		case planLeaf:
			if !s.take(demand{leaf: p.leaf.index, lo: w.lo, hi: w.hi, n: 1}) {
				s.release(units, counted)
				return false
			}
			w = w.next
		case planBetween:
			w = &work{plan: p.kids[0], lo: max(w.lo, p.lo), hi: min(w.hi, p.hi), next: w.next}
		case planAll:
			next := w.next
			for _, k := range slices.Backward(p.kids) {
				next = &work{plan: k, lo: w.lo, hi: w.hi, next: next}
			}
			w = next
		case planRepeat:
			next, ok := s.repeat(w)
			if !ok {
				s.release(units, counted)
				return false
			}
			w = next
		default:
			if s.choose(w) {
				return true
			}
			s.release(units, counted)
			return false
		}
	}
	if s.countAll(0) {
		return true
	}
	s.release(units, counted)
	return false
}

// choose tries the choices of OR, WITHIN and FOLLOWEDBY in turn.
func (s *search) choose(w *work) bool {
	p := w.plan
	switch p.op {
	case planAny:
		for _, k := range p.kids {
			if _, possible := s.earliest(k, w.lo, w.hi); possible && s.solve(&work{plan: k, lo: w.lo, hi: w.hi, next: w.next}) {
				return true
			}
			if s.over != nil {
				return false
			}
		}
		return false
	case planWindow:
		for _, t := range s.moments {
			if t > w.hi || s.over != nil {
				return false
			}
			lo, hi := max(w.lo, t), min(w.hi, t+p.width)
			if _, possible := s.earliest(p.kids[0], lo, hi); possible && s.solve(&work{plan: p.kids[0], lo: lo, hi: hi, next: w.next}) {
				return true
			}
		}
		return false
	}
	return s.sequence(w)
}

// sequence chooses the moment up to which the first operand has begun and from
// which the others go on.
func (s *search) sequence(w *work) bool {
	p := w.plan
	first := p.kids[w.from]
	if w.from == len(p.kids)-1 {
		return s.solve(&work{plan: first, lo: w.lo, hi: w.hi, next: w.next})
	}
	begin, possible := s.earliest(first, w.lo, w.hi)
	if !possible {
		return false
	}
	at, _ := slices.BinarySearch(s.moments, begin)
	for _, t := range s.moments[at:] {
		if s.over != nil || t > w.hi {
			return false
		}
		if !s.canFollow(p.kids[w.from+1:], max(w.lo, t), w.hi) {
			return false // nor from a later moment
		}
		rest := &work{plan: p, from: w.from + 1, lo: max(w.lo, t), hi: w.hi, next: w.next}
		if s.solve(&work{plan: first, lo: w.lo, hi: min(w.hi, t), next: rest}) {
			return true
		}
	}
	return false
}

func (s *search) canFollow(kids []*plan, lo, hi int64) bool {
	for _, k := range kids {
		t, possible := s.earliest(k, lo, hi)
		if !possible {
			return false
		}
		lo = max(lo, t)
	}
	return true
}

// repeat turns REPEATS of a leaf into demands, and of other plans into copies.
func (s *search) repeat(w *work) (*work, bool) {
	p := w.plan
	inner, lo, hi := bare(p.kids[0], w.lo, w.hi)
	if inner.op == planLeaf {
		d := demand{leaf: inner.leaf.index, lo: lo, hi: hi, n: p.n}
		if s.found[d.leaf].many {
			s.counted = append(s.counted, d)
			return w.next, true
		}
		if p.n > int64(len(s.found[d.leaf].list)) {
			return nil, false
		}
		d.n = 1
		for range p.n {
			if !s.take(d) {
				return nil, false
			}
		}
		return w.next, true
	}
	if p.n > int64(len(s.in)) {
		return nil, false
	}
	next := w.next
	for range p.n {
		if !s.spend(1) {
			return nil, false
		}
		next = &work{plan: inner, lo: lo, hi: hi, next: next}
	}
	return next, true
}

// take gives an observation to a further demand, moving those of others where
// needed (augmenting paths).
func (s *search) take(d demand) bool {
	s.units = append(s.units, d)
	s.round++
	if s.augment(len(s.units) - 1) {
		return true
	}
	s.units = s.units[:len(s.units)-1]
	return false
}

func (s *search) augment(unit int) bool {
	d := s.units[unit]
	done := false
	s.each(d.leaf, d.lo, d.hi, func(i int) bool {
		if s.taken[i] == free {
			s.taken[i], done = unit, true
		}
		return !done
	})
	if done {
		return true
	}
	s.each(d.leaf, d.lo, d.hi, func(i int) bool {
		if s.visited[i] == s.round || s.taken[i] < 0 {
			return true
		}
		s.visited[i] = s.round
		if s.augment(s.taken[i]) {
			s.taken[i], done = unit, true
		}
		return !done
	})
	return done
}

// release gives back what was taken for the units and counted demands beyond
// these numbers.
func (s *search) release(units, counted int) {
	if len(s.units) > units {
		for i, t := range s.taken {
			if t >= units {
				s.taken[i] = free
			}
		}
		s.units = s.units[:units]
	}
	s.counted = s.counted[:counted]
}

// countAll satisfies the counted demands from one on.
func (s *search) countAll(from int) bool {
	if from == len(s.counted) {
		return true
	}
	d := s.counted[from]
	var list []int
	s.each(d.leaf, d.lo, d.hi, func(i int) bool {
		list = append(list, i)
		return true
	})
	counts := func(i int) int64 { return s.count(i, d.lo, d.hi) }
	sort.SliceStable(list, func(a, b int) bool { return counts(list[a]) > counts(list[b]) })
	left := make([]int64, len(list)+1) // what the rest of the list can give
	for i := len(list) - 1; i >= 0; i-- {
		left[i] = left[i+1] + min(counts(list[i]), 1<<40)
	}
	var pick func(at int, need int64) bool
	pick = func(at int, need int64) bool {
		if need <= 0 {
			return s.countAll(from + 1)
		}
		if !s.spend(1) || left[at] < need {
			return false
		}
		i := list[at]
		if s.reserve(i) {
			if pick(at+1, need-counts(i)) {
				return true
			}
			s.taken[i] = free
		}
		return pick(at+1, need)
	}
	return pick(0, min(d.n, 1<<50))
}

// reserve takes an observation for good, if the demand that has it finds another.
func (s *search) reserve(i int) bool {
	unit := s.taken[i]
	if unit == always {
		return false
	}
	s.taken[i] = always
	if unit == free {
		return true
	}
	s.round++
	if s.augment(unit) {
		return true
	}
	s.taken[i] = unit
	return false
}
