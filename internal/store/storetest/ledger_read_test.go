package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// Events are found by all that can be asked for, newest first; what is asked for
// together is the same as what is left when each is asked for alone.
func TestLedgerIsRead(t *testing.T) {
	Each(t, func(t *testing.T, e Engine) {
		db := e.Open(t)
		start := time.Date(2027, time.June, 1, 8, 0, 0, 0, time.UTC)
		update := func(fn func(*sqlstore.Tx) error) {
			t.Helper()
			if err := db.Update(t.Context(), fn); err != nil {
				t.Fatal(err)
			}
		}
		update(func(tx *sqlstore.Tx) error {
			for i, owners := range [][]exchange.OrgID{{"one"}, {"two"}, {"two", "three"}} {
				a := exchange.Artifact{
					ID: exchange.ArtifactID(fmt.Sprint("art_", i)), Release: "rel_0", Program: "p", Class: exchange.PoC, Kind: exchange.ArtifactFile,
					Filename: fmt.Sprint(i), SHA256: fmt.Sprint(i), SubmittedAt: start, Originator: owners[0],
				}
				if len(owners) > 1 {
					a.Originators = owners
				}
				if _, err := tx.StageArtifact(a); err != nil {
					return err
				}
			}
			return nil
		})
		kinds := []exchange.EventKind{exchange.EventPageServed, exchange.EventReleaseApproved, exchange.EventObjectServed, exchange.EventFeedback}
		var all []exchange.Event
		update(func(tx *sqlstore.Tx) error {
			all = nil
			for i := range 96 {
				ev := exchange.Event{
					Seq: int64(i + 1), At: start.Add(time.Duration(i) * time.Minute), Kind: kinds[i%4], Program: []exchange.ProgramID{"p", "q", ""}[i/2%3],
					Release: exchange.ReleaseID(fmt.Sprint("rel_", i%2)), Subject: []string{fmt.Sprint("art_", i%3), "x", "x"},
					Actor: exchange.Actor{Org: []exchange.OrgID{"one", "four"}[i%2], Person: exchange.PersonID(fmt.Sprint("per_", i%5))},
				}
				if i%7 == 0 {
					ev.Org = "two"
				}
				if _, err := tx.Record(ev); err != nil {
					return err
				}
				all = append(all, ev)
			}
			return nil
		})
		owners := map[string][]exchange.OrgID{"art_0": {"one"}, "art_1": {"two"}, "art_2": {"two", "three"}}
		is := func(q record.EntryQuery, ev exchange.Event) bool {
			org := ev.Org
			if org == "" {
				org = ev.Actor.Org
			}
			acted := ev.Actor.Org == q.Party && org != q.Party
			disclosed := slices.Contains(record.Disclosures(), ev.Kind)
			owns := disclosed && slices.Contains(owners[ev.Subject[0]], q.Party) && org != q.Party && ev.Actor.Org != q.Party
			return (q.Program == "" || q.Program == ev.Program) && (q.Release == "" || q.Release == ev.Release) && (q.Org == "" || q.Org == org) &&
				(q.Person == "" || q.Person == ev.Actor.Person) && (q.Subject == "" || slices.Contains(ev.Subject, q.Subject)) &&
				(len(q.Kinds) == 0 || slices.Contains(q.Kinds, ev.Kind)) && (q.From.IsZero() || !ev.At.Before(q.From)) && (q.To.IsZero() || ev.At.Before(q.To)) &&
				(q.Before == 0 || ev.Seq < q.Before) && ev.Seq >= q.First && (!q.Outside || ev.Program == "") &&
				(q.Party == "" || q.Owner && owns || !q.Owner && acted)
		}
		set := []func(*record.EntryQuery){
			func(q *record.EntryQuery) { q.Program = "p" }, func(q *record.EntryQuery) { q.Release = "rel_1" },
			func(q *record.EntryQuery) { q.Org = "two" }, func(q *record.EntryQuery) { q.Person = "per_3" },
			func(q *record.EntryQuery) { q.Subject = "art_1" }, func(q *record.EntryQuery) { q.Kinds = []exchange.EventKind{kinds[1]} },
			func(q *record.EntryQuery) { q.Kinds = []exchange.EventKind{kinds[0], kinds[3]} },
			func(q *record.EntryQuery) { q.From, q.To = start.Add(9*time.Minute), start.Add(70*time.Minute) },
			func(q *record.EntryQuery) { q.Before, q.First = 80, 7 }, func(q *record.EntryQuery) { q.Outside = true },
			func(q *record.EntryQuery) { q.Party = "one" }, func(q *record.EntryQuery) { q.Party, q.Owner = "two", true },
		}
		found := 0
		for i := range set {
			for j := range set {
				for k := range set {
					var q record.EntryQuery
					set[i](&q)
					set[j](&q)
					set[k](&q)
					q.Limit = 200
					var want, got []int64
					for _, ev := range slices.Backward(all) {
						if is(q, ev) {
							want = append(want, ev.Seq)
						}
					}
					err := db.View(t.Context(), func(tx *sqlstore.Tx) error {
						page, err := tx.Page(q)
						for _, r := range page {
							got = append(got, r.Seq)
						}
						return err
					})
					if err != nil || !slices.Equal(got, want) {
						t.Fatalf("%+v: %v, %v; want %v", q, got, err, want)
					}
					found += len(got)
				}
			}
		}
		if found < 1000 {
			t.Errorf("only %d were found at all", found)
		}
		err := db.View(t.Context(), func(tx *sqlstore.Tx) error {
			first, last, err := tx.Between(start.Add(9*time.Minute), start.Add(70*time.Minute))
			if err != nil || first != 10 || last != 70 {
				t.Errorf("between: %d to %d, %v", first, last, err)
			}
			r, err := tx.Recorded(5)
			if err != nil || len(r.Salt) == 0 || len(r.Leaf) == 0 || !bytes.Contains(r.Body, []byte(`"subject":["art_1"`)) {
				t.Errorf("%+v, %v", r, err)
			}
			_, err = tx.Recorded(500)
			return absent(err)
		})
		if err != nil {
			t.Error(err)
		}
		update(func(tx *sqlstore.Tx) error { return tx.Blank(5, []byte("left")) })
		err = db.View(t.Context(), func(tx *sqlstore.Tx) error {
			r, err := tx.Recorded(5)
			if err != nil || len(r.Salt)+len(r.Body)+len(r.Covered) > 0 || r.Person != "" || string(r.Kept) != "left" || len(r.Leaf) == 0 {
				t.Errorf("%+v, %v", r, err)
			}
			rest, err := tx.Stretch("p", 0, 3)
			if err != nil || len(rest) != 3 || rest[0].Seq != 1 || rest[1].Number != 2 {
				t.Errorf("%+v, %v", rest, err)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func absent(err error) error {
	if exchange.KindOf(err) != exchange.NotFound {
		return fmt.Errorf("what does not exist is answered %w", err)
	}
	return nil
}
