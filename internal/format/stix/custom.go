package stix

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/forewarn-exchange/forewarn/internal/format/stix/spec"
)

// unknown notes a member of the object that its table does not have.
func (c *checker) unknown(f *frame, name, text, value []byte) {
	c.custom++
	if string(text) == "name" {
		c.title = value
	}
	if c.example == nil {
		c.example = name
	}
	c.unmarked = c.unmarked || !bytes.HasPrefix(text, []byte("x_"))
	c.steps = append(c.steps[:0], step{raw: name})
	defer func() { c.steps = c.steps[:0] }()
	if !spec.ValidProperty(text) {
		section := "§11.1.1"
		if f.t == spec.CustomType {
			section = "§11.2.1"
		}
		c.fault(RulePropertyName, section, "the name of a property has to be 3 to 250 of a-z, 0-9 and underscore, the first a letter")
		return
	}
	switch {
	case string(value) == "null":
		c.fault(RulePropertyType, "§2", "no property is null; leave it out")
	case isArray(value) && !isFilled(value):
		c.fault(RulePropertyType, "§2.12", "a list may not be empty; leave it out")
	}
	if slices.Contains(spec.ReservedNames, string(text)) {
		c.fault(RuleReserved, "§3.8", "this name is reserved and may not be used")
	}
}

// customs checks the extensions, and what the object has beyond the standard.
func (c *checker) customs(f *frame) {
	c.steps = c.steps[:0]
	if f.has(spec.PExtensions) {
		c.steps = append(c.steps, step{prop: "extensions"})
		c.extensions(f, f.vals[spec.PExtensions])
		c.steps = c.steps[:0]
	}
	if f.t == spec.CustomType {
		c.customType(f)
		return
	}
	if c.custom == 0 || c.extended {
		return
	}
	c.steps = append(c.steps, step{raw: c.example})
	c.advise(RuleCustom, "§11.1", "custom properties (", strconv.Itoa(c.custom), " in this object) are deprecated; an extension should define them")
	if c.unmarked {
		c.advise(RuleCustom, "§11.1.1", "the names of custom properties should start with x_")
	}
	c.steps = c.steps[:0]
}

// customType looks at an object of a type that the standard does not define.
func (c *checker) customType(f *frame) {
	switch {
	case c.extClass != 0:
		if missing := spec.RequiredOf(c.extClass) &^ f.have; missing != 0 {
			c.missing(f, missing&^(1<<spec.PType|1<<spec.PID))
		}
	case c.obj.Type != "":
		c.adviseAt("type", RuleCustom, "§11.2", "custom objects are deprecated; an extension should define the type")
		if len(c.obj.Type) < 2 || c.obj.Type[:2] != "x-" {
			c.adviseAt("type", RuleCustom, "§11.2.1", "the type of a custom object should start with x-")
		}
	}
}

// extensions checks the extensions property (§3.2, §7.3, §11.3).
func (c *checker) extensions(f *frame, v []byte) {
	if !isObject(v) {
		c.fault(RulePropertyType, "§3.2", "extensions has to be an object")
		return
	}
	at, n := len(c.steps), 0
	cur := inside(v)
	for ; ; n++ {
		name, value, ok := cur.member()
		if !ok {
			break
		}
		c.steps = append(c.steps[:at], step{raw: name})
		text := name[1 : len(name)-1]
		if bytes.IndexByte(text, '\\') >= 0 {
			text, _ = unquote(name, nil)
		}
		c.extension(f, text, value)
	}
	c.steps = c.steps[:at]
	if n == 0 {
		c.fault(RuleDictionary, "§2.3", "extensions may not be empty")
	}
}

func (c *checker) extension(f *frame, name, v []byte) {
	if t := f.t.Extension(name); t != nil {
		c.embedded(t, v)
		return
	}
	if !isObject(v) || !isFilledObject(v) {
		c.fault(RuleExtension, "§3.2", "an extension has to be an object that is not empty")
		return
	}
	typ, isID := splitID(name)
	switch {
	case isID && string(typ) == "extension-definition":
		c.definedExtension(f, v)
	case bytes.HasPrefix(name, []byte("extension-definition--")):
		c.fault(RuleExtension, "§7.3", "the key of an extension has to be the id of an extension-definition")
	case f.t.Class == spec.SCO && !spec.ValidExtensionName(name):
		c.fault(RuleExtension, "§11.3.1", "the name of a custom extension has to be 3 to 250 of a-z, 0-9 and hyphen, and end in -ext")
	case f.t.Class == spec.SCO:
		c.advise(RuleCustom, "§11.3", "custom extensions are deprecated; an extension-definition should define them")
	default:
		c.advise(RuleExtension, "§3.2", "the key of an extension should be the id of an extension-definition")
	}
}

// definedExtension checks an extension by the mechanism of §7.3.
func (c *checker) definedExtension(f *frame, v []byte) {
	kind := c.lookIn(v, "extension_type")
	text, ok := c.textOf(kind)
	switch {
	case kind == nil:
		c.fault(RuleExtension, "§3.2", "extension_type is required in an extension by an extension-definition")
		return
	case !ok || !spec.ExtensionTypes.Has(text):
		c.fault(RuleVocabulary, spec.ExtensionTypes.Section, "extension_type has to come from ", spec.ExtensionTypes.Name)
		return
	}
	var class spec.Class
	switch string(text) {
	case "toplevel-property-extension":
		c.extended = true
	case "new-sdo":
		class = spec.SDO
	case "new-sro":
		class = spec.SRO
	case "new-sco":
		class = spec.SCO
	}
	if class == 0 {
		return
	}
	if f.t != spec.CustomType {
		c.fault(RuleExtension, "§7.3", "an extension may not redefine a type of the standard")
		return
	}
	c.extClass = class
}
