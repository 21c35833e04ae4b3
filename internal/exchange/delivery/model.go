package delivery

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
)

// Rows is a block of objects as the store keeps it: up to 128 of one artifact,
// by ascending position. It never changes.
type Rows interface {
	Len() int
	Position(i int) int64
	Find(position int64) int // the first entry at or after the position
	Entry(i int) Entry       // without Added and ID
	ID(i int) string
	Size() int // bytes of memory, about
}

// BlockID names a block by its artifact and its first position.
type BlockID struct{ Artifact, First int64 }

// block is a block with what a page asks of it as a whole.
type block struct {
	Rows
	id      BlockID
	last    int64   // position of its last object
	classes []int64 // each once
	class   []uint8 // of each entry, its place in classes; nil: there is one
	special bool    // some entry has to be looked at by itself
	cuts    []uint8 // entries that cannot be read together with the one before
	serial  uint64  // of this reading of it

	checking sync.Mutex
	checked  bool // between the others stands one comma each
}

func newBlock(id BlockID, r Rows) *block {
	n := r.Len()
	b := &block{Rows: r, id: id, last: r.Position(n - 1), serial: serials.Add(1)}
	kinds := make([]uint8, n)
	var before Entry
	for i := range n {
		e := r.Entry(i)
		k := slices.Index(b.classes, e.Class)
		if k < 0 {
			k, b.classes = len(b.classes), append(b.classes, e.Class)
		}
		kinds[i] = uint8(k)
		b.special = b.special || e.Contested || e.Removed
		if i > 0 && !adjacent(before, e) {
			b.cuts = append(b.cuts, uint8(i))
		}
		before = e
	}
	if len(b.classes) > 1 {
		b.class = kinds
	}
	return b
}

// kind is the place of an entry's class in classes.
func (b *block) kind(i int) int {
	if b.class == nil {
		return 0
	}
	return int(b.class[i])
}

// chunkBits is how many positions one chunk of a directory spans: a directory
// says where an artifact's blocks begin.
const chunkBits = 17

func chunkOf(artifact, position int64) BlockID { return BlockID{artifact, -1 - position>>chunkBits} }

// model keeps blocks and directories in memory, those used last, up to a number
// of bytes. Everything in it can be read from the store again.
//
// Blocks are immutable but for the flags of their entries, and the last one of
// an artifact that grows. The store says which ones a transaction changes,
// before and after its commit: see Changing. A reader that takes the runs of a
// feed first and then their blocks therefore never meets a block that is older
// than the run.
type model struct {
	seed   maphash.Seed
	shards [16]shard
}

type shard struct {
	mu    sync.Mutex
	known map[BlockID]*node
	used  node // a ring: next is the one used last
	size  int64
	most  int64
	// Of a group of names: how many are being changed, and how often some were.
	// What was read is kept only when neither moved since before it was read.
	changing [64]int32
	stamps   [64]uint64
}

type node struct {
	id         BlockID
	b          *block
	firsts     []int32 // of a directory's chunk
	size       int64
	prev, next *node
}

func newModel(bytes int64) *model {
	m := &model{seed: maphash.MakeSeed()}
	for i := range m.shards {
		s := &m.shards[i]
		s.known, s.most = map[BlockID]*node{}, bytes/int64(len(m.shards))
		s.used.prev, s.used.next = &s.used, &s.used
	}
	return m
}

func (m *model) at(id BlockID) (s *shard, group int) {
	h := maphash.Comparable(m.seed, id)
	return &m.shards[h%16], int(h>>8) % 64
}

