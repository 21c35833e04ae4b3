package exchange

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// paths returns the paths of the problems, in order.
func paths(ps []Problem) []string {
	var out []string
	for _, p := range ps {
		out = append(out, p.Path)
	}
	return out
}

// TestMissingFieldsAreNamed is the refusing half of AT-01: each required field
// left out of a complete charter is refused under its own name, and nothing
// else is.
func TestMissingFieldsAreNamed(t *testing.T) {
	tests := map[string]func(*Charter){
		"id":                  func(c *Charter) { c.ID = "" },
		"title":               func(c *Charter) { c.Title = "" },
		"outcome":             func(c *Charter) { c.Outcome = " \n" },
		"owner":               func(c *Charter) { c.Owner = "" },
		"beneficiaries":       func(c *Charter) { c.Beneficiaries = nil },
		"information_types":   func(c *Charter) { c.InformationTypes = nil },
		"review_date":         func(c *Charter) { c.Review = Date{} },
		"sunset_date":         func(c *Charter) { c.Sunset = Date{} },
		"measure":             func(c *Charter) { c.Measures = nil },
		"measure[0].id":       func(c *Charter) { c.Measures[0].ID = "" },
		"measure[0].target":   func(c *Charter) { c.Measures[0].Target = Target{} },
		"measure[0].by":       func(c *Charter) { c.Measures[0].By = Date{} },
		"calendar.zone":       func(c *Charter) { c.Calendar = Calendar{} },
		"content_classes":     func(c *Charter) { c.ContentClasses, c.Rules = nil, nil },
		"cohort":              func(c *Charter) { c.Cohorts, c.Rules = nil, nil },
		"cohort[0].id":        func(c *Charter) { c.Cohorts[0].ID = "" },
		"cohort[0].title":     func(c *Charter) { c.Cohorts[0].Title = "" },
		"cohort[1].rule":      func(c *Charter) { c.Cohorts[1].Rule = Rule{} },
		"rule[0].class":       func(c *Charter) { c.Rules[0].Class = "" },
		"rule[0].cohort":      func(c *Charter) { c.Rules[0].Cohort = "" },
		"agreement.version":   func(c *Charter) { c.Agreement.Version = 0 },
		"agreement.title":     func(c *Charter) { c.Agreement.Title = "" },
		"agreement.text":      func(c *Charter) { c.Agreement.Text = "" },
		"agreement.effective": func(c *Charter) { c.Agreement.Effective = Date{} },
		"handling.tlp":        func(c *Charter) { c.Handling.TLP = TLPUnset },
		"handling.pap":        func(c *Charter) { c.Handling.PAP = PAPUnset },
	}
	for field, remove := range tests {
		t.Run(field, func(t *testing.T) {
			c := mustCharter(t, goodCharter)
			remove(&c)
			ps := c.Check(charterNow)
			if diff := cmp.Diff([]string{field}, paths(ps)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			if !strings.HasPrefix(ps[0].Message, "missing") {
				t.Errorf("message: %s", ps[0].Message)
			}
		})
	}
	// An empty charter lists everything at once.
	want := []string{
		"id", "title", "outcome", "owner", "beneficiaries", "information_types", "review_date", "sunset_date", "measure", "calendar.zone",
		"content_classes", "cohort", "agreement.version", "agreement.title", "agreement.text", "agreement.effective", "handling.tlp", "handling.pap",
	}
	if diff := cmp.Diff(want, paths(Charter{}.Check(charterNow))); diff != "" {
		t.Errorf("empty charter (-want +got):\n%s", diff)
	}
}

func TestCheckRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Charter)
		want   []string // each problem, by its beginning
	}{
		{"volume as lead", func(c *Charter) { c.Measures[0].ID = "indicators" }, []string{"measure[0].id: indicators counts volume"}},
		{"volume at all", func(c *Charter) { c.Measures[1].ID = "logins" }, []string{`measure[1].id: unknown measure "logins"; choose from lead-time`}},
		{"misspelt measure", func(c *Charter) { c.Measures[0].ID = "coverage-48" }, []string{`measure[0].id: unknown measure "coverage-48"; did you mean "coverage-48h"?`}},
		{"same measure twice", func(c *Charter) { c.Measures[1] = c.Measures[0] }, []string{"measure[1].id: coverage-at-release stands there twice"}},
		{"no lead", func(c *Charter) { c.Measures[0].Lead = false }, []string{"measure: missing: at least one measure with lead"}},
		{"four leads", func(c *Charter) {
			for _, id := range []MeasureID{Coverage24h, Coverage48h, UseRate} {
				c.Measures = append(c.Measures, Measure{id, Target{false, 50, "%"}, Date{2027, 1, 1}, true})
			}
		}, []string{"measure: 4 lead measures"}},
		{"share in hours", func(c *Charter) { c.Measures[0].Target.Unit = "h" }, []string{"measure[0].target: coverage-at-release is a share"}},
		{"time in percent", func(c *Charter) { c.Measures[1].Target.Unit = "%" }, []string{"measure[1].target: time-to-protection is a span of time"}},
		{"wrong way", func(c *Charter) { c.Measures[1].Target.AtMost = false }, []string{"measure[1].target: >=48h points the wrong way: time-to-protection is better when it is lower"}},
		{"more than all", func(c *Charter) { c.Measures[0].Target.Value = 101 }, []string{"measure[0].target: >=101% is not between 0 and 100"}},
		{"target after sunset", func(c *Charter) { c.Measures[0].By = Date{2028, 1, 1} }, []string{"measure[0].by: 2028-01-01 is after the sunset"}},
		{"review after sunset", func(c *Charter) { c.Review = Date{2028, 1, 1} }, []string{"review_date: 2028-01-01 is after the sunset on 2027-12-31"}},
		{"both passed", func(c *Charter) {
			c.Review, c.Sunset, c.Measures = Date{2026, 11, 19}, Date{2026, 11, 20}, c.Measures[:1]
			c.Measures[0].By = Date{2026, 11, 20}
		}, []string{"review_date: 2026-11-19 has passed", "sunset_date: 2026-11-20 has passed"}},
		{"last day", func(c *Charter) {
			c.Review, c.Sunset, c.Measures = Date{2026, 11, 21}, Date{2026, 11, 21}, c.Measures[:1]
			c.Measures[0].By = Date{2026, 11, 20}
		}, nil},
		{"unknown information type", func(c *Charter) { c.InformationTypes[0] = "vulnerabilities" }, []string{`information_types[0]: unknown value "vulnerabilities"; did you mean "vulnerability"?`}},
		{"blank beneficiary", func(c *Charter) { c.Beneficiaries[1] = " " }, []string{"beneficiaries[1]: missing"}},
		{"ids", func(c *Charter) { c.ID, c.Owner = "Early!", "a b" }, []string{`id: "Early!" is not a short name`, `owner: "a b" is not`}},
		{"unknown class", func(c *Charter) { c.ContentClasses[0] = "sample" }, []string{`content_classes[0]: unknown value "sample"; did you mean "samples"?`}},
		{"class twice", func(c *Charter) { c.ContentClasses[0] = Summary }, []string{"content_classes[1]: summary stands there twice"}},
		{"public declared", func(c *Charter) { c.Cohorts[0].ID = PublicCohort }, []string{"cohort[0].id: public is built in"}},
		{"cohort twice", func(c *Charter) { c.Cohorts[0].ID = "early" }, []string{"cohort[1].id: early stands there twice"}},
		{"cap below zero", func(c *Charter) { c.Cohorts[0].MaxMembers = -1 }, []string{"cohort[0].max_members: -1 is negative"}},
		{"default with rule", func(c *Charter) { c.Cohorts[2].Rule = c.Cohorts[1].Rule }, []string{"cohort[2].rule: a default cohort"}},
		{"default not last", func(c *Charter) { c.Cohorts[1], c.Cohorts[2] = c.Cohorts[2], c.Cohorts[1] }, []string{"cohort[1].default: the default cohort stands last"}},
		{"terms", func(c *Charter) {
			c.Cohorts[0].Rule = Rule{Terms{Jurisdictions: []string{"de"}, Sectors: []string{""}, MemberForDays: -1}, Terms{Organisations: []OrgID{"A"}}}
		}, []string{`cohort[0].rule.jurisdictions[0]: "de" is not a country code`, "cohort[0].rule.sectors[0]: missing", "cohort[0].rule.member_for_days: -1", `cohort[0].rule.not.organisations[0]: "A"`}},
		{"rule to unknown cohort", func(c *Charter) { c.Rules[0].Cohort = "erly" }, []string{`rule[0].cohort: unknown cohort "erly"; did you mean "early"?`}},
		{"rule with unknown class", func(c *Charter) { c.Rules[0].Class = "exploit" }, []string{`rule[0].class: unknown content class "exploit"`}},
		{"rule with a class not used", func(c *Charter) { c.Rules[0].Class = RootCause }, []string{"rule[0].class: root-cause is not among the program's content_classes"}},
		{"same rule twice", func(c *Charter) { c.Rules[1] = c.Rules[0] }, []string{"rule[1]: detection-guidance to early is already given by rule[0]"}},
		{"public before T0", func(c *Charter) { c.Rules[1].At = mustOffset("T0-1m") }, []string{"rule[1].at: T0-1m would publish summary before the release"}},
		{"unknown obligation", func(c *Charter) { c.Agreement.Obligations[0] = "be-nice" }, []string{`agreement.obligations[0]: unknown value "be-nice"`}},
		{"default clear", func(c *Charter) { c.Handling.TLP = TLPClear }, []string{"handling.tlp: TLP:CLEAR cannot be the default"}},
		{"default red", func(c *Charter) { c.Handling.TLP = TLPRed }, []string{"handling.tlp: TLP:RED cannot be the default"}},
		{"writing cohorts", func(c *Charter) {
			c.Contributions = Contributions{[]CohortID{"erly", "early", "public", "early"}, []CohortID{"standard", "standard", "public"}}
		}, []string{
			`contributions.from[0]: unknown cohort "erly"; did you mean "early"?`, "contributions.from[2]: public is everyone", "contributions.from[3]: early stands there twice",
			"contributions.to[1]: standard stands there twice", "contributions.to[2]: public is everyone",
		}},
		{"nobody writes what some read", func(c *Charter) { c.Contributions.To = []CohortID{"early"} }, []string{"contributions.from: missing: the cohorts whose members write"}},
		{"a drop box", func(c *Charter) { c.Contributions.From = []CohortID{"standard"} }, nil},
		{"a community without releases", func(c *Charter) {
			c.ContentClasses, c.Rules = nil, nil
			c.Contributions = Contributions{[]CohortID{"early", "standard"}, []CohortID{"early", "standard"}}
		}, nil},
		{"a community without outcome and measure", func(c *Charter) {
			c.ContentClasses, c.Rules, c.Outcome, c.Measures = nil, nil, "", nil
			c.Contributions = Contributions{[]CohortID{"early"}, []CohortID{"early"}}
		}, []string{"outcome: missing", "measure: missing"}},
		{"handling country", func(c *Charter) { c.Handling.NotIn[0] = "XXX" }, []string{`handling.not_in[0]: "XXX" is not a country code`}},
		{"words out of closed lists", func(c *Charter) {
			c.CompelledDisclosure = CompelledDisclosure{[]ContentClass{"pocs"}, "later"}
			c.Approvals, c.Visibility = Approvals{6, []ContentClass{"x"}}, Visibility{MembersSee: "all"}
		}, []string{`compelled_disclosure.deny[0]: unknown value "pocs"; did you mean "poc"?`, `compelled_disclosure.others: unknown value "later"`, "approvals.default: 6 people", "approvals.two_person[0]: unknown", "visibility.members_see: unknown"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := mustCharter(t, goodCharter)
			tt.change(&c)
			got := lines(c.Check(charterNow))
			if len(got) != len(tt.want) {
				t.Fatalf("got %d problems, want %d: %q", len(got), len(tt.want), got)
			}
			for i, w := range tt.want {
				if !strings.HasPrefix(got[i], w) {
					t.Errorf("problem %d: %s\nwant %s", i, got[i], w)
				}
			}
		})
	}
}

