package feedback_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

const release exchange.ReleaseID = "rel_aaaaaaaaaaaaaaaa"

var (
	t0       = testkit.Start.Add(72 * time.Hour)
	operator = testkit.Actor(testkit.Person(testkit.Owner, "op", exchange.RoleOperator))
	auditor  = testkit.Actor(testkit.Person(testkit.Owner, "audit", exchange.RoleAuditor))
)

func reader(org exchange.OrgID) exchange.Actor {
	return testkit.Actor(testkit.Person(org, "ana", exchange.RoleAnalyst))
}

// house has one release that was given to m0 … m5, at Start.
type house struct {
	t     *testing.T
	db    *sqlstore.DB
	clock *testkit.Clock
	room  *feedback.Service
}

func newHouse(t *testing.T, change ...func(*exchange.Charter)) *house {
	t.Helper()
	h := &house{t: t, clock: testkit.NewClock()}
	h.db = storetest.SQLite(t, store.Options{Now: h.clock.Now})
	h.room = feedback.New(feedback.Config{
		Store: sqlstore.For[feedback.Tx](h.db), MaySee: h.maySee,
		Due: func(context.Context) error { return nil }, // nothing here is on the clock
	})
	c := testkit.Charter()
	for _, f := range change {
		f(&c)
	}
	h.update(func(tx *sqlstore.Tx) error {
		return tx.PutProgram(program.Stored{ID: c.ID, Owner: c.Owner, Charter: c, Revision: 1, CreatedAt: tx.Now(), UpdatedAt: tx.Now()})
	})
	h.release(release, exchange.ReleaseReleasing, time.Time{})
	for i := range 7 {
		org := testkit.Organisation(exchange.OrgID(fmt.Sprint("m", i)))
		h.update(func(tx *sqlstore.Tx) error {
			if err := tx.PutOrganisation(org); err != nil {
				return err
			}
			if err := tx.PutAcceptance(exchange.Acceptance{Program: c.ID, Org: org.ID, Version: 1, Person: "per", At: tx.Now()}); err != nil {
				return err
			}
			return tx.PutMember(testkit.Member(c.ID, org.ID, exchange.Audience{Cohort: "standard"}, 1))
		})
		if i < 6 { // m6 is a member to which the release was not given
			h.offer(release, org.ID)
		}
	}
	return h
}

