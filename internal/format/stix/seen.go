package stix

import (
	"hash/maphash"
	"slices"
)

// seenSet knows which versions of which objects an input holds, at 16 bytes
// each: a hash of id and version, and one of the content. An object that has
// versions takes 16 more for what its versions share. It is split into shards so
// that growing needs little memory at a time: about 60 MB for a million objects. The hashes are seeded per set, so no input can be made to
// collide on purpose; by chance two of a million versions collide once in
// thirty million inputs, and then the input is refused.
type seenSet struct {
	seed   maphash.Seed
	shards [seenShards]shard
}

const (
	seenShards = 64
	shardBits  = 6
	firstSlots = 16
)

type shard struct {
	slots []seenSlot // length a power of two; an empty slot has key 0
	used  int
}

type seenSlot struct{ key, content uint64 }

type sighting uint8

const (
	firstSeen sighting = iota
	sameAgain
	otherContent
)

// key is the hash of one version. Marking definitions have no versions
// (STIX 2.1 §7.2.1), so theirs is always 0.
func (s *seenSet) key(id string, version int64) uint64 {
	if s.seed == (maphash.Seed{}) {
		s.seed = maphash.MakeSeed()
	}
	return mixed(maphash.String(s.seed, id), version)
}

// keyOf is key of bytes, which allocates nothing.
func (s *seenSet) keyOf(id []byte, version int64) uint64 {
	if s.seed == (maphash.Seed{}) {
		s.seed = maphash.MakeSeed()
	}
	return mixed(maphash.Bytes(s.seed, id), version)
}

func mixed(h uint64, version int64) uint64 {
	v := uint64(version) * 0x9E3779B97F4A7C15
	h = (h ^ v ^ v>>32) * 0xD6E8FEB86659FD93
	return max(h^h>>32, 1)
}

func (s *seenSet) add(key uint64, raw []byte) sighting {
	return s.shards[key>>(64-shardBits)].add(seenSlot{key, maphash.Bytes(s.seed, raw)})
}

// lineage notes what the versions of an object share, under its UUID, and
// reports whether created, the creator and the type agree with what was noted
// before. A creator that one version does not name agrees with any.
func (s *seenSet) lineage(o *Object, created int64, creator []byte) (sameCreated, sameCreator, sameType bool) {
	uuid := o.ID[len(o.ID)-36:]
	key := s.key(uuid, -1)
	by := uint64(0)
	if creator != nil {
		by = max(maphash.Bytes(s.seed, creator)&0xFFFFFF, 1)
	}
	typ := maphash.String(s.seed, o.ID[:len(o.ID)-36]) & 0xFFFF
	at := uint64(created) * 0x9E3779B97F4A7C15 >> 40
	content := typ<<48 | at<<24 | by
	sh := &s.shards[key>>(64-shardBits)]
	if sh.add(seenSlot{key, content}) != otherContent {
		return true, true, true
	}
	slot := &sh.slots[sh.find(key)]
	if slot.content>>48 != typ {
		return true, true, false
	}
	sameCreated = slot.content>>24&0xFFFFFF == at
	old := slot.content & 0xFFFFFF
	sameCreator = old == by || old == 0 || by == 0
	if old == 0 {
		slot.content |= by
	}
	return sameCreated, sameCreator, true
}

func (s *seenSet) has(key uint64) bool {
	sh := &s.shards[key>>(64-shardBits)]
	return len(sh.slots) > 0 && sh.slots[sh.find(key)].key == key
}

// find is the slot of key, or the empty one where it belongs.
func (sh *shard) find(key uint64) int {
	mask := len(sh.slots) - 1
	i := int(key) & mask
	for sh.slots[i].key != 0 && sh.slots[i].key != key {
		i = (i + 1) & mask
	}
	return i
}

func (sh *shard) add(n seenSlot) sighting {
	if sh.used*4 >= len(sh.slots)*3 {
		old := sh.slots
		sh.slots = make([]seenSlot, max(2*len(old), firstSlots))
		for _, o := range old {
			if o.key != 0 {
				sh.slots[sh.find(o.key)] = o
			}
		}
	}
	at := &sh.slots[sh.find(n.key)]
	switch {
	case at.key == 0:
		*at = n
		sh.used++
		return firstSeen
	case at.content == n.content:
		return sameAgain
	default:
		return otherContent
	}
}

// markingUse collects the markings in use that the input has to define. A
// definition may follow its use, so the question is settled at the end.
type markingUse struct {
	used    map[string]struct{}
	more    bool
	defined int // definitions seen so far
	pruned  int // value of defined at the last pruning
}

// pruneAfter is how many new definitions make another pruning worth its time.
const pruneAfter = 1000

func (m *markingUse) use(s *seenSet, id string) {
	if _, ok := m.used[id]; ok {
		return
	}
	if m.used == nil {
		m.used = make(map[string]struct{})
	}
	if len(m.used) >= maxUnresolved && m.defined >= m.pruned+pruneAfter {
		m.prune(s)
	}
	if len(m.used) >= maxUnresolved {
		m.more = m.more || !s.has(s.key(id, 0))
		return
	}
	m.used[id] = struct{}{}
}

func (m *markingUse) prune(s *seenSet) {
	for id := range m.used {
		if s.has(s.key(id, 0)) {
			delete(m.used, id)
		}
	}
	m.pruned = m.defined
}

// unresolved is what no definition in the input answers, sorted.
func (m *markingUse) unresolved(s *seenSet) []string {
	m.prune(s)
	ids := make([]string, 0, len(m.used))
	for id := range m.used {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
