package feedback

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

var t0 = time.Date(2027, 6, 8, 17, 0, 0, 0, time.UTC)

func hours(h float64) time.Time { return t0.Add(time.Duration(h * float64(time.Hour))) }

// given is a member that was offered the case so many hours before T0.
func given(org exchange.OrgID, weight int64, before float64, change ...func(*Reach)) Reach {
	r := Reach{Org: org, Name: "Org " + string(org), Weight: weight, Capable: true, Offered: hours(-before)}
	for _, f := range change {
		f(&r)
	}
	return r
}

func incapable(r *Reach) { r.Capable = false }

func fetched(h float64) func(*Reach) { return func(r *Reach) { r.Delivered = hours(h) } }

func opened(h float64) func(*Reach) { return func(r *Reach) { r.Opened = hours(h) } }

var ids int

func said(org exchange.OrgID, kind exchange.FeedbackKind) exchange.Feedback {
	ids++
	return exchange.Feedback{ID: exchange.FeedbackID(fmt.Sprint("fb_", ids)), Org: org, Kind: kind, At: hours(-1)}
}

// protects is a protection that was ready and live so many hours after T0.
func protects(org exchange.OrgID, ready, live float64, evidence string) exchange.Feedback {
	f := said(org, exchange.FeedbackProtection)
	f.ReadyAt, f.LiveAt, f.Evidence = hours(ready), hours(live), evidence
	return f
}

func public(id exchange.ReleaseID, reach []Reach, answers ...exchange.Feedback) Case {
	return Case{
		Release: exchange.Release{ID: id, Title: string(id), State: exchange.ReleasePublic, Plan: exchange.Plan{T0: t0.Add(-time.Hour)}, PublicAt: t0},
		Reach:   reach, Feedback: answers,
	}
}

func pick(o Outcome, id exchange.MeasureID) Measure {
	for _, m := range o.Measures {
		if m.ID == id {
			return m
		}
	}
	panic("no measure " + id)
}

// AT-16: the seeded example, reckoned by hand.
//
//	member  customers  given    fetched  ready   live    counts for coverage
//	a       100        T0-72 h  T0-70 h  T0-24   T0-1    at T0, evidenced
//	b       50         T0-72 h  T0-48 h  T0+1    T0+2    from +24 h on
//	c       30         T0-24 h  T0-20 h  T0+30   T0+47   from +48 h on
//	d       20         T0-24 h  -        -       -       never
//	e       0 (as 1)   T0-24 h  T0+5 h   -       -       never
//	f       500        T0-72 h  T0-60 h  cannot protect: not in any coverage
//	g       70         T0-72 h  T0-71 h  says it is not affected: left out
//	h       900        T0       T0+1 h   T0+2    T0+2    given at T0 only: left out
//
// Denominator 100+50+30+20+1 = 201; PC(0) = 100, PC(24 h) = 150, PC(48 h) = 180.
func seeded() Case {
	notAffected := said("g", exchange.FeedbackNotAffected)
	return public("case", []Reach{
		given("a", 100, 72, fetched(-70), opened(-69)), given("b", 50, 72, fetched(-48)), given("c", 30, 24, opened(-20)),
		given("d", 20, 24), given("e", 0, 24, fetched(5)), given("f", 500, 72, incapable, fetched(-60)),
		given("g", 70, 72, fetched(-71)), given("h", 900, 0, fetched(1)),
	},
		protects("a", -24, -1, "https://example.com/rule"), protects("b", 1, 2, ""), protects("c", 30, 47, ""), protects("h", 2, 2, ""), notAffected)
}

