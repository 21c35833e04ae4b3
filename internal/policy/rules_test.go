package policy_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

func compiled(t testing.TB, text string) *policy.Ruleset {
	t.Helper()
	s, problems := policy.CompileRules(text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return s
}

func item(class exchange.ContentClass, tlp exchange.TLP, originators ...exchange.OrgID) policy.Item {
	return policy.Item{Class: class, Originators: originators, Handling: exchange.Handling{TLP: tlp, PAP: exchange.PAPAmber}}
}

func someone(edit func(*policy.Recipient)) policy.Recipient {
	r := policy.Recipient{
		Org: "alpha", Member: true, MayRead: true, Channel: exchange.ChannelWeb, Audience: exchange.Audience{Cohort: "validate"},
		Jurisdictions: []string{"DE"},
		Attributes:    exchange.Attributes{Organisation: "alpha", Kind: "cert", Hats: []string{"csirt", "regulator"}, Sectors: []string{"energy"}},
	}
	if edit != nil {
		edit(&r)
	}
	return r
}

func TestRead(t *testing.T) {
	const (
		noRegulators = `@id("no regulators") forbid(principal, action == Action::"read", resource) when { principal.hats.contains("regulator") };`
		both         = `@id("both programs") permit(principal, action == Action::"read", resource) when { principal.programs.contains(Program::"b") };`
		german       = `@id("root causes") forbid(principal, action == Action::"read", resource)
			when { resource.class == "root-cause" } unless { principal.jurisdictions.contains("DE") };`
		upToAmber = `permit(principal, action == Action::"read", resource) when { resource.tlp <= 3 };`
		assist    = `forbid(principal, action == Action::"read", resource) unless { context.purpose == "assist" };`
		overflow  = `@id("broken") forbid(principal, action == Action::"read", resource) when { 9223372036854775807 + resource.tlp > 0 };`
		enter     = `permit(principal, action == Action::"enter", resource);`
	)
	tests := []struct {
		name, rules string
		who         func(*policy.Recipient)
		what        policy.Item
		want        bool
		why         string
	}{
		{"a hat that is forbidden", noRegulators, nil, item("summary", 3), false, "forbidden by no regulators"},
		{"another hat was chosen", noRegulators, func(r *policy.Recipient) { r.Hat = "csirt" }, item("summary", 3), true, "no policy forbids it"},
		{"the hat was chosen", noRegulators, func(r *policy.Recipient) { r.Hat = "regulator" }, item("summary", 3), false, "forbidden by no regulators"},
		{"in one program of two", both, nil, item("summary", 3), false, "no policy permits it"},
		{"in both programs", both, func(r *policy.Recipient) { r.Programs = []exchange.ProgramID{"b"} }, item("summary", 3), true, "permitted by both programs"},
		{"class and jurisdiction", german, nil, item("root-cause", 3), true, "no policy forbids it"},
		{"class and another jurisdiction", german, func(r *policy.Recipient) { r.Jurisdictions = []string{"US"} }, item("root-cause", 3), false, "forbidden by root causes"},
		{"another class there", german, func(r *policy.Recipient) { r.Jurisdictions = []string{"US"} }, item("summary", 3), true, "no policy forbids it"},
		{"a label in reach", upToAmber, nil, item("summary", exchange.TLPAmber), true, "permitted by the policy on line 1"},
		{"a label above", upToAmber, nil, item("summary", exchange.TLPAmberStrict), false, "no policy permits it"},
		{"forbid overrides permit", upToAmber + noRegulators, nil, item("summary", 3), false, "forbidden by no regulators"},
		{"without a purpose", assist, nil, item("summary", 3), false, "forbidden by the policy on line 1"},
		{"with it", assist, func(r *policy.Recipient) { r.Purpose = "assist" }, item("summary", 3), true, "no policy forbids it"},
		{"what cannot be worked out forbids", overflow, nil, item("summary", 3), false, "forbidden by broken (which could not be worked out)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := someone(tt.who)
			rules := compiled(t, tt.rules).For()
			for range 2 { // the second from memory
				if got, why := rules.Read(&r, &tt.what); got != tt.want || why != tt.why {
					t.Errorf("%v: %s", got, why)
				}
			}
		})
	}
	if rules := compiled(t, enter).For(); rules != nil {
		t.Errorf("policies on entry alone: %v", rules)
	}
}

