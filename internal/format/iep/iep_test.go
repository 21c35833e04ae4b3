package iep_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/iep"
)

const policy = `{"id":"0224bfdf-ea3a-49c3-96f6-66d908bb1845","name":"P","description":"d","iep_version":"2.0",
 "start_date":"2026-01-01T00:00:00Z","end_date":null,"encrypt_in_transit":"must","permitted_actions":"contact-for-instruction",
 "affected_party_notifications":"must-not","tlp":"amber","attribution":"must","unmodified_resale":"may","external_references":["https://e.example/p"]}`

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func one(t *testing.T, text string) iep.Policy {
	t.Helper()
	d, err := iep.Parse([]byte(text))
	if err != nil || len(d.Policies) != 1 || len(d.References) != 0 {
		t.Fatalf("%+v, %v; want one policy", d, err)
	}
	return d.Policies[0]
}

func TestPolicy(t *testing.T) {
	want := exchange.Handling{
		TLP: exchange.TLPAmber, Actions: exchange.ActionsContact, Encrypt: exchange.DutyStrict, Notify: exchange.DutyStrict,
		Resale: exchange.DutyMay, Attribution: exchange.AttributionMust,
		References: []string{"https://e.example/p", "iep:0224bfdf-ea3a-49c3-96f6-66d908bb1845"},
	}
	for name, text := range map[string]string{"alone": policy, "in a list": "[" + policy + "]", "in a file": ` {"policies":[` + policy + "]} "} {
		got, ok := one(t, text).Handling(now)
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("%s: %v\n%s", name, ok, diff)
		}
	}
}

// Vector (m) of the combination table: what has ended keeps its label and
// nothing else, from the instant of its end on.
func TestEnded(t *testing.T) {
	p := one(t, strings.Replace(policy, "null", `"2026-06-01T12:00:00Z"`, 1))
	got, ok := p.Handling(now)
	want := exchange.Handling{TLP: exchange.TLPAmber, References: got.References}
	if diff := cmp.Diff(want, got); diff != "" || !ok || len(got.References) != 2 {
		t.Errorf("%v\n%s", ok, diff)
	}
	if got, _ := p.Handling(now.Add(-time.Microsecond)); got.Actions != exchange.ActionsContact {
		t.Errorf("before its end it permits %v", got.Actions)
	}
}

// A value that nobody knows is the strictest, a label that nobody knows holds.
func TestUnknownValues(t *testing.T) {
	p := one(t, `{"id":"x","iep_version":2.0,"tlp":"white","permitted_actions":"dance","encrypt_in_transit":"sometimes",
		"affected_party_notifications":"must","unmodified_resale":"must","provider_attribution":"perhaps"}`)
	got, ok := p.Handling(now)
	want := exchange.Handling{
		TLP: exchange.TLPClear, Actions: exchange.ActionsNone, Encrypt: exchange.DutyStrict, Notify: exchange.DutyStrict,
		Resale: exchange.DutyStrict, Attribution: exchange.AttributionMustNot, References: []string{"iep:x"},
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("%v\n%s", ok, diff)
	}
	p.TLP = "mauve"
	if h, ok := p.Handling(now); ok {
		t.Errorf("an unknown label is understood as %+v", h)
	}
}

func TestReference(t *testing.T) {
	d, err := iep.Parse([]byte(`[{"id_ref":"a","url":"https://e.example/x.iepj","iep_version":"2.0"},` + policy + `]`))
	want := []iep.Reference{{ID: "a", URL: "https://e.example/x.iepj", Version: "2.0"}}
	if diff := cmp.Diff(want, d.References); diff != "" || err != nil || len(d.Policies) != 1 {
		t.Errorf("%v, %d policies\n%s", err, len(d.Policies), diff)
	}
}

func TestRefused(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                 "",
		"no JSON":                 "{",
		"an empty list":           "[]",
		"an unknown member":       strings.Replace(policy, `"name"`, `"audience"`, 1),
		"a member twice":          strings.Replace(policy, `"name":"P"`, `"tlp":"red"`, 1),
		"another version":         strings.Replace(policy, `"2.0"`, `"3.0"`, 1),
		"no version":              strings.Replace(policy, `"iep_version":"2.0",`, ``, 1),
		"no id":                   strings.Replace(policy, `"id"`, `"description"`, 1),
		"no dimension":            `{"id":"a","iep_version":"2.0"}`,
		"a broken end":            strings.Replace(policy, "null", `"soon"`, 1),
		"two attributions":        strings.Replace(policy, `"attribution":"must"`, `"attribution":"must","provider_attribution":"may"`, 1),
		"one good and one faulty": "[" + policy + `,{}]`,
		"too large":               strings.Repeat(" ", iep.MaxBytes+1),
	} {
		if d, err := iep.Parse([]byte(text)); err == nil {
			t.Errorf("%s: read as %+v", name, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(policy))
	f.Add([]byte(`[{"id_ref":"a","iep_version":2}]`))
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := iep.Parse(in)
		if err != nil {
			return
		}
		if len(d.Policies)+len(d.References) == 0 {
			t.Fatal("nothing was read, and no error")
		}
		for _, p := range d.Policies {
			before, ok := p.Handling(now)
			p.End = now
			after, okAfter := p.Handling(now)
			if ok != okAfter || before.TLP != after.TLP {
				t.Fatalf("time loosens a label: %v, then %v", before.TLP, after.TLP)
			}
		}
	})
}
