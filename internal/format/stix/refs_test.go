package stix

import (
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// refsBothWays lists what both ways find; ok is false where the short one gives up.
func refsBothWays(raw []byte) (short, long []string, ok bool) {
	ok = plainRefs(raw, func(id []byte) bool {
		short = append(short, string(id))
		return true
	})
	eachRef(raw, func(_ int, id []byte) bool {
		long = append(long, string(id))
		return true
	})
	return short, long, ok
}

const (
	refA = `"indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"`
	refB = `"malware--31b940d4-6f7f-459a-80ea-9c1f17b5891b"`
)

var refCases = []struct {
	raw   string
	short bool // the short way is enough
}{
	{`{}`, true},
	{`{"type":"x","id":` + refA + `}`, true},
	{`{"source_ref":` + refA + `,"target_ref" : ` + refB + `}`, true},
	{`{"object_refs":[` + refA + ` , ` + refB + `],"object_marking_refs":[` + refA + `]}`, true},
	{`{"object_refs":[],"a_ref":` + refB + `}`, true},
	{`{"created_by_ref":` + refA + `,"a_ref":` + refB + `}`, true},
	{`{"a":{"b":[1]},"created_by_ref":` + refA + `}`, true},
	{`{"a":{"created_by_ref":` + refA + `}}`, false},
	{`{"a":{"created_by_ref":` + refA + `},"created_by_ref":` + refB + `}`, false},
	{`{"created_by_refs":` + refA + `,"object_marking_ref":` + refB + `}`, true},
	{`{"granular_markings":[{"marking_ref":` + refA + `,"selectors":["a_ref"]}]}`, false},
	{`{"marking_ref":` + refA + `}`, false},
	{`{"a_\u0072ef":` + refA + `}`, false},
	{`{"a_ref":"indicator\u002d-8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"}`, false},
	{`{"b":"\u00e4","a_ref":` + refA + `}`, true},
	{`{"x\"created_by_ref":` + refA + `}`, false},
	{`{"x\"object_marking_refs":[` + refA + `]}`, false},
	{`{"a_refs":[[` + refA + `]]}`, false},
	{`{"a_refs":[{"b":` + refA + `}]}`, false},
	{`{"a_refs":{"b":` + refA + `,"c_ref":` + refB + `}}`, true},
	{`{"a_ref":1,"b":"_ref","c":["_refs","x_ref"],"d":"a_ref\":","_ref":` + refB + `}`, true},
	{`{"a_ref":"x_ref","b_refs":["no identifier",` + refA + `]}`, true},
}

func TestPlainRefs(t *testing.T) {
	for _, c := range refCases {
		short, long, ok := refsBothWays([]byte(c.raw))
		if ok != c.short {
			t.Errorf("%s: enough: %v", c.raw, ok)
		}
		if ok && !slices.Equal(short, long) {
			t.Errorf("%s: %q, want %q", c.raw, short, long)
		}
	}
}

func FuzzPlainRefs(f *testing.F) {
	for _, c := range refCases {
		f.Add([]byte(c.raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !jsontext.Value(raw).IsValid() { // what was accepted is
			return
		}
		if short, long, ok := refsBothWays(raw); ok && !slices.Equal(short, long) {
			t.Fatalf("%q, want %q", short, long)
		}
	})
}
