package release_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

func unchanged(t *testing.T, before, after map[string][]string) {
	t.Helper()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("something was changed (-before +after):\n%s", diff)
	}
}

var errCrash = errors.New("the machine stopped here")

// crashing is a store whose transactions break off after a number of calls, as
// a machine does that stops in the middle.
type crashing struct {
	release.Store
	after int  // calls that succeed; -1: all
	run   int  // calls of the present Update
	calls int  // the most of any Update since it was set
	late  bool // break off after the call was made, not before
	dead  bool // it has broken off: nothing runs any more
}

func (c *crashing) Update(ctx context.Context, fn func(release.Tx) error) error {
	if c.dead {
		return errCrash
	}
	return c.Store.Update(ctx, func(tx release.Tx) error {
		c.run = 0
		err := fn(crashTx{tx, c})
		c.calls = max(c.calls, c.run)
		if err == nil && c.after == c.run {
			err = errCrash // after the last call, before the commit
		}
		c.dead = errors.Is(err, errCrash)
		return err
	})
}

type crashTx struct {
	release.Tx
	c *crashing
}

// do makes one call of the transaction.
func do[T any](t crashTx, f func() (T, error)) (v T, err error) {
	t.c.run++
	stop := t.c.after >= 0 && t.c.run > t.c.after
	if stop && !t.c.late {
		return v, errCrash
	}
	if v, err = f(); err == nil && stop {
		err = errCrash
	}
	return v, err
}

