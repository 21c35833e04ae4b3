package delivery_test

import (
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// References lead from one release to another. What a reader was given before the
// program held the other end stays as it was, so that a submission under embargo
// shows nowhere; what came after it waits for it.
func TestReferencesToOtherReleases(t *testing.T) {
	w := servertest.New(t)
	here, there := malwareOf(1, "here"), malwareOf(2, "there")
	before, after := relation(3, here, there), relation(4, here, there)
	clear := servertest.Label(exchange.TLPClear)
	submit := func(r exchange.Release, seed uint64, things ...servertest.Thing) exchange.Artifact {
		return w.Submit(r.ID, exchange.Summary, "s.json", servertest.Graph(seed, things...), clear)
	}
	first := w.Draft("First", t0)
	open := submit(first, 1, here, before)
	w.Arm(first.ID)
	w.Clock.Set(t0)
	machine := w.Machine(servertest.Standard)
	whole := func(what string, a exchange.Actor, art exchange.Artifact, want bool) {
		t.Helper()
		c, err := w.X.Delivery.Content(t.Context(), a, art.ID)
		if err == nil {
			c.Close()
		}
		if (err == nil) != want || err != nil && exchange.KindOf(err) != exchange.NotFound {
			t.Errorf("%s: the bytes as a whole: %v", what, err)
		}
		i, err := w.X.Delivery.Artifact(t.Context(), a, art.ID)
		if err != nil || i.Partial == want {
			t.Errorf("%s: partial %v, %v", what, i.Partial, err)
		}
	}
	sees := func(what string, want ...string) {
		t.Helper()
		got := pageOf(t, w, machine, 100)
		for _, th := range []servertest.Thing{here, there, before, after} {
			expected := false
			for _, id := range want {
				expected = expected || id == th.ID
			}
			if (got[th.ID] != nil) != expected {
				t.Errorf("%s: %s is there: %v", what, th.ID, !expected)
			}
		}
	}
	sees("the other end is unknown", here.ID, before.ID)
	whole("public, before", exchange.Public(), open, true)
	whole("member, before", machine, open, true)

	w.Clock.Set(t0.Add(time.Hour))
	embargoed := w.Draft("Embargoed", t0.AddDate(0, 2, 0))
	sealed := submit(embargoed, 2, there)
	w.Arm(embargoed.ID)
	sees("the other end is under embargo", here.ID, before.ID)
	whole("public, under embargo", exchange.Public(), open, true)
	whole("member, under embargo", machine, open, true)

	w.Clock.Set(t0.Add(2 * time.Hour))
	second := w.Draft("Second", t0.AddDate(0, 1, 0))
	later := submit(second, 3, after, malwareOf(9, "more"))
	w.Arm(second.ID)
	w.Clock.Set(t0.AddDate(0, 1, 0))
	sees("a reference that came later", here.ID, before.ID)
	whole("member, later", machine, later, false)
	whole("public, later", exchange.Public(), later, false)
	whole("operator, later", w.Operator, later, true)
	_, err := w.X.Delivery.Object(t.Context(), machine, testkit.Program, after.ID)
	missing(t, "a relationship to what is under embargo", err)

	w.Clock.Set(t0.AddDate(0, 2, 0))
	sees("the embargo is over", here.ID, before.ID, there.ID, after.ID)
	whole("member, at the end", machine, later, true)
	whole("public, at the end", exchange.Public(), later, true)
	whole("member, at the end, the other", machine, sealed, true)
}
