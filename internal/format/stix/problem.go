package stix

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// The rules: the Code of a problem or warning. The codes are stable. Messages
// name properties and quote at most an id, a type or a version, escaped and cut
// to 80 characters; no other content appears in them.
const (
	RuleSyntax       = "stix.syntax"             // not JSON, repeated names, invalid UTF-8
	RuleDepth        = "stix.depth"              // nested too deeply
	RuleSize         = "stix.size"               // larger than this exchange takes
	RuleBundle       = "stix.bundle"             // the bundle around the objects
	RuleTrailing     = "stix.trailing"           // something after the end
	RuleObject       = "stix.object"             // not an object
	RuleType         = "stix.type"               // type missing or malformed
	RuleID           = "stix.id"                 // id missing, malformed, or of another type
	RuleIDVersion    = "stix.id-version"         // another version of UUID than the standard asks for
	RuleIDContent    = "stix.id-content"         // a deterministic id that does not follow from the content
	RuleIDReuse      = "stix.id-reuse"           // one UUID for objects of two types
	RuleSpecVersion  = "stix.spec-version"       // not STIX 2.1
	RuleRequired     = "stix.required"           // a required property is missing
	RuleRecommended  = "stix.recommended"        // a property that should be there is missing
	RuleExclusive    = "stix.exclusive"          // two properties that exclude each other
	RulePropertyType = "stix.property-type"      // a property of the wrong type
	RulePropertyName = "stix.property-name"      // a name that no property may have
	RuleReserved     = "stix.reserved"           // a reserved property
	RuleRange        = "stix.range"              // a number out of its range
	RuleTimestamp    = "stix.timestamp"          // not YYYY-MM-DDTHH:MM:SS[.s+]Z
	RuleTimeOrder    = "stix.time-order"         // the later of two times is the earlier
	RuleVocabulary   = "stix.vocabulary"         // a value that the vocabulary does not have
	RuleForm         = "stix.form"               // a text that has not the form asked for
	RuleHash         = "stix.hash"               // a hash that is none by its algorithm
	RuleHex          = "stix.hex"                // not hexadecimal
	RuleBinary       = "stix.binary"             // not base64
	RuleLang         = "stix.lang"               // not a language tag
	RuleDictionary   = "stix.dictionary"         // a key that no dictionary may have, or an empty one
	RuleURL          = "stix.url"                // not a URL
	RuleReference    = "stix.external-reference" // a CVE or CAPEC id that is none
	RuleRef          = "stix.ref"                // a reference that is no identifier
	RuleRefType      = "stix.ref-type"           // a reference to objects of the wrong type
	RuleRelationship = "stix.relationship"       // a relationship that the standard does not define
	RulePattern      = "stix.pattern"            // a pattern that is none
	RuleCondition    = "stix.condition"          // a value that another property rules out
	RuleDeprecated   = "stix.deprecated"         // deprecated, though allowed
	RuleCustom       = "stix.custom"             // custom content without an extension
	RuleExtension    = "stix.extension"          // an extension that is not used as it has to be
	RuleMarking      = "stix.marking"            // markings that cannot be applied
	RuleSelector     = "stix.selector"           // a selector that is malformed or selects nothing
	RuleTLP          = "stix.tlp"                // a TLP definition that is wrong or misleading
	RuleDuplicate    = "stix.duplicate"          // one id and version, two contents
	RuleVersioning   = "stix.versioning"         // versions of one object that contradict each other

	// RuleNotApplicable is a common property that the type has no use for.
	RuleNotApplicable = "stix.not-applicable"
)

// collector counts all problems and keeps the first max, of each code at most
// maxEach.
type collector struct {
	list    []exchange.Problem
	count   int
	max     int
	maxEach int // 0: as many as max
	codes   map[string]int
}

// mark is a place to which a collector can be reset.
type mark struct{ count, listed int }

func (c *collector) mark() mark { return mark{c.count, len(c.list)} }

