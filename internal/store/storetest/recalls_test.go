package storetest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

// recalled is a recall with every field set.
func recalled(id string, number int64) recall.Recall {
	h := artifact("a", "r", "s").Handling
	return recall.Recall{
		ID: recall.ID(id), Kind: recall.Narrowed, Program: "p", Release: "r", Artifact: "art_1", Number: number, Title: "Titel ä", Object: "tool--1",
		TLP: exchange.TLPRed, Persons: []exchange.PersonID{"x"}, By: "o", Person: "per", Owners: []exchange.OrgID{"o", "p"}, At: at, Effective: at.Add(time.Hour),
		Reason: "why", Message: "more", Replacement: "art_2", Was: h, Handling: h, Objects: 3, Tombstones: 9, Event: 4,
	}
}

func TestRecalls(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		one, two := recalled("rcl_1", 1), recalled("rcl_2", 2)
		two.Owners, two.At, two.Program, two.Persons, two.Object = []exchange.OrgID{"q"}, at.Add(time.Minute), "other", nil, ""
		holders := []recall.Holder{
			{Org: "a", Near: exchange.ExposureServed, Since: at, Loses: true, Tombs: true},
			{Org: "b", Near: exchange.ExposureOffered, Since: at, Loses: true},
			{Org: "c", Near: exchange.ExposureOpened, Since: at},
		}
		within(t, db, func(tx *sqlstore.Tx) {
			for _, r := range []recall.Recall{one, two} {
				if err := tx.PutRecall(r, holders); err != nil {
					t.Fatal(err)
				}
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			for _, r := range []recall.Recall{one, two} {
				if d := cmp.Diff(r, must[recall.Recall](t)(tx.Recall(r.ID))); d != "" {
					t.Error(d)
				}
			}
			if _, err := tx.Recall("rcl_x"); exchange.KindOf(err) != exchange.NotFound {
				t.Error(err)
			}
			for _, c := range []struct {
				f    recall.Filter
				want []recall.ID
			}{
				{recall.Filter{Owner: "o", Limit: 9}, []recall.ID{"rcl_1"}},
				{recall.Filter{Holder: "a", Limit: 9}, []recall.ID{"rcl_2", "rcl_1"}},
				{recall.Filter{Holder: "a", Limit: 1}, []recall.ID{"rcl_2"}},
				{recall.Filter{Holder: "a", Limit: 9, Before: two.At}, []recall.ID{"rcl_1"}},
				{recall.Filter{Holder: "x", Limit: 9}, nil},
				{recall.Filter{Program: "other", Limit: 9}, []recall.ID{"rcl_2"}},
			} {
				var got []recall.ID
				for _, r := range must[[]recall.Recall](t)(tx.Recalls(c.f)) {
					got = append(got, r.ID)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("%+v: %v", c.f, got)
				}
			}
			if h := must[recall.Holder](t)(tx.HolderOf(one, "a")); !h.Loses || !h.Tombs || h.Name != "a" || h.Near != exchange.ExposureServed || !h.Asked() {
				t.Errorf("%+v", h)
			}
			if _, err := tx.HolderOf(one, "x"); exchange.KindOf(err) != exchange.NotFound {
				t.Error(err)
			}
			if ids := must[[]recall.ID](t)(tx.Silent(1, at, 9)); !slices.Equal(ids, []recall.ID{"rcl_1"}) {
				t.Error(ids)
			}
			if err := tx.SetReminded("rcl_1", []exchange.OrgID{"a"}, 1); err != nil {
				t.Fatal(err)
			}
			if ids := must[[]recall.ID](t)(tx.Silent(1, at.Add(time.Hour), 9)); !slices.Equal(ids, []recall.ID{"rcl_2"}) {
				t.Error(ids)
			}
			if ids := must[[]recall.ID](t)(tx.Silent(2, at, 9)); !slices.Equal(ids, []recall.ID{"rcl_1"}) {
				t.Error(ids)
			}
			err := tx.SetAnswer("rcl_1", recall.Holder{Org: "a", Answer: recall.Kept, Note: "ä", By: "per", At: at})
			if err != nil {
				t.Fatal(err)
			}
			if ids := must[[]recall.ID](t)(tx.Silent(2, at, 9)); len(ids) != 0 {
				t.Error(ids)
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			seq := must[int64](t)(tx.Record(exchange.Event{Kind: exchange.EventRecalled, Program: "p"}))
			if err := tx.Notify([]exchange.OrgID{"a"}, exchange.Notice{Event: seq, Kind: exchange.EventRecalled}); err != nil {
				t.Fatal(err)
			}
			of := one
			of.Event = seq
			if err := tx.SetReminded("rcl_1", []exchange.OrgID{"a"}, 0); err != nil {
				t.Fatal(err)
			}
			h := must[[]recall.Holder](t)(tx.HoldersOfRecall(of))
			if len(h) != 3 || h[0].Notice == "" || h[0].Answer != recall.Kept || h[0].Note != "ä" || h[0].Reminders != 1 || h[1].Notice != "" {
				t.Errorf("%+v", h)
			}
			if r := must[recall.Recall](t)(tx.Recall("rcl_1")); r.RemindedAt.IsZero() {
				t.Error("the reminder by hand is not noted")
			}
		})
	})
}

