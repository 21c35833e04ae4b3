package exchange

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Check lists what keeps the charter from opening a program (AT-01), every
// fault at once, each with the path of its field in the TOML document. With a
// zero now, dates are not compared with the present.
func (c Charter) Check(now time.Time) []Problem {
	var f findings
	c.checkPurpose(&f, now)
	c.checkMeasures(&f)
	if c.Calendar.ZoneName == "" {
		f.add("calendar.zone", "missing: the time zone in which the program's days begin and end, such as \"Europe/Berlin\"")
	}
	c.checkClasses(&f)
	c.checkCohorts(&f)
	f.rules(c.Rules, c)
	c.checkContributions(&f)
	c.checkAgreement(&f)
	c.checkHandling(&f)
	c.checkPolicies(&f)
	each(&f, "compelled_disclosure.deny", c.CompelledDisclosure.Deny, AllContentClasses)
	f.one("compelled_disclosure.others", cmp.Or(c.CompelledDisclosure.Others, OthersAsCohort), OthersAsCohort, OthersAtRelease)
	if n := c.Approvals.Default; n < 0 || n > 5 {
		f.add("approvals.default", "%d people is not between 1 and 5", n)
	}
	if d := c.Resharing.AnswerWithin; d != 0 && (d < time.Hour || d > 30*24*time.Hour) {
		f.add("resharing.answer_within", "between 1h and 720h")
	}
	if n := c.Resharing.MaxDays; n < 0 || n > 3650 {
		f.add("resharing.max_days", "between 1 and 3650")
	}
	c.Ledger.check(&f)
	each(&f, "approvals.two_person", c.Approvals.TwoPerson, AllContentClasses)
	f.one("visibility.members_see", cmp.Or(c.Visibility.MembersSee, SeeCounts), SeeNothing, SeeCounts, SeeNames)
	if n := c.Visibility.Floor; n < 0 || n > 1000 {
		f.add("visibility.count_floor", "%d is not between 1 and 1000", n)
	}
	for i, id := range c.LegalBasis {
		f.slug(fmt.Sprintf("legal_basis[%d]", i), string(id), "the id of a legal basis in the register")
		if slices.Contains(c.LegalBasis[:i], id) {
			f.add(fmt.Sprintf("legal_basis[%d]", i), "%s stands there twice", id)
		}
	}
	return f
}

func (c Charter) checkPurpose(f *findings, now time.Time) {
	f.slug("id", string(c.ID), "the program's short name")
	f.text("title", c.Title, "the program's name for people")
	f.text("outcome", c.Outcome, "what is better, and for whom, when the program works")
	f.slug("owner", string(c.Owner), "the organisation that answers for the program")
	f.list("beneficiaries", c.Beneficiaries, "who is better off")
	all(f, "information_types", "the types of information that are shared", c.InformationTypes, AllInformationTypes)
	for i, s := range c.OutOfScope {
		f.text(fmt.Sprintf("out_of_scope[%d]", i), s, "what is not shared")
	}
	today := DateIn(now, c.Calendar.Location())
	switch {
	case c.Review.IsZero():
		f.add("review_date", "missing: the day by which the program is looked at again")
	case !c.Sunset.IsZero() && c.Sunset.Before(c.Review):
		f.add("review_date", "%s is after the sunset on %s", c.Review, c.Sunset)
	case !now.IsZero() && c.Review.Before(today):
		f.add("review_date", "%s has passed; name the next one", c.Review)
	}
	switch {
	case c.Sunset.IsZero():
		f.add("sunset_date", "missing: the last day on which something new is shared")
	case !now.IsZero() && c.Sunset.Before(today):
		f.add("sunset_date", "%s has passed", c.Sunset)
	}
}

func (c Charter) checkMeasures(f *findings) {
	leads := 0
	for i, m := range c.Measures {
		path := fmt.Sprintf("measure[%d]", i)
		if m.Lead {
			leads++
		}
		info, known := m.ID.Info()
		switch {
		case m.ID == "":
			f.add(path+".id", "missing: the measure")
		case slices.Contains(volumeMeasures, m.ID) && m.Lead:
			f.add(path+".id", "%s counts volume, which says nothing about anyone being better protected; it is never a lead measure", m.ID)
		case !known:
			var ids []MeasureID
			for _, k := range AllMeasures {
				ids = append(ids, k.ID)
			}
			f.add(path+".id", "%s", unknown("measure", m.ID, ids))
		case slices.ContainsFunc(c.Measures[:i], func(o Measure) bool { return o.ID == m.ID }):
			f.add(path+".id", "%s stands there twice", m.ID)
		}
		c.checkTarget(f, path, m, info, known)
	}
	switch {
	case leads == 0:
		f.add("measure", "missing: at least one measure with lead = true, a target and a date")
	case leads > 3:
		f.add("measure", "%d lead measures; choose one to three, the others are diagnostic", leads)
	}
}

