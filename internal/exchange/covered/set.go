package covered

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"sort"
)

// Set is positions of one artifact whose objects a reader has been given, and which
// redacted copies. It may forget, and never claims too much. The zero value is empty.
type Set struct {
	spans  []span
	bits   []uint64         // instead of spans, where they would take more memory
	copies map[int32]uint64 // the hash of the copy that was given last of an object
}

// span is the positions from lo to hi. Spans of a set ascend and do not touch.
type span struct{ lo, hi int32 }

var seed = maphash.MakeSeed()

// fewSpans is how many spans are kept before bits are thought of.
const fewSpans = 256

// Has reports whether all positions from lo to hi are in the set.
func (s *Set) Has(lo, hi int64) bool {
	if s.bits == nil {
		i := sort.Search(len(s.spans), func(i int) bool { return int64(s.spans[i].hi) >= lo })
		return i < len(s.spans) && int64(s.spans[i].lo) <= lo && hi <= int64(s.spans[i].hi)
	}
	if hi>>6 >= int64(len(s.bits)) {
		return false
	}
	for w := lo >> 6; w <= hi>>6; w++ {
		if want := within(w, lo, hi); s.bits[w]&want != want {
			return false
		}
	}
	return true
}

// within is the bits of the word that stand for positions from lo to hi.
func within(word, lo, hi int64) uint64 {
	mask := ^uint64(0)
	if from := lo - word<<6; from > 0 {
		mask <<= uint(from)
	}
	if over := word<<6 + 63 - hi; over > 0 {
		mask &= ^uint64(0) >> uint(over)
	}
	return mask
}

// Add takes the positions from lo to hi in.
func (s *Set) Add(lo, hi int64) {
	if s.bits != nil {
		s.set(lo, hi)
		return
	}
	from := sort.Search(len(s.spans), func(i int) bool { return int64(s.spans[i].hi) >= lo-1 })
	to := from
	for ; to < len(s.spans) && int64(s.spans[to].lo) <= hi+1; to++ {
		lo, hi = min(lo, int64(s.spans[to].lo)), max(hi, int64(s.spans[to].hi))
	}
	s.spans = slices.Replace(s.spans, from, to, span{int32(lo), int32(hi)})
	if n := len(s.spans); n > fewSpans && n*8 > int(s.spans[n-1].hi)/8+8 {
		spans := s.spans
		s.spans, s.bits = nil, make([]uint64, spans[n-1].hi>>6+1)
		for _, p := range spans {
			s.set(int64(p.lo), int64(p.hi))
		}
	}
}

func (s *Set) set(lo, hi int64) {
	if need := int(hi>>6) + 1; need > len(s.bits) {
		s.bits = append(s.bits, make([]uint64, need-len(s.bits))...)
	}
	for w := lo >> 6; w <= hi>>6; w++ {
		s.bits[w] |= within(w, lo, hi)
	}
}

// HasCopy reports whether the copy with the identifier was the last one of the object
// that was given.
func (s *Set) HasCopy(position int64, id string) bool {
	h, ok := s.copies[int32(position)]
	return ok && h == maphash.String(seed, id)
}

// AddCopy takes a copy in.
func (s *Set) AddCopy(position int64, id string) {
	if s.copies == nil {
		s.copies = map[int32]uint64{}
	}
	s.copies[int32(position)] = maphash.String(seed, id)
}

// Len is how many positions are in the set, copies aside.
func (s *Set) Len() (n int) {
	for _, p := range s.spans {
		n += int(p.hi-p.lo) + 1
	}
	for _, w := range s.bits {
		n += bits.OnesCount64(w)
	}
	return n
}

// Size is how many bytes of memory the set takes, about.
func (s *Set) Size() int { return 64 + 8*cap(s.spans) + 8*cap(s.bits) + 24*len(s.copies) }
