package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// shelf is blocks in memory, in the place of a store: the model is tested by
// itself here, with interleavings that a store does not give on demand.
type shelf struct {
	Tx
	mu     sync.Mutex
	blocks map[BlockID]list
	asked  int
	during func() // called within a read, after the bytes were taken
}

type list []Entry

func (l list) Len() int             { return len(l) }
func (l list) Position(i int) int64 { return l[i].Object & positions }
func (l list) Entry(i int) Entry    { return l[i] }
func (l list) ID(int) string        { return "" }
func (l list) Size() int            { return 1000 }
func (l list) Find(p int64) int {
	for i := range l {
		if l.Position(i) >= p {
			return i
		}
	}
	return len(l)
}

func (s *shelf) View(_ context.Context, fn func(Tx) error) error { return fn(s) }

func (s *shelf) Update(context.Context, func(Tx) error) error {
	return errors.New("nothing is written here")
}

func (s *shelf) BlocksIn(artifact, from, to int64) (firsts []int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	for p := from; p <= to && p < 1000; p++ {
		if _, ok := s.blocks[BlockID{artifact, p}]; ok {
			firsts = append(firsts, p)
		}
	}
	return firsts, nil
}

func (s *shelf) Block(artifact, first int64) (Rows, error) {
	s.mu.Lock()
	s.asked++
	l, ok := s.blocks[BlockID{artifact, first}]
	during := s.during
	s.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("no block at %d", first)
	}
	if during != nil {
		during()
	}
	return l, nil
}

// put writes a block of the positions first … last.
func (s *shelf) put(first, last int64, contested bool) BlockID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l list
	for p := first; p <= last; p++ {
		l = append(l, Entry{Object: 1<<24 | p, Class: 1, Offset: p * 100, Length: 90, Contested: contested})
	}
	s.blocks[BlockID{1, first}] = l
	return BlockID{1, first}
}

func newShelf(bytes int64) (*shelf, *Service) {
	s := &shelf{blocks: map[BlockID]list{}}
	return s, New(Config{Store: s, Memory: bytes})
}

func TestBlockAt(t *testing.T) {
	shelf, s := newShelf(1 << 20)
	shelf.put(2, 5, false)
	shelf.put(6, 6, false)
	shelf.put(10, 12, false)
	shelf.blocks[BlockID{1, 300_000}] = list{{Object: 1<<24 | 300_000}} // in another chunk; not listed by BlocksIn
	for _, c := range []struct{ p, hi, first int64 }{
		{0, 100, 2},
		{2, 2, 2},
		{5, 5, 2},
		{6, 100, 6},
		{7, 100, 10},
		{7, 9, -1},
		{12, 12, 10},
		{13, 400_000, -1},
		{0, 1, -1},
		{200_000, 400_000, -1},
	} {
		b, err := s.blockAt(t.Context(), 1, c.p, c.hi)
		switch {
		case err != nil:
			t.Fatal(err)
		case b == nil && c.first >= 0, b != nil && b.id.First != c.first:
			t.Errorf("from %d to %d: %v, want the block at %d", c.p, c.hi, b, c.first)
		}
	}
	asked := shelf.asked
	if b, err := s.blockAt(t.Context(), 1, 3, 5); err != nil || b.id.First != 2 || shelf.asked != asked {
		t.Errorf("what was read before is read again: %v", err)
	}
}

