package witness

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Held says why nothing may be released in a program at the moment; empty: nothing
// keeps it. A charter that does not ask for it, and one without witnesses, holds
// nothing.
//
// Releases are held while somebody's disagreement is open, and while an entry that
// is older than the charter's grace is cosigned by fewer than its quorum.
func (s *Service) Held(tx Tx, c exchange.Charter) (string, error) {
	if !c.Ledger.Stop || len(c.Ledger.Witnesses) == 0 {
		return "", nil
	}
	l, err := s.c.Current()
	if err != nil {
		return "", fmt.Errorf("opening the ledger: %w", err)
	}
	return lacking(tx, l, c)
}

// lacking says in which way the witnesses of a program do not agree; empty: they
// do.
func lacking(tx Tx, l Ledger, c exchange.Charter) (string, error) {
	ds, err := tx.DisagreementsOf(c.ID, l.Number)
	if err != nil {
		return "", err
	}
	for _, d := range ds {
		if _, listed := c.Ledger.ByKey(d.Key); d.Open() && (listed || d.Key == "") {
			return d.Words(), nil
		}
	}
	states, err := tx.WitnessStates(l.Number)
	if err != nil {
		return "", err
	}
	covered := quorumSize(c.Ledger, states)
	if covered >= l.Log.Size() {
		return "", nil
	}
	at, err := tx.EventTime(l.Base + covered + 1)
	if err != nil {
		if exchange.KindOf(err) == exchange.NotFound {
			err = nil
		}
		return "", err
	}
	since := at
	for _, w := range c.Ledger.Witnesses {
		i := slices.IndexFunc(states, func(st State) bool { return st.Key == w.Key })
		switch {
		case i < 0: // named just now
			since = tx.Now()
		case states[i].Listed.After(since):
			since = states[i].Listed
		}
	}
	if tx.Now().Sub(since) <= c.Ledger.Within() {
		return "", nil
	}
	return fmt.Sprintf("fewer than %d of the %d witnesses have cosigned what was recorded since %s",
		c.Ledger.Quorum, len(c.Ledger.Witnesses), at.Format(time.RFC3339)), nil
}

// quorumSize is how many entries at least a quorum of the witnesses cosigned.
func quorumSize(w exchange.Witnessing, states []State) int64 {
	var sizes []int64
	for _, st := range states {
		if _, listed := w.ByKey(st.Key); listed {
			sizes = append(sizes, st.Size)
		}
	}
	if len(sizes) < w.Quorum || w.Quorum < 1 {
		return 0
	}
	slices.SortFunc(sizes, func(a, b int64) int { return int(min(1, max(-1, b-a))) })
	return sizes[w.Quorum-1]
}

// watch says in the log when releases begin to be held and when they go on, and
// lets them go on.
func (s *Service) watch(ctx context.Context, f facts) error {
	now := map[exchange.ProgramID]string{}
	err := s.c.Store.View(ctx, func(tx Tx) error {
		clear(now)
		for _, c := range f.charters {
			if !c.Ledger.Stop {
				continue
			}
			reason, err := lacking(tx, f.ledger, c)
			if err != nil {
				return err
			}
			if reason != "" {
				now[c.ID] = reason
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	before := s.stops
	s.stops = now
	s.mu.Unlock()
	for p, reason := range now {
		if before[p] != reason {
			s.c.Log.Warn("releases are held", "program", string(p), "reason", reason)
		}
	}
	resumed := false
	for p := range before {
		if now[p] == "" {
			resumed = true
			s.c.Log.Info("releases go on", "program", string(p))
		}
	}
	if resumed {
		s.c.Resume()
	}
	return nil
}
