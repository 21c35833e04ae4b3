package stix

import (
	"strconv"
	"unicode/utf8"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// The rules: the Code of a problem. The codes are stable. Messages name
// properties and quote at most an id, a type or a version, escaped and cut to 80
// characters; no other content appears in them.
const (
	RuleSyntax       = "stix.syntax"        // not JSON, repeated names, invalid UTF-8
	RuleDepth        = "stix.depth"         // nested too deeply
	RuleSize         = "stix.size"          // larger than this exchange takes
	RuleBundle       = "stix.bundle"        // the bundle around the objects
	RuleTrailing     = "stix.trailing"      // something after the end
	RuleObject       = "stix.object"        // not an object
	RuleType         = "stix.type"          // type missing or malformed
	RuleID           = "stix.id"            // id missing, malformed, or of another type
	RuleSpecVersion  = "stix.spec-version"  // not STIX 2.1
	RuleRequired     = "stix.required"      // a required property is missing
	RulePropertyType = "stix.property-type" // a property of the wrong JSON type
	RuleTimestamp    = "stix.timestamp"     // not YYYY-MM-DDTHH:MM:SS[.s+]Z
	RuleTimeOrder    = "stix.time-order"    // the later of two times is the earlier
	RuleRef          = "stix.ref"           // a reference that is no identifier
	RuleMarking      = "stix.marking"       // markings that cannot be applied
	RuleTLP          = "stix.tlp"           // a TLP definition that is wrong or misleading
	RuleDuplicate    = "stix.duplicate"     // one id and version, two contents
)

// collector counts all problems and keeps the first max.
type collector struct {
	list  []exchange.Problem
	count int
	max   int
}

// room counts a problem and reports whether it is to be listed.
func (c *collector) room() bool {
	c.count++
	return len(c.list) < c.max
}

func (c *collector) add(p exchange.Problem) {
	if c.room() {
		c.list = append(c.list, p)
	}
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