// One reader is asked about several recipients, one after the other.
func TestReaderTellsRecipientsApart(t *testing.T) {
	rules := compiled(t, `forbid(principal, action == Action::"read", resource) when {
		context.hat == "regulator" || context.purpose == "regulate" || context.channel == "api" ||
		principal.programs.contains(Program::"b") || principal.groups.contains("g") || principal.client || principal.cohort == "early" };`).For()
	i := item("summary", 3)
	for n, edit := range []func(*policy.Recipient){
		func(r *policy.Recipient) { r.Hat = "regulator" },
		func(r *policy.Recipient) { r.Purpose = "regulate" },
		func(r *policy.Recipient) { r.Channel = exchange.ChannelAPI },
		func(r *policy.Recipient) { r.Programs = []exchange.ProgramID{"b"} },
		func(r *policy.Recipient) { r.Groups = []exchange.GroupID{"g"} },
		func(r *policy.Recipient) { r.Client = true },
		func(r *policy.Recipient) { r.Audience.Cohort = "early" },
	} {
		plain, other := someone(nil), someone(edit)
		if got, why := rules.Read(&plain, &i); !got {
			t.Errorf("%d: the plain recipient: %s", n, why)
		}
		if got, why := rules.Read(&other, &i); got {
			t.Errorf("%d: the other one: %s", n, why)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"an attribute that is not known", "permit(principal, action == Action::\"read\", resource)\nwhen { resource.tlp > 2 &&\n  principal.foo == 1 };", "line 3, column 13: attribute `foo` on entity type `Org` not found"},
		{"the clock", "permit(principal, action == Action::\"read\", resource)\nwhen { context.now > 3 };", "line 2, column 16: attribute `now` in context for Action::\"read\" not found"},
		{"an action", "\npermit(principal, action == Action::\"reed\", resource);", "line 2, column 29: unrecognized action `Action::\"reed\"`"},
		{"an entity type", "permit(principal == User::\"a\", action, resource);", "line 1, column 21: unrecognized entity type `User`"},
		{"types that do not fit", "\n\npermit(principal, action == Action::\"read\", resource) when { resource.class == 1 };", "line 3, column 1: the types Long and String are not compatible"},
		{"a resource of another action", "permit(principal, action == Action::\"read\", resource == Cohort::\"x\");", "line 1, column 1: unable to find an applicable action given the policy scope constraints"},
		{"an attribute of one action in a policy on both", "permit(principal, action, resource) when { context.hat == \"x\" };", "line 1, column 52: attribute `hat` in context for Action::\"enter\" not found"},
		{"no Cedar", "permit(principal,\n action resource);", "line 2, column 9: not a Cedar policy: found \"resource\", expected \",\""},
		{"an open end", "permit(principal, action, resource)", "line 1, column 36: not a Cedar policy: it ends where \";\" is expected"},
		{"depth", "permit(principal, action, resource) when { " + strings.Repeat("(", 70), "line 1, column 107: brackets are nested deeper than 64"},
		{"length", "permit(principal, action, resource) when { \"" + strings.Repeat("a", 20_000), "line 1, column 1: the policy is longer than 16384 bytes"},
		{"number", strings.Repeat("permit(principal, action, resource);\n", 201), "line 201, column 36: a charter has at most 200 policies"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := policy.CompileRules(tt.text)
			if len(problems) == 0 || problems[0].Path != "policies" || !strings.HasPrefix(problems[0].Message, tt.want) {
				t.Errorf("%v", problems)
			}
		})
	}
}

// A charter that was stored and is not understood any more lets nobody read or enter.
func TestBrokenRulesPermitNothing(t *testing.T) {
	c := exchange.Charter{Policies: "permit(", Cohorts: []exchange.Cohort{{ID: "all", Default: true}}}
	r, i := someone(nil), item("summary", 3)
	if got, why := policy.RulesOf(c).For().Read(&r, &i); got || why != "the program's policies are not understood" {
		t.Errorf("%v %s", got, why)
	}
	if id, why, ok := policy.CohortOf(c, exchange.Attributes{}, nil, false); ok {
		t.Errorf("%s %v", id, why)
	}
}

