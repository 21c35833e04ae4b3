package exchange

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const goodCharter = `
id = "early-protection"
title = "Early protection"
outcome = "Customers of the members are protected before attackers can study the fix."
owner = "example-psirt"
beneficiaries = ["customers of members", "operators of essential services"]
information_types = ["vulnerability", "mitigation"]
out_of_scope = ["personal data"]
review_date = 2027-03-31
sunset_date = "2027-12-31" # in quotes is fine, too
content_classes = ["advance-note", "summary", "detection-guidance", "poc"]

[[measure]]
id = "coverage-at-release"
target = "60%"
by = 2027-06-30
lead = true

[[measure]]
id = "time-to-protection"
target = "48h"
by = 2027-06-30

[calendar]
zone = "Europe/Berlin"
holidays = [
  { date = 2026-12-25, name = "Christmas Day" },
  { date = "2027-01-01", name = "New Year" },
]

[[cohort]]
id = "validate"
title = "Validate partners"
max_members = 5
[cohort.rule]
organisations = ["acme-edr"]
compelled_disclosure = false
member_for_days = 90
[cohort.rule.not]
jurisdictions = ["XX"]

[[cohort]]
id = "early"
title = "Early protection"
[cohort.rule]
kind = ["security-vendor"]

[[cohort]]
id = "standard"
title = "All other members"
default = true

[[rule]]
class = "detection-guidance"
cohort = "early"
at = "T0-1bd"

[[rule]]
class = "summary"
cohort = "public"
at = "T0"

[agreement]
version = 2
title = "Early protection agreement"
effective = 2026-01-01
obligations = ["publish-not-before", "feedback-duty"]
text = """
# Terms

Keep it to yourself "until" T0 \\ or else.
"""

[handling]
tlp = "TLP:AMBER+STRICT"
pap = "amber"
not_in = ["XX"]

[compelled_disclosure]
deny = ["poc", "repro-steps"]
others = "at-release"

[approvals]
default = 1
two_person = ["samples"]

[visibility]
members_see = "counts"
`

const communityTable = "[contributions]\nfrom = [\"early\", \"standard\"]\nto = [\"early\"]\n"

// What policies hold of quotes, backslashes, line ends and the like comes back.
const (
	policyKeys = "policies = \"\"\"\n@id(\"a\\\\u{e9}\")\r\n\tforbid(principal, action, resource) when { principal.id like \"a\\\\*b\" }; // '''é'\n\n\"\"\"\n" +
		"purposes = [\"assist\"]\ncounts_for = [\"another\"]\n"
	policyTables = `
[[policy_test]]
name = "all of it, in 'one' case"
action = "read"
expect = "permit"
organisation = "alpha"
kind = "cert"
hats = ["csirt"]
sectors = ["energy"]
jurisdictions = ["DE"]
regions = ["eu"]
products = ["edr"]
compelled_disclosure = true
client = true
cohort = "early"
groups = ["g"]
programs = ["p"]
hat = "csirt"
purpose = "assist"
channel = "taxii"
class = "poc"
tlp = "TLP:RED"
pap = "PAP:RED"
originators = ["beta"]
[[policy_test]]
name = "little"
action = "enter"
expect = "forbid"
cohort = "early"
`
)

func policyCharter() string {
	return strings.Replace(goodCharter, "id = ", policyKeys+"id = ", 1) + policyTables
}

