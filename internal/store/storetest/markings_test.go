package storetest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

// What nobody understands, and what was said of it, in both engines.
func TestMarkings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t, store.Options{Now: func() time.Time { return at }})
		class := exchange.HandlingClass{TLP: exchange.TLPAmber, Held: true, Markings: "m n", Handling: exchange.Handling{
			PAP: exchange.PAPRed, Organisations: []exchange.OrgID{"a"}, Also: []exchange.AllowList{{Sectors: []string{"s"}}},
			From: at, Statement: "ä", Attribution: exchange.AttributionConflict,
		}, Fields: []exchange.FieldHandling{
			{Selectors: []string{"labels.[0]", "name"}, Handling: exchange.Handling{TLP: exchange.TLPRed}},
			{Selectors: []string{"pattern"}, Handling: exchange.Handling{References: []string{"n"}}, Held: true},
		}}
		held := func(ref string, class int64, whole bool, n int64) exchange.HeldMarking {
			return exchange.HeldMarking{Ref: ref, Class: class, Whole: whole, Objects: n}
		}
		a := artifact("art_1", "rel_1", "aa")
		within(t, db, func(tx *sqlstore.Tx) {
			a.Number = must[int64](t)(tx.StageArtifact(a))
			class.ID, class.Artifact = must[int64](t)(tx.NextClassID(2)), a.Number
			plain := exchange.HandlingClass{ID: class.ID + 1, Artifact: a.Number, TLP: exchange.TLPGreen}
			if err := tx.PutClasses([]exchange.HandlingClass{class, plain}); err != nil {
				t.Fatal(err)
			}
			for _, want := range []exchange.HandlingClass{class, plain} {
				if d := cmp.Diff(want, must[exchange.HandlingClass](t)(tx.HandlingClass(want.ID))); d != "" {
					t.Error(d)
				}
			}
			fresh := must[[]string](t)(tx.HoldMarkings("p", []exchange.HeldMarking{
				held("m", class.ID, true, 2), held("n", class.ID, false, 2), held("m", plain.ID, false, 1),
			}))
			if d := cmp.Diff([]string{"m", "n"}, fresh); d != "" {
				t.Error(d)
			}
			if all := must[[]exchange.HeldIn](t)(tx.Held("p")); len(all) != 0 {
				t.Errorf("what is staged is listed: %v", all)
			}
			if err := tx.ReadyArtifact(a); err != nil {
				t.Fatal(err)
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			fresh := must[[]string](t)(tx.HoldMarkings("p", []exchange.HeldMarking{held("m", class.ID, true, 3), held("o", class.ID, true, 1)}))
			if d := cmp.Diff([]string{"o"}, fresh); d != "" {
				t.Error(d)
			}
			want := []exchange.HeldIn{
				{Ref: "m", Artifact: a.ID, Title: a.Title, Release: a.Release, Objects: 5, Parts: 1, Since: at},
				{Ref: "n", Artifact: a.ID, Title: a.Title, Release: a.Release, Parts: 2, Since: at},
				{Ref: "o", Artifact: a.ID, Title: a.Title, Release: a.Release, Objects: 1, Since: at},
			}
			if d := cmp.Diff(want, must[[]exchange.HeldIn](t)(tx.Held("p"))); d != "" {
				t.Error(d)
			}
			if all := must[[]exchange.HeldIn](t)(tx.Held("q")); len(all) != 0 {
				t.Errorf("another program lists %v", all)
			}
			by := []exchange.HeldMarking{held("m", class.ID, true, 5), held("m", class.ID+1, false, 1)}
			if d := cmp.Diff(by, must[[]exchange.HeldMarking](t)(tx.HeldBy("p", "m"))); d != "" {
				t.Error(d)
			}
			in := []exchange.HeldMarking{held("m", class.ID, true, 5), held("n", class.ID, false, 2), held("o", class.ID, true, 1)}
			if d := cmp.Diff(in, must[[]exchange.HeldMarking](t)(tx.OpenIn(class.ID))); d != "" {
				t.Error(d)
			}
			if err := tx.ReleaseMarking("p", "m"); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(in[1:], must[[]exchange.HeldMarking](t)(tx.OpenIn(class.ID))); d != "" {
				t.Error(d)
			}
			class.Held, class.Fields, class.TLP = false, class.Fields[:1], exchange.TLPRed
			if err := tx.ChangeClass(class); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(class, must[exchange.HandlingClass](t)(tx.HandlingClass(class.ID))); d != "" {
				t.Error(d)
			}
			if err := tx.RemoveArtifact(a.Number); err != nil {
				t.Fatal(err)
			}
			if all := must[[]exchange.HeldIn](t)(tx.Held("p")); len(all) != 0 {
				t.Errorf("what was taken out is listed: %v", all)
			}
		})
		r := exchange.MarkingResolution{Ref: "m", Handling: class.Handling, Reason: "said so", By: "per", At: at}
		within(t, db, func(tx *sqlstore.Tx) {
			if err := tx.PutResolution("p", r); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]exchange.MarkingResolution{r}, must[[]exchange.MarkingResolution](t)(tx.Resolutions("p"))); d != "" {
				t.Error(d)
			}
			if all := must[[]exchange.MarkingResolution](t)(tx.Resolutions("q")); len(all) != 0 {
				t.Errorf("another program has %v", all)
			}
		})
		if err := db.Update(t.Context(), func(tx *sqlstore.Tx) error { return tx.PutResolution("p", r) }); err == nil {
			t.Error("it was said twice")
		}
	})
}
