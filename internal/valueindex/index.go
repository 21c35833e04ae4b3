// Package valueindex finds the objects that hold a value: in memory, derived
// from what is stored, filled by one goroutine while any number of others look
// values up. Readers take no lock.
//
// A value stands once. Its objects are grouped by handling class, so that one
// verdict holds for a group, and of each group the newest are kept, so that no
// number of objects under one handling can crowd out those under another.
//
// The memory is flat and holds hardly a pointer: a table of 8-byte slots (at
// most 60 % full, probed in line; half a hash and the number of an entry) with a
// filter before it, entries of 32 bytes, and the texts one after the other. The hash is seeded anew for each
// index and texts are compared in full, so nobody can choose values that collide.
package valueindex

import (
	"errors"
	"hash/maphash"
	"sync/atomic"
	"unsafe"

	"github.com/gaissmai/bart"

	"github.com/forewarn-exchange/forewarn/internal/format/observable"
)

// Kept is how many objects are kept of those that hold one value under one
// handling class: the first and the newest.
const Kept = 258

// ErrFull says that the index has reached its bound, and takes up nothing more.
var ErrFull = errors.New("the index of values is full")

// position is the part of an object's number that is its place in its artifact.
const positionBits = 24

// Index is the index.
type Index struct {
	seed  maphash.Seed
	most  int64 // bytes
	bytes atomic.Int64
	n     atomic.Int64
	table atomic.Pointer[table]

	entries paged[entry]
	groups  paged[group]
	nodes   paged[node]
	texts   slabs

	networks atomic.Pointer[bart.Table[uint32]]
	four     ordered[uint32]
	six      ordered[wide]
}

// table finds entries by hash. Most values that are asked for are unknown: the
// filter, an eighth of the size, says so in nearly all cases (four bits of one
// word for each value).
type table struct {
	mask   uint64
	slots  []uint64 // half the hash · number of the entry + 1; 0: free
	filter []uint64
}

// bits are the place of a hash in the filter.
func (t *table) bits(h uint64) (word *uint64, bits uint64) {
	return &t.filter[h>>26&(t.mask>>3)], 1<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63) | 1<<(h>>18&63)
}

// entry is a value and the first object that holds it.
type entry struct {
	at     uint64 // of the text · length (16) · kind (8)
	object int64
	class  int64
	groups atomic.Uint32 // the first group + 1
	kinds  uint32        // as what it was placed, a bit each; for the writer alone
}

// group is further objects of one class that hold the value in the same role.
type group struct {
	class    int64
	artifact int64
	next     uint32        // group + 1
	newest   uint32        // node; this and the next two are for the writer alone
	oldest   uint32        // node, to be written anew when the group is full
	n        uint32        // nodes
	head     atomic.Uint32 // node + 1
	kind     observable.Kind
}

type node struct {
	position atomic.Uint32
	next     atomic.Uint32 // node + 1
}

// New returns an index that uses about most bytes at most.
func New(most int64) *Index {
	x := &Index{seed: maphash.MakeSeed(), most: most}
	x.table.Store(newTable(1 << 10))
	x.networks.Store(new(bart.Table[uint32]))
	x.four.start()
	x.six.start()
	return x
}

func newTable(n int) *table { return &table{uint64(n - 1), make([]uint64, n), make([]uint64, n/8)} }

// Values is how many different values the index holds.
func (x *Index) Values() int64 { return x.n.Load() }

// Bytes is about how much memory the index uses.
func (x *Index) Bytes() int64 { return x.bytes.Load() }

func (e *entry) kind() observable.Kind { return observable.Kind(e.at) }

func (x *Index) text(e *entry) []byte { return x.texts.bytes(e.at>>24, int(e.at>>8&0xffff)) }

// find is the entry with the text.
func (x *Index) find(text string) (uint32, bool) {
	h := maphash.String(x.seed, text)
	t := x.table.Load()
	if word, bits := t.bits(h); atomic.LoadUint64(word)&bits != bits {
		return 0, false
	}
	for i := h & t.mask; ; i = (i + 1) & t.mask {
		slot := atomic.LoadUint64(&t.slots[i])
		if slot == 0 {
			return 0, false
		}
		if slot>>32 == h>>32 {
			id := uint32(slot) - 1
			if string(x.text(x.entries.at(id))) == text {
				return id, true
			}
		}
	}
}

