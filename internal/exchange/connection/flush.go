package connection

import (
	"context"
	"fmt"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Flush writes down what was observed. The server calls it every few seconds
// and at its end; no request of a machine waits for it.
func (s *Service) Flush(ctx context.Context) error {
	s.flushing.Lock() // of two, the second finds everything written
	defer s.flushing.Unlock()
	pending := s.pending()
	if len(pending) == 0 {
		return nil
	}
	var unknown []exchange.TokenID
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		unknown = nil
		for id, d := range pending {
			c, err := tx.ConnectionOf(id)
			if exchange.KindOf(err) == exchange.NotFound {
				unknown = append(unknown, id)
				continue
			}
			if err != nil {
				return err
			}
			if err := tx.PutStats(c.ID, merge(c.Stats, d)); err != nil {
				return err
			}
			if len(d.errs) > 0 {
				if err := tx.AddPollErrors(c.ID, d.errs, KeptErrors); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		s.putBack(pending)
		return fmt.Errorf("writing down polls: %w", err)
	}
	for _, id := range unknown { // tokens that are no connection
		if m := s.meter(id); m != nil {
			m.mu.Lock()
			m.unknown = true
			m.mu.Unlock()
		}
	}
	return nil
}

// pending takes what is to be written down.
func (s *Service) pending() map[exchange.TokenID]delta {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out map[exchange.TokenID]delta
	for id, m := range s.meters {
		m.mu.Lock()
		if m.dirty {
			if out == nil {
				out = map[exchange.TokenID]delta{}
			}
			out[id] = m.d
			m.d.polls, m.d.objects, m.d.errs, m.dirty = 0, 0, nil, false
		}
		m.mu.Unlock()
	}
	return out
}

// putBack returns what could not be written down.
func (s *Service) putBack(pending map[exchange.TokenID]delta) {
	for id, d := range pending {
		m := s.meter(id)
		if m == nil {
			continue
		}
		m.mu.Lock()
		m.d.polls += d.polls
		m.d.objects += d.objects
		m.d.errs = append(d.errs, m.d.errs...)
		m.d.errs = m.d.errs[max(0, len(m.d.errs)-KeptErrors):]
		m.dirty = true
		m.mu.Unlock()
	}
}

// merge is what is known with what was observed since.
func merge(s Stats, d delta) Stats {
	s.Polls += d.polls
	s.Objects += d.objects
	n := d.now
	if n.LastAt.After(s.LastAt) {
		s.LastAt, s.LastStatus = n.LastAt, n.LastStatus
	}
	if d.polls > 0 {
		s.LastAfter, s.LastObjects = n.LastAfter, n.LastObjects
		if !n.LastCursor.IsZero() {
			s.LastCursor = n.LastCursor
		}
		if n.Usual > 0 {
			s.Usual = n.Usual
		}
	}
	s.LoopAt = exchange.Later(s.LoopAt, n.LoopAt)
	s.RestartAt = exchange.Later(s.RestartAt, n.RestartAt)
	s.SkipAt = exchange.Later(s.SkipAt, n.SkipAt)
	return s
}
