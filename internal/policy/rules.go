package policy

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/ast"
	xast "github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

var (
	actionRead  = cedar.NewEntityUID("Action", exchange.RuleRead)
	actionEnter = cedar.NewEntityUID("Action", exchange.RuleEnter)
)

// A Ruleset is a charter's policies, ready to be asked.
type Ruleset struct {
	read, enter []rule
	broken      bool              // the text is not understood: nothing is permitted
	names       []cedar.EntityUID // that stand in the policies, sorted by text
	attributes  []string          // that they look at
}

// rule is one policy. Its name is its annotation @id, else where it stands.
type rule struct {
	name   string
	policy *cedar.Policy
}

func (r rule) permits() bool { return r.policy.Effect() == cedar.Permit }

// CompileRules reads policies (Cedar) and checks them against RuleSchema. Every
// problem says the line and column in the text.
func CompileRules(text string) (*Ruleset, []exchange.Problem) {
	list, problems := parse(text)
	if len(problems) > 0 {
		return &Ruleset{broken: true}, problems
	}
	s := &Ruleset{}
	for _, p := range list {
		r := rule{name: fmt.Sprintf("the policy on line %d", p.Position().Line), policy: p}
		if id := p.Annotations()["id"]; id != "" {
			r.name = cut(string(id))
		}
		if concerns(p, actionRead) {
			s.read = append(s.read, r)
		}
		if concerns(p, actionEnter) {
			s.enter = append(s.enter, r)
		}
		s.look(p)
	}
	slices.SortFunc(s.names, func(a, b cedar.EntityUID) int { return strings.Compare(a.String(), b.String()) })
	s.names = slices.Compact(s.names)
	return s, nil
}

func concerns(p *cedar.Policy, action cedar.EntityUID) bool {
	switch s := p.AST().Action.(type) {
	case xast.ScopeTypeEq:
		return s.Entity == action
	case xast.ScopeTypeIn:
		return s.Entity == action
	case xast.ScopeTypeInSet:
		return slices.Contains(s.Entities, action)
	}
	return true
}

// look notes whom and what the policy names.
func (s *Ruleset) look(p *cedar.Policy) {
	name := func(scope any) {
		switch sc := scope.(type) {
		case xast.ScopeTypeEq:
			s.names = append(s.names, sc.Entity)
		case xast.ScopeTypeIn:
			s.names = append(s.names, sc.Entity)
		case xast.ScopeTypeIsIn:
			s.names = append(s.names, sc.Entity)
		}
	}
	name(p.AST().Principal)
	name(p.AST().Resource)
	for _, c := range p.AST().Conditions {
		xast.Inspect(xast.NewNode(c.Body), func(n xast.IsNode) bool {
			switch n := n.(type) {
			case xast.NodeTypeAccess:
				s.attributes = append(s.attributes, string(n.Value))
			case xast.NodeTypeHas:
				s.attributes = append(s.attributes, string(n.Value))
			case xast.NodeValue:
				s.nameIn(n.Value)
			}
			return true
		})
	}
}

func (s *Ruleset) nameIn(v cedar.Value) {
	switch v := v.(type) {
	case cedar.EntityUID:
		s.names = append(s.names, v)
	case cedar.Set:
		for e := range v.All() {
			s.nameIn(e)
		}
	}
}

// AsksForPrograms reports whether any policy looks at the memberships of who
// asks. Only then has Recipient.Programs to be filled.
func (s *Ruleset) AsksForPrograms() bool {
	return s != nil && slices.Contains(s.attributes, "programs")
}

// Names lists the ids of one type, such as "Org" or "Program", that stand in
// the policies, sorted.
func (s *Ruleset) Names(of string) (ids []string) {
	for _, n := range s.names {
		if string(n.Type) == of {
			ids = append(ids, string(n.ID))
		}
	}
	return ids
}

// What is kept compiled is bounded by the number of charters and by their text.
const (
	maxRulesets  = 256
	maxRulesText = 4 << 20
)

var rulesets struct {
	mu    sync.Mutex
	kept  map[string]*Ruleset
	bytes int
}

// RulesOf returns the policies of a charter; nil: it has none. What CheckRules
// would refuse permits nothing.
func RulesOf(c exchange.Charter) *Ruleset {
	if strings.TrimSpace(c.Policies) == "" {
		return nil
	}
	rulesets.mu.Lock()
	defer rulesets.mu.Unlock()
	if s := rulesets.kept[c.Policies]; s != nil {
		return s
	}
	s, _ := CompileRules(c.Policies)
	if rulesets.bytes += len(c.Policies); rulesets.kept == nil || len(rulesets.kept) >= maxRulesets || rulesets.bytes > maxRulesText {
		rulesets.kept, rulesets.bytes = map[string]*Ruleset{}, len(c.Policies)
	}
	rulesets.kept[strings.Clone(c.Policies)] = s
	return s
}

// For returns the policies on reading for one recipient after another of a
// kind: what depends on the recipient alone is worked out once. It may be used
// by many goroutines. Nil: there are none.
func (s *Ruleset) For() Rules {
	if s == nil || len(s.read) == 0 && !s.broken {
		return nil
	}
	return &reader{set: s}
}

// ruling is what policies say together. Forbid overrides permit; a policy that
// cannot be worked out forbids, or does not permit.
type ruling struct {
	permitted, forbidden bool
	by                   string // names of the policies
}

// ask evaluates the policies.
func ask(rules []rule, entities cedar.EntityGetter, q cedar.Request) ruling {
	_, d := cedar.Authorize(numbered(rules), entities, q)
	var out ruling
	var permits, forbids []string
	for _, e := range d.Errors {
		if r := at(rules, e.PolicyID); !r.permits() {
			forbids = append(forbids, r.name+" (which could not be worked out)")
		}
	}
	for _, reason := range d.Reasons {
		if r := at(rules, reason.PolicyID); r.permits() {
			permits = append(permits, r.name)
		} else {
			forbids = append(forbids, r.name)
		}
	}
	out.permitted, out.forbidden = len(permits) > 0, len(forbids) > 0
	if out.by = strings.Join(permits, ", "); out.forbidden {
		out.by = strings.Join(forbids, ", ")
	}
	return out
}

// numbered gives each policy its index as id.
type numbered []rule

func (n numbered) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i, r := range n {
			if !yield(ids[i], r.policy) {
				return
			}
		}
	}
}

var ids = func() (all [maxRules + 1]cedar.PolicyID) {
	for i := range all {
		all[i] = cedar.PolicyID(strconv.Itoa(i))
	}
	return all
}()

func at(rules []rule, id cedar.PolicyID) rule { return rules[slices.Index(ids[:], id)] }

// partly works out what of the policies depends on the principal and the
// context alone. What is left asks about the resource.
func partly(rules []rule, entities cedar.EntityGetter, q cedar.Request) (kept []rule) {
	env := eval.Env{
		Entities: entities, Principal: q.Principal, Action: q.Action, Resource: eval.Variable("resource"), Context: q.Context,
	}
	for _, r := range rules {
		if p, keep := eval.PartialPolicy(env, (*xast.Policy)(r.policy.AST())); keep {
			kept = append(kept, rule{r.name, cedar.NewPolicyFromAST((*ast.Policy)(p))})
		}
	}
	return kept
}
