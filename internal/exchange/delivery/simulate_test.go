package delivery_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// verdicts is what every member's machines get of every artifact, as Why says.
func verdicts(t *testing.T, w *servertest.World, arts []exchange.ArtifactID) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, org := range servertest.Members {
		for _, id := range arts {
			y, err := w.X.Delivery.Why(t.Context(), w.Operator, testkit.Program, string(id), string(org), time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			out[string(org)+" "+string(id)] = y.Decision.Verdict.String() + " " + y.Decision.Code
		}
	}
	return out
}

// What a simulated charter would do is what it does.
func TestSimulatedCharterIsWhatHappens(t *testing.T) {
	changes := map[string]func(*exchange.Charter){
		"a cohort loses its product": func(c *exchange.Charter) {
			for i := range c.Cohorts {
				c.Cohorts[i].Rule.Products = slices.DeleteFunc(c.Cohorts[i].Rule.Products, func(p string) bool { return p == "ids" })
			}
		},
		"another cohort takes a member": func(c *exchange.Charter) {
			c.Cohorts[0].Rule = exchange.Rule{Terms: exchange.Terms{Organisations: []exchange.OrgID{servertest.Standard, servertest.Late}}}
		},
		"a new agreement": func(c *exchange.Charter) { c.Agreement.Version, c.Agreement.Text = 2, "Another text." },
		"a duty withholds more": func(c *exchange.Charter) {
			c.CompelledDisclosure.Deny = append(c.CompelledDisclosure.Deny, exchange.DetectionGuidance)
		},
		"nothing that matters": func(c *exchange.Charter) { c.Title = "Another title" },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			w := servertest.New(t)
			var arts []exchange.ArtifactID
			for i := range 2 {
				r := w.Draft(fmt.Sprint("Case ", i), t0.AddDate(0, 0, 7*i))
				a, b, c := w.Package(r.ID, 3)
				arts = append(arts, a.ID, b.ID, c.ID)
				w.Arm(r.ID)
			}
			w.Clock.Set(time.Date(2027, time.July, 12, 17, 0, 0, 0, time.UTC))
			before := verdicts(t, w, arts)
			c, _, err := w.X.Programs.Charter(t.Context(), w.Operator, testkit.Program)
			if err != nil {
				t.Fatal(err)
			}
			if c, err = exchange.ParseCharter(c.TOML()); err != nil { // of its own: what is stored is shared
				t.Fatal(err)
			}
			change(&c)
			dump := w.Dump()
			s, err := w.X.Delivery.Simulate(t.Context(), w.Operator, testkit.Program, delivery.Candidate{Charter: &c})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(dump, w.Dump()); d != "" {
				t.Errorf("a simulation changed the store:\n%s", d)
			}
			if _, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false); err != nil {
				t.Fatal(err)
			}
			after := verdicts(t, w, arts)
			rows := map[string]delivery.Shift{}
			for _, x := range s.Rows {
				rows[string(x.Org)+" "+string(x.Artifact)] = x
			}
			changed := 0
			for key, was := range before {
				x, listed := rows[key]
				if listed {
					changed++
					for i, want := range []string{was, after[key]} {
						if got := x.Machine[i].Verdict.String() + " " + x.Machine[i].Code; got != want {
							t.Errorf("%s: simulated %q, is %q", key, got, want)
						}
					}
				} else if was != after[key] {
					t.Errorf("%s went from %q to %q and was not foreseen", key, was, after[key])
				}
			}
			if n := s.Gained + s.Lost + s.Other; n != changed || n+s.Same != len(before) || s.More != 0 || s.Left != 0 || s.Unnamed != 0 {
				t.Errorf("counts %+v, %d changed of %d", s, changed, len(before))
			}
			if (changed == 0) != (name == "nothing that matters") {
				t.Errorf("%d changed", changed)
			}
			for _, x := range s.Rows {
				t.Logf("%s %s %s → %s: %s %v", x.Org, x.Title, x.From, x.To, x.Effect, x.Machine)
			}
		})
	}
}

