package delivery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/covered"
)

type seenKey struct {
	client   string
	artifact int64
	kind     exchange.ExposureKind
	acting   acting
}

// had remembers what is recorded of what clients were given, less at worst: what is
// not remembered is recorded again.
type had struct {
	mu   sync.Mutex
	of   map[seenKey]*covered.Set
	size int
}

// mostHad is how many bytes of memory it takes, about.
const mostHad = 32 << 20

// keySize is what a set takes besides itself, about.
const keySize = 160

// each calls fn for each part with what is remembered of its artifact for the client,
// until it answers false; add: with a set in any case.
func (h *had) each(a exchange.Actor, e exchange.ExposureKind, parts []part, add bool, fn func(*covered.Set, *part) bool) bool {
	key := seenKey{a.Client(), 0, e, actingOf(a)}
	var set *covered.Set
	for i := range parts {
		p := &parts[i]
		if n := p.k.artifact.Number; n != key.artifact || i == 0 {
			key.artifact = n
			if set = h.of[key]; set == nil && add {
				set = &covered.Set{}
				h.of[key] = set
				h.size += keySize
			}
		}
		if set == nil || !fn(set, p) {
			return false
		}
	}
	return true
}

// all reports whether it is recorded that the client was given each entry of the
// parts, as it is in them.
func (h *had) all(a exchange.Actor, e exchange.ExposureKind, parts []part) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.each(a, e, parts, false, func(set *covered.Set, p *part) bool {
		if p.b == nil && p.alone.Redacted {
			return set.HasCopy(p.alone.Object&positions, p.alone.ID)
		}
		return set.Has(p.span())
	})
}

// add notes what is recorded now. Nothing is taken in between the entries of a part
// that was withheld: there an artifact has no object.
func (h *had) add(a exchange.Actor, e exchange.ExposureKind, parts []part) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.each(a, e, parts, true, func(set *covered.Set, p *part) bool {
		h.size -= set.Size()
		if p.b == nil && p.alone.Redacted {
			set.AddCopy(p.alone.Object&positions, p.alone.ID)
		} else {
			set.Add(p.span())
		}
		h.size += set.Size()
		return true
	})
	for key, set := range h.of {
		if h.size <= mostHad {
			return
		}
		delete(h.of, key)
		h.size -= keySize + set.Size()
	}
}

// span is from which position to which the part's entries are.
func (p *part) span() (lo, hi int64) {
	if p.b == nil {
		lo = p.alone.Object & positions
		return lo, lo
	}
	return p.b.Position(p.from), p.b.Position(p.to - 1)
}

// knows reports whether it is recorded that the artifact came so near to the client.
func (h *had) knows(key seenKey) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.of[key] != nil
}

// note remembers that an artifact came so near.
func (h *had) note(key seenKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of[key] == nil {
		h.of[key] = &covered.Set{}
		h.size += keySize + h.of[key].Size()
	}
}

