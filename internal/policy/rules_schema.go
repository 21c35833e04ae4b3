package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go"
	xast "github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// RuleSchema is what policies may speak of, in Cedar's schema language. There
// is no clock in it: what the rules say of a member and an item holds until a
// fact changes.
const RuleSchema = `
// A program of this exchange.
entity Program;

// A cohort of the program, by its id.
entity Cohort;

// The organisation that asks.
entity Org = {
  id: String,
  kind: String,
  hats: Set<String>,          // the one in which it acts, when one was chosen
  sectors: Set<String>,
  jurisdictions: Set<String>, // its own, and those of the member that it is a client of
  regions: Set<String>,
  products: Set<String>,
  compelled: Bool,            // a compelled-disclosure duty is in force
  client: Bool,               // it reads as the client of a member
  cohort: String,             // empty while it is asked which it enters
  groups: Set<String>,        // groups of the charter that name it
  programs: Set<Program>      // active memberships with the agreement in force accepted
};

// What is read.
entity Item = {
  class: String,              // such as "root-cause"
  tlp: Long,                  // 1 CLEAR, 2 GREEN, 3 AMBER, 4 AMBER+STRICT, 5 RED
  label: String,              // such as "TLP:AMBER"
  pap: Long,                  // 1 CLEAR, 2 GREEN, 3 AMBER, 4 RED
  originators: Set<String>
};

action read appliesTo {
  principal: Org, resource: Item,
  context: {
    channel: String,          // web, api or taxii
    hat: String,              // empty: none was chosen
    purpose: String           // empty: none was named
  }
};

action enter appliesTo { principal: Org, resource: Cohort };
`

// Limits of one policy. Together they bound how deep its tree can be.
const (
	maxRules        = 200
	maxRuleBytes    = 16 << 10
	maxRuleBrackets = 64
)

var validator = sync.OnceValue(func() *validate.Validator {
	var s schema.Schema
	err := s.UnmarshalCedar([]byte(RuleSchema))
	if err != nil {
		panic(fmt.Errorf("reading the schema of rules: %w", err))
	}
	r, err := s.Resolve()
	if err != nil {
		panic(fmt.Errorf("reading the schema of rules: %w", err))
	}
	return validate.New(r)
})

// place is a position in the text of the policies.
type place struct{ line, column int }

func (p place) String() string { return fmt.Sprintf("line %d, column %d", p.line, p.column) }

func placeOf(text string, offset int) place {
	before := text[:offset]
	return place{1 + strings.Count(before, "\n"), offset - strings.LastIndexByte(before, '\n')}
}

func fault(at place, format string, args ...any) exchange.Problem {
	return exchange.Problem{Path: "policies", Message: at.String() + ": " + fmt.Sprintf(format, args...)}
}

// statements finds where the policies of a text end, without understanding
// them, and refuses those that are too long or nested too deep to be parsed.
func statements(text string) (ends []int, problem *exchange.Problem) {
	start, depth, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted:
			if c == '\\' {
				i++
			}
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '/' && strings.HasPrefix(text[i:], "//"):
			if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(text)
			}
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			depth--
		case c == ';':
			ends, start, depth = append(ends, i+1), i+1, 0
		}
		var p exchange.Problem
		switch {
		case i-start >= maxRuleBytes:
			p = fault(placeOf(text, start), "the policy is longer than %d bytes", maxRuleBytes)
		case depth > maxRuleBrackets:
			p = fault(placeOf(text, i), "brackets are nested deeper than %d", maxRuleBrackets)
		case len(ends) > maxRules:
			p = fault(placeOf(text, i), "a charter has at most %d policies", maxRules)
		default:
			continue
		}
		return nil, &p
	}
	return ends, nil
}

var parseFault = regexp.MustCompile(`(?s)parse error at [^:]*:(\d+):(\d+) ?(.*)`)

var expected = regexp.MustCompile(`(?s)^".*": exact got (.*) want (.*)$`)