// put stores the number of an entry in a table.
func (t *table) put(h uint64, id uint32) {
	for i := h & t.mask; ; i = (i + 1) & t.mask {
		if t.slots[i] == 0 {
			atomic.StoreUint64(&t.slots[i], h>>32<<32|uint64(id+1))
			word, bits := t.bits(h)
			atomic.StoreUint64(word, *word|bits)
			return
		}
	}
}

// Add takes up that an object holds a value, as what kind. Objects come in any
// order; the same object twice in a row counts once. One goroutine calls it.
func (x *Index) Add(v observable.Value, object, class int64) error {
	if id, ok := x.find(v.Text); ok {
		return x.more(id, v.Kind, object, class)
	}
	if x.bytes.Load() > x.most {
		return ErrFull
	}
	id, e := x.entries.next()
	e.at = x.texts.put(v.Text)<<24 | uint64(len(v.Text))<<8 | uint64(v.Kind)
	e.object, e.class = object, class
	x.room(int64(id) + 1)
	x.table.Load().put(maphash.String(x.seed, v.Text), id)
	x.n.Store(int64(id) + 1)
	x.bytes.Add(int64(unsafe.Sizeof(*e)) + int64(len(v.Text)))
	x.place(e, v.Kind, id)
	return nil
}

// room makes the table larger where n values would fill it too much. Readers go
// on with the old one meanwhile.
func (x *Index) room(n int64) {
	old := x.table.Load()
	if n*10 <= int64(len(old.slots))*6 {
		return
	}
	t := newTable(len(old.slots) * 2)
	for id := range uint32(n - 1) {
		t.put(maphash.Bytes(x.seed, x.text(x.entries.at(id))), id)
	}
	x.bytes.Add(int64(len(t.slots)-len(old.slots)) * 9)
	x.table.Store(t)
}

// place enters addresses and networks where they are found by each other. The
// text of an entry may stand there as a name before it does as an address.
func (x *Index) place(e *entry, k observable.Kind, id uint32) {
	bit := uint32(1) << k
	if e.kinds&bit != 0 || !k.Address() && k != observable.Network {
		return
	}
	e.kinds |= bit
	v := observable.Value{Kind: k, Text: string(x.text(e))}
	switch k {
	case observable.IPv4:
		x.bytes.Add(x.four.add(four(v.Addr()), id))
	case observable.IPv6:
		x.bytes.Add(x.six.add(six(v.Addr()), id))
	case observable.Network:
		x.networks.Store(x.networks.Load().InsertPersist(v.Prefix(), id))
		x.bytes.Add(128)
	}
}

// more adds an object to an entry that has one.
func (x *Index) more(id uint32, k observable.Kind, object, class int64) error {
	e := x.entries.at(id)
	if e.object == object && e.kind() == k {
		return nil
	}
	x.place(e, k, id)
	for next := e.groups.Load(); next != 0; {
		g := x.groups.at(next - 1)
		if g.class == class && g.kind == k {
			return x.into(g, object)
		}
		next = g.next
	}
	if x.bytes.Load() > x.most {
		return ErrFull
	}
	number, g := x.groups.next()
	g.class, g.artifact, g.kind, g.next = class, object>>positionBits, k, e.groups.Load()
	x.bytes.Add(int64(unsafe.Sizeof(*g)))
	if err := x.into(g, object); err != nil {
		return err
	}
	e.groups.Store(number + 1)
	return nil
}

// into adds an object to its group; when the group is full, in the place of
// the oldest but the first of all, which stands in the entry.
func (x *Index) into(g *group, object int64) error {
	position := uint32(object & (1<<positionBits - 1))
	if g.n > 0 && x.nodes.at(g.newest).position.Load() == position {
		return nil
	}
	if g.n >= Kept-1 {
		o := x.nodes.at(g.oldest)
		o.position.Store(position)
		g.newest = g.oldest
		if g.oldest = o.next.Load() - 1; o.next.Load() == 0 {
			g.oldest = g.head.Load() - 1
		}
		return nil
	}
	if x.bytes.Load() > x.most {
		return ErrFull
	}
	id, o := x.nodes.next()
	o.position.Store(position)
	if g.n == 0 {
		g.oldest = id
		g.head.Store(id + 1)
	} else {
		x.nodes.at(g.newest).next.Store(id + 1)
	}
	g.newest = id
	g.n++
	x.bytes.Add(int64(unsafe.Sizeof(*o)))
	return nil
}
