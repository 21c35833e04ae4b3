package witness_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/witness"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// began is the room as a server that starts anew has it, what it says, and its end.
func (w *world) began() (said string) {
	w.t.Helper()
	var log bytes.Buffer
	s := room.New(room.Config{
		Store: sqlstore.For[room.Tx](w.DB), Now: w.Clock.Now, Log: slog.New(slog.NewTextHandler(&log, nil)), Settle: w.Ledger.Settle,
		Current: func() (room.Ledger, error) { return room.Ledger{Log: w.Ledger.Current(), Number: 1}, nil },
		Keys: func(context.Context, int) ([]room.LogKey, error) {
			return []room.LogKey{{Public: w.key.Public, Until: -1}}, nil
		},
	})
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	s.Started(w.t.Context())
	cancel()
	<-ended
	return log.String()
}

// A server that starts with another log than the one that was witnessed, as the store
// knows it, says so and holds releases, without a witness that can be asked.
func TestStart(t *testing.T) {
	for _, c := range []struct {
		name   string
		size   func(is int64) int64
		kind   room.Kind
		words  string
		listed bool
	}{
		{"cut off", func(int64) int64 { return 1_000_000 }, room.Ahead, "witness a saw: the ledger was cut off", true},
		{"made anew", func(is int64) int64 { return is - 1 }, room.Fork, "differs from what witness a saw", true},
		{"no longer named", func(int64) int64 { return 1_000_000 }, room.Ahead, "somebody saw", false},
	} {
		w := newWorld(t)
		a, b := w.witness("a"), w.witness("b")
		a.url, b.url = "", ""
		if w.charter("quorum = 1\nstop = true", a); !c.listed {
			w.charter("quorum = 1\nstop = true", b)
		}
		size := c.size(w.Ledger.Current().Size())
		other := w.forged(size, "another history")
		shown := a.shown(t, other)
		err := w.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
			return tx.PutCosignature(1, room.Cosignature{Size: size, Key: a.Key(), Line: string(shown[len(other):]), At: w.Clock.Now()}, other)
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.status(w.Operator); got.Held {
			t.Fatalf("%s: before: %+v", c.name, got)
		}
		for range 2 { // each start says it, and it is recorded once
			if said := w.began(); !strings.Contains(said, c.words) {
				t.Errorf("%s: %s", c.name, said)
			}
			got := w.status(w.Operator)
			if !got.Held || len(got.Disagreements) != 1 || got.Disagreements[0].Kind != c.kind || !bytes.Equal(got.Disagreements[0].Theirs, shown) {
				t.Errorf("%s: %+v", c.name, got)
			}
			w.Clock.Advance(time.Minute)
		}
		if es := w.events(exchange.EventWitnessDisagreed); len(es) != 1 {
			t.Errorf("%s: %q", c.name, es)
		}
	}
}

// A log that goes on from what was witnessed is not spoken of.
func TestStartAgrees(t *testing.T) {
	w := newWorld(t)
	if said := w.began(); said != "" {
		t.Errorf("without witnesses: %s", said)
	}
	a := w.witness("a")
	w.charter("quorum = 1\nstop = true", a)
	w.round()
	if _, err := w.X.Witnesses.Newest(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if said := w.began(); said != "" {
		t.Errorf("%s", said)
	}
	if got := w.status(w.Operator); got.Held || len(got.Disagreements) > 0 || got.Program != testkit.Program {
		t.Errorf("%+v", got)
	}
}
