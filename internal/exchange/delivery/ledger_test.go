package delivery_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// gate is the ledger as the store knows it. It says when somebody waits for an entry,
// and may refuse.
type gate struct {
	*sequencer.Sequencer
	waits  func()
	refuse error
}

func (g *gate) Wait(ctx context.Context, seq int64) error {
	if g.waits != nil {
		g.waits()
	}
	if g.refuse != nil {
		return g.refuse
	}
	return g.Sequencer.Wait(ctx, seq)
}

// Err lets acts be committed that are then refused.
func (g *gate) Err() error {
	if g.refuse != nil {
		return nil
	}
	return g.Sequencer.Err()
}

// gated is a world in which the early cohort has been given a release of n objects.
func gated(t *testing.T, n int) (w *servertest.World, g *gate, art exchange.Artifact) {
	t.Helper()
	w = servertest.New(t)
	r := w.Draft("Gated", t0)
	art = w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Bundle(n, 11))
	w.Arm(r.ID)
	w.Clock.Set(early)
	if err := w.X.Releases.OpenDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.X.Lookup.Follow(t.Context(), 1<<20); err != nil {
		t.Fatal(err)
	}
	g = &gate{Sequencer: w.Ledger}
	w.DB.Attach(g)
	return w, g, art
}

// What gives or names content waits until its entry is under a signed checkpoint, and
// writes nothing of its answer before. While the ledger holds it back nothing comes
// out but that; when it goes again, the same is recorded and given.
func TestNothingLeavesBeforeItsEntry(t *testing.T) {
	w, g, art := gated(t, 30)
	token := w.Token(servertest.EarlyA)
	var object, value string
	for _, raw := range pageOf(t, w, w.Machine(servertest.EarlyB), 100) {
		var o struct{ ID, Type, Value string }
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatal(err)
		}
		if o.Type == "ipv4-addr" {
			object, value = o.ID, o.Value
		}
	}
	taxii, api := "/taxii2/api/collections/"+string(testkit.Program), "/api/v1/programs/"+string(testkit.Program)
	for _, c := range []struct{ name, method, path, body, tells string }{
		{"a manifest", "GET", taxii + "/manifest/?limit=30", "", object},
		{"a download", "GET", "/api/v1/artifacts/" + string(art.ID) + "/content", "", object},
		{"an object", "GET", api + "/objects/" + object, "", value},
		{"a look-up", "POST", "/api/v1/lookup", `{"values":["` + value + `"]}`, object},
		{"objects by type", "GET", api + "/objects?type=indicator", "", "indicator--"},
		{"a TAXII page", "GET", taxii + "/objects/?limit=30", "", object},
	} {
		ask := func() *httptest.ResponseRecorder {
			req := httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body))
			req.Header.Set("Authorization", "Bearer "+token)
			if strings.HasPrefix(c.path, taxii) {
				req.Header.Set("Accept", "application/taxii+json;version=2.1")
			} else if c.body != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			rec := httptest.NewRecorder()
			waited := 0
			g.waits = func() { // on the goroutine of the request
				if waited++; rec.Body.Len() > 0 || rec.Flushed {
					t.Errorf("%s: the answer has begun before its entry: %s", c.name, rec.Body)
				}
			}
			w.Handler().ServeHTTP(rec, req)
			if waited == 0 {
				t.Errorf("%s waits for nothing", c.name)
			}
			g.waits = nil
			return rec
		}
		g.refuse = errors.New("held back")
		rec := ask()
		if text := rec.Body.String(); rec.Code != http.StatusServiceUnavailable || strings.Contains(text, c.tells) {
			t.Errorf("%s while the ledger holds it back: %d %s", c.name, rec.Code, text)
		}
		g.refuse = nil
		if rec = ask(); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), c.tells) {
			t.Errorf("%s: %d %s", c.name, rec.Code, rec.Body)
		}
	}
}

