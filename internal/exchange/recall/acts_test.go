package recall_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// Of a narrowing only those who lose it are asked to delete it.
func TestNarrow(t *testing.T) {
	w := newWorld(t, 6)
	ctx := t.Context()
	if got := w.poll(servertest.EarlyB, delivery.Query{}); len(got) != 6 {
		t.Fatalf("EarlyB was given %d", len(got))
	}
	_, err := w.X.Recalls.Issue(ctx, w.Operator, recall.Act{
		Kind: recall.Narrowed, Artifact: w.guidance.ID, Reason: "r", Handling: exchange.Handling{NotOrgs: []exchange.OrgID{"nobody-here"}},
	})
	kindOf(t, err, exchange.Invalid)
	p := w.issue(w.Operator, recall.Act{
		Kind: recall.Narrowed, Artifact: w.guidance.ID, Handling: exchange.Handling{NotOrgs: []exchange.OrgID{servertest.EarlyA}},
	})
	if p.Losing() != 1 || p.Held() != 2 || !holder(p, servertest.EarlyA).Loses || holder(p, servertest.EarlyB).Loses {
		t.Errorf("the act: %+v", p.Holders)
	}
	for _, o := range w.poll(servertest.EarlyA, delivery.Query{}) {
		if !o.Revoked {
			t.Errorf("EarlyA still has %s", o.ID)
		}
	}
	for _, o := range w.poll(servertest.EarlyB, delivery.Query{Versions: delivery.Versions{All: true}}) {
		if o.Revoked {
			t.Errorf("EarlyB, which keeps it, is told that %s is revoked", o.ID)
		}
	}
	if got := w.poll(servertest.EarlyB, delivery.Query{}); len(got) != 6 {
		t.Errorf("EarlyB keeps %d objects", len(got))
	}
	o, err := w.X.Delivery.Object(ctx, w.Operator, testkit.Program, w.held[0].ID)
	if err != nil || strings.Contains(string(o.Raw), `"revoked":true`) {
		t.Errorf("who runs the program reads %s, %v", o.Raw, err)
	}
	_, err = w.X.Delivery.Artifact(ctx, w.Reader(servertest.EarlyA), w.guidance.ID)
	kindOf(t, err, exchange.Gone)
	if n := w.notices(servertest.EarlyB, exchange.EventRecalled); len(n) != 1 || strings.Contains(n[0], "Delete") || !strings.Contains(n[0], "keep") {
		t.Errorf("EarlyB was told %q", n)
	}
	_, err = w.X.Recalls.Acknowledge(ctx, w.Reader(servertest.EarlyB), p.ID, recall.Deleted, "")
	kindOf(t, err, exchange.Conflict)
	v, err := w.X.Recalls.Read(ctx, w.Reader(servertest.EarlyB), p.ID)
	if err != nil || v.Mine.Loses || len(v.Was.NotOrgs) != 0 {
		t.Errorf("EarlyB sees %+v, %v", v, err)
	}
}

