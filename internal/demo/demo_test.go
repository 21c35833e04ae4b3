package demo_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/demo"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/feedback"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// told is one moment at which the story is told: a Saturday.
var told = time.Date(2026, time.November, 28, 9, 30, 0, 0, time.UTC)

// world is an exchange with the demonstration.
type world struct {
	*testing.T
	s    *server.Server
	data string
	r    demo.Ready
}

func open(t *testing.T, data string, now func() time.Time) *server.Server {
	t.Helper()
	s, err := server.Open(t.Context(), server.Options{Data: data, Config: config.Default(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	s.SetURL("http://exchange.example")
	return s
}

// TestDemonstration seeds one exchange and looks at it from every side. What
// changes it stands last.
func TestDemonstration(t *testing.T) {
	w := seeded(t)
	for _, c := range []struct {
		name string
		test func(w *world)
	}{
		{"cast", testCast},
		{"releases", testReleases},
		{"outcome", testOutcome},
		{"history", testHistory},
		{"withheld", testWithheld},
		{"accounts", testAccounts},
		{"rights", testRights},
		{"control", testControl},
		{"hand in", testHandIn},
		{"again", testAgain},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(&world{T: t, s: w.s, data: w.data, r: w.r}) })
	}
}

func seeded(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, data: t.TempDir()}
	clock := demo.NewClock(func() time.Time { return told })
	w.s = open(t, w.data, clock.Now)
	t.Cleanup(func() {
		if err := w.s.Close(); err != nil {
			t.Error(err)
		}
	})
	var err error
	if w.r, err = demo.Seed(t.Context(), w.s, clock); err != nil {
		t.Fatal(err)
	}
	return w
}

func must[T any](t *testing.T, err error, v T) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// actor is an account by its bearer token.
func (w *world) actor(name string, channel exchange.Channel) exchange.Actor {
	w.Helper()
	a, ok := w.r.Account(name)
	if !ok {
		w.Fatalf("there is no account %s", name)
	}
	actor, err := w.s.Authn.Bearer(w.Context(), a.Token, channel)
	return must(w.T, err, actor)
}

func (w *world) releases() (closed, running, draft exchange.Release) {
	w.Helper()
	all, err := w.s.Exchange.Releases.List(w.Context(), w.actor("operator", exchange.ChannelAPI), demo.Program)
	if err != nil {
		w.Fatal(err)
	}
	if len(all) != 3 {
		w.Fatalf("%d releases; want 3", len(all))
	}
	slices.SortFunc(all, func(a, b exchange.Release) int { return a.Plan.T0.Compare(b.Plan.T0) })
	return all[0], all[1], all[2]
}