// A page of what its reader was given waits for nothing. One with a further object of
// the same artifact does, and so does one for another client of the same organisation,
// and the first one after a restart.
func TestOnlyWhatIsNewWaits(t *testing.T) {
	w, g, _ := gated(t, 50)
	waited := 0
	page := func(a exchange.Actor, q delivery.Query) (waits int, objects string) {
		t.Helper()
		waited = 0
		p, err := w.X.Delivery.Page(t.Context(), a, testkit.Program, q)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		return waited, string(p.Between("", ""))
	}
	g.waits = func() { waited++ }
	machine, person := w.Machine(servertest.EarlyA), w.Reader(servertest.EarlyA)
	for _, c := range []struct {
		what  string
		a     exchange.Actor
		q     delivery.Query
		waits int
	}{
		{"the first page", machine, delivery.Query{Limit: 10}, 1},
		{"the same again", machine, delivery.Query{Limit: 10}, 0},
		{"a part of it", machine, delivery.Query{Limit: 4}, 0},
		{"one object more", machine, delivery.Query{Limit: 11}, 1},
		{"indicators, of which there are further ones", machine, delivery.Query{Limit: 20, Types: []string{"indicator"}}, 1},
		{"what lies between them", machine, delivery.Query{Limit: 20}, 1},
		{"all of that", machine, delivery.Query{Limit: 20}, 0},
		{"another client", person, delivery.Query{Limit: 10}, 1},
		{"in another hat", hatted(machine), delivery.Query{Limit: 10}, 1},
	} {
		if waits, _ := page(c.a, c.q); waits != c.waits {
			t.Errorf("%s: %d acts waited for the ledger, want %d", c.what, waits, c.waits)
		}
	}
}

// hatted is the actor for a purpose of its own.
func hatted(a exchange.Actor) exchange.Actor {
	a.Purpose = "exercise"
	return a
}

// What cannot be recorded of pages that repeat themselves is not lost.
func TestRepetitionsAreKeptUntilRecorded(t *testing.T) {
	w, _, _ := gated(t, 20)
	x := &watch{World: w}
	ask := func(limit int) {
		t.Helper()
		p, err := w.X.Delivery.Page(t.Context(), w.Machine(servertest.EarlyA), testkit.Program, delivery.Query{Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
	}
	ask(20)
	x.since()
	ask(5)
	ended, end := context.WithCancel(t.Context())
	end()
	if err := w.X.Delivery.Flush(ended); err == nil {
		t.Fatal("recorded without a context")
	}
	ask(7)
	if err := w.X.Delivery.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	es := x.since()
	if len(es) != 1 || !es[0].Repeated || es[0].Pages != 2 || es[0].Objects != 12 {
		t.Errorf("%+v", es)
	}
	if err := w.X.Delivery.Flush(t.Context()); err != nil || len(x.since()) > 0 {
		t.Errorf("recorded twice, %v", err)
	}
}

// Notices and listings tell of acts that are recorded elsewhere: nothing is told while
// one of those is not in the ledger.
func TestWhatIsToldIsSettled(t *testing.T) {
	w, g, _ := gated(t, 5)
	if _, err := w.X.Delivery.Notices(t.Context(), w.Reader(servertest.EarlyA), early, 10); err != nil {
		t.Fatal(err)
	}
	if err := w.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	g.refuse = errors.New("stopped")
	if _, err := w.X.Releases.Create(t.Context(), w.Operator, draft("committed, and not in the ledger")); exchange.KindOf(err) != exchange.Unavailable {
		t.Fatalf("an act without an entry: %v", err)
	}
	_, notices := w.X.Delivery.Notices(t.Context(), w.Reader(servertest.EarlyA), early, 10)
	_, releases := w.X.Delivery.Releases(t.Context(), w.Reader(servertest.EarlyB), testkit.Program)
	for what, err := range map[string]error{"notices": notices, "releases": releases} {
		if exchange.KindOf(err) != exchange.Unavailable {
			t.Errorf("%s do not wait for the ledger: %v", what, err)
		}
	}
}

func draft(title string) release.Draft {
	return release.Draft{Program: testkit.Program, Title: title, Message: "Read this.", T0: t0}
}
