package storetest_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

// Requests come back as they were put, in the order and in the lists that the
// room is promised.
func TestReshares(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		full := reshare.Request{
			ID: "rsh_b", Program: "p", Release: "rel_1", Artifact: "art_1", Number: 7, Title: "Titel ä", TLP: exchange.TLPAmber,
			Object: reshare.Object{
				ID: "indicator--1", Type: "indicator", Seq: 7<<24 | 3, Class: 9, Offset: 10, Length: 20, Version: 30,
				Marks: exchange.HandlingClass{
					TLP: exchange.TLPGreen, Markings: "marking-definition--x", Handling: exchange.Handling{NotIn: []string{"XA"}},
					Fields: []exchange.FieldHandling{{Selectors: []string{"name"}, Handling: exchange.Handling{TLP: exchange.TLPRed}, Held: true}},
				},
			},
			Kind: reshare.Reshare, By: "a", Person: "per_1", To: []exchange.OrgID{"c", "d"}, Outside: []string{"our customer"}, Why: "because\nof it",
			Until: at.Add(time.Hour), AskedAt: at, AnswerBy: at.Add(time.Minute), DecidedAt: at.Add(time.Second), RevokedAt: at.Add(2 * time.Second),
			State: reshare.Open, Owners: []exchange.OrgID{"b", "o"}, Unnamed: true,
			Answers: []reshare.Answer{{Org: "b", Person: "per_2", At: at.Add(time.Second), Yes: true, Condition: "Name nobody", Until: at.Add(30 * time.Minute)}},
			Given:   []exchange.OrgID{"c", "d"}, Told: []exchange.OrgID{"c"}, Copy: 11,
		}
		loosen := reshare.Request{
			ID: "rsh_a", Program: "p", Artifact: "art_2", Number: 8, Kind: reshare.Loosen, By: "b", Why: "x", AskedAt: at, AnswerBy: at.Add(time.Hour),
			State: reshare.Open, Owners: []exchange.OrgID{"b"},
			Before: exchange.Handling{TLP: exchange.TLPRed, Persons: []exchange.PersonID{exchange.Nobody}}, Wanted: exchange.Handling{TLP: exchange.TLPGreen, PAP: exchange.PAPClear},
		}
		later := reshare.Request{
			ID: "rsh_c", Program: "q", Artifact: "art_1", Number: 7, Kind: reshare.Reshare, By: "b", Why: "y", AskedAt: at.Add(time.Second),
			AnswerBy: at.Add(time.Hour), Until: at.Add(time.Hour), State: reshare.Granted, Owners: []exchange.OrgID{"o"},
		}
		plain := reshare.Request{ // about an object without markings
			ID: "rsh_d", Program: "z", Artifact: "art_9", Number: 99, Kind: reshare.Reshare, By: "z", Why: "z", AskedAt: at, AnswerBy: at.Add(time.Hour),
			Until: at.Add(time.Hour), State: reshare.Refused, Owners: []exchange.OrgID{"y"}, Object: reshare.Object{ID: "indicator--2", Type: "indicator", Seq: 99<<24 | 4},
		}
		within(t, db, func(tx *sqlstore.Tx) {
			for _, r := range []reshare.Request{later, full, loosen, plain, full} { // put twice: the same
				if err := tx.PutReshare(r); err != nil {
					t.Fatal(err)
				}
			}
		})
		ids := func(all []reshare.Request, err error) (out []reshare.ID) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range all {
				out = append(out, r.ID)
			}
			return out
		}
		within(t, db, func(tx *sqlstore.Tx) {
			for _, want := range []reshare.Request{full, loosen, later, plain} {
				if d := cmp.Diff(want, must[reshare.Request](t)(tx.Reshare(want.ID))); d != "" {
					t.Error(d)
				}
			}
			if _, err := tx.Reshare("rsh_none"); exchange.KindOf(err) != exchange.NotFound {
				t.Error(err)
			}
			for name, c := range map[string]struct{ got, want []reshare.ID }{
				"asks or owns": {ids(tx.ResharesOf("b", "", 10)), []reshare.ID{"rsh_c", "rsh_b", "rsh_a"}},
				"first":        {ids(tx.ResharesOf("b", "", 1)), []reshare.ID{"rsh_c"}},
				"next":         {ids(tx.ResharesOf("b", "rsh_c", 1)), []reshare.ID{"rsh_b"}},
				"same instant": {ids(tx.ResharesOf("b", "rsh_b", 9)), []reshare.ID{"rsh_a"}},
				"recipient":    {ids(tx.ResharesOf("c", "", 9)), nil},
				"nowhere":      {ids(tx.ResharesOf("b", "rsh_none", 9)), nil},
				"program":      {ids(tx.ResharesIn("p", "", 9)), []reshare.ID{"rsh_b", "rsh_a"}},
				"in pages":     {ids(tx.ResharesIn("p", "rsh_b", 9)), []reshare.ID{"rsh_a"}},
				"not due":      {ids(tx.DueReshares(at.Add(time.Minute-time.Microsecond), 9)), nil},
				"due":          {ids(tx.DueReshares(at.Add(time.Minute), 9)), []reshare.ID{"rsh_b"}},
				"all due":      {ids(tx.DueReshares(at.Add(time.Hour), 9)), []reshare.ID{"rsh_b", "rsh_a"}},
				"one due":      {ids(tx.DueReshares(at.Add(time.Hour), 1)), []reshare.ID{"rsh_b"}},
				"grants":       {ids(tx.GrantsOn(7, "")), []reshare.ID{"rsh_c"}},
				"on an object": {ids(tx.GrantsOn(7, "indicator--1")), nil},
			} {
				if d := cmp.Diff(c.want, c.got); d != "" {
					t.Errorf("%s: %s", name, d)
				}
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			full.State = reshare.Conditional
			if err := tx.PutReshare(full); err != nil {
				t.Fatal(err)
			}
		})
		within(t, db, func(tx *sqlstore.Tx) {
			if got := ids(tx.GrantsOn(7, "indicator--1")); len(got) != 1 {
				t.Error(got)
			}
			if got := ids(tx.DueReshares(at.Add(time.Minute), 9)); len(got) != 0 {
				t.Error(got)
			}
		})
	})
}