func TestTargets(t *testing.T) {
	tests := []struct {
		in   string
		id   MeasureID
		want string
	}{
		{"90%", CoverageAtRelease, ">=90%"},
		{"48h", TimeToProtection, "<=48h"},
		{"48h", LeadTime, ">=48h"},
		{"10%", Silence, "<=10%"},
		{" ≥ 0h ", ReadinessMargin, ">=0h"},
		{">=-2.5d", ReadinessMargin, ">=-2.5d"},
		{"<=090m", TimeToProtection, "<=90m"},
		{"-0h", ReadinessMargin, ">=0h"},
	}
	for _, tt := range tests {
		got, err := ParseTarget(tt.in, tt.id)
		if err != nil || got.String() != tt.want {
			t.Errorf("%q = %s, %v; want %s", tt.in, got, err, tt.want)
		}
		if again, err := ParseTarget(got.String(), tt.id); err != nil || again != got {
			t.Errorf("%s read back: %v, %v", got, again, err)
		}
	}
	for _, in := range []string{"", "90", "%", "ninety%", "1e3h", "0x10h", ">90%", "90 percent", "NaN%", "9999999h", "1.23456h", "5w"} {
		if got, err := ParseTarget(in, UseRate); KindOf(err) != Invalid {
			t.Errorf("%q = %v, %v", in, got, err)
		}
	}
	share, span := Target{false, 29, "%"}, Target{true, 2, "d"}
	if !share.MetByRatio(29, 100) || share.MetByRatio(28, 100) || share.MetByRatio(0, 0) || share.MetByDuration(time.Hour) {
		t.Error("share")
	}
	if !span.MetByDuration(48*time.Hour) || span.MetByDuration(48*time.Hour+1) || span.MetByRatio(1, 1) {
		t.Error("span")
	}
}

func TestEveryMeasureIsDescribed(t *testing.T) {
	for _, m := range AllMeasures {
		if got, ok := m.ID.Info(); !ok || got != m || m.Title == "" || !strings.HasSuffix(m.Definition, ".") {
			t.Errorf("%s: %+v", m.ID, got)
		}
	}
	if _, ok := MeasureID("members").Info(); ok {
		t.Error("members is a measure")
	}
}
