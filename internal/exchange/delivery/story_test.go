package delivery_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// t0 is a Thursday, 18:00 in Berlin.
var t0 = time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC)

func sees(t *testing.T, w *servertest.World, org exchange.OrgID) (objects int, releases int) {
	t.Helper()
	p, err := w.X.Delivery.Page(t.Context(), w.Machine(org), testkit.Program, delivery.Query{Limit: 1000})
	if err != nil {
		t.Fatalf("%s: %v", org, err)
	}
	rs, err := w.X.Delivery.Releases(t.Context(), w.Reader(org), testkit.Program)
	if err != nil {
		t.Fatalf("%s: %v", org, err)
	}
	return len(p.Entries), len(rs)
}

// Waves open to each cohort at its moment, and not a second before.
func TestWavesOnTheClock(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Printer spooler", t0)
	w.Package(r.ID, 20)
	if r = w.Arm(r.ID); r.State != exchange.ReleaseArmed {
		t.Fatalf("state %s", r.State)
	}
	view, err := w.X.Releases.Read(t.Context(), w.Operator, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, wave := range view.Waves {
		t.Logf("%s %s %v", wave.At.Format(time.RFC3339), wave.Audience, wave.Classes)
	}
	// T0 − 10 business days, − 3, − 1, T0.
	moments := []struct {
		at   time.Time
		orgs map[exchange.OrgID]int
	}{
		{time.Date(2027, time.July, 1, 16, 0, 0, 0, time.UTC), map[exchange.OrgID]int{servertest.Validator: 20}},
		{time.Date(2027, time.July, 12, 16, 0, 0, 0, time.UTC), map[exchange.OrgID]int{servertest.EarlyA: 20, servertest.EarlyB: 20}},
		{time.Date(2027, time.July, 14, 16, 0, 0, 0, time.UTC), map[exchange.OrgID]int{servertest.Standard: 20, servertest.Compelled: 20}},
	}
	have := map[exchange.OrgID]int{}
	check := func(at string) {
		t.Helper()
		for _, org := range []exchange.OrgID{servertest.Validator, servertest.EarlyA, servertest.EarlyB, servertest.Standard, servertest.Compelled, servertest.Late, servertest.Client} {
			n, rs := sees(t, w, org)
			if n != have[org] || (rs > 0) != (have[org] > 0) {
				t.Errorf("%s: %s sees %d objects and %d releases, want %d objects", at, org, n, rs, have[org])
			}
		}
	}
	for _, m := range moments {
		w.Clock.Set(m.at.Add(-time.Second))
		check("before " + m.at.String())
		w.Clock.Set(m.at)
		for org, n := range m.orgs {
			have[org] = n
		}
		check("at " + m.at.String())
	}
	public, err := w.X.Delivery.PublicReleases(t.Context())
	if err != nil || len(public) != 0 {
		t.Fatalf("public before T0: %v %v", public, err)
	}
	w.Clock.Set(t0.Add(time.Second))
	public, err = w.X.Delivery.PublicReleases(t.Context())
	if err != nil || len(public) != 1 || len(public[0].Items) != 1 || public[0].Items[0].Artifact.Class != exchange.Summary {
		t.Fatalf("public at T0: %+v %v", public, err)
	}
	rs, err := w.X.Delivery.Releases(t.Context(), w.Reader(servertest.Late), testkit.Program)
	if err != nil || len(rs) != 1 || rs[0].Items[0].TLP != exchange.TLPClear {
		t.Fatalf("at release: %+v %v", rs, err)
	}
	if view, err = w.X.Releases.Read(t.Context(), w.Operator, r.ID); err != nil || view.State != exchange.ReleasePublic {
		t.Fatalf("state %s %v", view.State, err)
	}
}

// The bytes of a page are those that were submitted.
func TestExactBytes(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Bytes", t0)
	var sent bytes.Buffer
	if _, err := io.Copy(&sent, servertest.Bundle(25, 7)); err != nil {
		t.Fatal(err)
	}
	w.Submit(r.ID, exchange.DetectionGuidance, "g.json", bytes.NewReader(sent.Bytes()))
	w.Arm(r.ID)
	w.Clock.Set(t0)
	m := w.Machine(servertest.EarlyA)
	var got []string
	for q := (delivery.Query{Limit: 10}); ; {
		p, err := w.X.Delivery.Page(t.Context(), m, testkit.Program, q)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := p.WriteObjects(&b); err != nil {
			t.Fatal(err)
		}
		got = append(got, b.String())
		if q.After = p.Entries[len(p.Entries)-1].Added; !p.More {
			break
		}
	}
	if len(got) != 3 {
		t.Fatalf("%d pages", len(got))
	}
	for i, page := range got {
		if !bytes.Contains(sent.Bytes(), []byte(page)) {
			t.Errorf("page %d is not a stretch of what was submitted", i)
		}
	}
}
