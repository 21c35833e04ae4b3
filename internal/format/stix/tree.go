package stix

import (
	"bytes"
	"math/bits"
	"strconv"
)

// node is a value of a document whose bytes stay where they are: what is not
// touched is written as it was received.
type node struct {
	at, end int    // its bytes
	gap     int    // where the white space before it, or before its name, begins
	head    int    // where its name begins; at, where it has none
	name    []byte // unescaped; nil for an element of a list
	kids    []node // of an object or a list, in order
	gone    bool   // it is not written
	touched bool   // it, or something in it, is not written as it was
	text    []byte // written in its place; nil for its own bytes
}

// grow reads the value at i of JSON that is known to be valid, in one pass, and
// returns where it ends.
func (n *node) grow(raw []byte, i int) int {
	n.at = i
	if raw[i] != '{' && raw[i] != '[' {
		n.end, _ = valueEnd(raw, i)
		return n.end
	}
	named := raw[i] == '{'
	for i++; ; {
		k := node{gap: i}
		i = skipSpace(raw, i)
		if raw[i] == '}' || raw[i] == ']' {
			n.end = i + 1
			return n.end
		}
		k.head = i
		if named {
			end := stringEnd(raw, i)
			k.name, _ = unquote(raw[i:end], nil)
			i = skipSpace(raw, skipSpace(raw, end)+1)
		}
		i = skipSpace(raw, k.grow(raw, i))
		n.kids = append(n.kids, k)
		if raw[i] == ',' {
			i++
		}
	}
}

// kid is the member with this name; nil where there is none, or none any more.
func (n *node) kid(name string) *node {
	for i := range n.kids {
		if k := &n.kids[i]; !k.gone && string(k.name) == name {
			return k
		}
	}
	return nil
}

// any is the member with this name, also when it is gone.
func (n *node) any(name string) *node {
	for i := range n.kids {
		if k := &n.kids[i]; string(k.name) == name {
			return k
		}
	}
	return nil
}

// alive is how many of the kids are still there.
func (n *node) alive() (count int) {
	for i := range n.kids {
		if !n.kids[i].gone {
			count++
		}
	}
	return count
}

// mark sets touched where something below has changed.
func (n *node) mark() bool {
	n.touched = n.gone || n.text != nil
	for i := range n.kids {
		if n.kids[i].mark() {
			n.touched = true
		}
	}
	return n.touched
}

// write appends the value without what is gone. extra follows the last member.
func (n *node) write(b, raw []byte, extra string) []byte {
	switch {
	case n.text != nil:
		return append(b, n.text...)
	case !n.touched && extra == "":
		return append(b, raw[n.at:n.end]...)
	}
	b = append(b, raw[n.at])
	last, first := n.at+1, true
	for i := range n.kids {
		k := &n.kids[i]
		last = k.end
		if k.gone {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, raw[k.gap:k.at]...) // white space, name and colon
		b = k.write(b, raw, "")
	}
	b = append(b, extra...)
	return append(b, raw[last:n.end]...)
}

// each calls do for what is gone or replaced, topmost first, with its selector.
func (n *node) each(path []byte, do func(selector []byte, n *node)) {
	for i := range n.kids {
		k := &n.kids[i]
		at := len(path)
		if at > 0 {
			path = append(path, '.')
		}
		if k.name != nil {
			path = append(path, k.name...)
		} else {
			path = append(strconv.AppendInt(append(path, '['), int64(i), 10), ']')
		}
		if k.gone || k.text != nil {
			do(path, k)
		} else {
			k.each(path, do)
		}
		path = path[:at]
	}
}

// level is an object or a list that eachRef is inside of.
type level struct {
	object, ref, granular bool
	name                  bool // the next string is a name
}

// eachRef calls do for each identifier of another object in raw, with the place
// of its string, until do returns false: every string that has the form of an
// identifier in a property whose name ends in _ref or _refs, at any depth.
// The creator, the markings of the object and those of its parts are none.
func eachRef(raw []byte, do func(at int, id []byte) bool) {
	var space [16]level
	stack := space[:1]
	var buf []byte
	for i := 0; i < len(raw); i++ {
		top := &stack[len(stack)-1]
		switch raw[i] {
		case '{':
			stack = append(stack, level{object: true, name: true, granular: top.granular})
		case '[':
			stack = append(stack, level{ref: top.ref, granular: top.granular})
		case '}', ']':
			if len(stack) == 1 {
				return
			}
			stack = stack[:len(stack)-1]
		case ',':
			top.name = top.object
		case ':':
			top.name = false
		case '"':
			end := stringEnd(raw, i)
			if top.name || top.ref {
				var text []byte
				text, buf = unquote(raw[i:end], buf)
				if top.name {
					top.ref = refers(text, len(stack)-1, top.granular)
					if len(stack) == 2 {
						top.granular = string(text) == "granular_markings"
					}
				} else if _, ok := splitID(text); ok && !do(i, text) {
					return
				}
			}
			i = end - 1
		}
	}
}

