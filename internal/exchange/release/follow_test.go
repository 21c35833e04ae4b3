package release_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// A charter that is applied after a release was approved: the new cohort is
// given what is public, what the charter now denies leaves the clock, and what
// was approved keeps its instant.
func TestCharterChangesUnderAnApprovedRelease(t *testing.T) {
	w := servertest.New(t)
	t0 := time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC)
	r := w.Draft("Approved before", t0)
	w.Package(r.ID, 5)
	w.Arm(r.ID)
	before := wavesOf(t, w, r.ID)

	text := bytes.Replace(testkit.CharterTOML(), []byte("[[cohort]]\nid = \"at-release\""),
		[]byte("[[cohort]]\nid = \"certs\"\ntitle = \"CERTs\"\nrule = { kind = [\"cert\"] }\n\n[[cohort]]\nid = \"at-release\""), 1)
	text = bytes.Replace(text, []byte("date = 2027-12-24, name = \"Christmas Eve\""),
		[]byte("date = 2027-07-13, name = \"A new holiday\""), 1)
	text = bytes.Replace(text, []byte("deny = [\"poc\", \"repro-steps\"]"), []byte("deny = [\"poc\", \"repro-steps\", \"detection-guidance\"]"), 1)
	done, err := w.X.Programs.Apply(t.Context(), w.Operator, text, false)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(done.Moves, func(m exchange.Move) bool { return m.Org == servertest.Late && m.To.Cohort == "certs" }) {
		t.Fatalf("moves: %+v", done.Moves)
	}
	after := wavesOf(t, w, r.ID)
	for key, at := range before {
		denied := key.audience.Compelled && key.class == exchange.DetectionGuidance
		now, there := after[key]
		if denied == there || there && !now.Equal(at) {
			t.Errorf("%s to %s: %v, before %v (denied now: %v)", key.class, key.audience, now, at, denied)
		}
	}
	w.Clock.Set(t0.Add(-time.Second))
	if rs, err := w.X.Delivery.Releases(t.Context(), w.Reader(servertest.Late), testkit.Program); err != nil || len(rs) != 0 {
		t.Errorf("the new cohort sees %d releases before T0, %v", len(rs), err)
	}
	w.Clock.Set(t0)
	rs, err := w.X.Delivery.Releases(t.Context(), w.Reader(servertest.Late), testkit.Program)
	if err != nil || len(rs) != 1 || len(rs[0].Items) != 1 || rs[0].Items[0].Artifact.Class != exchange.Summary {
		t.Errorf("the new cohort at T0: %+v, %v", rs, err)
	}
	rs, err = w.X.Delivery.Releases(t.Context(), w.Reader(servertest.Compelled), testkit.Program)
	if err != nil || len(rs) != 1 || len(rs[0].Items) != 1 || rs[0].Items[0].Artifact.Class != exchange.Summary {
		t.Errorf("the member under a duty at T0: %+v, %v", rs, err)
	}
}

// A charter that now lets members under a duty wait for the public release does
// so for what was approved before, too.
func TestCharterLetsMembersUnderADutyWait(t *testing.T) {
	w := servertest.New(t)
	t0 := time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC)
	r := w.Draft("Approved before", t0)
	w.Package(r.ID, 5)
	w.Arm(r.ID)
	before := wavesOf(t, w, r.ID)

	text := bytes.Replace(testkit.CharterTOML(), []byte(`others = "as-cohort"`), []byte(`others = "at-release"`), 1)
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, text, false); err != nil {
		t.Fatal(err)
	}
	waited := 0
	for key, now := range wavesOf(t, w, r.ID) {
		want := before[key]
		if key.audience.Compelled && want.Before(t0) {
			want = t0
			waited++
		}
		if !now.Equal(want) {
			t.Errorf("%s to %s: %v, want %v", key.class, key.audience, now, want)
		}
	}
	if waited == 0 {
		t.Error("no wave had to wait: the test shows nothing")
	}
}

type classTo struct {
	audience exchange.Audience
	class    exchange.ContentClass
}

func wavesOf(t *testing.T, w *servertest.World, id exchange.ReleaseID) map[classTo]time.Time {
	t.Helper()
	v, err := w.X.Releases.Read(t.Context(), w.Operator, id)
	if err != nil {
		t.Fatal(err)
	}
	out := map[classTo]time.Time{}
	for _, wave := range v.Waves {
		for _, c := range wave.Classes {
			out[classTo{wave.Audience, c}] = wave.At
		}
	}
	return out
}