func (c Charter) checkTarget(f *findings, path string, m Measure, info MeasureInfo, known bool) {
	t := m.Target
	switch {
	case t.IsZero():
		f.add(path+".target", "missing: the value to reach, such as 90%% or <=48h")
	case known && info.Duration && t.Unit == "%":
		f.add(path+".target", "%s is a span of time; give it in m, h or d", m.ID)
	case known && !info.Duration && t.Unit != "%":
		f.add(path+".target", "%s is a share; give it in %%", m.ID)
	case known && t.AtMost == info.HigherIsBetter:
		f.add(path+".target", "%s points the wrong way: %s is better when it is %s", t, m.ID, map[bool]string{true: "higher", false: "lower"}[info.HigherIsBetter])
	case t.Unit == "%" && (t.Value < 0 || t.Value > 100):
		f.add(path+".target", "%s is not between 0 and 100", t)
	}
	switch {
	case m.By.IsZero():
		f.add(path+".by", "missing: the day on which the target shall be reached")
	case !c.Sunset.IsZero() && c.Sunset.Before(m.By):
		f.add(path+".by", "%s is after the sunset on %s", m.By, c.Sunset)
	}
}

func (c Charter) checkCohorts(f *findings) {
	if len(c.Cohorts) == 0 {
		f.add("cohort", "missing: at least one cohort of members")
	}
	for i, co := range c.Cohorts {
		path := fmt.Sprintf("cohort[%d]", i)
		f.slug(path+".id", string(co.ID), "the cohort's short name")
		if co.ID == PublicCohort {
			f.add(path+".id", "public is built in: everyone, at the release; choose another name")
		}
		if slices.ContainsFunc(c.Cohorts[:i], func(o Cohort) bool { return o.ID == co.ID && o.ID != "" }) {
			f.add(path+".id", "%s stands there twice", clip(string(co.ID)))
		}
		f.text(path+".title", co.Title, "the cohort's name for people")
		if co.MaxMembers < 0 {
			f.add(path+".max_members", "%d is negative; 0 means no cap", co.MaxMembers)
		}
		switch {
		case co.Default && !co.Rule.IsEmpty():
			f.add(path+".rule", "a default cohort takes every member whom no other takes; it has no rule")
		case co.Default && i < len(c.Cohorts)-1:
			f.add(path+".default", "the default cohort stands last: no member would reach those after it")
		case co.Default && co.ByPolicy:
			f.add(path+".by_policy", "a default cohort takes every member whom no other takes; a policy may forbid entry, and none is needed to permit it")
		case co.ByPolicy && strings.TrimSpace(c.Policies) == "":
			f.add(path+".by_policy", "the charter has no policies that would permit entry")
		case !co.Default && !co.ByPolicy && co.Rule.IsEmpty():
			f.add(path+".rule", "missing: which members belong to it; for every other member write default = true")
		}
		f.terms(path+".rule", co.Rule.Terms)
		f.terms(path+".rule.not", co.Rule.Not)
	}
}

// checkClasses wants classes of content where there are releases. A program in
// which members write needs none: what they write has no class.
func (c Charter) checkClasses(f *findings) {
	if len(c.ContentClasses) == 0 && len(c.Contributions.From) == 0 {
		f.add("content_classes", "missing: the classes of content that the program shares")
	}
	each(f, "content_classes", c.ContentClasses, AllContentClasses)
}

// checkContributions holds both lists to the cohorts of the charter. A cohort
// that writes and is given nothing has a drop box, which is no fault.
func (c Charter) checkContributions(f *findings) {
	var known []CohortID
	for _, co := range c.Cohorts {
		known = append(known, co.ID)
	}
	if len(c.Contributions.From) == 0 && len(c.Contributions.To) > 0 {
		f.add("contributions.from", "missing: the cohorts whose members write what the cohorts in to read")
	}
	for _, list := range []struct {
		path    string
		cohorts []CohortID
	}{{"contributions.from", c.Contributions.From}, {"contributions.to", c.Contributions.To}} {
		for i, id := range list.cohorts {
			at := fmt.Sprintf("%s[%d]", list.path, i)
			switch {
			case id == PublicCohort:
				f.add(at, "public is everyone without sign-in, who neither write nor are given what members write")
			case !slices.Contains(known, id):
				f.add(at, "%s", unknown("cohort", id, known))
			case slices.Contains(list.cohorts[:i], id):
				f.add(at, "%s stands there twice", clip(string(id)))
			}
		}
	}
}

