package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// classesOf returns the handling classes of a block with the verdicts that hold
// at now. What is new to the view is read in one snapshot.
func (s *Service) classesOf(ctx context.Context, v *view, ids []int64, now time.Time) ([]*class, error) {
	all := make([]*class, len(ids))
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		for n, id := range ids {
			if all[n], err = v.classOf(tx, id, now); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// decided appends the classes with the verdicts that hold at now, which costs one
// look for all of them; all is false where some were not decided on.
func (v *view) decided(ids []int64, now time.Time, into []*class) (out []*class, all bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, id := range ids {
		k := v.classes[id]
		if k == nil || !k.holds(now) {
			return into, false
		}
		into = append(into, k)
	}
	return into, true
}

func (v *view) known(id int64) *class {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.classes[id]
}

// classOf returns a handling class with the verdict that holds at now.
func (v *view) classOf(tx Tx, id int64, now time.Time) (*class, error) {
	k := v.known(id)
	if k != nil {
		return v.decideOn(k, id, now), nil
	}
	h, err := tx.HandlingClass(id)
	if err != nil {
		return nil, fmt.Errorf("reading a handling class: %w", err)
	}
	return v.classIs(tx, h, now)
}

// classIs is classOf for a handling class that was read.
func (v *view) classIs(tx Tx, h exchange.HandlingClass, now time.Time) (*class, error) {
	k := v.known(h.ID)
	if k == nil {
		of, err := v.artifact(tx, h.Artifact)
		if err != nil {
			return nil, err
		}
		k = of.under(h)
	}
	return v.decideOn(k, h.ID, now), nil
}

// decideOn takes the decision on a handling class, unless one holds.
func (v *view) decideOn(k *class, id int64, now time.Time) *class {
	if k.holds(now) {
		return k
	}
	fresh := *k
	fresh.decision = policy.Decide(v.r, k.item, now)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.classes[id] = &fresh
	return &fresh
}

// holds reports whether the decision was taken and still holds at now.
func (k *class) holds(now time.Time) bool {
	d := &k.decision
	return !d.At.IsZero() && !now.Before(d.At) && (d.Until.IsZero() || now.Before(d.Until))
}

// under is an artifact under the markings of some of its objects, not decided on.
func (k *class) under(h exchange.HandlingClass) *class {
	of := *k
	of.item = k.item.Under(h)
	return &of
}

// artifact is what is known of an artifact without its handling classes. The
// latest is kept: blocks are read artifact by artifact.
func (v *view) artifact(tx Tx, number int64) (*class, error) {
	v.mu.Lock()
	k := v.latest
	v.mu.Unlock()
	if k != nil && k.artifact.Number == number {
		return k, nil
	}
	art, err := tx.ArtifactByNumber(number)
	if err != nil {
		return nil, err
	}
	if k, err = v.ground(tx, art); err != nil {
		return nil, err
	}
	v.mu.Lock()
	v.latest = k
	v.mu.Unlock()
	return k, nil
}

// facts gathers what is known of an artifact, or, where h has a number, of its
// objects under h, for this reader's audience.
func (v *view) facts(tx Tx, art exchange.Artifact, h exchange.HandlingClass) (*class, error) {
	k, err := v.ground(tx, art)
	if err != nil || h.ID == 0 {
		return k, err
	}
	return k.under(h), nil
}

// ground is facts without a handling class.
func (v *view) ground(tx Tx, art exchange.Artifact) (*class, error) {
	r, err := tx.Release(art.Release)
	if err != nil {
		return nil, err
	}
	k := &class{artifact: art, release: r, item: policy.ItemOf(r, art, v.required)}
	if k.item.PublicAt, err = tx.OpenedTo(art.Number, exchange.PublicAudience); err != nil {
		return nil, err
	}
	if v.r.Audience.Cohort == "" {
		return k, nil
	}
	if k.item.OpenedAt, err = tx.OpenedTo(art.Number, v.r.Audience); err != nil {
		return nil, err
	}
	if k.item.OpenedAt.IsZero() {
		if k.item.OpensAt, err = tx.PlannedFor(art.Release, v.r.Audience, art.Class); err != nil {
			return nil, err
		}
	}
	k.item.GrantedAt, k.item.GrantedUntil, err = tx.OpenedToOrg(art.Number, v.r.Org)
	return k, err
}
