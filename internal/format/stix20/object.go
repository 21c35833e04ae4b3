package stix20

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// needsVersion are the types of STIX 2.0, which need a spec_version in STIX 2.1
// (§3.2).
var needsVersion = map[string]bool{
	"attack-pattern": true, "campaign": true, "course-of-action": true, "identity": true, "indicator": true,
	"intrusion-set": true, "malware": true, "observed-data": true, "report": true, "threat-actor": true, "tool": true,
	"vulnerability": true, "relationship": true, "sighting": true, "marking-definition": true,
}

// kinds says, by type, which property of STIX 2.1 took over the open vocabulary
// that labels had in STIX 2.0 (Part 2 §6), and the values of that vocabulary.
// Other labels stay labels. A nil list: all labels were meant.
var kinds = map[string]struct {
	property string
	values   []string
}{
	"identity": {property: "roles"},
	"indicator": {"indicator_types", []string{
		"anomalous-activity", "anonymization", "attribution", "benign", "compromised", "malicious-activity",
	}},
	"malware": {"malware_types", []string{
		"adware", "backdoor", "bot", "ddos", "dropper", "exploit-kit", "keylogger", "ransomware", "remote-access-trojan",
		"resource-exploitation", "rogue-security-software", "rootkit", "screen-capture", "spyware", "trojan", "virus", "worm",
	}},
	"report": {"report_types", []string{
		"attack-pattern", "campaign", "identity", "indicator", "intrusion-set", "malware", "observed-data",
		"threat-actor", "threat-report", "tool", "vulnerability",
	}},
	"threat-actor": {"threat_actor_types", []string{
		"activist", "competitor", "crime-syndicate", "criminal", "hacker", "insider-accidental", "insider-disgruntled",
		"nation-state", "sensationalist", "spy", "terrorist",
	}},
	"tool": {"tool_types", []string{
		"credential-exploitation", "denial-of-service", "exploitation", "information-gathering", "network-capture",
		"remote-access", "vulnerability-scanning",
	}},
}

// object lifts one object and writes it, behind the observables that it held.
func (l *lifter) object(o *record) {
	typ, _ := o.text("type")
	switch v, given := o.text("spec_version"); {
	case !given:
		o.insert("type", "spec_version", jsontext.Value(`"2.1"`))
		l.changed(".spec_version", "added: 2.1")
	case v == "2.0":
		o.set("spec_version", jsontext.Value(`"2.1"`))
		l.changed(".spec_version", "2.0 became 2.1")
	}
	l.labels(o, typ)
	l.references(o)
	switch typ {
	case "indicator":
		if !o.has("pattern_type") {
			o.set("pattern_type", jsontext.Value(`"stix"`))
			l.changed(".pattern_type", "added: stix, the only language of patterns in STIX 2.0")
			if !o.has("pattern_version") {
				o.set("pattern_version", jsontext.Value(`"2.0"`))
				l.changed(".pattern_version", "added: 2.0")
			}
		}
	case "malware":
		if !o.has("is_family") {
			o.set("is_family", jsontext.Value(`true`))
			l.changed(".is_family", "added: true; STIX 2.0 does not say, and requires a name, which a family has")
		}
	case "observed-data":
		l.observed(o)
	}
	l.write(o.bytes())
}

// labels moves what STIX 2.1 has a property for.
func (l *lifter) labels(o *record, typ string) {
	k, ok := kinds[typ]
	labels := o.list("labels")
	if !ok || len(labels) == 0 || o.has(k.property) {
		return
	}
	var moved, kept []string
	for _, s := range labels {
		if k.values == nil || slices.Contains(k.values, s) {
			moved = append(moved, s)
		} else {
			kept = append(kept, s)
		}
	}
	if len(moved) == 0 {
		return
	}
	if len(kept) == 0 {
		o.rename("labels", k.property)
		o.set(k.property, listOf(moved))
	} else {
		o.set("labels", listOf(kept))
		o.set(k.property, listOf(moved))
	}
	l.changed(".labels", "%d of %d moved to %s", len(moved), len(labels), k.property)
}

// references renames the hash algorithms in external references.
func (l *lifter) references(o *record) {
	v := o.value("external_references")
	if out, n := eachObject(v, func(r *record) bool { return hashes(r) }); n > 0 {
		o.set("external_references", out)
		l.changed(".external_references", "ssdeep is written SSDEEP")
	}
}

// hashes renames the algorithm that STIX 2.1 spells differently (§10.8).
func hashes(o *record) bool {
	h, ok := parse(o.value("hashes"))
	if !ok || !h.rename("ssdeep", "SSDEEP") {
		return false
	}
	o.set("hashes", h.bytes())
	return true
}

// eachObject applies fn to the objects of a list and counts those it changed.
func eachObject(v jsontext.Value, fn func(*record) bool) (out jsontext.Value, changed int) {
	if len(v) == 0 || v[0] != '[' {
		return v, 0
	}
	out = jsontext.Value{'['}
	for i, e := range elements(v) {
		if i > 0 {
			out = append(out, ',')
		}
		if r, ok := parse(e); ok && fn(r) {
			e, changed = r.bytes(), changed+1
		}
		out = append(out, e...)
	}
	return append(out, ']'), changed
}
