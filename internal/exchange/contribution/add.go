package contribution

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// Add takes an envelope of objects, or a bundle. A small one is taken when Add
// returns, and then durable; of a large one (over Config.Later) the bytes are
// durable, the status is pending, and the room goes on by itself, also after a
// restart.
//
// Errors, with nothing stored: exchange.NotFound for whoever may not know of
// the program, Denied where it may be known and not written to, Invalid for
// what is neither an envelope nor a bundle, Exhausted when there is too much,
// Unavailable when too many large requests wait already.
func (s *Service) Add(ctx context.Context, a exchange.Actor, program exchange.ProgramID, r io.Reader) (Status, error) {
	j := newJob(a, program)
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		j.now = tx.Now()
		j.w, err = admit(tx, a, program)
		return err
	})
	if err != nil {
		return Status{}, err
	}
	select {
	case s.bodies <- struct{}{}:
		defer func() { <-s.bodies }()
	case <-ctx.Done():
		return Status{}, ctx.Err()
	}
	m, _ := memories.Get().(*memory)
	if m == nil {
		m = &memory{}
	}
	defer m.free()
	if _, err := m.body.ReadFrom(&patient{ctx, io.LimitReader(r, s.c.Later+1)}); err != nil {
		return Status{}, err
	}
	if int64(m.body.Len()) > s.c.Later {
		return s.later(ctx, a, program, io.MultiReader(&m.body, r))
	}
	if int64(m.body.Len()) > s.c.Limit {
		return Status{}, exchange.Fail(exchange.Exhausted, "the body is larger than %d bytes; nothing was stored", s.c.Limit)
	}
	err = s.now(ctx, j, m)
	return j.status(), err
}

// memory is what a request is read into. It is used again.
type memory struct {
	body bytes.Buffer
	part part
}

var memories sync.Pool

const keptMemory = 32 << 20 // of a request

func (m *memory) free() {
	if m.body.Cap()+cap(m.part.raw) > keptMemory {
		return
	}
	m.body.Reset()
	clear(m.part.objs)
	m.part.objs, m.part.raw = m.part.objs[:0], m.part.raw[:0]
	memories.Put(m)
}

// job is one request on its way.
type job struct {
	actor   exchange.Actor
	program exchange.ProgramID
	w       writer // as it was admitted; what is stored asks again
	now     time.Time
	env     *envelope
	rec     Record
	details
}

func newJob(a exchange.Actor, program exchange.ProgramID) *job {
	return &job{actor: a, program: program, rec: Record{ID: newStatusID(), Program: program, Org: a.Org}}
}

// now works a request off whose bytes are in memory.
func (s *Service) now(ctx context.Context, j *job, m *memory) error {
	body, p := m.body.Bytes(), &m.part
	p.raw = slices.Grow(p.raw, len(body)+len(body)/64)
	env, err := scan(ctx, j.now, bytes.NewReader(body), func(o *stix.Object) error {
		p.add(o)
		return nil
	})
	if err != nil {
		return err
	}
	if env.total == 0 && !kindOf(bytes.NewReader(body)) {
		return exchange.Fail(exchange.Invalid, "this is neither a TAXII 2.1 envelope nor a STIX bundle; nothing was stored")
	}
	failures, err := env.failures(ctx, bytes.NewReader(body))
	if err != nil {
		return err
	}
	j.begin(env)
	j.fail(len(env.faulty), failures)
	return s.parts(ctx, j, p, true)
}

// parts stores objects some at a time. The last of a request brings its status.
func (s *Service) parts(ctx context.Context, j *job, all *part, last bool) error {
	for first := 0; ; {
		n := min(len(all.objs)-first, s.c.Part)
		p := part{objs: all.objs[first : first+n], raw: all.raw}
		first += n
		end := first == len(all.objs)
		if err := s.put(ctx, j, &p, end && last); err != nil {
			return err
		}
		if end {
			return nil
		}
	}
}

// begin notes what the scan found.
func (j *job) begin(env *envelope) {
	j.env = env
	j.rec.Total = env.total
	j.rec.Success += env.copies
	j.successes = append(j.successes, env.again...)
}

