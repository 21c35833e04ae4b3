package stix_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
)

const (
	uuid    = "1f4d3a52-6f0b-4c57-9a3e-0d8f5b8a7c61"
	times   = `"created":"2026-01-02T03:04:05.000Z","modified":"2026-01-02T03:04:06.500Z"`
	markRef = "marking-definition--2b0e8f0c-55f1-4b52-8d3c-5f6f0f3a9d11"
)

// sdo is an object with the common properties of its type and the members given.
func sdo(typ, members string) string {
	s := `{"type":"` + typ + `","spec_version":"2.1","id":"` + typ + "--" + uuid + `",` + times
	if members != "" {
		s += "," + members
	}
	return s + "}"
}

func sco(typ, members string) string {
	return `{"type":"` + typ + `","id":"` + typ + "--" + uuid + `"` + strings.TrimSuffix(","+members, ",") + "}"
}

const ref = `"identity--` + uuid + `"`

func TestAcceptedObjects(t *testing.T) {
	for _, o := range []string{
		sdo("attack-pattern", `"name":"a"`), sdo("campaign", `"name":"a","first_seen":"2026-01-01T00:00:00Z","last_seen":"2026-01-01T00:00:00Z"`),
		sdo("course-of-action", `"name":"a"`), sdo("grouping", `"context":"malware-analysis","object_refs":[`+ref+`]`),
		sdo("identity", `"name":"a"`), sdo("incident", `"name":"a"`),
		sdo("indicator", `"pattern":"[file:name = 'x']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","valid_until":"2026-01-01T00:00:00.000001Z"`),
		sdo("infrastructure", `"name":"a"`), sdo("intrusion-set", `"name":"a"`),
		sdo("location", `"region":"northern-europe"`), sdo("location", `"latitude":1.5,"longitude":-2`),
		sdo("malware", `"is_family":false`), sdo("malware", `"is_family":true,"name":"a"`),
		sdo("malware-analysis", `"product":"p","result":"malicious"`), sdo("malware-analysis", `"product":"p","analysis_sco_refs":["file--`+uuid+`"]`),
		sdo("note", `"content":"c","object_refs":[`+ref+`]`),
		sdo("observed-data", `"first_observed":"2026-01-01T00:00:00Z","last_observed":"2026-01-01T00:00:00Z","number_observed":1,"object_refs":["url--`+uuid+`"]`),
		sdo("observed-data", `"first_observed":"2026-01-01T00:00:00Z","last_observed":"2026-01-01T00:00:00Z","number_observed":1,"objects":{"0":{"type":"url","value":"u"}}`),
		sdo("opinion", `"opinion":"agree","object_refs":[`+ref+`]`), sdo("report", `"name":"a","published":"2026-01-01T00:00:00Z","object_refs":[`+ref+`]`),
		sdo("threat-actor", `"name":"a"`), sdo("tool", `"name":"a"`), sdo("vulnerability", `"name":"CVE-2026-0001"`),
		sdo("relationship", `"relationship_type":"uses","source_ref":`+ref+`,"target_ref":`+ref),
		sdo("sighting", `"sighting_of_ref":`+ref+`,"where_sighted_refs":[`+ref+`]`),
		sdo("language-content", `"object_ref":`+ref+`,"contents":{"de":{"name":"n"}}`),
		sdo("extension-definition", `"created_by_ref":`+ref+`,"name":"e","schema":"s","version":"1.0","extension_types":["new-sdo"]`),
		sco("artifact", `"payload_bin":"AA=="`), sco("artifact", `"url":"https://h.example/","hashes":{"MD5":"d41d8cd98f00b204e9800998ecf8427e"}`),
		sco("autonomous-system", `"number":64500`), sco("directory", `"path":"/tmp","ctime":"2026-01-01T00:00:00Z"`),
		sco("domain-name", `"value":"h.example"`), sco("email-addr", `"value":"a@h.example"`), sco("email-message", `"is_multipart":false`),
		sco("file", `"name":"a"`), sco("file", `"hashes":{"SHA-256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`), sco("ipv4-addr", `"value":"192.0.2.1","spec_version":"2.1"`),
		sco("ipv6-addr", `"value":"2001:db8::1"`), sco("mac-addr", `"value":"00:00:5e:00:53:01"`), sco("mutex", `"name":"m"`),
		sco("network-traffic", `"protocols":["tcp"],"src_ref":"ipv4-addr--`+uuid+`"`), sco("process", `"pid":1`),
		sco("process", `"extensions":{"windows-process-ext":{"dep_enabled":true}}`), sco("software", `"name":"s"`), sco("url", `"value":"https://h.example/"`),
		sco("user-account", `"user_id":"1"`), sco("windows-registry-key", `"key":"k"`), sco("x509-certificate", `"serial_number":"1"`),
		// Types that STIX 2.1 does not define: id and type suffice.
		sco("x-org-thing", ``), sdo("x-org-thing", `"some_ref":"anything goes","value":7`), sco("abc", ``),
		// What custom properties hold is theirs.
		sdo("malware", `"is_family":false,"x_org_ref":"text","version":3,"date":"yesterday"`),
		// Escapes in names and values are read as what they mean.
		`{"\u0074ype":"identit\u0079","spec_version":"\u0032.1","id":"identity--` + uuid + `",` + times + `,"n\u0061me":"\u00e4"}`,
		" \n" + sdo("identity", `"name":"a"`) + "\r\n\t",
		`{"type":"identity","spec_version":"2.1","id":"identity--1F4D3A52-6F0B-4C57-9A3E-0D8F5B8A7C61",` + times + `,"name":"a"}`,
	} {
		if _, ps := stix.ParseObject([]byte(o)); len(ps) > 0 {
			t.Errorf("%s\n\tis refused: %+v", o, ps)
		}
	}
}

