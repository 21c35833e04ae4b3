package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// AT-35: what is derived from {A: RED, B: GREEN} is RED and belongs to A and B.
// To loosen it takes the consent of both: not that of one, not that of who runs
// the program, and not that of the administrator.
func TestAT35(t *testing.T) {
	const a, b, reader = servertest.EarlyA, servertest.EarlyB, servertest.Standard
	w := servertest.New(t)
	c := testkit.Charter()
	c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early"}, To: []exchange.CohortID{"early"}}
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false); err != nil {
		t.Fatal(err)
	}
	add := func(org exchange.OrgID, n int, mark string) string {
		t.Helper()
		id := stixtest.ID("indicator", 35, n)
		m := w.Machine(org)
		m.Verbs = []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
		st, err := w.X.Contributions.Add(t.Context(), m, testkit.Program, strings.NewReader(fmt.Sprintf(
			`{"objects":[{"type":"indicator","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",`+
				`"pattern":"[domain-name:value = 'at35-%d.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z",`+
				`"indicator_types":["malicious-activity"],"object_marking_refs":[%q]}]}`, id, n, mark)))
		if err != nil || st.Success != 1 {
			t.Fatal(err, st)
		}
		return id
	}
	sealed := add(a, 1, "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1")
	known := add(b, 2, "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb")

	t0 := testkit.Start.AddDate(0, 0, 30)
	r := w.Draft("A report of two members", t0)
	report := w.Submit(r.ID, exchange.DetectionGuidance, "report.json", servertest.Marked(35, ""), servertest.Label(exchange.TLPGreen), func(in *submission.Input) {
		in.DerivedFrom, in.Relation = []string{sealed, known}, "report"
	})
	if report.Handling.TLP != exchange.TLPRed || !slices.Equal(report.Owners(), []exchange.OrgID{a, b}) {
		t.Fatalf("it is %s of %v, want TLP:RED of A and B", report.Handling.TLP, report.Owners())
	}
	w.Arm(r.ID)
	w.Clock.Set(t0)
	holds := func(org exchange.OrgID) bool {
		t.Helper()
		p, err := w.X.Delivery.Page(t.Context(), w.Machine(org), testkit.Program, delivery.Query{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var text strings.Builder
		if err := p.WriteObjects(&text); err != nil {
			t.Fatal(err)
		}
		_, err = w.X.Delivery.Artifact(t.Context(), w.Machine(org), report.ID)
		if (err == nil) != strings.Contains(text.String(), "marked-35-0.example") {
			t.Errorf("%s: the artifact and its objects are decided on differently", org)
		}
		return err == nil
	}
	if holds(reader) {
		t.Fatal("a member holds what is TLP:RED")
	}

	v, err := w.X.Reshares.Ask(t.Context(), w.Operator, reshare.Question{
		Item: string(report.ID), Kind: reshare.Loosen, Why: "the members need it", Change: reshare.Change{TLP: exchange.TLPGreen},
	})
	if err != nil || v.State != reshare.Open || !slices.Equal(v.Owners, []exchange.OrgID{a, b}) {
		t.Fatalf("%v %+v", err, v)
	}
	for name, actor := range map[string]exchange.Actor{
		"operator": w.Operator, "approver": w.ApproverA, "administrator": w.Admin, "host": exchange.System(), "member": w.Reader(reader),
	} {
		if _, err := w.X.Reshares.Answer(t.Context(), actor, v.ID, reshare.Reply{Yes: true}); err == nil {
			t.Errorf("the %s answered for the originators", name)
		}
	}
	yes := func(org exchange.OrgID) reshare.View {
		t.Helper()
		got, err := w.X.Reshares.Answer(t.Context(), w.Reader(org), v.ID, reshare.Reply{Yes: true})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := yes(a); got.State != reshare.Open || holds(reader) {
		t.Fatalf("with one of two: %s", got.State)
	}
	if got := yes(b); got.State != reshare.Granted || !holds(reader) {
		t.Fatalf("with both: %s, held %t", got.State, holds(reader))
	}
	changed, err := w.Events(exchange.EventHandlingChanged)
	if err != nil || len(changed) != 1 {
		t.Errorf("%d events %v", len(changed), err)
	}
}
