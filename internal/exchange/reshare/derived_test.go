package reshare_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func from(relation string, ids ...string) func(*submission.Input) {
	return func(in *submission.Input) { in.DerivedFrom, in.Relation = ids, relation }
}

// The handling of an artifact is loosened by its owner alone; what stands
// against the present handling is found out, and what changed meanwhile is not
// undone.
func TestLoosen(t *testing.T) {
	w := newWorld(t)
	r := w.Draft("Loosened", testkit.Start.AddDate(0, 0, 30))
	a := w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Marked(9, "", green), servertest.Label(exchange.TLPAmberStrict),
		func(in *submission.Input) { in.Handling.NotOrgs = []exchange.OrgID{target} })
	w.Arm(r.ID)
	w.Clock.Set(testkit.Start.AddDate(0, 0, 30))
	v := w.ask(w.Reader(asker), reshare.Question{Item: string(a.ID), Kind: reshare.Loosen, Change: reshare.Change{TLP: exchange.TLPGreen, Drop: []string{"not_organisations"}}})
	if v.State != reshare.Open {
		t.Fatal(v.State)
	}
	if strings.Contains(w.feed(w.Machine(target)), "marked-9") {
		t.Fatal("it is excluded")
	}
	before, err := w.X.Delivery.Artifact(t.Context(), w.Machine(asker), a.ID)
	if err != nil || before.TLP != exchange.TLPAmberStrict {
		t.Fatal(err, before.TLP)
	}
	second := w.ask(w.Reader(asker), reshare.Question{Item: string(a.ID), Kind: reshare.Loosen, Change: reshare.Change{TLP: exchange.TLPAmber}})
	w.answer(testkit.Owner, v, reshare.Reply{Yes: true, Condition: "Name us"})
	after, err := w.X.Delivery.Artifact(t.Context(), w.Machine(asker), a.ID)
	if err != nil || after.TLP != exchange.TLPGreen || after.Artifact.Handling.Statement != "Name us" {
		t.Errorf("%v %s %q", err, after.TLP, after.Artifact.Handling.Statement)
	}
	if !strings.Contains(w.feed(w.Machine(target)), "marked-9-0") {
		t.Error("the exclusion was not dropped, or the objects keep the old label")
	}
	if n := w.count(exchange.EventHandlingChanged); n != 1 {
		t.Errorf("%d events", n)
	}
	_, err = w.X.Reshares.Answer(t.Context(), w.Operator, second.ID, reshare.Reply{Yes: true})
	w.wantKind(err, exchange.Conflict)
	w.wantState(second.ID, w.Operator, reshare.Open)
	w.answer(testkit.Owner, second, reshare.Reply{})
}

