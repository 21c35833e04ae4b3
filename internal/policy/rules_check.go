package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	xast "github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// TestResult is what became of one test of a charter.
type TestResult struct {
	Name   string
	Action string
	Expect string
	Got    string
	Why    string // by which policy
}

// Passed reports whether the policies decided as the test expects.
func (t TestResult) Passed() bool { return t.Got == t.Expect }

// CheckRules reads the policies of a charter, checks them against RuleSchema
// and the charter, and runs its tests. Every problem is one that keeps the
// charter from being applied: path "policies" with line and column in the
// message, or policy_test[i]. A charter that passes its own Check is expected.
func CheckRules(c exchange.Charter) ([]TestResult, []exchange.Problem) {
	if strings.TrimSpace(c.Policies) == "" && len(c.PolicyTests) == 0 {
		return nil, nil
	}
	s, problems := CompileRules(c.Policies)
	if len(problems) > 0 {
		return nil, problems
	}
	problems = s.against(c)
	results := make([]TestResult, len(c.PolicyTests))
	for i, t := range c.PolicyTests {
		allowed, why := s.try(c, t)
		results[i] = TestResult{Name: t.Name, Action: t.Action, Expect: t.Expect, Got: exchange.RuleForbid, Why: why}
		if allowed {
			results[i].Got = exchange.RulePermit
		}
		if r := results[i]; !r.Passed() {
			problems = append(problems, exchange.Problem{
				Path:    fmt.Sprintf("policy_test[%d]", i),
				Message: fmt.Sprintf("%s: expected %s, the policies say %s: %s", cut(t.Name), cut(t.Expect), r.Got, r.Why),
			})
		}
	}
	return results, problems
}

// try asks the policies about the case of a test.
func (s *Ruleset) try(c exchange.Charter, t exchange.PolicyTest) (bool, string) {
	r := Recipient{
		Org: t.Organisation, Client: t.Client, Jurisdictions: t.Jurisdictions,
		Attributes: exchange.Attributes{
			Organisation: t.Organisation, Kind: t.Kind, Hats: t.Hats, Sectors: t.Sectors, Jurisdictions: t.Jurisdictions,
			Regions: t.Regions, Products: t.Products, CompelledDisclosure: t.CompelledDisclosure,
		},
		Groups: t.Groups, Programs: t.Programs, Hat: t.Hat, Purpose: t.Purpose, Channel: t.Channel,
	}
	if t.Action == exchange.RuleEnter {
		co, _ := c.Cohort(t.Cohort)
		return s.enters(&r, co)
	}
	r.Audience.Cohort = t.Cohort
	rules := s.For()
	if rules == nil {
		return true, "the charter has no policies on reading"
	}
	i := Item{Class: t.Class, Originators: t.Originators}
	i.Handling.TLP, _ = exchange.ParseTLP(t.TLP) // Charter.Check has read both
	i.Handling.PAP, _ = exchange.ParsePAP(t.PAP)
	return rules.Read(&r, &i)
}

// against finds policies that would have no effect in this charter, or none
// that anybody expects.
func (s *Ruleset) against(c exchange.Charter) (problems []exchange.Problem) {
	if len(s.Names("Item")) > 0 {
		problems = append(problems, Unknown(c, "Item", s.Names("Item")[0], "items have no names for policies; say what they have in common, such as resource.class"))
	}
	for _, id := range s.Names("Cohort") {
		if _, known := c.Cohort(exchange.CohortID(id)); !known {
			problems = append(problems, Unknown(c, "Cohort", id, "the charter has no such cohort"))
		}
	}
	d := c.CompelledDisclosure
	if slices.Contains(s.attributes, "compelled") && len(d.Deny) == 0 && d.Others != exchange.OthersAtRelease {
		problems = append(problems, exchange.Problem{
			Path:    "policies",
			Message: "principal.compelled is asked for, but the duty is told apart only where compelled_disclosure withholds something",
		})
	}
	return append(problems, s.entry(c)...)
}

// entry holds the permits on entry to the cohorts that have by_policy.
func (s *Ruleset) entry(c exchange.Charter) (problems []exchange.Problem) {
	byPolicy := func(co exchange.Cohort) bool { return co.ByPolicy }
	permits := 0
	for _, r := range s.enter {
		if !r.permits() {
			continue
		}
		permits++
		at := place{r.policy.Position().Line, r.policy.Position().Column}
		if eq, ok := r.policy.AST().Resource.(xast.ScopeTypeEq); ok {
			if co, known := c.Cohort(exchange.CohortID(eq.Entity.ID)); known && !co.ByPolicy {
				problems = append(problems, fault(at, "has no effect: cohort %s does not have by_policy = true", co.ID))
			}
		} else if !slices.ContainsFunc(c.Cohorts, byPolicy) {
			problems = append(problems, fault(at, "permits entry, but no cohort has by_policy = true"))
		}
	}
	if i := slices.IndexFunc(c.Cohorts, byPolicy); i >= 0 && permits == 0 {
		problems = append(problems, exchange.Problem{Path: fmt.Sprintf("cohort[%d].by_policy", i), Message: "no policy permits entry to it"})
	}
	return problems
}

// Unknown is the problem of an id that stands in the charter's policies and
// that nothing bears. of is its type, such as "Org".
func Unknown(c exchange.Charter, of, id, message string) exchange.Problem {
	name := cedar.NewEntityUID(cedar.EntityType(of), cedar.String(id)).String()
	return fault(placeOf(c.Policies, max(0, strings.Index(c.Policies, name))), "%s: %s", cut(name), message)
}