func testCast(w *world) {
	t := w.T
	members, err := w.s.Exchange.Members.Members(t.Context(), w.actor("operator", exchange.ChannelAPI), demo.Program, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, m := range members {
		got[m.Audience.String()]++
		got[string(m.State)]++
		if m.Accepted == 0 {
			got["unsigned"]++
		}
	}
	want := map[string]int{"validate": 5, "early": 9, "standard": 14, "at-release": 9, "active": 39, "suspended": 1, "unsigned": 1}
	for _, c := range []exchange.CohortID{"early", "standard", "at-release"} {
		want[exchange.Audience{Cohort: c, Compelled: true}.String()] = 1
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("members (-want +got)\n%s", diff)
	}
}

func testReleases(w *world) {
	t := w.T
	closed, running, draft := w.releases()
	states := []exchange.ReleaseState{closed.State, running.State, draft.State}
	if diff := cmp.Diff([]exchange.ReleaseState{exchange.ReleaseClosed, exchange.ReleaseReleasing, exchange.ReleaseDraft}, states); diff != "" {
		t.Errorf("states (-want +got)\n%s", diff)
	}
	v, err := w.s.Exchange.Releases.Read(t.Context(), w.actor("approver", exchange.ChannelAPI), running.ID)
	if err != nil {
		t.Fatal(err)
	}
	open := map[exchange.CohortID]exchange.WaveState{}
	for _, wave := range v.Waves {
		if wave.At.Before(v.Plan.T0) || wave.Audience.Cohort != "validate" && wave.Audience.Cohort != "early" {
			open[wave.Audience.Cohort] = wave.State
		}
		if wave.Late != 0 {
			t.Errorf("the wave to %s is marked %v late", wave.Audience, wave.Late)
		}
	}
	want := map[exchange.CohortID]exchange.WaveState{
		"validate": exchange.WaveOpen, "early": exchange.WaveOpen, "standard": exchange.WaveScheduled,
		"at-release": exchange.WaveScheduled, "public": exchange.WaveScheduled,
	}
	if diff := cmp.Diff(want, open); diff != "" {
		t.Errorf("waves of the release on the clock (-want +got)\n%s", diff)
	}
	if n := len(v.Valid()); n != 2 || v.Needed != 2 {
		t.Errorf("%d approvals of %d", n, v.Needed)
	}
}

// The outcome is computed from what happened: some promises are kept, some are
// not, and nothing that the charter names is without data.
func testOutcome(w *world) {
	t := w.T
	out, err := w.s.Exchange.Feedback.Outcome(t.Context(), w.actor("operator", exchange.ChannelAPI), demo.Program, feedback.Window{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[exchange.MeasureID]feedback.Standing{}
	for _, m := range out.Measures {
		if m.NoData || m.Count == 0 {
			t.Errorf("%s has no data", m.ID)
		}
		got[m.ID] = m.State
	}
	want := map[exchange.MeasureID]feedback.Standing{
		exchange.CoverageAtRelease: feedback.StandingMet, exchange.TimeToProtection: feedback.StandingMet,
		exchange.Coverage48h: feedback.StandingMissed, exchange.UseRate: feedback.StandingMissed,
		exchange.LeadTime: feedback.StandingMet, exchange.ReadinessMargin: feedback.StandingMet,
		exchange.Silence: feedback.StandingOpen, exchange.Coverage24h: feedback.StandingNone,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("measures (-want +got)\n%s", diff)
	}
	for _, r := range out.Reached {
		if r.Count == 0 {
			t.Errorf("nobody is %s", r.State)
		}
	}
}

// The history reads as if it had been lived: events in the order of time, up to
// the present, among them what was refused.
func testHistory(w *world) {
	t := w.T
	var last record.Entry
	kinds := map[exchange.EventKind]int{}
	for after := int64(0); ; after = last.Seq {
		page, err := w.s.Exchange.Record.Events(t.Context(), exchange.System(), record.EventFilter{After: after, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			if e.At.Before(last.At) || e.At.After(told) {
				t.Errorf("event %d (%s) is of %v, after one of %v", e.Seq, e.Kind, e.At, last.At)
			}
			kinds[e.Kind]++
			last = e
		}
		if len(page) == 0 {
			break
		}
	}
	for _, k := range []exchange.EventKind{
		exchange.EventWaveOpened, exchange.EventPageServed, exchange.EventReleaseOpened, exchange.EventFeedback,
		exchange.EventFeedbackRefused, exchange.EventReleaseClosed, exchange.EventMemberSuspended,
	} {
		if kinds[k] == 0 {
			t.Errorf("no event is a %s", k)
		}
	}
}

// Who is given nothing of the release on the clock finds no trace of it.
func testWithheld(w *world) {
	t := w.T
	closed, running, draft := w.releases()
	v, err := w.s.Exchange.Releases.Read(t.Context(), exchange.System(), running.ID)
	if err != nil {
		t.Fatal(err)
	}
	early := w.actor("early", exchange.ChannelTAXII)
	page, err := w.s.Exchange.Delivery.Page(t.Context(), early, demo.Program, delivery.Query{Limit: delivery.MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	// The identity of the vendor is in both bundles.
	const perBundle = 64
	if len(page.Entries) < perBundle {
		t.Fatalf("the early cohort has %d objects of two releases", len(page.Entries))
	}
	for _, name := range []string{"at-release", "at-release-2", "standard", "standard-2"} {
		w.sees(name, map[exchange.ReleaseID]bool{closed.ID: true, running.ID: false, draft.ID: false}, v.Artifacts)
	}
	for _, name := range []string{"early", "early-2", "validate"} {
		w.sees(name, map[exchange.ReleaseID]bool{closed.ID: true, running.ID: true, draft.ID: false}, nil)
	}
	for _, name := range []string{"unsigned", "suspended"} {
		w.sees(name, map[exchange.ReleaseID]bool{closed.ID: false, running.ID: false, draft.ID: false}, v.Artifacts)
	}
	public, err := w.s.Exchange.Delivery.PublicReleases(t.Context())
	if err != nil || len(public) != 1 || public[0].ID != closed.ID || len(public[0].Items) != 3 {
		t.Errorf("public are %+v (%v); want the three public items of the closed release", public, err)
	}
	w.classes("early", running.ID, true)
	w.classes("early-compelled", running.ID, false)
}

// sees holds an account to which releases it may know of, in each way of asking.
func (w *world) sees(name string, want map[exchange.ReleaseID]bool, withheld []exchange.Artifact) {
	w.Helper()
	x, ctx, a := w.s.Exchange.Delivery, w.Context(), w.actor(name, exchange.ChannelAPI)
	list, err := x.Releases(ctx, a, demo.Program)
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		w.Fatal(err)
	}
	notices, err := x.Notices(ctx, a, time.Time{}, 1000)
	if err != nil {
		w.Fatal(err)
	}
	for id, sees := range want {
		if listed := slices.ContainsFunc(list, func(m delivery.MemberRelease) bool { return m.ID == id }); listed != sees {
			w.Errorf("%s: %s listed is %v", name, id, listed)
		}
		if _, err := x.Release(ctx, a, id); (err == nil) != sees || err != nil && exchange.KindOf(err) != exchange.NotFound {
			w.Errorf("%s: asking for %s answers %v", name, id, err)
		}
		hits, err := x.Search(ctx, a, demo.Program, string(id), 10)
		if err != nil && exchange.KindOf(err) != exchange.NotFound || (len(hits) > 0) != sees {
			w.Errorf("%s: searching %s finds %v (%v)", name, id, hits, err)
		}
		if !sees && slices.ContainsFunc(notices, func(n exchange.Notice) bool { return n.Release == id }) {
			w.Errorf("%s: a notice tells of %s", name, id)
		}
	}
	for _, art := range withheld {
		if _, err := x.Content(ctx, a, art.ID); exchange.KindOf(err) != exchange.NotFound {
			w.Errorf("%s: asking for “%s” answers %v", name, art.Title, err)
		}
	}
	w.objects(name, want)
}

// objects counts what the account's collection holds: the bundles of the
// releases that it may know of, and nothing else.
func (w *world) objects(name string, want map[exchange.ReleaseID]bool) {
	w.Helper()
	x, ctx, a := w.s.Exchange.Delivery, w.Context(), w.actor(name, exchange.ChannelTAXII)
	ids := map[string]bool{}
	for id, sees := range want {
		v, err := w.s.Exchange.Releases.Read(ctx, exchange.System(), id)
		if err != nil {
			w.Fatal(err)
		}
		for _, art := range v.Artifacts {
			if sees && art.Kind == exchange.ArtifactSTIX {
				objects, err := x.Objects(ctx, w.actor("operator", exchange.ChannelAPI), art.ID, -1, delivery.MaxLimit)
				if err != nil || len(objects) == 0 {
					w.Fatalf("%s holds %d objects (%v)", art.ID, len(objects), err)
				}
				for _, o := range objects {
					ids[o.ID] = true
				}
			}
		}
	}
	page, err := x.Page(ctx, a, demo.Program, delivery.Query{Limit: delivery.MaxLimit})
	count, err2 := x.Count(ctx, a, demo.Program)
	if len(ids) == 0 {
		if exchange.KindOf(err) != exchange.NotFound || exchange.KindOf(err2) != exchange.NotFound {
			w.Errorf("%s: a page answers %v, a count %v", name, err, err2)
		}
		return
	}
	if err != nil || err2 != nil {
		w.Fatal(err, err2)
	}
	// The identity of the vendor stands in each bundle, and is one object.
	if len(page.Entries) != len(ids) || count != int64(len(ids)) {
		w.Errorf("%s: a page holds %d objects and the count is %d; want %d", name, len(page.Entries), count, len(ids))
	}
}

// classes checks that an account is given proofs of concept, or never.
func (w *world) classes(name string, id exchange.ReleaseID, poc bool) {
	w.Helper()
	m, err := w.s.Exchange.Delivery.Release(w.Context(), w.actor(name, exchange.ChannelAPI), id)
	if err != nil {
		w.Fatal(err)
	}
	got := map[exchange.ContentClass]bool{}
	for _, i := range m.Items {
		got[i.Artifact.Class] = true
	}
	if got[exchange.PoC] != poc || got[exchange.ReproSteps] || !got[exchange.DetectionGuidance] || !got[exchange.RootCause] {
		w.Errorf("%s holds %v", name, got)
	}
}

// Every account works in each way in which one may sign in, as often as wanted.
func testAccounts(w *world) {
	t := w.T
	cohorts := map[exchange.CohortID]int{}
	for _, a := range w.r.Accounts {
		cohorts[a.Cohort]++
		basic, err := w.s.Authn.Basic(t.Context(), a.User, a.Password, exchange.ChannelTAXII)
		if err != nil || basic.Org != a.Organisation || !slices.Contains(basic.Roles, exchange.Role(a.Role)) && a.Role != "member" {
			t.Errorf("%s with user and password is %+v (%v)", a.Name, basic, err)
		}
		code, ok := strings.CutPrefix(a.SignIn, "http://exchange.example/sign-in?code=")
		if !ok {
			t.Errorf("%s signs in with %s", a.Name, a.SignIn)
		}
		for range 2 {
			if _, _, actor, err := w.s.Authn.SignIn(t.Context(), code); err != nil || actor.Person != basic.Person {
				t.Errorf("the link of %s signs in %+v (%v)", a.Name, actor, err)
			}
		}
	}
	for _, c := range []exchange.CohortID{"validate", "early", "standard", "at-release"} {
		if cohorts[c] < 2 {
			t.Errorf("cohort %s has %d accounts", c, cohorts[c])
		}
	}
	want := []demo.Collection{
		{
			ID: delivery.CollectionID(demo.Program), Title: "Patch Day early protection", Writable: []string{},
			Readable: []string{"validate", "validate-2", "early", "early-2", "early-compelled", "standard", "standard-2", "at-release", "at-release-2"},
		},
		{
			ID: delivery.CollectionID(demo.Community), Title: "Sightings among members",
			Readable: []string{"validate", "validate-2", "early", "early-2", "standard", "standard-2", "at-release"},
			Writable: []string{"validate", "validate-2", "early", "early-2", "standard", "standard-2", "at-release"},
		},
		{
			ID: delivery.CollectionID(demo.DropBox), Title: "Tip box",
			Readable: []string{"standard-2"}, Writable: []string{"early", "early-2", "at-release"},
		},
		{
			ID: delivery.CollectionID(demo.Circle), Title: "Vetted circle",
			Readable: []string{"validate", "validate-2"}, Writable: []string{"validate", "validate-2"},
		},
	}
	if diff := cmp.Diff(want, w.r.Collections); diff != "" {
		t.Errorf("collections (-want +got)\n%s", diff)
	}
}

// One account has one collection of each kind, and the ready file names them.
func testRights(w *world) {
	t := w.T
	early, _ := w.r.Account("early")
	named := func(id exchange.ProgramID, title string) *demo.Named {
		return &demo.Named{ID: delivery.CollectionID(id), Title: title}
	}
	want := demo.Rights{
		Account: "early", Root: "http://exchange.example/taxii2/api/", Username: early.User, Password: early.Password, Token: early.Token,
		Collections: demo.RightsOfKinds{
			ReadWrite: named(demo.Community, "Sightings among members"), ReadOnly: named(demo.Program, "Patch Day early protection"),
			WriteOnly: named(demo.DropBox, "Tip box"), Hidden: named(demo.Circle, "Vetted circle"),
		},
	}
	if diff := cmp.Diff(want, w.r.Member); diff != "" {
		t.Errorf("rights (-want +got)\n%s", diff)
	}
	x, a := w.s.Exchange.Delivery, w.actor("early", exchange.ChannelTAXII)
	for _, c := range []struct {
		id                   exchange.ProgramID
		known, reads, writes bool
	}{{demo.Program, true, true, false}, {demo.Community, true, true, true}, {demo.DropBox, true, false, true}, {demo.Circle, false, false, false}} {
		got, err := x.Collection(t.Context(), a, delivery.CollectionID(c.id))
		if (err == nil) != c.known || got.CanRead != c.reads || got.CanWrite != c.writes {
			t.Errorf("%s: %+v, %v", c.id, got, err)
		}
		_, err = x.Page(t.Context(), a, c.id, delivery.Query{Limit: 1})
		if (err == nil) != c.reads {
			t.Errorf("a page of %s: %v", c.id, err)
		}
	}
	// What was written in the story is there, where objects can be written at all.
	_, err := w.s.Exchange.Contributions.Add(t.Context(), a, demo.Community, strings.NewReader("?"))
	if exchange.KindOf(err) == exchange.Unavailable {
		return
	}
	page, err := x.Page(t.Context(), a, demo.Community, delivery.Query{Limit: 10})
	if err != nil || len(page.Entries) != 9 { // without what was taken back, is held or is for another
		t.Errorf("the community has %d objects (%v)", len(page.Entries), err)
	}
	desk := w.actor("standard-2", exchange.ChannelTAXII)
	if page, err = x.Page(t.Context(), desk, demo.DropBox, delivery.Query{Limit: 10}); err != nil || len(page.Entries) != 2 {
		t.Errorf("the desk has %d objects (%v)", len(page.Entries), err)
	}
}

// What is kept of the demonstration is used again, at another address.
func testAgain(w *world) {
	t := w.T
	if demo.In(w.data) {
		t.Fatal("the folder has accounts before they were kept")
	}
	if err := demo.Save(w.data, w.r); err != nil {
		t.Fatal(err)
	}
	if !demo.In(w.data) {
		t.Fatal("the folder has no accounts")
	}
	w.s.SetURL("http://other.example:81")
	again, err := demo.Load(t.Context(), w.s, w.data)
	if err != nil {
		t.Fatal(err)
	}
	want := w.r
	want.URL, want.TAXII = "http://other.example:81", "http://other.example:81/taxii2/api/"
	want.Member.Root = want.TAXII
	want.Accounts = slices.Clone(w.r.Accounts)
	for i := range want.Accounts {
		want.Accounts[i].SignIn = strings.Replace(want.Accounts[i].SignIn, w.r.URL, want.URL, 1)
	}
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("used again (-want +got)\n%s", diff)
	}
}

// A bundle goes into the draft, once, and nowhere else.
func testHandIn(w *world) {
	t := w.T
	const bundle = `{"type":"bundle","id":"bundle--3b1f6a4e-9d52-4f0c-8a51-0c8f3f8f1d11","objects":[
{"type":"vulnerability","spec_version":"2.1","id":"vulnerability--7d0f0a0e-0c5b-4b1a-9a55-3d1a7f0b8e21","created":"2026-11-01T00:00:00.000Z","modified":"2026-11-01T00:00:00.000Z","name":"EX-2026-0099"}]}`
	_, _, draft := w.releases()
	before, err := w.s.Exchange.Releases.Read(t.Context(), exchange.System(), draft.ID)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := demo.HandIn(t.Context(), w.s, w.r, "mine.json", strings.NewReader(bundle)); err != nil {
			t.Fatal(err)
		}
	}
	after, err := w.s.Exchange.Releases.Read(t.Context(), exchange.System(), draft.ID)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(after.Artifacts) - len(before.Artifacts); n != 1 {
		t.Fatalf("%d artifacts were added; want 1", n)
	}
	if a := after.Artifacts[len(after.Artifacts)-1]; a.Class != exchange.DetectionGuidance || a.Kind != exchange.ArtifactSTIX || a.Objects != 1 {
		t.Errorf("handed in as %+v", a)
	}
	if err := demo.HandIn(t.Context(), w.s, w.r, "bad.json", strings.NewReader(`{"type":"bundle"`)); exchange.KindOf(err) != exchange.Invalid {
		t.Errorf("half a bundle answers %v", err)
	}
}
