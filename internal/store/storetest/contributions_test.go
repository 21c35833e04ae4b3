package storetest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

// aJournal begins a journal that the audience reads.
func aJournal(t *testing.T, tx *sqlstore.Tx, r exchange.Release, id string, org exchange.OrgID, to ...exchange.Audience) contribution.Journal {
	t.Helper()
	a := artifact(id, string(r.ID), "journal-"+id)
	a.Program, a.Kind, a.Originator = r.Program, exchange.ArtifactJournal, org
	a.Number = must[int64](t)(tx.StageArtifact(a))
	if err := tx.ReadyArtifact(a); err != nil {
		t.Fatal(err)
	}
	for _, audience := range to {
		given(t, tx, r, audience, a)
	}
	j := contribution.Journal{Artifact: a.Number, ID: a.ID, Name: a.SHA256, Release: r.ID, Program: r.Program, Org: org, Terms: "terms"}
	if err := tx.PutJournal(j); err != nil {
		t.Fatal(err)
	}
	return j
}

// written are n objects from the i-th on, each of 90 bytes and a separator.
func written(i, n int, version int64) (out []contribution.Object) {
	for k := range n {
		out = append(out, contribution.Object{
			Class: 7, ID: fmt.Sprintf("tool--%d", i+k), Type: "tool", Version: version, Offset: int64(100 * k), Length: 90,
		})
	}
	return out
}

// append adds objects to the newest journal of the organisation.
func appended(t *testing.T, tx *sqlstore.Tx, org exchange.OrgID, objs []contribution.Object, to ...exchange.Audience) {
	t.Helper()
	j := must[contribution.Journal](t)(tx.JournalOf("p", org))
	objs = slices.Clone(objs)
	for i := range objs {
		objs[i].Offset += j.Size
	}
	if err := tx.AppendObjects(j, j.Size+int64(100*len(objs)), objs, to, false); err != nil {
		t.Fatal(err)
	}
}

func TestJournals(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		now := at
		db := e.Open(t, store.Options{Now: func() time.Time { return now }})
		r := aRelease(t, "rel_1")
		r.Standing = true
		late := exchange.Audience{Cohort: "late"}
		var j contribution.Journal
		within(t, db, func(tx *sqlstore.Tx) {
			if _, err := tx.StandingRelease("p"); exchange.KindOf(err) != exchange.NotFound {
				t.Errorf("no standing release yet: %v", err)
			}
			if err := tx.PutRelease(&r); err != nil {
				t.Fatal(err)
			}
			if got := must[exchange.Release](t)(tx.StandingRelease("p")); got.ID != r.ID || !got.Standing {
				t.Errorf("the standing release: %+v", got)
			}
			if all := must[[]exchange.Release](t)(tx.ReleasesOf("p")); len(all) != 0 {
				t.Errorf("it is listed: %+v", all)
			}
			if err := tx.Resubscribe("p", "alpha", early); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.JournalOf("p", "alpha"); exchange.KindOf(err) != exchange.NotFound {
				t.Errorf("no journal yet: %v", err)
			}
			j = aJournal(t, tx, r, "art_1", "alpha", early, late)
			if _, err := tx.Artifact("art_1"); exchange.KindOf(err) != exchange.NotFound {
				t.Errorf("a journal is had as an artifact: %v", err)
			}
		})
		second := r
		second.ID, second.Version = "rel_2", 0
		if err := db.Update(t.Context(), func(tx *sqlstore.Tx) error { return tx.PutRelease(&second) }); err == nil {
			t.Error("there is a second standing release")
		}
		arrivals := must[int64](t)(db.Arrivals(t.Context()))
		generation := must[int64](t)(db.Generation(t.Context()))
		for i, n := range []int{1, 1, 200, 3} { // blocks are filled up
			now = now.Add(time.Minute)
			within(t, db, func(tx *sqlstore.Tx) { appended(t, tx, "alpha", written(1000*i, n, 1), early, late) })
		}
		if n := must[int64](t)(db.Arrivals(t.Context())); n != arrivals+4 {
			t.Errorf("arrivals %d, then %d", arrivals, n)
		}
		if n := must[int64](t)(db.Generation(t.Context())); n != generation {
			t.Errorf("verdicts have ended: %d, %d", generation, n)
		}
		if n := storetest.Value[int](t, db, `SELECT COUNT(*) FROM object_block`); n != 2 {
			t.Errorf("%d blocks, want 2", n)
		}
		err := db.Update(t.Context(), func(tx *sqlstore.Tx) error { return tx.AppendObjects(j, 100, written(1, 1, 1), nil, false) })
		if exchange.KindOf(err) != exchange.Conflict {
			t.Errorf("at an end that was: %v", err)
		}
		within(t, db, func(tx *sqlstore.Tx) {
			feed := must[[]delivery.Span](t)(tx.Subscriptions("p", "alpha"))[0].Feed
			runs := must[[]delivery.Run](t)(tx.RunsOf(feed, -1))
			first := int64(0)
			for i, n := range []int64{1, 1, 200, 3} {
				if r := runs[i]; r.First != first || r.N != n || r.Artifact != j.Artifact || i > 0 && r.Base <= runs[i-1].Base+(runs[i-1].N-1)*runs[i-1].Step {
					t.Errorf("run %d: %+v", i, r)
				}
				first += n
			}
			if later := must[[]delivery.Run](t)(tx.RunsOf(feed, runs[1].Base)); len(later) != 2 || later[0].First != 2 {
				t.Errorf("after the second: %+v", later)
			}
			// Who comes later reads what is there, in one run, and then goes on.
			if err := tx.Resubscribe("p", "beta", late); err != nil {
				t.Fatal(err)
			}
			appended(t, tx, "alpha", written(5000, 2, 1), early, late)
			runs = must[[]delivery.Run](t)(tx.RunsOf(must[[]delivery.Span](t)(tx.Subscriptions("p", "beta"))[0].Feed, -1))
			if len(runs) != 2 || runs[0].First != 0 || runs[0].N != 205 || runs[1].First != 205 || runs[1].N != 2 || runs[1].Base <= runs[0].Base+204*runs[0].Step {
				t.Errorf("of the late: %+v", runs)
			}
			es := entriesOf(t, tx, j.Artifact, 1, 206)
			if len(es) != 206 || es[0].Offset != 100 || es[205].Offset != 20600 || es[205].Object != j.Artifact<<24|206 {
				t.Errorf("%d objects, %+v", len(es), es[len(es)-1])
			}
			if used := must[map[string]bool](t)(tx.BlobsInUse()); !used["journal-art_1"] {
				t.Errorf("its file is not in use: %v", used)
			}
		})
	})
}

