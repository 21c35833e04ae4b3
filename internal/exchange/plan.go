package exchange

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// PlanRule gives one content class to one cohort at one moment.
type PlanRule struct {
	Class  ContentClass
	Cohort CohortID
	At     Offset
}

// Plan is the schedule of a release: the public release T0 and what is given
// to whom how long before or after it. What no rule gives is not given.
type Plan struct {
	T0    time.Time
	Rules []PlanRule
}

// Slot is the moment at which one audience may read one content class.
type Slot struct {
	Audience Audience
	Class    ContentClass
	At       time.Time // UTC; zero when Never
	Never    bool
	Why      string // the rule behind it, in words
}

// Wave is everything that opens to one audience at one moment.
type Wave struct {
	Audience Audience
	At       time.Time
	Classes  []ContentClass
}

// Plan is the program's default plan for a release at t0.
func (c Charter) Plan(t0 time.Time) Plan {
	return Plan{T0: t0, Rules: slices.Clone(c.Rules)}
}

// Check lists what makes the plan unfit to be scheduled under the charter. The
// paths are t0 and rule[i].class, .cohort, .at.
func (p Plan) Check(c Charter) []Problem {
	var f findings
	if p.T0.IsZero() {
		f.add("t0", "missing: the moment of the public release")
	}
	if len(p.Rules) == 0 {
		f.add("rule", "missing: without a rule nothing is given to anyone")
	}
	f.rules(p.Rules, c)
	return f
}

// rules checks release rules; a charter's defaults and a plan obey the same.
func (f *findings) rules(rules []PlanRule, c Charter) {
	type key struct {
		class  ContentClass
		cohort CohortID
	}
	cohorts := []CohortID{PublicCohort}
	for _, co := range c.Cohorts {
		cohorts = append(cohorts, co.ID)
	}
	seen := map[key]int{}
	for i, r := range rules {
		path := fmt.Sprintf("rule[%d]", i)
		switch {
		case r.Class == "":
			f.add(path+".class", "missing")
		case !r.Class.Valid():
			f.add(path+".class", "%s", unknown("content class", r.Class, AllContentClasses))
		case !slices.Contains(c.ContentClasses, r.Class):
			f.add(path+".class", "%s is not among the program's content_classes", r.Class)
		}
		switch {
		case r.Cohort == "":
			f.add(path+".cohort", "missing")
		case !slices.Contains(cohorts, r.Cohort):
			f.add(path+".cohort", "%s", unknown("cohort", r.Cohort, cohorts))
		case r.Cohort == PublicCohort && r.At.BeforeT0():
			f.add(path+".at", "%s would publish %s before the release; the public cohort is served at T0 or later", r.At, r.Class)
		}
		k := key{r.Class, r.Cohort}
		if first, dup := seen[k]; dup && r.Class != "" && r.Cohort != "" {
			f.add(path, "%s to %s is already given by rule[%d]", r.Class, r.Cohort, first)
		} else {
			seen[k] = i
		}
	}
}

// Schedule returns when each audience may read each class that the plan
// mentions: one slot for every cohort of the charter, with and without a
// compelled-disclosure duty, and for the public, in the charter's order and
// the order of AllContentClasses. It holds that
//
//   - the public is served at T0 or later;
//   - what is public is open to every member as well, at the latest then;
//   - a class that the charter denies under a compelled-disclosure duty is
//     never given to such members through a member channel, not even when it
//     is public (they may read the public page like everyone);
//   - with others = "at-release" such members get nothing before T0.
//
// The plan must have passed Check; rules for unknown cohorts are ignored.
func Schedule(p Plan, c Charter) []Slot {
	s := scheduler{plan: p, charter: c}
	for _, r := range p.Rules {
		if !slices.Contains(s.classes, r.Class) {
			s.classes = append(s.classes, r.Class)
		}
	}
	slices.SortFunc(s.classes, byRank)
	var out []Slot
	for _, co := range c.Cohorts {
		for _, compelled := range []bool{false, true} {
			for _, class := range s.classes {
				out = append(out, s.slot(Audience{co.ID, compelled}, class))
			}
		}
	}
	for _, class := range s.classes {
		out = append(out, s.public(class))
	}
	return out
}

type scheduler struct {
	plan    Plan
	charter Charter
	classes []ContentClass
}