// A copy is an artifact like others, a handling is replaced whole, and what was
// made from something is found by that.
func TestCopiesAndDerived(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		db := e.Open(t)
		const object = "indicator--00000000-0000-4000-8000-000000000001"
		art := exchange.Artifact{
			ID: "art_a", Release: "rel_1", Program: "p", Class: exchange.Summary, Kind: exchange.ArtifactSTIX, SHA256: "aa", Size: 50, Objects: 2,
			Handling: exchange.Handling{TLP: exchange.TLPAmber}, Originator: "o", Originators: []exchange.OrgID{"o", "q"},
			DerivedFrom: []string{object}, Relation: "copy",
		}
		marks := exchange.HandlingClass{TLP: exchange.TLPGreen, Markings: "m", Handling: exchange.Handling{NotOrgs: []exchange.OrgID{"x"}}}
		var number int64
		within(t, db, func(tx *sqlstore.Tx) {
			number = must[int64](t)(tx.PutCopy(art, marks, []reshare.CopyObject{
				{ID: "marking-definition--1", Type: "marking-definition", Version: 1, Offset: 1, Length: 2},
				{ID: "indicator--2", Type: "indicator", Version: 2, Offset: 4, Length: 5},
			}))
		})
		within(t, db, func(tx *sqlstore.Tx) {
			got := must[exchange.Artifact](t)(tx.ArtifactByNumber(number))
			if got.Objects != 2 || len(got.Owners()) != 2 || got.Relation != "copy" {
				t.Errorf("%+v", got)
			}
			classes := must[[]exchange.HandlingClass](t)(tx.ClassesOf(number))
			if len(classes) != 1 || classes[0].TLP != exchange.TLPGreen || len(classes[0].Handling.NotOrgs) != 1 {
				t.Errorf("%+v", classes)
			}
			objs, err := tx.ObjectsIn(number, -1, 10)
			if err != nil || len(objs) != 2 || objs[1].ID != "indicator--2" || objs[1].Offset != 4 || objs[1].Class != classes[0].ID {
				t.Errorf("%v %+v", err, objs)
			}
			if err := tx.SetHandling(number, exchange.Handling{TLP: exchange.TLPRed, Persons: []exchange.PersonID{exchange.Nobody}}); err != nil {
				t.Fatal(err)
			}
			if got := must[exchange.Artifact](t)(tx.ArtifactByNumber(number)); got.Handling.TLP != exchange.TLPRed || len(got.Handling.Persons) != 1 {
				t.Errorf("%+v", got.Handling)
			}
			for id, want := range map[string]int{object: 1, "indicator--00000000": 0, "indicator--00000000-0000-4000-8000-00000000000_": 0} {
				if all := must[[]exchange.Artifact](t)(tx.DerivedOf("p", id)); len(all) != want {
					t.Errorf("%s: %d", id, len(all))
				}
			}
			if all := must[[]exchange.Artifact](t)(tx.DerivedOf("other", object)); len(all) != 0 {
				t.Error(all)
			}
		})
	})
}
