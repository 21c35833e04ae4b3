package contribution_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/format/marking"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

const red = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"

func whole(ref string) string { return `,"object_marking_refs":["` + ref + `"]` }

func part(ref, selector string) string {
	return `,"granular_markings":[{"marking_ref":"` + ref + `","selectors":["` + selector + `"]}]`
}

// own is a marking-definition with the exchange's own extension.
func own(n int, members string) (id, object string) {
	id = fmt.Sprintf("marking-definition--00000000-0000-4000-8000-%012d", n)
	return id, fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","extensions":{%q:{"extension_type":"property-extension",%s}}}`,
		id, marking.Extension, members)
}

// classes are the handling classes of what members wrote, by what they ask.
func (w world) classes() (out []exchange.HandlingClass) {
	w.T.Helper()
	err := w.View(func(tx release.Tx) error {
		j, err := tx.(contribution.Tx).JournalOf(testkit.Program, servertest.EarlyA)
		if err != nil {
			return err
		}
		out, err = tx.ClassesOf(j.Artifact)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	for i := range out {
		out[i].ID, out[i].Artifact = 0, 0
	}
	return out
}

// What members write is understood as what operators hand in: markings of parts
// hold for the parts, names are held against the register, and what nobody
// understands waits for those who run the program.
func TestMarkingsOfParts(t *testing.T) {
	w := newWorld(t, both(), both())
	a := w.writer(servertest.EarlyA)
	ours, definition := own(1, `"organisations":["edr-b","nobody"],"not_in":["xa"],"not_organisations":["av-a"]`)
	faulty, misspelt := own(2, `"not_organisations":["edr-z"]`)
	unknown, _ := own(3, "")
	w.must(a, 7, 0, indicator(1, v(1), part(red, "name")), indicator(2, v(1), whole(ours)), definition, indicator(3, v(1), whole(faulty)), misspelt,
		indicator(4, v(1), part(unknown, "name")), indicator(5, v(1), ""))
	asks := exchange.Handling{Organisations: []exchange.OrgID{"edr-b", "nobody"}, NotOrgs: []exchange.OrgID{"av-a"}, NotIn: []string{"XA"}}
	refuses := exchange.Handling{NotOrgs: []exchange.OrgID{"edr-z"}}
	want := []exchange.HandlingClass{
		{Fields: []exchange.FieldHandling{{Selectors: []string{"name"}, Handling: exchange.Handling{TLP: exchange.TLPRed}}}},
		{Markings: ours, Handling: asks},
		{},
		{Markings: faulty, Handling: refuses, Held: true},
		{Markings: unknown, Fields: []exchange.FieldHandling{
			{Selectors: []string{"name"}, Handling: exchange.Handling{References: []string{unknown}}, Held: true},
		}},
	}
	if d := cmp.Diff(want, w.classes()); d != "" {
		t.Fatal(d)
	}
	// The same markings again are the same classes, with and without a look-up.
	w.must(a, 2, 0, indicator(6, v(1), part(red, "name")), indicator(7, v(1), ""))
	st := w.must(a, 2, 0, indicator(8, v(1), part(unknown, "name")), indicator(9, v(1), whole(ours)))
	if d := cmp.Diff(want, w.classes()); d != "" {
		t.Error(d)
	}
	if notes := st.Successes[0].Message + st.Successes[1].Message; !strings.HasPrefix(notes, "parts of it are withheld") {
		t.Errorf("the writer is told %q", notes)
	}

	q, err := w.X.Submissions.Held(t.Context(), w.Operator, testkit.Program)
	if err != nil || len(q.Held) != 2 || q.Held[0].Ref != faulty || q.Held[0].Objects != 1 || q.Held[1].Ref != unknown || q.Held[1].Parts != 2 || q.Held[1].Release != "" {
		t.Errorf("%+v, %v", q.Held, err)
	}
	ns, err := w.X.Delivery.Notices(t.Context(), w.Operator, time.Time{}, 100)
	told := 0
	for _, n := range ns {
		if strings.Contains(n.Text, "nobody understands") {
			told++
		}
	}
	if err != nil || told != 1 {
		t.Errorf("the owner was told %d times, %v", told, err)
	}

	// It is said what they ask; later requests are taken so.
	for _, ref := range []string{unknown, faulty} {
		if _, err := w.X.Submissions.ResolveMarking(t.Context(), w.Operator, testkit.Program, ref, exchange.Handling{TLP: exchange.TLPGreen, PAP: exchange.PAPRed}, "known"); err != nil {
			t.Fatal(err)
		}
	}
	st = w.must(a, 2, 0, indicator(10, v(1), part(unknown, "name")), indicator(11, v(1), whole(faulty)))
	if st.Successes[0].Message+st.Successes[1].Message != "" {
		t.Errorf("%+v", st.Successes)
	}
	for _, c := range w.classes() {
		if c.Held || len(c.Fields) > 0 && c.Fields[0].Held || c.Markings == faulty && (c.Handling.PAP != exchange.PAPRed || len(c.Handling.NotOrgs) != 1) {
			t.Errorf("%+v", c)
		}
	}
	if q, _ := w.X.Submissions.Held(t.Context(), w.Operator, testkit.Program); len(q.Held) != 0 || len(q.Resolved) != 2 {
		t.Errorf("%+v", q)
	}
}
