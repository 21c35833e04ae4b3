package lookup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/observable"
	"github.com/forewarn-exchange/forewarn/internal/valueindex"
)

const (
	perRead  = 1024    // objects read in one transaction
	perSpan  = 4 << 20 // bytes of a blob read at once
	perRound = 4096    // objects that a look-up takes up before it answers
	pause    = time.Second
)

// source is an artifact whose objects are being taken up.
type source struct {
	Source
	next   int64 // position
	failed bool
}

// Run fills the index and keeps it current until ctx ends. A look-up also takes
// up what is new, so Run matters for the start and for large submissions.
func (s *Service) Run(ctx context.Context) {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		complete, err := s.Follow(ctx, perRound)
		wait := pause
		switch {
		case err != nil && ctx.Err() == nil:
			s.c.Log.Error("indexing values", "err", err)
		case err == nil && !complete && !s.stuck():
			wait = time.Millisecond // a look-up may have its turn in between
		}
		t.Reset(wait)
	}
}

// stuck reports whether there is nothing to do although something is missing.
func (s *Service) stuck() bool {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	return s.full || !slices.ContainsFunc(slices.Collect(maps.Values(s.open)), func(o *source) bool { return !o.failed && !o.Grows })
}

// Follow takes up what came into being since the last call, at most about most
// objects, and reports whether that was all.
func (s *Service) Follow(ctx context.Context, most int) (complete bool, err error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-s.turn }()
	if s.full {
		return false, nil
	}
	if err := s.list(ctx); err != nil {
		return false, err
	}
	complete = true
	for _, n := range slices.Sorted(maps.Keys(s.open)) {
		done, err := s.take(ctx, s.open[n], &most)
		switch {
		case errors.Is(err, valueindex.ErrFull):
			s.full = true
			_, bytes := s.Size()
			s.c.Log.Error("indexing values: the index is full; look-ups are incomplete from here on", "bytes", bytes)
			return false, nil
		case err != nil && ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil:
			if !s.open[n].failed {
				s.c.Log.Error("indexing values", "artifact", n, "err", err)
			}
			s.open[n].failed, complete = true, false // tried again in the next round
		case !done:
			complete = false
		case !s.open[n].Grows:
			delete(s.open, n)
		}
		if most <= 0 && !complete {
			return false, nil
		}
	}
	return complete, nil
}

// list finds the artifacts that are new.
func (s *Service) list(ctx context.Context) error {
	var all []Source
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		all, err = tx.LookupSources(s.settled)
		return err
	})
	if err != nil {
		return err
	}
	settled, waiting := s.settled, false
	for _, a := range all {
		if !a.Ready {
			waiting = true
			continue
		}
		if !waiting && a.Number > settled {
			settled = a.Number
		}
		s.mu.Lock()
		_, known := s.programs[a.Number]
		s.programs[a.Number] = a.Program
		s.mu.Unlock()
		if !known {
			s.open[a.Number] = &source{Source: a}
		} else if o := s.open[a.Number]; o != nil {
			o.Source = a
		}
	}
	s.settled = settled
	return nil
}

// take takes up objects of one artifact and reports whether those were all.
func (s *Service) take(ctx context.Context, o *source, most *int) (done bool, err error) {
	for *most > 0 {
		var objs []Object
		err := s.c.Store.View(ctx, func(tx Tx) (err error) {
			objs, err = tx.LookupObjects(o.Number, o.next, perRead)
			return err
		})
		if err != nil {
			return false, err
		}
		if len(objs) > 0 {
			if err := s.stretch(o, objs); err != nil {
				return false, err
			}
			o.next, o.failed = objs[len(objs)-1].Number&positions+1, false
			*most -= len(objs)
		}
		if len(objs) < perRead {
			return true, nil
		}
	}
	return false, nil
}

// positions masks the position in its artifact out of an object's number.
const positions = 1<<24 - 1

// stretch takes up the values of a stretch of objects of one artifact.
func (s *Service) stretch(o *source, objs []Object) error {
	objs = slices.DeleteFunc(slices.Clone(objs), func(b Object) bool { return !observable.Bears(b.Type) })
	if len(objs) == 0 {
		return nil
	}
	blob, err := s.c.Blobs.Open(o.Blob)
	if err != nil {
		return fmt.Errorf("opening the bytes of an artifact: %w", err)
	}
	defer blob.Close()
	for len(objs) > 0 {
		n := 1
		for n < len(objs) && objs[n].Offset >= objs[n-1].Offset && objs[n].Offset+objs[n].Length-objs[0].Offset <= perSpan {
			n++
		}
		first, last := objs[0], objs[n-1]
		s.span = slices.Grow(s.span[:0], int(last.Offset+last.Length-first.Offset))
		raw := s.span[:last.Offset+last.Length-first.Offset]
		if _, err := blob.ReadAt(raw, first.Offset); err != nil {
			return fmt.Errorf("reading objects of an artifact: %w", err)
		}
		for _, b := range objs[:n] {
			from := b.Offset - first.Offset
			values, err := s.extractor.Extract(raw[from : from+b.Length])
			if err != nil {
				continue // nothing that could be stored is unreadable; an object without values is none to find
			}
			for _, v := range values {
				if err := s.index.Add(v, b.Number, b.Class); err != nil {
					return err
				}
			}
		}
		objs = objs[n:]
	}
	if cap(s.span) > perSpan {
		s.span = nil // one object was very large
	}
	return nil
}

// program is the program of an artifact that is in the index.
func (s *Service) program(artifact int64) exchange.ProgramID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.programs[artifact]
}