// parse reads the policies of a text and checks each against the schema.
func parse(text string) (cedar.PolicyList, []exchange.Problem) {
	if len(text) > exchange.MaxPolicyBytes {
		return nil, []exchange.Problem{fault(place{1, 1}, "more than %d bytes", exchange.MaxPolicyBytes)}
	}
	ends, problem := statements(text)
	if problem != nil {
		return nil, []exchange.Problem{*problem}
	}
	list, err := cedar.NewPolicyListFromBytes("", []byte(text))
	if err != nil {
		return nil, []exchange.Problem{unparsed(text, err.Error())}
	}
	var problems []exchange.Problem
	for _, p := range list {
		from := p.Position().Offset
		to := len(text)
		for _, e := range ends {
			if e > from {
				to = e
				break
			}
		}
		for _, said := range unfit(p) {
			problems = append(problems, fault(placeOf(text, from+mentioned(text[from:to], said)), "%s", cut(said)))
		}
	}
	return list, problems
}

// unparsed is what the parser said, with the place of the word that it did not
// expect: it names the place of the word after that.
func unparsed(text, said string) exchange.Problem {
	at := place{1, 1}
	m := parseFault.FindStringSubmatch(said)
	if m == nil {
		return fault(at, "not a Cedar policy: %s", cut(said))
	}
	_, _ = fmt.Sscan(m[1], &at.line)
	_, _ = fmt.Sscan(m[2], &at.column)
	x := expected.FindStringSubmatch(m[3])
	if x == nil {
		return fault(at, "not a Cedar policy: %s", cut(m[3]))
	}
	if found, want := x[1], x[2]; found != "" {
		if before, ok := upTo(text, at); ok {
			if i := strings.LastIndex(before, found); i >= 0 {
				at = placeOf(text, i)
			}
		}
		return fault(at, "not a Cedar policy: found %s, expected %s", cut(strconv.Quote(found)), cut(strconv.Quote(want)))
	}
	return fault(at, "not a Cedar policy: it ends where %s is expected", cut(strconv.Quote(x[2])))
}

// upTo is the text before a place.
func upTo(text string, at place) (string, bool) {
	offset := 0
	for range at.line - 1 {
		i := strings.IndexByte(text[offset:], '\n')
		if i < 0 {
			return "", false
		}
		offset += i + 1
	}
	offset += at.column - 1
	return text[:max(0, min(offset, len(text)))], offset >= 0
}

// unfit lists what the schema has against a policy.
func unfit(p *cedar.Policy) (all []string) {
	err := validator().Policy("", (*xast.Policy)(p.AST()))
	if err == nil {
		return nil
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		// Follows from what stands before it.
		if len(all) > 0 && strings.HasPrefix(line, "unable to find an applicable action") {
			continue
		}
		all = append(all, line)
	}
	if len(all) == 0 {
		all = []string{"it does not fit the schema"}
	}
	return all[:min(len(all), 5)]
}

var named = regexp.MustCompile("`([^`]+)`")

// mentioned is where the policy names what a fault is about: the first name in
// the fault's text; the policy's beginning when it is not found.
func mentioned(policy, said string) int {
	m := named.FindStringSubmatch(said)
	if m == nil {
		return 0
	}
	name := m[1]
	if strings.HasPrefix(said, "attribute ") {
		parts := strings.Split(name, ".")
		name = parts[len(parts)-1]
	}
	word, err := regexp.Compile(`(?:^|[^\w])(` + regexp.QuoteMeta(name) + `)(?:$|[^\w])`)
	if err != nil {
		return 0
	}
	if at := word.FindStringSubmatchIndex(policy); at != nil {
		return at[2]
	}
	return 0
}

// cut makes what a parser said fit to be shown: on one line, and not long.
func cut(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if r := []rune(s); len(r) > 160 {
		return string(r[:160]) + "…"
	}
	return s
}