func run(t crashTx, f func() error) error {
	_, err := do(t, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

func (t crashTx) Record(e exchange.Event) (int64, error) {
	return do(t, func() (int64, error) { return t.Tx.Record(e) })
}
func (t crashTx) BumpGeneration() error { return run(t, t.Tx.BumpGeneration) }
func (t crashTx) Charter(p exchange.ProgramID) (exchange.Charter, error) {
	return do(t, func() (exchange.Charter, error) { return t.Tx.Charter(p) })
}

func (t crashTx) Release(id exchange.ReleaseID) (exchange.Release, error) {
	return do(t, func() (exchange.Release, error) { return t.Tx.Release(id) })
}

func (t crashTx) PutRelease(r *exchange.Release) error {
	return run(t, func() error { return t.Tx.PutRelease(r) })
}

func (t crashTx) PutApproval(id exchange.ReleaseID, a exchange.Approval) error {
	return run(t, func() error { return t.Tx.PutApproval(id, a) })
}

func (t crashTx) ArtifactsOf(id exchange.ReleaseID) ([]exchange.Artifact, error) {
	return do(t, func() ([]exchange.Artifact, error) { return t.Tx.ArtifactsOf(id) })
}

func (t crashTx) WavesOf(id exchange.ReleaseID) ([]exchange.WaveRecord, error) {
	return do(t, func() ([]exchange.WaveRecord, error) { return t.Tx.WavesOf(id) })
}

func (t crashTx) PutPlanned(id exchange.ReleaseID, ws []exchange.WaveRecord) error {
	return run(t, func() error { return t.Tx.PutPlanned(id, ws) })
}

func (t crashTx) SetWave(old, now exchange.WaveRecord) error {
	return run(t, func() error { return t.Tx.SetWave(old, now) })
}

func (t crashTx) DueWaves(now time.Time, limit int) ([]exchange.WaveRecord, error) {
	return do(t, func() ([]exchange.WaveRecord, error) { return t.Tx.DueWaves(now, limit) })
}

func (t crashTx) OpeningsOf(id exchange.ReleaseID) ([]release.Opening, error) {
	return do(t, func() ([]release.Opening, error) { return t.Tx.OpeningsOf(id) })
}

func (t crashTx) OpenTo(r exchange.Release, a exchange.Audience, arts []exchange.Artifact) (int64, error) {
	return do(t, func() (int64, error) { return t.Tx.OpenTo(r, a, arts) })
}

func (t crashTx) Expose(es []exchange.Exposure) error {
	return run(t, func() error { return t.Tx.Expose(es) })
}

func (t crashTx) Notify(orgs []exchange.OrgID, n exchange.Notice) error {
	return run(t, func() error { return t.Tx.Notify(orgs, n) })
}

func (t crashTx) Recipients(p exchange.ProgramID) ([]release.Recipient, error) {
	return do(t, func() ([]release.Recipient, error) { return t.Tx.Recipients(p) })
}

func (t crashTx) HoldersOf(id exchange.ReleaseID) ([]release.Held, error) {
	return do(t, func() ([]release.Held, error) { return t.Tx.HoldersOf(id) })
}

// Every change of plan breaks off at every call of its transaction, before the
// call and after it: the old plan stands whole each time. Then it goes through.
func TestBrokenOffAnywhereLeavesTheOldPlan(t *testing.T) {
	w := servertest.New(t)
	// broken breaks do off wherever it can be, then lets it through.
	broken := func(t *testing.T, do func(*release.Service) error) {
		t.Helper()
		store := &crashing{Store: sqlstore.For[release.Tx](w.DB)}
		s := release.New(release.Config{Store: store, Now: w.Clock.Now})
		before := w.Dump()
		for store.after = 0; ; store.after++ {
			passed := 0
			for _, store.late = range []bool{false, true} {
				store.calls, store.dead = 0, false
				err := do(s)
				if !errors.Is(err, errCrash) {
					t.Fatalf("broken off after %d calls (late %t): %v", store.after, store.late, err)
				}
				unchanged(t, before, w.Dump())
				if store.calls <= store.after {
					passed++
				}
			}
			if t.Failed() {
				return
			}
			if passed == 2 { // it ran to its end and was broken off before the commit
				break
			}
		}
		if store.after < 3 {
			t.Errorf("only %d calls: was it broken off at all?", store.after)
		}
		store.after, store.dead = -1, false
		if err := do(s); err != nil {
			t.Fatalf("after %d times: %v", 2*store.after, err)
		}
		if after := w.Dump(); cmp.Equal(before, after) {
			t.Error("nothing was changed at last")
		}
	}
	ctx := t.Context()
	for _, c := range []struct {
		name  string
		state exchange.ReleaseState
		do    func(s *release.Service, r exchange.Release) error
	}{
		{"create", exchange.ReleaseDraft, func(s *release.Service, r exchange.Release) error {
			_, err := s.Create(ctx, w.Operator, release.Draft{Program: r.Program, Title: "t", T0: far})
			return err
		}},
		{"edit", exchange.ReleaseReleasing, func(s *release.Service, r exchange.Release) error {
			_, err := s.Edit(ctx, w.Operator, r.ID, titled("Another"), r.Version)
			return err
		}},
		{"send", exchange.ReleaseDraft, func(s *release.Service, r exchange.Release) error {
			_, err := s.Send(ctx, w.Operator, r.ID, r.Version)
			return err
		}},
		{"approve", exchange.ReleaseWaiting, func(s *release.Service, r exchange.Release) error {
			_, err := s.Approve(ctx, w.ApproverA, r.ID, r.Revision)
			return err
		}},
		{"move", exchange.ReleaseReleasing, func(s *release.Service, r exchange.Release) error {
			_, err := s.Move(ctx, w.Operator, r.ID, r.Plan.T0.AddDate(0, 0, 3), because)
			return err
		}},
		{"hold", exchange.ReleaseReleasing, func(s *release.Service, r exchange.Release) error {
			_, err := s.Hold(ctx, w.Operator, r.ID, exchange.PublicAudience, time.Time{}, because)
			return err
		}},
		{"kill", exchange.ReleaseArmed, func(s *release.Service, r exchange.Release) error {
			_, err := s.Kill(ctx, w.Operator, r.ID, early, time.Time{}, because)
			return err
		}},
		{"withdraw", exchange.ReleaseReleasing, func(s *release.Service, r exchange.Release) error {
			_, err := s.Withdraw(ctx, w.Operator, r.ID, because)
			return err
		}},
		{"contain", exchange.ReleaseReleasing, func(s *release.Service, r exchange.Release) error {
			_, err := s.Contain(ctx, w.Operator, r.ID, because)
			return err
		}},
		{"close", exchange.ReleasePublic, func(s *release.Service, r exchange.Release) error {
			_, err := s.Close(ctx, w.Operator, r.ID, because)
			return err
		}},
		{"rearm", exchange.ReleaseReleasing, func(s *release.Service, r exchange.Release) error {
			_, err := s.Rearm(ctx, w.Operator, r.ID, release.Rearm{T0: far, Reason: "incomplete", Drop: []exchange.CohortID{"validate"}})
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.T = t
			r := in(w, c.state)
			broken(t, func(s *release.Service) error { return c.do(s, r) })
		})
	}
	t.Run("resume", func(t *testing.T) {
		w.T = t
		r := in(w, exchange.ReleaseArmed)
		if _, err := w.X.Releases.Hold(ctx, w.Operator, r.ID, early, time.Time{}, because); err != nil {
			t.Fatal(err)
		}
		broken(t, func(s *release.Service) error {
			_, err := s.Resume(ctx, w.Operator, r.ID, early, time.Time{}, because)
			return err
		})
	})
	t.Run("open a wave", func(t *testing.T) {
		w.T = t
		r := in(w, exchange.ReleaseArmed)
		ws := read(w, r.ID).Waves
		w.Clock.Set(ws[0].At)
		broken(t, func(s *release.Service) error {
			s.Wake() // else it waits before it tries again
			return s.OpenDue(ctx)
		})
		open := 0
		for _, wave := range read(w, r.ID).Waves {
			if wave.State == exchange.WaveOpen {
				open++
			}
		}
		if open != 2 { // the cohort's two audiences
			t.Errorf("%d waves are open", open)
		}
	})
}
