package delivery

import (
	"sync/atomic"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// memory is what a view remembers of how its reader has objects. It ends with
// the view, thus with the facts that it was made from.
type memory struct {
	objects map[int64]outcome
	ids     map[string]standing
	clear   map[stay]time.Time // what is given as it is, and until when
	free    map[int64]freedom  // artifacts
}

// stay is the entries of a block that stand in a run.
type stay struct {
	block uint64 // its serial
	run   int64  // its base
}

// freedom says whether all objects of an artifact are given as they are.
type freedom struct {
	ok    bool
	until time.Time
}

const (
	mostRemembered = 16_384  // of one view
	mostOfAll      = 500_000 // of all views
)

func before(now, until time.Time) bool { return until.IsZero() || now.Before(until) }

// found is what was found out about an object before, while it holds.
func (v *view) found(object int64, now time.Time, arrivals int64) (outcome, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.foundLocked(object, now, arrivals)
}

func (v *view) foundLocked(object int64, now time.Time, arrivals int64) (outcome, bool) {
	o, ok := v.memory.objects[object]
	return o, ok && before(now, o.until) && (o.entire() || o.arrivals == arrivals)
}

// stands is what was found out about an identifier before, while it holds.
func (v *view) stands(id string, now time.Time, arrivals int64) (standing, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	st, ok := v.memory.ids[id]
	return st, ok && before(now, st.until) && (st.place == entire || st.arrivals == arrivals)
}

// remember takes up what a look found out.
func (v *view) remember(r *resolver) {
	if len(r.objects)+len(r.ids) == 0 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	m := &v.memory
	if m.objects == nil {
		m.objects, m.ids = map[int64]outcome{}, map[string]standing{}
	}
	had := len(m.objects) + len(m.ids)
	for object, o := range r.objects {
		if v.room(len(m.objects), had) {
			o.until = r.until
			m.objects[object] = o
		}
	}
	for id, st := range r.ids {
		if v.room(len(m.ids), had) {
			st.until = r.until
			m.ids[id] = st
		}
	}
	v.remembered.Add(int64(len(m.objects) + len(m.ids) - had))
	if len(m.objects) >= mostRemembered || len(m.ids) >= mostRemembered {
		v.remembered.Add(int64(-len(m.objects) - len(m.ids)))
		clear(m.objects)
		clear(m.ids)
	}
}

func (v *view) room(n, had int) bool {
	return n < mostRemembered && (had > 0 || v.remembered.Load() < mostOfAll)
}

// isFree is what was found out about an artifact before, while it holds.
func (v *view) isFree(artifact int64, now time.Time) (free, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f, ok := v.memory.free[artifact]
	return f.ok, ok && before(now, f.until)
}

// isClear reports whether what stands there is known to be given as it is.
func (v *view) isClear(at stay, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	until, ok := v.memory.clear[at]
	return ok && before(now, until)
}

func (v *view) setClear(at stay, until time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.memory.clear == nil {
		v.memory.clear = map[stay]time.Time{}
	}
	makeRoom(v.memory.clear, mostRemembered)
	v.memory.clear[at] = until
}

// free reports whether all that the reader may have of an artifact is given as
// it is, without a look at what its objects refer to: to those who run the
// program, to who wrote it, and where all references stay inside it and every
// object of it may be had as it is.
func (r *resolver) free(k *class) (bool, error) {
	if ok, known := r.v.isFree(k.artifact.Number, r.now); known {
		return ok, nil
	}
	f := freedom{ok: r.v.spared(k.artifact)}
	if !f.ok && k.artifact.SelfContained {
		hs, err := r.tx.ClassesOf(k.artifact.Number)
		if err != nil {
			return false, err
		}
		f.ok = true
		for _, h := range hs {
			of, err := r.v.classIs(r.tx, h, r.now)
			if err != nil {
				return false, err
			}
			r.lasts(of.decision.Until)
			if u := of.decision.Until; !u.IsZero() && (f.until.IsZero() || u.Before(f.until)) {
				f.until = u
			}
			if !of.decision.Entire() {
				f.ok = false
				break
			}
		}
	}
	r.v.setFree(k.artifact.Number, f)
	return f.ok, nil
}

func (v *view) setFree(artifact int64, f freedom) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.memory.free == nil {
		v.memory.free = map[int64]freedom{}
	}
	makeRoom(v.memory.free, mostRemembered)
	v.memory.free[artifact] = f
}

// spared reports whether references of the artifact's objects are not asked
// about: the reader runs the program or wrote them, or they are the tombstones of
// what the reader held.
func (v *view) spared(a exchange.Artifact) bool {
	return v.r.Owner || v.r.Org != "" && a.Originator == v.r.Org || a.Kind == exchange.ArtifactTombstone
}

// serials numbers blocks as they are read.
var serials atomic.Uint64

// looks answers how the reader has the entries of a block that stand in the run,
// by their places in the block; nil: all that the classes in under allow is given
// as it is. In the common case that is known from before.
func (g *gathering) looks(b *block, run Run, under []*class) ([]outcome, error) {
	every := true
	var some *class
	for _, k := range under {
		if k != nil {
			some = k
			every = every && k.decision.Entire()
		}
	}
	free, known := g.v.isFree(some.artifact.Number, g.now)
	if known && free && every {
		return nil, nil
	}
	at := stay{b.serial, run.Base}
	if g.v.isClear(at, g.now) {
		return nil, nil
	}
	i, j := 0, b.Len()
	if run.First > b.id.First {
		i = b.Find(run.First)
	}
	if run.last() < b.last {
		j = b.Find(run.last() + 1)
	}
	out := make([]outcome, b.Len())
	missing, arrivals := []int{}, g.v.arrivals.Load()
	g.v.mu.Lock()
	for n := i; n < j; n++ {
		if under[b.kind(n)] == nil {
			continue
		}
		o, ok := g.v.foundLocked(b.id.Artifact<<24|b.Position(n), g.now, arrivals)
		if out[n] = o; !ok {
			missing = append(missing, n)
		}
	}
	g.v.mu.Unlock()
	until := time.Time{}
	if len(missing) > 0 {
		err := g.s.look(g.ctx, func(l *looking) error {
			r := l.view(g.v)
			if free, err := r.free(some); err != nil || free && every {
				known, i = true, j // nothing of it needs a look
				return err
			}
			return r.entries(b, missing, run, out)
		})
		if err != nil || i == j {
			return nil, err
		}
	}
	for n := i; n < j; n++ {
		if under[b.kind(n)] == nil {
			continue
		}
		if !out[n].entire() && !b.Entry(n).Removed {
			return out, nil
		}
		if u := out[n].until; !u.IsZero() && (until.IsZero() || u.Before(until)) {
			until = u
		}
	}
	g.v.setClear(at, until)
	return nil, nil
}

// entries settles entries of a block.
func (r *resolver) entries(b *block, at []int, run Run, out []outcome) error {
	es := make([]Entry, len(at))
	for i, n := range at {
		es[i] = b.Entry(n)
		es[i].ID, es[i].Added = b.ID(n), run.date(b.Position(n))
	}
	os, err := r.outcomes(es)
	if err != nil {
		return err
	}
	for i, n := range at {
		os[i].until = r.until
		out[n] = os[i]
	}
	return nil
}