// Another handling of one artifact: who would gain, who would lose, and who may ask.
func TestSimulatedHandling(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Case", t0)
	guidance, _, _ := w.Package(r.ID, 3)
	w.Arm(r.ID)
	w.Clock.Set(time.Date(2027, time.July, 12, 17, 0, 0, 0, time.UTC))
	h := guidance.Handling
	h.NotOrgs = []exchange.OrgID{servertest.EarlyA, servertest.Standard}
	change := delivery.Candidate{Handlings: map[exchange.ArtifactID]exchange.Handling{guidance.ID: h}}
	s, err := w.X.Delivery.Simulate(t.Context(), w.Operator, testkit.Program, change)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range s.Rows {
		got = append(got, fmt.Sprintf("%s %s %s", x.Org, x.Effect, x.Machine[1].Code))
	}
	// Who has nothing yet is refused for another reason, and so is a client of one that is excluded.
	want := []string{"edr-a loses E_EXCLUDED", "av-a reason E_EXCLUDED", "client-a reason E_EXCLUDED"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if s.Lost != 1 || s.Gained != 0 || s.Other != 2 {
		t.Errorf("%+v", s)
	}
	for name, a := range map[string]exchange.Actor{
		"a member": w.Reader(servertest.EarlyA), "somebody else": w.Reader(servertest.Outsider), "everyone": exchange.Public(),
		"a machine": w.Machine(servertest.EarlyB),
	} {
		c := testkit.Charter()
		for what, change := range map[string]delivery.Candidate{"handling": change, "charter": {Charter: &c}} {
			if s, err := w.X.Delivery.Simulate(t.Context(), a, testkit.Program, change); exchange.KindOf(err) != exchange.NotFound {
				t.Errorf("%s simulates a %s: %+v %v", name, what, s, err)
			}
		}
	}
	if _, err := w.X.Delivery.Simulate(t.Context(), w.Auditor, testkit.Program, change); err != nil {
		t.Errorf("an auditor: %v", err)
	}
	unknown := delivery.Candidate{Handlings: map[exchange.ArtifactID]exchange.Handling{"art_none": h}}
	if _, err := w.X.Delivery.Simulate(t.Context(), w.Operator, testkit.Program, unknown); exchange.KindOf(err) != exchange.NotFound {
		t.Error(err)
	}
}

// owned makes an artifact one that was derived from what the organisations gave.
func owned(t *testing.T, w *servertest.World, id exchange.ArtifactID, owners string) {
	t.Helper()
	err := w.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
		if _, err := tx.Exec(`UPDATE artifact SET originators = ?2 WHERE id = ?1`, string(id), owners); err != nil {
			return err
		}
		return tx.BumpGeneration()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// An originator simulates the handling of its own artifact, and is told of those
// about whom it may ask.
func TestOriginatorsSimulateTheirOwn(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Case", t0)
	guidance, _, _ := w.Package(r.ID, 3)
	w.Arm(r.ID)
	owned(t, w, guidance.ID, `["edr-a"]`)
	w.Clock.Set(time.Date(2027, time.July, 12, 17, 0, 0, 0, time.UTC))
	poll(t, w, servertest.EarlyB)
	h := guidance.Handling
	h.NotOrgs = []exchange.OrgID{servertest.EarlyB, servertest.Standard}
	change := delivery.Candidate{Handlings: map[exchange.ArtifactID]exchange.Handling{guidance.ID: h}}
	s, err := w.X.Delivery.Simulate(t.Context(), w.Reader(servertest.EarlyA), testkit.Program, change)
	if err != nil {
		t.Fatal(err)
	}
	if s.Lost != 1 || s.Other != 1 || s.Unnamed != 1 || len(s.Rows) != 1 || s.Rows[0].Org != servertest.EarlyB || s.Rows[0].From.Cohort != "" {
		t.Errorf("%+v", s)
	}
	if _, err := w.X.Delivery.Simulate(t.Context(), w.Reader(servertest.EarlyB), testkit.Program, change); exchange.KindOf(err) != exchange.NotFound {
		t.Error(err)
	}
	c := testkit.Charter()
	change.Charter = &c
	if _, err := w.X.Delivery.Simulate(t.Context(), w.Reader(servertest.EarlyA), testkit.Program, change); exchange.KindOf(err) != exchange.NotFound {
		t.Error(err)
	}
}
