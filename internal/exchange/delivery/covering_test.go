package delivery_test

import (
	"slices"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Where a reader was given a redacted copy under another identifier, its originator
// proves it by its own. Nobody else can: neither the reader, who is not told of which
// object a copy is, nor another originator of the same page.
func TestOriginatorProvesACopy(t *testing.T) {
	w, _, arts := newMixture(t, 5)
	owners := []exchange.OrgID{servertest.Standard, servertest.EarlyB}
	err := w.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
		for i, a := range arts {
			if _, err := tx.Exec(`UPDATE artifact SET originator = ?2 WHERE id = ?1`, string(a.ID), string(owners[i%2])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	reader := w.Machine(servertest.EarlyA)
	p, err := w.X.Delivery.Page(t.Context(), reader, testkit.Program, delivery.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	e := w.gave("a page", servertest.EarlyA, objectsOn(t, p))
	all, of, _, err := w.X.Delivery.Covered(t.Context(), e.code)
	if err != nil || len(of) < 4 {
		t.Fatalf("%d copies, %v", len(of), err)
	}
	proves := func(org exchange.OrgID, id string) (verify.ObjectProof, error) {
		return w.X.Record.ObjectProof(t.Context(), w.Machine(org), e.seq, id)
	}
	proved := map[exchange.OrgID]int{}
	for at, id := range of {
		variant := all[at].ID
		if id == variant {
			t.Fatalf("%s: a copy under the identifier of the object", id)
		}
		for _, org := range owners {
			got, err := proves(org, id)
			if exchange.KindOf(err) == exchange.NotFound {
				if _, err := proves(org, variant); exchange.KindOf(err) != exchange.NotFound {
					t.Errorf("%s proves a copy of another's object: %v", org, err)
				}
				continue
			}
			if err != nil || got.ObjectVersion != all[at] {
				t.Fatalf("%s: %+v, %v; want %+v", org, got.ObjectVersion, err, all[at])
			}
			proved[org]++
		}
		if _, err := proves(servertest.EarlyA, id); exchange.KindOf(err) != exchange.NotFound {
			t.Errorf("the reader learns of which object %s is: %v", variant, err)
		}
		if got, err := proves(servertest.EarlyA, variant); err != nil || got.ObjectVersion != all[at] {
			t.Errorf("the reader proves what it was given: %v", err)
		}
		if _, err := proves(servertest.Validator, id); exchange.KindOf(err) != exchange.NotFound {
			t.Errorf("who is no party proves it: %v", err)
		}
	}
	if proved[owners[0]] == 0 || proved[owners[1]] == 0 || proved[owners[0]]+proved[owners[1]] != len(of) {
		t.Errorf("%v for %d copies", proved, len(of))
	}
	for _, org := range owners { // the list is that of what can be proved, and names no copy
		ids, n, err := w.X.Record.Objects(t.Context(), w.Machine(org), e.seq, 0, 1000)
		if err != nil || n != len(ids) || n == 0 || n == len(all) {
			t.Fatalf("%s: %d of %d objects, %v", org, n, len(all), err)
		}
		for at := range of {
			if slices.Contains(ids, all[at].ID) {
				t.Errorf("%s is told of the copy %s", org, all[at].ID)
			}
		}
		for _, id := range ids {
			if _, err := proves(org, id); err != nil {
				t.Errorf("%s: %s: %v", org, id, err)
			}
		}
	}
}