// checkPolicies looks at the text and the tests as data. What the policies say
// is for the package that understands them.
func (c Charter) checkPolicies(f *findings) {
	if len(c.Policies) > MaxPolicyBytes {
		f.add("policies", "%d bytes; a charter has at most %d bytes of policies", len(c.Policies), MaxPolicyBytes)
	}
	for i, p := range c.Purposes {
		f.slug(fmt.Sprintf("purposes[%d]", i), p, "a purpose")
	}
	for i, p := range c.CountsFor {
		f.slug(fmt.Sprintf("counts_for[%d]", i), string(p), "a program's id")
	}
	if len(c.PolicyTests) > maxPolicyTests {
		f.add("policy_test", "%d tests; a charter has at most %d", len(c.PolicyTests), maxPolicyTests)
		return
	}
	for i, t := range c.PolicyTests {
		path := fmt.Sprintf("policy_test[%d]", i)
		f.text(path+".name", t.Name, "what the test shows")
		if slices.ContainsFunc(c.PolicyTests[:i], func(o PolicyTest) bool { return o.Name == t.Name && o.Name != "" }) {
			f.add(path+".name", "%q stands there twice", clip(t.Name))
		}
		f.one(path+".action", t.Action, RuleRead, RuleEnter)
		f.one(path+".expect", t.Expect, RulePermit, RuleForbid)
		if _, known := c.Cohort(t.Cohort); !known && (t.Cohort != "" || t.Action == RuleEnter) {
			f.add(path+".cohort", "the charter has no such cohort")
		}
		if t.Class != "" {
			f.one(path+".class", string(t.Class), texts(AllContentClasses)...)
		}
		if t.Channel != "" {
			f.one(path+".channel", string(t.Channel), string(ChannelWeb), string(ChannelAPI), string(ChannelTAXII))
		}
		_, err := ParseTLP(t.TLP)
		f.fault(path+".tlp", err)
		_, err = ParsePAP(t.PAP)
		f.fault(path+".pap", err)
	}
}

func (c Charter) checkAgreement(f *findings) {
	a := c.Agreement
	if a.Version < 1 {
		f.add("agreement.version", "missing: 1 for the first, one more for each that members must accept anew")
	}
	f.text("agreement.title", a.Title, "the agreement's name")
	f.text("agreement.text", a.Text, "what members accept")
	if a.Effective.IsZero() {
		f.add("agreement.effective", "missing: the day from which this version holds")
	}
	each(f, "agreement.obligations", a.Obligations, AllObligations)
}

func (c Charter) checkHandling(f *findings) {
	h := c.Handling
	if h.TLP == TLPUnset {
		f.add("handling.tlp", "missing: the label of what comes without one, such as TLP:AMBER+STRICT")
	}
	if h.PAP == PAPUnset {
		f.add("handling.pap", "missing: the action level of what comes without one, such as PAP:AMBER")
	}
	switch h.TLP {
	case TLPClear:
		f.add("handling.tlp", "TLP:CLEAR cannot be the default: it would publish what its originator forgot to label")
	case TLPRed:
		f.add("handling.tlp", "TLP:RED cannot be the default: it is for persons named one by one")
	}
	f.countries("handling.not_in", h.NotIn)
	c.checkGroups(f)
}

// checkGroups looks at the groups, and at the names in the default handling that
// are of the charter itself.
func (c Charter) checkGroups(f *findings) {
	var groups []GroupID
	for i, g := range c.Groups {
		path := fmt.Sprintf("group[%d]", i)
		f.slug(path+".id", string(g.ID), "the group's short name")
		if slices.Contains(groups, g.ID) && g.ID != "" {
			f.add(path+".id", "%s stands there twice", clip(string(g.ID)))
		}
		groups = append(groups, g.ID)
		if len(g.Organisations) == 0 {
			f.add(path+".organisations", "missing: the organisations of the group")
		}
		for k, o := range g.Organisations {
			f.slug(fmt.Sprintf("%s.organisations[%d]", path, k), string(o), "an organisation's id")
		}
	}
	h := c.Handling
	for i, id := range h.Groups {
		if !slices.Contains(groups, id) {
			f.add(fmt.Sprintf("handling.groups[%d]", i), "the charter has no group %q; add a [[group]]", clip(string(id)))
		}
	}
	for i, id := range h.NotCohorts {
		if _, ok := c.Cohort(id); !ok {
			f.add(fmt.Sprintf("handling.not_cohorts[%d]", i), "the charter has no cohort %q", clip(string(id)))
		}
	}
	for _, l := range []struct {
		key    string
		values []string
	}{{"sectors", h.Sectors}, {"purposes", h.Purposes}, {"not_hats", h.NotHats}} {
		for i, s := range l.values {
			f.text(fmt.Sprintf("handling.%s[%d]", l.key, i), s, "a value")
		}
	}
}

