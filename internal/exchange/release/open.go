package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

const (
	recheck = time.Second // how stale another node's change of plan may be here
	onTime  = time.Second // what opens later than this after its instant is late
)

// OpenDue opens every wave whose moment has come, in order of their instants,
// each whole in a transaction of its own. It costs nothing while none is due. What
// may not open now stays on the clock and is tried again.
func (s *Service) OpenDue(ctx context.Context) error {
	now := s.c.Now()
	s.mu.Lock()
	idle := !s.checked.IsZero() && !now.Before(s.checked) && now.Sub(s.checked) < recheck && (s.next.IsZero() || s.next.After(now))
	s.mu.Unlock()
	if idle {
		return nil
	}
	var failed error
	skip := map[wave]bool{}
	for {
		s.mu.Lock()
		changes := s.changes
		s.mu.Unlock()
		next, err := s.nextWave(ctx)
		if err != nil {
			return err
		}
		w := wave{}
		if !next.IsZero() && !next.After(now) {
			w, err = s.openNext(ctx, skip)
		}
		switch {
		case err != nil && (w == wave{} || ctx.Err() != nil):
			return fmt.Errorf("opening waves: %w", err)
		case err != nil:
			// One wave that cannot open does not keep the others from it.
			if skip[w] = true; !errors.Is(err, errStopped) {
				failed = fmt.Errorf("opening the wave to %s of %s: %w", w.audience, w.release, err)
			}
		case w == wave{}:
			s.look(next, now, changes)
			return failed
		case s.c.Opened != nil:
			s.c.Opened()
		}
	}
}

// wave names one wave on the clock.
type wave struct {
	release  exchange.ReleaseID
	audience exchange.Audience
	at       int64
}

const again = 5 * time.Second // after which a wave that failed is tried again

// look remembers when the next wave is due, unless the plan changed after it
// was read.
func (s *Service) look(next, now time.Time, changes int) {
	if !next.IsZero() && !next.After(now) { // what is still due has failed
		next = now.Add(again)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if changes == s.changes {
		s.next, s.checked = next, now
	}
}

func (s *Service) nextWave(ctx context.Context) (next time.Time, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		next, err = tx.NextWave()
		return err
	})
	return next, err
}

// Wake makes the timetable look again: the plan changed.
func (s *Service) Wake() {
	s.mu.Lock()
	s.checked = time.Time{}
	s.changes++
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run opens waves on the clock until ctx ends.
func (s *Service) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.OpenDue(ctx); err != nil && ctx.Err() == nil {
			s.c.Log.Error("opening waves", "err", err)
		}
		s.mu.Lock()
		wait := recheck
		if d := s.next.Sub(s.c.Now()); !s.next.IsZero() && d < wait {
			wait = max(d, time.Millisecond)
		}
		s.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// openNext opens the first wave that is due and not to be skipped, and names
// it; the zero wave: there is none.
func (s *Service) openNext(ctx context.Context, skip map[wave]bool) (opened wave, err error) {
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		opened = wave{}
		ws, err := tx.DueWaves(tx.Now(), len(skip)+1)
		if err != nil {
			return err
		}
		for _, w := range ws {
			if key := (wave{w.Release, w.Audience, w.At.UnixMicro()}); !skip[key] {
				opened = key
				if err := s.stoppedWave(tx, w); err != nil {
					return err
				}
				return open(tx, w)
			}
		}
		return nil
	})
	return opened, err
}

// open gives a wave's content to its audience: the release's state, what was
// given, the feed, who was offered it, the notices and the event in one
// transaction.
func open(tx Tx, w exchange.WaveRecord) error {
	r, err := tx.Release(w.Release)
	if err != nil {
		return err
	}
	c, err := tx.Charter(r.Program)
	if err != nil {
		return err
	}
	if c.ReadOnlyAt(tx.Now()) {
		return lapse(tx, r, w, c)
	}
	f, err := factsOf(tx, r)
	if err != nil {
		return err
	}
	give := f.lacking(w.Audience, w.Classes)
	done := w
	done.State, done.OpenedAt = exchange.WaveOpen, tx.Now()
	if late := tx.Now().Sub(w.At); late > onTime {
		done.Late = late
	}
	seq, err := tx.Record(waveEvent(r, done, give))
	if err != nil {
		return err
	}
	if done.Objects, err = tx.OpenTo(r, w.Audience, give); err != nil {
		return err
	}
	advance(&r, w, tx.Now())
	if err := offerWave(tx, c, r, w.Audience, give, seq); err != nil {
		return err
	}
	if err := tx.SetWave(w, done); err != nil {
		return err
	}
	if err := tx.PutRelease(&r); err != nil {
		return err
	}
	return tx.BumpGeneration()
}

// lapse takes a wave off the clock whose moment came after the program's
// sunset: what was given stays readable, nothing new is given.
func lapse(tx Tx, r exchange.Release, w exchange.WaveRecord, c exchange.Charter) error {
	off := w
	off.State = exchange.WaveKilled
	if err := tx.SetWave(w, off); err != nil {
		return err
	}
	_, err := tx.Record(event(exchange.EventWaveKilled, exchange.System(), r, exchange.Detail{
		"audience": w.Audience.String(), "planned": w.At, "reason": "the program's sunset date " + c.Sunset.String() + " has passed",
	}))
	return err
}

// advance moves the release to the state that follows the opening of w.
func advance(r *exchange.Release, w exchange.WaveRecord, now time.Time) {
	r.State = exchange.ReleaseReleasing
	if w.Audience == exchange.PublicAudience && r.PublicAt.IsZero() {
		r.PublicAt = now
	}
	if !r.PublicAt.IsZero() {
		r.State = exchange.ReleasePublic
	}
}

func waveEvent(r exchange.Release, w exchange.WaveRecord, give []exchange.Artifact) exchange.Event {
	e := event(exchange.EventWaveOpened, exchange.System(), r, exchange.Detail{
		"audience": w.Audience.String(), "planned": w.At, "late_ms": w.Late.Milliseconds(),
	})
	for _, a := range give {
		e.Subject = append(e.Subject, string(a.ID))
	}
	return e
}
