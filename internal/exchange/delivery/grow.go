package delivery

import (
	"context"
	"maps"
	"slices"
	"sort"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// tail is a feed that is read on, after the run with the base last.
type tail struct{ feed, last int64 }

// add takes up a run that follows all others, without the positions that stand
// in an earlier one: they keep their date.
func (v *view) add(r Run) {
	v.mu.Lock()
	defer v.mu.Unlock()
	before := v.places[r.Artifact]
	if n := len(before); n > 0 {
		r.lo = max(r.lo, before[n-1].hi+1)
	}
	if r.lo > r.hi {
		return
	}
	v.places[r.Artifact] = append(before, r)
	v.runs = append(v.runs, r)
	if !v.given[r.Artifact] {
		given := make(map[int64]bool, len(v.given)+1) // others may be reading it
		maps.Copy(given, v.given)
		given[r.Artifact] = true
		v.given = given
	}
}

// where is the run by which an object stands in the view.
func (v *view) where(seq int64) (Run, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	rs := v.places[seq>>24]
	p := seq & positions
	i := sort.Search(len(rs), func(i int) bool { return rs[i].hi >= p })
	if i == len(rs) || rs[i].lo > p {
		return Run{}, false
	}
	return rs[i], true
}

// grown is the view with what has come into its feeds until arrivals. Only the
// newest version of a view grows, so that versions may share memory: an older
// one does not look beyond its own end.
func (s *Service) grown(ctx context.Context, v *view, arrivals int64, keep func(*view)) (*view, error) {
	v.growing.Lock()
	defer v.growing.Unlock()
	old := v.newest
	if old.arrivals >= arrivals {
		return old, nil
	}
	next := &view{
		charter: old.charter, required: old.required, lapses: old.lapses, r: old.r, runs: old.runs, given: old.given,
		arrivals: arrivals, open: slices.Clone(old.open), verdicts: old.verdicts,
	}
	err := s.c.Store.View(ctx, func(tx Tx) error {
		for i, t := range next.open {
			runs, err := tx.RunsOf(t.feed, t.last)
			if err != nil {
				return err
			}
			for _, r := range runs {
				r.lo, r.hi = r.First, r.First+r.N-1
				next.add(r)
				next.open[i].last = r.Base
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	v.newest = next
	keep(next)
	return next, nil
}

// Shows answers which objects, given by number and handling class, stand in the
// actor's collection now. Whoever has none is shown nothing.
func (s *Service) Shows(ctx context.Context, a exchange.Actor, program exchange.ProgramID, objects, classes []int64) ([]bool, error) {
	out := make([]bool, len(objects))
	v, err := s.view(ctx, a, program)
	if exchange.KindOf(err) == exchange.NotFound || err == nil && !v.reads() {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	return out, s.c.Store.View(ctx, func(tx Tx) error {
		for i, seq := range objects {
			if _, ok := v.where(seq); !ok {
				continue
			}
			k, err := v.classOf(tx, classes[i], s.c.Now())
			if err != nil {
				return err
			}
			out[i] = k.decision.Allowed()
		}
		return nil
	})
}

// named is an artifact as the reader is shown it beside an object. Of a journal
// it is who wrote it that is kept from other members, unless the charter shows
// them each other's names; a journal has no hash.
func (v *view) named(a exchange.Artifact) exchange.Artifact {
	if a.Kind != exchange.ArtifactJournal {
		return a
	}
	a.SHA256 = ""
	if !v.r.Owner && v.r.Org != a.Originator && v.charter.Visibility.MembersSee != exchange.SeeNames {
		a.Originator, a.SubmittedBy = "", ""
	}
	return a
}
