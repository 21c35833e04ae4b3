package recall_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// t0 is a Thursday; early is when the cohort early has been given guidance.
var (
	t0    = time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC)
	early = time.Date(2027, time.July, 12, 16, 0, 0, 0, time.UTC)
)

// world is a release of which EarlyA's machine fetched the guidance, EarlyB was
// offered it and fetched nothing, and Standard does not know of it.
type world struct {
	*servertest.World
	release  exchange.Release
	guidance exchange.Artifact
	held     []object
}

type object struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Revoked  bool      `json:"revoked"`
	Name     string    `json:"name"`
	raw      string
}

func newWorld(t *testing.T, n int) *world {
	w := &world{World: servertest.New(t)}
	w.release = w.Draft("Printer spooler", t0)
	w.guidance, _, _ = w.Package(w.release.ID, n)
	w.Arm(w.release.ID)
	w.Clock.Set(early)
	if w.held = w.poll(servertest.EarlyA, delivery.Query{}); len(w.held) != n {
		t.Fatalf("EarlyA was given %d of %d objects", len(w.held), n)
	}
	return w
}

// poll is what the organisation's machine is given.
func (w *world) poll(org exchange.OrgID, q delivery.Query) []object {
	w.T.Helper()
	q.Limit = 1000
	p, err := w.X.Delivery.Page(w.T.Context(), w.Machine(org), testkit.Program, q)
	if err != nil {
		w.T.Fatalf("%s polls: %v", org, err)
	}
	defer p.Close()
	var b bytes.Buffer
	b.WriteByte('[')
	if err := p.WriteObjects(&b); err != nil {
		w.T.Fatal(err)
	}
	b.WriteByte(']')
	var raws []json.RawMessage
	if err := json.Unmarshal(b.Bytes(), &raws); err != nil {
		w.T.Fatal(err)
	}
	out := make([]object, len(raws))
	for i, raw := range raws {
		if err := json.Unmarshal(raw, &out[i]); err != nil {
			w.T.Fatal(err)
		}
		out[i].raw = string(raw)
	}
	return out
}

func (w *world) issue(a exchange.Actor, act recall.Act) recall.Plan {
	w.T.Helper()
	act.Reason = "the rule matches harmless printers"
	p, err := w.X.Recalls.Issue(w.T.Context(), a, act)
	if err != nil {
		w.T.Fatal(err)
	}
	return p
}

func (w *world) notices(org exchange.OrgID, kind exchange.EventKind) (out []string) {
	w.T.Helper()
	all, err := w.X.Delivery.Notices(w.T.Context(), w.Reader(org), time.Time{}, 100)
	if err != nil {
		w.T.Fatal(err)
	}
	for _, n := range all {
		if n.Kind == kind {
			out = append(out, n.Text)
		}
	}
	return out
}

func holder(p recall.Plan, org exchange.OrgID) *recall.Holder {
	i := slices.IndexFunc(p.Holders, func(h recall.Holder) bool { return h.Org == org })
	if i < 0 {
		return nil
	}
	return &p.Holders[i]
}

func kindOf(t *testing.T, err error, want exchange.Kind) {
	t.Helper()
	if exchange.KindOf(err) != want {
		t.Errorf("%v, not %q", err, want)
	}
}

