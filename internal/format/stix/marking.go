package stix

import (
	"bytes"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
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
func (c *checker) markingDefinition() {
	before := c.out.count
	label := max(c.tlp1(), c.tlp2())
	c.obj.DefinesTLP = label
	if c.out.count != before {
		return
	}
	text, ok := c.text(pID)
	if !ok {
		return
	}
	if known, ok := TLPOf(string(bytes.ToLower(text))); ok && known != label {
		c.problem("", RuleTLP, "§7.2.1.4", "this id belongs to the marking definition of "+known.String()+", which this object does not define")
	}
}

// tlp1 reads definition_type and definition.
func (c *checker) tlp1() exchange.TLP {
	kind, ok := c.text(pDefinitionType)
	if !ok || !bytes.EqualFold(kind, []byte("tlp")) || !c.have.has(pDefinition) || !isObject(c.vals[pDefinition]) {
		return exchange.TLPUnset
	}
	var label exchange.TLP
	for name, value := range c.members(c.vals[pDefinition]) {
		if bytes.EqualFold(name, []byte("tlp")) { // the standard writes tlp; TLP is seen in the wild
			label = max(label, c.tlpLabel(value))
		}
	}
	if label == exchange.TLPUnset {
		c.problemAt(pDefinition, RuleTLP, "§7.2.1.4", "the definition names no TLP label")
	}
	return label
}

// tlp2 reads the TLP 2.0 extension.
func (c *checker) tlp2() exchange.TLP {
	if !c.have.has(pExtensions) || !isObject(c.vals[pExtensions]) {
		return exchange.TLPUnset
	}
	ext := c.lookIn(c.vals[pExtensions], tlpExtension)
	if ext == nil {
		return exchange.TLPUnset
	}
	var label exchange.TLP
	if isObject(ext) {
		label = c.tlpLabel(c.lookIn(ext, "tlp_2_0"))
	}
	if label == exchange.TLPUnset {
		c.problemAt(pExtensions, RuleTLP, "§7.3", "the TLP 2.0 extension names no TLP label in tlp_2_0")
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
	for name, value := range c.members(v) {
		if string(name) == want {
			return value
		}
	}
	return nil
}
