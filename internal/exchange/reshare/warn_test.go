package reshare_test

import (
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// When a parent is recalled, the owners of what was made from it and those who
// run the program are told, and nobody else; neither does the notice name the
// parent.
func TestParentIsRecalled(t *testing.T) {
	w := newWorld(t)
	one, two := w.add(owner, 1, green), w.add(servertest.Standard, 2, green)
	t0 := testkit.Start.AddDate(0, 0, 30)
	r := w.Draft("Lines", t0)
	report := w.Submit(r.ID, exchange.PoC, "poc.md", strings.NewReader("# report\n"), from("report", one, two))
	w.Arm(r.ID)
	w.Clock.Set(t0)
	act := recall.Act{Kind: recall.Recalled, Program: testkit.Program, Object: one, Reason: "wrong"}
	if _, err := w.X.Recalls.Issue(t.Context(), w.Operator, act); err != nil {
		t.Fatal(err)
	}
	for _, org := range []exchange.OrgID{owner, servertest.Standard, testkit.Owner} {
		if text := w.notices(org); strings.Count(text, string(report.ID)) != 1 {
			t.Errorf("%s was told %q", org, text)
		}
	}
	for _, org := range []exchange.OrgID{asker, third, servertest.Late, servertest.Outsider} {
		if text := w.notices(org); strings.Contains(text, string(report.ID)) {
			t.Errorf("%s was told %q", org, text)
		}
	}
	if text := w.notices(servertest.Standard); strings.Contains(text, one) {
		t.Errorf("the notice names the parent: %q", text)
	}
	if n := w.count(exchange.EventParentRecalled); n != 1 {
		t.Errorf("%d events", n)
	}
}

// A copy of what is withheld in part holds nothing of that part, neither for who
// asked by the identifier of its redacted copy nor for who is given it.
func TestRedactedIsPassedOn(t *testing.T) {
	w := newWorld(t)
	a := w.Machine(owner)
	a.Verbs = []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
	object := `{"type":"indicator","spec_version":"2.1","id":"` + id(1) + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",` +
		`"description":"CANARY","pattern":"[domain-name:value = 'n1.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z",` +
		`"object_marking_refs":["` + green + `"],"granular_markings":[{"marking_ref":"` + red + `","selectors":["description"]}]}`
	st, err := w.X.Contributions.Add(t.Context(), a, testkit.Program, strings.NewReader(`{"objects":[`+object+`]}`))
	if err != nil || st.Success != 1 {
		t.Fatal(err, st)
	}
	seen := w.feed(w.Machine(asker))
	at := strings.Index(seen, "indicator--")
	if at < 0 || strings.Contains(seen, id(1)) || strings.Contains(seen, "CANARY") {
		t.Fatalf("the asker is shown %s", seen)
	}
	v := w.ask(w.Reader(asker), reshare.Question{Item: seen[at : at+len(id(1))], To: []exchange.OrgID{target}})
	w.answer(owner, v, reshare.Reply{Yes: true})
	given := w.feed(w.Machine(target))
	for name, text := range map[string]string{"who asked": w.copyOf(asker, v.ID), "the recipient": given} {
		if !strings.Contains(text, "n1.example") || strings.Contains(text, "CANARY") || strings.Contains(text, id(1)) || strings.Contains(text, red) {
			t.Errorf("%s has %s", name, text)
		}
	}
}
