package delivery

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// maker is the identity that redacted copies name as theirs.
var maker = "identity--" + uuid.NewSHA1(namespace, []byte("redacted copies")).String()

// links remembers to which objects an object refers, whoever reads it. Bytes
// never change, so what is in it holds; entries are dropped to make room.
type links struct {
	mu   sync.Mutex
	of   map[int64][]string
	size int
}

const (
	mostLinks = 32 << 20 // bytes, about
	mostMade  = 32 << 20
	mostNoted = 200_000
)

func linksSize(refs []string) int {
	n := 64
	for _, id := range refs {
		n += 16 + len(id)
	}
	return n
}

func (l *links) find(object int64) (refs []string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	refs, ok = l.of[object]
	return refs, ok
}

func (l *links) keep(object int64, refs []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.of[object]; ok {
		return
	}
	for k, v := range l.of {
		if l.size < mostLinks {
			break
		}
		delete(l.of, k)
		l.size -= linksSize(v)
	}
	l.of[object] = refs
	l.size += linksSize(refs)
}

// made remembers the bytes of copies that were made, and which ones the store
// knows of. A copy's identifier follows from all that it is made of, so readers
// who have the same one share it.
type made struct {
	mu    sync.Mutex
	of    map[Copy][]byte
	size  int
	noted map[Given]struct{}
}

func (m *made) find(c Copy) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of[c]
}

func (m *made) keep(c Copy, raw []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of[c] != nil || len(raw) > mostMade/8 {
		return
	}
	for k, v := range m.of {
		if m.size+len(raw) <= mostMade {
			break
		}
		delete(m.of, k)
		m.size -= len(v)
	}
	m.of[c] = raw
	m.size += len(raw)
}

// note makes copies, and for whom they are, known to the store before anybody is given one or is told
// its identifier, so that it is found by it.
func (s *Service) note(ctx context.Context, gs []Given) error {
	s.made.mu.Lock()
	gs = slices.DeleteFunc(gs, func(g Given) bool { _, known := s.made.noted[g]; return known })
	s.made.mu.Unlock()
	if len(gs) == 0 {
		return nil
	}
	cs := make([]Copy, len(gs))
	for i, g := range gs {
		cs[i] = g.Copy
	}
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		if err := tx.PutCopies(cs); err != nil {
			return err
		}
		return tx.PutGiven(gs)
	})
	if err != nil {
		return fmt.Errorf("noting redacted copies: %w", err)
	}
	s.made.mu.Lock()
	defer s.made.mu.Unlock()
	makeRoom(s.made.noted, mostNoted)
	for _, g := range gs {
		s.made.noted[g] = struct{}{}
	}
	return nil
}

// look runs fn in a read snapshot in which it may find out how readers have
// objects, and keeps what it found out.
func (s *Service) look(ctx context.Context, fn func(l *looking) error) error {
	l := &looking{}
	err := s.c.Store.View(ctx, func(tx Tx) error {
		*l = looking{s: s, tx: tx}
		defer l.close()
		return fn(l)
	})
	if err != nil {
		return err
	}
	return l.keep(ctx)
}

// looking is one snapshot, for one or more views.
type looking struct {
	s  *Service
	tx Tx
	of []*resolver
}

func (l *looking) view(v *view) *resolver {
	for _, r := range l.of {
		if r.v == v {
			return r
		}
	}
	r := &resolver{
		s: l.s, tx: l.tx, v: v, now: l.s.c.Now(), arrivals: v.arrivals.Load(), nodes: map[string]*subject{},
		blobs: map[int64]Blob{}, objects: map[int64]outcome{}, ids: map[string]standing{}, bytes: map[int64][]byte{},
	}
	l.of = append(l.of, r)
	return r
}

func (l *looking) close() {
	for _, r := range l.of {
		for _, b := range r.blobs {
			_ = b.Close() // only read from
		}
		r.blobs = nil
	}
}

// keep notes the copies, and remembers for the views what was found out.
func (l *looking) keep(ctx context.Context) error {
	var cs []Given
	for _, r := range l.of {
		cs = append(cs, r.copies...)
	}
	if err := l.s.note(ctx, cs); err != nil {
		return err
	}
	for _, r := range l.of {
		if !r.short {
			r.v.remember(r)
		}
	}
	return nil
}

// links are the identifiers that an object refers to.
func (r *resolver) links(e Entry, k *class) ([]string, error) {
	if refs, ok := r.s.links.find(e.Object); ok {
		return refs, nil
	}
	raw, err := r.raw(e, k)
	if err != nil {
		return nil, err
	}
	refs := stix.Refs(raw)
	slices.Sort(refs)
	refs = slices.Compact(refs)
	r.s.links.keep(e.Object, refs)
	return refs, nil
}

// raw reads an object's bytes, under the permit of the decision on it.
func (r *resolver) raw(e Entry, k *class) ([]byte, error) {
	permit, ok := k.decision.Permit(k.artifact.Number)
	if !ok {
		return nil, fmt.Errorf("reading an object: no permit for artifact %d", k.artifact.Number)
	}
	b := r.blobs[k.artifact.Number]
	if b == nil {
		if len(r.blobs) >= 64 {
			for n, b := range r.blobs {
				_ = b.Close() // only read from
				delete(r.blobs, n)
			}
		}
		var err error
		if b, err = r.s.open(permit, k.artifact); err != nil {
			return nil, err
		}
		r.blobs[k.artifact.Number] = b
	}
	raw := make([]byte, e.Length)
	if _, err := b.ReadAt(raw, e.Offset); err != nil {
		return nil, fmt.Errorf("reading an object: %w", err)
	}
	return raw, nil
}
