package delivery

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"
)

// positions masks the position in its artifact out of an object's number.
const positions = 1<<24 - 1

// part is a piece of a page: entries of one block, or one entry by itself, all
// given under the same decision. An entry of which the reader has a copy is by
// itself.
type part struct {
	k        *class
	b        *block // nil: of alone
	from, to int    // entries of b, to excluded
	run      Run
	alone    *Entry
	made     []byte // bytes of the copy
	doubtful bool   // another object has the same identifier: see gathering.settle
}

// id is the identifier of the part's i-th entry, as the reader knows it.
func (p part) id(i int) string {
	if p.b == nil {
		return p.alone.ID
	}
	return p.b.ID(p.from + i)
}

func (p part) len() int {
	if p.b == nil {
		return 1
	}
	return p.to - p.from
}

// entry is the part's i-th entry, without its id.
func (p part) entry(i int) Entry {
	if p.b == nil {
		return *p.alone
	}
	e := p.b.Entry(p.from + i)
	e.Added = p.run.date(e.Object & positions)
	return e
}

// added is the date of the part's i-th entry.
func (p part) added(i int) int64 {
	if p.b == nil {
		return p.alone.Added
	}
	return p.run.date(p.b.Position(p.from + i))
}

// gathering is the making of one page.
type gathering struct {
	s     *Service
	ctx   context.Context
	v     *view
	q     Query
	now   time.Time
	limit int

	parts    []part
	n        int // entries in parts
	doubtful int
	shut     int   // blocks in a row of which the reader has nothing
	shutOf   int64 // the artifact that was last asked about for that

	walk walk
	few  [2]part
}

// collect gathers what the reader may see: at most limit entries, and whether
// more follow. In the common case that is the verdict on a class for each
// block, and no statement.
func (g *gathering) collect(ctx context.Context, s *Service, v *view, q Query) (parts []part, more bool, err error) {
	g.s, g.ctx, g.v, g.q, g.now = s, ctx, v, q, s.c.Now()
	g.limit = cmp.Or(g.limit, min(max(q.Limit, 1), MaxLimit))
	g.parts = g.few[:0]
	if len(q.IDs) > 0 {
		err := g.named()
		return g.cut(), g.n > g.limit, err
	}
	for g.walk.begin(v, q.After); ; {
		full, err := g.fill(&g.walk)
		if err == nil && g.doubtful > 0 {
			err = g.settle()
		}
		if err != nil {
			return nil, false, err
		}
		if !full || g.n > g.limit {
			return g.cut(), g.n > g.limit, nil
		}
	}
}

// cut takes the entries beyond the limit off.
func (g *gathering) cut() []part {
	for over := g.n - g.limit; over > 0; {
		last := &g.parts[len(g.parts)-1]
		if n := last.len(); n <= over {
			g.parts, over = g.parts[:len(g.parts)-1], over-n
		} else {
			last.to -= over
			over = 0
		}
	}
	return g.parts
}

// fill takes entries until there are more than the limit; false: the view has
// no further ones.
func (g *gathering) fill(w *walk) (full bool, err error) {
	for w.current.lo <= w.current.hi || w.next() {
		st := &w.current
		b, err := g.s.blockAt(g.ctx, st.Artifact, st.lo, st.hi)
		if err != nil {
			return false, err
		}
		if b == nil {
			st.lo = st.hi + 1
			continue
		}
		i, j := b.Find(st.lo), b.Len()
		if b.last > st.hi {
			j = b.Find(st.hi + 1)
		}
		upTo, err := g.take(b, i, j, st.Run)
		if err != nil {
			return false, err
		}
		if st.lo = b.last + 1; upTo < b.Len() {
			st.lo = b.Position(upTo)
		}
		if g.shut >= manyShut && g.shutOf != st.Artifact {
			g.shut, g.shutOf = 0, st.Artifact
			all, err := g.withheld(st.Artifact)
			if err != nil {
				return false, err
			}
			if all {
				st.lo = st.hi + 1
			}
		}
		if g.n > g.limit {
			return true, nil
		}
	}
	return false, nil
}

// manyShut is after how many blocks of nothing but withheld objects it is asked
// whether the whole artifact is withheld, and mostClasses how many of its handling
// classes are then looked at.
const (
	manyShut    = 16
	mostClasses = 64
)

// withheld reports whether every object of the artifact is withheld from the
// reader. The classes are read after the run: they are all that its objects have.
func (g *gathering) withheld(artifact int64) (all bool, err error) {
	err = g.s.c.Store.View(g.ctx, func(tx Tx) error {
		hs, err := tx.ClassesOf(artifact)
		if err != nil || len(hs) > mostClasses {
			return err
		}
		for _, h := range hs {
			k, err := g.v.classIs(tx, h, g.now)
			if err != nil || k.decision.Allowed() {
				return err
			}
		}
		all = true
		return nil
	})
	return all, err
}

