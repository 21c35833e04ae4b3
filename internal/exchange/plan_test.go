package exchange

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// planCharter has two cohorts and the calendar of Berlin.
func planCharter(t testing.TB, duty CompelledDisclosure) Charter {
	t.Helper()
	return Charter{
		ContentClasses:      []ContentClass{AdvanceNote, Summary, DetectionGuidance, PoC, Workaround},
		Calendar:            mustCalendar(t, "Europe/Berlin", nil, map[Date]string{{2026, 4, 3}: "Good Friday", {2026, 4, 6}: "Easter Monday"}),
		Cohorts:             []Cohort{{ID: "early"}, {ID: "standard"}},
		CompelledDisclosure: duty,
	}
}

func planAt(t0 time.Time, rules ...string) Plan {
	p := Plan{T0: t0}
	for _, r := range rules {
		f := strings.Fields(r)
		p.Rules = append(p.Rules, PlanRule{ContentClass(f[0]), CohortID(f[1]), mustOffset(f[2])})
	}
	return p
}

// matrix writes slots as "audience class instant", never as "-".
func matrix(slots []Slot) []string {
	var out []string
	for _, s := range slots {
		at := "-"
		if !s.Never {
			at = s.At.Format("2006-01-02T15:04Z")
		}
		if s.Never != s.At.IsZero() || s.Why == "" || s.At.Location() != time.UTC {
			at += fmt.Sprintf(" (inconsistent: %+v)", s)
		}
		out = append(out, fmt.Sprintf("%s %s %s", s.Audience, s.Class, at))
	}
	return out
}

