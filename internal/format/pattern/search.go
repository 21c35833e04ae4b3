package pattern

import (
	"slices"
	"sort"
)

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