// A recall stops every channel at once, tells those who hold it, and gives
// machines that fetched it the same objects revoked.
func TestRecallOfAnArtifact(t *testing.T) {
	w := newWorld(t, 30)
	ctx := t.Context()
	before := w.Clock.Now()
	plan, err := w.X.Recalls.Plan(ctx, w.Operator, recall.Act{Kind: recall.Recalled, Artifact: w.guidance.ID, Reason: "r"})
	if err != nil || plan.Losing() != 1 || plan.ID != "" {
		t.Fatalf("the plan: %+v, %v", plan, err)
	}
	if got := w.poll(servertest.EarlyB, delivery.Query{Types: []string{"x-none"}}); len(got) != 0 {
		t.Fatal("a poll for nothing gave something")
	}
	w.Clock.Advance(time.Minute)
	p := w.issue(w.Operator, recall.Act{Kind: recall.Recalled, Artifact: w.guidance.ID})
	if p.Losing() != 1 || p.Held() != 1 || len(p.Holders) <= 1 {
		t.Errorf("%d lose it of %d who hold it and %d who were offered it", p.Losing(), p.Held(), len(p.Holders))
	}
	if h := holder(p, servertest.EarlyB); h == nil || h.Holds() || h.Tombs {
		t.Errorf("EarlyB, which was offered it: %+v", h)
	}

	// Only the tombstones are left, whatever versions are asked for.
	got := w.poll(servertest.EarlyA, delivery.Query{Versions: delivery.Versions{All: true}})
	had := map[string]object{}
	for _, o := range w.held {
		had[o.ID] = o
	}
	revocable := 0
	for _, o := range w.held {
		if !o.Modified.IsZero() {
			revocable++
		}
	}
	if len(got) != revocable {
		t.Errorf("%d objects after the recall, not %d", len(got), revocable)
	}
	for _, o := range got {
		old, known := had[o.ID]
		if !known || !o.Revoked || !o.Modified.After(old.Modified) || o.Modified.Before(before) {
			t.Errorf("%+v in the place of %+v", o, old)
		}
		if old.Name != "" && strings.Contains(o.raw, old.Name) {
			t.Errorf("the tombstone of %s still says %q", o.ID, old.Name)
		}
	}
	// A client that polls on from its cursor is given them.
	if next := w.poll(servertest.EarlyA, delivery.Query{After: before.Add(30 * time.Second).UnixMicro()}); len(next) != revocable {
		t.Errorf("the next poll brings %d objects, not %d", len(next), revocable)
	}
	for _, org := range []exchange.OrgID{servertest.EarlyB, servertest.Validator} {
		if got := w.poll(org, delivery.Query{Versions: delivery.Versions{All: true}}); len(got) != 0 {
			t.Errorf("%s, which never polled, is given %d objects", org, len(got))
		}
	}

	// Those who hold it are told that it is gone; to everybody else it does not exist.
	a, b := w.Reader(servertest.EarlyA), w.Reader(servertest.EarlyB)
	_, err = w.X.Delivery.Artifact(ctx, a, w.guidance.ID)
	kindOf(t, err, exchange.Gone)
	if !strings.Contains(err.Error(), string(p.ID)) {
		t.Errorf("%v does not name %s", err, p.ID)
	}
	_, err = w.X.Delivery.Content(ctx, a, w.guidance.ID)
	kindOf(t, err, exchange.Gone)
	_, err = w.X.Delivery.Object(ctx, a, testkit.Program, w.held[0].ID)
	kindOf(t, err, exchange.Gone)
	for _, who := range []exchange.Actor{b, w.Reader(servertest.Standard), w.Reader(servertest.Outsider), w.Operator} {
		_, err = w.X.Delivery.Artifact(ctx, who, w.guidance.ID)
		kindOf(t, err, exchange.NotFound)
		_, err = w.X.Delivery.Object(ctx, who, testkit.Program, w.held[0].ID)
		kindOf(t, err, exchange.NotFound)
		if who.Org != testkit.Owner {
			_, err = w.X.Recalls.Read(ctx, who, p.ID)
			kindOf(t, err, exchange.NotFound)
		}
	}
	_, err = w.X.Delivery.Artifact(ctx, a, "art_aaaaaaaaaaaaaaaa")
	kindOf(t, err, exchange.NotFound)
	_, err = w.X.Recalls.Issue(ctx, w.Operator, recall.Act{Kind: recall.Recalled, Artifact: w.guidance.ID, Reason: "r"})
	kindOf(t, err, exchange.Conflict)

	if n := w.notices(servertest.EarlyA, exchange.EventRecalled); len(n) != 1 || !strings.Contains(n[0], "harmless printers") || !strings.Contains(n[0], "Delete") {
		t.Errorf("EarlyA was told %q", n)
	}
	for _, org := range []exchange.OrgID{servertest.EarlyB, servertest.Standard, servertest.Outsider} {
		if n := w.notices(org, exchange.EventRecalled); len(n) != 0 {
			t.Errorf("%s was told %q", org, n)
		}
	}
	w.answers(p.ID)
}