func (j *job) fail(n int, ds []Detail) {
	j.rec.Failure += n
	j.failures = append(j.failures, ds...)
}

// note takes up what became of a part.
func (j *job) note(p *part) {
	for i := range p.objs {
		o := &p.objs[i]
		list, n := &j.successes, &j.rec.Success
		if o.fate == refused {
			list, n = &j.failures, &j.rec.Failure
		}
		if *n++; len(*list) < MaxDetails {
			*list = append(*list, Detail{ID: o.id, Version: o.version, Message: o.note})
		}
	}
}

// put stores a part: the bytes first, durable, then in one transaction all that
// makes them known.
func (s *Service) put(ctx context.Context, j *job, p *part, last bool) error {
	l, err := s.enter(ctx, j.program)
	if err != nil {
		return err
	}
	defer l.leave()
	if f := l.presume(j, p); f != nil {
		f.intern(j, p)
		if err = s.store(ctx, l, j, f, p, last); !errors.Is(err, ErrKnown) && exchange.KindOf(err) != exchange.Conflict {
			return err
		}
		p.forget()
	}
	f, err := s.facts(ctx, j, p)
	if err != nil {
		return err
	}
	if err := s.judge(ctx, j, p, f); err != nil {
		return err
	}
	return s.store(ctx, l, j, f, p, last)
}

// store makes durable what was judged.
func (s *Service) store(ctx context.Context, l *lane, j *job, f *facts, p *part, last bool) error {
	delete(l.tips, j.actor.Org)
	began := f.journal.Artifact
	objs, classes, raw := f.lay(p)
	if len(objs) > 0 {
		if err := s.journal(ctx, j, f, int64(len(objs)), int64(len(raw))); err != nil {
			return err
		}
		if err := s.c.Blobs.Append(f.journal.Name, f.journal.Size, raw); err != nil {
			return err
		}
	}
	before := j.mark()
	j.note(p)
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		if err := s.write(tx, j, f, objs, classes, int64(len(raw))); err != nil {
			return err
		}
		return j.keep(tx, last)
	})
	if err != nil {
		j.back(before)
		return err
	}
	if f.journal.Artifact == began && began != 0 && len(f.bearers) == 0 {
		f.journal.Size += int64(len(raw))
		f.journal.Positions += int64(len(objs))
		l.keep(j.actor.Org, f)
	}
	return nil
}

// write is the transaction by which objects come into being.
func (s *Service) write(tx Tx, j *job, f *facts, objs []Object, classes []int, size int64) error {
	if len(objs) == 0 {
		return nil
	}
	w, err := admit(tx, j.actor, j.program) // it may have changed meanwhile
	if err != nil {
		return err
	}
	if terms(w.charter) != f.journal.Terms {
		return exchange.Fail(exchange.Conflict, "the program's charter changed meanwhile; not all was stored, send it again")
	}
	if f.first, err = f.number(tx); err != nil {
		return err
	}
	for i := range objs {
		objs[i].Class = f.combos[classes[i]].id(f.first)
		objs[i].Offset += f.journal.Size
	}
	defer func() { // the function may run again
		for i := range objs {
			objs[i].Offset -= f.journal.Size
		}
	}()
	if err := tx.AppendObjects(f.journal, f.journal.Size+size, objs, audiences(w.charter), f.unknown); err != nil {
		return fmt.Errorf("appending to a journal: %w", err)
	}
	held, err := f.hold(tx, j, classes)
	if err != nil {
		return err
	}
	seq, err := tx.Record(exchange.Event{
		Kind: exchange.EventContributed, Actor: j.actor, Program: j.program, Release: f.journal.Release,
		Subject: []string{string(f.journal.ID)},
		Detail:  exchange.Detail{"objects": len(objs), "bytes": size, "held": f.held, "status": string(j.rec.ID)},
	})
	if err != nil {
		return err
	}
	if s.c.Grounds != nil {
		err := s.c.Grounds(tx, w.charter, exchange.Artifact{
			ID: f.journal.ID, Number: f.journal.Artifact, Program: j.program, Release: f.journal.Release, Originator: j.actor.Org,
		}, seq)
		if err != nil {
			return err
		}
	}
	return tell(tx, j, w.charter, held, seq)
}
