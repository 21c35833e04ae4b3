package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func protection(r exchange.ReleaseID, ready, live time.Time) exchange.Feedback {
	return exchange.Feedback{Release: r, Kind: exchange.FeedbackProtection, Product: "EDR", Type: "edr-rule", ReadyAt: ready, LiveAt: live}
}

// give gives feedback at a moment, as an organisation's analyst.
func give(t testing.TB, w *servertest.World, at time.Time, org exchange.OrgID, f exchange.Feedback) exchange.Feedback {
	t.Helper()
	w.Clock.Set(at)
	got, err := w.X.Feedback.Give(t.Context(), w.Reader(org), f)
	if err != nil {
		t.Fatalf("%s at %v: %v", org, at, err)
	}
	return got
}

// AT-15: nothing goes live before the release where the agreement says so. The
// attempt is refused, kept off the outcome, and on record; what turns out later
// to have been live too early is flagged.
func TestAT15_NothingIsLiveBeforeTheRelease(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Spooler", t0)
	w.Package(r.ID, 3)
	w.Arm(r.ID)
	w.Clock.Set(july(13, 9))
	now := w.Clock.Now()
	for name, f := range map[string]exchange.Feedback{
		"live now":                        protection(r.ID, now, now),
		"live yesterday":                  protection(r.ID, now.AddDate(0, 0, -1), now.AddDate(0, 0, -1)),
		"live just before T0, said ahead": protection(r.ID, now, t0.Add(-time.Microsecond)),
	} {
		if _, err := w.X.Feedback.Give(t.Context(), w.Reader(servertest.EarlyA), f); exchange.KindOf(err) != exchange.Embargoed {
			t.Errorf("%s: %v, want embargoed", name, err)
		}
	}
	refused, err := w.Events(exchange.EventFeedbackRefused)
	if err != nil || len(refused) != 3 {
		t.Errorf("%d refusals on record: %v", len(refused), err)
	}
	l, err := w.X.Feedback.List(t.Context(), w.Operator, r.ID)
	if err != nil || len(l.Entries) != 0 {
		t.Errorf("a refused protection was kept: %+v %v", l.Entries, err)
	}
	give(t, w, now, servertest.EarlyA, protection(r.ID, now, time.Time{})) // ready is fine
	give(t, w, now, servertest.EarlyB, protection(r.ID, now, t0))          // and so is live at T0
	give(t, w, t0.Add(time.Hour), servertest.EarlyB, protection(r.ID, now, t0.Add(-time.Hour)))
	given, err := w.Events(exchange.EventFeedback)
	if err != nil {
		t.Fatal(err)
	}
	flagged := 0
	for _, e := range given {
		if strings.Contains(string(e.Body), `"d_before_release":true`) {
			flagged++
		}
	}
	if flagged != 1 || len(given) != 3 {
		t.Errorf("%d of %d protections are flagged as early, want 1 of 3", flagged, len(given))
	}
	// Whoever holds nothing learns nothing, not even that there is an obligation.
	if _, err := w.X.Feedback.Give(t.Context(), w.Reader(servertest.Outsider), protection(r.ID, now, now)); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("an outsider: %v", err)
	}
}

// AT-15: without that obligation nothing is refused.
func TestAT15_OnlyWhereTheAgreementSaysSo(t *testing.T) {
	w := servertest.New(t)
	c := strings.Replace(string(testkit.CharterTOML()), "version = 1\n", "version = 2\n", 1)
	c = strings.Replace(c, `obligations = ["publish-not-before", "feedback-duty"]`, `obligations = ["feedback-duty"]`, 1)
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, []byte(c), false); err != nil {
		t.Fatal(err)
	}
	if _, err := w.X.Members.Accept(t.Context(), w.Reader(servertest.EarlyA), testkit.Program, 2); err != nil {
		t.Fatal(err)
	}
	r := w.Draft("Spooler", t0)
	w.Package(r.ID, 3)
	w.Arm(r.ID)
	give(t, w, july(13, 9), servertest.EarlyA, protection(r.ID, july(13, 8), july(13, 8)))
}

