package storetest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

var (
	early = exchange.Audience{Cohort: "early"}
	other = exchange.Audience{Cohort: "standard", Compelled: true}
)

// aRelease is one with every field set.
func aRelease(t *testing.T, id string) exchange.Release {
	return exchange.Release{
		ID: exchange.ReleaseID(id), Program: "p", Title: "Titel ä", Message: "**Read**\n", State: exchange.ReleaseReleasing,
		Plan: exchange.Plan{T0: at.AddDate(0, 1, 0), Rules: []exchange.PlanRule{
			{Class: exchange.PoC, Cohort: "early", At: testkit.Offset("T0-5bd@18:00")}, {Class: exchange.Summary, Cohort: exchange.PublicCohort}, {Class: exchange.Samples, Cohort: "x", At: exchange.Never()},
		}},
		Revision: 3, Author: "per_a", IncompleteFixOf: "rel_0", CreatedAt: at,
		PublicAt: at.Add(2 * time.Second), ClosedAt: at.Add(3 * time.Second), Reason: "a reason", Editors: []exchange.PersonID{"per_a", "per_b"},
	}
}

func TestReleases(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t, store.Options{Now: func() time.Time { return at }})
		r := aRelease(t, "rel_1")
		within(t, db, func(tx *sqlstore.Tx) {
			if _, err := tx.Release(r.ID); exchange.KindOf(err) != exchange.NotFound {
				t.Errorf("an unknown release: %v", err)
			}
			if err := tx.PutRelease(&r); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(r, must[exchange.Release](t)(tx.Release(r.ID)), cmp.AllowUnexported(exchange.Offset{})); d != "" {
				t.Error(d)
			}
			// Two people, one of them twice, and one for an older revision.
			for _, a := range []exchange.Approval{{Person: "per_y", Revision: 3, At: at}, {Person: "per_x", Revision: 3, At: at}, {Person: "per_y", Revision: 3, At: at.Add(time.Hour)}, {Person: "per_x", Revision: 2, At: at.Add(-time.Hour)}} {
				if err := tx.PutApproval(r.ID, a); err != nil {
					t.Fatal(err)
				}
			}
			got := must[exchange.Release](t)(tx.Release(r.ID))
			want := []exchange.Approval{{Person: "per_x", Revision: 2, At: at.Add(-time.Hour)}, {Person: "per_x", Revision: 3, At: at}, {Person: "per_y", Revision: 3, At: at}}
			if d := cmp.Diff(want, got.Approvals); d != "" {
				t.Error(d)
			}
			if n := len(got.Valid()); n != 2 {
				t.Errorf("%d valid approvals", n)
			}
		})
		// Only a change to the version that stands is taken.
		for _, version := range []int64{0, 2, 3} {
			err := db.Update(t.Context(), func(tx *sqlstore.Tx) error {
				stale := r
				stale.Version, stale.Title = version, "stale"
				return tx.PutRelease(&stale)
			})
			if exchange.KindOf(err) != exchange.Precondition {
				t.Errorf("a change to version %d of 1: %v", version, err)
			}
		}
		within(t, db, func(tx *sqlstore.Tx) {
			revised := must[exchange.Release](t)(tx.ReviseRelease(r.ID, "per_c"))
			got := must[exchange.Release](t)(tx.Release(r.ID))
			if got.State != exchange.ReleaseDraft || got.Revision != 4 || got.Version != 2 || revised.Version != 2 || !slices.Contains(got.Editors, "per_c") || len(got.Valid()) != 0 || got.Title != r.Title {
				t.Errorf("revised: %+v", got)
			}
			newer, older := aRelease(t, "rel_a"), aRelease(t, "rel_b")
			newer.CreatedAt, older.CreatedAt = at.Add(time.Hour), at.Add(-time.Hour)
			elsewhere := aRelease(t, "rel_c")
			elsewhere.Program = "q"
			for _, r := range []exchange.Release{newer, older, elsewhere} {
				if err := tx.PutRelease(&r); err != nil {
					t.Fatal(err)
				}
			}
			var ids []exchange.ReleaseID
			for _, r := range must[[]exchange.Release](t)(tx.ReleasesOf("p")) {
				ids = append(ids, r.ID)
			}
			if !slices.Equal(ids, []exchange.ReleaseID{"rel_b", "rel_1", "rel_a"}) {
				t.Errorf("oldest first: %v", ids)
			}
		})
	})
}