// answers has EarlyA answer, and looks at what its originator sees of it.
func (w *world) answers(id recall.ID) {
	t, ctx := w.T.(*testing.T), w.T.Context()
	t.Helper()
	a := w.Reader(servertest.EarlyA)
	v, err := w.X.Recalls.Read(ctx, a, id)
	if err != nil || v.Side != recall.Asked || v.Mine == nil || len(v.Holders) != 0 || v.Person != "" {
		t.Fatalf("a holder's view: %+v, %v", v, err)
	}
	_, err = w.X.Recalls.Acknowledge(ctx, a, id, recall.Kept, "")
	kindOf(t, err, exchange.Invalid)
	_, err = w.X.Recalls.Acknowledge(ctx, w.Operator, id, recall.Deleted, "")
	kindOf(t, err, exchange.Denied)
	_, err = w.X.Recalls.Acknowledge(ctx, w.Reader(servertest.EarlyB), id, recall.Deleted, "")
	kindOf(t, err, exchange.NotFound)

	_, err = w.X.Recalls.Remind(ctx, w.Operator, id)
	kindOf(t, err, exchange.Conflict)
	w.Clock.Advance(time.Hour)
	if n, err := w.X.Recalls.Remind(ctx, w.Operator, id); n != 1 || err != nil {
		t.Errorf("reminding: %d, %v", n, err)
	}
	_, err = w.X.Recalls.Remind(ctx, w.Operator, id)
	kindOf(t, err, exchange.Conflict)
	_, err = w.X.Recalls.Remind(ctx, w.Auditor, id)
	kindOf(t, err, exchange.Denied)
	_, err = w.X.Recalls.Remind(ctx, a, id)
	kindOf(t, err, exchange.Denied)

	if v, err = w.X.Recalls.Acknowledge(ctx, a, id, recall.Deleted, "also from the SIEM"); err != nil || v.Mine.Answer != recall.Deleted {
		t.Errorf("answering: %+v, %v", v, err)
	}
	for _, who := range []exchange.Actor{w.Operator, w.Auditor} {
		if v, err = w.X.Recalls.Read(ctx, who, id); err != nil {
			t.Fatal(err)
		}
		h := holder(v.Plan, servertest.EarlyA)
		if h == nil || h.Answer != recall.Deleted || h.Note != "also from the SIEM" || h.TakenAt.IsZero() || h.At.IsZero() {
			t.Errorf("%s sees of EarlyA %+v", who.Name, h)
		}
	}
	w.Clock.Advance(2 * time.Hour)
	_, err = w.X.Recalls.Remind(ctx, w.Operator, id)
	kindOf(t, err, exchange.Conflict) // everybody has answered
	es, err := w.Events(exchange.EventRecallAcknowledged)
	if err != nil || len(es) != 1 {
		t.Errorf("%d answers are on record, %v", len(es), err)
	}
}

// Who does not own it cannot take it back, and learns nothing that it did not know.
func TestWhoMayRecall(t *testing.T) {
	w := newWorld(t, 3)
	act := recall.Act{Kind: recall.Recalled, Artifact: w.guidance.ID, Reason: "r"}
	unknown := recall.Act{Kind: recall.Recalled, Artifact: "art_aaaaaaaaaaaaaaaa", Reason: "r"}
	capped := w.Operator
	capped.Ceiling = exchange.TLPGreen
	for _, c := range []struct {
		name string
		who  exchange.Actor
		want exchange.Kind
	}{
		{"a holder", w.Reader(servertest.EarlyA), exchange.Denied},
		{"who was offered it", w.Reader(servertest.EarlyB), exchange.Denied},
		{"who does not know of it", w.Reader(servertest.Standard), exchange.NotFound},
		{"no member", w.Reader(servertest.Outsider), exchange.NotFound},
		{"an administrator", w.Admin, exchange.NotFound},
		{"a credential under a ceiling", capped, exchange.NotFound},
		{"nobody", exchange.Public(), exchange.NotFound},
	} {
		_, err := w.X.Recalls.Issue(t.Context(), c.who, act)
		kindOf(t, err, c.want)
		if _, none := w.X.Recalls.Issue(t.Context(), c.who, unknown); c.want == exchange.NotFound && none.Error() != err.Error() {
			t.Errorf("%s: %v, and of what does not exist %v", c.name, err, none)
		}
	}
	if es, err := w.Events(exchange.EventRecalled); err != nil || len(es) != 0 {
		t.Errorf("%d recalls are on record, %v", len(es), err)
	}
	for _, bad := range []recall.Act{
		{Kind: recall.Recalled, Artifact: w.guidance.ID},
		{Kind: "undo", Artifact: w.guidance.ID, Reason: "r"},
		{Kind: recall.Superseded, Artifact: w.guidance.ID, Reason: "r"},
		{Kind: recall.Superseded, Artifact: w.guidance.ID, Reason: "r", Replacement: w.guidance.ID},
		{Kind: recall.Superseded, Artifact: w.guidance.ID, Reason: "r", Replacement: "art_aaaaaaaaaaaaaaaa"},
		{Kind: recall.Recalled, Artifact: w.guidance.ID, Reason: strings.Repeat("x", 4001)},
		{Kind: recall.Narrowed, Program: testkit.Program, Object: w.held[0].ID, Reason: "r"},
	} {
		_, err := w.X.Recalls.Issue(t.Context(), w.Operator, bad)
		kindOf(t, err, exchange.Invalid)
	}
}