// A block that a transaction changes is read again, also where the change falls
// into the reading, and a new one is found.
func TestChanges(t *testing.T) {
	shelf, s := newShelf(1 << 20)
	ctx := t.Context()
	id := shelf.put(0, 9, false)
	contested := func() bool {
		t.Helper()
		b, err := s.blockAt(ctx, 1, 0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return b.special
	}
	if contested() {
		t.Fatal("nothing is contested yet")
	}
	s.Changing([]BlockID{id})
	if contested() {
		t.Error("contested before the commit")
	}
	shelf.put(0, 9, true) // the commit
	if !contested() {
		t.Error("what was read before the commit was kept")
	}
	s.Changed([]BlockID{id}, true)
	if !contested() {
		t.Error("an old block after the change")
	}

	// The change begins and ends while the block is being read.
	s.ChangedElsewhere()
	shelf.during = func() {
		shelf.during = nil
		s.Changing([]BlockID{id})
		shelf.put(0, 9, false)
		s.Changed([]BlockID{id}, true)
	}
	contested() // the old one: it was read before the commit
	if contested() {
		t.Error("a block was kept that changed while it was read")
	}

	fresh := shelf.put(10, 12, false)
	s.Changing([]BlockID{fresh})
	s.Changed([]BlockID{fresh}, true)
	if b, err := s.blockAt(ctx, 1, 10, 12); err != nil || b == nil || b.id != fresh {
		t.Errorf("a new block is not found: %v", err)
	}
	never := BlockID{1, 20}
	s.Changing([]BlockID{never})
	s.Changed([]BlockID{never}, false) // its transaction failed
	if b, err := s.blockAt(ctx, 1, 20, 30); err != nil || b != nil {
		t.Errorf("a block that was never written: %v, %v", b, err)
	}
}

// The model stays within its bytes, and what is asked for most stays in it.
func TestModelBounds(t *testing.T) {
	shelf, s := newShelf(16 * 8 << 10)
	for p := range int64(999) {
		shelf.put(p, p, false)
	}
	for p := range int64(999) {
		if _, err := s.blockAt(t.Context(), 1, p, p); err != nil {
			t.Fatal(err)
		}
	}
	size, kept := int64(0), 0
	for i := range s.model.shards {
		sh := &s.model.shards[i]
		n := int64(0)
		for x := sh.used.next; x != &sh.used; x = x.next {
			n += x.size
			kept++
		}
		if n != sh.size || n > sh.most {
			t.Errorf("a shard of %d bytes says %d, at most %d", n, sh.size, sh.most)
		}
		if size += n; len(sh.known) == 0 {
			t.Error("an empty shard")
		}
	}
	if kept < 50 || kept > 200 {
		t.Errorf("%d blocks of 1 kB are kept in %d bytes", kept, size)
	}
}

// Readers and a writer at the same time: once a change is told, nobody meets what
// was there before it.
func TestChangesRace(t *testing.T) {
	shelf, s := newShelf(1 << 20)
	id := shelf.put(0, 0, false)
	var version atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := version.Load()
				b, err := s.blockAt(context.Background(), 1, 0, 0)
				if err != nil {
					t.Error(err)
					return
				}
				if got := b.Entry(0).Version; got < least {
					t.Errorf("version %d after version %d was told", got, least)
					return
				}
			}
		})
	}
	for v := range int64(3000) {
		s.Changing([]BlockID{id})
		shelf.mu.Lock()
		shelf.blocks[id] = list{{Object: 1 << 24, Version: v + 1}}
		shelf.mu.Unlock()
		s.Changed([]BlockID{id}, true)
		version.Store(v + 1)
	}
	close(stop)
	wg.Wait()
}

