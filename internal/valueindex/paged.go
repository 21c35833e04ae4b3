package valueindex

import (
	"slices"
	"sync/atomic"
)

const (
	pageBits = 14
	pageMask = 1<<pageBits - 1
	slabBits = 20
	slabMask = 1<<slabBits - 1
)

// paged is a list that only grows, without moving what it holds. One goroutine
// appends; what it published by an atomic store others may read.
type paged[T any] struct {
	pages atomic.Pointer[[]*[1 << pageBits]T]
	n     uint32
}

func (p *paged[T]) at(i uint32) *T { return &(*p.pages.Load())[i>>pageBits][i&pageMask] }

// next is the number of a new element and the element itself.
func (p *paged[T]) next() (uint32, *T) {
	i := p.n
	if i&pageMask == 0 {
		var pages []*[1 << pageBits]T
		if old := p.pages.Load(); old != nil {
			pages = slices.Clone(*old)
		}
		pages = append(pages, new([1 << pageBits]T))
		p.pages.Store(&pages)
	}
	p.n++
	return i, p.at(i)
}

// slabs keep texts one after the other. None crosses from one slab to the next.
type slabs struct {
	all  atomic.Pointer[[][]byte]
	used int // of the last
}

func (s *slabs) put(text string) (at uint64) {
	var all [][]byte
	if old := s.all.Load(); old != nil {
		all = *old
	}
	if len(all) == 0 || s.used+len(text) > 1<<slabBits {
		all = append(slices.Clone(all), make([]byte, 1<<slabBits))
		s.used = 0
		s.all.Store(&all)
	}
	last := len(all) - 1
	copy(all[last][s.used:], text)
	at = uint64(last)<<slabBits | uint64(s.used)
	s.used += len(text)
	return at
}

func (s *slabs) bytes(at uint64, n int) []byte {
	from := int(at & slabMask)
	return (*s.all.Load())[at>>slabBits][from : from+n]
}
