package storetest_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/lookup"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

// What look-ups are filled from: artifacts by number, also while they are
// staged, and their objects by position.
func TestLookup(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		const n = 300
		numbers := map[string]int64{}
		within(t, db, func(tx *sqlstore.Tx) {
			for _, id := range []string{"art_1", "art_2", "art_3", "art_4"} {
				a := artifact(id, "rel_1", id)
				a.Number = must[int64](t)(tx.StageArtifact(a))
				numbers[id] = a.Number
				var objs []submission.Object
				for i := range int64(n) {
					objs = append(objs, submission.Object{
						Position: i * 2, Class: 7, ID: fmt.Sprintf("tool--%s-%d", id, i), Type: "tool", Version: 5, Offset: i * 100, Length: 90,
					})
				}
				must[[]submission.Clash](t)(tx.PutObjects("p", a.Number, objs))
				switch id {
				case "art_2":
					continue // staged
				case "art_3":
					a.Kind = exchange.ArtifactMarkdown
				}
				if err := tx.ReadyArtifact(a); err != nil {
					t.Fatal(err)
				}
				if id == "art_4" {
					if err := tx.RemoveArtifact(a.Number); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			first := lookup.Source{Number: numbers["art_1"], Program: "p", Blob: "art_1", Ready: true}
			second := lookup.Source{Number: numbers["art_2"], Program: "p", Blob: "art_2"}
			for after, want := range map[int64][]lookup.Source{0: {first, second}, first.Number: {second}, second.Number: {}} {
				got := must[[]lookup.Source](t)(tx.LookupSources(after))
				if d := cmp.Diff(want, append([]lookup.Source{}, got...)); d != "" {
					t.Errorf("after %d: %s", after, d)
				}
			}
			objs := must[[]lookup.Object](t)(tx.LookupObjects(first.Number, 9, 250))
			want := lookup.Object{Number: first.Number<<24 | 10, Class: 7, Type: "tool", Offset: 500, Length: 90}
			if len(objs) != 250 || objs[0] != want {
				t.Errorf("%d objects from %+v", len(objs), objs[0])
			}
			if rest := must[[]lookup.Object](t)(tx.LookupObjects(first.Number, objs[249].Number&(1<<24-1)+1, 250)); len(rest) != n-5-250 {
				t.Errorf("%d objects are left", len(rest))
			}
			seqs := []int64{first.Number << 24, first.Number<<24 | 2, first.Number<<24 | 500, second.Number<<24 | 4}
			es := must[[]delivery.Entry](t)(tx.EntriesOf(seqs))
			for i, e := range es {
				if e.Object != seqs[i] || e.ID != fmt.Sprintf("tool--art_%d-%d", 1+i/3, seqs[i]&(1<<24-1)/2) || e.Class != 7 || e.Type != "tool" {
					t.Errorf("entry %d: %+v", i, e)
				}
			}
			if _, err := tx.EntriesOf([]int64{first.Number<<24 | 3}); err == nil {
				t.Error("an object that is not there was read")
			}
		})
	})
}