// named is all that an identity needs.
const named = `"name":"a"`

var refusedObjects = []struct {
	object string
	want   string // rule and path of each problem, in any order
}{
	{`[]`, "stix.object $"},
	{`"x"`, "stix.object $"},
	{`{}`, "stix.type $.type, stix.id $.id"},
	{`{"type":7,"id":7}`, "stix.type $.type, stix.id $.id"},
	{sdo("Identity", named), "stix.type $.type, stix.id $.id"},
	{sdo("ab", named), "stix.type $.type, stix.id $.id"},
	{sdo("a--b", named), "stix.type $.type, stix.id $.id"},
	{sdo("-ab", named), "stix.type $.type, stix.id $.id"},
	{sco("bundle", `"objects":[1]`), "stix.type $.type"},
	{`{"type":"x-a","id":"x-b--` + uuid + `"}`, "stix.id $.id"},
	{`{"type":"x-a","id":"x-a--` + uuid[:35] + `"}`, "stix.id $.id"},
	{`{"type":"x-a","id":"x-a--` + uuid[:35] + `g"}`, "stix.id $.id"},
	{`{"type":"x-a","id":"x-a--` + strings.ReplaceAll(uuid, "-", "") + `"}`, "stix.id $.id"},
	{`{"type":"x-a","id":"x-a--1f4d3a52-6f0b-0c57-9a3e-0d8f5b8a7c61"}`, "stix.id $.id"}, // version 0
	{`{"type":"x-a","id":"x-a--1f4d3a52-6f0b-4c57-ca3e-0d8f5b8a7c61"}`, "stix.id $.id"}, // another variant
	{`{"type":"x-a","id":"x-a--1f4d3a52-6f0b-4c57-9a3e-0d8f5b8a-c61"}`, "stix.id $.id"},
	{`{"type":"x-a","id":"x-a--00000000-0000-0000-0000-000000000000"}`, "stix.id $.id"},
	{sco("identity", named), "stix.spec-version $.spec_version, stix.required $.created, stix.required $.modified"},
	{strings.Replace(sdo("identity", named), `"2.1"`, `"2.0"`, 1), "stix.spec-version $.spec_version"},
	{strings.Replace(sdo("identity", named), `"2.1"`, `2.1`, 1), "stix.spec-version $.spec_version"},
	{sco("ipv4-addr", `"value":"192.0.2.1","spec_version":"2.0"`), "stix.spec-version $.spec_version"},
	{sco("x-org-thing", `"spec_version":"2.0"`), "stix.spec-version $.spec_version"},
	{strings.Replace(sdo("identity", named), `05.000Z`, `05.000+00:00`, 1), "stix.timestamp $.created"},
	{strings.Replace(sdo("identity", named), `05.000Z`, `05.000z`, 1), "stix.timestamp $.created"},
	{strings.Replace(sdo("identity", named), `T03:04:05`, ` 03:04:05`, 1), "stix.timestamp $.created"},
	{strings.Replace(sdo("identity", named), `05.000Z`, `05.Z`, 1), "stix.timestamp $.created"},
	{strings.Replace(sdo("identity", named), `2026-01-02T03`, `2026-02-30T03`, 1), "stix.timestamp $.created"},
	{strings.Replace(sdo("identity", named), `06.500Z`, `04.000Z`, 1), "stix.time-order $.modified"},
	{sdo("identity", ""), "stix.required $.name"},
	{sdo("identity", `"name":null`), "stix.property-type $.name"},
	{sdo("identity", named+`,"revoked":"false"`), "stix.property-type $.revoked"},
	{sdo("identity", named+`,"created_by_ref":"identity--x"`), "stix.ref $.created_by_ref"},
	{sdo("x-org-thing", `"created_by_ref":7`), "stix.ref $.created_by_ref"},
	{sdo("identity", named+`,"labels":[]`), "stix.property-type $.labels"},
	{sdo("identity", named+`,"extensions":[]`), "stix.property-type $.extensions"},
	{sdo("indicator", ""), "stix.required $.pattern, stix.required $.pattern_type, stix.required $.valid_from"},
	{
		sdo("indicator", `"pattern":"p","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","valid_until":"2026-01-01T00:00:00Z"`),
		"stix.time-order $.valid_until",
	},
	{sdo("malware", `"is_family":"no"`), "stix.property-type $.is_family"},
	{sdo("malware", `"is_family":true`), "stix.required $.name"},
	{sdo("location", `"latitude":1`), "stix.required $, stix.required $.longitude"},
	{sdo("malware-analysis", `"product":"p"`), "stix.required $"},
	{sdo("report", `"name":"a","published":"soon","object_refs":[]`), "stix.timestamp $.published, stix.property-type $.object_refs"},
	{sdo("note", `"content":"c","object_refs":[`+ref+`,"x",7]`), "stix.ref $.object_refs[1], stix.ref $.object_refs[2]"},
	{
		sdo("observed-data", `"first_observed":"2026-01-02T00:00:00Z","last_observed":"2026-01-01T00:00:00Z","number_observed":1.5`),
		"stix.required $, stix.time-order $.last_observed, stix.property-type $.number_observed",
	},
	{sdo("relationship", `"relationship_type":"uses","source_ref":"a","target_ref":{}`), "stix.ref $.source_ref, stix.ref $.target_ref"},
	{sdo("sighting", `"sighting_of_ref":`+ref+`,"observed_data_refs":"x"`), "stix.property-type $.observed_data_refs"},
	{sco("artifact", `"url":"https://h.example/"`), "stix.required $.hashes"},
	{sco("artifact", ``), "stix.required $"},
	{sco("file", `"size":1`), "stix.required $"},
	{sco("file", `"name":"a","parent_directory_ref":"0"`), "stix.ref $.parent_directory_ref"},
	{sco("ipv4-addr", ``), "stix.required $.value"},
	{sco("ipv4-addr", `"value":16909060`), "stix.property-type $.value"},
	{sco("network-traffic", `"protocols":[]`), "stix.required $, stix.property-type $.protocols"},
	{sco("process", `"defanged":true`), "stix.required $"},
	{sdo("identity", named+`,"object_marking_refs":[]`), "stix.marking $.object_marking_refs"},
	{sdo("identity", named+`,"object_marking_refs":"`+markRef+`"`), "stix.marking $.object_marking_refs"},
	{sdo("identity", named+`,"object_marking_refs":["`+markRef+`",`+ref+`]`), "stix.marking $.object_marking_refs[1]"},
	{sco("x-org-thing", `"object_marking_refs":[7]`), "stix.marking $.object_marking_refs[0]"},
	{sdo("identity", named+`,"granular_markings":[7,{}]`), "stix.marking $.granular_markings[0], stix.marking $.granular_markings[1]"},
	{sdo("identity", named+`,"granular_markings":[{"marking_ref":"`+markRef+`","selectors":[]}]`), "stix.marking $.granular_markings[0]"},
	{sdo("identity", named+`,"granular_markings":[{"selectors":["name"]}]`), "stix.marking $.granular_markings[0]"},
	{sdo("identity", named+`,"granular_markings":[{"lang":"de","marking_ref":"`+markRef+`","selectors":["name"]}]`), "stix.marking $.granular_markings[0]"},
	{sdo("identity", named+`,"granular_markings":[{"marking_ref":`+ref+`,"selectors":["name"]}]`), "stix.marking $.granular_markings[0]"},
	{sdo("identity", named+`,"x_deep":`+strings.Repeat("[", 64)+strings.Repeat("]", 64)), "stix.depth $"},
	{`{"type":"x-a","type":"x-a"}`, "stix.syntax $"},
	{sdo("identity", named) + "x", "stix.trailing $"},
	{sdo("identity", named) + "{}", "stix.trailing $"},
	{"", "stix.syntax $"},
	{"{", "stix.syntax $"},
	{"{\"type\":\"\xff\"}", "stix.syntax $"},
}