// find is what is kept under the name; else nil and the stamp to keep it with.
func (m *model) find(id BlockID) (n *node, stamp uint64) {
	s, group := m.at(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n = s.known[id]; n != nil && s.used.next != n {
		n.unlink()
		s.push(n)
	}
	return n, s.stamps[group]
}

// keep takes up what was read after find gave the stamp, unless it may be old.
func (m *model) keep(n *node, stamp uint64) {
	s, group := m.at(n.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stamps[group] != stamp || s.changing[group] > 0 || s.known[n.id] != nil {
		return
	}
	s.known[n.id] = n
	s.push(n)
	for s.size += n.size; s.size > s.most && s.used.prev != n; {
		s.drop(s.used.prev)
	}
}

func (s *shard) push(n *node) {
	n.prev, n.next = &s.used, s.used.next
	n.prev.next, n.next.prev = n, n
}

func (n *node) unlink() { n.prev.next, n.next.prev = n.next, n.prev }

func (s *shard) drop(n *node) {
	n.unlink()
	delete(s.known, n.id)
	s.size -= n.size
}

// move notes that what stands under a name begins to change (by 1), or has (by -1).
func (m *model) move(id BlockID, by int32, apply func(*shard, *node)) {
	s, group := m.at(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stamps[group]++
	s.changing[group] += by
	if n := s.known[id]; n != nil {
		apply(s, n)
	}
}

// Changing gives up what is kept of blocks that a transaction changes, before
// it commits; until Changed nothing is kept of them. A block that is new is
// entered in its artifact's directory at once: nobody asks for it before its
// run can be read.
func (s *Service) Changing(blocks []BlockID) {
	for _, id := range blocks {
		s.model.move(id, 1, (*shard).drop)
		s.model.move(chunkOf(id.Artifact, id.First), 1, func(sh *shard, n *node) { sh.enter(n, int32(id.First)) })
	}
}

// enter adds a block to a directory. Who reads it meanwhile has a shorter slice
// of the same memory.
func (s *shard) enter(n *node, first int32) {
	i, there := slices.BinarySearch(n.firsts, first)
	switch {
	case there:
	case i < len(n.firsts):
		s.drop(n)
	default:
		fresh := &node{id: n.id, firsts: append(n.firsts, first), size: n.size + 4}
		s.drop(n)
		s.known[fresh.id] = fresh
		s.push(fresh)
		s.size += fresh.size
	}
}

// Changed ends what Changing began.
func (s *Service) Changed(blocks []BlockID, committed bool) {
	for _, id := range blocks {
		s.model.move(id, -1, (*shard).drop)
		s.model.move(chunkOf(id.Artifact, id.First), -1, func(sh *shard, n *node) {
			if !committed {
				sh.drop(n)
			}
		})
	}
}

// ChangedElsewhere gives everything up: another process has written.
func (s *Service) ChangedElsewhere() {
	for i := range s.model.shards {
		sh := &s.model.shards[i]
		sh.mu.Lock()
		for g := range sh.stamps {
			sh.stamps[g]++
		}
		clear(sh.known)
		sh.used.prev, sh.used.next, sh.size = &sh.used, &sh.used, 0
		sh.mu.Unlock()
	}
}

// blockAt is the block that holds the artifact's first object from position p
// on, or nil when that stands after hi.
func (s *Service) blockAt(ctx context.Context, artifact, p, hi int64) (*block, error) {
	var before []int32
	for c := p; c >= 0 && len(before) == 0; c = c>>chunkBits<<chunkBits - 1 {
		firsts, err := s.directory(ctx, artifact, c)
		if err != nil {
			return nil, err
		}
		i, there := slices.BinarySearch(firsts, int32(p))
		if there {
			i++
		}
		before = firsts[:i]
	}
	if n := len(before); n > 0 {
		b, err := s.block(ctx, BlockID{artifact, int64(before[n-1])})
		if err != nil || b.last >= p {
			return b, err
		}
	}
	for c := p; c <= hi; c = (c>>chunkBits + 1) << chunkBits {
		firsts, err := s.directory(ctx, artifact, c)
		if err != nil {
			return nil, err
		}
		if i, _ := slices.BinarySearch(firsts, int32(p)); i < len(firsts) {
			if int64(firsts[i]) > hi {
				return nil, nil
			}
			return s.block(ctx, BlockID{artifact, int64(firsts[i])})
		}
	}
	return nil, nil
}

// directory lists where blocks begin in the chunk that holds the position.
func (s *Service) directory(ctx context.Context, artifact, position int64) ([]int32, error) {
	id := chunkOf(artifact, position)
	n, stamp := s.model.find(id)
	if n != nil {
		return n.firsts, nil
	}
	from := position >> chunkBits << chunkBits
	var firsts []int64
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		firsts, err = tx.BlocksIn(artifact, from, from+1<<chunkBits-1)
		return err
	})
	if err != nil {
		return nil, err
	}
	n = &node{id: id, firsts: make([]int32, len(firsts)), size: int64(128 + 4*len(firsts))}
	for i, first := range firsts {
		n.firsts[i] = int32(first)
	}
	s.model.keep(n, stamp)
	return n.firsts, nil
}

func (s *Service) block(ctx context.Context, id BlockID) (*block, error) {
	n, stamp := s.model.find(id)
	if n != nil {
		return n.b, nil
	}
	var r Rows
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		r, err = tx.Block(id.Artifact, id.First)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading a feed: %w", err)
	}
	b := newBlock(id, r)
	size := 256 + r.Size() + len(b.cuts) + len(b.class) + 8*len(b.classes)
	s.model.keep(&node{id: id, b: b, size: int64(size)}, stamp)
	return b, nil
}
