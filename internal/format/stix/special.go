package stix

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // UUID version 5 is defined by it
	"encoding/hex"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/format/stix/spec"
)

// identity checks the id (§2.9, §3.2).
func (c *checker) identity(f *frame) {
	c.steps = append(c.steps[:0], step{prop: "id"})
	defer func() { c.steps = c.steps[:0] }()
	if !f.has(spec.PID) {
		c.fault(RuleID, "§2.9", "id is required")
		return
	}
	v := f.vals[spec.PID]
	if !isString(v) {
		c.fault(RuleID, "§2.9", "id has to be a string")
		return
	}
	text := v[1 : len(v)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		text, _ = unquote(v, nil) // kept while the object is checked
	}
	typ, ok := splitID(text)
	if !ok {
		c.fault(RuleID, "§2.9", "id ", quoted(text), " has to have the form type--UUID")
		return
	}
	if c.obj.Type != "" && string(typ) != c.obj.Type {
		c.fault(RuleID, "§2.9", "id ", quoted(text), " has to start with the object's type, ", quoted([]byte(c.obj.Type)))
		return
	}
	c.idOK, c.idText = true, text
	version := text[len(typ)+2+14]
	switch {
	case f.t.Class == spec.Custom:
	case f.t.Class != spec.SCO:
		if version != '4' {
			c.advise(RuleIDVersion, "§2.9", "the id should be a UUID of version 4")
		}
	case !contributes(f):
		if version != '4' {
			c.advise(RuleIDVersion, "§2.9", "no property contributes to the id, so it should be a UUID of version 4")
		}
	case version != '5':
		c.advise(RuleIDVersion, "§2.9", "the id should be a UUID of version 5 made of the contributing properties")
	default:
		c.deterministic(f, text[len(typ)+2:])
	}
}

// ObservableID is the deterministic id (§2.9) of a cyber-observable object, which
// may have none yet; "" where none follows from its properties.
func (k *Checker) ObservableID(raw []byte) string {
	k.Check(raw)
	c := &k.check
	f := c.push(c.tableOf(raw))
	c.members(f, raw, true)
	if f.t.Class != spec.SCO || !contributes(f) || !c.contributing(f, f.t.IDProps[0]) {
		return ""
	}
	return f.t.Name + "--" + string(c.uuid5())
}

// contributes reports whether an ID contributing property is there.
func contributes(f *frame) bool {
	for _, props := range f.t.IDProps {
		for _, p := range props {
			if f.has(p) {
				return true
			}
		}
	}
	return false
}

// idNamespace is the namespace of deterministic ids, 00abedb4-aa42-466c-9c01-fed23315a9b7.
var idNamespace = [16]byte{0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7}

// deterministic compares the id with the one that follows from the contributing
// properties, in canonical JSON (RFC 8785).
func (c *checker) deterministic(f *frame, uuid []byte) {
	for _, props := range f.t.IDProps {
		if !c.contributing(f, props) {
			return // the properties are faulty, which is told elsewhere
		}
		if bytes.EqualFold(c.uuid5(), uuid) {
			for _, p := range [4]int{spec.PCreated, spec.PModified, spec.PRevoked, spec.PCreatedByRef} {
				if f.has(p) {
					c.fault(RuleIDContent, "§3.6", "an object with a version may not have an id in the namespace of deterministic ids")
					return
				}
			}
			return
		}
	}
	c.advise(RuleIDContent, "§2.9", "the id does not follow from the contributing properties")
}

// contributing writes the object of the contributing properties to c.canon.
func (c *checker) contributing(f *frame, props []int) bool {
	b, plain := append(c.canon[:0], '{'), true
	for _, p := range props {
		if !f.has(p) {
			continue
		}
		if len(b) > 1 {
			b, plain = append(b, ','), false
		}
		b = append(append(append(b, '"'), f.t.Props[p].Name...), '"', ':')
		v := f.vals[p]
		if f.t.Props[p].Kind == spec.Hashes {
			b, plain = append(b, '{'), false
			name, value := c.preferredHash(v)
			if name == nil {
				return false
			}
			b = append(append(append(append(b, name...), ':'), value...), '}')
			continue
		}
		plain = plain && isString(v) && bytes.IndexByte(v, '\\') < 0
		b = append(b, v...)
	}
	b = append(b, '}')
	c.canon = b
	if plain {
		return true
	}
	canon := jsontext.Value(b)
	if err := canon.Canonicalize(); err != nil {
		return false
	}
	c.canon = canon
	return true
}

