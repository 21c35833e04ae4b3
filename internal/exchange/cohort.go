package exchange

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// CohortID names a cohort within its program; it is a slug.
type CohortID string

// PublicCohort is everyone, without sign-in, from the release T0 on. Every
// program has it; a charter's rules may name it, but it is never declared.
const PublicCohort CohortID = "public"

// Cohort is a group of a program's members who receive content at the same
// time. Members are not listed: the rule decides, so that a changed attribute
// changes the cohort. A default cohort has no rule, takes every member whom no
// other takes, and stands last.
type Cohort struct {
	ID         CohortID `toml:"id"`
	Title      string   `toml:"title,omitempty"`
	MaxMembers int      `toml:"max_members,omitempty"` // 0: no cap
	Default    bool     `toml:"default,omitempty"`
	ByPolicy   bool     `toml:"by_policy,omitempty"` // a policy of the charter must permit entry, besides the rule, if there is one
	Rule       Rule     `toml:"rule,omitempty"`
}

// Rule says which members belong to a cohort: every term given must hold, and
// no term of Not may.
type Rule struct {
	Terms
	Not Terms `toml:"not,omitempty"`
}

// Terms are conditions on a member's attributes. A list holds when any of its
// values is among the member's, compared without regard to case. What is left
// empty is not asked.
type Terms struct {
	Kinds               []string `toml:"kind,omitempty"`
	Hats                []string `toml:"hats,omitempty"`
	Sectors             []string `toml:"sectors,omitempty"`
	Jurisdictions       []string `toml:"jurisdictions,omitempty"` // ISO 3166-1 alpha-2
	Regions             []string `toml:"regions,omitempty"`
	Products            []string `toml:"products,omitempty"`
	Organisations       []OrgID  `toml:"organisations,omitempty"`
	CompelledDisclosure *bool    `toml:"compelled_disclosure,omitempty"`
	MemberForDays       int      `toml:"member_for_days,omitempty"` // at least so many times 24 hours
}

// Attributes are the facts about a member that rules look at.
type Attributes struct {
	Organisation        OrgID
	Kind                string
	Hats                []string
	Sectors             []string
	Jurisdictions       []string
	Regions             []string
	Products            []string
	CompelledDisclosure bool      // a jurisdiction of the member has the duty in force
	JoinedAt            time.Time // zero: not yet a member
	Now                 time.Time // the instant of the decision
}

// clause is one term as a sentence, and whether it holds.
type clause struct {
	text  string
	holds bool
}

// Match reports whether a member with the attributes a belongs to the cohort.
// The reasons are the terms that hold when it does, and those that fail when
// it does not, in the words of Rule.String.
func (c Cohort) Match(a Attributes) (bool, []string) {
	if c.Default {
		return true, []string{c.Words()}
	}
	return c.Rule.Match(a)
}

// Words is the cohort's rule in plain English.
func (c Cohort) Words() string {
	switch {
	case c.Default:
		return "every other member"
	case c.ByPolicy && c.Rule.IsEmpty():
		return "whom the program's policies permit"
	case c.ByPolicy:
		return c.Rule.String() + ", and the program's policies permit it"
	}
	return c.Rule.String()
}

// IsEmpty reports whether the rule asks nothing.
func (r Rule) IsEmpty() bool { return len(r.clauses(Attributes{})) == 0 }

// Match is Cohort.Match for the rule alone. An empty rule matches nobody.
func (r Rule) Match(a Attributes) (bool, []string) {
	var held, failed []string
	for _, c := range r.clauses(a) {
		if c.holds {
			held = append(held, c.text)
		} else {
			failed = append(failed, c.text)
		}
	}
	if len(failed) > 0 || len(held) == 0 {
		return false, failed
	}
	return true, held
}

// String is the rule in plain English: "kind is security-vendor, and sector is
// energy or water, and no compelled-disclosure duty".
func (r Rule) String() string {
	var parts []string
	for _, c := range r.clauses(Attributes{}) {
		parts = append(parts, c.text)
	}
	if len(parts) == 0 {
		return "nobody: the rule is empty"
	}
	return strings.Join(parts, ", and ")
}

func (r Rule) clauses(a Attributes) []clause {
	return append(r.Terms.clauses(a, false), r.Not.clauses(a, true)...)
}

