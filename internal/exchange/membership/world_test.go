package membership_test

import (
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// world is an exchange with one program, two member organisations (alpha, beta)
// that have not joined yet, and an organisation (other) that owns a program of
// its own.
type world struct {
	*servertest.World
	room *membership.Service

	admin, operator, approver, stranger exchange.Actor // of the owner, the last of other
	signatory, analyst                  exchange.Actor // of alpha
	people                              []exchange.Person
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: servertest.Open(t, t.TempDir(), testkit.NewClock())}
	w.room = w.X.Members
	w.admin = w.person("registrar", "admin", exchange.RoleAdmin)
	w.operator = w.person(testkit.Owner, "operator", exchange.RoleOperator)
	w.approver = w.person(testkit.Owner, "approver", exchange.RoleApprover)
	w.stranger = w.person("other", "operator", exchange.RoleOperator)
	w.signatory = w.person("alpha", "signatory", exchange.RoleSignatory)
	w.analyst = w.person("alpha", "analyst", exchange.RoleAnalyst)
	nouns := []any{
		testkit.Organisation("registrar"), testkit.Organisation(testkit.Owner), testkit.Organisation("other"),
		testkit.Organisation("alpha"),
		testkit.Organisation("beta", func(o *exchange.Organisation) { o.Products = []string{"edr"} }),
	}
	for _, p := range w.people {
		nouns = append(nouns, p)
	}
	w.put(t, nouns...)
	w.charter(t, testkit.Charter())
	foreign := testkit.Charter()
	foreign.ID, foreign.Owner = "foreign", "other"
	w.charter(t, foreign)
	return w
}

func (w *world) person(org exchange.OrgID, name string, roles ...exchange.Role) exchange.Actor {
	p := testkit.Person(org, name, roles...)
	w.people = append(w.people, p)
	return testkit.Actor(p)
}

func (w *world) put(t *testing.T, nouns ...any) {
	t.Helper()
	testkit.Put(t, sqlstore.For[testkit.Tx](w.DB), nouns...)
}

func (w *world) charter(t *testing.T, c exchange.Charter) {
	t.Helper()
	err := w.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
		return tx.PutProgram(program.Stored{ID: c.ID, Owner: c.Owner, Charter: c, Revision: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) join(t *testing.T, orgs ...exchange.OrgID) {
	t.Helper()
	for _, org := range orgs {
		if _, err := w.room.Join(t.Context(), w.operator, testkit.Program, org); err != nil {
			t.Fatal(err)
		}
	}
}

// in answers the audiences of the program's members.
func (w *world) in(t *testing.T) map[exchange.OrgID]string {
	t.Helper()
	all, err := w.room.Members(t.Context(), w.operator, testkit.Program, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[exchange.OrgID]string{}
	for _, m := range all {
		out[m.Org] = m.Audience.String()
	}
	return out
}

// recorded lists the kinds of the events of an organisation, or of all.
func (w *world) recorded(t *testing.T, org exchange.OrgID) (kinds []exchange.EventKind) {
	t.Helper()
	for _, e := range w.entries(t) {
		if org == "" || e.Org == org {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func (w *world) entries(t *testing.T) []record.Entry {
	t.Helper()
	all, err := w.X.Record.Events(t.Context(), exchange.System(), record.EventFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// absent fails when a secret stands in what was recorded.
func (w *world) absent(t *testing.T, secrets ...string) {
	t.Helper()
	for _, e := range w.entries(t) {
		for _, s := range secrets {
			if strings.Contains(string(e.Body), s) {
				t.Errorf("event %s carries %q", e.Kind, s)
			}
		}
	}
}

func wantKind(t *testing.T, err error, kind exchange.Kind) {
	t.Helper()
	if exchange.KindOf(err) != kind {
		t.Errorf("%v, want %q", err, string(kind))
	}
}

// wantMissing holds that an answer cannot be told from the one for an unknown
// identifier.
func wantMissing(t *testing.T, err error) {
	t.Helper()
	if err == nil || err.Error() != exchange.Missing().Error() {
		t.Errorf("%v, want %v", err, exchange.Missing())
	}
}

func count(kinds []exchange.EventKind, k exchange.EventKind) (n int) {
	for _, kind := range kinds {
		if kind == k {
			n++
		}
	}
	return n
}
