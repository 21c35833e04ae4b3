package policy_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

var now = time.Date(2027, time.July, 12, 16, 0, 0, 0, time.UTC)

const (
	org    exchange.OrgID    = "edr-a"
	person exchange.PersonID = "per_edr-a"
)

// member is a machine of an active member under the current agreement.
func member() policy.Recipient {
	return policy.Recipient{
		Org: org, Member: true, Audience: exchange.Audience{Cohort: "early"}, Accepted: 1,
		Jurisdictions: []string{"DE"}, MayRead: true, Channel: exchange.ChannelTAXII,
	}
}

// given is an item that a wave has given to the member's audience.
func given() policy.Item {
	return policy.Item{
		Program: "early-warning", State: exchange.ReleaseReleasing, Class: exchange.DetectionGuidance,
		Handling: exchange.Handling{TLP: exchange.TLPAmber, PAP: exchange.PAPAmber},
		Required: 1, OpenedAt: now.Add(-time.Hour),
	}
}

// program is the rules of a charter that say the same of everything.
type program bool

func (p program) Read(*policy.Recipient, *policy.Item) (bool, string) { return bool(p), "rule 1" }

// breach breaks one rule.
type breach struct {
	rule    string
	code    string
	verdict policy.Verdict
	apply   func(*policy.Recipient, *policy.Item)
}

// breaches are the ways in which a decision fails, in the published order:
// what stands above decides before what stands below.
var breaches = []breach{
	{"marking", "E_MARKING", policy.Hold, func(_ *policy.Recipient, i *policy.Item) { i.Held = true }},
	{"marking", "E_ATTRIBUTION", policy.Hold, func(_ *policy.Recipient, i *policy.Item) {
		i.Handling = i.Handling.Join(exchange.Handling{Attribution: exchange.AttributionMust}).Join(exchange.Handling{Attribution: exchange.AttributionMustNot})
	}},
	{"active", "E_REVOKED", policy.Deny, func(_ *policy.Recipient, i *policy.Item) { i.State = exchange.ReleaseWithdrawn }},
	{"active", "E_REVOKED", policy.Deny, func(_ *policy.Recipient, i *policy.Item) { i.Removed = true }},
	{"active", "E_RECALLED", policy.Deny, func(_ *policy.Recipient, i *policy.Item) { i.Recalled = true }},
	{"active", "E_EXPIRED", policy.Deny, func(_ *policy.Recipient, i *policy.Item) { i.Handling.Expires = now }},
	{"active", "E_SUSPENDED", policy.Deny, func(r *policy.Recipient, _ *policy.Item) { r.Suspended = true }},
	{"active", "E_TIME", policy.NotYet, func(_ *policy.Recipient, i *policy.Item) { i.Handling.From = now.Add(time.Microsecond) }},
	{"credential", "E_SCOPE", policy.Deny, func(r *policy.Recipient, _ *policy.Item) { r.MayRead = false }},
	{"credential", "E_SCOPE", policy.Deny, func(r *policy.Recipient, _ *policy.Item) { r.Program = "another" }},
	{"credential", "E_CEILING", policy.Deny, func(r *policy.Recipient, _ *policy.Item) { r.Ceiling = exchange.TLPGreen }},
	{"exclusion", "E_EXCLUDED", policy.Deny, func(_ *policy.Recipient, i *policy.Item) { i.Handling.NotOrgs = []exchange.OrgID{org} }},
	{"exclusion", "E_EXCLUDED", policy.Deny, func(_ *policy.Recipient, i *policy.Item) { i.Handling.NotIn = []string{"XB", "DE"} }},
	{"exclusion", "E_EXCLUDED", policy.Deny, func(r *policy.Recipient, i *policy.Item) {
		r.DeniedClasses = []exchange.ContentClass{exchange.PoC, i.Class}
	}},
	{"exclusion", "E_EXCLUDED", policy.Deny, func(r *policy.Recipient, i *policy.Item) {
		r.Attributes.Hats, i.Handling.NotHats = []string{"csirt", "regulator"}, []string{"Regulator"}
	}},
	{"exclusion", "E_EXCLUDED", policy.Deny, func(r *policy.Recipient, i *policy.Item) {
		r.Hat, i.Handling.NotHats = "REGULATOR", []string{"Regulator"}
	}},
	{"purpose", "E_PURPOSE", policy.Deny, func(_ *policy.Recipient, i *policy.Item) { i.Handling.Purposes = []string{"defence"} }},
	{"purpose", "E_PURPOSE", policy.Deny, func(r *policy.Recipient, i *policy.Item) {
		r.Purpose, i.Handling.Purposes = exchange.NoPurpose, []string{exchange.NoPurpose}
	}},
	{"membership", "E_AUDIENCE", policy.Deny, func(r *policy.Recipient, _ *policy.Item) { r.Member = false }},
	{"membership", "E_AUDIENCE", policy.Deny, func(r *policy.Recipient, _ *policy.Item) { r.Audience = exchange.Audience{} }},
	{"agreement", "E_AGREEMENT", policy.NeedsConsent, func(_ *policy.Recipient, i *policy.Item) { i.Required = 2 }},
	{"time", "E_TIME", policy.NotYet, func(_ *policy.Recipient, i *policy.Item) { i.OpenedAt = time.Time{} }},
	{"time", "E_TIME", policy.NotYet, func(_ *policy.Recipient, i *policy.Item) { i.OpenedAt = now.Add(time.Microsecond) }},
	{"audience", "E_AUDIENCE", policy.Deny, func(_ *policy.Recipient, i *policy.Item) {
		i.Handling.Organisations = []exchange.OrgID{"somebody-else"}
	}},
	{"audience", "E_AUDIENCE", policy.Deny, func(r *policy.Recipient, i *policy.Item) {
		r.Client, i.Handling.TLP = true, max(i.Handling.TLP, exchange.TLPAmberStrict)
	}},
	{"audience", "E_AUDIENCE", policy.Deny, func(r *policy.Recipient, i *policy.Item) {
		r.Person = person
		i.Handling.TLP, i.Handling.Persons = exchange.TLPRed, []exchange.PersonID{"per_other"}
	}},
	{"rules", "E_RULE", policy.Deny, func(r *policy.Recipient, _ *policy.Item) { r.Rules = program(false) }},
	{"channel", "E_CHANNEL", policy.Deny, func(r *policy.Recipient, i *policy.Item) {
		r.Person = person
		i.Handling.TLP, i.Handling.Persons = exchange.TLPRed, append(i.Handling.Persons, person)
	}},
}