func TestBearers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		r := aRelease(t, "rel_1")
		var a, b contribution.Journal
		key := func(id string, version int64) contribution.Key { return contribution.Key{ID: id, Version: version} }
		within(t, db, func(tx *sqlstore.Tx) {
			if err := tx.PutRelease(&r); err != nil {
				t.Fatal(err)
			}
			a = aJournal(t, tx, r, "art_1", "alpha")
			b = aJournal(t, tx, r, "art_2", "beta")
			other := r
			other.ID, other.Program, other.Version = "rel_3", "q", 0
			if err := tx.PutRelease(&other); err != nil {
				t.Fatal(err)
			}
			q := aJournal(t, tx, other, "art_3", "alpha")
			appended(t, tx, "alpha", written(1, 3, 10))
			appended(t, tx, "alpha", written(1, 1, 11))
			appended(t, tx, "alpha", written(1, 1, 12))
			appended(t, tx, "beta", written(1, 1, 10))
			appended(t, tx, "beta", written(9, 1, 0))
			if err := tx.AppendObjects(q, 100, written(50, 1, 10), nil, false); err != nil {
				t.Fatal(err)
			}
		})
		type seen struct {
			Key     int
			Journal int64
			At      int64
			Version int64
		}
		look := func(tx *sqlstore.Tx, org exchange.OrgID, keys ...contribution.Key) (out []seen) {
			for _, f := range must[[]contribution.Bearer](t)(tx.Bearing("p", org, keys)) {
				if !f.Journal || f.Class != 7 || f.Length != 90 || f.ID != keys[f.Key].ID || f.Blob == "" {
					t.Errorf("bearer %+v", f)
				}
				out = append(out, seen{f.Key, f.Seq >> 24, f.Seq & (1<<24 - 1), f.Version})
			}
			return out
		}
		within(t, db, func(tx *sqlstore.Tx) {
			// Of alpha's own object the same version, and one at least.
			got := look(tx, "alpha", key("tool--none", 1), key("tool--1", 11), key("tool--2", 77), key("tool--9", 0), key("tool--50", 10))
			want := []seen{{1, a.Artifact, 0, 10}, {1, a.Artifact, 3, 11}, {2, a.Artifact, 1, 10}, {3, b.Artifact, 1, 0}}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			// For others, one of each journal too.
			got = look(tx, "gamma", key("tool--1", 12))
			want = []seen{{0, a.Artifact, 0, 10}, {0, a.Artifact, 3, 11}, {0, a.Artifact, 4, 12}, {0, b.Artifact, 0, 10}}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			if bs := must[[]contribution.Bearer](t)(tx.WrittenBy("p", "alpha", "tool--1")); len(bs) != 3 {
				t.Errorf("by alpha: %+v", bs)
			}
			if bs := must[[]contribution.Bearer](t)(tx.WrittenBy("p", "", "tool--1")); len(bs) != 4 {
				t.Errorf("by anybody: %+v", bs)
			}
			if bs := must[[]contribution.Bearer](t)(tx.WrittenBy("q", "", "tool--1")); len(bs) != 0 {
				t.Errorf("in another program: %+v", bs)
			}
			// What is removed is found in no way; what shares its id is.
			bs := must[[]contribution.Bearer](t)(tx.WrittenBy("p", "alpha", "tool--1"))
			if err := tx.RemoveObjects(bs[:2]); err != nil {
				t.Fatal(err)
			}
			want = []seen{{0, a.Artifact, 4, 12}, {0, b.Artifact, 0, 10}}
			if d := cmp.Diff(want, look(tx, "gamma", key("tool--1", 10))); d != "" {
				t.Error(d)
			}
			if objs := must[[]delivery.Object](t)(tx.ObjectsByHash("p", exchange.IDHash("tool--1"), nil)); len(objs) != 2 {
				t.Errorf("by id: %+v", objs)
			}
			if es := entriesOf(t, tx, a.Artifact, 0, 9); len(es) != 3 || es[0].Object&0xff != 1 || es[2].Object&0xff != 4 {
				t.Errorf("at places: %+v", es)
			}
			if objs := must[[]delivery.Object](t)(tx.ObjectsIn(a.Artifact, 0, 9)); len(objs) != 3 {
				t.Errorf("in the journal: %+v", objs)
			}
			if ds, err := tx.Definitions("p", []string{"tool--1"}); err != nil || len(ds) != 2 {
				t.Errorf("definitions: %+v, %v", ds, err)
			}
			appended(t, tx, "alpha", written(1, 1, 10)) // anew
			if n := len(must[[]contribution.Bearer](t)(tx.WrittenBy("p", "", "tool--1"))); n != 3 {
				t.Errorf("%d bear it", n)
			}
		})
	})
}

