package server_test

import (
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/doctor"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
	"github.com/forewarn-exchange/forewarn/verify"
)

// TestLifeOfALog goes through it on each engine: rotated, its key retired, closed,
// and on in the next one, from the first key to the last.
func TestLifeOfALog(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		k := keptIn(t, e.URL(t))
		k.act(3)
		first := k.keys("")
		book, system := k.s.Exchange.Logbook, exchange.System()
		if _, err := book.Rotate(t.Context(), system, 2*time.Hour, because); err != nil {
			t.Fatal(err)
		}
		k.clock.Advance(3 * time.Hour)
		if err := book.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := book.RetireKey(t.Context(), system, because); err != nil {
			t.Fatal(err)
		}
		k.clock.Advance(time.Hour) // several nodes take a moment
		if err := book.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		k.act(2)
		next, err := book.Close(t.Context(), system, because)
		if err != nil {
			t.Fatal(err)
		}
		k.act(2)
		if err := book.Tick(t.Context()); err != nil || k.private() != 1 {
			t.Errorf("%v, %d private keys", err, k.private())
		}
		h := k.trace("", firstLog, first[0])
		if len(h.Keys) != 3 || h.Successor == nil || h.Successor.Origin != next.Origin {
			t.Fatalf("%+v", h)
		}
		if s := k.checkpoint("2/", h.Successor.Key); s.Size != 3 {
			t.Errorf("the next log has %d entries", s.Size)
		}
		if _, err := verify.OpenCheckpoint([]byte(k.get("checkpoint")), h.KeysFor(h.Closed.Size), nil); err != nil {
			t.Error(err)
		}
		k.whole()
		k.stop()
		k.start()
		k.act(1)
		k.whole()
		for _, f := range k.examine(true) {
			if f.State == doctor.Fail {
				t.Errorf("%s: %s", f.Name, f.Text)
			}
		}
	})
}
