package delivery

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"sync"
	"time"
)

// Run is a stretch of a feed: N positions of an artifact from First on, the
// object at position p with date_added = Base + (p − First) × Step. Runs of one
// program never overlap.
type Run struct {
	Base     int64
	Step     int64
	N        int64 // positions, gaps included
	First    int64
	Artifact int64
}

// date is the date_added of the object at the position.
func (r Run) date(position int64) int64 { return r.Base + (position-r.First)*r.Step }

func (r Run) last() int64 { return r.First + r.N - 1 }

// after is the first position whose date_added is later than at.
func (r Run) after(at int64) int64 {
	if at < r.Base {
		return r.First
	}
	return r.First + (at-r.Base)/r.Step + 1
}

// stretch is what a view has of a run: the positions from lo to hi.
type stretch struct {
	Run
	lo, hi int64
}

// facts say as of when something was read: it holds what was committed before
// they were asked for.
type facts struct {
	generation int64
	arrivals   int64
}

// cover reports whether they are as of the others, or later.
func (f facts) cover(o facts) bool { return f.generation >= o.generation && f.arrivals >= o.arrivals }

// feed is the runs of one feed, shared by all who read it. They are only ever
// appended: who holds runs may read them without the lock.
type feed struct {
	id int64

	mu   sync.RWMutex
	runs []Run
	of   map[int64][]int32 // by artifact: which runs, by First
	as   facts
}

// all is every run known.
func (f *feed) all() []Run {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.runs
}

// current reports whether the feed holds all that was there as of the facts.
func (f *feed) current(as facts) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.as.cover(as)
}

// extend reads the runs that were appended since it was last read. as are facts
// asked for before the transaction began.
func (f *feed) extend(tx Tx, as facts) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.as.cover(as) {
		return nil
	}
	last := int64(-1)
	if n := len(f.runs); n > 0 {
		last = f.runs[n-1].Base
	}
	fresh, err := tx.RunsOf(f.id, last)
	if err != nil {
		return err
	}
	for _, r := range fresh {
		at := f.of[r.Artifact]
		i := sort.Search(len(at), func(i int) bool { return f.runs[at[i]].First > r.First })
		f.of[r.Artifact] = slices.Insert(at, i, int32(len(f.runs)))
		f.runs = append(f.runs, r)
	}
	f.as = as
	return nil
}

// holding calls fn for the runs that hold the artifact's position, or with a
// position below zero for all of the artifact, until fn answers true.
func (f *feed) holding(artifact, position int64, fn func(Run) bool) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	at := f.of[artifact]
	i := len(at)
	if position >= 0 {
		i = sort.Search(len(at), func(i int) bool { return f.runs[at[i]].First > position })
	}
	for i--; i >= 0; i-- {
		r := f.runs[at[i]]
		if position >= 0 && r.last() < position {
			break
		}
		if fn(r) {
			return true
		}
	}
	return false
}

// maxFeeds bounds how many feeds are remembered: one for each audience, and for
// each organisation that ever changed audience.
const maxFeeds = 20_000

// feed returns the feed as of the facts.
func (s *Service) feed(tx Tx, id int64, as facts) (*feed, error) {
	s.mu.Lock()
	f := s.feeds[id]
	if f == nil {
		makeRoom(s.feeds, maxFeeds)
		f = &feed{id: id, of: map[int64][]int32{}, as: facts{-1, -1}}
		s.feeds[id] = f
	}
	s.mu.Unlock()
	return f, f.extend(tx, as)
}

// window is the part of a feed that a reader has: added in (from, to].
type window struct {
	feed     *feed
	from, to int64
}

// cut is what the window shows of a run; empty when lo > hi.
func (w window) cut(r Run) stretch {
	s := stretch{Run: r, lo: r.after(w.from), hi: r.last()}
	if w.to < r.date(s.hi) {
		s.hi = r.after(w.to) - 1
	}
	return s
}

// subscribe gathers what the organisation reads. Of spans that have ended, the
// runs that stayed in view are noted one by one; the others are windows, which
// show what is appended to their feeds from now on.
func (s *Service) subscribe(tx Tx, v *view, as facts) error {
	spans, err := tx.Subscriptions(v.charter.ID, v.r.Org)
	if err != nil {
		return err
	}
	for _, p := range spans {
		f, err := s.feed(tx, p.Feed, as)
		if err != nil {
			return err
		}
		w := window{f, p.From, p.To}
		if p.EndedAt.IsZero() {
			v.windows = append(v.windows, w)
			continue
		}
		kept := map[int64]bool{}
		for _, r := range f.all() {
			part := w.cut(r)
			if part.lo > part.hi {
				continue
			}
			ok, asked := kept[r.Artifact]
			if !asked {
				if ok, err = keptSince(tx, r.Artifact, p.EndedAt, spans); err != nil {
					return err
				}
				if !ok { // what it was given by itself stays, whatever its audience
					at, _, err := tx.OpenedToOrg(r.Artifact, v.r.Org)
					if err != nil {
						return err
					}
					ok = !at.IsZero()
				}
				kept[r.Artifact] = ok
			}
			if ok {
				v.kept = append(v.kept, part)
			}
		}
	}
	// Runs of one program never overlap, so those of several feeds merge by base.
	slices.SortFunc(v.kept, func(a, b stretch) int { return cmp.Compare(a.Base, b.Base) })
	v.keptOf = map[int64][]int32{}
	for i, k := range v.kept {
		v.keptOf[k.Artifact] = append(v.keptOf[k.Artifact], int32(i))
	}
	return nil
}