// findings collects faults.
type findings []Problem

func (f *findings) add(path, format string, args ...any) {
	*f = append(*f, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// fault adds what a parser said, in the words for the caller.
func (f *findings) fault(path string, err error) {
	if e, ok := err.(*Error); ok {
		f.add(path, "%s", e.Public)
	}
}

// date reads a TOML date, or one in quotes; absent is the zero Date.
func (f *findings) date(path string, v any) Date {
	switch v := v.(type) {
	case nil:
		return Date{}
	case toml.LocalDate:
		return Date{v.Year, time.Month(v.Month), v.Day}
	case string:
		d, err := ParseDate(v)
		f.fault(path, err)
		return d
	}
	f.add(path, "not a date; write it as YYYY-MM-DD")
	return Date{}
}

func (f *findings) text(path, s, meaning string) {
	if strings.TrimSpace(s) == "" {
		f.add(path, "missing: %s", meaning)
	}
}

func (f *findings) slug(path, s, meaning string) {
	f.text(path, s, meaning)
	if strings.TrimSpace(s) != "" && !ValidSlug(s) {
		f.add(path, "%q is not a short name: 1 to 63 lower-case letters, digits and inner hyphens", clip(s))
	}
}

func (f *findings) list(path string, values []string, meaning string) {
	if len(values) == 0 {
		f.add(path, "missing: %s", meaning)
	}
	for i, s := range values {
		f.text(fmt.Sprintf("%s[%d]", path, i), s, meaning)
	}
}

func (f *findings) one(path, s string, known ...string) {
	if !slices.Contains(known, s) {
		f.add(path, "%s", unknown("value", s, known))
	}
}

func (f *findings) countries(path string, codes []string) {
	for i, s := range codes {
		if !ValidCountry(s) {
			f.add(fmt.Sprintf("%s[%d]", path, i), "%q is not a country code of two capital letters (ISO 3166-1)", clip(s))
		}
	}
}

func (f *findings) terms(path string, t Terms) {
	f.countries(path+".jurisdictions", t.Jurisdictions)
	for i, o := range t.Organisations {
		f.slug(fmt.Sprintf("%s.organisations[%d]", path, i), string(o), "an organisation's id")
	}
	lists := []struct {
		key    string
		values []string
	}{{"kind", t.Kinds}, {"hats", t.Hats}, {"sectors", t.Sectors}, {"regions", t.Regions}, {"products", t.Products}}
	for _, l := range lists {
		for i, s := range l.values {
			f.text(fmt.Sprintf("%s.%s[%d]", path, l.key, i), s, "a value")
		}
	}
	if t.MemberForDays < 0 {
		f.add(path+".member_for_days", "%d is negative", t.MemberForDays)
	}
}

// each checks the entries of a list that may be empty.
func each[T ~string](f *findings, path string, values, known []T) {
	for i, v := range values {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case !slices.Contains(known, v):
			f.add(at, "%s", unknown("value", v, known))
		case slices.Contains(values[:i], v):
			f.add(at, "%s stands there twice", string(v))
		}
	}
}

// all is each for a list that may not be empty.
func all[T ~string](f *findings, path, meaning string, values, known []T) {
	if len(values) == 0 {
		f.add(path, "missing: %s", meaning)
	}
	each(f, path, values, known)
}

// unknown is the sentence that refuses a word which is not in a closed list.
func unknown[T ~string](what string, got T, known []T) string {
	names := texts(known)
	if near := nearest(string(got), names); near != "" {
		return fmt.Sprintf("unknown %s %q; did you mean %q?", what, clip(string(got)), near)
	}
	return fmt.Sprintf("unknown %s %q; choose from %s", what, clip(string(got)), strings.Join(names, ", "))
}

func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// nearest returns the candidate with the fewest edits from s, when they are
// few for its length; "" otherwise.
func nearest(s string, candidates []string) string {
	best, edits := "", 1+len(s)/4
	for _, c := range candidates {
		if n := distance(strings.ToLower(s), c); len(s) <= 64 && n <= edits {
			best, edits = c, n-1
		}
	}
	return best
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
