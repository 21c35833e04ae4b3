package acceptance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// everyObject is an organisation's whole collection: id → date_added.
func everyObject(t testing.TB, w *servertest.World, org exchange.OrgID) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for q := (delivery.Query{Limit: 1000}); ; {
		es, more, err := w.X.Delivery.Manifest(t.Context(), w.Machine(org), testkit.Program, q)
		if exchange.KindOf(err) == exchange.NotFound {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			out[e.ID] = e.Added
			q.After = e.Added
		}
		if !more {
			return out
		}
	}
}

// told lists the kinds of what an organisation is told, oldest first.
func told(t testing.TB, w *servertest.World, org exchange.OrgID) []exchange.EventKind {
	t.Helper()
	ns, err := w.X.Delivery.Notices(t.Context(), w.Reader(org), time.Time{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var out []exchange.EventKind
	for _, n := range slices.Backward(ns) {
		out = append(out, n.Kind)
	}
	return out
}

func times(all []exchange.EventKind, k exchange.EventKind) (n int) {
	for _, one := range all {
		if one == k {
			n++
		}
	}
	return n
}

// AT-09: T0 moves from nine days ahead to two. Every wave follows in one step,
// whoever holds something is told once, and whoever holds nothing learns
// nothing. (internal/exchange/release breaks the step off at every call.)
func TestAT09_MovingTheRelease(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Spooler", t0)
	w.Package(r.ID, 4)
	w.Arm(r.ID)
	now := t0.AddDate(0, 0, -9) // Tuesday 6 July: validators hold it since Thursday
	w.Clock.Set(now)
	before, err := w.X.Releases.Read(t.Context(), w.Operator, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	dump, commits := w.Dump(), w.DB.Stats()
	to := now.AddDate(0, 0, 2)
	changed, err := w.X.Releases.Move(t.Context(), w.Operator, r.ID, to, release.Change{Reason: "exploited already", Version: before.Version})
	if err != nil {
		t.Fatal(err)
	}
	if stats := w.DB.Stats(); stats.Functions != commits.Functions+1 {
		t.Errorf("%d transactions for one change of plan", stats.Functions-commits.Functions)
	}
	after := w.Dump()
	if n := len(after["event"]) - len(dump["event"]); n != 1 {
		t.Errorf("%d events", n)
	}
	if n := len(after["notice"]) - len(dump["notice"]); n != 1 {
		t.Errorf("%d notices", n)
	}
	want := map[exchange.Audience]time.Time{ // T0 − 10, − 3, − 1 business days, or now where that has passed
		{Cohort: "early"}: now, {Cohort: "standard"}: to.AddDate(0, 0, -1), {Cohort: "at-release"}: to, exchange.PublicAudience: to,
	}
	for _, wave := range changed.Waves {
		plain := exchange.Audience{Cohort: wave.Audience.Cohort}
		if wave.State == exchange.WaveOpen {
			if plain.Cohort != "validate" {
				t.Errorf("%s was open before", wave.Audience)
			}
			continue
		}
		if at, ok := want[plain]; ok && !slices.Contains(wave.Classes, exchange.Summary) && !wave.At.Equal(at) {
			t.Errorf("%s: planned for %v, want %v", wave.Audience, wave.At, at)
		}
		if slices.Contains(wave.Classes, exchange.Summary) && !wave.At.Equal(to) {
			t.Errorf("%s gets the summary at %v, want %v", wave.Audience, wave.At, to)
		}
	}
	if !slices.Equal(changed.Told, []exchange.OrgID{servertest.Validator}) || len(changed.Holders) != 1 || !changed.Holders[0].Since.Equal(july(1, 16)) && !changed.Holders[0].Since.Equal(now) {
		t.Errorf("told %v, holders %+v", changed.Told, changed.Holders)
	}
	if n := times(told(t, w, servertest.Validator), exchange.EventReleaseMoved); n != 1 {
		t.Errorf("the validator was told %d times", n)
	}
	for _, org := range []exchange.OrgID{servertest.EarlyA, servertest.Standard, servertest.Late, servertest.Compelled, servertest.Unsigned} {
		if n := times(told(t, w, org), exchange.EventReleaseMoved); n != 0 {
			t.Errorf("%s, which held nothing, was told %d times", org, n)
		}
	}
	// The same request again was made to an older version: nothing is told twice.
	if _, err := w.X.Releases.Move(t.Context(), w.Operator, r.ID, to, release.Change{Reason: "again", Version: before.Version}); exchange.KindOf(err) != exchange.Precondition {
		t.Errorf("the same move again: %v", err)
	}
	if n := times(told(t, w, servertest.Validator), exchange.EventReleaseMoved); n != 1 {
		t.Errorf("the validator was told %d times", n)
	}
	// What was overdue is open at once; the rest comes at the new moments.
	for _, c := range []struct {
		at   time.Time
		have []exchange.OrgID
	}{
		{now, []exchange.OrgID{servertest.EarlyA, servertest.EarlyB}},
		{to.AddDate(0, 0, -1).Add(-time.Second), []exchange.OrgID{servertest.EarlyA}},
		{to.AddDate(0, 0, -1), []exchange.OrgID{servertest.EarlyA, servertest.Standard, servertest.Compelled}},
	} {
		w.Clock.Set(c.at)
		for _, org := range servertest.Members {
			n, has := len(everyObject(t, w, org)), slices.Contains(c.have, org)
			if has && n != 4 || !has && n != 0 && (org == servertest.Standard || org == servertest.Late) {
				t.Errorf("%v: %s sees %d objects", c.at, org, n)
			}
		}
	}
	public := func() int {
		rs, err := w.X.Delivery.PublicReleases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(rs)
	}
	w.Clock.Set(to.Add(-time.Second))
	if public() != 0 {
		t.Error("public before the new T0")
	}
	w.Clock.Set(to)
	if public() != 1 {
		t.Error("not public at the new T0")
	}
	if _, err := w.X.Releases.Move(t.Context(), w.Operator, r.ID, t0, why); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("moving what is public: %v", err)
	}
}

// AT-09: whoever holds something of a release is told once that it was
// withdrawn or contained; what nobody holds is not mentioned to anyone.
func TestAT09_WithdrawingAndContaining(t *testing.T) {
	for name, c := range map[string]struct {
		do       func(*servertest.World, exchange.ReleaseID) (release.Changed, error)
		kind     exchange.EventKind
		readable bool
	}{
		"withdraw": {func(w *servertest.World, id exchange.ReleaseID) (release.Changed, error) {
			return w.X.Releases.Withdraw(t.Context(), w.Operator, id, why)
		}, exchange.EventReleaseWithdrawn, false},
		"contain": {func(w *servertest.World, id exchange.ReleaseID) (release.Changed, error) {
			return w.X.Releases.Contain(t.Context(), w.Operator, id, why)
		}, exchange.EventReleaseContained, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := servertest.New(t)
			r := w.Draft("Spooler", t0)
			_, poc, _ := w.Package(r.ID, 4)
			w.Arm(r.ID)
			w.Clock.Set(july(13, 9)) // validators and early partners hold it
			if n := len(everyObject(t, w, servertest.EarlyA)); n != 4 {
				t.Fatalf("%d objects", n)
			}
			changed, err := c.do(w, r.ID)
			if err != nil || len(changed.Told) != 3 {
				t.Fatalf("told %v: %v", changed.Told, err)
			}
			w.Clock.Set(t0.AddDate(0, 1, 0))
			for _, org := range servertest.Members {
				holder := slices.Contains([]exchange.OrgID{servertest.Validator, servertest.EarlyA, servertest.EarlyB}, org)
				if n := times(told(t, w, org), c.kind); n != map[bool]int{true: 1}[holder] {
					t.Errorf("%s was told %d times", org, n)
				}
				if n := len(everyObject(t, w, org)); (n == 4) != (holder && c.readable) || n != 0 && n != 4 {
					t.Errorf("%s sees %d objects", org, n)
				}
			}
			if _, ok, err := hidden(w.X.Delivery.Content(t.Context(), w.Machine(servertest.EarlyA), poc.ID)); err != nil || ok != c.readable {
				t.Errorf("content: %t %v", ok, err)
			}
			if rs, err := w.X.Delivery.PublicReleases(t.Context()); err != nil || len(rs) != 0 {
				t.Errorf("public: %+v %v", rs, err)
			}
		})
	}
}

// AT-11: the fix is incomplete. One call opens the linked case for the same
// audience but for who is left out; holders are told that what they built may
// not cover, and those left out are not; what they hold says which case follows
// once they hold that.
func TestAT11_IncompleteFix(t *testing.T) {
	w := servertest.New(t)
	old := w.Draft("Spooler", t0)
	guidance, _, _ := w.Package(old.ID, 4)
	w.Arm(old.ID)
	w.Clock.Set(july(14, 17)) // validators, early partners and the standard cohort hold it
	given := map[exchange.OrgID]exchange.Feedback{}
	for _, org := range []exchange.OrgID{servertest.EarlyA, servertest.Standard} {
		f, err := w.X.Feedback.Give(t.Context(), w.Reader(org), exchange.Feedback{
			Release: old.ID, Kind: exchange.FeedbackProtection, Product: "EDR", Type: "edr-rule", ReadyAt: w.Clock.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
		given[org] = f
	}
	again := t0.AddDate(0, 0, 14)
	calls := 0
	next, err := w.X.Releases.Rearm(t.Context(), w.Operator, old.ID, release.Rearm{T0: again, Reason: "bypass found", Drop: []exchange.CohortID{"standard"}})
	calls++
	if err != nil {
		t.Fatal(err)
	}
	next.Plan.Rules = slices.Clone(next.Plan.Rules)
	if next.IncompleteFixOf != old.ID || next.State != exchange.ReleaseDraft || !next.Plan.T0.Equal(again) || !strings.Contains(next.Title, "Spooler") {
		t.Errorf("%+v", next)
	}
	for _, rule := range next.Plan.Rules {
		if rule.Cohort == "standard" {
			t.Errorf("the cohort that was left out still has a rule: %+v", rule)
		}
	}
	if len(next.Plan.Rules) != len(old.Plan.Rules)-1 {
		t.Errorf("%d rules of %d", len(next.Plan.Rules), len(old.Plan.Rules))
	}
	for _, org := range servertest.Members {
		want := map[exchange.OrgID]int{servertest.Validator: 1, servertest.EarlyA: 1, servertest.EarlyB: 1}[org]
		if n := times(told(t, w, org), exchange.EventReleaseRearmed); n != want {
			t.Errorf("%s was told %d times, want %d", org, n, want)
		}
	}
	notCovering(t, w, old.ID, given)
	// The next case is a case of its own: new guidance, new approvals.
	more := w.Submit(next.ID, exchange.DetectionGuidance, "better.json", servertest.Bundle(2, 77), servertest.Supersedes(guidance.ID))
	calls++
	w.Arm(next.ID)
	calls++
	if calls > 3 {
		t.Errorf("%d calls", calls)
	}
	mine := func(org exchange.OrgID, id exchange.ReleaseID) (delivery.MemberRelease, bool) {
		m, ok, err := hidden(w.X.Delivery.Release(t.Context(), w.Reader(org), id))
		if err != nil {
			t.Fatal(err)
		}
		return m, ok
	}
	if m, _ := mine(servertest.EarlyA, old.ID); m.Superseded != "" {
		t.Errorf("the next case is named before it is given: %s", m.Superseded)
	}
	w.Clock.Set(again.AddDate(0, 0, -1))
	if m, _ := mine(servertest.EarlyA, old.ID); m.Superseded != next.ID {
		t.Errorf("superseded by %q, want %s", m.Superseded, next.ID)
	}
	if m, ok := mine(servertest.EarlyA, next.ID); !ok || m.Incomplete != old.ID || len(m.Items) != 1 || m.Items[0].Artifact.ID != more.ID {
		t.Errorf("the next case: %+v", m)
	}
	if m, ok := mine(servertest.Standard, old.ID); !ok || m.Superseded != "" || !m.NotCovering.IsZero() {
		t.Errorf("who was left out learns of the next case: %+v", m)
	}
	if _, ok := mine(servertest.Standard, next.ID); ok {
		t.Error("who was left out is given the next case")
	}
}

// notCovering checks that old protections are shown as not covering: to those
// who run the program, and to the members that were told.
func notCovering(t *testing.T, w *servertest.World, old exchange.ReleaseID, given map[exchange.OrgID]exchange.Feedback) {
	t.Helper()
	flagged := func(a exchange.Actor) map[exchange.FeedbackID]bool {
		l, err := w.X.Feedback.List(t.Context(), a, old)
		if err != nil {
			t.Fatal(err)
		}
		out := map[exchange.FeedbackID]bool{}
		for _, e := range l.Entries {
			out[e.ID] = e.NotCovering
		}
		return out
	}
	for name, c := range map[string]struct {
		a    exchange.Actor
		want map[exchange.FeedbackID]bool
	}{
		"operator":         {w.Operator, map[exchange.FeedbackID]bool{given[servertest.EarlyA].ID: true, given[servertest.Standard].ID: true}},
		"who was told":     {w.Reader(servertest.EarlyA), map[exchange.FeedbackID]bool{given[servertest.EarlyA].ID: true}},
		"who was left out": {w.Reader(servertest.Standard), map[exchange.FeedbackID]bool{given[servertest.Standard].ID: false}},
	} {
		got := flagged(c.a)
		if len(got) != len(c.want) {
			t.Errorf("%s sees %d protections, want %d", name, len(got), len(c.want))
		}
		for id, want := range c.want {
			if got[id] != want {
				t.Errorf("%s: protection not covering %t, want %t", name, got[id], want)
			}
		}
	}
	w.Clock.Advance(time.Minute)
	f, err := w.X.Feedback.Give(t.Context(), w.Reader(servertest.EarlyB), exchange.Feedback{
		Release: old, Kind: exchange.FeedbackProtection, Product: "IDS", Type: "ids-signature", ReadyAt: w.Clock.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := flagged(w.Operator); !got[f.ID] {
		t.Error("a protection against the old case that comes later covers no more than the others")
	}
	m, err := w.X.Delivery.Release(t.Context(), w.Reader(servertest.EarlyA), old)
	if err != nil || m.NotCovering.IsZero() {
		t.Errorf("a holder's release is not flagged: %v %v", m.NotCovering, err)
	}
}