// A run that begins at another position than the artifact counts from there.
func TestRunFirst(t *testing.T) {
	r := Run{Base: 1000, Step: 10, N: 5, First: 40}
	if r.date(40) != 1000 || r.date(44) != 1040 || r.last() != 44 {
		t.Errorf("dates %d … %d, last %d", r.date(40), r.date(44), r.last())
	}
	for at, want := range map[int64]int64{0: 40, 999: 40, 1000: 41, 1009: 41, 1010: 42, 1040: 45} {
		if got := r.after(at); got != want {
			t.Errorf("after %d comes %d, want %d", at, got, want)
		}
	}
	// Stretches of one growing artifact in a feed, as members write them.
	f := &feed{of: map[int64][]int32{}, as: facts{-1, -1}}
	tx := []Run{{Base: 100, Step: 1, N: 3, First: 0, Artifact: 7}, {Base: 200, Step: 1, N: 1, Artifact: 8}, {Base: 300, Step: 1, N: 2, First: 3, Artifact: 7}}
	for n := range len(tx) + 1 {
		if err := f.extend(runsTx{all: tx[:n]}, facts{int64(n), 0}); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.all()) != 3 {
		t.Fatalf("%d runs", len(f.all()))
	}
	for position, base := range map[int64]int64{0: 100, 2: 100, 3: 300, 4: 300, 5: 0} {
		got := int64(0)
		f.holding(7, position, func(r Run) bool { got = r.Base; return true })
		if got != base {
			t.Errorf("position %d is in the run at %d, want %d", position, got, base)
		}
	}
	v := &view{windows: []window{{f, 100, 300}}}
	var dates []int64
	var w walk
	for w.begin(v, 0); w.next(); {
		for p := w.current.lo; p <= w.current.hi; p++ {
			dates = append(dates, w.current.date(p))
		}
	}
	if fmt.Sprint(dates) != "[101 102 200 300]" {
		t.Errorf("added in (100, 300]: %v", dates)
	}
}

// runsTx is a feed that grows.
type runsTx struct {
	Tx
	all []Run
}

func (r runsTx) RunsOf(_, after int64) (out []Run, err error) {
	for _, one := range r.all {
		if one.Base > after {
			out = append(out, one)
		}
	}
	return out, nil
}

// A page is planned as ranges of bytes: objects that lie side by side are one range,
// also over the end of a block, and very large ones come in several pages.
func TestPlan(t *testing.T) {
	at := func(position, offset, length int64) Entry {
		return Entry{Object: 7<<24 | position, Offset: offset, Length: length}
	}
	const mb = 1 << 20
	for name, c := range map[string]struct {
		blocks []list
		want   string // ranges
		len    int
		more   bool
	}{
		"side by side":       {[]list{{at(0, 0, 10), at(1, 12, 10), at(2, 24, 10)}}, "[0 34]", 3, false},
		"over two blocks":    {[]list{{at(0, 0, 10)}, {at(1, 12, 10), at(2, 24, 10)}}, "[0 34]", 3, false},
		"a gap":              {[]list{{at(0, 0, 10), at(1, 100, 10), at(2, 112, 10)}}, "[0 10] [100 122]", 3, false},
		"one left out":       {[]list{{at(0, 0, 10), at(2, 24, 10)}}, "[0 10] [24 34]", 2, false},
		"in another order":   {[]list{{at(0, 500, 10), at(1, 12, 10)}}, "[500 510] [12 22]", 2, false},
		"too large together": {[]list{{at(0, 0, 20*mb), at(1, 20*mb+2, 20*mb), at(2, 40*mb+4, mb)}}, fmt.Sprint("[0 ", 20*mb, "]"), 1, true},
		"too large, blocks":  {[]list{{at(0, 0, 20*mb)}, {at(1, 20*mb+2, 20*mb)}}, fmt.Sprint("[0 ", 20*mb, "]"), 1, true},
		"one too large":      {[]list{{at(0, 0, 40*mb), at(1, 40*mb+2, 10)}}, fmt.Sprint("[0 ", 40*mb, "]"), 1, true},
		"only one too large": {[]list{{at(0, 0, 40*mb)}}, fmt.Sprint("[0 ", 40*mb, "]"), 1, false},
	} {
		p := &Page{}
		k := &class{}
		for _, l := range c.blocks {
			p.parts = append(p.parts, part{k: k, b: newBlock(BlockID{7, l.Position(0)}, l), to: len(l), run: Run{Step: 1}})
		}
		p.plan()
		got := ""
		for _, piece := range p.pieces {
			got += fmt.Sprintf(" [%d %d]", piece.from, piece.to)
		}
		n, _, _ := ends(p.parts)
		if got != " "+c.want || n != c.len || p.More != c.more {
			t.Errorf("%s: %d objects in%s, more %v; want %d in %s, %v", name, n, got, p.More, c.len, c.want, c.more)
		}
	}
}