// What is taken back is flagged, what takes its place is nobody's until it is
// ready, and neither is had as an artifact.
func TestTombstones(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		r := exchange.Release{ID: "r", Program: "p", State: exchange.ReleasePublic, Standing: true}
		var a, stone exchange.Artifact
		within(t, db, func(tx *sqlstore.Tx) {
			if err := tx.PutRelease(&r); err != nil {
				t.Fatal(err)
			}
			a = objectsOf(t, tx, r, "art_a", 300)
			stone = artifact("art_t", "r", "staged")
			stone.Kind = exchange.ArtifactTombstone
			stone.Number = must[int64](t)(tx.StageArtifact(stone))
			if err := tx.PutTombstones("p", stone.Number, []recall.Object{{Seq: stone.Number << 24, Class: 1, ID: "tool--art_a-0", Type: "tool", Version: at.UnixMicro() + 1, Length: 9}}); err != nil {
				t.Fatal(err)
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			if all := must[[]recall.Object](t)(tx.ObjectsFrom(a.Number, 250, 100)); len(all) != 50 || all[0].ID != "tool--art_a-250" || all[0].Contested {
				t.Errorf("%d objects", len(all))
			}
			bs := must[[]recall.Object](t)(tx.Bearers("p", "tool--art_a-0"))
			if len(bs) != 1 || bs[0].Artifact() != a.Number || !bs[0].Contested {
				t.Errorf("%+v", bs)
			}
			if bs := must[[]recall.Object](t)(tx.Bearers("other", "tool--art_a-0")); len(bs) != 0 {
				t.Errorf("%+v", bs)
			}
			if held := must[[]recall.Object](t)(tx.HeldIn([]int64{a.Number}, "tool--art_a-0")); len(held) != 1 {
				t.Errorf("%+v", held)
			}
			if held := must[[]recall.Object](t)(tx.HeldIn([]int64{stone.Number + 1}, "tool--art_a-0")); len(held) != 0 {
				t.Errorf("%+v", held)
			}
			stone.SHA256, stone.Size, stone.Objects = "blob", 9, 1
			if err := tx.ReadyTombstones(stone); err != nil {
				t.Fatal(err)
			}
			if err := tx.TakeOut(must[[]recall.Object](t)(tx.Bearers("p", "tool--art_a-1"))); err != nil {
				t.Fatal(err)
			}
			if err := tx.MarkRecalled(a.Number); err != nil {
				t.Fatal(err)
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			if _, err := tx.Artifact("art_t"); exchange.KindOf(err) != exchange.NotFound {
				t.Errorf("tombstones are had as an artifact: %v", err)
			}
			if got := must[exchange.Artifact](t)(tx.ArtifactByNumber(stone.Number)); got.SHA256 != "blob" || got.Size != 9 || got.Objects != 1 {
				t.Errorf("%+v", got)
			}
			if got := must[exchange.Artifact](t)(tx.Artifact("art_a")); got.RecalledAt.IsZero() || !got.Lessened {
				t.Errorf("%+v", got)
			}
			if bs := must[[]recall.Object](t)(tx.Bearers("p", "tool--art_a-1")); len(bs) != 0 {
				t.Errorf("taken out: %+v", bs)
			}
			if all := must[[]recall.Object](t)(tx.ObjectsFrom(a.Number, 0, 1000)); len(all) != 299 {
				t.Errorf("%d objects are left", len(all))
			}
		})
	})
}