func wave(r exchange.ReleaseID, a exchange.Audience, when time.Time, s exchange.WaveState, classes ...exchange.ContentClass) exchange.WaveRecord {
	return exchange.WaveRecord{Release: r, Audience: a, At: when, Classes: classes, State: s}
}

func TestWaves(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t, store.Options{Now: func() time.Time { return at }})
		later := at.Add(time.Hour)
		armed, draft := aRelease(t, "rel_armed"), aRelease(t, "rel_draft")
		armed.State, draft.State = exchange.ReleaseArmed, exchange.ReleaseDraft
		within(t, db, func(tx *sqlstore.Tx) {
			for _, r := range []exchange.Release{armed, draft} {
				if err := tx.PutRelease(&r); err != nil {
					t.Fatal(err)
				}
				err := tx.PutPlanned(r.ID, []exchange.WaveRecord{
					wave(r.ID, exchange.PublicAudience, later, exchange.WaveScheduled, exchange.Summary),
					wave(r.ID, other, later, exchange.WaveScheduled, exchange.Summary),
					wave(r.ID, early, at, exchange.WaveScheduled, exchange.PoC, exchange.Summary),
					wave(r.ID, other, at, exchange.WaveHeld, exchange.PoC),
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if next := must[time.Time](t)(tx.NextWave()); !next.Equal(at) {
				t.Errorf("next at %v", next)
			}
			due := must[[]exchange.WaveRecord](t)(tx.DueWaves(at.Add(-time.Microsecond), 10))
			if len(due) != 0 {
				t.Errorf("due before its moment: %+v", due)
			}
			due = must[[]exchange.WaveRecord](t)(tx.DueWaves(later, 10))
			want := []exchange.WaveRecord{
				wave(armed.ID, early, at, exchange.WaveScheduled, exchange.PoC, exchange.Summary),
				wave(armed.ID, other, later, exchange.WaveScheduled, exchange.Summary),
				wave(armed.ID, exchange.PublicAudience, later, exchange.WaveScheduled, exchange.Summary),
			}
			if d := cmp.Diff(want, due); d != "" {
				t.Errorf("in order, members before the public, and of releases that open (-want +got):\n%s", d)
			}
			if due = must[[]exchange.WaveRecord](t)(tx.DueWaves(later, 1)); len(due) != 1 {
				t.Errorf("at most one: %+v", due)
			}
			if when := must[time.Time](t)(tx.PlannedFor(armed.ID, early, exchange.Summary)); !when.Equal(at) {
				t.Errorf("planned for %v", when)
			}
			for _, c := range []struct {
				r exchange.ReleaseID
				a exchange.Audience
				c exchange.ContentClass
			}{{draft.ID, early, exchange.PoC}, {armed.ID, other, exchange.PoC}, {armed.ID, early, exchange.Samples}} {
				if when := must[time.Time](t)(tx.PlannedFor(c.r, c.a, c.c)); !when.IsZero() {
					t.Errorf("%+v is planned for %v", c, when)
				}
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			// One opens; a new plan replaces the others and leaves that one.
			opened := wave(armed.ID, early, at, exchange.WaveOpen, exchange.PoC, exchange.Summary)
			opened.OpenedAt, opened.Late, opened.Objects = later, 90*time.Second, 17
			if err := tx.SetWave(wave(armed.ID, early, at, exchange.WaveScheduled), opened); err != nil {
				t.Fatal(err)
			}
			if err := tx.PutPlanned(armed.ID, []exchange.WaveRecord{wave(armed.ID, other, later, exchange.WaveScheduled, exchange.PoC)}); err != nil {
				t.Fatal(err)
			}
			want := []exchange.WaveRecord{opened, wave(armed.ID, other, later, exchange.WaveScheduled, exchange.PoC)}
			if d := cmp.Diff(want, must[[]exchange.WaveRecord](t)(tx.WavesOf(armed.ID))); d != "" {
				t.Error(d)
			}
			// Two that come to stand at one moment become one.
			second := wave(armed.ID, other, later.Add(time.Hour), exchange.WaveScheduled, exchange.Samples)
			if err := tx.PutPlanned(armed.ID, []exchange.WaveRecord{wave(armed.ID, other, later, exchange.WaveScheduled, exchange.PoC), second}); err != nil {
				t.Fatal(err)
			}
			moved := second
			moved.At = later
			if err := tx.SetWave(second, moved); err != nil {
				t.Fatal(err)
			}
			ws := must[[]exchange.WaveRecord](t)(tx.WavesOf(armed.ID))
			if len(ws) != 2 || len(ws[1].Classes) != 2 || !ws[1].At.Equal(later) {
				t.Errorf("merged: %+v", ws)
			}
			if n := len(must[[]exchange.WaveRecord](t)(tx.WavesOf(draft.ID))); n != 4 {
				t.Errorf("another release has %d waves", n)
			}
		})
	})
}

// What is given stands with the audience, the organisations and their notices,
// each once.
func TestOpenings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		now := at
		db := e.Open(t, store.Options{Now: func() time.Time { return now }})
		testkit.Put(t, sqlstore.For[testkit.Tx](db),
			testkit.Organisation("alpha", func(o *exchange.Organisation) { o.Name = "Alpha" }), testkit.Organisation("beta"), testkit.Organisation("gamma"),
			testkit.Person("alpha", "one"), testkit.Person("alpha", "two", exchange.RoleAnalyst),
			testkit.Member("p", "alpha", early, 1), testkit.Member("p", "beta", other, 0))
		r := aRelease(t, "rel_1")
		var numbers []int64
		within(t, db, func(tx *sqlstore.Tx) {
			if err := tx.PutRelease(&r); err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"art_1", "art_2"} {
				a := artifact(id, "rel_1", id)
				a.Number = must[int64](t)(tx.StageArtifact(a))
				numbers = append(numbers, a.Number)
				if err := tx.ReadyArtifact(a); err != nil {
					t.Fatal(err)
				}
			}
		})
		arts := []exchange.Artifact{{Number: numbers[0]}, {Number: numbers[1]}}
		notice := exchange.Notice{Program: "p", Release: r.ID, Kind: exchange.EventWaveOpened, Event: 7, Text: "New ä"}
		within(t, db, func(tx *sqlstore.Tx) {
			if n := must[int64](t)(tx.OpenTo(r, early, arts)); n != 0 {
				t.Errorf("%d objects of artifacts without any", n)
			}
			var offers []exchange.Exposure
			for _, o := range []struct {
				org exchange.OrgID
				n   int64
			}{{"alpha", numbers[0]}, {"alpha", numbers[1]}, {"beta", numbers[1]}} {
				offers = append(offers, exchange.Exposure{Number: o.n, Release: r.ID, Org: o.org, Kind: exchange.ExposureOffered, At: at, Event: 7})
			}
			if err := tx.Expose(offers); err != nil {
				t.Fatal(err)
			}
			if err := tx.Notify([]exchange.OrgID{"alpha", "beta"}, notice); err != nil {
				t.Fatal(err)
			}
		})
		again := func(tx *sqlstore.Tx) error { _, err := tx.OpenTo(r, early, arts); return err }
		if err := db.Update(t.Context(), again); err == nil {
			t.Error("the same was given twice")
		}
		now = at.Add(time.Minute)
		within(t, db, func(tx *sqlstore.Tx) {
			want := []release.Opening{{Artifact: numbers[0], Audience: early, OpenedAt: at}, {Artifact: numbers[1], Audience: early, OpenedAt: at}}
			if d := cmp.Diff(want, must[[]release.Opening](t)(tx.OpeningsOf(r.ID))); d != "" {
				t.Error(d)
			}
			if when := must[time.Time](t)(tx.OpenedTo(numbers[0], early)); !when.Equal(at) {
				t.Errorf("opened at %v", when)
			}
			if when := must[time.Time](t)(tx.OpenedTo(numbers[0], other)); !when.IsZero() {
				t.Errorf("opened to others at %v", when)
			}
			// Somebody of alpha fetches one of them.
			err := tx.Expose([]exchange.Exposure{{Number: numbers[0], Release: r.ID, Org: "alpha", Client: "fw_x", Kind: exchange.ExposureDownloaded, At: now, Event: 8}})
			if err != nil {
				t.Fatal(err)
			}
			held := []release.Held{
				{Org: "alpha", Name: "Alpha", Audience: early, Artifact: numbers[0], At: at, Given: true},
				{Org: "alpha", Name: "Alpha", Audience: early, Artifact: numbers[1], At: at},
				{Org: "beta", Name: "Organisation beta", Audience: other, Artifact: numbers[1], At: at},
			}
			if d := cmp.Diff(held, must[[]release.Held](t)(tx.HoldersOf(r.ID))); d != "" {
				t.Error(d)
			}
			// Another act is told as well, the same act never twice.
			for _, n := range []exchange.Notice{notice, {Release: r.ID, Kind: exchange.EventReleaseRearmed, Event: 9, Text: "again"}} {
				if err := tx.Notify([]exchange.OrgID{"alpha"}, n); err != nil {
					t.Fatal(err)
				}
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			ns := must[[]exchange.Notice](t)(tx.Notices("alpha", now.Add(time.Second), 10))
			if len(ns) != 2 || ns[0].Event != 9 || ns[1].Event != 7 || ns[1].Text != "New ä" || ns[1].Kind != exchange.EventWaveOpened || !ns[1].At.Equal(at) || !ns[1].ReadAt.IsZero() {
				t.Fatalf("notices: %+v", ns)
			}
			if older := must[[]exchange.Notice](t)(tx.Notices("alpha", now, 10)); len(older) != 1 || older[0].Event != 7 {
				t.Errorf("before an instant: %+v", older)
			}
			if n := len(must[[]exchange.Notice](t)(tx.Notices("gamma", now.Add(time.Second), 10))); n != 0 {
				t.Errorf("gamma was told %d times", n)
			}
			if err := tx.MarkRead("beta", ns[1].ID); exchange.KindOf(err) != exchange.NotFound {
				t.Errorf("beta read alpha's notice: %v", err)
			}
			if err := tx.MarkRead("alpha", ns[1].ID); err != nil {
				t.Fatal(err)
			}
		})
		first := now
		now = at.Add(time.Hour)
		within(t, db, func(tx *sqlstore.Tx) {
			ns := must[[]exchange.Notice](t)(tx.Notices("alpha", now, 10))
			if err := tx.MarkRead("alpha", ns[1].ID); err != nil {
				t.Fatal(err)
			}
			if ns = must[[]exchange.Notice](t)(tx.Notices("alpha", now, 10)); !ns[1].ReadAt.Equal(first) {
				t.Errorf("read at %v, the first time was %v", ns[1].ReadAt, first)
			}
			for org, want := range map[exchange.OrgID]time.Time{"alpha": first, "beta": {}} {
				if when := must[time.Time](t)(tx.ToldIncomplete(r.ID, org)); !when.Equal(want) {
					t.Errorf("%s was told at %v, want %v", org, when, want)
				}
			}
			next := aRelease(t, "rel_2")
			next.IncompleteFixOf, next.CreatedAt = r.ID, at.Add(30*time.Second)
			if err := tx.PutRelease(&next); err != nil {
				t.Fatal(err)
			}
			if when := must[time.Time](t)(tx.ToldIncomplete(r.ID, "")); !when.Equal(next.CreatedAt) {
				t.Errorf("the next case came at %v", when)
			}
			people := must[[]release.Recipient](t)(tx.Recipients("p"))
			if len(people) != 2 || people[0].Org != "alpha" || len(people[0].People) != 2 || people[0].Accepted != 1 || people[0].Audience != early ||
				people[1].Accepted != 0 || people[1].Audience != other || people[0].State != exchange.MemberActive || people[0].Organisation.Name != "Alpha" {
				t.Errorf("recipients: %+v", people)
			}
		})
	})
}