func TestSchedule(t *testing.T) {
	t0 := utc(t, "2026-04-07T17:00Z") // Tuesday after Easter
	plan := planAt(t0,
		"poc early T0-1bd", "detection-guidance early T0-5d", "detection-guidance standard T0-24h",
		"advance-note standard T0-2bd@09:00", "detection-guidance public T0+48h", "summary public T0", "advance-note early never")
	tests := []struct {
		name string
		duty CompelledDisclosure
		want []string
	}{
		{"no duty in the charter", CompelledDisclosure{Others: OthersAsCohort}, []string{
			"early advance-note -",
			"early summary 2026-04-07T17:00Z",
			"early detection-guidance 2026-04-02T17:00Z",
			"early poc 2026-04-02T17:00Z",
			"early!compelled advance-note -",
			"early!compelled summary 2026-04-07T17:00Z",
			"early!compelled detection-guidance 2026-04-02T17:00Z",
			"early!compelled poc 2026-04-02T17:00Z",
			"standard advance-note 2026-04-01T07:00Z",
			"standard summary 2026-04-07T17:00Z",
			"standard detection-guidance 2026-04-06T17:00Z",
			"standard poc -",
			"standard!compelled advance-note 2026-04-01T07:00Z",
			"standard!compelled summary 2026-04-07T17:00Z",
			"standard!compelled detection-guidance 2026-04-06T17:00Z",
			"standard!compelled poc -",
			"public advance-note -",
			"public summary 2026-04-07T17:00Z",
			"public detection-guidance 2026-04-09T17:00Z",
			"public poc -",
		}},
		{"deny poc, others at release", CompelledDisclosure{[]ContentClass{PoC, ReproSteps}, OthersAtRelease}, []string{
			"early advance-note -",
			"early summary 2026-04-07T17:00Z",
			"early detection-guidance 2026-04-02T17:00Z",
			"early poc 2026-04-02T17:00Z",
			"early!compelled advance-note -",
			"early!compelled summary 2026-04-07T17:00Z",
			"early!compelled detection-guidance 2026-04-07T17:00Z",
			"early!compelled poc -",
			"standard advance-note 2026-04-01T07:00Z",
			"standard summary 2026-04-07T17:00Z",
			"standard detection-guidance 2026-04-06T17:00Z",
			"standard poc -",
			"standard!compelled advance-note 2026-04-07T17:00Z",
			"standard!compelled summary 2026-04-07T17:00Z",
			"standard!compelled detection-guidance 2026-04-07T17:00Z",
			"standard!compelled poc -",
			"public advance-note -",
			"public summary 2026-04-07T17:00Z",
			"public detection-guidance 2026-04-09T17:00Z",
			"public poc -",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := planCharter(t, tt.duty)
			if ps := plan.Check(c); len(ps) > 0 {
				t.Fatalf("plan refused: %q", lines(ps))
			}
			if diff := cmp.Diff(tt.want, matrix(Schedule(plan, c))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDeniedClassIsNeverGivenToMembersUnderDuty also holds when the class is
// public: then they read the public page, not the member channel.
func TestDeniedClassIsNeverGivenToMembersUnderDuty(t *testing.T) {
	c := planCharter(t, CompelledDisclosure{[]ContentClass{PoC}, OthersAsCohort})
	plan := planAt(utc(t, "2026-04-07T17:00Z"), "poc early T0-1bd", "poc standard T0+1d", "poc public T0")
	want := []string{
		"early poc 2026-04-02T17:00Z",
		"early!compelled poc -",
		"standard poc 2026-04-07T17:00Z", // the public moment comes before its own
		"standard!compelled poc -",
		"public poc 2026-04-07T17:00Z",
	}
	if diff := cmp.Diff(want, matrix(Schedule(plan, c))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPublicIsNeverEarly holds even for a plan that was not checked.
func TestPublicIsNeverEarly(t *testing.T) {
	c := planCharter(t, CompelledDisclosure{})
	plan := planAt(utc(t, "2026-04-07T17:00Z"), "summary public T0-1d")
	if ps := plan.Check(c); len(ps) != 1 || ps[0].Path != "rule[0].at" {
		t.Errorf("problems: %q", lines(ps))
	}
	for _, s := range Schedule(plan, c) {
		if s.At.Before(plan.T0) {
			t.Errorf("%s reads at %s", s.Audience, s.At)
		}
	}
}

func TestPlanCheck(t *testing.T) {
	c := planCharter(t, CompelledDisclosure{})
	t0 := utc(t, "2026-04-07T17:00Z")
	tests := []struct {
		name string
		plan Plan
		want []string
	}{
		{"empty", Plan{}, []string{"t0", "rule"}},
		{"unknown words", planAt(t0, "exploit early T0", "poc erly T0"), []string{"rule[0].class", "rule[1].cohort"}},
		{"class outside the charter", planAt(t0, "samples early T0"), []string{"rule[0].class"}},
		{"an audience is no cohort", planAt(t0, "poc early!compelled T0"), []string{"rule[0].cohort"}},
		{"duplicate", planAt(t0, "poc early T0", "poc standard T0", "poc early T0-1d"), []string{"rule[2]"}},
		{"never and after are fine", planAt(t0, "poc early never", "poc public T0+1bd@08:00"), nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, paths(tt.plan.Check(c))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestGroup(t *testing.T) {
	c := planCharter(t, CompelledDisclosure{[]ContentClass{PoC}, OthersAsCohort})
	plan := planAt(utc(t, "2026-04-07T17:00Z"), "poc early T0-1d", "summary early T0-24h", "workaround early T0", "summary public T0")
	var got []string
	for _, w := range Group(Schedule(plan, c)) {
		got = append(got, fmt.Sprint(w.At.Format("02T15:04 "), w.Audience, " ", w.Classes))
	}
	want := []string{
		"06T17:00 early [summary poc]",
		"06T17:00 early!compelled [summary]",
		"07T17:00 early [workaround]",
		"07T17:00 early!compelled [workaround]",
		"07T17:00 public [summary]",
		"07T17:00 standard [summary]",
		"07T17:00 standard!compelled [summary]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if w := Group(nil); len(w) != 0 {
		t.Errorf("from nothing: %v", w)
	}
}

func TestWarnings(t *testing.T) {
	c := planCharter(t, CompelledDisclosure{[]ContentClass{PoC}, OthersAtRelease})
	tests := []struct {
		name, now string
		plan      Plan
		want      []string
	}{
		{
			"nothing unusual", "2026-03-01T00:00Z",
			planAt(utc(t, "2026-04-09T17:00Z"), "summary early T0-1bd", "summary public T0"), nil,
		},
		{
			"weekend wave, told once for both audiences of a cohort", "2026-03-01T00:00Z",
			planAt(utc(t, "2026-06-16T22:30Z"), "summary standard T0+4d", "summary early T0-3d"), // Wednesday in Berlin
			// the members under duty get it at T0, a Wednesday
			[]string{"weekend early the wave to early falls on the weekend: Sunday 14 June 2026 00:30 (Europe/Berlin)", "weekend standard the wave to standard falls on the weekend: Sunday 21 June 2026 00:30 (Europe/Berlin)"},
		},
		{
			"T0 on a holiday, told once", "2026-03-01T00:00Z",
			planAt(utc(t, "2026-04-06T10:00Z"), "summary early T0", "summary public T0"),
			[]string{"holiday  the public release falls on a holiday (Easter Monday): Monday 6 April 2026 12:00 (Europe/Berlin)"},
		},
		{
			"past", "2026-04-09T16:00Z",
			planAt(utc(t, "2026-04-09T17:00Z"), "summary early T0-1d", "poc early T0-1h", "summary standard T0-1m", "summary public T0"),
			[]string{"past early the wave to early lies in the past and opens as soon as the plan is armed: Wednesday 8 April 2026 19:00 (Europe/Berlin)"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, w := range Warnings(tt.plan, c, Schedule(tt.plan, c), utc(t, tt.now)) {
				got = append(got, fmt.Sprintf("%s %s %s", w.Code, w.Audience, w.Text))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCharterPlanIsACopy(t *testing.T) {
	c := mustCharter(t, goodCharter)
	p := c.Plan(charterNow)
	p.Rules[0].At = Never()
	if c.Rules[0].At.IsNever() || !p.T0.Equal(charterNow) || len(p.Rules) != 2 {
		t.Error("an edit of the plan reached the charter")
	}
}