func TestCoverageByHand(t *testing.T) {
	o := Compute([]Case{seeded()}, hours(100))
	for _, c := range []struct {
		id              exchange.MeasureID
		part, evidenced int64
		n               int
	}{
		{exchange.CoverageAtRelease, 100, 100, 1}, {exchange.Coverage24h, 150, 100, 2}, {exchange.Coverage48h, 180, 100, 3},
	} {
		m := pick(o, c.id)
		if m.NoData || m.Part != c.part || m.Whole != 201 || m.N != c.n || m.Of != 5 {
			t.Errorf("%s: %d of %d, n %d of %d, want %d of 201, n %d of 5", c.id, m.Part, m.Whole, m.N, m.Of, c.part, c.n)
		}
		if m.Evidenced.Part != c.evidenced || m.Attested.Part != c.part-c.evidenced {
			t.Errorf("%s: attested %d, evidenced %d", c.id, m.Attested.Part, m.Evidenced.Part)
		}
		for _, r := range m.Rows {
			if r.Org == "f" || r.Org == "g" || r.Org == "h" {
				t.Errorf("%s counts %s", c.id, r.Org)
			}
		}
	}
}

func TestSpansByHand(t *testing.T) {
	o := Compute([]Case{seeded()}, hours(100))
	// First access before T0: a 70, b 48, c 20, e -5 (after), f 60, g 71; d none; h was given at T0.
	// Sorted -5 20 48 60 70 71: median (48+60)/2, 90th percentile the 6th.
	lead := pick(o, exchange.LeadTime)
	if lead.Median != 54*time.Hour || lead.P90 != 71*time.Hour || lead.N != 6 || lead.Of != 7 {
		t.Errorf("lead time %v, p90 %v, n %d of %d", lead.Median, lead.P90, lead.N, lead.Of)
	}
	// Ready after first access: a -24+70 = 46, b 1+48 = 49, c 30+20 = 50, h 2-1 = 1; e has nothing.
	ttp := pick(o, exchange.TimeToProtection)
	if ttp.Median != (46+49)*time.Hour/2 || ttp.P90 != 50*time.Hour || ttp.N != 4 || ttp.Of != 5 {
		t.Errorf("time to protection %v, p90 %v, n %d of %d", ttp.Median, ttp.P90, ttp.N, ttp.Of)
	}
	if ttp.Evidenced.Median != 46*time.Hour || ttp.Evidenced.Count != 1 || ttp.Attested.Median != 49*time.Hour || ttp.Attested.Count != 3 {
		t.Errorf("apart: %+v %+v", ttp.Attested, ttp.Evidenced)
	}
	// Ready before T0: a 24, b -1, c -30; d and e nothing.
	margin := pick(o, exchange.ReadinessMargin)
	if margin.Median != -time.Hour || margin.P90 != 24*time.Hour || margin.N != 3 || margin.Of != 5 {
		t.Errorf("readiness margin %v, p90 %v, n %d of %d", margin.Median, margin.P90, margin.N, margin.Of)
	}
}

func TestUseAndSilence(t *testing.T) {
	c := seeded()
	c.Feedback = append(c.Feedback, said("e", exchange.FeedbackQuestion))
	o := Compute([]Case{c}, hours(100))
	use := pick(o, exchange.UseRate) // able: a b c d e h; protected: a b c h
	if use.Part != 4 || use.Whole != 6 || use.N != 4 || use.Of != 6 || use.Evidenced.Part != 1 {
		t.Errorf("use rate %+v", use.Figure)
	}
	want := []Reached{
		{State: StateSilent, Count: 1},                             // d
		{State: StateDelivered, Count: 1},                          // f
		{State: StateOpened}, {State: StateAcknowledged, Count: 1}, // e asked
		{State: StateNotAffected, Count: 1}, {State: StateProtecting, Count: 4},
	}
	if d := cmp.Diff(want, o.Reached); d != "" {
		t.Error(d)
	}
	silence := pick(o, exchange.Silence) // d, and f who fetched and said nothing
	if silence.Part != 2 || silence.Whole != 8 || o.Offered != 8 || o.Answered != 6 {
		t.Errorf("silence %d of %d; %d of %d answered", silence.Part, silence.Whole, o.Answered, o.Offered)
	}
	var quiet []exchange.OrgID
	for _, r := range o.Quiet {
		quiet = append(quiet, r.Org)
	}
	if d := cmp.Diff([]exchange.OrgID{"d", "f"}, quiet); d != "" {
		t.Error(d)
	}
}

