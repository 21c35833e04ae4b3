package stix_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// hostile are shapes of input that cost most: make gives one of n parts.
var hostile = []struct {
	name string
	n    int
	make func(n int) string
}{
	{"custom properties", 20_000, func(n int) string { return bundle(sdo("identity", named+repeat(n, `,"x_p%d":1`))) }},
	{"wrong names", 20_000, func(n int) string { return bundle(sdo("identity", named+repeat(n, `,"X%d":1`))) }},
	{"type at the end", 20_000, func(n int) string {
		return bundle(`{"id":"tool--` + uuid + `"` + repeat(n, `,"x_p%d":1`) + `,"type":"tool"}`)
	}},
	{"nested lists", 2_000, func(n int) string {
		return bundle(sdo("identity", named+`,"x_d":`+strings.Repeat("[", min(n, 9000))+strings.Repeat("]", min(n, 9000))))
	}},
	{"labels", 50_000, func(n int) string { return bundle(sdo("identity", named+`,"labels":["a"`+repeat(n, `,"l%d"`)+`]`)) }},
	{"wrong labels", 50_000, func(n int) string { return bundle(sdo("identity", named+`,"labels":["a"`+repeat(n, `,%d`)+`]`)) }},
	{"references", 10_000, func(n int) string {
		return bundle(sdo("report", named+`,"published":"2026-01-01T00:00:00Z","object_refs":[`+ref+repeat(n, `,"tool--%08x-55f1-4b52-8d3c-5f6f0f3a9d11"`)+`]`))
	}},
	{"selectors of one marking", 5_000, func(n int) string {
		return bundle(sdo("identity", named+`,"labels":["a"`+repeat(n, `,"l%d"`)+`],"granular_markings":[{"lang":"de","selectors":["name"`+
			repeat(n, `,"labels.[%d]"`)+`]}]`))
	}},
	{"granular markings", 5_000, func(n int) string {
		return bundle(sdo("identity", named+`,"labels":["a"`+repeat(n, `,"l%d"`)+`],"granular_markings":[{"lang":"de","selectors":["name"]}`+
			repeat(n, `,{"lang":"de","selectors":["labels.[%d]"]}`)+`]`))
	}},
	{"markings", 5_000, func(n int) string {
		return bundle(sdo("identity", named+`,"granular_markings":[{"lang":"de","selectors":["name"]}`+
			repeat(n, `,{"marking_ref":"marking-definition--%08x-55f1-4b52-8d3c-5f6f0f3a9d11","selectors":["name"]}`)+`]`))
	}},
	{"long selector", 20_000, func(n int) string {
		return bundle(sdo("identity", named+`,"granular_markings":[{"lang":"de","selectors":["name`+strings.Repeat(".aa", n)+`"]}]`))
	}},
	{"extensions", 5_000, func(n int) string {
		return bundle(sdo("identity", named+`,"extensions":{"a-ext":{"a":1}`+repeat(n, `,"extension-definition--%08x-55f1-4b52-8d3c-5f6f0f3a9d11":{"extension_type":"property-extension"}`)+`}`))
	}},
	{"hashes", 10_000, func(n int) string { return bundle(sco("file", `"hashes":{"MD5":"x"`+repeat(n, `,"x_%d":"aa"`)+`}`)) }},
	{"external references", 10_000, func(n int) string {
		return bundle(sdo("vulnerability", named+`,"external_references":[{"source_name":"a"}`+repeat(n, `,{"source_name":"cve","external_id":"%d","url":"x"}`)+`]`))
	}},
	{"custom objects", 5_000, func(n int) string {
		return bundle(`7` + repeat(n, `,{"type":"x-a%d","id":"x-a--`+uuid+`","name":"n"}`))
	}},
	{"versions of one object", 5_000, func(n int) string {
		return bundle(sdo("identity", named) + repeat(n, `,{"type":"identity","spec_version":"2.1","id":"identity--`+uuid+
			`","created":"2026-01-02T03:04:05.000Z","modified":"2026-01-03T03:04:05.%09dZ","name":"a"}`))
	}},
	{"escapes", 50_000, func(n int) string { return bundle(sdo("identity", `"name":"`+strings.Repeat(`\u00e4`, n)+`"`)) }},
	{"container", 10_000, func(n int) string {
		return bundle(sdo("observed-data", `"first_observed":"2026-01-01T00:00:00Z","last_observed":"2026-01-01T00:00:00Z","number_observed":1,"objects":{"a":1`+
			repeat(n, `,"o%d":{"type":"url"}`)+`}`))
	}},
}

func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// Hostile shapes are read to their end, and what is told of them is bounded.
func TestHostile(t *testing.T) {
	for _, h := range hostile {
		in := []byte(h.make(h.n))
		_, sum := scan(t, in, stix.Options{MaxProblems: 20, MaxWarnings: 30})
		if sum.Stopped || len(sum.Problems) > 20 || len(sum.Warnings) > 30 {
			t.Errorf("%s: stopped %v, %d problems, %d warnings listed", h.name, sum.Stopped, len(sum.Problems), len(sum.Warnings))
		}
		codes := make(map[string]int)
		for _, w := range sum.Warnings {
			codes[w.Code]++
		}
		total := 0
		for code, n := range sum.WarningCodes {
			total += n
			if codes[code] > 50 || codes[code] > n {
				t.Errorf("%s: %d of %d listed of %s", h.name, codes[code], n, code)
			}
		}
		if total != sum.WarningCount {
			t.Errorf("%s: %d warnings by code, %d in all", h.name, total, sum.WarningCount)
		}
	}
}
