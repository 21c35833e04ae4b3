package valueindex

import (
	"encoding/binary"
	"math"
	"net/netip"

	"github.com/forewarn-exchange/forewarn/internal/format/observable"
)

// How says in which way a value that the index holds matches the one asked for.
type How uint8

// The ways.
const (
	Exact   How = iota // it is the same
	Network            // it is a network in which what was asked for lies
	Within             // it lies in the network asked for
	Parent             // it is a domain under which the name asked for stands
	Host               // it is the host of the URL asked for
)

var hows = [...]string{"exact", "network", "within", "parent", "host"}

func (h How) String() string { return hows[h] }

// takes reports whether a value that was given as this kind can match so. A file
// may be named like a domain; nothing stands under it.
func (h How) takes(k observable.Kind) bool {
	switch h {
	case Network:
		return k == observable.Network
	case Within:
		return k.Address() || k == observable.Network
	case Parent:
		return k == observable.Domain
	case Host:
		return k.Address() || k == observable.Domain
	}
	return true
}

// Match is a value of the index that matches.
type Match struct {
	How   How
	entry uint32
}

// NoMatch equals no match of any value.
var NoMatch = Match{How: math.MaxUint8}

// MaxWithin is how many values of the index that lie in one network asked for
// are looked at.
const MaxWithin = 65_536

// Find appends the values that match v to dst: the same value, the networks
// around an address or a network, what lies in a network, the domains above a
// name, and for a URL what there is for its host. cut says that a network asked
// for holds more than was looked at.
func (x *Index) Find(v observable.Value, dst []Match) (found []Match, cut bool) {
	dst = x.same(v.Text, Exact, dst)
	switch v.Kind {
	case observable.IPv4, observable.IPv6, observable.Domain:
		dst = x.around(v, dst)
	case observable.Network:
		return x.inside(v.Prefix(), dst)
	case observable.URL:
		if h, ok := v.Host(); ok {
			dst = x.around(h, x.same(h.Text, Host, dst))
		}
	}
	return dst, false
}

func (x *Index) same(text string, how How, dst []Match) []Match {
	if id, ok := x.find(text); ok {
		dst = append(dst, Match{how, id})
	}
	return dst
}

// around finds the networks around an address, or the domains above a name.
func (x *Index) around(v observable.Value, dst []Match) []Match {
	if v.Kind == observable.Domain {
		observable.Parents(v.Text, func(parent string) bool {
			dst = x.same(parent, Parent, dst)
			return true
		})
		return dst
	}
	t := x.networks.Load()
	if t.Size() == 0 {
		return dst
	}
	a := v.Addr()
	if !t.Contains(a) {
		return dst
	}
	for _, id := range t.Supernets(netip.PrefixFrom(a, a.BitLen())) {
		dst = append(dst, Match{Network, id})
	}
	return dst
}

// inside finds the networks around a network, and what lies in it.
func (x *Index) inside(p netip.Prefix, dst []Match) (found []Match, cut bool) {
	t := x.networks.Load()
	for q, id := range t.Supernets(p) {
		if q != p {
			dst = append(dst, Match{Network, id})
		}
	}
	n := 0
	take := func(id uint32) bool {
		if n++; n > MaxWithin {
			cut = true
			return false
		}
		dst = append(dst, Match{Within, id})
		return true
	}
	for q, id := range t.Subnets(p) {
		if q != p && !take(id) {
			break
		}
	}
	if a := p.Addr(); a.Is4() {
		first := four(a)
		x.four.within(first, first|uint32(1<<(32-p.Bits())-1), take)
	} else {
		last := a.As16()
		for i := p.Bits(); i < 128; i++ {
			last[i/8] |= 1 << (7 - i%8)
		}
		x.six.within(six(a), wide{binary.BigEndian.Uint64(last[:8]), binary.BigEndian.Uint64(last[8:])}, take)
	}
	return dst, cut
}

// Text is the value that matched.
func (x *Index) Text(m Match) string { return string(x.text(x.entries.at(m.entry))) }

// Group is objects under one handling class that hold a value.
type Group struct {
	Class    int64
	Artifact int64
	object   int64  // the only one, or
	head     uint32 // node + 1
}

// Groups calls fn with the groups of objects that hold the matching value.
func (x *Index) Groups(m Match, fn func(Group)) {
	e := x.entries.at(m.entry)
	if m.How.takes(e.kind()) {
		fn(Group{Class: e.class, Artifact: e.object >> positionBits, object: e.object})
	}
	for next := e.groups.Load(); next != 0; {
		g := x.groups.at(next - 1)
		if m.How.takes(g.kind) {
			fn(Group{Class: g.class, Artifact: g.artifact, head: g.head.Load()})
		}
		next = g.next
	}
}

// Objects appends the numbers of a group's objects to dst.
func (x *Index) Objects(g Group, dst []int64) []int64 {
	if g.head == 0 {
		return append(dst, g.object)
	}
	for next := g.head; next != 0; {
		o := x.nodes.at(next - 1)
		dst = append(dst, g.Artifact<<positionBits|int64(o.position.Load()))
		next = o.next.Load()
	}
	return dst
}
