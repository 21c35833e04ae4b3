package storetest_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

// objectsOf stores a ready artifact with n objects.
func objectsOf(t *testing.T, tx *sqlstore.Tx, r exchange.Release, id string, n int) exchange.Artifact {
	t.Helper()
	a := artifact(id, string(r.ID), id)
	a.Program = r.Program
	a.Number = must[int64](t)(tx.StageArtifact(a))
	class := must[int64](t)(tx.NextClassID(1))
	var objs []submission.Object
	for i := range n {
		objs = append(objs, submission.Object{Position: int64(i), Class: class, ID: fmt.Sprintf("tool--%s-%d", id, i), Type: []string{"tool", "note"}[i%2], Version: at.UnixMicro(), Offset: int64(100 * i), Length: 90})
	}
	if _, err := tx.PutObjects(r.Program, a.Number, objs); err != nil {
		t.Fatal(err)
	}
	if err := tx.PutClasses([]exchange.HandlingClass{{ID: class, Artifact: a.Number, TLP: exchange.TLPAmber, Markings: "m"}}); err != nil {
		t.Fatal(err)
	}
	a.Objects = int64(n)
	if err := tx.ReadyArtifact(a); err != nil {
		t.Fatal(err)
	}
	return a
}

// given opens artifacts to an audience.
func given(t *testing.T, tx *sqlstore.Tx, r exchange.Release, a exchange.Audience, artifacts ...exchange.Artifact) int64 {
	t.Helper()
	return must[int64](t)(tx.OpenTo(r, a, artifacts))
}

// dates lists what a stretch of a feed holds: artifact and date_added.
func dates(t *testing.T, tx *sqlstore.Tx, p delivery.Span) (out [][2]int64) {
	t.Helper()
	for _, r := range must[[]delivery.Run](t)(tx.RunsOf(p.Feed, -1)) {
		for i := range r.N {
			if added := r.Base + i*r.Step; added > p.From && added <= p.To {
				out = append(out, [2]int64{r.Artifact, added})
			}
		}
	}
	return out
}

// A feed holds what its audience was given, in order, each object with a
// date_added of its own that is later than every one before it in the program.
func TestFeeds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		now := at
		db := e.Open(t, store.Options{Now: func() time.Time { return now }})
		r := aRelease(t, "rel_1")
		var last int64
		fresh := func(tx *sqlstore.Tx, org exchange.OrgID, want int) {
			t.Helper()
			for _, p := range must[[]delivery.Span](t)(tx.Subscriptions("p", org)) {
				ds := dates(t, tx, p)
				if len(ds) != want {
					t.Errorf("%s reads %d objects, want %d", org, len(ds), want)
				}
				if !slices.IsSortedFunc(ds, func(a, b [2]int64) int { return int(a[1] - b[1]) }) {
					t.Errorf("out of order: %v", ds)
				}
				if n := len(ds); n > 0 && ds[n-1][1] <= last && want > 0 {
					t.Errorf("%d is not after %d", ds[n-1][1], last)
				}
			}
		}
		within(t, db, func(tx *sqlstore.Tx) {
			if err := tx.PutRelease(&r); err != nil {
				t.Fatal(err)
			}
			for _, org := range []exchange.OrgID{"alpha", "beta"} {
				if err := tx.Resubscribe("p", org, early); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.Resubscribe("p", "nobody", exchange.Audience{}); err != nil {
				t.Fatal(err)
			}
			if ss := must[[]delivery.Span](t)(tx.Subscriptions("p", "nobody")); len(ss) != 0 {
				t.Errorf("who was in no cohort ever reads %+v", ss)
			}
		})
		total := 0
		for i, n := range []int{3, 1500, 1, 40} { // at one and the same instant, and then earlier than the last date
			within(t, db, func(tx *sqlstore.Tx) {
				a := objectsOf(t, tx, r, fmt.Sprintf("art_%d", i), n)
				if got := given(t, tx, r, early, a); got != int64(n) {
					t.Errorf("%d objects entered the feed, want %d", got, n)
				}
				total += n
				fresh(tx, "alpha", total)
				fresh(tx, "beta", total)
				ss := must[[]delivery.Span](t)(tx.Subscriptions("p", "alpha"))
				ds := dates(t, tx, ss[0])
				last = ds[len(ds)-1][1]
				if ahead := time.Duration(last-now.UnixMicro()) * time.Microsecond; ahead > time.Second {
					t.Errorf("dated %v ahead of the clock", ahead)
				}
			})
		}
		// Objects of one artifact are found by their place, type and id.
		within(t, db, func(tx *sqlstore.Tx) {
			a := must[exchange.Artifact](t)(tx.Artifact("art_3"))
			es := must[[]delivery.Entry](t)(tx.ObjectsAt(a.Number, 2, 39, []string{"tool"}, 3))
			if len(es) != 3 || es[0].Object != a.Number<<24|2 || es[1].Object != a.Number<<24|4 || es[2].Type != "tool" || es[0].Offset != 200 || es[0].Length != 90 {
				t.Errorf("objects: %+v", es)
			}
			if es = must[[]delivery.Entry](t)(tx.ObjectsAt(a.Number, 38, 39, nil, 10)); len(es) != 2 {
				t.Errorf("the end: %+v", es)
			}
			names := must[map[int64]string](t)(tx.ObjectIDs([]int64{a.Number<<24 | 5, a.Number << 24}))
			if want := map[int64]string{a.Number<<24 | 5: "tool--art_3-5", a.Number << 24: "tool--art_3-0"}; !cmp.Equal(names, want) {
				t.Errorf("names: %v", names)
			}
			hash := exchange.IDHash("tool--art_3-5")
			if objs := must[[]delivery.Object](t)(tx.ObjectsByHash("p", hash, nil)); len(objs) != 1 || objs[0].ID != "tool--art_3-5" || objs[0].Seq != a.Number<<24|5 {
				t.Errorf("by id: %+v", objs)
			}
			for what, objs := range map[string][]delivery.Object{
				"another program":   must[[]delivery.Object](t)(tx.ObjectsByHash("q", hash, nil)),
				"another id":        must[[]delivery.Object](t)(tx.ObjectsByHash("p", exchange.IDHash("tool--none"), nil)),
				"another artifact":  must[[]delivery.Object](t)(tx.ObjectsByHash("p", hash, map[int64]bool{a.Number + 1: true})),
				"none of artifacts": must[[]delivery.Object](t)(tx.ObjectsByHash("p", hash, map[int64]bool{})),
			} {
				if len(objs) != 0 {
					t.Errorf("%s has %+v", what, objs)
				}
			}
			if objs := must[[]delivery.Object](t)(tx.ObjectsByHash("p", hash, map[int64]bool{a.Number: true})); len(objs) != 1 {
				t.Errorf("among its own artifact: %+v", objs)
			}
			if objs := must[[]delivery.Object](t)(tx.ObjectsIn(a.Number, a.Number<<24|37, 10)); len(objs) != 2 || objs[1].ID != "tool--art_3-39" {
				t.Errorf("after a place: %+v", objs)
			}
			hs := must[[]exchange.HandlingClass](t)(tx.ClassesOf(a.Number))
			if len(hs) != 1 || hs[0].TLP != exchange.TLPAmber || hs[0].Markings != "m" || hs[0].Held || hs[0].Artifact != a.Number {
				t.Errorf("classes: %+v", hs)
			}
			if d := cmp.Diff(hs[0], must[exchange.HandlingClass](t)(tx.HandlingClass(hs[0].ID))); d != "" {
				t.Error(d)
			}
			if _, err := tx.HandlingClass(1 << 40); exchange.KindOf(err) != exchange.NotFound {
				t.Errorf("an unknown class: %v", err)
			}
		})
	})
}

