package delivery

import (
	"context"

	"github.com/google/uuid"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// MaxLimit is the largest page.
const MaxLimit = 1000

// namespace is that of collection ids (RFC 9562 §5.5).
var namespace = uuid.MustParse("6d1f8a52-0f0c-5c55-9a3e-6a1f3f4b8c21")

// CollectionID is the id of a program's collection. It follows from the
// program's id, so it survives a restore; in form it is a UUID of version 4, as
// TAXII 2.1 §2 asks of identifiers.
func CollectionID(p exchange.ProgramID) string {
	u := uuid.NewSHA1(namespace, []byte(p))
	u[6] = u[6]&0x0f | 0x40
	return u.String()
}

// Collections lists what the actor can read or write, by program.
func (s *Service) Collections(ctx context.Context, a exchange.Actor) ([]Collection, error) {
	known, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.listed(ctx, known)
	if err != nil {
		return nil, err
	}
	var out []Collection
	for _, c := range all {
		c, err := s.rights(ctx, known, a, c)
		if exchange.KindOf(err) == exchange.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// Collection returns one collection by its UUID or by the program's id, which
// serves as its alias (TAXII 2.1 §5.2).
func (s *Service) Collection(ctx context.Context, a exchange.Actor, id string) (Collection, error) {
	known, err := s.current(ctx)
	if err != nil {
		return Collection{}, err
	}
	all, err := s.listed(ctx, known)
	if err != nil {
		return Collection{}, err
	}
	for i := range all {
		if c := &all[i]; c.ID == id || string(c.Program) == id {
			return s.rights(ctx, known, a, *c)
		}
	}
	return Collection{}, exchange.Missing()
}

// collections is every program's collection.
func (s *Service) collections(ctx context.Context) ([]Collection, error) {
	known, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	return s.listed(ctx, known)
}

// listed is collections as of facts that were asked for in this request.
func (s *Service) listed(ctx context.Context, known *cached) ([]Collection, error) {
	s.mu.Lock()
	all := known.collections
	s.mu.Unlock()
	if all != nil {
		return all, nil
	}
	var cs []exchange.Charter
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		cs, err = tx.Charters()
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, c := range cs {
		all = append(all, Collection{
			ID: CollectionID(c.ID), Program: c.ID, Title: c.Title, Description: c.Outcome,
		})
	}
	s.mu.Lock()
	known.collections = all
	s.mu.Unlock()
	return all, nil
}

// reader is view for those who have a collection.
func (s *Service) reader(ctx context.Context, a exchange.Actor, program exchange.ProgramID) (*view, error) {
	v, err := s.view(ctx, a, program)
	if err != nil {
		return nil, err
	}
	if !v.reads() {
		return nil, exchange.Missing()
	}
	return v, nil
}

// Page returns the next objects of the reader's collection. What it brings the
// reader for the first time is recorded as delivered before it is returned.
func (s *Service) Page(ctx context.Context, a exchange.Actor, program exchange.ProgramID, q Query) (*Page, error) {
	v, err := s.reader(ctx, a, program)
	if err != nil {
		return nil, err
	}
	return s.page(ctx, a, v, q)
}

// PageOf is Page for a collection that Collection has just returned to the
// actor: what was found about the reader then is not looked up again.
func (s *Service) PageOf(ctx context.Context, a exchange.Actor, c Collection, q Query) (*Page, error) {
	if !c.CanRead || c.view == nil {
		return nil, exchange.Missing()
	}
	return s.page(ctx, a, c.view, q)
}

func (s *Service) page(ctx context.Context, a exchange.Actor, v *view, q Query) (p *Page, err error) {
	one := &struct {
		Page
		gathering
	}{}
	p = &one.Page
	p.parts, p.More, err = one.collect(ctx, s, v, q)
	if err != nil || len(p.parts) == 0 {
		return p, err
	}
	if err = p.copy(ctx, s, v); err != nil || len(p.parts) == 0 {
		return p, err
	}
	p.plan()
	p.Len, p.First, p.Last = ends(p.parts)
	if q.Held != nil && q.Held(p) {
		return p, nil
	}
	if !q.Bare {
		p.Entries = entries(p.parts, p.Len)
	}
	if err := p.load(s, q.Bare); err != nil {
		p.Close()
		return nil, err
	}
	if err := s.served(ctx, a, v, exchange.ExposureServed, p.parts, p); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Manifest lists ids and versions in the reader's collection, without content.
func (s *Service) Manifest(ctx context.Context, a exchange.Actor, program exchange.ProgramID, q Query) (es []Entry, more bool, err error) {
	v, err := s.reader(ctx, a, program)
	if err != nil {
		return nil, false, err
	}
	parts, more, err := new(gathering).collect(ctx, s, v, q)
	if err != nil || len(parts) == 0 {
		return nil, false, err
	}
	n, _, _ := ends(parts)
	es = entries(parts, n)
	i := 0
	for _, p := range parts {
		for k := range p.len() {
			es[i].ID = p.id(k)
			i++
		}
	}
	return es, more, s.served(ctx, a, v, "", parts, nil)
}

// ends says how many entries there are, and the dates of the first and the last.
func ends(parts []part) (n int, first, last int64) {
	for _, p := range parts {
		n += p.len()
	}
	end := parts[len(parts)-1]
	return n, parts[0].added(0), end.added(end.len() - 1)
}

func entries(parts []part, n int) []Entry {
	es := make([]Entry, 0, n)
	for _, p := range parts {
		for i := range p.len() {
			es = append(es, p.entry(i))
		}
	}
	return es
}

// Capped is what Count answers when there are more.
const Capped = 10_001

// Count is how many objects the reader's collection shows, latest versions, at
// most Capped.
func (s *Service) Count(ctx context.Context, a exchange.Actor, program exchange.ProgramID) (int64, error) {
	v, err := s.reader(ctx, a, program)
	if err != nil {
		return 0, err
	}
	parts, _, err := (&gathering{limit: Capped}).collect(ctx, s, v, Query{})
	n := 0
	for _, p := range parts {
		n += p.len()
	}
	return int64(n), err
}
