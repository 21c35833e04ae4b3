package release_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
)

// stand lists the waves of a release as "audience state planned opened late".
func stand(w *servertest.World, id exchange.ReleaseID) []string {
	w.T.Helper()
	var out []string
	for _, v := range read(w, id).Waves {
		line := fmt.Sprintf("%s %s %s", v.Audience, v.State, v.At.Format("01-02T15:04"))
		if !v.OpenedAt.IsZero() {
			line += " opened " + v.OpenedAt.Format("01-02T15:04")
		}
		if v.Late != 0 {
			line += " late " + v.Late.String()
		}
		out = append(out, line)
	}
	return out
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// t0 is a Thursday, 18:00 in Berlin.
var t0 = time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC)

func armed(w *servertest.World) exchange.Release {
	w.T.Helper()
	r := draft(w, t0)
	return w.Arm(r.ID)
}

// The exchange was down while three moments passed. What is overdue opens in
// the order of its moments, members before the public, marked with its delay.
func TestOverdueWavesOpenInOrderMarkedLate(t *testing.T) {
	data := t.TempDir()
	w := servertest.NewIn(t, data)
	r := armed(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Clock.Set(t0.Add(90 * time.Minute))
	w = servertest.Open(t, data, w.Clock)
	if err := w.X.Releases.OpenDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, stand(w, r.ID), []string{
		"validate open 07-01T16:00 opened 07-15T17:30 late 337h30m0s",
		"validate!compelled open 07-01T16:00 opened 07-15T17:30 late 337h30m0s",
		"early open 07-12T16:00 opened 07-15T17:30 late 73h30m0s",
		"early!compelled open 07-12T16:00 opened 07-15T17:30 late 73h30m0s",
		"standard open 07-14T16:00 opened 07-15T17:30 late 25h30m0s",
		"standard!compelled open 07-14T16:00 opened 07-15T17:30 late 25h30m0s",
		"at-release open 07-15T16:00 opened 07-15T17:30 late 1h30m0s",
		"at-release!compelled open 07-15T16:00 opened 07-15T17:30 late 1h30m0s",
		"early open 07-15T16:00 opened 07-15T17:30 late 1h30m0s",
		"early!compelled open 07-15T16:00 opened 07-15T17:30 late 1h30m0s",
		"public open 07-15T16:00 opened 07-15T17:30 late 1h30m0s",
		"standard open 07-15T16:00 opened 07-15T17:30 late 1h30m0s",
		"standard!compelled open 07-15T16:00 opened 07-15T17:30 late 1h30m0s",
		"validate open 07-15T16:00 opened 07-15T17:30 late 1h30m0s",
		"validate!compelled open 07-15T16:00 opened 07-15T17:30 late 1h30m0s",
	})
	events, err := w.Events(exchange.EventWaveOpened)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	var last time.Time
	for i, e := range events {
		var d struct {
			Audience string    `json:"d_audience"`
			Planned  time.Time `json:"d_planned"`
			Late     int64     `json:"d_late_ms"`
		}
		if err := json.Unmarshal(e.Body, &d); err != nil {
			t.Fatal(err)
		}
		order = append(order, d.Audience)
		if d.Planned.Before(last) {
			t.Errorf("wave %d was planned for %v and opened after one for %v", i, d.Planned, last)
		}
		last = d.Planned
		if late := e.At.Sub(d.Planned); late.Milliseconds() != d.Late || late <= 0 {
			t.Errorf("%s: late by %d ms, want %v", d.Audience, d.Late, late)
		}
	}
	if len(order) != 15 || order[14] != "public" {
		t.Errorf("order %v", order)
	}
	if got := read(w, r.ID); got.State != exchange.ReleasePublic || !got.PublicAt.Equal(w.Clock.Now()) {
		t.Errorf("%s at %v", got.State, got.PublicAt)
	}
}