// One object of an artifact: the others stay, the bytes as a whole do not.
func TestRecallOfAnObject(t *testing.T) {
	w := newWorld(t, 10)
	ctx := t.Context()
	i := slices.IndexFunc(w.held, func(o object) bool { return !o.Modified.IsZero() })
	id := w.held[i].ID
	p := w.issue(w.Operator, recall.Act{Kind: recall.Recalled, Program: testkit.Program, Object: id})
	if p.Losing() != 1 || p.Objects != 1 {
		t.Errorf("the act: %+v", p)
	}
	revoked := 0
	for _, o := range w.poll(servertest.EarlyA, delivery.Query{Versions: delivery.Versions{All: true}}) {
		if o.ID == id != o.Revoked {
			t.Errorf("%s revoked: %v", o.ID, o.Revoked)
		}
		if o.Revoked {
			revoked++
		}
	}
	if revoked != 1 {
		t.Errorf("%d tombstones", revoked)
	}
	if got := w.poll(servertest.EarlyB, delivery.Query{}); len(got) != 9 || slices.ContainsFunc(got, func(o object) bool { return o.ID == id }) {
		t.Errorf("EarlyB is given %d objects", len(got))
	}
	_, err := w.X.Delivery.Object(ctx, w.Reader(servertest.EarlyA), testkit.Program, id)
	kindOf(t, err, exchange.Gone)
	for _, who := range []exchange.Actor{w.Operator, w.Reader(servertest.EarlyB), w.Reader(servertest.Standard)} {
		_, err = w.X.Delivery.Object(ctx, who, testkit.Program, id)
		kindOf(t, err, exchange.NotFound)
	}
	for _, who := range []exchange.Actor{w.Operator, w.Reader(servertest.EarlyA)} {
		item, err := w.X.Delivery.Artifact(ctx, who, w.guidance.ID)
		if err != nil || !item.Partial {
			t.Errorf("the artifact for %s: %+v, %v", who.Name, item, err)
		}
		_, err = w.X.Delivery.Content(ctx, who, w.guidance.ID)
		kindOf(t, err, exchange.NotFound)
	}
	_, err = w.X.Recalls.Issue(ctx, w.Operator, recall.Act{Kind: recall.Recalled, Program: testkit.Program, Object: id, Reason: "r"})
	kindOf(t, err, exchange.NotFound)
}

// A correction: what takes its place is given, and what it corrects is not
// revoked for those who hold it.
func TestSupersede(t *testing.T) {
	w := newWorld(t, 4)
	ctx := t.Context()
	r := w.Draft("Printer spooler, corrected", t0)
	by := w.Submit(r.ID, exchange.DetectionGuidance, "corrected.json", servertest.Marked(77, "", ""))
	p := w.issue(w.Operator, recall.Act{Kind: recall.Superseded, Artifact: w.guidance.ID, Replacement: by.ID})
	v, err := w.X.Recalls.Read(ctx, w.Reader(servertest.EarlyA), p.ID)
	if err != nil || v.Replacement != "" {
		t.Errorf("a holder that does not see the replacement is told of %q, %v", v.Replacement, err)
	}
	w.Arm(r.ID)
	if err := w.X.Releases.OpenDue(ctx); err != nil {
		t.Fatal(err)
	}
	if v, err = w.X.Recalls.Read(ctx, w.Reader(servertest.EarlyA), p.ID); err != nil || v.Replacement != by.ID {
		t.Errorf("a holder that sees the replacement is told of %q, %v", v.Replacement, err)
	}
	item, err := w.X.Delivery.Artifact(ctx, w.Reader(servertest.EarlyA), by.ID)
	if err != nil || item.Artifact.Supersedes != w.guidance.ID {
		t.Errorf("the replacement: %+v, %v", item, err)
	}
	_, err = w.X.Delivery.Artifact(ctx, w.Reader(servertest.EarlyA), w.guidance.ID)
	kindOf(t, err, exchange.Gone)
}

// An object that another artifact still shares is not revoked.
func TestWhatIsStillSharedIsNotRevoked(t *testing.T) {
	w := &world{World: servertest.New(t)}
	one, two := w.Draft("One", t0), w.Draft("Two", t0)
	a := w.Submit(one.ID, exchange.DetectionGuidance, "one.json", servertest.Marked(5, "", "", ""))
	w.Submit(two.ID, exchange.DetectionGuidance, "two.json", servertest.Marked(5, "", ""))
	w.Arm(one.ID)
	w.Arm(two.ID)
	w.Clock.Set(early)
	if got := w.poll(servertest.EarlyA, delivery.Query{}); len(got) != 3 {
		t.Fatalf("%d objects", len(got))
	}
	w.issue(w.Operator, recall.Act{Kind: recall.Recalled, Artifact: a.ID})
	for _, o := range w.poll(servertest.EarlyA, delivery.Query{}) {
		if want := o.ID == servertest.MarkedID(5, 2); o.Revoked != want {
			t.Errorf("%s is revoked: %v", o.ID, o.Revoked)
		}
	}
	if got := w.poll(servertest.EarlyA, delivery.Query{}); len(got) != 3 {
		t.Errorf("%d objects afterwards", len(got))
	}
}
