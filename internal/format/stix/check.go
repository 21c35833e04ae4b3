package stix

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// checker reads one object at a time. Its buffers are reused, so that an object
// costs one allocation: the string of its id and name.
type checker struct {
	opt Options
	out *collector

	single bool // the object is the whole input: paths start with $
	obj    Object
	rule   *rule // nil for a type that STIX 2.1 does not define
	idOK   bool

	have  set              // properties of the table that the object has
	vals  [numProps][]byte // their values, valid where have says so
	times [numProps]int64  // timestamps, valid where timed says so
	timed set
	own   int      // properties beyond the common ones
	refs  []member // *_ref and *_refs outside the table

	types interner
	ids   interner
	buf   []byte // unescaped text of a value
	name  []byte // unescaped name of a member
	join  []byte
}

type member struct{ name, value []byte } // name in its quotes

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

func (c *checker) init(opt Options, out *collector) {
	c.opt, c.out = opt, out
	c.types.max, c.ids.max = maxTypes, maxTypes
}

// object checks the value raw, which the decoder has accepted, and fills c.obj.
// It reports whether the object has no problem.
func (c *checker) object(raw []byte, offset int64, index int) bool {
	before := c.out.count
	c.obj = Object{
		Offset: offset, Length: int64(len(raw)), Raw: raw, Index: index,
		MarkingRefs: c.obj.MarkingRefs[:0], Granular: c.obj.Granular[:0],
	}
	c.rule, c.idOK, c.have, c.timed, c.own, c.refs = nil, false, set{}, set{}, 0, c.refs[:0]
	if !isObject(raw) {
		c.problem("", RuleObject, "§8", "this is not a STIX object but another JSON value")
		return false
	}
	if levels := c.collect(raw); levels > c.opt.MaxDepth {
		c.problem("", RuleDepth, "", "nested "+strconv.Itoa(levels)+" levels deep; this exchange takes "+strconv.Itoa(c.opt.MaxDepth))
		return false
	}
	c.checkType()
	c.checkID()
	c.checkSpecVersion()
	c.checkKinds()
	c.checkRequired()
	c.checkTimeOrder()
	c.checkConditions()
	if c.obj.Type == "marking-definition" {
		c.markingDefinition()
	}
	c.finish()
	return c.out.count == before
}

// collect notes the members of raw and returns how many levels it has.
func (c *checker) collect(raw []byte) int {
	cur := inside(raw)
	for {
		name, value, ok := cur.member()
		if !ok {
			return cur.levels + 1
		}
		var text []byte
		text, c.name = unquote(name, c.name)
		p := lookup(text)
		if p == noProp {
			c.own++
			if isRefName(text) {
				c.refs = append(c.refs, member{name, value})
			}
			continue
		}
		if !props[p].common {
			c.own++
		}
		c.have.add(p)
		c.vals[p] = value
	}
}

// isRefName reports whether the standard gives the name to references. Custom
// properties (x_...) follow no such rule.
func isRefName(name []byte) bool {
	return len(name) > 4 && (bytes.HasSuffix(name, []byte("_ref")) || bytes.HasSuffix(name, []byte("_refs"))) &&
		!bytes.HasPrefix(name, []byte("x_"))
}