// Who changes audience goes on where it was: what both audiences were given
// keeps its date, what only the new one was given comes now, and comes again
// when it was out of view in between.
func TestResubscribe(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		now := at
		db := e.Open(t, store.Options{Now: func() time.Time { return now }})
		r := aRelease(t, "rel_1")
		var both, mine, theirs, later exchange.Artifact
		do := func(fn func(tx *sqlstore.Tx)) {
			t.Helper()
			now = now.Add(time.Minute)
			within(t, db, fn)
		}
		move := func(to exchange.Audience) {
			t.Helper()
			do(func(tx *sqlstore.Tx) {
				if err := tx.Resubscribe("p", "alpha", to); err != nil {
					t.Fatal(err)
				}
			})
		}
		do(func(tx *sqlstore.Tx) {
			if err := tx.PutRelease(&r); err != nil {
				t.Fatal(err)
			}
			both, mine, theirs, later = objectsOf(t, tx, r, "art_both", 2), objectsOf(t, tx, r, "art_mine", 1), objectsOf(t, tx, r, "art_theirs", 1), objectsOf(t, tx, r, "art_later", 1)
			given(t, tx, r, early, both, mine) // before anybody reads the feed
		})
		move(early)
		spans := func() (out []delivery.Span) {
			within(t, db, func(tx *sqlstore.Tx) { out = must[[]delivery.Span](t)(tx.Subscriptions("p", "alpha")) })
			return out
		}
		first := spans()
		if len(first) != 1 || first[0].Own || first[0].Audience != early || first[0].From != 0 || first[0].To != math.MaxInt64 || !first[0].EndedAt.IsZero() {
			t.Fatalf("the first period: %+v", first)
		}
		do(func(tx *sqlstore.Tx) { given(t, tx, r, other, both, theirs) })
		move(other)
		do(func(tx *sqlstore.Tx) { given(t, tx, r, other, later) })
		second := spans()
		if len(second) != 3 || second[0].EndedAt.IsZero() || second[0].To == math.MaxInt64 || second[0].To < first[0].From {
			t.Fatalf("the second period: %+v", second)
		}
		within(t, db, func(tx *sqlstore.Tx) {
			var all [][2]int64
			for i, want := range [][]int64{{both.Number, both.Number, mine.Number}, {theirs.Number}, {later.Number}} {
				var numbers []int64
				for _, d := range dates(t, tx, second[i]) {
					numbers, all = append(numbers, d[0]), append(all, d)
				}
				if !slices.Equal(numbers, want) {
					t.Errorf("stretch %d (%+v) holds %v, want %v", i, second[i], numbers, want)
				}
			}
			if !second[1].Own || second[2].Own || second[2].Audience != other {
				t.Errorf("the organisation's own comes before the audience's: %+v", second)
			}
			for i := 1; i < len(all); i++ {
				if all[i][1] <= all[i-1][1] {
					t.Errorf("dates go back: %v", all)
				}
			}
		})
		move(exchange.Audience{}) // in no cohort: nothing stands there
		gap := spans()
		if n := len(gap); n != 4 || gap[n-1].Audience != (exchange.Audience{}) || gap[n-1].Own || gap[n-1].To != math.MaxInt64 {
			t.Fatalf("out of every cohort: %+v", gap)
		}
		move(early)
		back := spans()
		within(t, db, func(tx *sqlstore.Tx) {
			var open []int64
			for _, p := range back {
				if p.EndedAt.IsZero() {
					for _, d := range dates(t, tx, p) {
						open = append(open, d[0])
					}
				}
			}
			if want := []int64{both.Number, both.Number, mine.Number}; !slices.Equal(open, want) {
				t.Errorf("back again it is given %v anew, want %v", open, want)
			}
		})
	})
}