func TestPolicyKeys(t *testing.T) {
	c := mustCharter(t, policyCharter())
	if ps := c.Check(charterNow); len(ps) > 0 {
		t.Errorf("refused: %q", lines(ps))
	}
	var changed []string
	for _, d := range Diff(mustCharter(t, goodCharter), c) {
		path, _, _ := strings.Cut(d.Path, "[")
		changed = append(changed, path)
	}
	if diff := cmp.Diff([]string{"counts_for", "policies", "policy_test", "purposes"}, slices.Compact(changed)); diff != "" {
		t.Error(diff)
	}
	for name, edit := range map[string]func(*Charter){
		"policies":               func(c *Charter) { c.Policies = strings.Repeat(" ", MaxPolicyBytes+1) },
		"purposes[0]":            func(c *Charter) { c.Purposes = []string{"To Assist"} },
		"counts_for[0]":          func(c *Charter) { c.CountsFor = []ProgramID{"a b"} },
		"policy_test":            func(c *Charter) { c.PolicyTests = make([]PolicyTest, 501) },
		"policy_test[1].name":    func(c *Charter) { c.PolicyTests[1].Name = c.PolicyTests[0].Name },
		"policy_test[1].action":  func(c *Charter) { c.PolicyTests[1].Action = "write" },
		"policy_test[1].expect":  func(c *Charter) { c.PolicyTests[1].Expect = "" },
		"policy_test[1].cohort":  func(c *Charter) { c.PolicyTests[1].Cohort = "" },
		"policy_test[0].cohort":  func(c *Charter) { c.PolicyTests[0].Cohort = "nobody" },
		"policy_test[0].class":   func(c *Charter) { c.PolicyTests[0].Class = "gossip" },
		"policy_test[0].tlp":     func(c *Charter) { c.PolicyTests[0].TLP = "TLP:PINK" },
		"policy_test[0].pap":     func(c *Charter) { c.PolicyTests[0].PAP = "PAP:PINK" },
		"policy_test[0].channel": func(c *Charter) { c.PolicyTests[0].Channel = "mail" },
		"cohort[0].by_policy":    func(c *Charter) { c.Cohorts[0].ByPolicy, c.Policies = true, "" },
	} {
		bad := c
		bad.PolicyTests, bad.Cohorts = slices.Clone(c.PolicyTests), slices.Clone(c.Cohorts)
		edit(&bad)
		if ps := bad.Check(charterNow); len(ps) != 1 || ps[0].Path != name {
			t.Errorf("%s: %q", name, lines(ps))
		}
	}
}