func TestEnter(t *testing.T) {
	c := exchange.Charter{
		Policies: `
			@id("certs") permit(principal, action == Action::"enter", resource == Cohort::"early") when { principal.kind == "cert" };
			@id("stacked") permit(principal, action == Action::"enter", resource == Cohort::"both") when { principal.programs.contains(Program::"b") };
			@id("not alpha") forbid(principal == Org::"alpha", action == Action::"enter", resource);`,
		Cohorts: []exchange.Cohort{
			{ID: "early", ByPolicy: true, Rule: exchange.Rule{Terms: exchange.Terms{Sectors: []string{"energy"}}}},
			{ID: "both", ByPolicy: true},
			{ID: "rest", Default: true},
		},
	}
	tests := []struct {
		name     string
		a        exchange.Attributes
		programs []exchange.ProgramID
		want     exchange.CohortID
		why      []string
	}{
		{"rule and policy", exchange.Attributes{Kind: "cert", Sectors: []string{"energy"}}, nil, "early", []string{"sector is energy", "entry is permitted by certs"}},
		{"the rule alone", exchange.Attributes{Kind: "vendor", Sectors: []string{"energy"}}, nil, "rest", []string{"every other member", "no policy forbids entry"}},
		{"the policy alone", exchange.Attributes{Kind: "cert"}, nil, "rest", []string{"every other member", "no policy forbids entry"}},
		{"a policy without a rule", exchange.Attributes{}, []exchange.ProgramID{"b"}, "both", []string{"whom the program's policies permit", "entry is permitted by stacked"}},
		{"forbidden", exchange.Attributes{Organisation: "alpha", Kind: "cert", Sectors: []string{"energy"}}, []exchange.ProgramID{"b"}, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, why, ok := policy.CohortOf(c, tt.a, tt.programs, false)
			if id != tt.want || ok != (tt.want != "") || ok && cmp.Diff(tt.why, why) != "" {
				t.Errorf("%q %q", id, why)
			}
		})
	}
	// Without the policies nobody is in a cohort that they would have to permit.
	if id, _, _ := c.CohortOf(exchange.Attributes{Kind: "cert", Sectors: []string{"energy"}}); id != "rest" {
		t.Errorf("without policies: %s", id)
	}
}

