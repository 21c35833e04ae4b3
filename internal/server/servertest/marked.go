package servertest

import (
	"bytes"
	"fmt"
	"io"

	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
)

// Unresolved is a marking that nobody has defined: what bears it is held.
const Unresolved = "marking-definition--00000000-0000-4000-8000-000000000001"

// MarkedID is the STIX id of the i-th object of Marked.
func MarkedID(seed uint64, i int) string { return stixtest.ID("indicator", seed, i) }

// Marked is a STIX bundle of indicators, one for each marking; "" is none.
func Marked(seed uint64, marks ...string) io.Reader {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"type":"bundle","id":"%s","objects":[`, stixtest.ID("bundle", seed, -1))
	for i, m := range marks {
		if i > 0 {
			b.WriteByte(',')
		}
		refs := ""
		if m != "" {
			refs = `,"object_marking_refs":["` + m + `"]`
		}
		fmt.Fprintf(&b, `{"type":"indicator","spec_version":"2.1","id":"%s","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",`+
			`"name":"Marked %d-%d","pattern":"[domain-name:value = 'marked-%d-%d.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z",`+
			`"indicator_types":["malicious-activity"]%s}`, MarkedID(seed, i), seed, i, seed, i, refs)
	}
	b.WriteString("]}\n")
	return &b
}