// preferredHash is the one hash that contributes to an id (§6.7.1).
func (c *checker) preferredHash(v []byte) (name, value []byte) {
	if !isObject(v) {
		return nil, nil
	}
	best := 4
	cur := inside(v)
	for {
		n, h, ok := cur.member()
		if !ok {
			return name, value
		}
		rank := 3
		switch string(n) {
		case `"MD5"`:
			return n, h
		case `"SHA-1"`:
			rank = 0
		case `"SHA-256"`:
			rank = 1
		case `"SHA-512"`:
			rank = 2
		}
		if rank < best {
			best, name, value = rank, n, h
		}
	}
}

// uuid5 is the UUID of version 5 of c.canon, as text in c.join.
func (c *checker) uuid5() []byte {
	c.join = append(append(c.join[:0], idNamespace[:]...), c.canon...)
	sum := sha1.Sum(c.join) //nolint:gosec // see above
	sum[6], sum[8] = sum[6]&0x0F|0x50, sum[8]&0x3F|0x80
	b := c.join[:0]
	for i, part := range [5][]byte{sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	c.join = b
	return b
}

// specVersion checks a spec_version that is there; complete reports a missing
// one.
func (c *checker) specVersion(f *frame) {
	if !f.has(spec.PSpecVersion) {
		return
	}
	text, ok := c.text(f, spec.PSpecVersion)
	switch {
	case !ok:
		c.faultAt("spec_version", RuleSpecVersion, "§3.2", "spec_version has to be a string")
	case string(text) == "2.1":
	case string(text) == "2.0":
		c.faultAt("spec_version", RuleSpecVersion, "§3.2", "this is a STIX 2.0 object; this exchange takes STIX 2.1, so convert it first")
	default:
		c.faultAt("spec_version", RuleSpecVersion, "§3.2", "spec_version ", quoted(text), ` has to be "2.1"`)
	}
}

// special checks what depends on values, type by type.
func (c *checker) special(f *frame) {
	switch f.t.Name {
	case "indicator":
		c.indicator(f)
	case "location":
		if f.hasNamed("latitude") && f.hasNamed("longitude") && !f.hasNamed("precision") {
			c.adviseAt("precision", RuleRecommended, "§4.10", "precision should be there where latitude and longitude are given")
		}
	case "malware":
		if f.is("is_family", "true") && !f.hasNamed("name") {
			c.faultAt("name", RuleRequired, "§4.11", "name is required in a malware family")
		}
	case "observed-data":
		c.observedRefs(f)
	case "relationship":
		c.relationship(f)
	case "email-message":
		if f.is("is_multipart", "true") && f.hasNamed("body") {
			c.faultAt("body", RuleCondition, "§6.6", "body may not be used where is_multipart is true")
		}
		if f.is("is_multipart", "false") && f.hasNamed("body_multipart") {
			c.faultAt("body_multipart", RuleCondition, "§6.6", "body_multipart may not be used where is_multipart is false")
		}
	case "network-traffic":
		c.traffic(f)
	case "marking-definition":
		c.markingDefinition(f)
	case "extension-definition":
		c.extensionDefinition(f)
	}
}

// is reports whether a property has the literal as its value.
func (f *frame) is(name, literal string) bool {
	i := f.t.Find([]byte(name))
	return i >= 0 && f.has(i) && string(f.vals[i]) == literal
}

func (f *frame) hasNamed(name string) bool { return f.named(name) != nil }

// named is the value of a property of the table; nil where it is not there.
func (f *frame) named(name string) []byte {
	if i := f.t.Find([]byte(name)); i >= 0 && f.has(i) {
		return f.vals[i]
	}
	return nil
}

func (c *checker) indicator(f *frame) {
	if c.opt.Pattern == nil || string(f.named("pattern_type")) != `"stix"` {
		return
	}
	if text, ok := c.textOf(f.named("pattern")); ok {
		if err := c.opt.Pattern(text); err != nil {
			c.faultAt("pattern", RulePattern, "§9", err.Error())
		}
	}
}

// observedRefs looks for the one cyber-observable that object_refs must have.
func (c *checker) observedRefs(f *frame) {
	v := f.named("object_refs")
	if !isFilled(v) {
		return
	}
	cur := inside(v)
	for {
		e, ok := cur.element()
		if !ok {
			c.faultAt("object_refs", RuleRefType, "§4.14", "object_refs has to refer to at least one cyber-observable object")
			return
		}
		text, _ := c.textOf(e)
		if typ, ok := splitID(text); !ok || spec.ClassOf(typ)&(spec.SCO|spec.Custom) != 0 {
			return
		}
	}
}

func (c *checker) relationship(f *frame) {
	kind, ok := c.textOf(f.named("relationship_type"))
	source, target := f.named("source_ref"), f.named("target_ref")
	if !ok || !isString(source) || !isString(target) || bytes.IndexByte(kind, '\\') >= 0 {
		return
	}
	from, ok1 := splitID(source[1 : len(source)-1])
	to, ok2 := splitID(target[1 : len(target)-1])
	if !ok1 || !ok2 {
		return
	}
	var defined bool
	if defined, c.join = spec.Related(from, kind, to, c.join); !defined {
		c.adviseAt("relationship_type", RuleRelationship, "§5.1", "the standard defines no such relationship between objects of these types")
	}
}

func (c *checker) traffic(f *frame) {
	switch {
	case !f.hasNamed("end"):
	case f.is("is_active", "true"):
		c.faultAt("end", RuleCondition, "§6.12", "end may not be used where is_active is true")
	case !f.hasNamed("is_active"):
		c.adviseAt("is_active", RuleCondition, "§6.12", "is_active should be false where end is given")
	}
	ext, protocols := f.vals[spec.PExtensions], f.named("protocols")
	if !f.has(spec.PExtensions) || !isObject(ext) || !isArray(protocols) {
		return
	}
	for _, e := range [3][2]string{{"http-request-ext", `"http"`}, {"icmp-ext", `"icmp"`}, {"tcp-ext", `"tcp"`}} {
		if c.lookIn(ext, e[0]) != nil && !contains(protocols, e[1]) {
			c.adviseAt("protocols", RuleCondition, "§6.12", "protocols should list the protocol of ", e[0])
		}
	}
}

// contains reports whether a list has the element, as it is written.
func contains(list []byte, element string) bool {
	cur := inside(list)
	for e, ok := cur.element(); ok; e, ok = cur.element() {
		if string(e) == element {
			return true
		}
	}
	return false
}

// externalReference checks the identifiers of CVE and CAPEC (§4.1, §4.19).
func (c *checker) externalReference(f *frame) {
	source, _ := c.textOf(f.named("source_name"))
	if f.hasNamed("url") && !f.hasNamed("hashes") {
		c.adviseAt("hashes", RuleRecommended, "§2.5", "hashes should be there where url is given")
	}
	cve, capec := string(source) == "cve", string(source) == "capec"
	id, ok := c.textOf(f.named("external_id"))
	if !ok {
		return
	}
	switch {
	case cve && !spec.ValidCVE(id):
		c.faultAt("external_id", RuleReference, "§4.19", "external_id has to be a CVE identifier where source_name is cve")
	case capec && !spec.ValidCAPEC(id):
		c.faultAt("external_id", RuleReference, "§4.1", "external_id has to have the form CAPEC-n where source_name is capec")
	case !cve && c.obj.Type == "vulnerability" && spec.ValidCVE(id):
		c.adviseAt("source_name", RuleReference, "§4.19", "source_name should be cve where external_id is a CVE identifier")
	case !capec && c.obj.Type == "attack-pattern" && spec.ValidCAPEC(id):
		c.adviseAt("source_name", RuleReference, "§4.1", "source_name should be capec where external_id is a CAPEC identifier")
	}
}

func (c *checker) extensionDefinition(f *frame) {
	top := false
	if types := f.named("extension_types"); isArray(types) {
		cur := inside(types)
		for e, ok := cur.element(); ok; e, ok = cur.element() {
			top = top || string(e) == `"toplevel-property-extension"`
		}
	}
	switch has := f.hasNamed("extension_properties"); {
	case has && !top && f.hasNamed("extension_types"):
		c.faultAt("extension_properties", RuleCondition, "§7.3", "extension_properties may only be used with toplevel-property-extension")
	case !has && top:
		c.adviseAt("extension_properties", RuleRecommended, "§7.3", "extension_properties should name the properties of a toplevel-property-extension")
	}
}