func TestStatuses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		rec := func(id string, age time.Duration, spool string) contribution.Record {
			return contribution.Record{
				ID: contribution.StatusID(id), Program: "p", Org: "alpha", Requested: at.Add(-age), Total: 9, Success: 2, Failure: 1,
				Details: []byte{1, 0, 2}, Spool: spool, Actor: "{}", Done: 3,
			}
		}
		within(t, db, func(tx *sqlstore.Tx) {
			for _, r := range []contribution.Record{rec("a", time.Hour, ""), rec("b", 2*time.Hour, "sha-b"), rec("c", 3*time.Hour, "sha-c")} {
				if err := tx.PutStatus(r); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(rec("b", 2*time.Hour, "sha-b"), must[contribution.Record](t)(tx.StatusRecord("b"))); d != "" {
				t.Error(d)
			}
			if _, err := tx.StatusRecord("x"); exchange.KindOf(err) != exchange.NotFound {
				t.Errorf("unknown: %v", err)
			}
			if ws := must[[]contribution.Record](t)(tx.Waiting(5)); len(ws) != 2 || ws[0].ID != "c" || ws[1].ID != "b" {
				t.Errorf("waiting: %+v", ws)
			}
			if used := must[map[string]bool](t)(tx.BlobsInUse()); !used["sha-b"] || !used["sha-c"] || used[""] {
				t.Errorf("in use: %v", used)
			}
			done := rec("c", 3*time.Hour, "")
			done.Success = 8
			if err := tx.PutStatus(done); err != nil {
				t.Fatal(err)
			}
			if n := must[int64](t)(tx.PurgeStatuses(at.Add(-time.Minute))); n != 2 {
				t.Errorf("%d forgotten, want a and c: what waits stays", n)
			}
		})
	})
}

// entriesOf lists an artifact's objects from one position to another, as the
// delivery room reads them.
func entriesOf(t *testing.T, tx *sqlstore.Tx, artifact, from, to int64) (out []delivery.Entry) {
	t.Helper()
	for _, first := range must[[]int64](t)(tx.BlocksIn(artifact, 0, to)) {
		b := must[delivery.Rows](t)(tx.Block(artifact, first))
		for i := range b.Len() {
			if e := b.Entry(i); b.Position(i) >= from && b.Position(i) <= to && !e.Removed {
				out = append(out, e)
			}
		}
	}
	return out
}
