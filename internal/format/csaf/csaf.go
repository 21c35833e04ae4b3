// Package csaf checks CSAF 2.0 advisories as documents: well-formed JSON with
// the skeleton that the standard's schema requires. It takes out the
// title and the label. The mandatory tests of CSAF 2.0 §6.1 are not
// part of it yet.
package csaf

import (
	"fmt"
	"io"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// MaxSize is the largest document in bytes that Check reads, 64 MiB. CSAF 2.0
// appendix C names no hard limit and advises to stay below what databases and
// parsers in wide use take.
const MaxSize = 64 << 20

// Doc is what an exchange takes from a document, as far as the document is right.
type Doc struct {
	Title string       // /document/title, cut to 1,024 bytes
	TLP   exchange.TLP // /document/distribution; TLPUnset where it has no label
}

// The rules: the Code of a problem. The codes are stable. Messages quote no
// content of the document.
const (
	RuleSyntax   = "csaf.syntax"   // not JSON, repeated names, invalid UTF-8
	RuleSize     = "csaf.size"     // larger than MaxSize
	RuleTrailing = "csaf.trailing" // something after the end
	RuleType     = "csaf.type"     // a value of the wrong JSON type
	RuleRequired = "csaf.required" // a required property is missing
	RuleValue    = "csaf.value"    // a value that the schema does not allow
)

// maxProblems is how many problems are listed.
const maxProblems = 1000

// Check reads one document from r. The error is that of reading r; everything
// that is wrong with the document is a Problem, and a document with problems is
// to be refused. Memory does not grow with the document, apart from its
// longest string.
func Check(r io.Reader) (Doc, []exchange.Problem, error) {
	c := newReader(r)
	v := document{reader: c}
	err := v.read()
	if err == nil {
		err = c.end()
	}
	if err = c.explain(err); err != nil {
		return v.doc, c.problems, fmt.Errorf("reading a CSAF document: %w", err)
	}
	return v.doc, c.problems, nil
}
