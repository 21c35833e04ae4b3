package spec

import "strings"

// relations are the relationship types of the tables under each type of
// chapters 4 and 6: source, type, targets. @sco is every cyber-observable.
var relations = []string{
	"attack-pattern delivers malware",
	"attack-pattern targets identity location vulnerability",
	"attack-pattern uses malware tool",
	"campaign attributed-to intrusion-set threat-actor",
	"campaign compromises infrastructure",
	"campaign originates-from location",
	"campaign targets identity location vulnerability",
	"campaign uses attack-pattern infrastructure malware tool",
	"course-of-action investigates indicator",
	"course-of-action mitigates attack-pattern indicator malware tool vulnerability",
	"course-of-action remediates malware vulnerability",
	"identity located-at location",
	"indicator indicates attack-pattern campaign infrastructure intrusion-set malware threat-actor tool",
	"indicator based-on observed-data",
	"infrastructure communicates-with infrastructure ipv4-addr ipv6-addr domain-name url",
	"infrastructure consists-of infrastructure observed-data @sco",
	"infrastructure controls infrastructure malware",
	"infrastructure delivers malware",
	"infrastructure has vulnerability",
	"infrastructure hosts tool malware",
	"infrastructure located-at location",
	"infrastructure uses infrastructure",
	"intrusion-set attributed-to threat-actor",
	"intrusion-set compromises infrastructure",
	"intrusion-set hosts infrastructure",
	"intrusion-set owns infrastructure",
	"intrusion-set originates-from location",
	"intrusion-set targets identity location vulnerability",
	"intrusion-set uses attack-pattern infrastructure malware tool",
	"malware authored-by threat-actor intrusion-set",
	"malware beacons-to infrastructure",
	"malware exfiltrates-to infrastructure",
	"malware communicates-with ipv4-addr ipv6-addr domain-name url",
	"malware controls malware",
	"malware downloads malware tool file",
	"malware drops malware tool file",
	"malware exploits vulnerability",
	"malware originates-from location",
	"malware targets identity infrastructure location vulnerability",
	"malware uses attack-pattern infrastructure malware tool",
	"malware variant-of malware",
	"malware-analysis characterizes malware",
	"malware-analysis analysis-of malware",
	"malware-analysis av-analysis-of malware",
	"malware-analysis static-analysis-of malware",
	"malware-analysis dynamic-analysis-of malware",
	"threat-actor attributed-to identity",
	"threat-actor compromises infrastructure",
	"threat-actor hosts infrastructure",
	"threat-actor owns infrastructure",
	"threat-actor impersonates identity",
	"threat-actor located-at location",
	"threat-actor targets identity location vulnerability",
	"threat-actor uses attack-pattern infrastructure malware tool",
	"tool delivers malware",
	"tool drops malware",
	"tool has vulnerability",
	"tool targets identity infrastructure location vulnerability",
	"tool uses infrastructure",
	"domain-name resolves-to domain-name ipv4-addr ipv6-addr",
	"ipv4-addr resolves-to mac-addr",
	"ipv4-addr belongs-to autonomous-system",
	"ipv6-addr resolves-to mac-addr",
	"ipv6-addr belongs-to autonomous-system",
}

// targets are the targets of relations by "source type".
var targets = func() map[string]*Prop {
	m := make(map[string]*Prop)
	for _, r := range relations {
		f := strings.Fields(r)
		p := &Prop{}
		for _, to := range f[2:] {
			if c, ok := classes[to]; ok {
				p.Classes |= c
			} else {
				p.Types = append(p.Types, to)
			}
		}
		m[f[0]+" "+f[1]] = p
	}
	return m
}()

// Related reports whether the standard defines the relationship type from the
// source to the target (§3.7 and the tables of chapters 4 and 6). buf is scratch
// space, which comes back. Types of others are free.
func Related(source, relation, target, buf []byte) (defined bool, newBuf []byte) {
	if ClassOf(source) == Custom || ClassOf(target) == Custom {
		return true, buf
	}
	switch string(relation) {
	case "related-to":
		return true, buf
	case "derived-from", "duplicate-of":
		return string(source) == string(target), buf
	}
	buf = append(append(append(buf[:0], source...), ' '), relation...)
	to, ok := targets[string(buf)]
	return ok && to.Allows(target), buf
}