// An empty denominator is no data: neither 0 nor 100 %.
func TestNoData(t *testing.T) {
	draft := public("draft", []Reach{given("a", 1, 10, fetched(-9))}, protects("a", -5, 1, ""))
	draft.Release.PublicAt, draft.Release.State = time.Time{}, exchange.ReleaseDraft
	ahead := seeded()
	ahead.Release.PublicAt, ahead.Release.State = time.Time{}, exchange.ReleaseArmed
	ahead.Release.Plan.T0 = t0
	contained := ahead
	contained.Release.State = exchange.ReleaseContained
	all := []exchange.MeasureID{}
	for _, m := range exchange.AllMeasures {
		all = append(all, m.ID)
	}
	atRelease := []exchange.MeasureID{exchange.LeadTime, exchange.ReadinessMargin, exchange.CoverageAtRelease, exchange.Coverage24h, exchange.Coverage48h}
	cases := []struct {
		name   string
		cases  []Case
		now    time.Time
		noData []exchange.MeasureID
	}{
		{"nothing", nil, hours(100), all},
		{"given to nobody", []Case{public("x", nil)}, hours(100), all},
		{"given later", []Case{public("x", []Reach{given("a", 1, 1)})}, hours(-2), all},
		{"never approved", []Case{draft}, hours(100), atRelease},
		{"contained before the release", []Case{contained}, hours(100), atRelease},
		{"ahead", []Case{ahead}, hours(-1), atRelease},
		{"one hour after", []Case{seeded()}, hours(1), []exchange.MeasureID{exchange.Coverage24h, exchange.Coverage48h}},
		{"its hour passed, its public wave did not open", []Case{ahead}, hours(24), atRelease},
		{"nobody able", []Case{public("x", []Reach{given("a", 1, 1, incapable, fetched(-1))})}, hours(100), []exchange.MeasureID{
			exchange.TimeToProtection, exchange.ReadinessMargin, exchange.CoverageAtRelease, exchange.Coverage24h, exchange.Coverage48h, exchange.UseRate,
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got []exchange.MeasureID
			for _, m := range Compute(c.cases, c.now).Measures {
				if m.NoData {
					got = append(got, m.ID)
				}
				if m.NoData && (m.Share() != 0 || m.Median != 0 || m.N != 0) {
					t.Errorf("%s without data: %+v", m.ID, m.Figure)
				}
			}
			if d := cmp.Diff(c.noData, got); d != "" {
				t.Error(d)
			}
		})
	}
	// Nobody protected, though all could: that is 0 %, not no data.
	m := pick(Compute([]Case{public("x", []Reach{given("a", 1, 1)})}, hours(100)), exchange.CoverageAtRelease)
	if m.NoData || m.Share() != 0 || m.Whole != 1 {
		t.Errorf("0 %% is shown as %+v", m)
	}
}

// What is announced, replaced or told later does not count at this instant.
func TestWhatCounts(t *testing.T) {
	announced := protects("a", 50, 60, "")
	replaced := protects("a", -10, -9, "proof")
	newer := protects("a", 1, 3, "")
	newer.Amends = replaced.ID
	foreign := protects("b", -1, -1, "")
	foreign.Amends = newer.ID // of another organisation: replaces nothing
	later := protects("a", -2, -2, "")
	later.At = hours(90)
	readyOnly := protects("a", -1, 0, "")
	readyOnly.LiveAt = time.Time{}
	liveOnly := protects("a", 0, -3, "")
	liveOnly.ReadyAt = time.Time{}
	cases := []struct {
		name    string
		answers []exchange.Feedback
		now     float64
		part    int64
		ready   time.Duration // margin; 0: none
	}{
		{"announced", []exchange.Feedback{announced}, 48, 0, 0},
		{"it has come", []exchange.Feedback{announced}, 60, 0, -50 * time.Hour},
		{"replaced", []exchange.Feedback{replaced, newer, foreign}, 48, 1, -time.Hour},
		{"told later", []exchange.Feedback{later}, 48, 0, 0},
		{"told by then", []exchange.Feedback{later}, 90, 1, 2 * time.Hour},
		{"ready, not live", []exchange.Feedback{readyOnly}, 48, 0, time.Hour},
		{"live was ready", []exchange.Feedback{liveOnly}, 48, 1, 3 * time.Hour},
		{"protects although not affected", []exchange.Feedback{said("a", exchange.FeedbackNotAffected), liveOnly}, 48, 1, 3 * time.Hour},
		{"the earliest of several", []exchange.Feedback{newer, protects("a", -7, -4, "")}, 48, 1, 7 * time.Hour},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := Compute([]Case{public("x", []Reach{given("a", 1, 1)}, c.answers...)}, hours(c.now))
			if m := pick(o, exchange.Coverage48h); m.Part != c.part {
				t.Errorf("coverage %d, want %d", m.Part, c.part)
			}
			if m := pick(o, exchange.ReadinessMargin); m.Median != c.ready || (m.N == 0) != (c.ready == 0) {
				t.Errorf("margin %v (n %d), want %v", m.Median, m.N, c.ready)
			}
		})
	}
}