// given records disclosures before they are made: an event for each, and for each
// artifact the first time that this client came so near to it. Who takes what is
// public is nobody's business.
func (s *Service) given(ctx context.Context, a exchange.Actor, ds ...disclosure) error {
	if a.Channel == exchange.ChannelPublic {
		return nil
	}
	type row struct {
		e  exchange.Event
		es []exchange.Exposure
	}
	rows := make([]row, len(ds))
	var fresh []seenKey
	for i, d := range ds {
		r := &rows[i]
		r.e = d.event(a)
		for _, k := range d.arts {
			key := seenKey{a.Client(), k.artifact.Number, d.as, actingOf(a)}
			if s.had.knows(key) {
				continue
			}
			fresh = append(fresh, key)
			if d.as == "" || a.Org == k.artifact.Originator {
				continue
			}
			r.es = append(r.es, exchange.Exposure{
				Number: k.artifact.Number, Release: k.artifact.Release, Org: a.Org, Channel: a.Channel, Client: a.Client(), Kind: d.as,
			})
		}
	}
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		for _, r := range rows {
			seq, err := tx.Record(r.e)
			if err != nil {
				return err
			}
			for i := range r.es {
				r.es[i].At, r.es[i].Event = tx.Now(), seq
			}
			if err := tx.Expose(r.es); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range fresh {
		s.had.note(key)
	}
	for _, d := range ds {
		s.had.add(a, d.as, d.parts)
	}
	return nil
}

// served records a page. One that brings its reader any object that is not known to
// have been given to it before is recorded before it is given. A page of what the
// reader has been given discloses nothing: such pages are summed up, and recorded by
// Flush, so that of a page that repeats itself nothing waits for the disk. e is empty
// and p nil for a manifest, which discloses no content.
func (s *Service) served(ctx context.Context, a exchange.Actor, v *view, e exchange.ExposureKind, parts []part, p *Page) error {
	if a.Channel == exchange.ChannelPublic {
		return nil
	}
	if s.had.all(a, e, parts) {
		one := pages{n: 1}
		one.objects, one.first, one.last = ends(parts)
		var few [8]*class
		key := tallyKey{a.Client(), a.Channel, v.charter.ID, e == "", actingOf(a), v.edition}
		if s.tally.add(key, a, artifacts(few[:0], parts), one) {
			return nil
		}
	}
	var bytes content
	if p != nil {
		bytes = p.content()
	}
	d, err := v.disclosed(exchange.EventPageServed, e, parts, bytes)
	if err != nil {
		return err
	}
	return s.given(ctx, a, d)
}

// artifacts appends each artifact of the parts once.
func artifacts(arts []*class, parts []part) []*class {
	for i := range parts {
		k := parts[i].k
		if n := len(arts); n > 0 && arts[n-1].artifact.Number == k.artifact.Number {
			continue
		}
		if !slices.ContainsFunc(arts, func(o *class) bool { return o.artifact.Number == k.artifact.Number }) {
			arts = append(arts, k)
		}
	}
	return arts
}

// pages is what is recorded of pages of one reader that repeat what it was given.
type pages struct {
	n, objects  int
	first, last int64
}

func (p pages) detail(manifest bool) exchange.Detail {
	d := exchange.Detail{"objects": p.objects, "pages": p.n, "repeated": true}
	if p.first > 0 { // else those who run the program were shown what no wave brought them
		d["first"], d["last"] = time.UnixMicro(p.first), time.UnixMicro(p.last)
	}
	if manifest {
		d["manifest"] = true
	}
	return d
}

// tally sums up pages that are still to be recorded.
type tally struct {
	mu sync.Mutex
	of map[tallyKey]*count
}

type tallyKey struct {
	client   string
	channel  exchange.Channel
	program  exchange.ProgramID
	manifest bool
	acting   acting
	edition  exchange.Edition
}

// count is the pages of one reader since the last flush.
type count struct {
	actor exchange.Actor
	pages
	arts map[int64]exchange.Artifact
}

const (
	maxCounts = 10_000 // readers
	maxCount  = 1_000  // artifacts of one
)

// add counts a page. It answers false, and counts nothing, when there is no
// room: then the page is to be recorded by itself.
func (t *tally) add(key tallyKey, a exchange.Actor, arts []*class, p pages) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.of[key]
	if c == nil {
		if len(t.of) >= maxCounts {
			return false
		}
		c = &count{actor: a, pages: pages{first: p.first}, arts: map[int64]exchange.Artifact{}}
		t.of[key] = c
	}
	if len(c.arts)+len(arts) > maxCount {
		return false
	}
	c.n += p.n
	c.objects += p.objects
	c.first, c.last = min(c.first, p.first), max(c.last, p.last)
	for _, k := range arts {
		if _, known := c.arts[k.artifact.Number]; !known {
			c.arts[k.artifact.Number] = k.artifact
		}
	}
	return true
}

// take empties the tally.
func (t *tally) take() map[tallyKey]*count {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.of
	t.of = map[tallyKey]*count{}
	return all
}

// back puts what could not be recorded back.
func (t *tally) back(all map[tallyKey]*count) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, old := range all {
		if c := t.of[key]; c != nil {
			old.n, old.objects = old.n+c.n, old.objects+c.objects
			old.first, old.last = min(old.first, c.first), max(old.last, c.last)
			maps.Copy(old.arts, c.arts)
		}
		t.of[key] = old
	}
}

// Flush records the pages that repeated themselves since the last call, one event for
// each reader. The server calls it every few seconds and at its end.
func (s *Service) Flush(ctx context.Context) error {
	all := s.tally.take()
	if len(all) == 0 {
		return nil
	}
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		for key, c := range all {
			ev := exchange.Event{
				Kind: exchange.EventPageServed, Actor: c.actor, Program: key.program,
				Detail: c.detail(key.manifest),
			}
			key.edition.AddTo(ev.Detail)
			releases := map[exchange.ReleaseID]bool{}
			for _, number := range slices.Sorted(maps.Keys(c.arts)) {
				ev.Subject = append(ev.Subject, string(c.arts[number].ID))
				ev.Release, releases[c.arts[number].Release] = c.arts[number].Release, true
			}
			if len(releases) > 1 {
				ev.Release = ""
			}
			if _, err := tx.Record(ev); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.tally.back(all)
		return fmt.Errorf("recording pages: %w", err)
	}
	return nil
}