// What is derived stands under all that it was made from, and its receipt says
// what of the stated handling did not hold.
func TestDerived(t *testing.T) {
	w := newWorld(t)
	r := w.Draft("Derived", testkit.Start.AddDate(0, 0, 30))
	parent := w.Submit(r.ID, exchange.PoC, "poc.md", strings.NewReader("# sealed\n"), func(in *submission.Input) {
		in.Handling = exchange.Handling{TLP: exchange.TLPAmberStrict, PAP: exchange.PAPRed, NotIn: []string{"XA"}, Statement: "Ours"}
	})
	in := submission.Input{Release: r.ID, Class: exchange.Summary, Filename: "line.md", DerivedFrom: []string{string(parent.ID)}, Relation: "tear-line"}
	in.Handling = exchange.Handling{TLP: exchange.TLPClear, PAP: exchange.PAPClear, NotIn: []string{"XB"}}
	got, err := w.X.Submissions.Submit(t.Context(), w.Operator, in, strings.NewReader("# line\n"))
	if err != nil {
		t.Fatal(err)
	}
	h := got.Artifact.Handling
	if h.TLP != exchange.TLPAmberStrict || h.PAP != exchange.PAPRed || !slices.Equal(h.NotIn, []string{"XA", "XB"}) || !strings.Contains(h.Statement, "Ours") {
		t.Errorf("%+v", h)
	}
	var paths []string
	for _, p := range got.Warnings {
		if p.Code == "derived" {
			paths = append(paths, p.Path)
		}
	}
	for _, want := range []string{"handling.tlp", "handling.pap", "handling.not_in", "handling.statement"} {
		if !slices.Contains(paths, want) {
			t.Errorf("the receipt does not say %s: %v", want, paths)
		}
	}
	if !slices.Equal(got.Artifact.Originators, []exchange.OrgID{testkit.Owner}) || got.Artifact.Relation != "tear-line" {
		t.Errorf("%+v", got.Artifact)
	}
	again, err := w.X.Submissions.Submit(t.Context(), w.Operator, in, strings.NewReader("# line\n"))
	if err != nil || !again.Duplicate {
		t.Errorf("%v %v", err, again.Duplicate)
	}
	other := in
	other.DerivedFrom, other.Relation = nil, ""
	_, err = w.X.Submissions.Submit(t.Context(), w.Operator, other, strings.NewReader("# line\n"))
	w.wantKind(err, exchange.Conflict)
	// A correction is not a way out.
	other.Supersedes, other.Filename = got.Artifact.ID, "line2.md"
	corrected, err := w.X.Submissions.Submit(t.Context(), w.Operator, other, strings.NewReader("# line two\n"))
	if err != nil || corrected.Artifact.Handling.TLP != exchange.TLPAmberStrict || corrected.Artifact.Relation != "tear-line" {
		t.Errorf("%v %+v", err, corrected.Artifact)
	}
	for path, change := range map[string]func(*submission.Input){
		"derived_from[0]": func(in *submission.Input) { in.DerivedFrom = []string{"art_aaaaaaaaaaaaaaaa"} },
		"relation":        func(in *submission.Input) { in.Relation = "copy" },
	} {
		bad := in
		bad.Filename = "bad.md"
		change(&bad)
		_, err := w.X.Submissions.Submit(t.Context(), w.Operator, bad, strings.NewReader("# bad\n"))
		wantProblem(t, err, path)
	}
	alone := in
	alone.DerivedFrom, alone.Filename = nil, "alone.md"
	_, err = w.X.Submissions.Submit(t.Context(), w.Operator, alone, strings.NewReader("# alone\n"))
	wantProblem(t, err, "relation")
}

// Lineage shows each reader the relatives that it may know of.
func TestLineage(t *testing.T) {
	w := newWorld(t)
	one, two := w.add(owner, 1, green), w.add(servertest.Standard, 2, green)
	t0 := testkit.Start.AddDate(0, 0, 30)
	r := w.Draft("Lines", t0)
	sealed := w.Submit(r.ID, exchange.PoC, "poc.md", strings.NewReader("# sealed\n"), from("report", one, two))
	line := w.Submit(r.ID, exchange.Summary, "line.md", strings.NewReader("# line\n"), from("tear-line", string(sealed.ID)))
	if want := []exchange.OrgID{owner, servertest.Standard}; !slices.Equal(line.Owners(), []exchange.OrgID{want[1], want[0]}) && !slices.Equal(line.Owners(), want) {
		t.Fatalf("%v", line.Owners())
	}
	w.Arm(r.ID)
	w.Clock.Set(t0)
	l, err := w.X.Reshares.Lineage(t.Context(), w.Operator, sealed.ID)
	if err != nil || len(l.Parents) != 2 || len(l.Children) != 1 || l.Children[0].Relation != "tear-line" || len(l.Owners) != 2 {
		t.Errorf("who runs the program is shown %+v %v", l, err)
	}
	// At T0 the summary is everybody's, and the sealed original nobody's but the
	// early members' and its originators'.
	l, err = w.X.Reshares.Lineage(t.Context(), w.Reader(servertest.Late), line.ID)
	if err != nil || len(l.Parents) != 0 || len(l.Children) != 0 || len(l.Owners) != 0 {
		t.Errorf("a reader of the tear-line is shown %+v %v", l, err)
	}
	_, err = w.X.Reshares.Lineage(t.Context(), w.Reader(servertest.Late), sealed.ID)
	w.wantKind(err, exchange.NotFound)
	l, err = w.X.Reshares.Lineage(t.Context(), w.Reader(owner), line.ID)
	if err != nil || len(l.Parents) != 1 || len(l.Owners) != 1 {
		t.Errorf("an originator is shown %+v %v", l, err)
	}
	_, err = w.X.Reshares.Lineage(t.Context(), w.Admin, line.ID)
	w.wantKind(err, exchange.NotFound)
}
