package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// object is a STIX 2.1 object with the properties that the demonstration uses.
type object struct {
	Type        string      `json:"type"`
	Spec        string      `json:"spec_version"`
	ID          string      `json:"id"`
	Created     string      `json:"created"`
	Modified    string      `json:"modified"`
	CreatedBy   string      `json:"created_by_ref,omitempty"`
	Name        string      `json:"name,omitempty"`
	Class       string      `json:"identity_class,omitempty"`
	Description string      `json:"description,omitempty"`
	IsFamily    *bool       `json:"is_family,omitempty"`
	Indicates   []string    `json:"indicator_types,omitempty"`
	Pattern     string      `json:"pattern,omitempty"`
	PatternType string      `json:"pattern_type,omitempty"`
	ValidFrom   string      `json:"valid_from,omitempty"`
	Relation    string      `json:"relationship_type,omitempty"`
	Source      string      `json:"source_ref,omitempty"`
	Target      string      `json:"target_ref,omitempty"`
	Content     string      `json:"content,omitempty"`
	Refs        []string    `json:"object_refs,omitempty"`
	External    []reference `json:"external_references,omitempty"`
}

type reference struct {
	Source string `json:"source_name"`
	ID     string `json:"external_id"`
}

// stixTime is how STIX 2.1 §3.3 writes an instant.
const stixTime = "2006-01-02T15:04:05.000Z"

// vendor is the identity behind every object, the same in every bundle.
var vendor = object{
	Type: "identity", Spec: "2.1", ID: "identity--" + uuid("identity", "example-psirt"),
	Created: "2026-01-05T09:00:00.000Z", Modified: "2026-01-05T09:00:00.000Z",
	Name: "Example PSIRT", Class: "organization",
}

// writer collects the objects of one bundle.
type writer struct {
	at      string
	objects []object
	seen    map[string]bool
}

// add completes an object and answers its id. The words say which object it
// is: the same words are the same object.
func (w *writer) add(o object, words ...string) string {
	o.ID = o.Type + "--" + uuid(append([]string{o.Type, w.at}, words...)...)
	if !w.seen[o.ID] {
		w.seen[o.ID] = true
		o.Spec, o.Created, o.Modified, o.CreatedBy = "2.1", w.at, w.at, vendor.ID
		w.objects = append(w.objects, o)
	}
	return o.ID
}

func (w *writer) relate(source, relation, target string) {
	w.add(object{Type: "relationship", Relation: relation, Source: source, Target: target}, source, relation, target)
}

// bundle is the detection guidance of a release.
func bundle(ws []weakness, year int, created time.Time) []byte {
	w := &writer{at: created.UTC().Truncate(time.Second).Format(stixTime), seen: map[string]bool{}}
	for _, c := range ws {
		w.weakness(c, year)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"type":"bundle","id":"bundle--%s","objects":[`, uuid("bundle", w.at, names(ws, year)))
	for i, o := range append([]object{vendor}, w.objects...) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		line, err := json.Marshal(o)
		if err != nil { // texts alone
			panic(fmt.Errorf("writing the demonstration's content: %w", err))
		}
		b.Write(line)
	}
	b.WriteString("\n]}\n")
	return b.Bytes()
}

func (w *writer) weakness(c weakness, year int) {
	id, family := c.id(year), true
	vulnerability := w.add(object{
		Type: "vulnerability", Name: id, Description: c.product + " before " + c.before + ": " + c.what + ".",
		External: []reference{{"example-psirt", id}},
	}, id)
	pattern := w.add(object{
		Type: "attack-pattern", Name: "Requests to " + c.path + " of " + c.product, Description: "Shows as " + c.sign + ".",
	}, id)
	malware := w.add(object{Type: "malware", Name: c.family, Description: "Invented family.", IsFamily: &family}, c.family)
	fix := w.add(object{Type: "course-of-action", Name: "Install " + c.product + " " + c.before}, c.product, c.before)
	w.relate(fix, "mitigates", vulnerability)
	w.relate(pattern, "targets", vulnerability)
	w.relate(malware, "exploits", vulnerability)
	w.relate(malware, "uses", pattern)
	var all []string
	for _, p := range c.patterns(id) {
		indicator := w.add(object{
			Type: "indicator", Name: p.name, Indicates: []string{"malicious-activity"},
			Pattern: p.text, PatternType: p.kind, ValidFrom: w.at,
		}, id, p.text)
		w.relate(indicator, "indicates", malware)
		all = append(all, indicator)
	}
	w.add(object{
		Type: "note", Content: "Test each detection against the proof of concept, and with the traffic of a health check: " + c.sign + ".", Refs: all,
	}, id)
}

type detection struct{ name, kind, text string }

// patterns are what recognises an attack. Hosts and addresses are of the ranges
// that RFC 2606 and RFC 5737 keep for documentation.
func (w weakness) patterns(id string) []detection {
	host := strings.ToLower(strings.ReplaceAll(w.family, " ", "-"))
	sum := sha256.Sum256([]byte(id))
	out := []detection{
		{"Request to " + w.path, "stix", "[url:value LIKE '%" + w.path + "%']"},
		{"Loader of " + w.family, "stix", "[file:hashes.'SHA-256' = '" + hex.EncodeToString(sum[:]) + "']"},
		{"Network signature for " + id, "snort", fmt.Sprintf(`alert tcp any any -> any 443 (msg:"%s"; content:"%s"; sid:%d; rev:1;)`, id, w.path, 9_000_000+w.number)},
	}
	for i := range 3 {
		out = append(out,
			detection{fmt.Sprintf("Host %d of %s", i+1, w.family), "stix", fmt.Sprintf("[domain-name:value = '%s-%d-%d.example']", host, w.number, i+1)},
			detection{fmt.Sprintf("Address %d of %s", i+1, w.family), "stix", fmt.Sprintf("[ipv4-addr:value = '%s.%d']", [3]string{"192.0.2", "198.51.100", "203.0.113"}[i], w.number)},
		)
	}
	return out
}
