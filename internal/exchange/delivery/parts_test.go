package delivery_test

import (
	"io"
	"slices"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func ids(t *testing.T, w *servertest.World, a exchange.Actor) []string {
	t.Helper()
	es, _, err := w.X.Delivery.Manifest(t.Context(), a, testkit.Program, delivery.Query{Limit: 1000})
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		t.Fatal(err)
	}
	var out []string
	for _, e := range es {
		out = append(out, e.ID)
	}
	slices.Sort(out)
	return out
}

func missing(t *testing.T, what string, err error) {
	t.Helper()
	if exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("%s: %v, want not found", what, err)
	}
}

// A bundle is one file with parts under markings of their own. Whoever may not
// have a part does not get it inside the file either.
func TestTheFileGivesNoMoreThanTheFeed(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Mixed markings", t0)
	named := func(in *submission.Input) {
		in.Handling.Persons = []exchange.PersonID{w.Reader(servertest.EarlyB).Person}
	}
	mixed := w.Submit(r.ID, exchange.DetectionGuidance, "mixed.json",
		servertest.Marked(1, "", stixtest.MarkingID(exchange.TLPAmber), stixtest.MarkingID(exchange.TLPRed), servertest.Unresolved), named)
	closed := w.Submit(r.ID, exchange.DetectionGuidance, "closed.json",
		servertest.Marked(2, stixtest.MarkingID(exchange.TLPRed), servertest.Unresolved), named)
	open := w.Submit(r.ID, exchange.DetectionGuidance, "open.json", servertest.Marked(3, "", stixtest.MarkingID(exchange.TLPGreen)))
	w.Arm(r.ID)
	w.Clock.Set(time.Date(2027, time.July, 12, 16, 0, 0, 0, time.UTC))
	given := []string{servertest.MarkedID(1, 0), servertest.MarkedID(1, 1), servertest.MarkedID(3, 0), servertest.MarkedID(3, 1)}
	red := []string{servertest.MarkedID(1, 2), servertest.MarkedID(2, 0)}
	for _, c := range []struct {
		name   string
		a      exchange.Actor
		sees   []string
		closed bool // the artifact with nothing but red and held objects is seen
	}{
		{"machine", w.Machine(servertest.EarlyA), given, false},
		{"person", w.Reader(servertest.EarlyA), given, false},
		{"named person", w.Reader(servertest.EarlyB), append(slices.Clone(given), red...), true},
		{"named person's machine", w.Machine(servertest.EarlyB), given, false},
	} {
		slices.Sort(c.sees)
		if got := ids(t, w, c.a); !slices.Equal(got, c.sees) {
			t.Errorf("%s sees %q, want %q", c.name, got, c.sees)
		}
		for _, id := range append(slices.Clone(red), servertest.MarkedID(1, 3), servertest.MarkedID(2, 1)) {
			if !slices.Contains(c.sees, id) {
				_, err := w.X.Delivery.Object(t.Context(), c.a, testkit.Program, id)
				missing(t, c.name+" reading "+id, err)
			}
		}
		i, err := w.X.Delivery.Artifact(t.Context(), c.a, mixed.ID)
		if err != nil || !i.Partial || i.Artifact.Size != 0 || i.Artifact.SHA256 != "" || i.Artifact.Objects != 0 {
			t.Errorf("%s: artifact %+v, %v", c.name, i, err)
		}
		_, err = w.X.Delivery.Content(t.Context(), c.a, mixed.ID)
		missing(t, c.name+" downloading what is mixed", err)
		_, err = w.X.Delivery.Content(t.Context(), c.a, closed.ID)
		missing(t, c.name+" downloading what is closed", err)
		if _, err = w.X.Delivery.Artifact(t.Context(), c.a, closed.ID); (err == nil) != c.closed {
			t.Errorf("%s: closed artifact: %v", c.name, err)
		}
		content, err := w.X.Delivery.Content(t.Context(), c.a, open.ID)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if b, err := io.ReadAll(io.NewSectionReader(content, 0, content.Size())); err != nil || int64(len(b)) != open.Size {
			t.Errorf("%s: %d bytes, %v", c.name, len(b), err)
		}
		content.Close()
	}
	// Nobody is recorded as holding what nobody could have.
	es, err := w.X.Record.Exposure(t.Context(), w.Operator, record.ExposureFilter{Release: r.ID, Artifact: closed.ID})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		if e.Org != servertest.EarlyB {
			t.Errorf("%s holds what is closed: %+v", e.Org, e)
		}
	}
	content, err := w.X.Delivery.Content(t.Context(), w.Operator, mixed.ID)
	if err != nil {
		t.Fatalf("those who run the program are given the whole: %v", err)
	}
	content.Close()
	why, err := w.X.Delivery.Why(t.Context(), w.Operator, testkit.Program, string(closed.ID), string(servertest.EarlyA), w.Clock.Now())
	if err != nil || why.Decision.Code != "E_EMPTY" {
		t.Errorf("why: %s %v", why.Decision.Code, err)
	}
}

// The public gets the bytes of what is TLP:CLEAR throughout, and of nothing else.
func TestThePublicFileIsClearThroughout(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Public", t0)
	mixed := w.Submit(r.ID, exchange.Summary, "mixed.json", servertest.Marked(1, "", stixtest.MarkingID(exchange.TLPGreen)), servertest.Label(exchange.TLPClear))
	held := w.Submit(r.ID, exchange.Summary, "held.json", servertest.Marked(2, servertest.Unresolved), servertest.Label(exchange.TLPClear))
	clear := w.Submit(r.ID, exchange.Summary, "clear.json", servertest.Marked(3, ""), servertest.Label(exchange.TLPClear))
	w.Arm(r.ID)
	w.Clock.Set(t0.Add(-time.Second))
	for _, a := range []exchange.Artifact{mixed, held, clear} {
		_, err := w.X.Delivery.Content(t.Context(), exchange.Public(), a.ID)
		missing(t, a.Filename+" before T0", err)
	}
	w.Clock.Set(t0)
	content, err := w.X.Delivery.Content(t.Context(), exchange.Public(), clear.ID)
	if err != nil {
		t.Fatal(err)
	}
	content.Close()
	for _, a := range []exchange.Artifact{mixed, held} {
		_, err := w.X.Delivery.Content(t.Context(), exchange.Public(), a.ID)
		missing(t, a.Filename, err)
	}
	m, err := w.X.Delivery.Release(t.Context(), exchange.Public(), r.ID)
	if err != nil || len(m.Items) != 2 || m.Items[0].Artifact.ID != mixed.ID || !m.Items[0].Partial || m.Items[1].Partial {
		t.Errorf("public release: %+v %v", m.Items, err)
	}
}
