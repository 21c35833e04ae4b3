package stix

import (
	"slices"
	"strconv"
)

func (c *checker) checkType() {
	if !c.have.has(pType) {
		c.problemAt(pType, RuleType, "§3.2", "type is required")
		return
	}
	text, ok := c.text(pType)
	if !ok {
		c.problemAt(pType, RuleType, "§3.2", "type has to be a string")
		return
	}
	if !validType(text) {
		c.problemAt(pType, RuleType, "§3.2", "type "+quoted(text)+" has to be 3 to 250 of a-z, 0-9 and single hyphens")
		return
	}
	if string(text) == "bundle" {
		c.problemAt(pType, RuleType, "§8", "a bundle cannot be an object of a bundle")
		return
	}
	if r := ruleByType[string(text)]; r != nil {
		c.rule, c.obj.Type = r, r.name
		return
	}
	c.obj.Type = c.types.of(text)
}

func (c *checker) checkID() {
	if !c.have.has(pID) {
		c.problemAt(pID, RuleID, "§2.9", "id is required")
		return
	}
	text, ok := c.text(pID)
	if !ok {
		c.problemAt(pID, RuleID, "§2.9", "id has to be a string")
		return
	}
	typ, ok := splitID(text)
	if !ok {
		c.problemAt(pID, RuleID, "§2.9", "id "+quoted(text)+" has to have the form type--UUID")
		return
	}
	if c.obj.Type != "" && string(typ) != c.obj.Type {
		c.problemAt(pID, RuleID, "§2.9", "id "+quoted(text)+" has to start with the object's type, "+quoted([]byte(c.obj.Type)))
		return
	}
	c.idOK = true
}

// checkSpecVersion checks a spec_version that is there; checkRequired reports a
// missing one.
func (c *checker) checkSpecVersion() {
	if !c.have.has(pSpecVersion) {
		return
	}
	text, ok := c.text(pSpecVersion)
	switch {
	case !ok:
		c.problemAt(pSpecVersion, RuleSpecVersion, "§3.2", "spec_version has to be a string")
	case string(text) == "2.1":
	case string(text) == "2.0":
		c.problemAt(pSpecVersion, RuleSpecVersion, "§3.2", "this is a STIX 2.0 object; this exchange takes STIX 2.1, so convert it first")
	default:
		c.problemAt(pSpecVersion, RuleSpecVersion, "§3.2", "spec_version "+quoted(text)+` has to be "2.1"`)
	}
}

// checkKinds checks the JSON type, and the form, of the properties that the
// object's type or every type defines.
func (c *checker) checkKinds() {
	typed := commonProps
	if c.rule != nil {
		typed = c.rule.typed
	}
	for p := range c.have.and(typed).minus(of(pType, pID, pSpecVersion)).all {
		v := c.vals[p]
		switch props[p].kind {
		case kTime:
			c.checkTime(p, v)
		case kRef:
			c.checkRef([]byte(props[p].name), -1, v)
		case kRefs:
			c.checkRefs([]byte(props[p].name), v)
		case kMarking:
			c.checkMarkingRefs(v)
		case kGranule:
			c.markingList(v, pGranular, "§7.2.3", c.granule)
		default:
			if form := props[p].kind.wrong(v); form != "" {
				c.problemAt(p, RulePropertyType, c.section(p), props[p].name+" has to be "+form)
			}
		}
	}
	if c.rule == nil {
		return
	}
	for _, m := range c.refs {
		var name []byte
		name, c.name = unquote(m.name, c.name)
		if name[len(name)-1] == 's' {
			c.checkRefs(name, m.value)
		} else {
			c.checkRef(name, -1, m.value)
		}
	}
}

// section is the paragraph that defines a property for the object's type.
func (c *checker) section(p prop) string {
	if props[p].common || c.rule == nil {
		return "§3.2"
	}
	return c.rule.section
}

// wrong is the form that v should have had, "" when it has it.
func (k kind) wrong(v []byte) string {
	switch {
	case k == kString && !isString(v):
		return "a string"
	case k == kBool && !isBool(v):
		return "true or false"
	case k == kInteger && !isInteger(v):
		return "an integer"
	case k == kNumber && !isNumber(v):
		return "a number"
	case k == kObject && !isObject(v):
		return "an object"
	case k == kList && !isFilled(v):
		return "a list that is not empty"
	}
	return ""
}

