// Package csaf checks CSAF 2.0 advisories as documents: well-formed JSON with
// the skeleton that the standard's schema requires. It takes out what an
// exchange shows about a document. The mandatory tests of CSAF 2.0 §6.1 are not
// part of it yet.
package csaf

import (
	"fmt"
	"io"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/format/tlp"
)

// MaxSize is the largest document in bytes that Check reads, 64 MiB. CSAF 2.0
// appendix C names no hard limit and advises to stay below what databases and
// parsers in wide use take.
const MaxSize = 64 << 20

// Doc is what a document says about itself. Texts are as far filled as the
// document is right.
type Doc struct {
	Title          string // /document/title, cut to 1,024 bytes
	TrackingID     string // /document/tracking/id, cut to 256 bytes
	Version        string // /document/tracking/version
	Category       string // /document/category, cut to 256 bytes
	Status         string // /document/tracking/status: draft, final or interim
	Publisher      string // /document/publisher/name, cut to 256 bytes
	TLP            tlp.Label
	CVEs           []string  // of /vulnerabilities, in order, each once
	CurrentRelease time.Time // /document/tracking/current_release_date, in UTC
	Summary        string    // the first note of category summary, cut to 4,096 bytes
}

// Problem is one fault in a document. Messages quote none of its content.
type Problem struct {
	Path    string // JSON path, such as $.document.tracking.id
	Rule    string // short stable code, one of the Rule constants
	Section string // paragraph of the standard, such as "CSAF 2.0 §3.2.1.12"
	Message string
}

// The rules. The codes are stable.
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
// to be refused. Memory does not grow with the document, apart from its CVE
// ids and its longest string.
func Check(r io.Reader) (Doc, []Problem, error) {
	c := newReader(r)
	v := document{reader: c}
	err := v.read()
	if err == nil {
		err = c.end()
	}
	if err != nil {
		if err = c.explain(err); err != nil {
			return v.doc, c.problems, fmt.Errorf("reading a CSAF document: %w", err)
		}
	}
	return v.doc, c.problems, nil
}
