package delivery_test

import (
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// What follows an artifact that is wholly withheld is found behind it, and
// nothing of the artifact is.
func TestWhollyWithheldArtifactsArePassedOver(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Two labels", t0)
	w.Submit(r.ID, exchange.DetectionGuidance, "amber.json", servertest.Bundle(5000, 1), servertest.Label(exchange.TLPAmber))
	w.Submit(r.ID, exchange.DetectionGuidance, "green.json", servertest.Bundle(20, 2), servertest.Label(exchange.TLPGreen))
	w.Arm(r.ID)
	w.Clock.Set(t0)
	a := w.Machine(servertest.Validator)
	page := func(a exchange.Actor) int {
		t.Helper()
		n, after := 0, int64(0)
		for {
			p, err := w.X.Delivery.Page(t.Context(), a, testkit.Program, delivery.Query{After: after, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			if n += p.Len; !p.More {
				return n
			}
			after = p.Last
		}
	}
	if n := page(a); n != 5020 {
		t.Errorf("%d objects, want 5020", n)
	}
	a.Token, a.Ceiling = "fw_capped", exchange.TLPGreen
	if n := page(a); n != 20 {
		t.Errorf("%d objects below the ceiling, want 20", n)
	}
}