// take takes what may be given of the entries i … j of a block, and says where
// it stopped.
func (g *gathering) take(b *block, i, j int, run Run) (upTo int, err error) {
	var held [8]*class
	under := held[:0]
	if len(b.classes) > len(held) {
		under = make([]*class, 0, len(b.classes))
	}
	under, decided := g.v.decided(b.classes, g.now, under)
	if !decided {
		if under, err = g.s.classesOf(g.ctx, g.v, b.classes, g.now); err != nil {
			return 0, err
		}
	}
	open := 0
	for n, k := range under {
		if k.decision.Allowed() {
			open++
		} else {
			under[n] = nil // withheld
		}
	}
	if open == 0 {
		g.shut++
		return j, nil
	}
	g.shut = 0
	outcomes, err := g.looks(b, run, under)
	if err != nil {
		return 0, err
	}
	if open == len(under) && outcomes == nil && !b.special && len(g.q.Types) == 0 && g.q.Versions.plain() {
		j = min(j, i+g.limit+1-g.n)
		g.parts = append(g.parts, part{k: under[0], b: b, from: i, to: j, run: run})
		g.n += j - i
		return j, nil
	}
	for ; i < j && g.n <= g.limit; i++ {
		k := under[b.kind(i)]
		switch {
		case k == nil:
		case outcomes == nil || outcomes[i].entire():
			g.one(b, i, k, run)
		case outcomes[i].redacted:
			g.copied(b, i, k, run, outcomes[i].id)
		}
	}
	return i, nil
}

// copied takes the reader's copy of an entry, where the query takes it.
func (g *gathering) copied(b *block, i int, k *class, run Run, as string) {
	e := b.Entry(i)
	if e.Removed || len(g.q.Types) > 0 && !slices.Contains(g.q.Types, e.Type) {
		return
	}
	e.ID, e.Redacted, e.Added = as, true, run.date(e.Object&positions)
	// Copies of what has no version follow from what is left of it: two may be equal.
	p := part{k: k, run: run, alone: &e, doubtful: e.Contested || e.Version == 0}
	if !p.doubtful && !g.q.Versions.takes(e, []Entry{e}) {
		return
	}
	if p.doubtful {
		g.doubtful++
	}
	g.parts = append(g.parts, p)
	g.n++
}

// one takes an entry that the class allows, where the query takes it.
func (g *gathering) one(b *block, i int, k *class, run Run) {
	e := b.Entry(i)
	if e.Removed || len(g.q.Types) > 0 && !slices.Contains(g.q.Types, e.Type) {
		return
	}
	p := part{k: k, b: b, from: i, to: i + 1, run: run, doubtful: e.Contested}
	if !p.doubtful {
		if e.Added = run.date(e.Object & positions); !g.q.Versions.takes(e, []Entry{e}) {
			return
		}
		if n := len(g.parts); n > 0 {
			if last := &g.parts[n-1]; last.b == b && last.to == i && last.k == k && !last.doubtful && last.run == run {
				last.to++
				g.n++
				return
			}
		}
	} else {
		g.doubtful++
	}
	g.parts = append(g.parts, p)
	g.n++
}

// settle decides on the entries whose identifiers others bear too: against what
// this reader may see of those.
func (g *gathering) settle() error {
	same := map[int64][]Entry{} // by object
	err := g.s.look(g.ctx, func(l *looking) error {
		for _, p := range g.parts {
			if !p.doubtful {
				continue
			}
			e := p.entry(0)
			if _, known := same[e.Object]; known {
				continue
			}
			all, err := l.view(g.v).known(p.id(0))
			if err != nil {
				return err
			}
			same[e.Object] = all
			for _, o := range all {
				same[o.Object] = all
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	g.doubtful = 0
	g.parts = slices.DeleteFunc(g.parts, func(p part) bool {
		if !p.doubtful {
			return false
		}
		e := p.entry(0)
		all := same[e.Object]
		out := !slices.ContainsFunc(all, func(o Entry) bool { return o.Added == e.Added && o.Redacted == e.Redacted }) || !g.q.Versions.takes(e, all)
		if out {
			g.n--
		}
		return out
	})
	for i := range g.parts {
		g.parts[i].doubtful = false
	}
	return nil
}

// named gathers the objects that the query names.
func (g *gathering) named() error {
	var found []part
	err := g.s.look(g.ctx, func(l *looking) error {
		found = nil
		r := l.view(g.v)
		for _, id := range g.q.IDs {
			es, err := r.known(id)
			if err != nil {
				return err
			}
			for _, e := range es {
				if e.Added <= g.q.After || !g.q.Versions.takes(e, es) || len(g.q.Types) > 0 && !slices.Contains(g.q.Types, e.Type) {
					continue
				}
				k, err := g.v.classOf(l.tx, e.Class, g.now)
				if err != nil {
					return err
				}
				found = append(found, part{k: k, alone: &e})
			}
		}
		return nil
	})
	slices.SortFunc(found, func(a, b part) int { return byAdded(*a.alone, *b.alone) })
	g.parts = slices.CompactFunc(found, func(a, b part) bool { return a.alone.Added == b.alone.Added })
	g.n = len(g.parts)
	return err
}

func byAdded(a, b Entry) int { return cmp.Compare(a.Added, b.Added) }

// takes reports whether match[version] takes e among the visible versions of
// its object, oldest first.
func (f Versions) takes(e Entry, versions []Entry) bool {
	at, oldest, newest := e.VersionAt(), int64(math.MaxInt64), int64(math.MinInt64)
	for _, o := range versions {
		oldest, newest = min(oldest, o.VersionAt()), max(newest, o.VersionAt())
	}
	switch {
	case f.All, f.First && at == oldest, f.Last && at == newest, slices.Contains(f.At, at):
		return true
	}
	return !f.First && !f.Last && len(f.At) == 0 && at == newest
}

// plain reports whether an object that has one version is taken in any case.
func (f Versions) plain() bool { return len(f.At) == 0 || f.All || f.First || f.Last }
