package webhook

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Changes tells who follows that something may be new.
type Changes interface {
	// Next is closed at the next change.
	Next() <-chan struct{}
}

// every is how often webhooks are looked at without any change.
const every = time.Minute

// touch makes Run look at a webhook now.
func (s *Service) touch(id ID) {
	s.mu.Lock()
	s.todo[id] = true
	s.mu.Unlock()
	s.wake()
}

func (s *Service) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// Round scans, sends what is due and waits for the answers.
func (s *Service) Round(ctx context.Context) error {
	if err := s.Scan(ctx); err != nil {
		return err
	}
	_, err := s.Send(ctx)
	s.Wait()
	return err
}

// Run announces what is new, and sends what is due, until ctx ends; then it
// waits for the messages on their way, which ctx breaks off.
func (s *Service) Run(ctx context.Context, changes Changes) {
	defer s.Wait()
	purged := time.Time{}
	for scan := true; ctx.Err() == nil; {
		next := changes.Next() // before looking: what comes meanwhile wakes again
		touched := s.touched()
		if scan {
			s.note(ctx, "looking for what webhooks announce", s.Scan(ctx))
		} else {
			s.note(ctx, "looking for what a webhook announces", s.lookAt(ctx, touched))
		}
		due, err := s.Send(ctx)
		s.note(ctx, "sending webhooks", err)
		if now := s.c.Now(); now.Sub(purged) > 24*time.Hour {
			purged = now
			s.note(ctx, "forgetting old deliveries", s.c.Store.Update(ctx, func(tx Tx) error { return tx.PurgeDeliveries(now.Add(-kept)) }))
		}
		scan = s.sleep(ctx, next, due)
	}
}

func (s *Service) note(ctx context.Context, doing string, err error) {
	if err != nil && ctx.Err() == nil {
		s.c.Log.Error(doing, "err", err)
	}
}

// touched takes the webhooks of which something changed.
func (s *Service) touched() []ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Collect(maps.Keys(s.todo))
	clear(s.todo)
	return ids
}

func (s *Service) lookAt(ctx context.Context, ids []ID) error {
	for _, id := range ids {
		var w Webhook
		var st standing
		err := s.c.Store.View(ctx, func(tx Tx) (err error) {
			if w, err = tx.Webhook(id); err == nil {
				st, err = stand(tx, w)
			}
			return err
		})
		if err == nil && w.State == Active {
			err = s.look(ctx, w, st)
		}
		if err = orGone(err); err != nil {
			return err
		}
	}
	return nil
}

// sleep waits for a change, for something to send, or for the next look. It
// reports whether the views are to be looked at.
func (s *Service) sleep(ctx context.Context, next <-chan struct{}, due time.Time) (scan bool) {
	wait := every
	if !due.IsZero() {
		// What is due already waits for a place, which wakes when it is free.
		wait = min(wait, max(due.Sub(s.c.Now()), time.Second))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-s.kick:
		return false
	case <-next:
		return true
	case <-timer.C:
		return wait == every
	}
}
