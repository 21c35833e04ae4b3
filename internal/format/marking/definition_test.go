package marking_test

import (
	"crypto/sha1" //nolint:gosec // UUID version 5 is defined by it
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/marking"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const (
	tlp2 = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
	pap  = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b"
	iep  = "extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a"
	acs  = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"
	cui  = "extension-definition--dff17fb3-edcb-4f99-ad1b-4b751c95738a"
	octi = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"
)

func definition(members string) string {
	return `{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--00000001-1111-4111-8111-111111111111","created":"2027-01-01T00:00:00.000Z"` + members + `}`
}

func extended(id, members string) string {
	return definition(`,"extensions":{"` + id + `":{"extension_type":"property-extension"` + members + `}}`)
}

// The id of the own extension is derived from its name, and the other ids are
// those of the design.
func TestExtensionIDs(t *testing.T) {
	url := []byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	b := sha1.Sum(append(url, marking.ExtensionName...)) //nolint:gosec // see above
	b[6], b[8] = b[6]&0x0F|0x50, b[8]&0x3F|0x80
	want := fmt.Sprintf("extension-definition--%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
	if marking.Extension != want {
		t.Errorf("the extension is %s, its name makes %s", marking.Extension, want)
	}
	if _, ps := stix.ParseObject([]byte(extended(marking.Extension, `,"tlp":"TLP:RED"`))); len(ps) > 0 {
		t.Errorf("the extension is no valid STIX: %v", ps)
	}
}

func TestDefinitions(t *testing.T) {
	label := func(l exchange.TLP) exchange.Handling { return exchange.Handling{TLP: l} }
	action := func(p exchange.PAP) exchange.Handling { return exchange.Handling{PAP: p} }
	for name, c := range map[string]struct {
		raw  string
		want exchange.Handling
	}{
		"TLP 1":                  {definition(`,"definition_type":"tlp","definition":{"tlp":"white"}`), label(exchange.TLPClear)},
		"TLP 1 red":              {definition(`,"definition_type":"tlp","definition":{"TLP":"red"}`), label(exchange.TLPRed)},
		"TLP 2.0":                {extended(tlp2, `,"tlp_2_0":"amber+strict"`), label(exchange.TLPAmberStrict)},
		"TLP 2.0 with the name":  {strings.Replace(extended(tlp2, `,"tlp_2_0":"green"`), `,"ext`, `,"name":"TLP:GREEN","ext`, 1), label(exchange.TLPGreen)},
		"a name that is more":    {strings.Replace(extended(tlp2, `,"tlp_2_0":"green"`), `,"ext`, `,"name":"TLP:RED","ext`, 1), label(exchange.TLPRed)},
		"a statement":            {definition(`,"definition_type":"statement","definition":{"statement":" Copyright: x "}`), exchange.Handling{Statement: "Copyright: x"}},
		"a tag of MISP":          {definition(`,"definition_type":"statement","definition":{"statement":"tlp:amber"}`), label(exchange.TLPAmber)},
		"PAP, a tag of MISP":     {definition(`,"definition_type":"statement","definition":{"statement":"PAP:RED"}`), action(exchange.PAPRed)},
		"PAP as its extension":   {extended(pap, `,"pap":"amber"`), action(exchange.PAPAmber)},
		"PAP white":              {extended(pap, `,"pap":"white"`), action(exchange.PAPClear)},
		"PAP that nobody knows":  {extended(pap, `,"pap":"mauve"`), action(exchange.PAPRed)},
		"PAP by type":            {definition(`,"definition_type":"PAP","definition":{"PAP":"PAP:GREEN"}`), action(exchange.PAPGreen)},
		"PAP by name":            {definition(`,"definition_type":"PAP","name":"PAP:AMBER","definition":{}`), action(exchange.PAPAmber)},
		"PAP by name alone":      {definition(`,"name":"PAP:AMBER"`), action(exchange.PAPAmber)},
		"AMBER+STRICT, OpenCTI":  {definition(`,"definition_type":"statement","definition":{"statement":"custom"},"x_opencti_definition_type":"TLP","x_opencti_definition":"TLP:AMBER+STRICT"`), label(exchange.TLPAmberStrict)},
		"PAP, OpenCTI":           {definition(`,"definition_type":"statement","definition":{"statement":"custom"},"x_opencti_definition_type":"PAP","x_opencti_definition":"PAP:RED"`), action(exchange.PAPRed)},
		"an extension of others": {definition(`,"extensions":{"` + octi + `":{"extension_type":"property-extension","id":"x"},"` + tlp2 + `":{"extension_type":"property-extension","tlp_2_0":"red"}}`), label(exchange.TLPRed)},
		"two extensions":         {definition(`,"extensions":{"` + pap + `":{"pap":"red"},"` + tlp2 + `":{"tlp_2_0":"green"}}`), exchange.Handling{TLP: exchange.TLPGreen, PAP: exchange.PAPRed}},
		"IEP 2.0": {
			extended(iep, `,"iep_id":"p","iep_version":2.0,"tlp":"amber","encrypt_in_transit":"must","permitted_actions":"externally-visible-direct-actions","affected_party_notifications":"may","provider_attribution":"must-not","unmodified_resale":"must-not"`),
			exchange.Handling{
				TLP: exchange.TLPAmber, Encrypt: exchange.DutyStrict, Actions: exchange.ActionsDirect, Notify: exchange.DutyMay,
				Resale: exchange.DutyStrict, Attribution: exchange.AttributionMustNot, References: []string{"iep:p"},
			},
		},
		"IEP that has ended": {
			extended(iep, `,"iep_id":"p","iep_version":2.0,"tlp":"amber","permitted_actions":"none","end_date":"2026-05-31T12:00:00Z"`),
			exchange.Handling{TLP: exchange.TLPAmber, References: []string{"iep:p"}},
		},
	} {
		got := marking.Of([]byte(c.raw), now)
		if diff := cmp.Diff(marking.Meaning{Handling: c.want}, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestOwn(t *testing.T) {
	got := marking.Of([]byte(extended(marking.Extension, `,"tlp":"TLP:AMBER","pap":"PAP:RED","organisations":["a"," b "],"groups":["g"],"sectors":["energy"],
		"persons":["ana"],"purposes":["defence"],"not_organisations":["c"],"not_cohorts":["d"],"not_hats":["regulator"],"not_in":["de"],
		"from":"2026-07-01T00:00:00+02:00","expires":"2026-08-01T00:00:00.0000009Z","statement":"s","permitted_actions":"none","encrypt_in_transit":"must",
		"affected_party_notifications":"must-not","unmodified_resale":"must-not","attribution":"must"`)), now)
	want := marking.Meaning{Handling: exchange.Handling{
		TLP: exchange.TLPAmber, PAP: exchange.PAPRed, Organisations: []exchange.OrgID{"a", "b"}, Groups: []exchange.GroupID{"g"}, Sectors: []string{"energy"},
		Persons: []exchange.PersonID{"ana"}, Purposes: []string{"defence"}, NotOrgs: []exchange.OrgID{"c"}, NotCohorts: []exchange.CohortID{"d"},
		NotHats: []string{"regulator"}, NotIn: []string{"de"}, From: time.Date(2026, 6, 30, 22, 0, 0, 0, time.UTC), Expires: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC),
		Statement: "s", Actions: exchange.ActionsNone, Encrypt: exchange.DutyStrict, Notify: exchange.DutyStrict, Resale: exchange.DutyStrict, Attribution: exchange.AttributionMust,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// What is not understood, wholly or in part, holds; it is never "no restriction".
func TestHeld(t *testing.T) {
	for name, raw := range map[string]string{
		"no JSON":                     "{",
		"another object":              `{"type":"identity"}`,
		"nothing":                     definition(``),
		"a name that says nothing":    definition(`,"name":"internal"`),
		"a definition without a type": definition(`,"definition":{"tlp":"red"}`),
		"another type":                definition(`,"definition_type":"clearance","definition":{"level":"secret"}`),
		"a label that nobody knows":   definition(`,"definition_type":"tlp","definition":{"tlp":"mauve"}`),
		"TLP as a tag, unknown":       definition(`,"definition_type":"statement","definition":{"statement":"tlp:ex:chr"}`),
		"an empty label":              extended(tlp2, `,"tlp_2_0":""`),
		"two labels":                  extended(tlp2, `,"tlp_2_0":"red","TLP_2_0":"green"`),
		"a statement without a text":  definition(`,"definition_type":"statement","definition":{}`),
		"a statement that is long":    definition(`,"definition_type":"statement","definition":{"statement":"` + strings.Repeat("s", marking.MaxStatement+1) + `"}`),
		"ACS":                         extended(acs, `,"name":"x"`),
		"CUI beside a label":          definition(`,"extensions":{"` + cui + `":{},"` + tlp2 + `":{"tlp_2_0":"green"}}`),
		"an IEP reference":            extended(iep, `,"id_ref":"p","url":"https://e.example/p","iep_version":"2.0"`),
		"IEP with another member":     extended(iep, `,"iep_id":"p","iep_version":"2.0","tlp":"green","audience":"x"`),
		"IEP with another label":      extended(iep, `,"iep_id":"p","iep_version":"2.0","tlp":"mauve"`),
		"OpenCTI, another type":       definition(`,"definition_type":"statement","definition":{"statement":"custom"},"x_opencti_definition_type":"clearance","x_opencti_definition":"secret"`),
		"OpenCTI without a type":      definition(`,"x_opencti_definition":"secret"`),
		"own, empty":                  extended(marking.Extension, ``),
		"own, an unknown member":      extended(marking.Extension, `,"tlp":"TLP:RED","countries":["de"]`),
		"own, an empty list":          extended(marking.Extension, `,"tlp":"TLP:RED","organisations":[]`),
		"own, an empty name":          extended(marking.Extension, `,"organisations":[""]`),
		"own, nobody as a name":       extended(marking.Extension, `,"persons":["-"]`),
		"own, no instant":             extended(marking.Extension, `,"expires":"tomorrow"`),
		"own, no label":               extended(marking.Extension, `,"tlp":"TLP:MAUVE"`),
		"own, no action":              extended(marking.Extension, `,"permitted_actions":"dance"`),
	} {
		if m := marking.Of([]byte(raw), now); !m.Held {
			t.Errorf("%s is understood as %+v", name, m.Handling)
		}
	}
}

func TestNames(t *testing.T) {
	names := marking.Names{
		Charter: exchange.Charter{
			Groups: []exchange.SharingGroup{{ID: "g"}}, Cohorts: []exchange.Cohort{{ID: "partners"}},
		},
		Organisation: func(id exchange.OrgID) (bool, error) { return id == "known", nil },
		Person: func(name string) (exchange.PersonID, bool, error) {
			return "per_ana", name == "ana", nil
		},
	}
	for name, c := range map[string]struct {
		h    exchange.Handling
		held bool
		want exchange.Handling
	}{
		"an allow-list may name whom nobody knows": {
			exchange.Handling{Organisations: []exchange.OrgID{"who", "known"}, Persons: []exchange.PersonID{"nobody-knows", "ana"}, Sectors: []string{"x"}},
			false,
			exchange.Handling{Organisations: []exchange.OrgID{"known", "who"}, Persons: []exchange.PersonID{"nobody-knows", "per_ana"}, Sectors: []string{"x"}},
		},
		"an exclusion names a known one": {
			exchange.Handling{NotOrgs: []exchange.OrgID{"known"}, NotCohorts: []exchange.CohortID{"partners"}, NotIn: []string{"de"}, Groups: []exchange.GroupID{"g"}},
			false,
			exchange.Handling{NotOrgs: []exchange.OrgID{"known"}, NotCohorts: []exchange.CohortID{"partners"}, NotIn: []string{"DE"}, Groups: []exchange.GroupID{"g"}},
		},
		"an exclusion of whom nobody knows": {h: exchange.Handling{NotOrgs: []exchange.OrgID{"known", "who"}}, held: true},
		"a group that nobody knows":         {h: exchange.Handling{Groups: []exchange.GroupID{"g", "h"}}, held: true},
		"a cohort that nobody knows":        {h: exchange.Handling{NotCohorts: []exchange.CohortID{"x"}}, held: true},
		"no country":                        {h: exchange.Handling{NotIn: []string{"Germany"}}, held: true},
	} {
		got, err := names.Settle(marking.Meaning{Handling: c.h})
		if err != nil || got.Held != c.held {
			t.Errorf("%s: held %v, %v", name, got.Held, err)
		}
		if diff := cmp.Diff(c.want, got.Handling); !c.held && diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

// FuzzOf compares the definition with itself under an unknown extension, which
// always holds, and asks that nothing panics.
func FuzzOf(f *testing.F) {
	for _, s := range []string{
		definition(`,"definition_type":"tlp","definition":{"tlp":"red"}`), extended(marking.Extension, `,"tlp":"TLP:RED","organisations":["a"]`),
		extended(iep, `,"iep_id":"p","iep_version":2,"tlp":"green"`), extended(pap, `,"pap":"red"`), definition(`,"name":"PAP:AMBER"`), definition(""),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m := marking.Of(in, now)
		later := marking.Of(in, now.AddDate(100, 0, 0))
		if later.Handling.TLP != m.Handling.TLP || later.Held != m.Held {
			t.Fatalf("time changes %+v to %+v", m, later)
		}
		if !m.Held && cmp.Equal(m.Handling, exchange.Handling{}) {
			t.Fatal("understood, and nothing is asked")
		}
		if len(m.Handling.Statement) > 2*marking.MaxStatement+1 {
			t.Fatalf("a statement of %d bytes", len(m.Handling.Statement))
		}
	})
}
