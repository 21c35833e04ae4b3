package stix

import (
	"bytes"

	"github.com/forewarn-exchange/forewarn/internal/format/tlp"
)

// markingDefinition reads the TLP label that a marking-definition defines, by
// definition_type "tlp" (STIX 2.1 §7.2.1.4) or by the TLP 2.0 extension. An
// object that carries a well-known TLP id and says something else would loosen
// every object that refers to it, so it is refused.
func (c *checker) markingDefinition() {
	before := c.out.count
	label := tlp.Max(c.tlp1(), c.tlp2())
	c.obj.DefinesTLP = label
	if c.out.count != before {
		return
	}
	text, ok := c.text(pID)
	if !ok {
		return
	}
	if known, ok := tlp.FromMarkingID(string(bytes.ToLower(text))); ok && known != label {
		c.problem("", RuleTLP, "§7.2.1.4", "this id belongs to the marking definition of "+known.String()+", which this object does not define")
	}
}

// tlp1 reads definition_type and definition.
func (c *checker) tlp1() tlp.Label {
	kind, ok := c.text(pDefinitionType)
	if !ok || !bytes.EqualFold(kind, []byte("tlp")) || !c.have.has(pDefinition) || !isObject(c.vals[pDefinition]) {
		return tlp.Unset
	}
	var label tlp.Label
	for cur := inside(c.vals[pDefinition]); ; {
		name, value, ok := cur.member()
		if !ok {
			break
		}
		// The standard writes tlp; TLP is seen in the wild.
		if name, c.name = unquote(name, c.name); bytes.EqualFold(name, []byte("tlp")) {
			label = tlp.Max(label, c.tlpLabel(value))
		}
	}
	if label == tlp.Unset {
		c.problemAt(pDefinition, RuleTLP, "§7.2.1.4", "the definition names no TLP label")
	}
	return label
}

// tlp2 reads the TLP 2.0 extension.
func (c *checker) tlp2() tlp.Label {
	if !c.have.has(pExtensions) || !isObject(c.vals[pExtensions]) {
		return tlp.Unset
	}
	ext := c.lookIn(c.vals[pExtensions], tlp.Extension)
	if ext == nil {
		return tlp.Unset
	}
	label := tlp.Unset
	if isObject(ext) {
		label = c.tlpLabel(c.lookIn(ext, "tlp_2_0"))
	}
	if label == tlp.Unset {
		c.problemAt(pExtensions, RuleTLP, "§7.3", "the TLP 2.0 extension names no TLP label in tlp_2_0")
	}
	return label
}

func (c *checker) tlpLabel(v []byte) tlp.Label {
	text, ok := c.textOf(v)
	if !ok {
		return tlp.Unset
	}
	label, err := tlp.Parse(string(text))
	if err != nil {
		return tlp.Unset
	}
	return label
}

// lookIn is the value of a member of the object v; nil when it has none.
func (c *checker) lookIn(v []byte, want string) []byte {
	for cur := inside(v); ; {
		name, value, ok := cur.member()
		if !ok {
			return nil
		}
		if name, c.name = unquote(name, c.name); string(name) == want {
			return value
		}
	}
}