func TestCheckRules(t *testing.T) {
	early := exchange.Cohort{ID: "early", ByPolicy: true}
	rest := exchange.Cohort{ID: "rest", Default: true}
	const permit = `permit(principal, action == Action::"enter", resource == Cohort::"early");`
	read := exchange.PolicyTest{Name: "energy reads", Action: "read", Expect: "permit", Sectors: []string{"energy"}, TLP: "TLP:AMBER"}
	energy := `permit(principal, action == Action::"read", resource) when { principal.sectors.contains("energy") };`
	tests := []struct {
		name string
		c    exchange.Charter
		want []string
	}{
		{"nothing", exchange.Charter{}, nil},
		{"entry to a cohort", exchange.Charter{Policies: permit, Cohorts: []exchange.Cohort{early}}, nil},
		{"an unknown cohort", exchange.Charter{Policies: permit, Cohorts: []exchange.Cohort{rest}}, []string{`policies: line 1, column 58: Cohort::"early": the charter has no such cohort`}},
		{
			"a permit without effect",
			exchange.Charter{Policies: strings.Replace(permit, "early", "rest", 1), Cohorts: []exchange.Cohort{rest}},
			[]string{`policies: line 1, column 1: has no effect: cohort rest does not have by_policy = true`},
		},
		{
			"a permit for all without effect",
			exchange.Charter{Policies: `permit(principal, action == Action::"enter", resource);`, Cohorts: []exchange.Cohort{rest}},
			[]string{`policies: line 1, column 1: permits entry, but no cohort has by_policy = true`},
		},
		{
			"a cohort that nobody can enter",
			exchange.Charter{Policies: energy, Cohorts: []exchange.Cohort{early}},
			[]string{`cohort[0].by_policy: no policy permits entry to it`},
		},
		{
			"one item by name",
			exchange.Charter{Policies: `forbid(principal, action == Action::"read", resource == Item::"art_1");`},
			[]string{`policies: line 1, column 57: Item::"art_1": items have no names for policies; say what they have in common, such as resource.class`},
		},
		{
			"a duty that is not told apart",
			exchange.Charter{Policies: `forbid(principal, action == Action::"read", resource) when { principal.compelled };`},
			[]string{`policies: principal.compelled is asked for, but the duty is told apart only where compelled_disclosure withholds something`},
		},
		{"a test that holds", exchange.Charter{Policies: energy, PolicyTests: []exchange.PolicyTest{read}}, nil},
		{
			"a test that fails",
			exchange.Charter{Policies: energy, PolicyTests: []exchange.PolicyTest{read, {Name: "water reads", Action: "read", Expect: "permit"}}},
			[]string{`policy_test[1]: water reads: expected permit, the policies say forbid: no policy permits it`},
		},
		{
			"a test of entry",
			exchange.Charter{
				Policies: permit, Cohorts: []exchange.Cohort{early},
				PolicyTests: []exchange.PolicyTest{{Name: "all enter", Action: "enter", Expect: "forbid", Cohort: "early"}},
			},
			[]string{`policy_test[0]: all enter: expected forbid, the policies say permit: entry is permitted by the policy on line 1`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			results, problems := policy.CheckRules(tt.c)
			var got []string
			for _, p := range problems {
				got = append(got, p.Path+": "+p.Message)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if len(results) != len(tt.c.PolicyTests) {
				t.Errorf("%d results", len(results))
			}
		})
	}
}

// fifty are policies of all shapes.
func fifty() string {
	var b strings.Builder
	for i := range 10 {
		fmt.Fprintf(&b, `
			permit(principal, action == Action::"read", resource) when { principal.sectors.contains("s%[1]d") && resource.tlp <= %[2]d };
			forbid(principal, action == Action::"read", resource) when { resource.class == "%[3]s" && resource.originators.contains("o%[1]d") };
			forbid(principal, action == Action::"read", resource) when { context.hat == "h%[1]d" };
			permit(principal, action == Action::"read", resource) when { principal.programs.contains(Program::"p%[1]d") && resource.class == "%[3]s" };
			forbid(principal == Org::"o%[1]d", action == Action::"read", resource) unless { resource.tlp < 3 || principal.kind == "cert" };`,
			i, 1+i%5, exchange.AllContentClasses[i])
	}
	return b.String()
}

func randomRecipient(rnd *rand.Rand) policy.Recipient {
	pick := func(s string) []string {
		var all []string
		for i := range 10 {
			if rnd.IntN(4) == 0 {
				all = append(all, fmt.Sprint(s, i))
			}
		}
		return all
	}
	r := someone(nil)
	r.Org = exchange.OrgID(fmt.Sprint("o", rnd.IntN(12)))
	r.Attributes.Sectors, r.Hat = pick("s"), []string{"", "h1", "csirt"}[rnd.IntN(3)]
	for _, p := range pick("p") {
		r.Programs = append(r.Programs, exchange.ProgramID(p))
	}
	slices.Sort(r.Programs)
	return r
}

func randomItem(rnd *rand.Rand) policy.Item {
	i := item(exchange.AllContentClasses[rnd.IntN(11)], exchange.TLP(1+rnd.IntN(5)))
	for range rnd.IntN(3) {
		i.Originators = append(i.Originators, exchange.OrgID(fmt.Sprint("o", rnd.IntN(12))))
	}
	return i
}

// What is worked out once for a recipient gives the answer that Cedar gives
// from the beginning, for every item.
func TestReaderAgreesWithCedar(t *testing.T) {
	set := compiled(t, fifty())
	rnd := rand.New(rand.NewPCG(4, 23))
	allowed := 0
	for range 200 {
		r, rules := randomRecipient(rnd), set.For()
		for range 20 {
			i := randomItem(rnd)
			got, why := rules.Read(&r, &i)
			if want := policy.PlainRead(set, &r, &i); got != want {
				t.Fatalf("%v, Cedar says %v (%s) of %+v for %+v", got, want, why, i, r)
			}
			if got {
				allowed++
			}
		}
	}
	if allowed < 200 || allowed > 3800 {
		t.Errorf("%d of 4000 allowed: the policies tell nothing apart", allowed)
	}
}

func FuzzCompileRules(f *testing.F) {
	f.Add(fifty())
	for _, s := range []string{"", "permit(", `permit(principal,action,resource)when{"\u{41}" like "a*"};`, "@a(\"b\")forbid(principal is Org,action,resource)unless{principal has foo.bar};", `permit(principal,action==Action::"read",resource)when{context.hat==""};// ;`} {
		f.Add(s)
	}
	r, i := someone(nil), item("summary", 3, "o1", "o2")
	f.Fuzz(func(t *testing.T, text string) {
		s, problems := policy.CompileRules(text)
		for _, p := range problems {
			if p.Path != "policies" || len(p.Message) > 700 || strings.ContainsAny(p.Message, "\n\x00") {
				t.Errorf("%q", p)
			}
		}
		rules := s.For()
		if rules == nil {
			return
		}
		got, _ := rules.Read(&r, &i)
		if len(problems) > 0 && got {
			t.Error("what was refused permits")
		}
		if len(problems) == 0 && got != policy.PlainRead(s, &r, &i) {
			t.Error("differs from Cedar")
		}
	})
}

// The guide shows the schema as it is, and policies that can be applied.
func TestGuide(t *testing.T) {
	b, err := os.ReadFile("../../docs/guide/program-rules.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := func(of string) (out []string) {
		for _, part := range strings.Split(string(b), "```"+of+"\n")[1:] {
			text, _, _ := strings.Cut(part, "```")
			out = append(out, text)
		}
		return out
	}
	if schema := blocks("cedarschema"); len(schema) != 1 || "\n"+schema[0] != policy.RuleSchema {
		t.Error("the schema in the guide is not that of the code")
	}
	examples := blocks("cedar")
	if len(examples) < 4 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, text := range examples {
		compiled(t, text)
	}
}

// Whatever the policies say, nobody is given what they would not be given
// without any, and those whom policies do not concern lose nothing.
func TestRulesNeverWiden(t *testing.T) {
	set := compiled(t, fifty())
	rnd := rand.New(rand.NewPCG(17, 4))
	now := time.Date(2027, time.June, 1, 12, 0, 0, 0, time.UTC)
	narrowed, kept := 0, 0
	for range 20_000 {
		r, i := randomRecipient(rnd), randomItem(rnd)
		coin := func() bool { return rnd.IntN(8) == 0 }
		r.Member, r.Suspended, r.Owner, r.Client, r.MayRead = !coin(), coin(), coin(), coin(), !coin()
		r.Accepted, i.Required, i.State, i.Program = rnd.IntN(3), 1, exchange.ReleasePublic, "p"
		i.Held, i.Recalled, i.Handling.NotOrgs = coin(), coin(), nil
		if coin() {
			i.Handling.NotOrgs = []exchange.OrgID{r.Org}
		}
		if !coin() {
			i.OpenedAt = now.Add(-time.Hour)
		}
		r.Rules = nil
		without := policy.Decide(r, i, now)
		r.Rules = set.For()
		with := policy.Decide(r, i, now)
		switch {
		case with.Allowed() && !without.Allowed():
			t.Fatalf("%s with the policies, %s (%s) without: %+v %+v", with.Verdict, without.Verdict, without.Code, r, i)
		case !without.Allowed() && with.Code != without.Code && with.Code != "E_RULE":
			t.Fatalf("%s with the policies, %s without", with.Code, without.Code)
		case r.Owner && with.Allowed() != without.Allowed():
			t.Fatal("who runs the program is asked for policies")
		case without.Allowed() && !with.Allowed():
			narrowed++
		case with.Allowed():
			kept++
		}
	}
	if narrowed < 500 || kept < 500 {
		t.Errorf("%d narrowed, %d kept: too few to tell", narrowed, kept)
	}
}

// A rule that asks for the label is asked about each part under the label of the
// part.
func TestRulesOfParts(t *testing.T) {
	now := time.Date(2027, 7, 1, 12, 0, 0, 0, time.UTC)
	rules := compiled(t, `forbid(principal, action == Action::"read", resource) when { resource.tlp >= 4 };`).For()
	i := item("summary", exchange.TLPAmber)
	i.State, i.OpenedAt = exchange.ReleaseReleasing, now.Add(-time.Hour)
	i.Fields = []exchange.FieldHandling{
		{Selectors: []string{"description"}, Handling: exchange.Handling{TLP: exchange.TLPAmberStrict}},
		{Selectors: []string{"name"}, Handling: exchange.Handling{TLP: exchange.TLPGreen}},
	}
	if d := policy.Decide(someone(nil), i, now); d.Verdict != policy.Allow {
		t.Fatalf("without rules: %v %v", d.Verdict, d.Fields)
	}
	d := policy.Decide(someone(func(r *policy.Recipient) { r.Rules = rules }), i, now)
	if d.Verdict != policy.AllowRedacted || !slices.Equal(d.Fields, []string{"description"}) {
		t.Errorf("with rules: %v %v", d.Verdict, d.Fields)
	}
}
