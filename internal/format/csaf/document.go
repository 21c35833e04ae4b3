package csaf

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// document reads the skeleton of CSAF 2.0 §3.2 by the standard's JSON schema.
type document struct {
	*reader
	doc   Doc
	terms string // /document/distribution/text
}

func (d *document) read() error {
	err := d.object("§3.2", fields{
		"document!":       d.document,
		"product_tree":    func() error { return d.object("§3.2.2", nil) },
		"vulnerabilities": d.vulnerabilities,
	})
	// CSAF 2.0 has no value for AMBER+STRICT: the text says it.
	if strict := exchange.TLPAmberStrict; d.doc.TLP != exchange.TLPUnset && strings.HasPrefix(d.terms, strict.String()) {
		d.doc.TLP = max(d.doc.TLP, strict)
	}
	return err
}

func (d *document) document() error {
	return d.object("§3.2.1", fields{
		"category!":     func() error { return d.text("§3.2.1.3", category) },
		"csaf_version!": func() error { return d.text("§3.2.1.4", oneOf("2.0")) },
		"publisher!":    d.publisher,
		"title!":        func() error { return d.text("§3.2.1.11", into(&d.doc.Title, 1024)) },
		"tracking!":     d.tracking,
		"distribution":  d.distribution,
		"notes":         func() error { return d.list("§3.2.1.7", d.note) },
	})
}

func (d *document) publisher() error {
	const section = "§3.2.1.8"
	return d.object(section, fields{
		"category!": func() error {
			return d.text(section, oneOf("coordinator", "discoverer", "other", "translator", "user", "vendor"))
		},
		"name!":      func() error { return d.text(section, nil) },
		"namespace!": func() error { return d.text(section, absoluteURI) },
	})
}

func (d *document) tracking() error {
	const section = "§3.2.1.12"
	return d.object(section, fields{
		"current_release_date!": func() error { return d.text(section, date) },
		"id!":                   func() error { return d.text(section, nil) },
		"initial_release_date!": func() error { return d.text(section, date) },
		"revision_history!":     func() error { return d.list(section, d.revision) },
		"status!":               func() error { return d.text(section, oneOf("draft", "final", "interim")) },
		"version!":              func() error { return d.text(section, versionText) },
	})
}

func (d *document) revision() error {
	const section = "§3.2.1.12.6"
	return d.object(section, fields{
		"date!":    func() error { return d.text(section, date) },
		"number!":  func() error { return d.text(section, versionText) },
		"summary!": func() error { return d.text(section, nil) },
	})
}

func (d *document) distribution() error {
	const section = "§3.2.1.5"
	return d.object(section, fields{
		"text": func() error { return d.text(section, into(&d.terms, 64)) },
		"tlp": func() error {
			return d.object(section, fields{"label!": func() error { return d.text(section, d.tlpLabel) }})
		},
	})
}

func (d *document) note() error {
	const section = "§3.1.5"
	return d.object(section, fields{
		"category!": func() error {
			return d.text(section, oneOf("description", "details", "faq", "general", "legal_disclaimer", "other", "summary"))
		},
		"text!": func() error { return d.text(section, nil) },
	})
}

func (d *document) vulnerabilities() error {
	const section = "§3.2.3"
	return d.list(section, func() error {
		return d.object(section, fields{"cve": func() error { return d.text("§3.2.3.2", cve) }})
	})
}

// The functions below take a value and return what is wrong with it.

func category(s string) string {
	if edge := " \t\r\n-_."; strings.ContainsAny(s[:1], edge) || strings.ContainsAny(s[len(s)-1:], edge) {
		return "the category may not start or end with white space, -, _ or ."
	}
	return ""
}

// tlpLabel takes the four labels of CSAF 2.0 only; CLEAR and AMBER+STRICT came
// with CSAF 2.1.
func (d *document) tlpLabel(s string) string {
	fault := oneOf("WHITE", "GREEN", "AMBER", "RED")(s)
	if fault == "" {
		d.doc.TLP, _ = exchange.ParseTLP(s)
	}
	return fault
}

var cveID = regexp.MustCompile(`^CVE-[0-9]{4}-[0-9]{4,19}$`)

func cve(s string) string {
	if !cveID.MatchString(s) {
		return "a CVE id has the form CVE-YYYY-NNNN"
	}
	return ""
}

// versionPattern is version_t of the schema: an integer or a semantic version.
var versionPattern = regexp.MustCompile(`^(0|[1-9][0-9]*)$|^((0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?)$`)

func versionText(s string) string {
	if len(s) > 256 || !versionPattern.MatchString(s) {
		return "a version is an integer or a semantic version, such as 1.2.0"
	}
	return ""
}

func date(s string) string {
	// RFC 3339 allows t and z.
	if _, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s)); err != nil || len(s) > 64 {
		return "a date has the form of RFC 3339, such as 2026-01-02T03:04:05Z"
	}
	return ""
}

func absoluteURI(s string) string {
	if u, err := url.Parse(s); err != nil || !u.IsAbs() {
		return "the namespace has to be an absolute URI"
	}
	return ""
}

func oneOf(values ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(values, s) {
			return ""
		}
		return "this has to be " + strings.Join(values, ", ")
	}
}

// into keeps a text, cut to n bytes.
func into(to *string, n int) func(string) string {
	return func(s string) string {
		*to = cut(s, n)
		return ""
	}
}

// cut cuts s to at most n bytes at the border of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return strings.Clone(s[:n])
}

// sortedRequired are the required names of f.
func sortedRequired(f fields) []string {
	var names []string
	for name := range f {
		if n, required := strings.CutSuffix(name, "!"); required {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}