func (c *collector) reset(m mark) {
	for _, p := range c.list[m.listed:] {
		if c.codes != nil {
			c.codes[p.Code]--
		}
	}
	c.count, c.list = m.count, c.list[:m.listed]
}

// room counts a problem and reports whether it is to be listed.
func (c *collector) room(code string) bool {
	c.count++
	if c.maxEach == 0 {
		return len(c.list) < c.max
	}
	if c.codes == nil {
		c.codes = make(map[string]int)
	}
	n := c.codes[code] + 1
	c.codes[code] = n
	return n <= c.maxEach && len(c.list) < c.max
}

func (c *collector) add(p exchange.Problem) {
	if c.room(p.Code) {
		c.list = append(c.list, p)
	}
}

// name notes the object of what was listed since the mark.
func (c *collector) name(m mark, id string) {
	for i := m.listed; i < len(c.list); i++ {
		c.list[i].Object = id
	}
}

// fault notes a violation of a MUST at the place being looked at. The parts of
// the message are only joined when it is listed.
func (c *checker) fault(code, section string, message ...string) {
	if c.out.room(code) {
		c.out.list = append(c.out.list, c.problem(code, section, message))
	}
}

// advise notes a violation of a SHOULD.
func (c *checker) advise(code, section string, message ...string) {
	if c.warns.room(code) {
		c.warns.list = append(c.warns.list, c.problem(code, section, message))
	}
}

// faultAt is fault for a member of what is being looked at.
func (c *checker) faultAt(prop, code, section string, message ...string) {
	if c.out.room(code) {
		c.steps = append(c.steps, step{prop: prop})
		c.out.list = append(c.out.list, c.problem(code, section, message))
		c.steps = c.steps[:len(c.steps)-1]
	}
}

func (c *checker) adviseAt(prop, code, section string, message ...string) {
	if c.warns.room(code) {
		c.steps = append(c.steps, step{prop: prop})
		c.warns.list = append(c.warns.list, c.problem(code, section, message))
		c.steps = c.steps[:len(c.steps)-1]
	}
}

func (c *checker) problem(code, section string, message []string) exchange.Problem {
	if section != "" {
		section = "STIX 2.1 " + section
	}
	return exchange.Problem{Path: c.path(), Code: code, Section: section, Message: strings.Join(message, "")}
}

// path is the JSON path of what is being looked at.
func (c *checker) path() string {
	var b strings.Builder
	b.WriteString("$")
	if !c.single {
		b.WriteString(".objects[" + strconv.Itoa(c.obj.Index) + "]")
	}
	for _, s := range c.steps {
		switch {
		case s.prop != "":
			b.WriteString("." + s.prop)
		case s.raw != nil:
			text, _ := unquote(s.raw, nil)
			b.WriteString(place(text))
		case s.index > 0:
			b.WriteString("[" + strconv.Itoa(s.index-1) + "]")
		}
	}
	return b.String()
}

// place is a name's part of a path. Names that the input chose are escaped and
// cut.
func place(name []byte) string {
	if len(name) <= 80 && plainName(name) {
		return "." + string(name)
	}
	return "[" + quoted(name) + "]"
}

func plainName(name []byte) bool {
	for _, b := range name {
		if b != '_' && b != '-' && (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') && (b < '0' || b > '9') {
			return false
		}
	}
	return len(name) > 0
}

// quoted is b for a message: escaped, in quotes, at most 80 characters.
func quoted(b []byte) string {
	const limit = 80
	cut := len(b) > limit
	if cut {
		b = b[:limit]
		for len(b) > 0 && !utf8.RuneStart(b[len(b)-1]) {
			b = b[:len(b)-1]
		}
	}
	q := strconv.QuoteToASCII(string(b))
	if len(q) > limit {
		q, cut = q[:limit-1]+`"`, true
	}
	if cut {
		q += "…"
	}
	return q
}