// What opens at its moment is not late, and opens once, however often the
// timetable is looked at.
func TestWavesOpenOnceAndInTime(t *testing.T) {
	w := servertest.New(t)
	r := armed(w)
	w.Clock.Set(time.Date(2027, time.July, 1, 16, 0, 0, 0, time.UTC))
	for range 3 {
		if err := w.X.Releases.OpenDue(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(10 * time.Second)
	}
	same(t, stand(w, r.ID)[:3], []string{
		"validate open 07-01T16:00 opened 07-01T16:00",
		"validate!compelled open 07-01T16:00 opened 07-01T16:00",
		"early scheduled 07-12T16:00",
	})
	if n := len(w.Dump()["opening"]); n != 2 {
		t.Errorf("%d openings", n)
	}
}

func TestHeldWavesWait(t *testing.T) {
	w := servertest.New(t)
	r := armed(w)
	changed, err := w.X.Releases.Hold(t.Context(), w.Operator, r.ID, early, time.Date(2027, time.July, 12, 16, 0, 0, 0, time.UTC), because)
	if err != nil || len(changed.Told) != 0 {
		t.Fatalf("told %v, %v", changed.Told, err)
	}
	w.Clock.Set(time.Date(2027, time.July, 14, 17, 0, 0, 0, time.UTC))
	same(t, stand(w, r.ID)[2:6], []string{
		"early held 07-12T16:00",
		"early!compelled held 07-12T16:00",
		"standard open 07-14T16:00 opened 07-14T17:00 late 1h0m0s",
		"standard!compelled open 07-14T16:00 opened 07-14T17:00 late 1h0m0s",
	})
	if _, err := w.X.Releases.Resume(t.Context(), w.Operator, r.ID, exchange.Audience{Cohort: "early", Compelled: true}, time.Time{}, because); err != nil {
		t.Fatal(err)
	}
	got := stand(w, r.ID)
	if !slices.Contains(got, "early held 07-12T16:00") || !slices.Contains(got, "early!compelled open 07-14T17:00 opened 07-14T17:00") {
		t.Errorf("only the audience named is resumed, and what is overdue opens now: %q", got)
	}
	// A move does not undo the decision to hold.
	if _, err := w.X.Releases.Move(t.Context(), w.Operator, r.ID, t0.AddDate(0, 0, 7), because); err != nil {
		t.Fatal(err)
	}
	if got = stand(w, r.ID); !slices.Contains(got, "early held 07-19T16:00") {
		t.Errorf("after the move: %q", got)
	}
}

func TestKilledWavesNeverOpen(t *testing.T) {
	w := servertest.New(t)
	r := armed(w)
	if _, err := w.X.Releases.Kill(t.Context(), w.Operator, r.ID, early, time.Time{}, because); err != nil {
		t.Fatal(err)
	}
	if _, err := w.X.Releases.Kill(t.Context(), w.Operator, r.ID, exchange.PublicAudience, time.Time{}, because); err != nil {
		t.Fatal(err)
	}
	if _, err := w.X.Releases.Resume(t.Context(), w.Operator, r.ID, early, time.Time{}, because); exchange.KindOf(err) != exchange.Conflict {
		t.Errorf("a killed wave was resumed: %v", err)
	}
	if _, err := w.X.Releases.Move(t.Context(), w.Operator, r.ID, t0.AddDate(0, 0, -1), because); err != nil {
		t.Fatal(err)
	}
	w.Clock.Set(t0.AddDate(1, 0, 0))
	for _, line := range stand(w, r.ID) {
		for _, a := range []string{"early ", "early!compelled ", "public "} {
			if len(line) > len(a) && line[:len(a)] == a && line[len(a):len(a)+6] != "killed" {
				t.Errorf("%q", line)
			}
		}
	}
	if got := read(w, r.ID); got.State != exchange.ReleaseReleasing || !got.PublicAt.IsZero() {
		t.Errorf("%s, public at %v", got.State, got.PublicAt)
	}
}

// A release without a public part still has a moment at which it is public.
// To kill that moment holds across a move as well.
func TestAKilledEndOfTheEmbargoStaysKilled(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("No public part", t0)
	w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Bundle(2, 3))
	w.Arm(r.ID)
	if _, err := w.X.Releases.Kill(t.Context(), w.Operator, r.ID, exchange.PublicAudience, time.Time{}, because); err != nil {
		t.Fatal(err)
	}
	if _, err := w.X.Releases.Move(t.Context(), w.Operator, r.ID, t0.AddDate(0, 0, 1), because); err != nil {
		t.Fatal(err)
	}
	w.Clock.Set(t0.AddDate(0, 1, 0))
	if got := read(w, r.ID); !got.PublicAt.IsZero() {
		t.Errorf("public at %v: %q", got.PublicAt, stand(w, r.ID))
	}
}

// A push opens approved waves of one cohort now; others keep their moment.
func TestPushOpensOutOfBand(t *testing.T) {
	w := servertest.New(t)
	r := armed(w)
	w.Clock.Advance(time.Hour)
	if _, err := w.X.Releases.Push(t.Context(), w.Operator, r.ID, validate, time.Time{}, because); err != nil {
		t.Fatal(err)
	}
	same(t, stand(w, r.ID)[:4], []string{
		"validate open 06-01T09:00 opened 06-01T09:00",
		"validate!compelled open 06-01T09:00 opened 06-01T09:00",
		"early scheduled 07-12T16:00",
		"early!compelled scheduled 07-12T16:00",
	})
	if n := len(w.Dump()["exposure"]); n != 2 { // one member, two artifacts
		t.Errorf("%d exposures", n)
	}
}

// A new revision gives what the old one has not given, and nothing twice.
func TestANewRevisionGivesOnlyWhatIsNew(t *testing.T) {
	w := servertest.New(t)
	r := armed(w)
	w.Clock.Set(time.Date(2027, time.July, 2, 0, 0, 0, 0, time.UTC))
	if err := w.X.Releases.OpenDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	more := w.Submit(r.ID, exchange.DetectionGuidance, "more.json", servertest.Bundle(2, 44))
	if got := read(w, r.ID); got.State != exchange.ReleaseDraft {
		t.Fatalf("state %s", got.State)
	}
	if got := w.Arm(r.ID); got.State != exchange.ReleaseReleasing {
		t.Fatalf("state %s", got.State)
	}
	v := read(w, r.ID)
	opened := map[int64]int{}
	err := w.View(func(tx release.Tx) error {
		os, err := tx.OpeningsOf(r.ID)
		for _, o := range os {
			opened[o.Artifact]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	first := v.Artifacts[0]
	if opened[first.Number] != 2 || opened[more.Number] != 2 || len(opened) != 2 {
		t.Errorf("openings by artifact: %v", opened)
	}
}
