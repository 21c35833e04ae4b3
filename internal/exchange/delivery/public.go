package delivery

import (
	"context"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// PublicReleases lists what is public, of all programs, newest first. One of
// them, and what is in it, is had as exchange.Public.
func (s *Service) PublicReleases(ctx context.Context) ([]MemberRelease, error) {
	programs, err := s.collections(ctx)
	if err != nil {
		return nil, err
	}
	var out []MemberRelease
	for _, p := range programs {
		rs, err := s.Releases(ctx, exchange.Public(), p.Program)
		if err != nil {
			return nil, err
		}
		out = append(out, rs...)
	}
	slices.SortStableFunc(out, func(a, b MemberRelease) int { return b.PublicAt.Compare(a.PublicAt) })
	return out, nil
}

// Notices lists what the actor's organisation was told, newest first. A notice
// about a release is shown to those alone who may see something of it, or who
// could until it was withdrawn.
func (s *Service) Notices(ctx context.Context, a exchange.Actor, before time.Time, limit int) ([]exchange.Notice, error) {
	if a.Anonymous() || !a.May(exchange.VerbRead) {
		return nil, exchange.Missing()
	}
	if before.IsZero() {
		before = s.c.Now().Add(time.Hour)
	}
	limit = min(max(limit, 1), MaxLimit)
	var out []exchange.Notice
	known := map[exchange.ReleaseID]bool{}
	for {
		var all []exchange.Notice
		err := s.c.Store.View(ctx, func(tx Tx) (err error) {
			all, err = tx.Notices(a.Org, before, limit)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, n := range all {
			if n.Kind == exchange.EventRecalled || n.Kind == exchange.EventRecallReminded {
				if before = n.At; a.Capped() || !a.Reaches(n.Program) { // it says of what it is, whatever the label
					continue
				}
			}
			ok, asked := known[n.Release]
			if !asked && n.Release != "" {
				if ok, err = s.mayBeTold(ctx, a, n.Release); err != nil {
					return nil, err
				}
				known[n.Release] = ok
			}
			if before = n.At; ok || n.Release == "" {
				out = append(out, n)
			}
			if len(out) == limit {
				return out, s.settled(ctx)
			}
		}
		if len(all) < limit {
			return out, s.settled(ctx)
		}
	}
}

func (s *Service) mayBeTold(ctx context.Context, a exchange.Actor, id exchange.ReleaseID) (bool, error) {
	var r exchange.Release
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		r, err = tx.Release(id)
		return err
	})
	if err != nil {
		return false, err
	}
	if r.State != exchange.ReleaseWithdrawn {
		err := s.MaySee(ctx, a, id)
		if exchange.KindOf(err) == exchange.NotFound {
			return false, nil
		}
		return err == nil, err
	}
	v, err := s.view(ctx, a, r.Program)
	if exchange.KindOf(err) == exchange.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// As if it had not been withdrawn: who could see it may know that it was.
	seen := false
	err = s.c.Store.View(ctx, func(tx Tx) error {
		arts, err := tx.ArtifactsOf(id)
		if err != nil {
			return err
		}
		for _, art := range arts {
			k, err := v.wholeFacts(tx, art)
			if err != nil {
				return err
			}
			k.item.State = exchange.ReleaseReleasing
			k.decide(v.r, s.c.Now(), policy.Decide)
			seen = seen || k.decision.Allowed()
		}
		return nil
	})
	return seen, err
}

// MarkRead notes that the organisation has read a notice.
func (s *Service) MarkRead(ctx context.Context, a exchange.Actor, id exchange.NoticeID) error {
	if a.Anonymous() {
		return exchange.Missing()
	}
	return s.c.Store.Update(ctx, func(tx Tx) error { return tx.MarkRead(a.Org, id) })
}
