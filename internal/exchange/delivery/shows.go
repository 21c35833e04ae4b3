package delivery

import (
	"context"
	"maps"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Shows answers which objects, given by number and handling class, stand in the
// actor's collection now, as they are. Whoever has none is shown nothing.
func (s *Service) Shows(ctx context.Context, a exchange.Actor, program exchange.ProgramID, objects, classes []int64) ([]bool, error) {
	out := make([]bool, len(objects))
	v, err := s.view(ctx, a, program)
	if exchange.KindOf(err) == exchange.NotFound || err == nil && !v.reads() {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	return out, s.look(ctx, func(l *looking) error {
		clear(out)
		at := map[int64][]int{} // by object, those to look at
		for i, seq := range objects {
			if !v.holding(seq>>24, seq&positions, func(stretch) bool { return true }) {
				continue
			}
			k, err := v.classOf(l.tx, classes[i], s.c.Now())
			if err != nil {
				return err
			}
			if k.decision.Allowed() {
				at[seq] = append(at[seq], i)
			}
		}
		es, err := l.tx.EntriesOf(slices.Sorted(maps.Keys(at)))
		if err != nil {
			return err
		}
		for i := range es {
			es[i].Added = v.added(es[i].Object)
		}
		os, err := l.view(v).outcomes(es)
		if err != nil {
			return err
		}
		for i, e := range es {
			for _, n := range at[e.Object] {
				out[n] = os[i].entire()
			}
		}
		return nil
	})
}

// named is an artifact as the reader is shown it beside an object. Of a journal
// it is who wrote it that is kept from other members, unless the charter shows
// them each other's names; a journal has no hash.
func (v *view) named(a exchange.Artifact) exchange.Artifact {
	if a.Kind != exchange.ArtifactJournal && a.Kind != exchange.ArtifactTombstone {
		return a
	}
	a.SHA256 = ""
	if !v.r.Owner && v.r.Org != a.Originator && (v.charter.Visibility.MembersSee != exchange.SeeNames || v.hidden[a.Originator]) {
		a.Originator, a.SubmittedBy = "", ""
	}
	return a
}
