package delivery

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

type seenKey struct {
	client   string
	artifact int64
	kind     exchange.ExposureKind
	acting   acting
}

const maxSeen = 200_000

// given records a disclosure before it is made: the event, and for each
// artifact the first time that this client came so near to it. An empty kind
// records the event alone. Who takes what is public is nobody's business.
func (s *Service) given(ctx context.Context, a exchange.Actor, k exchange.EventKind, e exchange.ExposureKind, arts []*class, d exchange.Detail) error {
	if a.Channel == exchange.ChannelPublic {
		return nil
	}
	ev := exchange.Event{Kind: k, Actor: a, Detail: d}
	var es []exchange.Exposure
	var fresh []seenKey
	for i, c := range arts {
		ev.Subject = append(ev.Subject, string(c.artifact.ID))
		if i == 0 {
			ev.Program, ev.Release = c.artifact.Program, c.artifact.Release
		} else if c.artifact.Release != ev.Release {
			ev.Release = "" // of several releases: the subjects say which
		}
		key := seenKey{a.Client(), c.artifact.Number, e, actingOf(a)}
		if s.saw(key) {
			continue
		}
		fresh = append(fresh, key)
		if e == "" || a.Org == c.artifact.Originator {
			continue
		}
		es = append(es, exchange.Exposure{
			Number: c.artifact.Number, Release: c.artifact.Release, Org: a.Org, Channel: a.Channel, Client: a.Client(), Kind: e,
		})
	}
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		seq, err := tx.Record(ev)
		if err != nil {
			return err
		}
		for i := range es {
			es[i].At, es[i].Event = tx.Now(), seq
		}
		return tx.Expose(es)
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	makeRoom(s.seen, maxSeen)
	for _, key := range fresh {
		s.seen[key] = struct{}{}
	}
	return nil
}

func (s *Service) saw(key seenKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, known := s.seen[key]
	return known
}

// served records a page. One that brings its reader something of an artifact
// for the first time is recorded before it is given. What a reader is given
// more of an artifact that it has had something of is summed up, and recorded
// by Flush: of a page that repeats itself nothing waits for the disk. e is empty
// for a manifest, which discloses no content.
func (s *Service) served(ctx context.Context, a exchange.Actor, v *view, e exchange.ExposureKind, parts []part) error {
	if a.Channel == exchange.ChannelPublic {
		return nil
	}
	var few [8]*class
	arts := few[:0]
	first := false
	for _, p := range parts {
		if slices.ContainsFunc(arts, func(k *class) bool { return k.artifact.Number == p.k.artifact.Number }) {
			continue
		}
		arts = append(arts, p.k)
		first = first || !s.saw(seenKey{a.Client(), p.k.artifact.Number, e, actingOf(a)})
	}
	p := pages{n: 1}
	p.objects, p.first, p.last = ends(parts)
	key := tallyKey{a.Client(), a.Channel, v.charter.ID, e == "", actingOf(a)}
	if !first && s.tally.add(key, a, arts, p) {
		return nil
	}
	return s.given(ctx, a, exchange.EventPageServed, e, slices.Clone(arts), p.detail(key.manifest))
}

// pages is what is recorded of one or more pages of one reader.
type pages struct {
	n, objects  int
	first, last int64
}

func (p pages) detail(manifest bool) exchange.Detail {
	d := exchange.Detail{"objects": p.objects, "first": time.UnixMicro(p.first), "last": time.UnixMicro(p.last)}
	if manifest {
		d["manifest"] = true
	}
	if p.n > 1 {
		d["pages"] = p.n
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

// Flush records the pages that were given since the last call, one event for
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
		return fmt.Errorf("recording pages: %w", err)
	}
	return nil
}
