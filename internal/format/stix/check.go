package stix

import (
	"bytes"
	"math/bits"
	"strconv"

	"github.com/forewarn-exchange/forewarn/internal/format/stix/spec"
)

// checker reads one object at a time by the tables of package spec. Its buffers
// are reused, so that a sound object costs one allocation: the string of its id
// and name.
type checker struct {
	opt        Options
	out, warns *collector

	single bool // the object is the whole input: paths start with $
	obj    Object
	idOK   bool
	idText []byte // unescaped, valid while the object is

	steps  []step // from the object to what is being looked at
	frames [maxFrames]*frame
	depth  int

	custom    int    // top-level properties that no table knows
	unmarked  bool   // one of them does not start with x_
	example   []byte // the first of them, as written
	title     []byte // a name that the table of the type does not have
	extended  bool   // an extension adds properties to the top level
	extClass  spec.Class
	selectors selectorSet
	marked    map[string]bool // the markings of c.obj.Granular
	selected  []string        // the selectors of c.obj.Granules
	granules  int             // bytes of them

	types interner
	ids   interner
	sels  interner
	buf   []byte // unescaped text of a value
	name  []byte // unescaped name of a member
	join  []byte
	canon []byte
}

// maxFrames is how deep tables nest: object, extension, header, and the same
// again inside an observable container.
const maxFrames = 6

// frame is what is known of one object that a table describes.
type frame struct {
	t     *spec.Table
	have  uint64
	timed uint64 // properties whose timestamp was read
	more  int    // members that the table does not know
	vals  [64][]byte
	times [64]int64 // Unix microseconds
}

func (f *frame) has(p int) bool { return f.have&(1<<p) != 0 }

// step is a part of a path: a property of a table, another name as it is
// written, or a place in a list.
type step struct {
	prop  string
	raw   []byte
	index int
}

// interner keeps one string for each of the first max distinct texts.
type interner struct {
	seen map[string]string
	max  int
}

