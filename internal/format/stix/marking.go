package stix

import (
	"bytes"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/spec"
)

// tlpExtension is the id of the extension by which a marking-definition carries
// a TLP 2.0 label.
const tlpExtension = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"

var wellKnown = map[string]exchange.TLP{
	// TLP 1, predefined by STIX 2.1 §7.2.1.4: they need not travel with the
	// objects that refer to them.
	"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": exchange.TLPClear,
	"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": exchange.TLPGreen,
	"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": exchange.TLPAmber,
	"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": exchange.TLPRed,
	// TLP 2.0, in the OASIS common object repository.
	"marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": exchange.TLPClear,
	"marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": exchange.TLPGreen,
	"marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": exchange.TLPAmber,
	"marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": exchange.TLPAmberStrict,
	"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": exchange.TLPRed,
}

// TLPOf is the label of a well-known TLP 1 or TLP 2.0 marking definition, and
// whether id is one. The comparison is exact.
func TLPOf(id string) (exchange.TLP, bool) {
	l, ok := wellKnown[id]
	return l, ok
}

// markingDefinition reads the TLP label that a marking-definition defines, by
// definition_type "tlp" (STIX 2.1 §7.2.1.4) or by the TLP 2.0 extension. An
// object that carries a well-known TLP id and says something else would loosen
// every object that refers to it, so it is refused.
func (c *checker) markingDefinition(f *frame) {
	before := c.out.count
	label := max(c.tlp1(f), c.tlp2(f))
	c.obj.DefinesTLP = label
	if c.out.count != before || !c.idOK {
		return
	}
	if known, ok := TLPOf(string(bytes.ToLower(c.idText))); ok && known != label {
		c.fault(RuleTLP, "§7.2.1.4", "this id belongs to the marking definition of ", known.String(), ", which this object does not define")
	}
}

// tlp1 reads definition_type and definition.
func (c *checker) tlp1(f *frame) exchange.TLP {
	at := f.t.Find([]byte("definition"))
	kind, ok := c.text(f, f.t.Find([]byte("definition_type")))
	if !ok || !f.has(at) {
		return exchange.TLPUnset
	}
	c.steps = append(c.steps, step{prop: "definition"})
	defer func() { c.steps = c.steps[:len(c.steps)-1] }()
	switch {
	case !isObject(f.vals[at]):
		c.fault(RulePropertyType, "§7.2.1", "definition has to be an object")
		return exchange.TLPUnset
	case string(kind) == "statement":
		c.embedded(spec.EmbeddedType("statement"), f.vals[at])
		return exchange.TLPUnset
	case !bytes.EqualFold(kind, []byte("tlp")):
		c.advise(RuleVocabulary, "§7.2.1", "definition_type should be statement or tlp; other markings should be extensions")
		return exchange.TLPUnset
	}
	var label exchange.TLP
	for name, value := range c.pairs(f.vals[at]) {
		if bytes.EqualFold(name, []byte("tlp")) { // the standard writes tlp; TLP is seen in the wild
			label = max(label, c.tlpLabel(value))
		}
	}
	if label == exchange.TLPUnset {
		c.fault(RuleTLP, "§7.2.1.4", "the definition names no TLP label")
		return label
	}
	c.ownTLP(label)
	return label
}

// ownTLP looks at a TLP definition with an id of its own: for the four labels of
// TLP 1 only the ids of the standard are permitted. Labels that came later are
// seen in the same form, so they are tolerated.
func (c *checker) ownTLP(label exchange.TLP) {
	if !c.idOK {
		return
	}
	if _, known := TLPOf(string(bytes.ToLower(c.idText))); known {
		return
	}
	const text = "TLP markings have to be those that the standard predefines"
	if label == exchange.TLPAmberStrict {
		c.advise(RuleTLP, "§7.2.1.4", text)
		return
	}
	c.fault(RuleTLP, "§7.2.1.4", text)
}

// tlp2 reads the TLP 2.0 extension.
func (c *checker) tlp2(f *frame) exchange.TLP {
	if !f.has(spec.PExtensions) || !isObject(f.vals[spec.PExtensions]) {
		return exchange.TLPUnset
	}
	ext := c.lookIn(f.vals[spec.PExtensions], tlpExtension)
	if ext == nil {
		return exchange.TLPUnset
	}
	var label exchange.TLP
	if isObject(ext) {
		label = c.tlpLabel(c.lookIn(ext, "tlp_2_0"))
	}
	if label == exchange.TLPUnset {
		c.faultAt("extensions", RuleTLP, "§7.3", "the TLP 2.0 extension names no TLP label in tlp_2_0")
	}
	return label
}

// tlpLabel is the label that v names, TLPUnset where it names none.
func (c *checker) tlpLabel(v []byte) exchange.TLP {
	text, _ := c.textOf(v)
	label, _ := exchange.ParseTLP(string(text))
	return label
}

// lookIn is the value of a member of the object v; nil when it has none.
func (c *checker) lookIn(v []byte, want string) []byte {
	for name, value := range c.pairs(v) {
		if string(name) == want {
			return value
		}
	}
	return nil
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

// markingRefs checks object_marking_refs. One that is wrong could not be
// honoured, so none is passed over.
func (c *checker) markingRefs(v []byte) {
	if !isFilled(v) {
		c.fault(RuleMarking, "§7.2.2", "object_marking_refs has to be a list that is not empty")
		return
	}
	at := len(c.steps)
	cur := inside(v)
	for n := 1; ; n++ {
		e, ok := cur.element()
		if !ok {
			break
		}
		c.steps = append(c.steps[:at], step{index: n})
		id, ok := c.marking(e)
		switch {
		case !ok:
			c.fault(RuleMarking, "§7.2.2", "this has to be the id of a marking-definition")
		case len(c.obj.MarkingRefs) == maxMarkings:
			c.fault(RuleMarking, "§7.2.2", "this exchange takes at most 1000 markings of one object")
		default:
			c.obj.MarkingRefs = append(c.obj.MarkingRefs, id)
		}
	}
	c.steps = c.steps[:at]
}