// refers reports whether a property holds references: one of an object at this
// depth, 1 for the object itself, inside granular_markings or not.
func refers(name []byte, depth int, granular bool) bool {
	if !bytes.HasSuffix(name, []byte("_ref")) && !bytes.HasSuffix(name, []byte("_refs")) {
		return false
	}
	switch string(name) {
	case "created_by_ref":
		return depth > 1
	case "object_marking_refs":
		return false
	case "marking_ref":
		return !granular || depth == 1
	}
	return true
}

// Refs are the identifiers that an object refers to, in the order of their
// appearance and each once: by every property whose name ends in _ref or _refs,
// except created_by_ref and the markings.
func Refs(raw []byte) []string {
	var ids []string
	var seen map[string]bool
	eachRef(raw, func(_ int, id []byte) bool {
		if seen == nil {
			seen = make(map[string]bool)
		}
		if !seen[string(id)] {
			seen[string(id)] = true
			ids = append(ids, string(id))
		}
		return true
	})
	return ids
}

// closure knows whether the references of an input stay inside it, in at most 11
// to 22 bytes per object and 100,000 references that wait for their object.
type closure struct {
	seen    idSet
	waiting map[uint64]struct{}
	open    bool // nothing is known any more: too many wait
	defined int  // objects seen at the last pruning
}

const (
	maxWaiting = 100_000
	idShards   = 64
)

// idSet is a set of hashes, in shards so that growing needs little memory at a
// time. An empty slot is 0.
type idSet struct {
	shards [idShards]struct {
		slots []uint64
		used  int
	}
	used int
}

// slotOf is where a hash belongs among n slots. Its first six bits chose the shard.
func slotOf(h uint64, n int) int {
	at, _ := bits.Mul64(h<<6, uint64(n))
	return int(at)
}

func (s *idSet) has(h uint64) bool {
	slots := s.shards[h>>58].slots
	for i := slotOf(h, len(slots)); len(slots) > 0; {
		switch slots[i] {
		case h:
			return true
		case 0:
			return false
		}
		if i++; i == len(slots) {
			i = 0
		}
	}
	return false
}

func (s *idSet) add(h uint64) {
	if s.has(h) {
		return
	}
	sh := &s.shards[h>>58]
	put := func(h uint64) {
		i := slotOf(h, len(sh.slots))
		for sh.slots[i] != 0 {
			if i++; i == len(sh.slots) {
				i = 0
			}
		}
		sh.slots[i] = h
	}
	if sh.used*4 >= len(sh.slots)*3 {
		old := sh.slots
		sh.slots = make([]uint64, max(len(old)+len(old)/2, firstSlots))
		for _, o := range old {
			if o != 0 {
				put(o)
			}
		}
	}
	put(h)
	sh.used++
	s.used++
}

// object notes an object and what it refers to.
func (c *closure) object(s *seenSet, o *Object) {
	if c.open {
		return
	}
	c.seen.add(s.key(o.ID, closureKey))
	note := func(id []byte) bool {
		if h := s.keyOf(id, closureKey); !c.seen.has(h) {
			c.wait(h)
		}
		return !c.open
	}
	if !plainRefs(o.Raw, note) {
		eachRef(o.Raw, func(_ int, id []byte) bool { return note(id) })
	}
}

// closureKey stands for the version in keys of closure, so that they are not
// those of seenSet.
const closureKey = -2

func (c *closure) wait(h uint64) {
	if c.waiting == nil {
		c.waiting = make(map[uint64]struct{})
	}
	if len(c.waiting) >= maxWaiting {
		if c.seen.used > c.defined+maxWaiting/10 {
			c.closed()
			c.defined = c.seen.used
		}
		if len(c.waiting) >= maxWaiting {
			*c = closure{open: true}
			return
		}
	}
	c.waiting[h] = struct{}{}
}

// closed reports whether every reference leads to an object of the input.
func (c *closure) closed() bool {
	for h := range c.waiting {
		if c.seen.has(h) {
			delete(c.waiting, h)
		}
	}
	return !c.open && len(c.waiting) == 0
}