func (n *interner) of(b []byte) string {
	if s, ok := n.seen[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(n.seen) < n.max {
		if n.seen == nil {
			n.seen = make(map[string]string)
		}
		n.seen[s] = s
	}
	return s
}

func (c *checker) init(opt Options, out, warns *collector) {
	c.opt, c.out, c.warns = opt, out, warns
	c.types.max, c.ids.max, c.sels.max = maxTypes, maxTypes, maxSelectors
}

// object checks the value raw, which the decoder has accepted, and fills c.obj.
// It reports whether the object has no problem; warnings are none.
func (c *checker) object(raw []byte, offset int64, index int) bool {
	before, warned := c.out.mark(), c.warns.mark()
	c.obj = Object{
		Offset: offset, Length: int64(len(raw)), Raw: raw, Index: index,
		MarkingRefs: c.obj.MarkingRefs[:0], Granular: c.obj.Granular[:0], Granules: c.obj.Granules[:0],
	}
	c.idOK, c.idText, c.steps, c.depth = false, nil, c.steps[:0], 0
	c.custom, c.unmarked, c.example, c.title, c.extended, c.extClass = 0, false, nil, nil, false, 0
	if !isObject(raw) {
		c.fault(RuleObject, "§8", "this is not a STIX object but another JSON value")
		return false
	}
	f := c.push(c.tableOf(raw))
	levels := c.members(f, raw, true)
	if levels > c.opt.MaxDepth {
		c.out.reset(before)
		c.warns.reset(warned)
		c.obj.Type = ""
		c.fault(RuleDepth, "", "nested ", strconv.Itoa(levels), " levels deep; this exchange takes ", strconv.Itoa(c.opt.MaxDepth))
		return false
	}
	c.identity(f)
	c.specVersion(f)
	c.complete(f)
	c.special(f)
	c.customs(f)
	c.granular(f, raw)
	c.finish(f)
	c.out.name(before, c.obj.ID)
	c.warns.name(warned, c.obj.ID)
	return c.out.count == before.count
}

func (c *checker) push(t *spec.Table) *frame {
	f := c.frames[c.depth]
	if f == nil {
		f = new(frame)
		c.frames[c.depth] = f
	}
	c.depth++
	f.t, f.have, f.timed, f.more = t, 0, 0, 0
	return f
}

// tableOf finds the type, wherever it stands among the members, and its table.
func (c *checker) tableOf(raw []byte) *spec.Table {
	cur := inside(raw)
	for {
		name, value, ok := cur.member()
		if !ok {
			c.steps = append(c.steps, step{prop: "type"})
			c.fault(RuleType, "§3.2", "type is required")
			break
		}
		if string(name) != `"type"` {
			if bytes.IndexByte(name, '\\') < 0 {
				continue
			}
			var text []byte
			if text, c.name = unquote(name, c.name); string(text) != "type" {
				continue
			}
		}
		if t := c.typeValue(value); t != nil {
			return t
		}
		break
	}
	c.steps = c.steps[:0]
	return spec.CustomType
}

func (c *checker) typeValue(v []byte) *spec.Table {
	text, ok := c.textOf(v)
	if ok {
		if t := spec.Type(text); t != nil {
			c.obj.Type = t.Name
			return t
		}
	}
	c.steps = append(c.steps, step{prop: "type"})
	switch {
	case !ok:
		c.fault(RuleType, "§3.2", "type has to be a string")
	case string(text) == "bundle":
		c.fault(RuleType, "§8", "a bundle cannot be an object of a bundle")
	case !validType(text):
		c.fault(RuleType, "§3.1", "type ", quoted(text), " has to be 3 to 250 of a-z, 0-9 and single hyphens, the first a letter")
	default:
		c.obj.Type = c.types.of(text)
	}
	return nil
}

// members checks each member of an object by the frame's table and returns how
// many levels the object has.
func (c *checker) members(f *frame, raw []byte, top bool) (levels int) {
	cur := inside(raw)
	at := len(c.steps)
	for {
		name, value, ok := cur.member()
		if !ok {
			c.steps = c.steps[:at]
			return cur.levels + 1
		}
		text := name[1 : len(name)-1]
		if bytes.IndexByte(text, '\\') >= 0 {
			text, c.name = unquote(name, c.name)
		}
		i := f.t.Find(text)
		if i < 0 {
			f.more++
			if top {
				c.unknown(f, name, text, value)
			}
			continue
		}
		f.have |= 1 << i
		f.vals[i] = value
		p := &f.t.Props[i]
		c.steps = append(c.steps[:at], step{prop: p.Name})
		c.property(f, i, p, value)
	}
}

// property checks the value of a property.
func (c *checker) property(f *frame, i int, p *spec.Prop, v []byte) {
	if p.Deprecated {
		c.advise(RuleDeprecated, f.t.Section, p.Name, " is deprecated")
	}
	if !p.List {
		c.value(f, i, p, v)
		return
	}
	if !isFilled(v) {
		c.fault(RulePropertyType, "§2.12", p.Name, " has to be a list that is not empty")
		return
	}
	c.steps = append(c.steps, step{})
	at := len(c.steps) - 1
	cur := inside(v)
	for n := 0; ; n++ {
		e, ok := cur.element()
		if !ok {
			break
		}
		c.steps = append(c.steps[:at], step{index: n + 1})
		c.value(f, i, p, e)
	}
	c.steps = c.steps[:at]
}

// embedded checks an object inside the object by its table.
func (c *checker) embedded(t *spec.Table, v []byte) {
	if !isObject(v) {
		c.fault(RulePropertyType, t.Section, "this has to be an object of the type ", t.Name)
		return
	}
	if c.depth == maxFrames {
		return
	}
	f := c.push(t)
	c.members(f, v, false)
	c.complete(f)
	if t.Name == "external-reference" {
		c.externalReference(f)
	}
	c.depth--
}

// complete checks what a frame has against what its table asks for.
func (c *checker) complete(f *frame) {
	t := f.t
	if missing := t.Required &^ f.have &^ own(t); missing != 0 {
		c.missing(f, missing)
	}
	if missing := t.Should &^ f.have; missing != 0 {
		for i := range ones(missing) {
			c.adviseAt(t.Props[i].Name, RuleRecommended, t.Section, t.Props[i].Name, " should be there in ", t.Name)
		}
	}
	if unused := t.NotApplicable & f.have; unused != 0 {
		c.unused(f, unused)
	}
	if len(t.Any) > 0 {
		c.anyOf(f)
	}
	if t.AnyOwn && f.have&t.Own == 0 && (t.Class == 0 || !f.has(spec.PExtensions)) {
		c.fault(RuleRequired, t.Section, "a ", t.Name, " needs at least one property of its own")
	}
	if t.AnyBut != 0 && f.have&^t.AnyBut == 0 {
		c.fault(RuleRequired, t.Section, "a ", t.Name, " needs a property besides ", listed(t, t.AnyBut))
	}
	for _, x := range t.Exclude {
		if f.has(x[0]) && f.has(x[1]) {
			c.faultAt(t.Props[x[0]].Name, RuleExclusive, t.Section, t.Props[x[0]].Name, " and ", t.Props[x[1]].Name, " exclude each other")
		}
	}
	for _, n := range t.Needs {
		if f.has(n[0]) && !f.has(n[1]) {
			c.faultAt(t.Props[n[1]].Name, RuleRequired, t.Section, t.Props[n[1]].Name, " is required where ", t.Props[n[0]].Name, " is given")
		}
	}
	c.timeOrder(f)
}

// own are type and id, which are looked at by themselves.
func own(t *spec.Table) uint64 {
	if t.Class == 0 {
		return 0
	}
	return 1<<spec.PType | 1<<spec.PID
}

func (c *checker) missing(f *frame, missing uint64) {
	t := f.t
	for i := range ones(missing) {
		name := t.Props[i].Name
		switch {
		case t.Class != 0 && i == spec.PSpecVersion:
			c.faultAt(name, RuleSpecVersion, "§3.2",
				`spec_version is missing, which makes this a STIX 2.0 object; this exchange takes STIX 2.1 ("spec_version": "2.1")`)
		case t.Class != 0 && i < spec.NumCommon:
			c.faultAt(name, RuleRequired, "§3.2", name, " is required")
		default:
			c.faultAt(name, RuleRequired, t.Section, name, " is required in ", t.Name)
		}
	}
}

func (c *checker) unused(f *frame, unused uint64) {
	for i := range ones(unused) {
		name := f.t.Props[i].Name
		if i == spec.PDefanged {
			c.faultAt(name, RuleNotApplicable, "§3.2", "defanged may only be used in cyber-observable objects")
			continue
		}
		c.adviseAt(name, RuleNotApplicable, "§3.2", name, " is not in use for ", f.t.Name)
	}
}

func (c *checker) anyOf(f *frame) {
	choices := ""
	for _, s := range f.t.Any {
		if f.have&s == s {
			return
		}
	}
	for i, s := range f.t.Any {
		if i > 0 {
			choices += ", or "
		}
		choices += listed(f.t, s)
	}
	c.fault(RuleRequired, f.t.Section, "a ", f.t.Name, " needs ", choices)
}

// listed is a list of property names for a message.
func listed(t *spec.Table, s uint64) string {
	names := ""
	for i := range ones(s) {
		if names != "" {
			names += " and "
		}
		names += t.Props[i].Name
	}
	return names
}

// ones yields the places of the bits of s.
func ones(s uint64) func(func(int) bool) {
	return func(yield func(int) bool) {
		for ; s != 0; s &= s - 1 {
			if !yield(bits.TrailingZeros64(s)) {
				return
			}
		}
	}
}

func (c *checker) timeOrder(f *frame) {
	if f.t.Class != 0 && f.t.Class != spec.SCO {
		c.ordered(f, spec.Order{From: spec.PCreated, To: spec.PModified}, "§3.2")
	}
	for _, o := range f.t.Orders {
		c.ordered(f, o, f.t.Section)
	}
}

func (c *checker) ordered(f *frame, o spec.Order, section string) {
	if f.timed&(1<<o.From) == 0 || f.timed&(1<<o.To) == 0 {
		return
	}
	d := f.times[o.To] - f.times[o.From]
	if d == 0 {
		d = int64(compareFraction(f.vals[o.To], f.vals[o.From]))
	}
	if d > 0 || d == 0 && !o.Strict {
		return
	}
	relation := " has to not be before "
	if o.Strict {
		relation = " has to be later than "
	}
	name := f.t.Props[o.To].Name
	c.faultAt(name, RuleTimeOrder, section, name, relation, f.t.Props[o.From].Name)
}

// finish takes what the caller gets from the values that were checked.
func (c *checker) finish(f *frame) {
	o := &c.obj
	switch {
	case f.timed&(1<<spec.PModified) != 0:
		o.Version = f.times[spec.PModified]
	case f.timed&(1<<spec.PCreated) != 0:
		o.Version = f.times[spec.PCreated]
	}
	if !c.idOK {
		return
	}
	c.join = append(c.join[:0], c.idText...)
	n := len(c.join)
	if text, ok := c.nameOf(f); ok {
		c.join = append(c.join, cutText(text, maxName)...)
	}
	s := string(c.join)
	o.ID, o.Name = s[:n], s[n:]
}

// nameOf is the name, or the relationship type, of an object of any type.
func (c *checker) nameOf(f *frame) ([]byte, bool) {
	name := "name"
	if c.obj.Type == "relationship" {
		name = "relationship_type"
	}
	if i := f.t.Find([]byte(name)); i >= 0 {
		return c.text(f, i)
	}
	return c.textOf(c.title)
}

// cutText cuts b to at most n bytes at the border of a character.
func cutText(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	for n > 0 && b[n]&0xC0 == 0x80 {
		n--
	}
	return b[:n]
}

// text is the unescaped text of a property that is a string; valid until the
// next call.
func (c *checker) text(f *frame, p int) ([]byte, bool) {
	if !f.has(p) {
		return nil, false
	}
	return c.textOf(f.vals[p])
}

func (c *checker) textOf(v []byte) (text []byte, ok bool) {
	if !isString(v) {
		return nil, false
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1], true
	}
	text, c.buf = unquote(v, c.buf)
	return text, true
}