func TestHoarders(t *testing.T) {
	var cases []Case
	for i := range 4 {
		c := public(exchange.ReleaseID(fmt.Sprint("case", i)), []Reach{
			given("takes", 1, 5, fetched(-4)), given("gives", 1, 5, fetched(-4)), given("cannot", 1, 5, fetched(-4), incapable),
			given("sleeps", 1, 5), given("spared", 1, 5, fetched(-4)),
		})
		if i == 2 {
			c.Feedback = append(c.Feedback, protects("gives", 1, 1, ""))
		}
		if i > 1 {
			c.Feedback = append(c.Feedback, said("spared", exchange.FeedbackNotAffected))
		}
		cases = append(cases, c)
	}
	o := Compute(cases, hours(100))
	if len(o.Hoarders) != 1 || o.Hoarders[0].Org != "takes" || o.Hoarders[0].Cases != 4 {
		t.Errorf("hoarders: %+v", o.Hoarders)
	}
	if o := Compute(cases[:2], hours(100)); len(o.Hoarders) != 0 {
		t.Errorf("after two cases: %+v", o.Hoarders)
	}
	use := pick(o, exchange.UseRate) // takes gives sleeps spared; each once
	if use.Part != 1 || use.Whole != 4 {
		t.Errorf("use rate %d of %d", use.Part, use.Whole)
	}
}

