package stix

import (
	"bytes"
	"strconv"

	"github.com/forewarn-exchange/forewarn/internal/format/stix/spec"
)

// value checks one value of the i-th property of a frame.
func (c *checker) value(f *frame, i int, p *spec.Prop, v []byte) {
	switch p.Kind {
	case spec.String:
		c.stringValue(f, p, v)
	case spec.Bool:
		if !isBool(v) {
			c.wrongType(p, "true or false")
		}
	case spec.Integer, spec.Float:
		c.number(f, p, v)
	case spec.Time:
		c.time(f, i, p, v)
	case spec.Ref:
		c.ref(f, p, v)
	case spec.Open, spec.Enum:
		c.term(f, p, v)
	case spec.Embedded:
		c.embedded(p.Sub, v)
	case spec.Lang:
		if text, ok := c.textOf(v); !ok {
			c.wrongType(p, "a string")
		} else if !spec.ValidLang(text) {
			c.fault(RuleLang, c.section(f, p), p.Name, " has to be a language tag of RFC 5646")
		}
	case spec.Hex:
		c.hex(p, v)
	case spec.Binary:
		if text, ok := c.textOf(v); !ok {
			c.wrongType(p, "a string")
		} else if !spec.ValidBase64(text) {
			c.fault(RuleBinary, "§2.1", p.Name, " has to be base64")
		}
	case spec.Hashes:
		c.hashes(v)
	case spec.Dictionary:
		c.dictionary(p, v)
	case spec.Markings:
		c.markingRefs(v)
	case spec.Contents:
		c.contents(v)
	case spec.Container:
		c.container(v)
	case spec.Reserved:
		c.fault(RuleReserved, "§3.8", p.Name, " is reserved and may not be used")
	case spec.Extensions, spec.Granular, spec.ID, spec.Any: // once the whole object is known
	}
}

func (c *checker) wrongType(p *spec.Prop, want string) {
	c.fault(RulePropertyType, spec.Sections[p.Kind], p.Name, " has to be ", want)
}

// section is the paragraph that defines a property for the frame's table.
func (c *checker) section(f *frame, p *spec.Prop) string {
	if f.t.Class != 0 {
		for i := range spec.NumCommon {
			if &f.t.Props[i] == p {
				return "§3.2"
			}
		}
	}
	return f.t.Section
}

func (c *checker) stringValue(f *frame, p *spec.Prop, v []byte) {
	text, ok := c.textOf(v)
	if !ok {
		c.wrongType(p, "a string")
		return
	}
	if p.Form == spec.NoForm {
		return
	}
	verdict := p.Form.Check(text)
	if verdict != spec.Fine && f.t.Class == spec.SCO && string(c.lookIn(c.obj.Raw, "defanged")) == "true" {
		return // it may stand behind the value, so it is looked for
	}
	switch verdict {
	case spec.Wrong:
		c.fault(formCode(p.Form), c.section(f, p), p.Name, formText[p.Form])
	case spec.Odd:
		c.advise(formCode(p.Form), c.section(f, p), p.Name, formText[p.Form])
	case spec.Fine:
	}
}

func formCode(f spec.Form) string {
	if f == spec.URL || f == spec.URLS {
		return RuleURL
	}
	return RuleForm
}

var formText = map[spec.Form]string{
	spec.IPv4: " has to be an IPv4 address or a block in CIDR notation", spec.IPv6: " has to be an IPv6 address or a block in CIDR notation",
	spec.MAC:    " has to be a MAC address in lower case with colons and leading zeros",
	spec.Domain: " has to be a domain name by RFC 1034 and RFC 5890", spec.Email: " has to be an address without a display name",
	spec.URL: " has to be a URL by RFC 3986", spec.URLS: " should be a URL by RFC 3986",
	spec.Registry: " has to name the hive in full, such as HKEY_LOCAL_MACHINE",
	spec.Phase:    " should be in lower case, with hyphens between words", spec.Product: " should be in lower case, with hyphens between words",
	spec.Country: " should be a code of ISO 3166-1 alpha-2", spec.Area: " should be a code of ISO 3166-2",
	spec.Relation: " has to consist of a-z, 0-9 and hyphens", spec.Priority: " should end in _CLASS",
	spec.LowerCase: " should be in lower case", spec.PropertyName: " has to hold names of properties: 3 to 250 of a-z, 0-9 and underscore",
	spec.CPE: " has to be a name of CPE 2.3", spec.Decoded: " has to be decoded from the form of RFC 2047",
	spec.Charset: " has to be the name of a character set", spec.MIME: " should be a media type",
}