func measure(t testing.TB, o feedback.Outcome, id exchange.MeasureID) feedback.Measure {
	t.Helper()
	i := slices.IndexFunc(o.Measures, func(m feedback.Measure) bool { return m.ID == id })
	if i < 0 {
		t.Fatalf("no measure %s", id)
	}
	return o.Measures[i]
}

// AT-16: coverage at the release, a day and two days later, against a
// calculation by hand. Weights are customers: 500, 300, 100, 100 are able to
// protect; 700 more say that they are not affected, 900 more cannot protect at
// all, and neither count.
func TestAT16_CoverageAtRelease(t *testing.T) {
	w := servertest.New(t)
	for org, customers := range map[exchange.OrgID]int64{
		servertest.EarlyA: 500, servertest.EarlyB: 300, servertest.Standard: 100, servertest.Compelled: 100, servertest.Validator: 700, servertest.Client: 900,
	} {
		o, err := w.X.Members.Organisation(t.Context(), w.Admin, org)
		if err != nil {
			t.Fatal(err)
		}
		o.Customers = customers
		if _, err := w.X.Members.ChangeOrganisation(t.Context(), w.Admin, o, 0); err != nil {
			t.Fatal(err)
		}
	}
	r := w.Draft("Spooler", t0)
	w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Bundle(3, 1), servertest.Label(exchange.TLPAmber)) // clients get it, too
	w.Submit(r.ID, exchange.Summary, "s.md", strings.NewReader("# s\n"), servertest.Label(exchange.TLPClear))
	w.Arm(r.ID)
	ids := []exchange.MeasureID{exchange.CoverageAtRelease, exchange.Coverage24h, exchange.Coverage48h}
	check := func(at time.Time, want ...[2]int64) { // part and whole; {-1, -1}: no data
		t.Helper()
		w.Clock.Set(at)
		if err := w.X.Releases.OpenDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		o, err := w.X.Feedback.ReleaseOutcome(t.Context(), w.Operator, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		for n, id := range ids {
			m := measure(t, o, id)
			if noData := want[n][0] < 0; m.NoData != noData || !noData && (m.Part != want[n][0] || m.Whole != want[n][1]) {
				t.Errorf("%v: %s is %d of %d, no data %t; want %v", at, id, m.Part, m.Whole, m.NoData, want[n])
			}
			for _, row := range m.Rows {
				if row.Org == servertest.Client || row.Org == servertest.Validator || row.Org == servertest.Late {
					t.Errorf("%v: %s counts %s", at, id, row.Org)
				}
			}
		}
	}
	none := [2]int64{-1, -1}
	check(july(1, 15), none, none, none)
	give(t, w, july(2, 9), servertest.Validator, exchange.Feedback{Release: r.ID, Kind: exchange.FeedbackNotAffected})
	give(t, w, july(13, 9), servertest.EarlyA, protection(r.ID, july(13, 8), t0)) // live at the release itself
	check(t0.Add(-time.Second), none, none, none)
	check(t0, [2]int64{500, 1000}, none, none)
	give(t, w, t0.Add(21*time.Hour), servertest.EarlyB, protection(r.ID, t0, t0.Add(20*time.Hour)))
	check(t0.Add(24*time.Hour-time.Second), [2]int64{500, 1000}, none, none)
	check(t0.Add(24*time.Hour), [2]int64{500, 1000}, [2]int64{800, 1000}, none)
	give(t, w, t0.Add(47*time.Hour), servertest.Standard, protection(r.ID, t0, t0.Add(47*time.Hour)))
	check(t0.Add(48*time.Hour), [2]int64{500, 1000}, [2]int64{800, 1000}, [2]int64{900, 1000})
	// What comes later changes nothing about the first two days.
	give(t, w, t0.Add(72*time.Hour), servertest.Compelled, protection(r.ID, t0, t0.Add(72*time.Hour)))
	check(t0.Add(96*time.Hour), [2]int64{500, 1000}, [2]int64{800, 1000}, [2]int64{900, 1000})
	// Four organisations are fewer than five: outside the owner the figure is hidden.
	o, err := w.X.Feedback.ReleaseOutcome(t.Context(), w.Reader(servertest.EarlyA), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if m := measure(t, o, exchange.CoverageAtRelease); !m.Hidden || m.Whole != 0 || len(m.Rows) != 1 || m.Rows[0].Org != servertest.EarlyA {
		t.Errorf("a member sees %+v", m)
	}
}

// figures is an outcome without what differs between two exchanges with the
// same history: identifiers.
func figures(o feedback.Outcome) []string {
	var out []string
	for _, m := range o.Measures {
		out = append(out, fmt.Sprintf("%s %t %+v p90 %v attested %+v evidenced %+v %d/%d lead %t %s", m.ID, m.NoData, m.Figure, m.P90, m.Attested, m.Evidenced, m.N, m.Of, m.Lead, m.State))
		for _, r := range m.Rows {
			out = append(out, fmt.Sprintf("  %s %d %v %v %v %t %t %s", r.Org, r.Weight, r.From, r.To, r.Span, r.Counts, r.Evidenced, r.State))
		}
	}
	return append(out, fmt.Sprint(o.Offered, o.Answered, o.Reached, len(o.Quiet), len(o.Hoarders)))
}

// AT-40: more objects are not a better outcome. Duplicates by the hundred
// thousand change none of the measures, whether they come with the release or
// after it.
func TestAT40_DuplicatesChangeNoMeasure(t *testing.T) {
	t.Parallel()
	duplicates := 1_000_000
	if testing.Short() {
		duplicates = 100_000
	}
	run := func(before, after int) []string {
		w := servertest.New(t)
		r := w.Draft("Spooler", t0)
		w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Bundle(50, 1))
		if before > 0 {
			w.Submit(r.ID, exchange.DetectionGuidance, "again.json", servertest.Bundle(50, 1)) // the same objects
			w.Submit(r.ID, exchange.DetectionGuidance, "more.json", stixtest.Reader(before, 2, stixtest.Options{Size: 500}))
		}
		w.Submit(r.ID, exchange.Summary, "s.md", strings.NewReader("# s\n"), servertest.Label(exchange.TLPClear))
		w.Arm(r.ID)
		read := func(at time.Time, orgs ...exchange.OrgID) {
			w.Clock.Set(at)
			for _, org := range orgs {
				if _, err := w.X.Delivery.Page(t.Context(), w.Machine(org), testkit.Program, delivery.Query{Limit: 1000}); err != nil {
					t.Fatal(err)
				}
			}
		}
		read(july(2, 9), servertest.Validator)
		read(july(13, 9), servertest.EarlyA, servertest.EarlyB)
		give(t, w, july(14, 9), servertest.EarlyA, protection(r.ID, july(14, 8), t0))
		read(july(14, 20), servertest.Standard)
		if after > 0 {
			w.Clock.Set(july(15, 9))
			w.Submit(r.ID, exchange.DetectionGuidance, "late.json", stixtest.Reader(after, 3, stixtest.Options{Size: 500}))
			w.Arm(r.ID)
		}
		give(t, w, t0.Add(time.Hour), servertest.Standard, protection(r.ID, t0, t0.Add(time.Hour)))
		read(t0.Add(50*time.Hour), servertest.Validator, servertest.EarlyA, servertest.EarlyB, servertest.Standard, servertest.Compelled)
		o, err := w.X.Feedback.Outcome(t.Context(), w.Operator, testkit.Program, feedback.Window{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.X.Releases.Close(t.Context(), w.Operator, r.ID, release.Change{Reason: "done"}); err != nil {
			t.Fatal(err)
		}
		return figures(o)
	}
	plain := run(0, 0)
	if strings.Contains(plain[0], "no data") || len(plain) < 20 {
		t.Fatalf("the history tells little: %q", plain)
	}
	if diff := cmp.Diff(plain, run(duplicates, 0)); diff != "" {
		t.Errorf("%d duplicates in the release (-without +with):\n%s", duplicates, diff)
	}
	if diff := cmp.Diff(plain, run(0, 10_000)); diff != "" {
		t.Errorf("duplicates added on the way (-without +with):\n%s", diff)
	}
}

// AT-01: a program without its purpose is not opened, and the answer names what
// is missing. After the sunset reads work on every channel, and nothing new is
// shared.
func TestAT01_NoProgramWithoutAnOutcome(t *testing.T) {
	w := servertest.New(t)
	for field, cut := range map[string]string{
		"outcome":           "outcome = \"Customers of the members are protected when a fix becomes public.\"\n",
		"owner":             "owner = \"example-psirt\"\n",
		"measure":           "[[measure]]\nid = \"coverage-at-release\"\ntarget = \">=60%\"\nby = 2028-06-01\nlead = true\n",
		"measure[0].target": "target = \">=60%\"\n",
		"measure[0].by":     "by = 2028-06-01\n",
		"review_date":       "review_date = 2029-06-01\n",
	} {
		c := strings.Replace(string(testkit.CharterTOML()), `id = "early-warning"`, `id = "another-program"`, 1)
		without := strings.Replace(c, cut, "", 1)
		if c == without {
			t.Fatalf("the charter has no %s", field)
		}
		before := w.Dump()
		_, err := w.X.Programs.Apply(t.Context(), w.Operator, []byte(without), false)
		e, ok := err.(*exchange.Error)
		if !ok || e.Kind != exchange.Invalid && e.Kind != exchange.Denied {
			t.Errorf("without %s: %v", field, err)
			continue
		}
		if named := slices.ContainsFunc(e.Problems, func(p exchange.Problem) bool { return p.Path == field }); !named {
			t.Errorf("without %s: the problems are %v", field, e.Problems)
		}
		if diff := cmp.Diff(before["program"], w.Dump()["program"]); diff != "" {
			t.Errorf("without %s something was stored: %s", field, diff)
		}
	}
}

// AT-01: after the sunset reads work and new shares are refused.
func TestAT01_AfterTheSunset(t *testing.T) {
	s := &scene{World: servertest.New(t)}
	r := s.Draft("Spooler", t0)
	i := s.marked(r, "g.json", 1, first, []exchange.TLP{0, 0})
	s.Arm(r.ID)
	s.run(t0)
	held := s.Draft("Later", t0.AddDate(1, 0, 0))
	s.marked(held, "h.json", 2, first, []exchange.TLP{0})
	web := serve(s.World)
	readers := s.readers()
	s.run(time.Date(2030, time.May, 31, 22, 0, 0, 0, time.UTC)) // the day after the sunset, in Berlin
	in := strings.NewReader("# text\n")
	for name, err := range map[string]error{
		"create": func() error {
			_, err := s.X.Releases.Create(t.Context(), s.Operator, release.Draft{Program: testkit.Program, Title: "New", T0: s.Clock.Now().AddDate(0, 0, 9)})
			return err
		}(),
		"submit": func() error {
			_, err := s.X.Submissions.Submit(t.Context(), s.Operator, inputOf(held.ID), in)
			return err
		}(),
		"send": func() error { _, err := s.X.Releases.Send(t.Context(), s.Operator, held.ID, 0); return err }(),
	} {
		if exchange.KindOf(err) != exchange.Conflict {
			t.Errorf("%s: %v, want a conflict", name, err)
		}
	}
	for _, r := range readers {
		if r.org != servertest.EarlyA || r.ceiling != 0 || r.secret != "" { // tokens have expired by then
			continue
		}
		for _, ch := range append(rooms(), interfaces()...) {
			if !ch.serves(r) || ch.object == nil {
				continue
			}
			q := &question{scene: s, site: web, ctx: t.Context(), r: r, on: ch.on}
			if n, err := ch.object(q, i.objects[0].id); err != nil || n == 0 {
				t.Errorf("%s, %s: %d %v", r.name, ch.name, n, err)
			}
			if n, err := ch.object(q, servertest.MarkedID(2, 0)); err != nil || n != 0 {
				t.Errorf("%s, %s: what was never shared: %d %v", r.name, ch.name, n, err)
			}
		}
	}
}