func (t Terms) clauses(a Attributes, not bool) []clause {
	var out []clause
	add := func(text string, holds bool) { out = append(out, clause{text, holds != not}) }
	lists := []struct {
		name       string
		want, have []string
	}{
		{"kind", t.Kinds, []string{a.Kind}},
		{"hat", t.Hats, a.Hats},
		{"sector", t.Sectors, a.Sectors},
		{"jurisdiction", t.Jurisdictions, a.Jurisdictions},
		{"region", t.Regions, a.Regions},
		{"product", t.Products, a.Products},
		{"organisation", texts(t.Organisations), []string{string(a.Organisation)}},
	}
	for _, l := range lists {
		if len(l.want) > 0 {
			add(l.name+" is "+anyOf(l.want, not), overlap(l.want, l.have))
		}
	}
	if t.CompelledDisclosure != nil {
		text := "a compelled-disclosure duty"
		if *t.CompelledDisclosure == not {
			text = "no compelled-disclosure duty"
		}
		add(text, *t.CompelledDisclosure == a.CompelledDisclosure)
	}
	if t.MemberForDays > 0 {
		text := fmt.Sprintf("member for at least %d days", t.MemberForDays)
		if not {
			text = fmt.Sprintf("member for less than %d days", t.MemberForDays)
		}
		span := time.Duration(t.MemberForDays) * 24 * time.Hour
		add(text, !a.JoinedAt.IsZero() && !a.Now.Before(a.JoinedAt.Add(span)))
	}
	return out
}

func anyOf(values []string, not bool) string {
	switch {
	case not && len(values) == 1:
		return "not " + values[0]
	case not:
		return "none of " + strings.Join(values, ", ")
	default:
		return strings.Join(values, " or ")
	}
}

func overlap(want, have []string) bool {
	return slices.ContainsFunc(want, func(w string) bool {
		return w != "" && slices.ContainsFunc(have, func(h string) bool { return strings.EqualFold(w, h) })
	})
}

// Audience is a set of readers with the same view of a program: the members of
// a cohort with, or without, a compelled-disclosure duty. The zero Audience
// means that no cohort matches.
type Audience struct {
	Cohort    CohortID
	Compelled bool
}

// PublicAudience is everyone, without sign-in.
var PublicAudience = Audience{Cohort: PublicCohort}

const compelledSuffix = "!compelled"

// String is the audience's key: the cohort's id, with "!compelled" after it
// for members under a duty. The zero Audience is "".
func (a Audience) String() string {
	if a.Compelled {
		return string(a.Cohort) + compelledSuffix
	}
	return string(a.Cohort)
}

// ParseAudience reads what String writes. The empty key is the zero Audience.
func ParseAudience(s string) (Audience, error) {
	if s == "" {
		return Audience{}, nil
	}
	id, compelled := strings.CutSuffix(s, compelledSuffix)
	if !ValidSlug(id) || compelled && CohortID(id) == PublicCohort {
		return Audience{}, Fail(Invalid, "%q is not an audience; write a cohort's id, or the id followed by %s", clip(s), compelledSuffix)
	}
	return Audience{CohortID(id), compelled}, nil
}

// CohortOf returns the first cohort, in the order of the charter, to which a
// member with these attributes belongs, and why. Without one, ok is false: the
// member receives what is public, no more. Policies are not asked: nobody
// belongs to a cohort that one has to permit.
func (c Charter) CohortOf(a Attributes) (id CohortID, why []string, ok bool) {
	return c.CohortBy(a, func(co Cohort) bool { return !co.ByPolicy })
}

// CohortBy is CohortOf with the charter's policies, which enter answers for:
// whether they let the member into the cohort.
func (c Charter) CohortBy(a Attributes, enter func(Cohort) bool) (id CohortID, why []string, ok bool) {
	for _, co := range c.Cohorts {
		match, reasons := co.Match(a)
		if co.ByPolicy && co.Rule.IsEmpty() {
			match, reasons = true, []string{co.Words()}
		}
		if match && enter(co) {
			return co.ID, reasons, true
		}
	}
	return "", nil, false
}

// AudienceOf returns the audience of a member with these attributes, and why;
// the zero Audience when no cohort matches.
func (c Charter) AudienceOf(a Attributes) (Audience, []string) {
	id, why, ok := c.CohortOf(a)
	if !ok {
		return Audience{}, nil
	}
	return Audience{Cohort: id, Compelled: a.CompelledDisclosure}, why
}

// Cohort returns the declared cohort with the id.
func (c Charter) Cohort(id CohortID) (Cohort, bool) {
	i := slices.IndexFunc(c.Cohorts, func(co Cohort) bool { return co.ID == id })
	if i < 0 {
		return Cohort{}, false
	}
	return c.Cohorts[i], true
}

// Move is an organisation that changes audience in a program. An empty cohort
// means that no rule matches it.
type Move struct {
	Org  OrgID
	From Audience
	To   Audience
}
