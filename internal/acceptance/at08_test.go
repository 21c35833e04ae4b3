package acceptance

import (
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// AT-08: a member under a duty of compelled disclosure gets neither a proof of
// concept nor steps by any channel at any time, not even once they are public
// to everyone, and hears nothing of them; a member of the same cohort without
// the duty gets both. The summary it gets at T0.
func TestAT08_CompelledDisclosure(t *testing.T) {
	s := &scene{World: servertest.New(t)}
	r := s.Draft("Spooler", t0)
	rules := r.Plan.Rules
	for _, rule := range []struct {
		class  exchange.ContentClass
		cohort exchange.CohortID
		at     string
	}{
		{exchange.PoC, "standard", "T0-1bd"},
		{exchange.ReproSteps, "standard", "T0-24h"},
		{exchange.PoC, "public", "T0+48h"},
		{exchange.ReproSteps, "public", "T0+48h"},
	} {
		rules = append(rules, exchange.PlanRule{Class: rule.class, Cohort: rule.cohort, At: testkit.Offset(rule.at)})
	}
	_, err := s.X.Releases.Edit(t.Context(), s.Operator, r.ID, release.Edit{Rules: &rules}, 0)
	s.must(err)
	clear := servertest.Label(exchange.TLPClear)
	guidance := s.marked(r, "guidance.json", 1, first, []exchange.TLP{0, 0})
	poc := s.text(r, exchange.PoC, "exploit-poc.md", clear)
	steps := s.text(r, exchange.ReproSteps, "repro-steps.md", clear)
	bundle := &item{Artifact: s.Submit(r.ID, exchange.PoC, "exploit-bundle.json", servertest.Marked(2, "", ""), clear), objects: []object{
		{id: servertest.MarkedID(2, 0), version: first}, {id: servertest.MarkedID(2, 1), version: first},
	}}
	s.items = append(s.items, bundle)
	summary := s.text(r, exchange.Summary, "summary.md", clear)
	s.Arm(r.ID)
	never := []*item{poc, steps, bundle}
	neverIDs := []string{servertest.MarkedID(2, 0), servertest.MarkedID(2, 1)}

	web := serve(s.World)
	var compelled, control []*reader
	for _, r := range s.readers() {
		switch r.org {
		case servertest.Compelled:
			compelled = append(compelled, r)
		case servertest.Standard:
			control = append(control, r)
		}
	}
	channels := append(rooms(), interfaces()...)
	// given asks for an item, and for objects, in every way a reader has.
	given := func(r *reader, i *item, ids []string, want bool) {
		t.Helper()
		for _, ch := range channels {
			if !ch.serves(r) {
				continue
			}
			q := &question{scene: s, site: web, ctx: t.Context(), r: r, on: ch.on}
			if ch.artifact != nil {
				if got, err := ch.artifact(q, i); err != nil || got != want {
					t.Errorf("%v: %s, %s, %s: %t, want %t (%v)", s.Clock.Now(), r.name, ch.name, i.Filename, got, want, err)
				}
			}
			for _, id := range ids {
				if ch.object == nil {
					continue
				}
				if got, err := ch.object(q, id); err != nil || got != 0 != want {
					t.Errorf("%v: %s, %s, %s: %d, want %t (%v)", s.Clock.Now(), r.name, ch.name, id, got, want, err)
				}
			}
		}
	}
	for _, at := range []time.Time{
		july(1, 16), july(12, 16), july(14, 15), july(14, 16), july(14, 16).Add(time.Second), t0.Add(-time.Second),
		t0, t0.Add(time.Hour), t0.Add(48 * time.Hour), t0.Add(48*time.Hour + time.Second), t0.AddDate(0, 6, 0),
	} {
		s.run(at)
		for _, r := range compelled {
			for _, i := range never {
				given(r, i, nil, false)
			}
			given(r, bundle, neverIDs, false)
			given(r, summary, nil, !at.Before(t0))
			given(r, guidance, []string{servertest.MarkedID(1, 0)}, !at.Before(july(14, 16)))
		}
		for _, r := range control {
			given(r, poc, nil, !at.Before(july(14, 16)))
			given(r, bundle, neverIDs, !at.Before(july(14, 16)))
		}
		quiet(t, s, never, neverIDs)
	}
	// The record says that the one member held them, and that the other did not.
	for org, want := range map[exchange.OrgID]bool{servertest.Compelled: false, servertest.Standard: true} {
		for _, i := range never {
			es, err := s.X.Record.Exposure(t.Context(), s.Operator, record.ExposureFilter{Release: r.ID, Artifact: i.ID, Org: org})
			if err != nil || (len(es) > 0) != want {
				t.Errorf("%s held %s: %d lines, want some %t (%v)", org, i.Filename, len(es), want, err)
			}
		}
	}
}

// quiet checks what says something about content without giving it: notices,
// searches by name, the events of the member's own organisation, the outcome.
func quiet(t *testing.T, s *scene, never []*item, ids []string) {
	t.Helper()
	told := func(where, text string) {
		t.Helper()
		for _, i := range never {
			for _, word := range append([]string{string(i.ID), i.Title, i.Filename, i.SHA256}, ids...) {
				if word != "" && strings.Contains(text, word) {
					t.Errorf("%v: %s names %q", s.Clock.Now(), where, word)
				}
			}
		}
	}
	a := s.Reader(servertest.Compelled)
	notices, err := s.X.Delivery.Notices(t.Context(), a, time.Time{}, 100)
	s.must(err)
	for _, n := range notices {
		told("a notice", n.Text)
	}
	// One for each wave that brought it something: guidance, then the summary.
	most := 0
	for _, at := range []time.Time{july(14, 16), t0} {
		if !s.Clock.Now().Before(at) {
			most++
		}
	}
	if len(notices) != most {
		t.Errorf("%v: %d notices, want %d: %+v", s.Clock.Now(), len(notices), most, notices)
	}
	for _, text := range []string{"poc", "exploit", "repro"} {
		hits, _, err := hidden(s.X.Delivery.Search(t.Context(), a, testkit.Program, text, 100))
		if err != nil || len(hits) != 0 {
			t.Errorf("%v: a search for %q brings %+v (%v)", s.Clock.Now(), text, hits, err)
		}
	}
	events, _, err := hidden(s.X.Record.Events(t.Context(), a, record.EventFilter{Limit: 1000}))
	s.must(err)
	for _, e := range events {
		told("an event of its own", string(e.Body))
	}
}

// AT-08: what is given first and comes under the duty later is out of view from
// then on: a law that comes into force takes the exploit back, and leaves the rest.
func TestAT08_ADutyThatComesLater(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Spooler", t0)
	guidance, poc, _ := w.Package(r.ID, 3)
	w.Arm(r.ID)
	w.Clock.Set(july(12, 17))
	m := w.Machine(servertest.EarlyA)
	if _, _, err := hidden(w.X.Delivery.Artifact(t.Context(), m, poc.ID)); err != nil {
		t.Fatal(err)
	}
	before := everyObject(t, w, servertest.EarlyA)
	j := exchange.Jurisdiction{Code: "DE", Compelled: true, Within: "24h", Source: "a new act", ValidFrom: testkit.Start}
	if err := w.X.Members.SetJurisdiction(t.Context(), w.Admin, j); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := hidden(w.X.Delivery.Artifact(t.Context(), m, poc.ID)); ok || err != nil {
		t.Errorf("the exploit is still given: %v", err)
	}
	for _, at := range []time.Time{july(12, 18), july(14, 17), t0.Add(time.Hour)} {
		w.Clock.Set(at)
		if _, ok, err := hidden(w.X.Delivery.Artifact(t.Context(), m, poc.ID)); ok || err != nil {
			t.Errorf("%v: the exploit is given again: %v", at, err)
		}
	}
	// Now it is no early partner any more, but one of the standard cohort.
	if _, ok, err := hidden(w.X.Delivery.Artifact(t.Context(), m, guidance.ID)); !ok || err != nil {
		t.Errorf("the guidance: %t %v", ok, err)
	}
	if after := everyObject(t, w, servertest.EarlyA); len(after) != len(before) {
		t.Errorf("%d objects became %d", len(before), len(after))
	}
}
