package valueindex

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync/atomic"
)

// wide is an IPv6 address as a number.
type wide struct{ hi, lo uint64 }

func four(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func six(a netip.Addr) wide {
	b := a.As16()
	return wide{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// compare orders addresses of one kind.
func compare[K uint32 | wide](a, b K) int {
	switch a := any(a).(type) {
	case uint32:
		b := any(b).(uint32)
		switch {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	case wide:
		b := any(b).(wide)
		switch {
		case a.hi < b.hi || a.hi == b.hi && a.lo < b.lo:
			return -1
		case a == b:
			return 0
		}
		return 1
	}
	return 0
}

// ordered is addresses in order, in a few sorted stretches of growing length
// and a short one that is not: to add one costs a share of a merge, to find the
// first of a network a search in each stretch.
type ordered[K uint32 | wide] struct{ now atomic.Pointer[stretches[K]] }

const loose = 512

type stretches[K uint32 | wide] struct {
	sorted [][]known[K] // the longest first
	last   []known[K]   // of length loose; n of them count
	n      atomic.Int32
}

type known[K uint32 | wide] struct {
	at K
	id uint32
}

func (o *ordered[K]) start() { o.now.Store(&stretches[K]{last: make([]known[K], loose)}) }

// add takes an address up and answers the bytes that it uses.
func (o *ordered[K]) add(at K, id uint32) int64 {
	s := o.now.Load()
	n := s.n.Load()
	s.last[n] = known[K]{at, id}
	s.n.Store(n + 1)
	if n+1 == loose {
		fresh := slices.Clone(s.last)
		slices.SortFunc(fresh, func(a, b known[K]) int { return compare(a.at, b.at) })
		all := slices.Clone(s.sorted)
		for len(all) > 0 && len(all[len(all)-1]) <= 2*len(fresh) {
			fresh = merge(all[len(all)-1], fresh)
			all = all[:len(all)-1]
		}
		o.now.Store(&stretches[K]{sorted: append(all, fresh), last: make([]known[K], loose)})
	}
	var k known[K]
	return int64(sizeOf(k))
}

func sizeOf[K uint32 | wide](known[K]) int {
	var k K
	if _, ok := any(k).(uint32); ok {
		return 8
	}
	return 24
}

func merge[K uint32 | wide](a, b []known[K]) []known[K] {
	out := make([]known[K], 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compare(a[0].at, b[0].at) <= 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// within calls fn with the entries of the addresses from … to, both included,
// in no order, until fn answers false.
func (o *ordered[K]) within(from, to K, fn func(id uint32) bool) {
	s := o.now.Load()
	for _, k := range s.last[:s.n.Load()] {
		if compare(k.at, from) >= 0 && compare(k.at, to) <= 0 && !fn(k.id) {
			return
		}
	}
	for _, stretch := range s.sorted {
		i, _ := slices.BinarySearchFunc(stretch, from, func(k known[K], at K) int { return compare(k.at, at) })
		for ; i < len(stretch) && compare(stretch[i].at, to) <= 0; i++ {
			if !fn(stretch[i].id) {
				return
			}
		}
	}
}
