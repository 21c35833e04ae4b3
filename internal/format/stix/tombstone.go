package stix

import (
	"errors"
	"strconv"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/format/stix/spec"
)

// ErrNoTombstone is the answer for types whose objects cannot be revoked in the
// place of another: observables and the objects of STIX 2.1 chapter 7.
var ErrNoTombstone = errors.New("objects of this type cannot be revoked")

// tombstoneText stands wherever a tombstone needs a text.
const tombstoneText = "recalled"

// tombstoneObservable is the mutex of that name, by its deterministic id (§2.9).
const tombstoneObservable = "mutex--9629ed22-b070-5bb4-aaff-fe444c30a4c5"

// tombstoneValues are the values that do not follow from the kind of a property.
// The pattern asks one name to be two things and so matches nothing.
var tombstoneValues = map[string]string{
	"grouping.context":               `"unspecified"`,
	"indicator.pattern":              `"[mutex:name = 'recalled' AND mutex:name != 'recalled']"`,
	"indicator.pattern_type":         `"stix"`,
	"malware-analysis.result":        `"unknown"`,
	"location.region":                `"recalled"`,
	"observed-data.object_refs":      `["` + tombstoneObservable + `"]`,
	"opinion.opinion":                `"neutral"`,
	"relationship.relationship_type": `"related-to"`,
}

// Tombstone is the version of an object that revokes it (STIX 2.1 §3.6) and says
// nothing of what it said: required properties hold placeholders, references
// lead to by, an identity. It has the object's id, type and created; modified is
// at, which has to be later than that of every version before. It is not marked.
// A type that the standard does not define gets the common properties only, and
// no creator. ErrNoTombstone is the error for observables and meta objects.
func Tombstone(id, typ string, created, at time.Time, by string) ([]byte, error) {
	if kind, ok := splitID([]byte(id)); !ok || string(kind) != typ {
		return nil, ErrNotAnObject
	}
	if kind, ok := splitID([]byte(by)); !ok || string(kind) != "identity" {
		return nil, ErrIdentity
	}
	if created, at = created.UTC().Truncate(time.Microsecond), at.UTC().Truncate(time.Microsecond); at.Before(created) {
		return nil, errors.New("a tombstone cannot be older than its object")
	}
	t := spec.Type([]byte(typ))
	switch {
	case t == nil:
		t = spec.CustomType
	case t.Class&(spec.SDO|spec.SRO) == 0:
		return nil, ErrNoTombstone
	}
	now := stamp(at)
	b := []byte(`{"type":"` + typ + `","spec_version":"2.1","id":"` + id + `"`)
	if t != spec.CustomType {
		b = append(b, `,"created_by_ref":"`+by+`"`...)
	}
	b = append(b, `,"created":"`+stamp(created)+`","modified":"`+now+`","revoked":true`...)
	need := t.Required & t.Own
	if len(t.Any) > 0 {
		need |= t.Any[0]
	}
	for i := range ones(need) {
		p := &t.Props[i]
		value, ok := tombstoneValues[typ+"."+p.Name]
		if !ok {
			value = placeholder(p, now, by)
		}
		b = append(b, `,"`+p.Name+`":`+value...)
	}
	return append(b, '}'), nil
}

// placeholder is a value of the kind of a property.
func placeholder(p *spec.Prop, now, by string) string {
	value := `"` + tombstoneText + `"`
	switch p.Kind {
	case spec.Bool:
		value = "false"
	case spec.Integer, spec.Float:
		value = strconv.FormatInt(p.Min, 10)
	case spec.Time:
		value = `"` + now + `"`
	case spec.Ref:
		value = `"` + by + `"`
	}
	if p.List {
		value = "[" + value + "]"
	}
	return value
}

// stamp is a STIX timestamp with as many digits as the microseconds need, and at
// least three.
func stamp(t time.Time) string {
	if t.Nanosecond()%1e6 == 0 {
		return t.Format("2006-01-02T15:04:05.000Z")
	}
	return t.Format("2006-01-02T15:04:05.000000Z")
}
