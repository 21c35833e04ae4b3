package stix

import (
	"bytes"
	"hash/maphash"

	"github.com/forewarn-exchange/forewarn/internal/format/stix/spec"
)

// selectorSet finds what the selectors of one object select in a single walk:
// the time is linear in the object, whatever the selectors are. A path is known
// by the hash of its components, with a seed of its own.
type selectorSet struct {
	seed  maphash.Seed
	paths map[uint64]bool // of each selector and each of its beginnings: whether it was seen
}

// pathRoot is the hash of the empty path.
const pathRoot = 0x9E3779B97F4A7C15

func (s *selectorSet) child(path uint64, component []byte) uint64 {
	return mix(path, maphash.Bytes(s.seed, component))
}

func (s *selectorSet) item(path, index uint64) uint64 { return mix(path, ^index*0xD6E8FEB86659FD93) }

func mix(a, b uint64) uint64 {
	h := (a ^ b) * 0x9E3779B97F4A7C15
	h = (h ^ h>>29 ^ a) * 0xBF58476D1CE4E5B9
	return h ^ h>>32
}

// hash is the hash of a selector, and false where its form is wrong (§7.2.3).
// With note, it and its beginnings are looked for.
func (s *selectorSet) hash(selector []byte, note bool) (h uint64, ok bool) {
	h = pathRoot
	for i := 0; ; i++ {
		part, rest, more := bytes.Cut(selector, []byte{'.'})
		switch {
		case len(part) > 2 && part[0] == '[' && part[len(part)-1] == ']' && i > 0:
			n, ok := listIndex(part[1 : len(part)-1])
			if !ok {
				return 0, false
			}
			h = s.item(h, n)
		case spec.ValidKey(part, 1):
			h = s.child(h, part)
		default:
			return 0, false
		}
		if note {
			s.paths[h] = false
		}
		if !more {
			return h, true
		}
		selector = rest
	}
}

