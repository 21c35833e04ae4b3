// Package marking says what the markings of STIX objects ask: what a
// marking-definition means as a handling, and how the markings of one object,
// whole and granular, come together in one handling class. What is not
// understood says so; it is never taken for "no restriction".
//
// Understood are: TLP 1 and 2.0, statements, PAP as it is exported by others,
// policies of FIRST IEP 2.0, and this exchange's own extension. Every other
// definition and every other extension of a marking-definition, such as ACS and
// CUI, is opaque.
package marking

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/iep"
)

// The extensions by which a marking-definition says something.
const (
	tlpExtension = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d" // TLP 2.0, tlp_2_0
	papExtension = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b" // PAP, pap; in the OASIS common object repository
	iepExtension = "extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a" // IEP 2.0, a draft
)

// silent are extensions that others put on every object, marking-definitions
// among them, and that restrict nothing: those of OpenCTI.
var silent = map[string]bool{
	"extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba": true,
	"extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82": true,
}

// Meaning is what a marking asks. Held says that it is not understood, wholly or
// in part: what bears it waits for those who run the program.
type Meaning struct {
	Handling exchange.Handling
	Held     bool
}

// Join is what two definitions of one marking ask together.
func (m Meaning) Join(o Meaning) Meaning {
	return Meaning{m.Handling.Join(o.Handling), m.Held || o.Held}
}

// MaxStatement is the longest statement that is carried, in bytes.
const MaxStatement = 10_000

// definition is what is read of a marking-definition.
type definition struct {
	Type       string                    `json:"type"`
	Name       string                    `json:"name"`
	Kind       string                    `json:"definition_type"`
	Definition jsontext.Value            `json:"definition"`
	Extensions map[string]jsontext.Value `json:"extensions"`
	OctiKind   string                    `json:"x_opencti_definition_type"`
	Octi       string                    `json:"x_opencti_definition"`
}

// reading is a definition being understood.
type reading struct {
	out  Meaning
	said bool // something was understood
	now  time.Time
}

// Of is what a marking-definition asks (STIX 2.1 §7.2.1). The names in it are as
// they are written: [Names] holds them against what a program knows.
func Of(raw []byte, now time.Time) Meaning {
	var d definition
	if err := json.Unmarshal(raw, &d); err != nil || d.Type != "marking-definition" {
		return Meaning{Held: true}
	}
	r := reading{now: now}
	r.definition(d)
	r.openCTI(d)
	for id, v := range d.Extensions {
		r.extension(id, v)
	}
	r.label(d.Name)
	r.out.Held = r.out.Held || !r.said
	return r.out
}

func (r *reading) join(h exchange.Handling) {
	r.said = true
	r.out.Handling = r.out.Handling.Join(h)
}

func (r *reading) hold() { r.out.Held = true }

// definition reads definition_type and definition, which version 2.1 deprecates
// for all but statement and tlp.
func (r *reading) definition(d definition) {
	switch kind := strings.ToLower(d.Kind); kind {
	case "":
		if d.Definition != nil {
			r.hold()
		}
	case "tlp":
		r.tlp(member(d.Definition, "tlp"))
	case "pap":
		text, ok := member(d.Definition, "pap")
		if !ok {
			text, ok = d.Name, true
		}
		r.pap(text, ok)
	case "iep":
		r.iep(d.Definition)
	case "statement":
		text, ok := member(d.Definition, "statement")
		if !ok {
			r.hold()
		} else if !(text == "custom" && d.Octi != "") { // what follows is meant
			r.statement(text)
		}
	default:
		// OpenCTI repeats the kind and the text of its own kinds there.
		if d.Octi == "" {
			r.hold()
		}
	}
}

// openCTI reads the properties by which OpenCTI exports its own markings.
func (r *reading) openCTI(d definition) {
	switch strings.ToLower(d.OctiKind) {
	case "":
		if d.Octi != "" {
			r.hold()
		}
	case "tlp":
		r.tlp(d.Octi, true)
	case "pap":
		r.pap(d.Octi, true)
	case "statement":
		r.statement(d.Octi)
	default:
		r.hold()
	}
}

func (r *reading) extension(id string, v jsontext.Value) {
	switch {
	case id == tlpExtension:
		r.tlp(member(v, "tlp_2_0"))
	case id == papExtension:
		r.pap(member(v, "pap"))
	case id == iepExtension:
		r.iep(v)
	case id == Extension:
		h, ok := own(v)
		if !ok {
			r.hold()
			return
		}
		r.join(h)
	case !silent[id]:
		r.hold()
	}
}

func (r *reading) tlp(text string, ok bool) {
	l, err := exchange.ParseTLP(text)
	if !ok || err != nil || l == exchange.TLPUnset {
		r.hold() // whom it is for cannot be told
		return
	}
	r.join(exchange.Handling{TLP: l})
}

// pap takes a level that nobody knows for the strictest.
func (r *reading) pap(text string, ok bool) {
	p, err := exchange.ParsePAP(text)
	if !ok || err != nil || p == exchange.PAPUnset {
		p = exchange.PAPRed
	}
	r.join(exchange.Handling{PAP: p})
}

func (r *reading) iep(v jsontext.Value) {
	p, _, err := iep.One(v)
	if err != nil || p == nil { // a reference: the policy behind it is not at hand
		r.hold()
		return
	}
	h, ok := p.Handling(r.now)
	if !ok {
		r.hold()
		return
	}
	r.join(h)
}

// statement carries a text. One that is a label, as MISP exports its tags, is
// understood as the label.
func (r *reading) statement(text string) {
	text = strings.TrimSpace(text)
	switch {
	case text == "" || len(text) > MaxStatement || !exchange.Storable(text):
		r.hold()
	case !r.label(text):
		r.join(exchange.Handling{Statement: text})
	}
}

// label understands a text that is a label or an action level, such as TLP:RED
// or pap:amber.
func (r *reading) label(text string) bool {
	text = strings.TrimSpace(text)
	prefix, _, ok := strings.Cut(text, ":")
	if !ok || strings.ContainsAny(text, " \n\t") {
		return false
	}
	switch strings.ToLower(prefix) {
	case "tlp":
		r.tlp(text, true)
	case "pap":
		r.pap(text, true)
	default:
		return false
	}
	return true
}

// member is a text member of an object, its name in any case.
func member(v jsontext.Value, name string) (string, bool) {
	var all map[string]jsontext.Value
	if json.Unmarshal(v, &all) != nil {
		return "", false
	}
	found, text := 0, ""
	for k, v := range all {
		if strings.EqualFold(k, name) && json.Unmarshal(v, &text) == nil {
			found++
		}
	}
	return text, found == 1
}
