package exchange

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	yes, no = true, false
	joined  = time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
	edr     = Attributes{
		Organisation: "acme-edr", Kind: "security-vendor", Hats: []string{"defender"}, Sectors: []string{"energy", "health"},
		Jurisdictions: []string{"DE", "FR"}, Regions: []string{"eu"}, Products: []string{"edr"},
		JoinedAt: joined, Now: joined.Add(90 * 24 * time.Hour),
	}
)

func TestRuleMatch(t *testing.T) {
	compelled := edr
	compelled.CompelledDisclosure = true
	young := edr
	young.Now = edr.Now.Add(-time.Second)
	tests := []struct {
		name string
		rule Rule
		a    Attributes
		want bool
		why  []string
	}{
		{"empty matches nobody", Rule{}, edr, false, nil},
		{"any of a list", Rule{Terms: Terms{Sectors: []string{"water", "Energy"}}}, edr, true, []string{"sector is water or Energy"}},
		{"all keys", Rule{Terms: Terms{Kinds: []string{"security-vendor"}, Regions: []string{"us"}, Hats: []string{"csirt"}}}, edr, false, []string{"hat is csirt", "region is us"}},
		{"products and organisation", Rule{Terms: Terms{Products: []string{"edr"}, Organisations: []OrgID{"acme-edr"}}}, edr, true, []string{"product is edr", "organisation is acme-edr"}},
		{"other organisation", Rule{Terms: Terms{Organisations: []OrgID{"acme"}}}, edr, false, []string{"organisation is acme"}},
		{"no duty", Rule{Terms: Terms{CompelledDisclosure: &no}}, edr, true, []string{"no compelled-disclosure duty"}},
		{"no duty, but has one", Rule{Terms: Terms{CompelledDisclosure: &no}}, compelled, false, []string{"no compelled-disclosure duty"}},
		{"duty", Rule{Terms: Terms{CompelledDisclosure: &yes}}, compelled, true, []string{"a compelled-disclosure duty"}},
		{"not a duty", Rule{Not: Terms{CompelledDisclosure: &yes}}, compelled, false, []string{"no compelled-disclosure duty"}},
		{"90 days to the second", Rule{Terms: Terms{MemberForDays: 90}}, edr, true, []string{"member for at least 90 days"}},
		{"90 days less a second", Rule{Terms: Terms{MemberForDays: 90}}, young, false, []string{"member for at least 90 days"}},
		{"not yet a member", Rule{Terms: Terms{MemberForDays: 90}}, Attributes{Now: edr.Now}, false, []string{"member for at least 90 days"}},
		{"one of its jurisdictions excluded", Rule{Terms: Terms{Kinds: []string{"security-vendor"}}, Not: Terms{Jurisdictions: []string{"FR"}}}, edr, false, []string{"jurisdiction is not FR"}},
		{"none of several exclusions", Rule{Not: Terms{Jurisdictions: []string{"XX", "YY"}, Kinds: []string{"government"}}}, edr, true, []string{"kind is not government", "jurisdiction is none of XX, YY"}},
		{"one exclusion of two is enough", Rule{Not: Terms{Jurisdictions: []string{"XX"}, Kinds: []string{"security-vendor"}}}, edr, false, []string{"kind is not security-vendor"}},
		{"empty value matches no empty attribute", Rule{Terms: Terms{Kinds: []string{""}}}, Attributes{}, false, []string{"kind is "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, why := tt.rule.Match(tt.a)
			if diff := cmp.Diff(tt.why, why); got != tt.want || diff != "" {
				t.Errorf("match = %t, want %t; reasons (-want +got):\n%s", got, tt.want, diff)
			}
		})
	}
}

func TestRuleInWords(t *testing.T) {
	r := Rule{
		Terms: Terms{Kinds: []string{"security-vendor"}, Sectors: []string{"energy", "water"}, CompelledDisclosure: &no},
		Not:   Terms{Jurisdictions: []string{"XX"}, MemberForDays: 30},
	}
	const want = "kind is security-vendor, and sector is energy or water, and no compelled-disclosure duty, and jurisdiction is not XX, and member for less than 30 days"
	if got := r.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCohortOfTakesTheFirst(t *testing.T) {
	c := Charter{Cohorts: []Cohort{
		{ID: "validate", Rule: Rule{Terms: Terms{Organisations: []OrgID{"acme-edr"}}}},
		{ID: "early", Rule: Rule{Terms: Terms{Kinds: []string{"security-vendor"}}}},
	}}
	tests := []struct {
		name string
		a    Attributes
		want Audience
	}{
		{"both match", edr, Audience{Cohort: "validate"}},
		{"second", Attributes{Organisation: "x", Kind: "security-vendor", CompelledDisclosure: true}, Audience{"early", true}},
		{"none", Attributes{Organisation: "x", Kind: "operator", CompelledDisclosure: true}, Audience{}},
	}
	for _, tt := range tests {
		if got, _ := c.AudienceOf(tt.a); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	c.Cohorts = append(c.Cohorts, Cohort{ID: "standard", Default: true})
	if got, why := c.AudienceOf(tests[2].a); got.String() != "standard!compelled" || cmp.Diff([]string{"every other member"}, why) != "" {
		t.Errorf("default cohort: %s %q", got, why)
	}
}

func TestAudienceKeys(t *testing.T) {
	for _, a := range []Audience{{}, PublicAudience, {"early", false}, {"early", true}} {
		if got, err := ParseAudience(a.String()); err != nil || got != a {
			t.Errorf("%q: %v, %v", a, got, err)
		}
	}
	for _, s := range []string{"!compelled", "public!compelled", "Early", "early!", "early!compelled!compelled", "a b"} {
		if a, err := ParseAudience(s); KindOf(err) != Invalid {
			t.Errorf("ParseAudience(%q) = %v, %v", s, a, err)
		}
	}
}
