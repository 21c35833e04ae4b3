package delivery

import (
	"context"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// public is everyone's view of a program.
func public(c exchange.Charter) *view {
	return newView(c, policy.Recipient{Anonymous: true, MayRead: true, Channel: exchange.ChannelPublic}, time.Time{})
}

// PublicReleases lists what is public, newest first, for everyone.
func (s *Service) PublicReleases(ctx context.Context) ([]MemberRelease, error) {
	if err := s.c.Due(ctx); err != nil {
		return nil, err
	}
	var out []MemberRelease
	err := s.c.Store.View(ctx, func(tx Tx) error {
		cs, err := tx.Charters()
		if err != nil {
			return err
		}
		for _, c := range cs {
			rs, err := tx.ReleasesOf(c.ID)
			if err != nil {
				return err
			}
			for _, r := range rs {
				m, err := publicPart(tx, c, r, s.c.Now())
				if err != nil {
					return err
				}
				if len(m.Items) > 0 {
					out = append(out, m)
				}
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b MemberRelease) int { return b.PublicAt.Compare(a.PublicAt) })
	return out, err
}

// publicPart is what everyone may see of a release. The message is written to
// members and stays with them.
func publicPart(tx Tx, c exchange.Charter, r exchange.Release, now time.Time) (MemberRelease, error) {
	if r.PublicAt.IsZero() {
		return MemberRelease{}, nil
	}
	m, _, err := public(c).release(tx, r, now)
	m.Message = ""
	return m, err
}

// PublicRelease returns what everyone may see of one release.
func (s *Service) PublicRelease(ctx context.Context, id exchange.ReleaseID) (MemberRelease, error) {
	if err := s.c.Due(ctx); err != nil {
		return MemberRelease{}, err
	}
	var m MemberRelease
	err := s.c.Store.View(ctx, func(tx Tx) error {
		r, err := tx.Release(id)
		if err != nil {
			return err
		}
		c, err := tx.Charter(r.Program)
		if err != nil {
			return err
		}
		if m, err = publicPart(tx, c, r, s.c.Now()); err != nil {
			return err
		}
		if len(m.Items) == 0 {
			return exchange.Missing()
		}
		return nil
	})
	if err != nil {
		return MemberRelease{}, err
	}
	return m, nil
}

// PublicContent returns the bytes of a public artifact.
func (s *Service) PublicContent(ctx context.Context, id exchange.ArtifactID) (*Content, error) {
	if err := s.c.Due(ctx); err != nil {
		return nil, err
	}
	var k *class
	err := s.c.Store.View(ctx, func(tx Tx) error {
		art, err := tx.Artifact(id)
		if err != nil {
			return err
		}
		c, err := tx.Charter(art.Program)
		if err != nil {
			return err
		}
		k, err = public(c).artifact(tx, art, s.c.Now())
		return err
	})
	if err != nil {
		return nil, err
	}
	permit, ok := k.decision.Permit(k.artifact.Number)
	if !ok || !k.whole {
		return nil, exchange.Missing()
	}
	b, err := s.open(permit, k.artifact)
	if err != nil {
		return nil, err
	}
	return &Content{Artifact: k.artifact, Blob: b}, nil
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
				return out, nil
			}
		}
		if len(all) < limit {
			return out, nil
		}
	}
}

func (s *Service) mayBeTold(ctx context.Context, a exchange.Actor, id exchange.ReleaseID) (bool, error) {
	r, err := s.find(ctx, id)
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
	before := r
	before.State = exchange.ReleaseReleasing
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
			k.item.State = before.State
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