// own is the slot that the rules alone give to the audience's cohort.
func (s scheduler) own(a Audience, class ContentClass) Slot {
	slot := Slot{Audience: a, Class: class, Never: true, Why: fmt.Sprintf("no rule gives %s to %s", class, a.Cohort)}
	i := slices.IndexFunc(s.plan.Rules, func(r PlanRule) bool { return r.Class == class && r.Cohort == a.Cohort })
	if i < 0 {
		return slot
	}
	o := s.plan.Rules[i].At
	at, ok := o.At(s.plan.T0, s.charter.Calendar)
	slot.At, slot.Never, slot.Why = at, !ok, fmt.Sprintf("rule %s: %s", o, o.Words())
	if !ok {
		slot.Why = "rule never"
	}
	return slot
}

func (s scheduler) public(class ContentClass) Slot {
	slot := s.own(PublicAudience, class)
	if !slot.Never && slot.At.Before(s.plan.T0) {
		slot.At, slot.Why = s.plan.T0.UTC(), "the public is not served before the release"
	}
	return slot
}

func (s scheduler) slot(a Audience, class ContentClass) Slot {
	own, public, duty := s.own(a, class), s.public(class), s.charter.CompelledDisclosure
	if a.Compelled && duty.Denies(class) {
		return Slot{
			Audience: a, Class: class, Never: true,
			Why: fmt.Sprintf("%s is not given to members with a compelled-disclosure duty", class),
		}
	}
	if a.Compelled && duty.Others == OthersAtRelease && !own.Never && own.At.Before(s.plan.T0) {
		own.At, own.Why = s.plan.T0.UTC(), "members with a compelled-disclosure duty receive nothing before the release"
	}
	if !public.Never && (own.Never || public.At.Before(own.At)) {
		own.At, own.Never, own.Why = public.At, false, "public from then on"
	}
	return own
}

// Group gathers the slots that open at the same moment to the same audience
// into waves, ordered by time, then by the audience's key; slots that never
// open are in none.
func Group(slots []Slot) []Wave {
	type key struct {
		audience Audience
		at       int64
	}
	index := map[key]int{}
	var out []Wave
	for _, s := range slots {
		if s.Never {
			continue
		}
		k := key{s.Audience, s.At.UnixMicro()}
		i, ok := index[k]
		if !ok {
			i = len(out)
			index[k] = i
			out = append(out, Wave{Audience: s.Audience, At: s.At})
		}
		out[i].Classes = append(out[i].Classes, s.Class)
	}
	for _, w := range out {
		slices.SortFunc(w.Classes, byRank)
	}
	slices.SortFunc(out, func(a, b Wave) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Audience.String(), b.Audience.String()))
	})
	return out
}

func byRank(a, b ContentClass) int {
	return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a, b))
}

// The codes of warnings.
const (
	WarnWeekend = "weekend" // on a day of the program's weekend
	WarnHoliday = "holiday" // on a holiday of the program's calendar
	WarnPast    = "past"    // its moment has passed: it opens as soon as the plan is armed
)

// Warning is something unusual in a plan that an approver should see. It
// refuses nothing.
type Warning struct {
	Code     string
	Text     string
	Audience Audience // the zero Audience: it concerns T0 itself
	At       time.Time
}

// Warnings lists what is unusual in the slots of a plan at now: T0 or a wave on
// a day off, or in the past. A wave at T0 is covered by the warning about T0,
// and a wave to members under a duty by that of their cohort at the same time.
func Warnings(p Plan, c Charter, slots []Slot, now time.Time) []Warning {
	out := c.unusual(Audience{}, "the public release", p.T0, now)
	waves := Group(slots)
	for _, w := range waves {
		if w.At.Equal(p.T0) || w.Audience.Compelled && slices.ContainsFunc(waves, func(o Wave) bool {
			return o.Audience == Audience{Cohort: w.Audience.Cohort} && o.At.Equal(w.At)
		}) {
			continue
		}
		out = append(out, c.unusual(w.Audience, "the wave to "+w.Audience.String(), w.At, now)...)
	}
	return out
}

func (c Charter) unusual(a Audience, what string, at, now time.Time) []Warning {
	var out []Warning
	loc := c.Calendar.Location()
	local := at.In(loc).Format("Monday 2 January 2006 15:04") + " (" + loc.String() + ")"
	if name := c.Calendar.DayOff(at); name != "" {
		w := Warning{WarnWeekend, fmt.Sprintf("%s falls on the weekend: %s", what, local), a, at}
		if _, holiday := c.Calendar.Holidays[DateIn(at, loc)]; holiday {
			w.Code, w.Text = WarnHoliday, fmt.Sprintf("%s falls on a holiday (%s): %s", what, name, local)
		}
		out = append(out, w)
	}
	if at.Before(now) {
		out = append(out, Warning{WarnPast, fmt.Sprintf("%s lies in the past and opens as soon as the plan is armed: %s", what, local), a, at})
	}
	return out
}