func TestMedianAndPercentile(t *testing.T) {
	for _, c := range []struct {
		in          []time.Duration
		median, p90 time.Duration
	}{
		{nil, 0, 0},
		{[]time.Duration{5}, 5, 5},
		{[]time.Duration{9, 1}, 5, 9},
		{[]time.Duration{3, 1, 2}, 2, 3},
		{[]time.Duration{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 5, 9}, // 5.5 in whole nanoseconds
		{[]time.Duration{11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, 6, 10},
	} {
		if got := medianOf(c.in).Median; got != c.median {
			t.Errorf("median of %v: %v, want %v", c.in, got, c.median)
		}
		if got := percentile(c.in, 90); got != c.p90 {
			t.Errorf("p90 of %v: %v, want %v", c.in, got, c.p90)
		}
	}
}

func TestStanding(t *testing.T) {
	target := func(s string, id exchange.MeasureID) exchange.Target {
		v, err := exchange.ParseTarget(s, id)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	by := exchange.DateIn(hours(0), time.UTC)
	o := Compute([]Case{seeded()}, hours(100))
	before := Compute([]Case{public("x", []Reach{given("a", 1, 9, fetched(-1))}, protects("a", -5, 0, ""))}, hours(100))
	for _, c := range []struct {
		id     exchange.MeasureID
		target string
		cases  Outcome
		now    time.Time
		want   Standing
	}{
		{exchange.Coverage48h, ">=89%", o, hours(100), StandingMet}, // 180/201 = 89.55 %
		{exchange.Coverage48h, ">=90%", o, hours(100), StandingMissed},
		{exchange.Coverage48h, ">=90%", o, hours(0), StandingOpen}, // its day is not over
		{exchange.TimeToProtection, "<=48h", o, hours(100), StandingMet},
		{exchange.TimeToProtection, "<=47h", o, hours(100), StandingMissed},
		{exchange.TimeToProtection, "<=0h", before, hours(100), StandingMet}, // ready four hours before the first access
		{exchange.ReadinessMargin, ">=0h", o, hours(100), StandingMissed},
		{exchange.ReadinessMargin, ">=0h", Compute(nil, hours(100)), hours(100), StandingNoData},
	} {
		m := pick(c.cases, c.id)
		m.judge(exchange.Measure{ID: c.id, Target: target(c.target, c.id), By: by, Lead: true}, exchange.Calendar{}, c.now)
		if m.State != c.want || !m.Lead {
			t.Errorf("%s %s: %q, want %q", c.id, c.target, m.State, c.want)
		}
	}
	m := pick(o, exchange.Silence)
	m.judge(exchange.Measure{ID: exchange.Silence}, exchange.Calendar{}, hours(100))
	if m.State != StandingNone {
		t.Errorf("without a target: %q", m.State)
	}
}

// Outside the owner's organisation nobody sees the rows of others, nor a figure
// that few stand behind.
func TestRedaction(t *testing.T) {
	o := Compute([]Case{seeded()}, hours(100))
	o.redact("a", MinContributors)
	for _, m := range o.Measures {
		for _, r := range m.Rows {
			if r.Org != "a" {
				t.Errorf("%s shows %s", m.ID, r.Org)
			}
		}
	}
	if len(o.Quiet)+len(o.Hoarders) != 0 {
		t.Errorf("others are named: %v %v", o.Quiet, o.Hoarders)
	}
	for _, r := range o.Reached { // 1, 2, 1 and 4 members
		if !r.Hidden || r.Count != 0 {
			t.Errorf("state %+v", r)
		}
	}
	if !o.Hidden || o.Offered+o.Answered != 0 {
		t.Errorf("%d offered, %d answered, hidden %v", o.Offered, o.Answered, o.Hidden)
	}
	for _, c := range o.Cases {
		if !c.Hidden || c.Offered != 0 || c.Reached != nil {
			t.Errorf("case %+v", c)
		}
	}
	hidden := map[exchange.MeasureID]bool{exchange.TimeToProtection: true, exchange.ReadinessMargin: true} // 4 and 3 contributors
	for _, m := range o.Measures {
		if m.Hidden != hidden[m.ID] {
			t.Errorf("%s hidden: %v", m.ID, m.Hidden)
		}
		if m.Uncounted != m.Hidden {
			t.Errorf("%s: the counts are marked as hidden: %v", m.ID, m.Uncounted)
		}
		if m.Hidden && (m.Figure != Figure{} || m.P90 != 0 || m.N != 0 || m.Of != 0) {
			t.Errorf("%s is hidden and shows %+v", m.ID, m)
		}
		if m.Evidenced.Count > 0 && m.Evidenced.Count < MinContributors {
			t.Errorf("%s shows that %d gave evidence", m.ID, m.Evidenced.Count)
		}
	}
	if m := pick(o, exchange.CoverageAtRelease); m.Part != 100 || m.Whole != 201 || len(m.Rows) != 1 {
		t.Errorf("coverage: %+v", m)
	}
	few := Compute([]Case{public("x", []Reach{
		given("a", 1, 1), given("b", 1, 1), given("c", 1, 1), given("d", 1, 1), given("e", 1, 1),
	}, protects("a", -1, 0, ""), protects("b", -1, 0, ""))}, hours(1))
	few.redact("a", MinContributors)
	if m := pick(few, exchange.CoverageAtRelease); m.Hidden || m.Part != 2 || m.Attested != (Figure{}) || m.Evidenced != (Figure{}) {
		t.Errorf("two attested: %+v", m)
	}
	anybody := Compute([]Case{seeded()}, hours(100))
	anybody.redact("", MinContributors)
	for _, m := range anybody.Measures {
		if len(m.Rows) != 0 {
			t.Errorf("%s shows rows to the public", m.ID)
		}
	}
}