func (h *house) update(fn func(tx *sqlstore.Tx) error) {
	h.t.Helper()
	if err := h.db.Update(context.Background(), fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) release(id exchange.ReleaseID, s exchange.ReleaseState, public time.Time) {
	h.t.Helper()
	h.update(func(tx *sqlstore.Tx) error {
		r, err := tx.Release(id)
		if exchange.KindOf(err) == exchange.NotFound {
			r = exchange.Release{ID: id, Program: testkit.Program, Title: "June", Revision: 1, CreatedAt: tx.Now(), Plan: exchange.Plan{T0: t0}}
			if id != release {
				r.Plan.T0 = t0.AddDate(0, 1, 0)
			}
		} else if err != nil {
			return err
		}
		r.State, r.PublicAt = s, public
		return tx.PutRelease(&r)
	})
}

func (h *house) offer(id exchange.ReleaseID, org exchange.OrgID) {
	h.t.Helper()
	h.update(func(tx *sqlstore.Tx) error {
		return tx.Expose([]exchange.Exposure{{Number: int64(id[4]), Release: id, Org: org, Kind: exchange.ExposureOffered, At: tx.Now()}})
	})
}

// maySee stands for the decision of the channels: members see what they were
// given, and the owner's operators everything.
func (h *house) maySee(ctx context.Context, a exchange.Actor, id exchange.ReleaseID) error {
	return h.db.View(ctx, func(tx *sqlstore.Tx) error {
		if given, err := tx.GivenTo(id, a.Org); err != nil || given || a.Operates(testkit.Owner) {
			return err
		}
		return exchange.Missing()
	})
}

func (h *house) count(stmt string, args ...any) int {
	h.t.Helper()
	return storetest.Value[int](h.t, h.db, stmt, args...)
}

func protection(change ...func(*exchange.Feedback)) exchange.Feedback {
	f := exchange.Feedback{
		Release: release, Kind: exchange.FeedbackProtection, Product: "Shield IPS", Type: "ids-signature", Format: "snort",
		ReadyAt: testkit.Start.Add(-time.Hour), Share: 80, Regions: []string{"eu"},
	}
	for _, c := range change {
		c(&f)
	}
	return f
}

func wantKind(t *testing.T, err error, want exchange.Kind) {
	t.Helper()
	if exchange.KindOf(err) != want {
		t.Errorf("got %v, want kind %q", err, want)
	}
}

func TestGive(t *testing.T) {
	h := newHouse(t)
	got, err := h.room.Give(t.Context(), reader("m0"), protection(func(f *exchange.Feedback) {
		f.ID, f.Org, f.Person, f.At, f.Program = "fb_forged", "m1", "per_forged", t0, "other" // not the caller's to say
		f.Product = "  Shield IPS "
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := protection(func(f *exchange.Feedback) {
		f.ID, f.Org, f.Person, f.At, f.Program = got.ID, "m0", reader("m0").Person, testkit.Start, testkit.Program
	})
	if d := cmp.Diff(want, got); d != "" || !exchange.HasIDPrefix(string(got.ID), "fb") {
		t.Error(got.ID, d)
	}
	l, err := h.room.List(t.Context(), operator, release)
	if err != nil || len(l.Entries) != 1 {
		t.Fatal(l, err)
	}
	if d := cmp.Diff(want, l.Entries[0].Feedback); d != "" || l.Entries[0].OrgName != "Organisation m0" {
		t.Error(d)
	}
	body := storetest.Value[[]byte](t, h.db, `SELECT body FROM event WHERE kind = 'feedback.give'`)
	var event map[string]any
	if err := json.Unmarshal(body, &event); err != nil {
		t.Fatal(err)
	}
	if event["d_ready_at"] != "2027-06-01T07:00:00.000000Z" || event["d_evidenced"] != false || event["actor_org"] != "m0" {
		t.Errorf("event %s", body)
	}
	if strings.Contains(string(body), "Shield") {
		t.Error("free text in the event")
	}
}

// Every field that is wrong is named, at once.
func TestInvalidFeedback(t *testing.T) {
	future := testkit.Start.Add(10 * time.Minute)
	cases := []struct {
		name  string
		f     exchange.Feedback
		paths []string
	}{
		{"kind", exchange.Feedback{Kind: "praise"}, []string{"kind"}},
		{"empty protection", exchange.Feedback{Kind: exchange.FeedbackProtection}, []string{"product", "type", "ready_at"}},
		{"protection out of range", protection(func(f *exchange.Feedback) {
			f.LiveAt, f.Share, f.Regions, f.Amends = f.ReadyAt.Add(-time.Second), 101, []string{""}, "fb_aaaaaaaaaaaaaaaa"
		}), []string{"live_at", "share", "regions[0]", "amends"}},
		{"protection in years", protection(func(f *exchange.Feedback) { f.ReadyAt = testkit.Start.AddDate(2, 0, 0) }), []string{"ready_at"}},
		{"empty sighting", exchange.Feedback{Kind: exchange.FeedbackSighting}, []string{"count", "first_seen"}},
		{"sighting backwards", exchange.Feedback{Kind: exchange.FeedbackSighting, Count: 1, FirstSeen: testkit.Start, LastSeen: testkit.Start.Add(-1)}, []string{"last_seen"}},
		{"sighting ahead", exchange.Feedback{Kind: exchange.FeedbackSighting, Count: -1, FirstSeen: future, LastSeen: future}, []string{"count", "first_seen", "last_seen"}},
		{"question without a question", exchange.Feedback{Kind: exchange.FeedbackQuestion, Text: "  "}, []string{"text"}},
		{"references", exchange.Feedback{Kind: exchange.FeedbackAcknowledged, Object: "tool--1", About: "7"}, []string{"object", "artifact"}},
		{"fields of others", exchange.Feedback{Kind: exchange.FeedbackNotAffected, Count: 1, LiveAt: future}, []string{"live_at", "count"}},
		{"too long", exchange.Feedback{Kind: exchange.FeedbackQuestion, Text: strings.Repeat("x", 4001)}, []string{"text"}},
		{"control characters", protection(func(f *exchange.Feedback) { f.Product = "a\x1bb" }), []string{"product"}},
	}
	h := newHouse(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.f.Release = release
			_, err := h.room.Give(t.Context(), reader("m0"), c.f)
			var e *exchange.Error
			if !errors.As(err, &e) || e.Kind != exchange.Invalid {
				t.Fatal(err)
			}
			var paths []string
			for _, p := range e.Problems {
				paths = append(paths, p.Path)
			}
			if d := cmp.Diff(c.paths, paths); d != "" {
				t.Error(d)
			}
		})
	}
	if n := h.count(`SELECT COUNT(*) FROM feedback`) + h.count(`SELECT COUNT(*) FROM event`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

// AT-15: a protection that is live before the public release is refused where
// the agreement says so, and the refusal is on record.
func TestPublishNotBefore(t *testing.T) {
	free := func(c *exchange.Charter) { c.Agreement.Obligations = []exchange.Obligation{exchange.FeedbackDuty} }
	live := func(at time.Time) exchange.Feedback {
		return protection(func(f *exchange.Feedback) { f.ReadyAt, f.LiveAt = at, at })
	}
	early, late := testkit.Start.Add(-time.Minute), t0.Add(time.Hour)
	cases := []struct {
		name    string
		charter func(*exchange.Charter)
		state   exchange.ReleaseState
		public  time.Time
		now, at time.Time
		want    exchange.Kind
	}{
		{"live now", nil, exchange.ReleaseReleasing, time.Time{}, testkit.Start, early, exchange.Embargoed},
		{"live just before T0", nil, exchange.ReleaseReleasing, time.Time{}, testkit.Start, t0.Add(-time.Microsecond), exchange.Embargoed},
		{"live at T0", nil, exchange.ReleaseReleasing, time.Time{}, testkit.Start, t0, ""},
		{"live after T0", nil, exchange.ReleaseReleasing, time.Time{}, testkit.Start, late, ""},
		{"no such obligation", free, exchange.ReleaseReleasing, time.Time{}, testkit.Start, early, ""},
		{"T0 has passed, contained", nil, exchange.ReleaseContained, time.Time{}, late.Add(time.Hour), late, exchange.Embargoed},
		{"T0 has passed, back in draft", nil, exchange.ReleaseDraft, time.Time{}, late.Add(time.Hour), late, exchange.Embargoed},
		{"public", nil, exchange.ReleasePublic, t0, late, late, ""},
		{"public, told afterwards", nil, exchange.ReleasePublic, t0, late, early, ""}, // a fact, marked in the event
		{"public early", nil, exchange.ReleasePublic, testkit.Start, testkit.Start.Add(time.Hour), testkit.Start.Add(time.Minute), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var change []func(*exchange.Charter)
			if c.charter != nil {
				change = append(change, c.charter)
			}
			h := newHouse(t, change...)
			h.release(release, c.state, c.public)
			h.clock.Set(c.now)
			_, err := h.room.Give(t.Context(), reader("m0"), live(c.at))
			wantKind(t, err, c.want)
			stored, given := h.count(`SELECT COUNT(*) FROM feedback`), h.count(`SELECT COUNT(*) FROM event WHERE kind = 'feedback.give'`)
			refused := h.count(`SELECT COUNT(*) FROM event WHERE kind = 'feedback.refuse' AND org = 'm0' AND release = ?1`, string(release))
			if want := map[bool][3]int{true: {0, 0, 1}, false: {1, 1, 0}}[c.want == exchange.Embargoed]; [3]int{stored, given, refused} != want {
				t.Errorf("stored, given, refused: %v, want %v", [3]int{stored, given, refused}, want)
			}
		})
	}
	h := newHouse(t)
	h.release(release, exchange.ReleasePublic, t0)
	h.clock.Set(late)
	if _, err := h.room.Give(t.Context(), reader("m0"), live(early)); err != nil {
		t.Fatal(err)
	}
	if h.count(`SELECT COUNT(*) FROM event WHERE kind = 'feedback.give' AND CAST(body AS TEXT) LIKE '%"d_before_release":true%'`) != 1 {
		t.Error("a protection that was live before the release is not marked")
	}
	// Ready before T0 is what the program is for.
	if _, err := newHouse(t).room.Give(t.Context(), reader("m0"), protection()); err != nil {
		t.Error(err)
	}
}

func TestSaidOnce(t *testing.T) {
	h := newHouse(t)
	for _, kind := range []exchange.FeedbackKind{exchange.FeedbackAcknowledged, exchange.FeedbackNotAffected} {
		f := exchange.Feedback{Release: release, Kind: kind}
		one, err := h.room.Give(t.Context(), reader("m0"), f)
		if err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(time.Hour)
		two, err := h.room.Give(t.Context(), reader("m0"), f)
		if err != nil || two.ID != one.ID || !two.At.Equal(one.At) {
			t.Errorf("%s again: %+v, %v", kind, two, err)
		}
		other, err := h.room.Give(t.Context(), reader("m1"), f)
		if err != nil || other.ID == one.ID {
			t.Errorf("%s by another: %+v, %v", kind, other, err)
		}
	}
	if n := h.count(`SELECT COUNT(*) FROM event`); n != 4 {
		t.Errorf("%d events, want 4", n)
	}
}

func TestAmend(t *testing.T) {
	h := newHouse(t)
	give := func(org exchange.OrgID, amends exchange.FeedbackID) (exchange.Feedback, error) {
		return h.room.Give(t.Context(), reader(org), protection(func(f *exchange.Feedback) { f.Amends = amends }))
	}
	one, err := give("m0", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = give("m1", one.ID) // of another organisation
	wantKind(t, err, exchange.Invalid)
	two, err := give("m0", one.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, err = give("m0", one.ID) // replaced already
	wantKind(t, err, exchange.Invalid)
	l, err := h.room.List(t.Context(), operator, release)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range l.Entries {
		if e.Replaced != (e.ID == one.ID) {
			t.Errorf("%s replaced: %v", e.ID, e.Replaced)
		}
	}
	if len(l.Entries) != 2 || two.Amends != one.ID {
		t.Errorf("%d entries", len(l.Entries))
	}
}

// Who may not see the release learns nothing, not even that it exists; who may
// see it and not answer is told so.
func TestWhoMayAnswer(t *testing.T) {
	h := newHouse(t)
	token := func(a exchange.Actor, verbs ...exchange.Verb) exchange.Actor {
		a.Token, a.Verbs, a.Machine = "fw_x", verbs, true
		return a
	}
	cases := []struct {
		name       string
		actor      exchange.Actor
		give, read exchange.Kind
	}{
		{"member", reader("m0"), "", ""},
		{"member's token for feedback", token(reader("m0"), exchange.VerbFeedback), "", ""},
		{"member's token to read", token(reader("m0"), exchange.VerbRead), exchange.Denied, ""},
		{"member to which it was not given", reader("m6"), exchange.NotFound, exchange.NotFound},
		{"stranger", reader("elsewhere"), exchange.NotFound, exchange.NotFound},
		{"public", exchange.Public(), exchange.NotFound, exchange.NotFound},
		{"operator of the owner", operator, exchange.Denied, ""},
		{"auditor of the owner", auditor, exchange.Denied, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := exchange.Feedback{Release: release, Kind: exchange.FeedbackAcknowledged}
			_, err := h.room.Give(t.Context(), c.actor, f)
			wantKind(t, err, c.give)
			_, err = h.room.List(t.Context(), c.actor, release)
			wantKind(t, err, c.read)
			_, outcome := h.room.ReleaseOutcome(t.Context(), c.actor, release)
			wantKind(t, outcome, c.read)
			if c.read != exchange.NotFound {
				return
			}
			_, unknown := h.room.List(t.Context(), c.actor, "rel_bbbbbbbbbbbbbbbb")
			if err.Error() != unknown.Error() || outcome.Error() != unknown.Error() {
				t.Errorf("withheld %v differs from unknown %v", err, unknown)
			}
		})
	}
	h.release(release, exchange.ReleaseClosed, t0)
	_, err := h.room.Give(t.Context(), reader("m0"), protection())
	wantKind(t, err, exchange.Conflict)
}

func TestListOfAMember(t *testing.T) {
	question := exchange.Feedback{Release: release, Kind: exchange.FeedbackQuestion, Text: "secret of the asker"}
	ack := exchange.Feedback{Release: release, Kind: exchange.FeedbackAcknowledged}
	for _, see := range []string{exchange.SeeNothing, exchange.SeeCounts} {
		t.Run(see, func(t *testing.T) {
			h := newHouse(t, func(c *exchange.Charter) { c.Visibility.MembersSee = see })
			for i := range 6 {
				if _, err := h.room.Give(t.Context(), reader(exchange.OrgID(fmt.Sprint("m", i))), ack); err != nil {
					t.Fatal(err)
				}
			}
			for _, org := range []exchange.OrgID{"m1", "m1", "m2"} {
				if _, err := h.room.Give(t.Context(), reader(org), question); err != nil {
					t.Fatal(err)
				}
			}
			l, err := h.room.List(t.Context(), reader("m0"), release)
			if err != nil {
				t.Fatal(err)
			}
			if len(l.Entries) != 1 || l.Entries[0].Org != "m0" {
				t.Errorf("a member sees %+v", l.Entries)
			}
			var want []feedback.Count // five others acknowledged; two asked, which is too few to be told
			if see == exchange.SeeCounts {
				want = []feedback.Count{{Kind: exchange.FeedbackAcknowledged, Organisations: 5}}
			}
			if d := cmp.Diff(want, l.Others); d != "" {
				t.Error(d)
			}
			all, err := h.room.List(t.Context(), auditor, release)
			if err != nil || len(all.Entries) != 9 || all.Others != nil {
				t.Errorf("the auditor sees %d entries, %v", len(all.Entries), err)
			}
		})
	}
}

func TestOutcomeOfProgram(t *testing.T) {
	h := newHouse(t)
	// A second release, still under embargo, and one that was given to nobody.
	h.release("rel_bbbbbbbbbbbbbbbb", exchange.ReleaseReleasing, time.Time{})
	h.offer("rel_bbbbbbbbbbbbbbbb", "m0")
	h.release("rel_cccccccccccccccc", exchange.ReleaseDraft, time.Time{})
	h.release(release, exchange.ReleasePublic, t0)
	h.clock.Set(t0.Add(72 * time.Hour))
	for i := range 4 {
		f := protection(func(f *exchange.Feedback) { f.LiveAt = t0.Add(time.Duration(i) * 13 * time.Hour) })
		if _, err := h.room.Give(t.Context(), reader(exchange.OrgID(fmt.Sprint("m", i))), f); err != nil {
			t.Fatal(err)
		}
	}
	pick := func(o feedback.Outcome, id exchange.MeasureID) feedback.Measure {
		return o.Measures[slices.IndexFunc(o.Measures, func(m feedback.Measure) bool { return m.ID == id })]
	}
	o, err := h.room.Outcome(t.Context(), operator, testkit.Program, feedback.Window{})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Cases) != 2 || !o.Overseer || o.Purpose != testkit.Charter().Outcome {
		t.Errorf("%+v", o.Cases)
	}
	lead := o.Measures[0] // 100 of 600 customers at T0, 200 at +24 h, 400 at +48 h
	if lead.ID != exchange.CoverageAtRelease || !lead.Lead || lead.State != feedback.StandingOpen || lead.Part != 100 || lead.Whole != 600 {
		t.Errorf("lead measure %+v", lead)
	}
	if d, w := pick(o, exchange.Coverage24h), pick(o, exchange.Coverage48h); d.Part != 200 || w.Part != 400 {
		t.Errorf("coverage %d, %d", d.Part, w.Part)
	}
	member, err := h.room.Outcome(t.Context(), reader("m6"), testkit.Program, feedback.Window{})
	if err != nil {
		t.Fatal(err)
	}
	if len(member.Cases) != 1 || member.Cases[0].Release != release || member.Overseer {
		t.Errorf("a member sees that a release waits: %+v", member.Cases)
	}
	if m := pick(member, exchange.CoverageAtRelease); m.Hidden || m.Whole != 600 || len(m.Rows) != 0 {
		t.Errorf("a member sees %+v", m)
	}
	empty, err := h.room.Outcome(t.Context(), operator, testkit.Program, feedback.Window{To: t0})
	if err != nil || len(empty.Cases) != 0 || !pick(empty, exchange.CoverageAtRelease).NoData {
		t.Errorf("before the window: %+v, %v", empty.Cases, err)
	}
	inside, err := h.room.Outcome(t.Context(), operator, testkit.Program, feedback.Window{From: t0, To: t0.Add(1)})
	if err != nil || len(inside.Cases) != 1 || inside.Cases[0].Release != release {
		t.Errorf("in the window: %+v, %v", inside.Cases, err)
	}
	after, err := h.room.Outcome(t.Context(), operator, testkit.Program, feedback.Window{From: t0.Add(1)})
	if err != nil || len(after.Cases) != 1 || after.Cases[0].Release == release || !pick(after, exchange.CoverageAtRelease).NoData {
		t.Errorf("after the window: %+v, %v", after.Cases, err)
	}
}

// At T0 the release is public to whoever asks, before the timetable or another
// reader has opened its wave.
func TestOutcomeAtT0(t *testing.T) {
	for name, ask := range map[string]func(*servertest.World, exchange.ReleaseID) (feedback.Outcome, error){
		"program": func(w *servertest.World, _ exchange.ReleaseID) (feedback.Outcome, error) {
			return w.X.Feedback.Outcome(t.Context(), w.Auditor, testkit.Program, feedback.Window{})
		},
		"release": func(w *servertest.World, id exchange.ReleaseID) (feedback.Outcome, error) {
			return w.X.Feedback.ReleaseOutcome(t.Context(), w.Auditor, id)
		},
	} {
		w := servertest.New(t)
		r := w.Draft("Spooler", testkit.Start.AddDate(0, 1, 0))
		w.Package(r.ID, 1)
		w.Arm(r.ID)
		w.Clock.Set(r.Plan.T0)
		o, err := ask(w, r.ID)
		if err != nil || len(o.Cases) != 1 || !o.Cases[0].Passed || !o.Cases[0].T0.Equal(r.Plan.T0) || o.Offered == 0 {
			t.Errorf("%s: %+v, %d offered, %v", name, o.Cases, o.Offered, err)
		}
	}
}

func TestWhoMayReadTheOutcome(t *testing.T) {
	h := newHouse(t)
	h.update(func(tx *sqlstore.Tx) error {
		m := testkit.Member(testkit.Program, "m1", exchange.Audience{Cohort: "standard"}, 1)
		m.State = exchange.MemberSuspended
		if err := tx.PutMember(m); err != nil {
			return err
		}
		return tx.PutMember(testkit.Member(testkit.Program, "unsigned", exchange.Audience{Cohort: "standard"}, 0))
	})
	scoped := reader("m0")
	scoped.Token, scoped.Verbs, scoped.Program = "fw_x", []exchange.Verb{exchange.VerbRead}, "other"
	submits := reader("m0")
	submits.Token, submits.Verbs = "fw_x", []exchange.Verb{exchange.VerbSubmit}
	_, unknown := h.room.Outcome(t.Context(), reader("m0"), "nowhere", feedback.Window{})
	wantKind(t, unknown, exchange.NotFound)
	for _, c := range []struct {
		name  string
		actor exchange.Actor
		want  exchange.Kind
	}{
		{"member", reader("m0"), ""},
		{"operator", operator, ""},
		{"auditor", auditor, ""},
		{"suspended member", reader("m1"), exchange.NotFound},
		{"member that has not signed", reader("unsigned"), exchange.NotFound},
		{"stranger", reader("elsewhere"), exchange.NotFound},
		{"public", exchange.Public(), exchange.NotFound},
		{"token for another program", scoped, exchange.NotFound},
		{"token that may not read", submits, exchange.NotFound},
	} {
		_, err := h.room.Outcome(t.Context(), c.actor, testkit.Program, feedback.Window{})
		wantKind(t, err, c.want)
		if err != nil && err.Error() != unknown.Error() {
			t.Errorf("%s: %v differs from unknown", c.name, err)
		}
	}
}

// An acknowledgement is also an exposure of each artifact that the organisation
// was offered of the release, and of nothing else.
func TestAcknowledgementIsAnExposure(t *testing.T) {
	h := newHouse(t)
	const other exchange.ReleaseID = "rel_bbbbbbbbbbbbbbbb"
	h.release(other, exchange.ReleaseReleasing, time.Time{})
	h.offer(other, "m0")
	h.update(func(tx *sqlstore.Tx) error {
		return tx.Expose([]exchange.Exposure{
			{Number: 7, Release: release, Org: "m0", Kind: exchange.ExposureOffered, At: tx.Now()},
			{Number: 8, Release: release, Org: "m1", Kind: exchange.ExposureOffered, At: tx.Now()},
			{Number: 9, Release: release, Org: "m0", Client: "x", Kind: exchange.ExposureOpened, At: tx.Now()},
		})
	})
	h.clock.Advance(time.Hour)
	machine := reader("m0")
	machine.Token, machine.Channel = "fw_siem", exchange.ChannelAPI
	for _, f := range []exchange.Feedback{
		{Release: release, Kind: exchange.FeedbackQuestion, Text: "Is it?"}, {Release: release, Kind: exchange.FeedbackNotAffected},
	} {
		if _, err := h.room.Give(t.Context(), machine, f); err != nil {
			t.Fatal(err)
		}
	}
	const rows = `SELECT COUNT(*) FROM exposure WHERE kind = 'acknowledged'`
	if n := h.count(rows); n != 0 {
		t.Errorf("%d acknowledged before anybody did", n)
	}
	for range 2 {
		if _, err := h.room.Give(t.Context(), machine, exchange.Feedback{Release: release, Kind: exchange.FeedbackAcknowledged}); err != nil {
			t.Fatal(err)
		}
	}
	event := h.count(`SELECT MAX(seq) FROM event WHERE kind = 'feedback.give'`)
	if n := h.count(rows); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
	for _, artifact := range []int{int(release[4]), 7} {
		n := h.count(rows+` AND artifact = ?1 AND org = 'm0' AND client = 'fw_siem' AND release = ?2 AND channel = 'api' AND at = ?3 AND event = ?4`,
			artifact, string(release), h.clock.Now().UnixMicro(), event)
		if n != 1 {
			t.Errorf("artifact %d is not on record as acknowledged", artifact)
		}
	}
}
