package program_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// ruled is a charter with policies and tests of them.
func ruled(policies, tests string, replace ...string) string {
	return strings.Replace(charter(replace...), `id = "early-warning"`, "id = \"early-warning\"\npolicies = '''\n"+policies+"'''", 1) + tests
}

const (
	energyOnly = `@id("energy") permit(principal, action == Action::"read", resource) when { principal.sectors.contains("energy") };` + "\n"
	energyTest = `
[[policy_test]]
name = "energy reads"
action = "read"
expect = "permit"
sectors = ["energy"]
class = "poc"
tlp = "TLP:AMBER"

[[policy_test]]
name = "water does not"
action = "read"
expect = "forbid"
sectors = ["water"]
`
)

// What is wrong with policies or their tests refuses the charter, says where,
// and changes nothing.
func TestPoliciesAreCheckedBeforeTheyAreInForce(t *testing.T) {
	failing := strings.Replace(energyTest, `sectors = ["water"]`, `sectors = ["water", "energy"]`, 1)
	for _, tt := range []struct{ name, toml, path, message string }{
		{
			"an attribute that is not known", ruled("permit(principal, action == Action::\"read\", resource)\nwhen { principal.clearance == 3 };\n", ""),
			"policies", "line 2, column 18: attribute `clearance` on entity type `Org` not found",
		},
		{"no Cedar", ruled("permit everything;", ""), "policies", `line 1, column 8: not a Cedar policy: found "everything", expected "("`},
		{
			"a test that fails", ruled(energyOnly, failing),
			"policy_test[1]", "water does not: expected forbid, the policies say permit: permitted by energy",
		},
		{"a test without a name", ruled(energyOnly, strings.Replace(energyTest, `name = "energy reads"`, "", 1)), "policy_test[0].name", "missing: what the test shows"},
		{"an outcome that there is not", ruled(energyOnly, strings.Replace(energyTest, `"permit"`, `"deny"`, 1)), "policy_test[0].expect", `unknown value "deny"; choose from permit, forbid`},
		{
			"an organisation that there is not", ruled("forbid(principal == Org::\"nobody\", action, resource);\n", ""),
			"policies", `line 1, column 21: Org::"nobody": there is no such organisation; add it first`,
		},
		{
			"a program that there is not", ruled("forbid(principal, action, resource) unless { principal.programs.contains(Program::\"nothing\") };\n", ""),
			"policies", `line 1, column 74: Program::"nothing": there is no such program, or it does not count for this one (its charter's counts_for)`,
		},
		{"entry by policies that there are not", charter("id = \"early\"\n", "id = \"early\"\nby_policy = true\n"), "cohort[1].by_policy", "the charter has no policies that would permit entry"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			before := w.Dump()
			for _, dry := range []bool{true, false} {
				_, err := w.X.Programs.Apply(t.Context(), w.Operator, []byte(tt.toml), dry)
				e, ok := errors.AsType[*exchange.Error](err)
				if !ok || e.Kind != exchange.Invalid || len(e.Problems) == 0 {
					t.Fatalf("%v", err)
				}
				if p := e.Problems[0]; p.Path != tt.path || p.Message != tt.message {
					t.Errorf("%s: %s", p.Path, p.Message)
				}
			}
			if diff := cmp.Diff(before, w.Dump()); diff != "" {
				t.Errorf("something changed: %s", diff)
			}
		})
	}
}

func TestTestsOfPoliciesAreShown(t *testing.T) {
	w := newWorld(t)
	want := []program.TestResult{
		{Name: "energy reads", Action: "read", Expect: "permit", Got: "permit", Why: "permitted by energy"},
		{Name: "water does not", Action: "read", Expect: "forbid", Got: "forbid", Why: "no policy permits it"},
	}
	for _, dry := range []bool{true, false, false} { // the last changes nothing
		done, err := w.X.Programs.Apply(t.Context(), w.Operator, []byte(ruled(energyOnly, energyTest)), dry)
		if err != nil {
			t.Fatal(err, problems(err))
		}
		if diff := cmp.Diff(want, done.Tests); diff != "" {
			t.Error(diff)
		}
	}
	done := w.apply(t, ruled(strings.Replace(energyOnly, `"energy")`, `"energies")`, 1), energyTest))
	if len(done.Changes) != 1 || done.Changes[0].Path != "policies" {
		t.Errorf("%v", done.Changes)
	}
}

// Who runs a program does not learn from its policies who is a member of
// another owner's, unless that one's charter says so.
func TestMembershipInAnothersProgramCountsOnlyWithItsConsent(t *testing.T) {
	w := newWorld(t)
	other := testkit.Person("other", "operator", exchange.RoleOperator)
	testkit.Put(t, sqlstore.For[testkit.Tx](w.DB), other)
	theirs := func(consent string) error {
		_, err := w.X.Programs.Apply(t.Context(), testkit.Actor(other), []byte(charter(
			`id = "early-warning"`, "id = \"theirs\"\n"+consent, `owner = "example-psirt"`, `owner = "other"`)), false)
		return err
	}
	ask := func() error {
		_, err := w.X.Programs.Apply(t.Context(), w.Operator, []byte(ruled(
			`permit(principal, action == Action::"read", resource) when { principal.programs.contains(Program::"theirs") };`, "")), true)
		return err
	}
	missing := problemText(ask())
	if err := theirs(""); err != nil {
		t.Fatal(err, problems(err))
	}
	if got := problemText(ask()); got != missing || got == "" {
		t.Errorf("a program that does not count answers %q, one that does not exist %q", got, missing)
	}
	if err := theirs(`counts_for = ["early-warning"]`); err != nil {
		t.Fatal(err, problems(err))
	}
	if err := ask(); err != nil {
		t.Error(problemText(err))
	}
}

func problemText(err error) string {
	e, ok := errors.AsType[*exchange.Error](err)
	if !ok {
		return ""
	}
	var all []string
	for _, p := range e.Problems {
		all = append(all, p.String())
	}
	return strings.Join(all, "\n")
}
