package release_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// With others = "at-release", members under a duty to disclose get nothing
// before the public release: pushing their cohort's wave leaves theirs alone.
func TestPushDoesNotReachWhoWaitsForTheRelease(t *testing.T) {
	w := servertest.New(t)
	text := bytes.Replace(testkit.CharterTOML(), []byte(`others = "as-cohort"`), []byte(`others = "at-release"`), 1)
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, text, false); err != nil {
		t.Fatal(err)
	}
	r := armed(w)
	standard := exchange.Audience{Cohort: "standard"}
	if _, err := w.X.Releases.Push(t.Context(), w.Operator, r.ID, standard, time.Time{}, because); err != nil {
		t.Fatal(err)
	}
	if rs, err := w.X.Delivery.Releases(t.Context(), w.Reader(servertest.Standard), testkit.Program); err != nil || len(rs) != 1 {
		t.Errorf("the cohort sees %d releases, %v", len(rs), err)
	}
	if rs, err := w.X.Delivery.Releases(t.Context(), w.Reader(servertest.Compelled), testkit.Program); err != nil || len(rs) != 0 {
		t.Errorf("a member under a duty sees %d releases before the release, %v", len(rs), err)
	}
	standard.Compelled = true
	if _, err := w.X.Releases.Push(t.Context(), w.Operator, r.ID, standard, time.Time{}, because); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("pushing to those under a duty alone: %v", err)
	}
	w.Clock.Set(t0)
	if rs, err := w.X.Delivery.Releases(t.Context(), w.Reader(servertest.Compelled), testkit.Program); err != nil || len(rs) != 1 {
		t.Errorf("at the release a member under a duty sees %d, %v", len(rs), err)
	}
}

// Nothing new is shared after the sunset: T0 cannot be moved behind it.
func TestMoveBehindTheSunsetIsRefused(t *testing.T) {
	w := servertest.New(t)
	r := armed(w)
	_, err := w.X.Releases.Move(t.Context(), w.Operator, r.ID, time.Date(2031, time.January, 7, 16, 0, 0, 0, time.UTC), because)
	if exchange.KindOf(err) != exchange.Invalid {
		t.Errorf("moved: %v", err)
	}
	if got := read(w, r.ID); !got.Plan.T0.Equal(t0) {
		t.Errorf("T0 is %v", got.Plan.T0)
	}
}

// While the public wave is held the embargo goes on, whatever T0 was planned.
func TestLiveWhileThePublicWaveIsHeldIsRefused(t *testing.T) {
	w := servertest.New(t)
	r := armed(w)
	if _, err := w.X.Releases.Hold(t.Context(), w.Operator, r.ID, exchange.PublicAudience, time.Time{}, because); err != nil {
		t.Fatal(err)
	}
	w.Clock.Set(t0.Add(2 * time.Hour))
	give := func() error {
		_, err := w.X.Feedback.Give(t.Context(), w.Reader(servertest.EarlyA), exchange.Feedback{
			Release: r.ID, Kind: exchange.FeedbackProtection, Product: "Sensor", Type: "edr-rule", LiveAt: t0.Add(time.Hour),
		})
		return err
	}
	if err := give(); exchange.KindOf(err) != exchange.Embargoed {
		t.Errorf("before the release: %v", err)
	}
	if _, err := w.X.Releases.Resume(t.Context(), w.Operator, r.ID, exchange.PublicAudience, time.Time{}, because); err != nil {
		t.Fatal(err)
	}
	if err := give(); err != nil {
		t.Errorf("once it is public: %v", err)
	}
}

// A client has only what reaches it through its provider: whom the originator
// excludes has no clients for the item either.
func TestClientOfAnExcludedProviderReceivesNothing(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("For some", t0)
	w.Submit(r.ID, exchange.DetectionGuidance, "guidance.json", servertest.Bundle(5, 3), func(in *submission.Input) {
		in.Handling.TLP, in.Handling.NotOrgs = exchange.TLPAmber, []exchange.OrgID{servertest.EarlyA}
	})
	w.Arm(r.ID)
	w.Clock.Set(t0.Add(-time.Hour))
	for org, want := range map[exchange.OrgID]int{servertest.EarlyA: 0, servertest.Client: 0, servertest.EarlyB: 1} {
		rs, err := w.X.Delivery.Releases(t.Context(), w.Reader(org), testkit.Program)
		if err != nil || len(rs) != want {
			t.Errorf("%s sees %d releases, want %d, %v", org, len(rs), want, err)
		}
		told, err := w.X.Delivery.Notices(t.Context(), w.Reader(org), time.Time{}, 10)
		if err != nil || len(told) != want {
			t.Errorf("%s was told %d times, want %d, %v", org, len(told), want, err)
		}
	}
	hs, err := w.X.Releases.Holders(t.Context(), w.Operator, r.ID)
	if err != nil || slices.ContainsFunc(hs, func(h release.Holder) bool { return h.Org == servertest.Client || h.Org == servertest.EarlyA }) {
		t.Errorf("holders %v, %v", hs, err)
	}
}

// PostgreSQL keeps no NUL: no store is asked to.
func TestTextThatNoStoreKeepsIsRefused(t *testing.T) {
	w := servertest.New(t)
	for path, d := range map[string]release.Draft{
		"title":   {Program: testkit.Program, Title: "a\x00b", T0: t0},
		"message": {Program: testkit.Program, Title: "a", Message: "a\x00b", T0: t0},
	} {
		if _, err := w.X.Releases.Create(t.Context(), w.Operator, d); exchange.KindOf(err) != exchange.Invalid {
			t.Errorf("%s: %v", path, err)
		}
	}
	r := armed(w)
	if _, err := w.X.Releases.Contain(t.Context(), w.Operator, r.ID, release.Change{Reason: "a\x00b"}); exchange.KindOf(err) != exchange.Invalid {
		t.Errorf("reason: %v", err)
	}
}