// keptSince reports whether an artifact that was in view when a period ended
// has stayed in it since: each later audience had been given it before the
// organisation came into that audience. Otherwise it left the view, and where
// it came back it did so under a later date.
func keptSince(tx Tx, artifact int64, ended time.Time, spans []Span) (bool, error) {
	if ended.IsZero() {
		return true, nil
	}
	var start time.Time // of the period of the next span
	for _, p := range spans {
		if p.Own {
			continue
		}
		if !start.Before(ended) {
			at, err := tx.OpenedTo(artifact, p.Audience)
			if err != nil || at.IsZero() || at.After(start) {
				return false, err
			}
		}
		start = p.EndedAt
	}
	return true, nil
}

// refresh has the view's windows show what was appended to their feeds without
// a change of generation.
func (s *Service) refresh(ctx context.Context, v *view, as facts) error {
	return s.c.Store.View(ctx, func(tx Tx) error {
		for _, w := range v.windows {
			if err := w.feed.extend(tx, as); err != nil {
				return err
			}
		}
		return nil
	})
}

// walk goes through a view in order of date_added.
type walk struct {
	v       *view
	cursor  int64
	kept    int     // the next of v.kept
	runs    [][]Run // of each window, those that are still to come
	current stretch // lo is the next position
	few     [2][]Run
}

// begin begins behind the cursor. A walk must not be copied after it.
func (w *walk) begin(v *view, cursor int64) {
	*w = walk{v: v, cursor: cursor, current: stretch{lo: 1}}
	if w.runs = w.few[:0]; len(v.windows) > len(w.few) {
		w.runs = make([][]Run, 0, len(v.windows))
	}
	w.kept = sort.Search(len(v.kept), func(i int) bool { return v.kept[i].date(v.kept[i].hi) > cursor })
	for _, win := range v.windows {
		runs, from := win.feed.all(), max(cursor, win.from)
		w.runs = append(w.runs, runs[sort.Search(len(runs), func(i int) bool { return runs[i].date(runs[i].last()) > from }):])
	}
}

// next makes the next stretch the current one; false: there is none.
func (w *walk) next() bool {
	for {
		const none = -2
		from, base := none, int64(0)
		if w.kept < len(w.v.kept) {
			from, base = -1, w.v.kept[w.kept].Base
		}
		for i, runs := range w.runs {
			if len(runs) > 0 && (from == none || runs[0].Base < base) {
				from, base = i, runs[0].Base
			}
		}
		switch from {
		case none:
			return false
		case -1:
			w.current = w.v.kept[w.kept]
			w.kept++
		default:
			w.current = w.v.windows[from].cut(w.runs[from][0])
			w.runs[from] = w.runs[from][1:]
		}
		w.current.lo = max(w.current.lo, w.current.after(w.cursor))
		if w.current.lo <= w.current.hi && !w.v.again(w.current) {
			return true
		}
	}
}

// again reports whether what the run brings stood in the view before: each
// object stands in it once, under its first date.
func (v *view) again(s stretch) bool {
	if len(v.kept) == 0 && len(v.windows) < 2 {
		return false
	}
	return v.holding(s.Artifact, s.hi, func(o stretch) bool { return o.First == s.First && o.Base < s.Base })
}

// holding calls fn for the stretches of the view that hold the artifact's
// position, or with a position below zero for all of the artifact, until fn
// answers true.
func (v *view) holding(artifact, position int64, fn func(stretch) bool) bool {
	within := func(s stretch) bool {
		return s.lo <= s.hi && (position < 0 || s.lo <= position && position <= s.hi) && fn(s)
	}
	for _, i := range v.keptOf[artifact] {
		if within(v.kept[i]) {
			return true
		}
	}
	for _, w := range v.windows {
		if w.feed.holding(artifact, position, func(r Run) bool { return within(w.cut(r)) }) {
			return true
		}
	}
	return false
}

// gives reports whether some object of the artifact is in the view.
func (v *view) gives(artifact int64) bool {
	return v.holding(artifact, -1, func(stretch) bool { return true })
}