func TestRefusedObjects(t *testing.T) {
	for _, c := range refusedObjects {
		_, ps := stix.ParseObject([]byte(c.object))
		got := make(map[string]int)
		for _, p := range ps {
			got[p.Code+" "+p.Path]++
			if p.Message == "" {
				t.Errorf("%s: a problem without a message", c.object)
			}
		}
		want := make(map[string]int)
		for w := range strings.SplitSeq(c.want, ", ") {
			want[w]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n(-want +got)\n%s%+v", c.object, diff, ps)
		}
	}
}

func TestObjectFields(t *testing.T) {
	in := "  " + sdo("malware", `"is_family":true,"name":"Caf\u00e9","revoked":true,"object_marking_refs":["`+markRef+`"],`+
		`"granular_markings":[{"marking_ref":"`+markRef+`","selectors":["name"]},{"lang":"fr","selectors":["name"]},{"marking_ref":"`+markRef+`","selectors":["is_family"]}]`) + "\n"
	got, ps := stix.ParseObject([]byte(in))
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	const second = 1_000_000
	want := stix.Object{
		ID: "malware--" + uuid, Type: "malware", Name: "Café",
		Version: 1767323046*second + 500_000,
		Offset:  2, Length: int64(len(in)) - 3, Raw: []byte(in[2 : len(in)-1]),
		MarkingRefs: []string{markRef}, Granular: []string{markRef},
		Granules: []stix.Granule{{Ref: markRef, Selectors: []string{"name"}}, {Ref: markRef, Selectors: []string{"is_family"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	rel, _ := stix.ParseObject([]byte(sdo("relationship", `"relationship_type":"uses","source_ref":`+ref+`,"target_ref":`+ref)))
	if rel.Name != "uses" {
		t.Errorf("a relationship is named %q, want uses", rel.Name)
	}
	url, _ := stix.ParseObject([]byte(sco("url", `"value":"https://h.example/secret"`)))
	if url.Name != "" || url.Version != 0 {
		t.Errorf("an url has name %q and version %d, want none", url.Name, url.Version)
	}
	long, _ := stix.ParseObject([]byte(sdo("identity", `"name":"`+strings.Repeat("ä", 200)+`"`)))
	if long.Name != strings.Repeat("ä", 128) {
		t.Errorf("a long name is cut to %d bytes", len(long.Name))
	}
}

func TestMarkingDefinitions(t *testing.T) {
	marking := func(id, members string) string {
		return `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--` + id + `","created":"2017-01-20T00:00:00.000Z",` + members + `}`
	}
	const own = "2b0e8f0c-55f1-4b52-8d3c-5f6f0f3a9d11"
	const red1, clear2 = "5e57c739-391a-4eb3-b6be-7d15ca92d5ed", "94868c89-83c2-464b-929b-a1a8aa3c8487"
	ext := func(v string) string {
		return `"extensions":{"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d":{"extension_type":"property-extension"` + v + `}}`
	}
	for _, c := range []struct {
		object string
		want   exchange.TLP
		fault  string
	}{
		{marking(own, `"definition_type":"statement","definition":{"statement":"(c)"}`), exchange.TLPUnset, ""},
		{marking(red1, `"definition_type":"tlp","definition":{"tlp":"red"}`), exchange.TLPRed, ""},
		{marking(own, `"definition_type":"TLP","definition":{"TLP":"TLP:AMBER+STRICT"}`), exchange.TLPAmberStrict, ""},
		{marking(own, ext(`,"tlp_2_0":"amber+strict"`)), exchange.TLPAmberStrict, ""},
		{marking(own, `"definition_type":"tlp","definition":{"tlp":"white"},`+ext(`,"tlp_2_0":"red"`)), exchange.TLPRed, stix.RuleTLP},
		{marking(own, `"definition_type":"tlp","definition":{"tlp":"beige"}`), exchange.TLPUnset, stix.RuleTLP},
		{marking(own, `"definition_type":"tlp","definition":{}`), exchange.TLPUnset, stix.RuleTLP},
		{marking(own, ext(`,"tlp_2_0":7`)), exchange.TLPUnset, stix.RuleTLP},
		{marking(own, ext("")), exchange.TLPUnset, stix.RuleTLP},
		// A well-known id that says something else would loosen what refers to it.
		{marking(red1, `"definition_type":"tlp","definition":{"tlp":"white"}`), exchange.TLPClear, stix.RuleTLP},
		{marking(red1, `"definition_type":"statement","definition":{"statement":"x"}`), exchange.TLPUnset, stix.RuleTLP},
		{marking(strings.ToUpper(red1), `"definition_type":"tlp","definition":{"tlp":"green"}`), exchange.TLPGreen, stix.RuleTLP},
		{marking(clear2, ext(`,"tlp_2_0":"clear"`)), exchange.TLPClear, ""},
		{marking(clear2, ext(`,"tlp_2_0":"green"`)), exchange.TLPGreen, stix.RuleTLP},
		{marking(own, `"name":"x"`), exchange.TLPUnset, stix.RuleRequired},
		{marking(own, `"definition_type":"tlp"`), exchange.TLPUnset, stix.RuleRequired},
		{sdo("identity", `"name":"a","definition_type":"tlp","definition":{"tlp":"red"}`), exchange.TLPUnset, ""},
	} {
		got, ps := stix.ParseObject([]byte(c.object))
		fault := ""
		if len(ps) > 0 {
			fault = ps[0].Code
		}
		if got.DefinesTLP != c.want || fault != c.fault {
			t.Errorf("%s\n\tdefines %v with %q %v; want %v, %q", c.object, got.DefinesTLP, fault, ps, c.want, c.fault)
		}
	}
	for l := exchange.TLPClear; l <= exchange.TLPRed; l++ {
		if got, ps := stix.ParseObject([]byte(stixtest.MarkingObject(l))); got.DefinesTLP != l || len(ps) > 0 {
			t.Errorf("the generated object of %v reads as %v, %v", l, got.DefinesTLP, ps)
		}
	}
}

func TestParseTime(t *testing.T) {
	for in, want := range map[string]int64{
		"1970-01-01T00:00:00Z": 0, "1970-01-01T00:00:00.000001Z": 1, "1969-12-31T23:59:59.999999Z": -1,
		"2000-02-29T12:00:00Z": 951825600_000000, "2100-03-01T00:00:00Z": 4107542400_000000,
		"2026-11-21T20:00:00.123456789Z": 1795291200_123456, "2016-12-31T23:59:60Z": 1483228800_000000,
		"0000-01-01T00:00:00Z": -62167219200_000000, "9999-12-31T23:59:59.999999Z": 253402300799_999999,
	} {
		if got, ok := stix.ParseTime([]byte(in)); !ok || got != want {
			t.Errorf("ParseTime(%s) = %d, %v; want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{
		"", "Z", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00", "2026-1-01T00:00:00Z", "2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2100-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00.5 Z",
	} {
		if got, ok := stix.ParseTime([]byte(in)); ok {
			t.Errorf("ParseTime(%s) = %d, want none", in, got)
		}
	}
}

// The examples of STIX 2.1 §6.8 and §2.9 have these identifiers.
func TestObservableID(t *testing.T) {
	k := stix.NewChecker(stix.Options{})
	for in, want := range map[string]string{
		`{"type":"ipv4-addr","value":"198.51.100.3"}`:                      "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4",
		`{"type":"ipv4-addr","spec_version":"2.1","value":"198.51.100.3"}`: "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4",
		`{"type":"process","pid":1}`:                                       "",
		`{"type":"tool","name":"a"}`:                                       "",
		`{"type":"x-own","value":"a"}`:                                     "",
		`{"type":"ipv4-addr"}`:                                             "",
		`7`:                                                                "",
	} {
		if got := k.ObservableID([]byte(in)); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}
