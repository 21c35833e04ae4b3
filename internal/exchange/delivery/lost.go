package delivery

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// lost is the answer to a miss: that what was asked for was taken back, to those
// who were given it, and err to everybody else. What that costs does not depend
// on whether the id exists. program is the STIX object's, where it is one.
func (s *Service) lost(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string, err error) error {
	if s.c.Gone == nil || a.Anonymous() || exchange.KindOf(err) != exchange.NotFound {
		return err
	}
	of, gone, failed := s.c.Gone(ctx, a, program, id)
	if failed != nil {
		return failed
	}
	if gone == nil {
		return err
	}
	v, failed := s.view(ctx, a, of)
	if exchange.KindOf(failed) == exchange.NotFound || failed == nil && !v.reads() {
		return err
	}
	if failed != nil {
		return failed
	}
	return gone
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
	return s.c.Store.View(ctx, func(tx Tx) error {
		e, err := v.newest(tx, id, s.c.Now())
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
