package delivery

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Loss is what was taken back from an organisation.
type Loss struct {
	Program exchange.ProgramID
	// Class is the handling class of what was asked for, and Was its artifact's
	// handling before it was taken back: to whom it was withheld then has lost
	// nothing. 0: it was given for certain.
	Class int64
	Was   exchange.Handling
	Copy  bool  // asked for by the identifier of the copy that the organisation was given
	Part  bool  // the organisation was given a copy, and the object itself was asked for
	Gone  error // of the kind exchange.Gone; nil: nothing was taken back
}

// lost is the answer to a miss: that what was asked for was taken back, to those
// who were given it, and err to everybody else. What that costs does not depend
// on whether the id exists. program is the STIX object's, where it is one.
func (s *Service) lost(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string, err error) error {
	if s.c.Gone == nil || a.Anonymous() || exchange.KindOf(err) != exchange.NotFound {
		return err
	}
	l, failed := s.c.Gone(ctx, a, program, id)
	if failed != nil {
		return failed
	}
	if l.Gone == nil {
		return err
	}
	v, failed := s.view(ctx, a, l.Program)
	if exchange.KindOf(failed) == exchange.NotFound || failed == nil && !v.reads() {
		return err
	}
	had := l.Class == 0
	if failed == nil && !had {
		failed = s.c.Store.View(ctx, func(tx Tx) (err error) {
			had, err = v.had(tx, l, s.c.Now())
			return err
		})
	}
	switch {
	case failed != nil:
		return failed
	case !had:
		return err
	}
	return l.Gone
}

// had reports whether the reader might have what it lost, before it was taken back.
func (v *view) had(tx Tx, l Loss, now time.Time) (bool, error) {
	h, err := tx.HandlingClass(l.Class)
	if err != nil {
		return false, err
	}
	art, err := tx.ArtifactByNumber(h.Artifact)
	if err != nil {
		return false, err
	}
	art.RecalledAt, art.Handling, h.Handling.Expires = time.Time{}, l.Was, time.Time{}
	k, err := v.facts(tx, art, h)
	if err != nil {
		return false, err
	}
	d := policy.Decide(v.r, k.item, now)
	switch {
	case l.Copy:
		return d.Allowed(), nil
	case l.Part && len(h.Fields) == 0: // something that it refers to was withheld
		return false, nil
	}
	return d.Entire(), nil
}

// Sees answers nil when the actor may have the artifact, and exchange.NotFound
// otherwise. It is no look at it: nothing is recorded.
func (s *Service) Sees(ctx context.Context, a exchange.Actor, id exchange.ArtifactID) error {
	_, _, err := s.entitled(ctx, a, id)
	return err
}

// SeesObject is Sees for a STIX object.
func (s *Service) SeesObject(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string) error {
	v, err := s.view(ctx, a, program)
	if err != nil {
		return err
	}
	return s.look(ctx, func(l *looking) error {
		e, err := l.view(v).newest(id)
		if err == nil && e.Object == 0 {
			err = exchange.Missing()
		}
		return err
	})
}

// mourned reports whether the newest that the reader has of an object says that
// it was taken back. Machines that follow a collection are given that; who asks
// for the object itself is told.
func mourned(k *class, a exchange.Actor) bool {
	return k.artifact.Kind == exchange.ArtifactTombstone && a.Channel != exchange.ChannelTAXII
}