// An expiry is settled once.
func TestExpiries(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		var numbers []int64
		within(t, db, func(tx *sqlstore.Tx) {
			for i, id := range []string{"art_a", "art_b", "art_c"} {
				a := artifact(id, "r", id)
				if i == 1 {
					a.Handling.Expires = time.Time{}
				}
				a.Number = must[int64](t)(tx.StageArtifact(a))
				numbers = append(numbers, a.Number)
				if i < 2 {
					if err := tx.ReadyArtifact(a); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
		expiring := func(tx *sqlstore.Tx) (out []int64) {
			t.Helper()
			for _, e := range must[[]recall.Expiry](t)(tx.Expiring(0, 9)) {
				out = append(out, e.Artifact)
			}
			return out
		}
		within(t, db, func(tx *sqlstore.Tx) {
			if got := expiring(tx); !slices.Equal(got, numbers[:1]) {
				t.Errorf("%v expire", got)
			}
			for _, want := range []bool{true, false} {
				if got := must[bool](t)(tx.Settle(numbers[0])); got != want {
					t.Errorf("settled: %v", got)
				}
			}
			if got := expiring(tx); len(got) != 0 {
				t.Errorf("%v expire after they were settled", got)
			}
			if err := tx.SetHandling(numbers[1], artifact("x", "r", "x").Handling); err != nil {
				t.Fatal(err)
			}
			if got := expiring(tx); !slices.Equal(got, numbers[1:2]) {
				t.Errorf("%v expire under another handling", got)
			}
			if err := tx.SetHandling(99, exchange.Handling{}); exchange.KindOf(err) != exchange.NotFound {
				t.Error(err)
			}
		})
	})
}

func TestCopiesGiven(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		given := func(seq int64, org exchange.OrgID, id, of string) delivery.Given {
			return delivery.Given{Copy: delivery.Copy{ID: id, Object: seq}, Org: org, Of: of}
		}
		all := []delivery.Given{
			given(7<<24|1, "a", "tool--c1", "tool--1"), given(7<<24|1, "b", "tool--c1", "tool--1"), given(7<<24|1, "b", "tool--c2", "tool--1"),
			given(7<<24|5, "a", "tool--c5", "tool--5"), given(8<<24|1, "a", "tool--c6", "tool--1"), given(7<<24|2, "", "tool--c7", "tool--7"),
		}
		within(t, db, func(tx *sqlstore.Tx) {
			for range 2 { // what is known already stays
				if err := tx.PutGiven(all); err != nil {
					t.Fatal(err)
				}
			}
			want := []recall.Given{
				{Seq: 7<<24 | 1, Org: "a", ID: "tool--c1", Of: "tool--1"},
				{Seq: 7<<24 | 1, Org: "b", ID: "tool--c1", Of: "tool--1"},
				{Seq: 7<<24 | 1, Org: "b", ID: "tool--c2", Of: "tool--1"},
			}
			got, err := tx.GivenIn(7, 0, 4)
			if err != nil || cmp.Diff(want, got) != "" {
				t.Errorf("%v, %s", err, cmp.Diff(want, got))
			}
			if n, err := tx.CountGiven(7); err != nil || n != 4 {
				t.Errorf("%d copies of an artifact's objects, %v", n, err)
			}
			for id, n := range map[string]int{"tool--c1": 1, "tool--1": 2, "tool--c2": 0, "tool--5": 1, "tool--c7": 0} {
				if got, err := tx.CopiesGivenTo("a", id); err != nil || len(got) != n {
					t.Errorf("%s: %v, %v, want %d", id, got, err, n)
				}
			}
		})
	})
}