// finish takes what the caller gets from the values that were checked.
func (c *checker) finish() {
	o := &c.obj
	if c.timed.has(pCreated) {
		o.Version = c.times[pCreated]
	}
	if c.timed.has(pModified) {
		o.Version = c.times[pModified]
	}
	name := pName
	if o.Type == "relationship" {
		name = pRelationshipType
	}
	if id, ok := c.text(pID); ok && c.idOK {
		c.join = append(c.join[:0], id...)
		n := len(c.join)
		if text, ok := c.text(name); ok {
			c.join = append(c.join, cutText(text, maxName)...)
		}
		s := string(c.join)
		o.ID, o.Name = s[:n], s[n:]
	}
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
func (c *checker) text(p prop) ([]byte, bool) {
	if !c.have.has(p) {
		return nil, false
	}
	return c.textOf(c.vals[p])
}

func (c *checker) textOf(v []byte) (text []byte, ok bool) {
	if !isString(v) {
		return nil, false
	}
	text, c.buf = unquote(v, c.buf)
	return text, true
}

// path is the JSON path of the object.
func (c *checker) path() string {
	if c.single {
		return "$"
	}
	return "$.objects[" + strconv.Itoa(c.obj.Index) + "]"
}

// problem notes a fault; at is what follows the object's path, such as ".id".
func (c *checker) problem(at, ruleCode, section, message string) {
	if !c.out.room() {
		return
	}
	if section != "" {
		section = "STIX 2.1 " + section
	}
	c.out.list = append(c.out.list, exchange.Problem{Path: c.path() + at, Code: ruleCode, Section: section, Message: message})
}

func (c *checker) problemAt(p prop, ruleCode, section, message string) {
	c.problem("."+props[p].name, ruleCode, section, message)
}

// listed is a list of property names for a message.
func listed(s set) string {
	var names []string
	for p := range s.all {
		names = append(names, props[p].name)
	}
	return strings.Join(names, " and ")
}

func (c *checker) checkRequired() {
	if c.rule == nil {
		return
	}
	for p := range commonAll[c.rule.class].minus(c.have).all {
		if p == pSpecVersion {
			c.problemAt(p, RuleSpecVersion, "§3.2",
				`spec_version is missing, which makes this a STIX 2.0 object; this exchange takes STIX 2.1 ("spec_version": "2.1")`)
			continue
		}
		c.problemAt(p, RuleRequired, "§3.2", props[p].name+" is required")
	}
	for p := range c.rule.all.minus(c.have).all {
		c.problemAt(p, RuleRequired, c.rule.section, fmt.Sprintf("%s is required in %s", props[p].name, c.rule.name))
	}
	if len(c.rule.any) > 0 {
		c.checkAny()
	}
	if c.rule.anyOwn && c.own == 0 && !c.have.has(pExtensions) {
		c.problem("", RuleRequired, c.rule.section, "a "+c.rule.name+" needs at least one property of its own")
	}
	for _, p := range c.rule.implies {
		if c.have.has(p[0]) && !c.have.has(p[1]) {
			c.problemAt(p[1], RuleRequired, c.rule.section, fmt.Sprintf("%s is required where %s is given", props[p[1]].name, props[p[0]].name))
		}
	}
}

func (c *checker) checkAny() {
	var choices []string
	for _, s := range c.rule.any {
		if c.have.contains(s) {
			return
		}
	}
	for _, s := range c.rule.any {
		choices = append(choices, listed(s))
	}
	c.problem("", RuleRequired, c.rule.section, fmt.Sprintf("a %s needs %s", c.rule.name, strings.Join(choices, ", or ")))
}

func (c *checker) checkTimeOrder() {
	if c.rule == nil || c.timed.and(orderedTimes).empty() {
		return
	}
	for _, o := range timeOrder {
		if !c.timed.contains(of(o.from, o.to)) {
			continue
		}
		from, to := c.times[o.from], c.times[o.to]
		if to > from || to == from && !o.strict {
			continue
		}
		relation := "not be before"
		if o.strict {
			relation = "be later than"
		}
		c.problemAt(o.to, RuleTimeOrder, o.section, fmt.Sprintf("%s has to %s %s", props[o.to].name, relation, props[o.from].name))
	}
}

// checkConditions checks the requirements that depend on a value.
func (c *checker) checkConditions() {
	if c.rule == nil {
		return
	}
	switch c.rule.name {
	case "malware":
		if c.have.has(pIsFamily) && string(c.vals[pIsFamily]) == "true" && !c.have.has(pName) {
			c.problemAt(pName, RuleRequired, c.rule.section, "name is required in a malware family")
		}
	case "observed-data":
		if c.have.contains(of(pObjects, pObjectRefs)) {
			c.problemAt(pObjects, RulePropertyType, c.rule.section, "objects and object_refs exclude each other")
		}
	}
}
