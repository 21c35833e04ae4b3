package contribution_test

import (
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// What members write is read at once by the cohorts that the charter names, in
// the order in which it was written and with the bytes that were sent.
func TestAddAndRead(t *testing.T) {
	w := newWorld(t, []exchange.CohortID{early, standard}, []exchange.CohortID{early, late})
	a, b := indicator(1, v(1), ""), indicator(2, v(1), `, "x_note" : "bytes  as sent"`)
	c := indicator(3, v(1), "")
	st := w.must(w.writer(servertest.EarlyA), 2, 0, a, b)
	if st.Successes[0].ID != id(1) || st.Successes[0].Version != v(1).UnixMicro() || st.Program != testkit.Program {
		t.Errorf("status %+v", st)
	}
	same(t, "the writer", w.read(w.writer(servertest.EarlyA)), a, b)
	same(t, "another of its cohort", w.read(w.Machine(servertest.EarlyB)), a, b)
	w.must(w.sensor(servertest.Standard), 1, 0, c)
	for _, org := range []exchange.OrgID{servertest.EarlyA, servertest.EarlyB, servertest.Late} {
		same(t, string(org), w.read(w.Machine(org)), a, b, c)
	}
	for _, org := range []exchange.OrgID{servertest.Standard, servertest.Compelled, servertest.Validator, servertest.Unsigned, servertest.Outsider} {
		same(t, string(org), w.read(w.Machine(org)))
	}
	// It is in no list, and nobody acts on it.
	ctx := t.Context()
	rs, err := w.X.Releases.List(ctx, w.Operator, testkit.Program)
	if err != nil || len(rs) != 0 {
		t.Errorf("releases: %v, %v", rs, err)
	}
	ms, err := w.X.Delivery.Releases(ctx, w.Reader(servertest.EarlyA), testkit.Program)
	if err != nil || len(ms) != 0 {
		t.Errorf("releases of a member: %v, %v", ms, err)
	}
	o, err := w.X.Delivery.Object(ctx, w.Reader(servertest.EarlyB), testkit.Program, id(2))
	if err != nil || string(o.Raw) != b || o.TLP != testkit.Charter().Handling.TLP {
		t.Errorf("object: %s, %v, %v", o.Raw, o.TLP, err)
	}
	if a := o.Artifact; a.Originator != "" || a.SubmittedBy != "" || a.SHA256 != "" || strings.Contains(a.Title, string(servertest.EarlyA)) {
		t.Errorf("another member is told who wrote it: %+v", a)
	}
	_, err = w.X.Delivery.Object(ctx, w.Reader(servertest.Standard), testkit.Program, id(2))
	kind(t, "an object that is not read", err, exchange.NotFound)
	_, err = w.X.Releases.Read(ctx, w.Operator, o.Release)
	kind(t, "the standing release", err, exchange.NotFound)
	_, err = w.X.Delivery.Artifact(ctx, w.Reader(servertest.EarlyB), o.Artifact.ID)
	kind(t, "the journal", err, exchange.NotFound)
	_, err = w.X.Delivery.Why(ctx, w.Operator, testkit.Program, string(o.Artifact.ID), string(servertest.EarlyA), testkit.Start)
	kind(t, "why, of a journal", err, exchange.NotFound)
	if rs, err := w.X.Delivery.PublicReleases(ctx); err != nil || len(rs) != 0 {
		t.Errorf("public: %v, %v", rs, err)
	}
	_, err = w.X.Delivery.Object(ctx, exchange.Public(), testkit.Program, id(2))
	kind(t, "an object, without sign-in", err, exchange.NotFound)
	xs, err := w.X.Record.Exposure(ctx, w.Operator, record.ExposureFilter{Release: o.Release, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	had := map[exchange.OrgID]map[exchange.ArtifactID]bool{}
	for _, x := range xs {
		if had[x.Org] == nil {
			had[x.Org] = map[exchange.ArtifactID]bool{}
		}
		had[x.Org][x.Artifact] = true
	}
	// Of each journal once, and nobody of its own.
	if len(had) != 3 || len(had[servertest.EarlyA]) != 1 || len(had[servertest.EarlyB]) != 2 || len(had[servertest.Late]) != 2 {
		t.Errorf("exposure: %v", had)
	}
	es, err := w.Events(exchange.EventContributed)
	if err != nil || len(es) != 2 {
		t.Errorf("%d events, %v", len(es), err)
	}
	for _, e := range es {
		if body := string(e.Body); strings.Contains(body, "n1.example") || strings.Contains(body, id(1)) {
			t.Errorf("the event holds content: %s", body)
		}
	}
}

// Who may not know of the program hears that it does not exist, who may know
// and not write that they may not, and nothing is stored.
func TestWhoWrites(t *testing.T) {
	w := newWorld(t, []exchange.CohortID{early}, []exchange.CohortID{early})
	for _, c := range []struct {
		what string
		a    exchange.Actor
		want exchange.Kind
	}{
		{"anonymous", exchange.Public(), exchange.NotFound},
		{"no member", w.writer(servertest.Outsider), exchange.NotFound},
		{"another program's token", func() exchange.Actor {
			a := w.writer(servertest.EarlyA)
			a.Program = "elsewhere"
			return a
		}(), exchange.NotFound},
		{"a read-only token", w.Machine(servertest.EarlyA), exchange.Denied},
		{"a cohort that does not write", w.writer(servertest.Standard), exchange.Denied},
		{"agreement not accepted", w.writer(servertest.Unsigned), exchange.Denied},
		{"who runs the program", w.Operator, exchange.Denied},
		{"an auditor", w.Auditor, exchange.Denied},
		{"an administrator", w.Admin, exchange.NotFound},
	} {
		before := w.Dump()
		_, err := w.add(c.a, indicator(1, v(1), ""))
		kind(t, c.what, err, c.want)
		if after := w.Dump(); len(after["object_block"]) != len(before["object_block"]) || len(after["event"]) != len(before["event"]) {
			t.Errorf("%s: something was stored", c.what)
		}
	}
	w.must(w.writer(servertest.EarlyA), 1, 0, indicator(1, v(1), ""))
	if _, err := w.X.Members.SuspendMember(t.Context(), w.Operator, testkit.Program, servertest.EarlyB, "test"); err != nil {
		t.Fatal(err)
	}
	_, err := w.add(w.writer(servertest.EarlyB), indicator(2, v(1), ""))
	kind(t, "suspended", err, exchange.NotFound)
	c := testkit.Charter()
	w.Clock.Set(c.Calendar.StartOfDay(c.Sunset.Add(1)))
	_, err = w.add(w.writer(servertest.EarlyA), indicator(2, v(1), ""))
	kind(t, "past the sunset", err, exchange.Denied)
}