func TestDecisionAllowsWhatNothingForbids(t *testing.T) {
	d := policy.Explain(member(), given(), now)
	if !d.Allowed() || d.Code != "" {
		t.Fatalf("%v %s", d.Verdict, d.Code)
	}
	var rules []string
	for _, s := range d.Steps {
		if !s.Pass || s.Text == "" {
			t.Errorf("step %s: %t %q", s.Rule, s.Pass, s.Text)
		}
		rules = append(rules, s.Rule)
	}
	if diff := cmp.Diff(published(t), rules); diff != "" {
		t.Errorf("the order differs from docs/guide/decision.md (-page +code):\n%s", diff)
	}
}

// published are the steps in the order of the page that publishes them.
func published(t *testing.T) (steps []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/guide/decision.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| [0-9]+ \\| `([a-z]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		steps = append(steps, m[1])
	}
	return steps
}

// Each breach is refused with its code at its step, and the explanation ends
// there: later steps, which may know more, are not shown.
func TestDecisionRefusesEachBreach(t *testing.T) {
	for n, b := range breaches {
		r, i := member(), given()
		b.apply(&r, &i)
		d := policy.Explain(r, i, now)
		last := d.Steps[len(d.Steps)-1]
		if d.Verdict != b.verdict || d.Code != b.code || last.Rule != b.rule || last.Pass || last.Text == "" {
			t.Errorf("breach %d (%s): %v %s at %q, want %v %s", n, b.rule, d.Verdict, d.Code, last.Rule, b.verdict, b.code)
		}
		if len(d.Obligations) != 0 {
			t.Errorf("breach %d (%s): a refusal carries obligations: %q", n, b.rule, d.Obligations)
		}
		if _, ok := d.Permit(7); ok {
			t.Errorf("breach %d (%s): a refusal gave a permit", n, b.rule)
		}
	}
}

// Of two breaches the one that stands first in the order decides.
func TestDecisionOrder(t *testing.T) {
	for a, first := range breaches {
		for _, second := range breaches[a+1:] {
			r, i := member(), given()
			second.apply(&r, &i)
			first.apply(&r, &i)
			if d := policy.Decide(r, i, now); d.Code != first.code || d.Verdict != first.verdict {
				t.Errorf("%s (%s) with %s (%s): %v %s", first.rule, first.code, second.rule, second.code, d.Verdict, d.Code)
			}
		}
	}
}

// Who runs the program reads everything that stands, and nothing that was
// withdrawn, is held, or lies beyond the credential.
func TestDecisionForTheOwner(t *testing.T) {
	for n, b := range breaches {
		r, i := member(), given()
		b.apply(&r, &i)
		r.Owner, r.Member = true, false
		past := slices.Contains([]string{"purpose", "membership", "agreement", "time", "audience", "rules", "channel"}, b.rule)
		if d := policy.Decide(r, i, now); d.Allowed() != past {
			t.Errorf("breach %d (%s): owner gets %v %s", n, b.rule, d.Verdict, d.Code)
		}
	}
}

func TestPermitOpensOneArtifact(t *testing.T) {
	d := policy.Decide(member(), given(), now)
	p, ok := d.Permit(7)
	if !ok || !p.Opens(7) || p.Opens(8) || p.Opens(0) {
		t.Errorf("permit of 7: %t, opens 7 %t, 8 %t, 0 %t", ok, p.Opens(7), p.Opens(8), p.Opens(0))
	}
	if none := (policy.Permit{}); none.Opens(0) || none.Opens(7) {
		t.Error("a permit that no decision made opens something")
	}
}

// reader is one row of the table by label: who asks, on which channel.
type reader struct {
	name string
	r    policy.Recipient
}

func readers() []reader {
	var out []reader
	add := func(name string, change func(*policy.Recipient)) {
		for _, c := range []exchange.Channel{exchange.ChannelWeb, exchange.ChannelAPI, exchange.ChannelTAXII} {
			r := member()
			change(&r)
			r.Channel = c
			out = append(out, reader{name + " on " + string(c), r})
		}
	}
	add("service account", func(*policy.Recipient) {})
	add("person", func(r *policy.Recipient) { r.Person = person })
	add("named person", func(r *policy.Recipient) { r.Person = "per_named" })
	add("client's service account", func(r *policy.Recipient) { r.Client = true })
	add("client's person", func(r *policy.Recipient) { r.Client, r.Person = true, person })
	add("client's named person", func(r *policy.Recipient) { r.Client, r.Person = true, "per_named" })
	out = append(out, reader{"public", policy.Recipient{Anonymous: true, MayRead: true, Channel: exchange.ChannelPublic}})
	return out
}

// TestDecisionByLabel is the table of docs/guide/decision.md: label × reader ×
// channel, before and after the public release.
func TestDecisionByLabel(t *testing.T) {
	everybody := []string{"service account", "person", "named person", "client's service account", "client's person", "client's named person"}
	staff := everybody[:3]
	table := map[exchange.TLP]struct {
		before, after []string // readers on every channel that needs sign-in
		web           []string // in the browser alone
		public        bool     // after the release
	}{
		exchange.TLPClear:       {before: everybody, after: everybody, public: true},
		exchange.TLPGreen:       {before: everybody, after: everybody},
		exchange.TLPAmber:       {before: everybody, after: everybody},
		exchange.TLPAmberStrict: {before: staff, after: staff},
		exchange.TLPRed:         {web: []string{"named person"}},
	}
	for label, row := range table {
		for _, released := range []bool{false, true} {
			i := given()
			i.Handling.TLP = label
			if label == exchange.TLPRed {
				i.Handling.Persons = []exchange.PersonID{"per_named"}
			}
			want := row.before
			if released {
				i.PublicAt, i.ReleasedAt, i.State = now, now, exchange.ReleasePublic
				want = row.after
			}
			for _, reader := range readers() {
				may := reader.name == "public" && released && row.public
				for _, w := range want {
					may = may || reader.name == w+" on "+string(reader.r.Channel)
				}
				for _, w := range row.web {
					may = may || reader.name == w+" on web"
				}
				if d := policy.Decide(reader.r, i, now); d.Allowed() != may {
					t.Errorf("%s, released %t, %s: %v %s, want allowed %t", label, released, reader.name, d.Verdict, d.Code, may)
				}
			}
		}
	}
}

// Until it is public, what will be CLEAR or GREEN is shown as AMBER; nothing
// is ever shown as less than its own label.
func TestEffectiveLabel(t *testing.T) {
	for label := exchange.TLPClear; label <= exchange.TLPRed; label++ {
		for _, c := range []struct {
			released time.Time
			want     exchange.TLP
		}{
			{time.Time{}, max(label, exchange.TLPAmber)},
			{now.Add(time.Microsecond), max(label, exchange.TLPAmber)},
			{now, label},
			{now.Add(-time.Hour), label},
		} {
			i := given()
			i.Handling.TLP, i.ReleasedAt = label, c.released
			if got := policy.EffectiveTLP(i, now); got != c.want {
				t.Errorf("%s released %v: %s, want %s", label, c.released, got, c.want)
			}
			if d := policy.Decide(member(), i, now); d.TLP != c.want {
				t.Errorf("%s released %v: decision says %s, want %s", label, c.released, d.TLP, c.want)
			}
		}
	}
}

// The obligations name the effective label, what PAP permits, and the
// originator's statement; a recipient is never told the later, wider label.
func TestObligations(t *testing.T) {
	i := given()
	i.Handling.TLP, i.Handling.Statement = exchange.TLPClear, "Credit the finder."
	before, after := policy.Obligations(i, now), func() []string { i.ReleasedAt = now; return policy.Obligations(i, now) }()
	house := []string{
		"Send it over encrypted connections only.", "Parties that it shows to be affected may be told only once it is public.",
		"It may not be sold unchanged.", "Its provider may not be named.",
	}
	if len(before) != 7 || !slices.Equal(before[2:6], house) || before[0] != "TLP:AMBER: may be shared on need-to-know inside the organisation and with its clients" ||
		before[1] != "PAP:AMBER: passive checks only; no contact with the infrastructure described" || before[6] != "Credit the finder." {
		t.Errorf("before: %q", before)
	}
	if len(after) != 3 || after[0] != "TLP:CLEAR: may be shared without limit" {
		t.Errorf("after: %q", after)
	}
	if d := policy.Explain(member(), i, now); !slices.Equal(d.Obligations, after) {
		t.Errorf("explained: %q", d.Obligations)
	}
}

func TestVerdictNames(t *testing.T) {
	got := fmt.Sprint(policy.Deny, policy.Allow, policy.NotYet, policy.NeedsConsent, policy.Hold)
	if got != "DENY ALLOW NOT_YET NEEDS_CONSENT HOLD" {
		t.Error(got)
	}
}

// A container is had under its own handling, unless nothing in it may be had;
// its bytes are had only when everything in it may.
func TestContainer(t *testing.T) {
	decide := func(change func(*policy.Item)) policy.Decision {
		i := given()
		change(&i)
		return policy.Explain(member(), i, now)
	}
	own := decide(func(*policy.Item) {})
	ok := decide(func(i *policy.Item) { i.Handling.Expires = now.Add(time.Hour) })
	red := decide(func(i *policy.Item) { i.Handling.TLP = exchange.TLPRed })
	held := decide(func(i *policy.Item) { i.Held = true })
	late := decide(func(i *policy.Item) { i.OpenedAt = now.Add(time.Minute) })
	for name, c := range map[string]struct {
		d     policy.Decision
		parts []policy.Decision
		may   bool
		whole bool
		code  string
	}{
		"without parts":        {own, nil, true, true, ""},
		"every part":           {own, []policy.Decision{ok, own}, true, true, ""},
		"one is withheld":      {own, []policy.Decision{ok, red, own}, true, false, ""},
		"one is held":          {own, []policy.Decision{held, ok}, true, false, ""},
		"everything is":        {own, []policy.Decision{held, red}, false, false, "E_EMPTY"},
		"the container itself": {red, []policy.Decision{ok}, false, false, "E_CHANNEL"},
	} {
		d, whole := policy.Container(c.d, c.parts...)
		if d.Allowed() != c.may || whole != c.whole || d.Code != c.code {
			t.Errorf("%s: %v %s, whole %t", name, d.Verdict, d.Code, whole)
		}
		if _, permit := d.Permit(1); permit != c.may {
			t.Errorf("%s: permit %t", name, permit)
		}
		if !c.may && len(d.Obligations) > 0 {
			t.Errorf("%s: a refusal carries obligations", name)
		}
	}
	if d, _ := policy.Container(own, ok, late); !d.Until.Equal(now.Add(time.Minute)) {
		t.Errorf("until %v: the first part changes in a minute", d.Until)
	}
}