// An expiry is told when it is set and, once, when it comes.
func TestExpire(t *testing.T) {
	w := newWorld(t, 5)
	ctx := t.Context()
	at := w.Clock.Now().Add(2 * time.Hour)
	p := w.issue(w.Operator, recall.Act{Kind: recall.Expired, Artifact: w.guidance.ID, At: at})
	if p.Losing() != 0 || p.Held() != 1 || !p.Effective.Equal(at) {
		t.Errorf("the act: %+v", p)
	}
	_, err := w.X.Recalls.Issue(ctx, w.Operator, recall.Act{Kind: recall.Expired, Artifact: w.guidance.ID, At: at.Add(time.Hour), Reason: "r"})
	kindOf(t, err, exchange.Invalid)
	if err := w.X.Recalls.Tick(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.X.Delivery.Artifact(ctx, w.Reader(servertest.EarlyA), w.guidance.ID); err != nil {
		t.Errorf("before it expires: %v", err)
	}
	w.Clock.Set(at)
	_, err = w.X.Delivery.Artifact(ctx, w.Reader(servertest.EarlyA), w.guidance.ID)
	kindOf(t, err, exchange.NotFound) // nobody was told yet
	for range 3 {                     // several machines
		if err := w.X.Recalls.Tick(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.notices(servertest.EarlyA, exchange.EventRecalled); len(n) != 2 || !strings.Contains(n[0], "has expired") || !strings.Contains(n[1], "expires at") {
		t.Errorf("EarlyA was told %q", n)
	}
	all, err := w.X.Recalls.List(ctx, w.Operator, recall.Filter{Limit: 10})
	if err != nil || len(all) != 2 || !all[0].Clock() || all[0].Losing() != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	_, err = w.X.Delivery.Artifact(ctx, w.Reader(servertest.EarlyA), w.guidance.ID)
	kindOf(t, err, exchange.Gone)
	got := w.poll(servertest.EarlyA, delivery.Query{})
	if len(got) == 0 || slices.ContainsFunc(got, func(o object) bool { return !o.Revoked }) {
		t.Errorf("EarlyA's machine is given %d objects", len(got))
	}

	// The clock reminds twice, and stops.
	for _, after := range []time.Duration{23 * time.Hour, 2 * time.Hour, time.Hour, 48 * time.Hour, time.Hour, 240 * time.Hour} {
		w.Clock.Advance(after)
		if err := w.X.Recalls.Tick(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.notices(servertest.EarlyA, exchange.EventRecallReminded); len(n) != 2 {
		t.Errorf("EarlyA was reminded %d times", len(n))
	}
	if n := w.notices(servertest.EarlyB, exchange.EventRecallReminded); len(n) != 0 {
		t.Errorf("EarlyB was reminded %q", n)
	}
}

// Now is an expiry at once.
func TestExpireNow(t *testing.T) {
	w := newWorld(t, 5)
	p := w.issue(w.Operator, recall.Act{Kind: recall.Expired, Artifact: w.guidance.ID})
	if p.Losing() != 1 || p.Tombstones == 0 {
		t.Errorf("the act: %+v", p)
	}
	if err := w.X.Recalls.Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.notices(servertest.EarlyA, exchange.EventRecalled); len(n) != 1 {
		t.Errorf("EarlyA was told %q", n)
	}
}

// What was withheld from a holder is not named to it when it is taken back.
func TestTombstonesAreUnderTheMarkingsOfTheirObjects(t *testing.T) {
	w := &world{World: servertest.New(t)}
	r := w.Draft("Mixed", t0)
	red := stixtest.MarkingID(exchange.TLPRed)
	a := w.Submit(r.ID, exchange.DetectionGuidance, "mixed.json", servertest.Marked(8, "", red, servertest.Unresolved, ""))
	w.Arm(r.ID)
	w.Clock.Set(early)
	visible := []string{servertest.MarkedID(8, 0), servertest.MarkedID(8, 3)}
	ids := func() (out []string) {
		for _, o := range w.poll(servertest.EarlyA, delivery.Query{Versions: delivery.Versions{All: true}}) {
			out = append(out, o.ID)
		}
		slices.Sort(out)
		return out
	}
	slices.Sort(visible)
	if got := ids(); !slices.Equal(got, visible) {
		t.Fatalf("EarlyA is given %v", got)
	}

	// One that EarlyA was never given: it is not told.
	p := w.issue(w.Operator, recall.Act{Kind: recall.Recalled, Program: testkit.Program, Object: servertest.MarkedID(8, 1)})
	if h := holder(p, servertest.EarlyA); h != nil {
		t.Errorf("EarlyA is a holder of what was withheld from it: %+v", h)
	}
	if p.TLP != exchange.TLPRed || !slices.Equal(p.Persons, []exchange.PersonID{exchange.Nobody}) {
		t.Errorf("the act is %s for %v, and its object is TLP:RED for nobody", p.TLP, p.Persons)
	}
	if n := w.notices(servertest.EarlyA, exchange.EventRecalled); len(n) != 0 {
		t.Errorf("EarlyA was told %q", n)
	}
	_, err := w.X.Delivery.Object(t.Context(), w.Reader(servertest.EarlyA), testkit.Program, servertest.MarkedID(8, 1))
	kindOf(t, err, exchange.NotFound)

	w.issue(w.Operator, recall.Act{Kind: recall.Recalled, Artifact: a.ID})
	if got := ids(); !slices.Equal(got, visible) {
		t.Errorf("EarlyA is told that %v are gone", got)
	}
	for i := range 4 {
		_, err := w.X.Delivery.Object(t.Context(), w.Reader(servertest.EarlyA), testkit.Program, servertest.MarkedID(8, i))
		want := exchange.NotFound
		if slices.Contains(visible, servertest.MarkedID(8, i)) {
			want = exchange.Gone
		}
		kindOf(t, err, want)
	}
}

// What is TLP:RED is named to the named persons alone.
func TestRedIsNotNamedInNotices(t *testing.T) {
	w := &world{World: servertest.New(t)}
	r := w.Draft("Red", t0)
	named := w.Reader(servertest.EarlyA)
	a := w.Submit(r.ID, exchange.DetectionGuidance, "crimson.md", strings.NewReader("# Crimson\n"), func(in *submission.Input) {
		in.Handling.TLP, in.Handling.Persons = exchange.TLPRed, []exchange.PersonID{named.Person}
	})
	w.Arm(r.ID)
	w.Clock.Set(early)
	if _, err := w.X.Delivery.Artifact(t.Context(), named, a.ID); err != nil {
		t.Fatal(err)
	}
	p := w.issue(w.Operator, recall.Act{Kind: recall.Recalled, Artifact: a.ID})
	if n := w.notices(servertest.EarlyA, exchange.EventRecalled); len(n) != 1 || strings.Contains(n[0], "rimson") || strings.Contains(n[0], "printers") {
		t.Errorf("EarlyA was told %q", n)
	}
	if _, err := w.X.Recalls.Read(t.Context(), named, p.ID); err != nil {
		t.Errorf("the named person: %v", err)
	}
	other := named
	other.Person = "somebody-else"
	_, err := w.X.Recalls.Read(t.Context(), other, p.ID)
	kindOf(t, err, exchange.NotFound)
	_, err = w.X.Delivery.Artifact(t.Context(), other, a.ID)
	kindOf(t, err, exchange.NotFound)
	_, err = w.X.Delivery.Artifact(t.Context(), named, a.ID)
	kindOf(t, err, exchange.Gone)
}

// A member takes back what it wrote; others do not.
func TestRecallOfAContribution(t *testing.T) {
	w := &world{World: servertest.New(t)}
	c := testkit.Charter()
	c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early"}, To: []exchange.CohortID{"early", "standard"}}
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false); err != nil {
		t.Fatal(err)
	}
	id := servertest.MarkedID(3, 0)
	write := func(version string) {
		t.Helper()
		a := w.Machine(servertest.EarlyA)
		a.Verbs = []exchange.Verb{exchange.VerbRead, exchange.VerbSubmit}
		body := fmt.Sprintf(`{"objects":[{"type":"indicator","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":%q,`+
			`"pattern":"[domain-name:value = 'x.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"}]}`, id, version)
		if st, err := w.X.Contributions.Add(t.Context(), a, testkit.Program, strings.NewReader(body)); err != nil || st.Success != 1 {
			t.Fatalf("writing: %+v, %v", st, err)
		}
	}
	write("2026-01-01T00:00:00.000Z")
	write("2026-02-01T00:00:00.000Z")
	for _, org := range []exchange.OrgID{servertest.Standard, servertest.EarlyB} {
		if got := w.poll(org, delivery.Query{}); len(got) != 1 {
			t.Fatalf("%s is given %d", org, len(got))
		}
	}
	act := recall.Act{Kind: recall.Recalled, Program: testkit.Program, Object: id}
	act.Reason = "r"
	_, err := w.X.Recalls.Issue(t.Context(), w.Reader(servertest.EarlyB), act)
	kindOf(t, err, exchange.Denied)
	_, err = w.X.Recalls.Issue(t.Context(), w.Reader(servertest.Validator), act)
	kindOf(t, err, exchange.NotFound)
	p := w.issue(w.Reader(servertest.EarlyA), act)
	if p.Objects != 2 || p.Losing() != 2 {
		t.Errorf("the act: %+v", p)
	}
	for _, org := range []exchange.OrgID{servertest.Standard, servertest.EarlyB} {
		got := w.poll(org, delivery.Query{Versions: delivery.Versions{All: true}})
		if len(got) != 1 || !got[0].Revoked || got[0].ID != id {
			t.Errorf("%s is given %+v", org, got)
		}
		_, err := w.X.Delivery.Object(t.Context(), w.Reader(org), testkit.Program, id)
		kindOf(t, err, exchange.Gone)
	}
	// Its author learns how many hold it, and not who: the charter keeps names.
	v, err := w.X.Recalls.Read(t.Context(), w.Reader(servertest.EarlyA), p.ID)
	if err != nil || v.Side != recall.Issuer || len(v.Holders) != 2 || v.Holders[0].Org != "" || v.Holders[0].Name != "" {
		t.Errorf("the author's view: %+v, %v", v, err)
	}
	if v, err = w.X.Recalls.Read(t.Context(), w.Operator, p.ID); err != nil || v.Hidden || v.Holders[0].Org == "" {
		t.Errorf("the operator's view: %+v, %v", v, err)
	}
}

// A large artifact is buried in parts, and nothing is left of what failed.
func TestTombstonesInParts(t *testing.T) {
	w := newWorld(t, 400)
	room := w.room(t, 50)
	p, err := room.Issue(t.Context(), w.Operator, recall.Act{Kind: recall.Recalled, Artifact: w.guidance.ID, Reason: "r"})
	if err != nil || p.Losing() != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	revocable := 0
	for _, o := range w.held {
		if !o.Modified.IsZero() {
			revocable++
		}
	}
	got := w.poll(servertest.EarlyA, delivery.Query{})
	if len(got) != revocable || slices.ContainsFunc(got, func(o object) bool { return !o.Revoked }) {
		t.Errorf("%d tombstones of %d objects", len(got), revocable)
	}
}