func listIndex(b []byte) (n uint64, ok bool) {
	if len(b) > 9 || len(b) > 1 && b[0] == '0' {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// walk notes which of the paths are in v.
func (s *selectorSet) walk(c *checker, v []byte, path uint64) {
	cur := inside(v)
	if isObject(v) {
		for {
			name, value, ok := cur.member()
			if !ok {
				return
			}
			text := name[1 : len(name)-1]
			if bytes.IndexByte(text, '\\') >= 0 {
				text, c.name = unquote(name, c.name)
			}
			s.visit(c, value, s.child(path, text))
		}
	}
	for n := uint64(0); ; n++ {
		e, ok := cur.element()
		if !ok {
			return
		}
		s.visit(c, e, s.item(path, n))
	}
}

func (s *selectorSet) visit(c *checker, v []byte, path uint64) {
	if _, wanted := s.paths[path]; !wanted {
		return
	}
	s.paths[path] = true
	if isObject(v) || isArray(v) {
		s.walk(c, v, path)
	}
}

// granular checks granular_markings (§7.2.3): first the form of each, then
// whether its selectors select something.
func (c *checker) granular(f *frame, raw []byte) {
	if !f.has(spec.PGranularMarkings) {
		c.circular()
		return
	}
	v := f.vals[spec.PGranularMarkings]
	c.steps = append(c.steps[:0], step{prop: "granular_markings"})
	if !isFilled(v) {
		c.fault(RuleMarking, "§7.2.3", "granular_markings has to be a list that is not empty")
		return
	}
	s := &c.selectors
	if s.paths == nil {
		s.seed, s.paths = maphash.MakeSeed(), make(map[uint64]bool)
	}
	if c.marked == nil {
		c.marked = make(map[string]bool)
	}
	clear(s.paths)
	clear(c.marked)
	c.selected, c.granules = c.selected[:0], 0
	c.eachMarking(v, func(m []byte) {
		if fault := c.granule(m); fault != "" {
			c.fault(RuleMarking, "§7.2.3", fault)
		}
		c.eachSelector(m, func(text []byte) { s.hash(text, true) })
	})
	s.walk(c, raw, pathRoot)
	c.eachMarking(v, func(m []byte) {
		c.eachSelector(m, func(text []byte) {
			h, ok := s.hash(text, false)
			if !ok {
				c.fault(RuleSelector, "§7.2.3", "a selector has to consist of names and places, such as labels.[0]")
			} else if !s.paths[h] {
				c.fault(RuleSelector, "§7.2.3", "the selector selects nothing that this object has")
			}
		})
	})
	if len(s.paths) > 4096 {
		s.paths = nil
	}
	c.circular()
}

// eachMarking calls do for each granular marking, with the path set to it.
func (c *checker) eachMarking(v []byte, do func(m []byte)) {
	cur := inside(v)
	for n := 1; ; n++ {
		m, ok := cur.element()
		if !ok {
			c.steps = c.steps[:1]
			return
		}
		c.steps = append(c.steps[:1], step{index: n})
		do(m)
	}
}

// eachSelector calls do for each selector of a granular marking.
func (c *checker) eachSelector(m []byte, do func(text []byte)) {
	if !isObject(m) {
		return
	}
	v := c.lookIn(m, "selectors")
	if !isArray(v) {
		return
	}
	at := len(c.steps)
	cur := inside(v)
	for n := 1; ; n++ {
		e, ok := cur.element()
		if !ok {
			c.steps = c.steps[:at]
			return
		}
		c.steps = append(c.steps[:at], step{prop: "selectors"}, step{index: n})
		if text, ok := c.textOf(e); ok {
			do(text)
		}
	}
}

// granule reads one granular marking and returns what is wrong with it.
func (c *checker) granule(v []byte) (fault string) {
	if !isObject(v) {
		return "a granular marking has to be an object"
	}
	var ref, lang, selectors []byte
	for name, value := range c.pairs(v) {
		switch string(name) {
		case "marking_ref":
			ref = value
		case "lang":
			lang = value
		case "selectors":
			selectors = value
		}
	}
	if !isTextList(selectors) {
		return "selectors have to be a list of strings that is not empty"
	}
	switch {
	case (ref == nil) == (lang == nil):
		return "a granular marking has either marking_ref or lang"
	case lang != nil:
		if text, ok := c.textOf(lang); !ok || !spec.ValidLang(text) {
			return "lang has to be a language tag of RFC 5646"
		}
		return ""
	}
	id, ok := c.marking(ref)
	if !ok {
		return "marking_ref has to be the id of a marking-definition"
	}
	if !c.marked[id] {
		if len(c.obj.Granular) == maxMarkings {
			return "this exchange takes at most 1000 different markings of one object"
		}
		c.marked[id] = true
		c.obj.Granular = append(c.obj.Granular, id)
	}
	return c.granulate(id, selectors)
}

// What the granular markings of one object may hold: whoever keeps them keeps
// their text.
const (
	maxSelectors     = 4096
	maxSelectorBytes = 64 << 10
)

// granulate takes the marking with its selectors into Granules.
func (c *checker) granulate(id string, selectors []byte) (fault string) {
	from := len(c.selected)
	cur := inside(selectors)
	for {
		e, ok := cur.element()
		if !ok {
			break
		}
		text, _ := c.textOf(e)
		if c.granules += len(text); c.granules > maxSelectorBytes || len(c.selected) == maxSelectors {
			return "this exchange takes at most 4096 selectors of one object, of 64 KiB together"
		}
		c.selected = append(c.selected, c.sels.of(text))
	}
	c.obj.Granules = append(c.obj.Granules, Granule{id, c.selected[from:len(c.selected):len(c.selected)]})
	return ""
}

// circular refuses a marking definition that marks itself (§3.2).
func (c *checker) circular() {
	c.steps = c.steps[:0]
	if c.obj.Type != "marking-definition" || !c.idOK {
		return
	}
	for _, refs := range [2][]string{c.obj.MarkingRefs, c.obj.Granular} {
		for _, id := range refs {
			if id == string(c.idText) {
				c.fault(RuleMarking, "§3.2", "a marking definition may not mark itself")
				return
			}
		}
	}
}