// isFilled reports whether v is a list that is not empty (STIX 2.1 §2.12).
func isFilled(v []byte) bool {
	if !isArray(v) {
		return false
	}
	cur := inside(v)
	_, ok := cur.element()
	return ok
}

func (c *checker) checkTime(p prop, v []byte) {
	if text, ok := c.textOf(v); ok {
		if micros, ok := ParseTime(text); ok {
			c.times[p] = micros
			c.timed.add(p)
			return
		}
	}
	c.problemAt(p, RuleTimestamp, "§2.16", props[p].name+" has to be a time in UTC in the form YYYY-MM-DDTHH:MM:SS.sssZ")
}

// checkRef checks an identifier, the i-th of a list or, with i < 0, a property.
func (c *checker) checkRef(name []byte, i int, v []byte) {
	text, isText := c.textOf(v)
	if isText {
		if _, ok := splitID(text); ok {
			return
		}
	}
	at := place(name)
	if i >= 0 {
		at += "[" + strconv.Itoa(i) + "]"
	}
	if !isText {
		c.problem(at, RuleRef, "§2.9", "a reference has to be a string")
		return
	}
	c.problem(at, RuleRef, "§2.9", "the reference "+quoted(text)+" has to have the form type--UUID")
}

func (c *checker) checkRefs(name, v []byte) {
	if !isFilled(v) {
		c.problem(place(name), RulePropertyType, "§2.12", "a list of references may not be empty")
		return
	}
	for i, v := range elements(v) {
		c.checkRef(name, i, v)
	}
}

// place is a property's part of a path. Names that the input chose are escaped
// and cut.
func place(name []byte) string {
	if len(name) <= 80 && validName(name) {
		return "." + string(name)
	}
	return "[" + quoted(name) + "]"
}

func validName(name []byte) bool {
	for _, b := range name {
		if b != '_' && (b < 'a' || b > 'z') && (b < '0' || b > '9') {
			return false
		}
	}
	return true
}

// maxMarkings bounds the markings of one object.
const maxMarkings = 1000

// marking is the interned id of a marking-definition in v.
func (c *checker) marking(v []byte) (id string, ok bool) {
	text, ok := c.textOf(v)
	if !ok {
		return "", false
	}
	typ, ok := splitID(text)
	if !ok || string(typ) != "marking-definition" {
		return "", false
	}
	return c.ids.of(text), true
}

func (c *checker) checkMarkingRefs(v []byte) {
	c.markingList(v, pMarkingRefs, "§7.2.2", func(v []byte) string {
		id, ok := c.marking(v)
		if !ok {
			return "this has to be the id of a marking-definition"
		}
		if len(c.obj.MarkingRefs) == maxMarkings {
			return "this exchange takes at most 1000 markings of one object"
		}
		c.obj.MarkingRefs = append(c.obj.MarkingRefs, id)
		return ""
	})
}

// markingList checks a list of markings, each by fault, which says what is
// wrong with it. One that is wrong could not be honoured, so none is passed over.
func (c *checker) markingList(v []byte, p prop, section string, fault func(v []byte) string) {
	if !isFilled(v) {
		c.problemAt(p, RuleMarking, section, props[p].name+" has to be a list that is not empty")
		return
	}
	for i, v := range elements(v) {
		if wrong := fault(v); wrong != "" {
			c.problem("."+props[p].name+"["+strconv.Itoa(i)+"]", RuleMarking, section, wrong)
		}
	}
}

// granule reads one granular marking and returns what is wrong with it.
func (c *checker) granule(v []byte) (fault string) {
	if !isObject(v) {
		return "a granular marking has to be an object"
	}
	var ref, lang, selectors []byte
	for name, value := range c.members(v) {
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
	case lang != nil && !isString(lang):
		return "lang has to be a string"
	case lang != nil:
		return ""
	}
	id, ok := c.marking(ref)
	if !ok {
		return "marking_ref has to be the id of a marking-definition"
	}
	if slices.Contains(c.obj.Granular, id) {
		return ""
	}
	if len(c.obj.Granular) == maxMarkings {
		return "this exchange takes at most 1000 different markings of one object"
	}
	c.obj.Granular = append(c.obj.Granular, id)
	return ""
}

func isTextList(v []byte) bool {
	if !isFilled(v) {
		return false
	}
	for _, s := range elements(v) {
		if !isString(s) || string(s) == `""` {
			return false
		}
	}
	return true
}
