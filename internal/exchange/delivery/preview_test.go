package delivery_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
)

// randomGraph is objects of which some, some parts, and what some refer to are
// withheld from most.
func randomGraph(r *rand.Rand) (all []servertest.Thing) {
	var ends []servertest.Thing // of relations
	for i := range 12 + r.IntN(12) {
		th, end := malwareOf(100+i, fmt.Sprint("thing ", i)), true
		switch from := len(ends); {
		case from > 1 && r.IntN(2) == 0:
			at := r.IntN(from)
			th, end = relation(100+i, ends[at], ends[(at+1)%from]), false
		case from > 1 && r.IntN(3) == 0:
			th = reportOf(100+i, ends[from-1], ends[r.IntN(from-1)])
		case r.IntN(3) == 0:
			th = indicatorOf(100+i, fmt.Sprint("part", i))
			th.Grains = map[exchange.TLP][]string{exchange.TLPRed: {"description"}}
		}
		if r.IntN(5) == 0 {
			th.Label = exchange.TLPRed
		}
		if all = append(all, th); end {
			ends = append(ends, th)
		}
	}
	return all
}

// What a preview shows before anything is open is what the member then gets: the
// same objects under the same identifiers, and the same word of what is missing.
func TestPreviewIsWhatIsGiven(t *testing.T) {
	withheld, redacted := int64(0), int64(0)
	for seed := range uint64(12) {
		w := servertest.New(t)
		r := w.Draft("Graph", t0)
		things := randomGraph(rand.New(rand.NewPCG(seed, 4)))
		art := w.Submit(r.ID, exchange.DetectionGuidance, "graph.json", servertest.Graph(7, things...), servertest.Label(exchange.TLPAmber), func(in *submission.Input) {
			in.Handling.Persons = []exchange.PersonID{w.Reader(servertest.EarlyB).Person}
		})
		w.Grain(art, things...)
		w.Arm(r.ID)
		p, err := w.X.Delivery.PreviewAs(t.Context(), w.Operator, r.ID, servertest.EarlyA)
		if err != nil || len(p.Items) != 1 {
			t.Fatal(p.Items, err)
		}
		var foreseen []string
		for _, o := range p.Objects {
			if o.As != "" {
				foreseen = append(foreseen, o.As)
			}
		}
		if int64(len(foreseen)) != p.Whole+p.Redacted || int64(len(p.Objects)-len(foreseen)) != p.Withheld {
			t.Errorf("%d: counts %d %d %d of %d", seed, p.Whole, p.Redacted, p.Withheld, len(p.Objects))
		}
		w.Clock.Set(early)
		reader := w.Reader(servertest.EarlyA)
		m, err := w.X.Delivery.Release(t.Context(), reader, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		objs, err := w.X.Delivery.Objects(t.Context(), reader, art.ID, -1, 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range objs {
			got = append(got, o.ID)
		}
		slices.Sort(foreseen)
		slices.Sort(got)
		if diff := cmp.Diff(got, foreseen); diff != "" {
			t.Errorf("%d: given and foreseen (-given +foreseen)\n%s", seed, diff)
		}
		if a, b := m.Items[0].Partial, p.Items[0].Partial; a != b || m.TLP != p.TLP {
			t.Errorf("%d: partial %t, foreseen %t; %s, foreseen %s", seed, a, b, m.TLP, p.TLP)
		}
		withheld, redacted = withheld+p.Withheld, redacted+p.Redacted
	}
	if withheld == 0 || redacted == 0 {
		t.Errorf("%d objects withheld, %d redacted: nothing was tried", withheld, redacted)
	}
}

// An originator that does not run the program is told that a hidden member has its
// item, and not which one; other members are told nothing of it.
func TestHiddenMemberHasIt(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Case", t0)
	guidance, _, _ := w.Package(r.ID, 3)
	w.Arm(r.ID)
	owned(t, w, guidance.ID, `["edr-a"]`)
	w.Clock.Set(time.Date(2027, time.July, 12, 17, 0, 0, 0, time.UTC))
	poll(t, w, servertest.EarlyB)
	if _, err := w.X.Members.HideMember(t.Context(), w.Operator, guidance.Program, servertest.EarlyB, true); err != nil {
		t.Fatal(err)
	}
	own, err := holders(t, w, w.Reader(servertest.EarlyA), "", string(guidance.ID))
	if err != nil || !own.Named || len(own.Unnamed) == 0 {
		t.Fatalf("%+v, %v", own, err)
	}
	for _, c := range own.Unnamed {
		if c.Org != "" || c.OrgName != "" || c.Client != "" || c.ClientName != "" || c.Last.IsZero() {
			t.Errorf("%+v", c)
		}
	}
	for _, c := range own.Copies {
		if c.Org == servertest.EarlyB {
			t.Errorf("the originator is told %+v", c)
		}
	}
	all, err := holders(t, w, w.Operator, "", string(guidance.ID))
	if err != nil || len(all.Unnamed) > 0 || !slices.ContainsFunc(all.Copies, func(c record.Copy) bool { return c.Org == servertest.EarlyB }) {
		t.Errorf("the operator is told %+v, %v", all, err)
	}
	if _, err := w.X.Delivery.Why(t.Context(), w.Reader(servertest.EarlyA), guidance.Program, string(guidance.ID), string(servertest.EarlyB), time.Time{}); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("the originator asks why for a hidden member: %v", err)
	}
}