func (c *checker) number(f *frame, p *spec.Prop, v []byte) {
	if p.Kind == spec.Float {
		x, err := strconv.ParseFloat(string(v), 64)
		switch {
		case !isNumber(v):
			c.wrongType(p, "a number")
		case err != nil:
			c.fault(RuleRange, "§2.6", p.Name, " has to be a number that a double can hold")
		case p.Bounded && (x < float64(p.Min) || x > float64(p.Max)):
			c.outOfRange(f, p)
		}
		return
	}
	if !isInteger(v) {
		c.wrongType(p, "an integer")
		return
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	switch {
	case err != nil || n > spec.MaxInteger || n < -spec.MaxInteger:
		c.fault(RuleRange, "§2.10", p.Name, " has to be within 53 bits and a sign")
	case p.Bounded && (n < p.Min || n > p.Max):
		c.outOfRange(f, p)
	}
}

func (c *checker) outOfRange(f *frame, p *spec.Prop) {
	if p.Max == spec.MaxInteger {
		c.fault(RuleRange, c.section(f, p), p.Name, " has to be at least ", strconv.FormatInt(p.Min, 10))
		return
	}
	c.fault(RuleRange, c.section(f, p), p.Name, " has to be from ", strconv.FormatInt(p.Min, 10), " to ", strconv.FormatInt(p.Max, 10))
}

func (c *checker) time(f *frame, i int, p *spec.Prop, v []byte) {
	text, ok := c.textOf(v)
	if ok {
		if f.times[i], ok = ParseTime(text); ok {
			f.timed |= 1 << i
		}
	}
	switch {
	case !ok:
		c.fault(RuleTimestamp, "§2.16", p.Name, " has to be a time in UTC in the form YYYY-MM-DDTHH:MM:SS.sssZ")
	case p.Form == spec.Millis && len(text) < len("2006-01-02T15:04:05.000Z"):
		c.fault(RuleTimestamp, "§3.2", p.Name, " has to have at least three digits after the point")
	case p.Form == spec.WholeSecond && len(text) > len("2006-01-02T15:04:05Z"):
		c.fault(RuleTimestamp, f.t.Section, p.Name, " has to be precise to the second, without a fraction")
	}
}

// compareFraction compares two timestamps that are equal to the microsecond.
func compareFraction(a, b []byte) int {
	return bytes.Compare(finer(a), finer(b))
}

// finer is what follows the microseconds of a timestamp in quotes, without
// trailing zeros.
func finer(v []byte) []byte {
	const micros = len(`"2006-01-02T15:04:05.000000`)
	end := len(v) - len(`Z"`)
	if end <= micros {
		return nil
	}
	return bytes.TrimRight(v[micros:end], "0")
}

// ref checks a reference: its form, and whether the property may refer to
// objects of its type. Whether the object exists is not asked (§3.3).
func (c *checker) ref(f *frame, p *spec.Prop, v []byte) {
	text, ok := c.textOf(v)
	if !ok {
		c.fault(RuleRef, "§2.9", "a reference has to be a string")
		return
	}
	typ, ok := splitID(text)
	switch {
	case !ok:
		c.fault(RuleRef, "§2.9", "the reference ", quoted(text), " has to have the form type--UUID")
	case string(typ) == "bundle":
		c.fault(RuleRefType, "§8.2", "nothing may refer to a bundle")
	case p.Allows(typ):
	case p.Soft:
		c.advise(RuleRefType, c.section(f, p), p.Name, " should not refer to objects of the type ", quoted(typ))
	default:
		c.fault(RuleRefType, c.section(f, p), p.Name, " may not refer to objects of the type ", quoted(typ))
	}
}

func (c *checker) term(f *frame, p *spec.Prop, v []byte) {
	text, ok := c.textOf(v)
	switch {
	case !ok:
		c.wrongType(p, "a string")
	case p.Vocab.Has(text):
	case p.Vocab.Closed:
		c.fault(RuleVocabulary, p.Vocab.Section, "the value has to come from ", p.Vocab.Name)
	default:
		c.advise(RuleVocabulary, p.Vocab.Section, "the value should come from ", p.Vocab.Name)
	}
}

func (c *checker) hex(p *spec.Prop, v []byte) {
	text, ok := c.textOf(v)
	if !ok {
		c.wrongType(p, "a string")
		return
	}
	switch spec.CheckHex(text) {
	case spec.Wrong:
		c.fault(RuleHex, "§2.8", p.Name, " has to be an even number of hexadecimal digits")
	case spec.Odd:
		c.advise(RuleHex, "§2.8", p.Name, " should be in lower case")
	case spec.Fine:
	}
}

func (c *checker) hashes(v []byte) {
	at, n := len(c.steps), 0
	if !isObject(v) {
		c.fault(RulePropertyType, "§2.7", "hashes have to be an object")
		return
	}
	cur := inside(v)
	for ; ; n++ {
		name, value, ok := cur.member()
		if !ok {
			break
		}
		var key []byte
		key, c.name = unquote(name, c.name)
		c.steps = append(c.steps[:at], step{raw: name})
		text, isText := c.textOf(value)
		valid, known := spec.ValidHash(key, text)
		switch {
		case !spec.ValidKey(key, 3):
			c.fault(RuleDictionary, "§2.7", "the name of a hash algorithm has to be 3 to 250 of A-Z, a-z, 0-9, hyphen and underscore")
		case !isText:
			c.fault(RuleHash, "§2.7", "a hash has to be a string")
		case !valid:
			c.fault(RuleHash, "§2.7", "this is not a ", string(key), " hash")
		case !known:
			c.advise(RuleVocabulary, spec.HashAlgorithms.Section, "the algorithm should come from ", spec.HashAlgorithms.Name)
		}
	}
	c.steps = c.steps[:at]
	if n == 0 {
		c.fault(RuleDictionary, "§2.3", "hashes may not be empty")
	}
}

func (c *checker) dictionary(p *spec.Prop, v []byte) {
	if !isObject(v) {
		c.wrongType(p, "an object")
		return
	}
	n := 0
	cur := inside(v)
	for ; ; n++ {
		name, value, ok := cur.member()
		if !ok {
			break
		}
		var key []byte
		if key, c.name = unquote(name, c.name); !spec.ValidKey(key, 1) {
			c.fault(RuleDictionary, "§2.3", "a key of a dictionary has to be up to 250 of A-Z, a-z, 0-9, hyphen and underscore")
		}
		if len(p.Values) == 0 || c.fits(p, value) {
			continue
		}
		if p.Soft && isString(value) {
			c.advise(RulePropertyType, "§2.3", "the values of ", p.Name, " should be lists")
			continue
		}
		c.fault(RulePropertyType, "§2.3", "a value of ", p.Name, " has the wrong type")
	}
	if n == 0 {
		c.fault(RuleDictionary, "§2.3", p.Name, " may not be empty")
	}
}

// fits reports whether v is one of the kinds that the dictionary holds.
func (c *checker) fits(p *spec.Prop, v []byte) bool {
	if p.ValList {
		return isTextList(v)
	}
	for _, k := range p.Values {
		if k == spec.String && isString(v) || k == spec.Integer && isInteger(v) {
			return true
		}
	}
	return false
}

// contents checks the translations of language-content (§7.1.1).
func (c *checker) contents(v []byte) {
	if !isObject(v) {
		c.fault(RulePropertyType, "§7.1", "contents has to be an object")
		return
	}
	n := 0
	for key, value := range c.pairs(v) {
		n++
		if !spec.ValidLang(key) {
			c.fault(RuleLang, "§7.1", "the keys of contents have to be language tags of RFC 5646")
		}
		if !isObject(value) || !isFilledObject(value) {
			c.fault(RulePropertyType, "§7.1", "a translation has to be an object that is not empty")
		}
	}
	if n == 0 {
		c.fault(RuleDictionary, "§2.3", "contents may not be empty")
	}
}

// container checks the deprecated observable container (§2.13). Its objects may
// be those of STIX 2.0, so of their properties only the references are looked
// into: what they refer to has to be in the container.
func (c *checker) container(v []byte) {
	if !isObject(v) {
		c.fault(RulePropertyType, "§2.13", "objects has to be an object")
		return
	}
	keys := make(map[string]struct{})
	for key, value := range c.pairs(v) {
		keys[string(key)] = struct{}{}
		if !isObject(value) || !isString(c.lookIn(value, "type")) {
			c.fault(RulePropertyType, "§2.13", "objects has to hold cyber-observable objects with a type")
		}
	}
	if len(keys) == 0 {
		c.fault(RuleDictionary, "§4.14", "objects may not be empty")
	}
	known := func(v []byte) bool {
		text, _ := c.textOf(v)
		_, ok := keys[string(text)]
		return ok
	}
	cur := inside(v)
	for _, value, ok := cur.member(); ok; _, value, ok = cur.member() {
		if isObject(value) && !c.localRefs(value, known) {
			c.fault(RuleRef, "§2.13", "a reference in the container has to be the key of an object in it")
		}
	}
}

// localRefs reports whether all references of an object in a container are known.
func (c *checker) localRefs(v []byte, known func([]byte) bool) bool {
	for name, value := range c.pairs(v) {
		switch {
		case bytes.HasSuffix(name, []byte("_ref")):
			if !known(value) {
				return false
			}
		case bytes.HasSuffix(name, []byte("_refs")) && isArray(value):
			cur := inside(value)
			for e, ok := cur.element(); ok; e, ok = cur.element() {
				if !known(e) {
					return false
				}
			}
		}
	}
	return true
}

// isFilled reports whether v is a list that is not empty (§2.12).
func isFilled(v []byte) bool {
	if !isArray(v) {
		return false
	}
	cur := inside(v)
	_, ok := cur.element()
	return ok
}

func isFilledObject(v []byte) bool {
	cur := inside(v)
	_, _, ok := cur.member()
	return ok
}

// isTextList reports whether v is a list of strings that is not empty.
func isTextList(v []byte) bool {
	if !isFilled(v) {
		return false
	}
	cur := inside(v)
	for {
		s, ok := cur.element()
		if !ok {
			return true
		}
		if !isString(s) {
			return false
		}
	}
}
