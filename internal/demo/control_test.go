package demo_test

import (
	"bytes"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/demo"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
)

// What originators control is in the story: for whom it is meant, and for
// nobody else.
func testControl(w *world) {
	for _, c := range []struct {
		name string
		test func(w *world)
	}{{"parts", testParts}, {"recall", testRecall}, {"re-share", testReshare}, {"held", testHeld}, {"tear-line", testTearLine}, {"bases", testBases}} {
		w.Run(c.name, func(t *testing.T) { c.test(&world{T: t, s: w.s, data: w.data, r: w.r}) })
	}
}

func (w *world) community(name string) []byte {
	w.Helper()
	page, err := w.s.Exchange.Delivery.Page(w.Context(), w.actor(name, exchange.ChannelTAXII), demo.Community, delivery.Query{Limit: delivery.MaxLimit})
	if err != nil {
		w.Fatal(err)
	}
	defer page.Close()
	var out bytes.Buffer
	if err := page.WriteObjects(&out); err != nil {
		w.Fatal(err)
	}
	return out.Bytes()
}

// A part is kept from one cohort, and a relationship goes with its other end.
func testParts(w *world) {
	const name, part, server, edge = "second wave", "Seen first at a customer", "where the loader reports to", `"indicates"`
	for account, want := range map[string]map[string]bool{
		"validate-2": {name: true, part: true, server: true, edge: true},    // the one organisation
		"standard-2": {name: true, part: true, server: false, edge: false},  // a responder
		"early-2":    {name: true, part: false, server: false, edge: false}, // a member
	} {
		raw := w.community(account)
		for text, sees := range want {
			if got := bytes.Contains(raw, []byte(text)); got != sees {
				w.Errorf("%s is given %q: %v", account, text, got)
			}
		}
		if bytes.Contains(raw, []byte("203.0.113.77")) {
			w.Errorf("%s is given what is held", account)
		}
	}
}

func testRecall(w *world) {
	x := w.s.Exchange.Recalls
	for account, want := range map[string]int{"standard-2": 1, "validate": 1, "early-2": 1, "early": 0, "at-release": 0} {
		got, err := x.List(w.Context(), w.actor(account, exchange.ChannelAPI), recall.Filter{Limit: 10})
		if err != nil || len(got) != want {
			w.Errorf("%s sees %d recalls (%v); want %d", account, len(got), err, want)
		}
		if bytes.Contains(w.community(account), []byte("198.51.100.41")) {
			w.Errorf("%s is given what was taken back", account)
		}
	}
	all, err := x.List(w.Context(), w.actor("standard-2", exchange.ChannelAPI), recall.Filter{Limit: 1})
	if err != nil || len(all) != 1 {
		w.Fatal(all, err)
	}
	v, err := x.Read(w.Context(), w.actor("standard-2", exchange.ChannelAPI), all[0].ID)
	if err != nil {
		w.Fatal(err)
	}
	answers := map[exchange.OrgID]recall.Answer{}
	for _, h := range v.Holders {
		if h.Holds() {
			answers[h.Org] = h.Answer
		}
	}
	if len(answers) != 2 || answers["glimmerwick"] != recall.Deleted || answers["copperleaf-ids"] != "" {
		w.Errorf("holders answered %v", answers)
	}
}

func testReshare(w *world) {
	for account, want := range map[string]int{"validate": 1, "early-2": 1, "early": 0, "validate-2": 0} {
		got, _, err := w.s.Exchange.Reshares.List(w.Context(), w.actor(account, exchange.ChannelWeb), reshare.Filter{Open: true, Limit: 10})
		if err != nil || len(got) != want {
			w.Errorf("%s sees %d requests (%v); want %d", account, len(got), err, want)
		}
		if account == "validate" && len(got) == 1 && !got[0].Owner {
			w.Errorf("%+v does not wait for its originator", got[0])
		}
	}
}

func testHeld(w *world) {
	q, err := w.s.Exchange.Submissions.Held(w.Context(), w.actor("operator", exchange.ChannelAPI), demo.Community)
	if err != nil || len(q.Held) != 1 {
		w.Errorf("%+v waits (%v); want one marking", q, err)
	}
	if _, err := w.s.Exchange.Submissions.Held(w.Context(), w.actor("validate", exchange.ChannelAPI), demo.Community); err == nil {
		w.Error("a member reads what is held")
	}
}

func testTearLine(w *world) {
	_, _, draft := w.releases()
	v, err := w.s.Exchange.Releases.Read(w.Context(), exchange.System(), draft.ID)
	if err != nil {
		w.Fatal(err)
	}
	var derived []exchange.Artifact
	for _, a := range v.Artifacts {
		if a.Relation == "tear-line" {
			derived = append(derived, a)
		}
	}
	if len(derived) != 1 || len(derived[0].DerivedFrom) != 1 {
		w.Errorf("derived are %+v", derived)
	}
}

func testBases(w *world) {
	now, err := w.s.Exchange.Bases.Check(w.Context(), w.actor("early", exchange.ChannelAPI), demo.Community)
	if err != nil || len(now) != 2 || !now[0].InForce || now[1].InForce {
		w.Errorf("the bases stand at %+v (%v)", now, err)
	}
	shares, err := w.s.Exchange.Bases.Shares(w.Context(), w.actor("validate", exchange.ChannelAPI), demo.Community, "glimmerwick", 0, 100)
	if err != nil || len(shares) == 0 {
		w.Errorf("a share has no line (%v)", err)
	}
}