func TestContributions(t *testing.T) {
	c := mustCharter(t, goodCharter+communityTable)
	if diff := cmp.Diff(Contributions{[]CohortID{"early", "standard"}, []CohortID{"early"}}, c.Contributions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if ps := c.Check(charterNow); len(ps) > 0 {
		t.Errorf("refused: %q", lines(ps))
	}
	// validate neither writes nor is named: it reads, as everybody whom nothing
	// says otherwise of. standard writes and is given nothing.
	for cohort, want := range map[CohortID][2]bool{"validate": {false, true}, "early": {true, true}, "standard": {true, false}, "": {false, false}} {
		if got := [2]bool{c.MayWrite(cohort), c.MayRead(cohort)}; got != want {
			t.Errorf("%q writes, reads: %v, want %v", cohort, got, want)
		}
	}
	c.Rules = append(c.Rules, PlanRule{Summary, "standard", mustOffset("T0")})
	if !c.MayRead("standard") {
		t.Error("a cohort to which a rule gives something does not read")
	}
	want := []Change{{"contributions.from", "", "early, standard"}, {"contributions.to", "", "early"}}
	if diff := cmp.Diff(want, Diff(mustCharter(t, goodCharter), mustCharter(t, goodCharter+communityTable))); diff != "" {
		t.Errorf("who gains (-want +got):\n%s", diff)
	}
}

func mustCharter(t testing.TB, text string) Charter {
	t.Helper()
	c, err := ParseCharter([]byte(text))
	if err != nil {
		t.Fatal(err, problemsOf(err))
	}
	return c
}

func problemsOf(err error) []string {
	var e *Error
	if !errors.As(err, &e) {
		return nil
	}
	return lines(e.Problems)
}

func lines(ps []Problem) []string {
	var out []string
	for _, p := range ps {
		out = append(out, p.String())
	}
	return out
}

var charterNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestParseCharter(t *testing.T) {
	c := mustCharter(t, goodCharter)
	if ps := c.Check(charterNow); len(ps) > 0 {
		t.Errorf("a complete charter is refused: %q", lines(ps))
	}
	want := Charter{
		ID: "early-protection", Title: "Early protection", Owner: "example-psirt",
		Outcome:          "Customers of the members are protected before attackers can study the fix.",
		Beneficiaries:    []string{"customers of members", "operators of essential services"},
		InformationTypes: []string{"vulnerability", "mitigation"}, OutOfScope: []string{"personal data"},
		Review: Date{2027, 3, 31}, Sunset: Date{2027, 12, 31},
		ContentClasses: []ContentClass{AdvanceNote, Summary, DetectionGuidance, PoC},
		Measures: []Measure{
			{CoverageAtRelease, Target{false, 60, "%"}, Date{2027, 6, 30}, true},
			{TimeToProtection, Target{true, 48, "h"}, Date{2027, 6, 30}, false},
		},
		Calendar: mustCalendar(t, "Europe/Berlin", nil, map[Date]string{{2026, 12, 25}: "Christmas Day", {2027, 1, 1}: "New Year"}),
		Cohorts: []Cohort{
			{ID: "validate", Title: "Validate partners", MaxMembers: 5, Rule: Rule{
				Terms: Terms{Organisations: []OrgID{"acme-edr"}, CompelledDisclosure: &no, MemberForDays: 90},
				Not:   Terms{Jurisdictions: []string{"XX"}},
			}},
			{ID: "early", Title: "Early protection", Rule: Rule{Terms: Terms{Kinds: []string{"security-vendor"}}}},
			{ID: "standard", Title: "All other members", Default: true},
		},
		Rules: []PlanRule{{DetectionGuidance, "early", mustOffset("T0-1bd")}, {Summary, PublicCohort, Offset{}}},
		Agreement: Agreement{
			Version: 2, Title: "Early protection agreement", Effective: Date{2026, 1, 1},
			Obligations: []Obligation{PublishNotBefore, FeedbackDuty},
			Text:        "# Terms\n\nKeep it to yourself \"until\" T0 \\ or else.\n",
		},
		Handling:            Handling{TLP: TLPAmberStrict, PAP: PAPAmber, NotIn: []string{"XX"}},
		CompelledDisclosure: CompelledDisclosure{[]ContentClass{PoC, ReproSteps}, OthersAtRelease},
		Approvals:           Approvals{1, []ContentClass{ReproSteps, PoC, Samples}},
		Visibility:          Visibility{SeeCounts, DefaultFloor},
	}
	if diff := cmp.Diff(want, c, offsets); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

var offsets = cmp.Comparer(func(a, b Offset) bool { return a == b })

func TestCharterRoundTrip(t *testing.T) {
	noWeekend := strings.Replace(goodCharter, "zone = ", "weekend = []\nzone = ", 1)
	ownWeekend := strings.Replace(goodCharter, "zone = ", "weekend = [\"sat\", \"Friday\"]\nzone = ", 1)
	for name, text := range map[string]string{
		"full": goodCharter, "empty": "", "draft": "id = \"x\"\n[[cohort]]\n[[measure]]\n[[rule]]\nat = \"never\"\n",
		"empty lists": "beneficiaries = []\n[agreement]\nobligations = []\n[[cohort]]\nrule = {kind = []}", "no weekend": noWeekend, "own weekend": ownWeekend,
		"policies":      policyCharter(),
		"contributions": goodCharter + communityTable, "nobody contributes": goodCharter + "[contributions]\nfrom = []\nto = []\n",
	} {
		c := mustCharter(t, text)
		out := c.TOML()
		again, err := ParseCharter(out)
		if err != nil {
			t.Fatalf("%s: %v %q\n%s", name, err, problemsOf(err), out)
		}
		if diff := cmp.Diff(c, again, offsets); diff != "" {
			t.Errorf("%s: changed by export (-before +after):\n%s\n%s", name, diff, out)
		}
		if diff := cmp.Diff(string(out), string(again.TOML())); diff != "" {
			t.Errorf("%s: not canonical:\n%s", name, diff)
		}
		if d := Diff(c, again); len(d) > 0 {
			t.Errorf("%s: differs from itself: %v", name, d)
		}
	}
	if c := mustCharter(t, noWeekend); c.Calendar.DayOff(charterNow) != "" { // a Saturday
		t.Error("weekend = [] still rests on Saturday")
	}
}

func TestParseCharterRefuses(t *testing.T) {
	replace := func(old, new string) string {
		if !strings.Contains(goodCharter, old) {
			t.Fatalf("the sample has no %q", old)
		}
		return strings.Replace(goodCharter, old, new, 1)
	}
	tests := []struct {
		name, text string
		want       []string // the start of each problem, in order
	}{
		{"unknown key", replace("outcome = ", "outcom = "), []string{`outcom: line 4: a charter has no such key; did you mean "outcome"?`, "outcome: missing"}},
		{"unknown key in a rule", replace("kind = ", "kinds = "), []string{`cohort.rule.kinds: line 46: a charter has no such key; did you mean "kind"?`, "cohort[1].rule: missing"}},
		{"unknown table", goodCharter + "[aproval]\n", []string{`aproval: line 89: a charter has no such key; did you mean "approvals"?`}},
		{"nothing near", goodCharter + "colour = 1\n", []string{"visibility.colour: line 89: a charter has no such key"}},
		{"wrong type", replace(`version = 2`, `version = "2"`), []string{"agreement.version: line 64: expected a whole number, found string"}},
		{"number for text", replace(`owner = "example-psirt"`, `owner = 7`), []string{"owner: line 5: expected text in quotes, found integer"}},
		{"text for a list", replace(`kind = ["security-vendor"]`, `kind = "security-vendor"`), []string{"cohort.rule.kind: line 46: expected a list of texts, found string"}},
		{"not TOML", "id = \n", []string{"charter: line 1, column"}},
		{"time for a date", replace("2027-03-31", "2027-03-31T10:00:00Z"), []string{"review_date: not a date"}},
		{
			"every fault at once",
			strings.NewReplacer(`"2027-12-31"`, `"2027-13-31"`, "Europe/Berlin", "Europe/Berln", `"T0-1bd"`, `"T0-1week"`, `"60%"`, `"most"`, "TLP:AMBER+STRICT", "TLP:PINK", "2026-12-25", "2027-01-01", `owner = "example-psirt"`, "").Replace(goodCharter),
			[]string{
				`sunset_date: "2027-13-31" is not a date`, "calendar.holidays[1].date: 2027-01-01 stands there twice", `calendar.zone: unknown time zone`,
				`handling.tlp: "TLP:PINK"`, `measure[0].target: "most" is not a target`, `rule[0].at: offset "T0-1week": the unit`, "owner: missing",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ParseCharter([]byte(tt.text))
			got := problemsOf(err)
			if KindOf(err) != Invalid || c.ID != "" {
				t.Fatalf("accepted, or with another error: %v", err)
			}
			for i := range max(len(got), len(tt.want)) {
				switch {
				case i >= len(got):
					t.Errorf("missing: %s", tt.want[i])
				case i >= len(tt.want) || !strings.HasPrefix(got[i], tt.want[i]):
					t.Errorf("problem %d: %s", i, got[i])
				}
			}
		})
	}
	if _, err := ParseCharter([]byte(strings.Repeat("#", maxCharterBytes+1))); KindOf(err) != Invalid {
		t.Errorf("too large: %v", err)
	}
}

func TestDiff(t *testing.T) {
	old := mustCharter(t, goodCharter)
	new := mustCharter(t, strings.NewReplacer(
		`"60%"`, `"70%"`, "max_members = 5\n", "", "T0-1bd", "T0-2bd", `id = "early"`, `id = "wide"`, `cohort = "early"`, `cohort = "wide"`,
		"{ date = 2026-12-25, name = \"Christmas Day\" },", "", `"feedback-duty"`, `"no-offensive-use"`, `"samples"`, "",
	).Replace(goodCharter))
	got := Diff(old, new)
	want := []Change{
		{"agreement.obligations", "publish-not-before, feedback-duty", "publish-not-before, no-offensive-use"},
		{"approvals.two_person", "repro-steps, poc, samples", "repro-steps, poc"},
		{"calendar.holidays[2026-12-25].date", "2026-12-25", ""},
		{"calendar.holidays[2026-12-25].name", "Christmas Day", ""},
		{"cohort.order", "validate, early, standard", "validate, wide, standard"},
		{"cohort[early].id", "early", ""},
		{"cohort[early].rule.kind", "security-vendor", ""},
		{"cohort[early].title", "Early protection", ""},
		{"cohort[validate].max_members", "5", ""},
		{"cohort[wide].id", "", "wide"},
		{"cohort[wide].rule.kind", "", "security-vendor"},
		{"cohort[wide].title", "", "Early protection"},
		{"measure[coverage-at-release].target", ">=60%", ">=70%"},
		{"rule[detection-guidance to early].at", "T0-1bd", ""},
		{"rule[detection-guidance to early].class", "detection-guidance", ""},
		{"rule[detection-guidance to early].cohort", "early", ""},
		{"rule[detection-guidance to wide].at", "", "T0-2bd"},
		{"rule[detection-guidance to wide].class", "", "detection-guidance"},
		{"rule[detection-guidance to wide].cohort", "", "wide"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if d := Diff(Charter{}, old); len(d) < 40 || d[0].Old != "" {
		t.Errorf("from nothing: %v", d)
	}
}

func TestReadOnlyAt(t *testing.T) {
	c := mustCharter(t, goodCharter) // sunset 2027-12-31 in Berlin, which ends at 23:00Z
	end := utc(t, "2027-12-31T23:00Z")
	if c.ReadOnlyAt(end.Add(-time.Nanosecond)) || !c.ReadOnlyAt(end) || (Charter{}).ReadOnlyAt(end) {
		t.Error("the program does not end with its sunset day in its own zone")
	}
}

func TestApprovalsNeeded(t *testing.T) {
	a := Approvals{1, []ContentClass{Samples}}
	for want, classes := range map[int][]ContentClass{1: {Summary, Telemetry}, 2: {Summary, ReproSteps}} {
		if got := a.Needed(classes); got != want {
			t.Errorf("%v: %d approvals, want %d", classes, got, want)
		}
	}
	if a.Needed([]ContentClass{Samples}) != 2 || (Approvals{}).Needed(nil) != 1 || (Approvals{Default: 3}).Needed([]ContentClass{PoC}) != 3 {
		t.Error("approvals needed")
	}
}

func FuzzParseCharter(f *testing.F) {
	f.Add([]byte(goodCharter))
	f.Add([]byte("[agreement]\ntext = \"a\\r\\nb\\u0001\\n\\\"\\\"\\\"\"\n[[cohort]]\nrule.not.kind = [\"\"]"))
	f.Add([]byte("[[measure]]\ntarget = \"-0.5d\"\nby = 0001-01-01\n[[rule]]\nat = \"T0-1d@00:00\""))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCharter(data)
		if err != nil {
			if KindOf(err) != Invalid {
				t.Fatalf("error without a kind: %v", err)
			}
			return
		}
		again, err := ParseCharter(c.TOML())
		if err != nil {
			t.Fatalf("export is refused: %v %q\n%s", err, problemsOf(err), c.TOML())
		}
		if diff := cmp.Diff(c, again, offsets); diff != "" {
			t.Fatalf("changed by export:\n%s", diff)
		}
		c.Check(charterNow)
		if d := Diff(c, again); len(d) > 0 {
			t.Fatalf("differs from itself: %v", d)
		}
	})
}
