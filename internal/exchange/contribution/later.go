package contribution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// later makes a large request durable and leaves it to Run.
func (s *Service) later(ctx context.Context, a exchange.Actor, program exchange.ProgramID, r io.Reader) (Status, error) {
	sha, size, err := s.c.Blobs.Write(ctx, &patient{ctx, r}, s.c.Limit)
	if err != nil {
		return Status{}, err
	}
	body, err := s.c.Blobs.Open(sha)
	if err != nil {
		return Status{}, err
	}
	defer body.Close()
	env, err := scan(ctx, time.Time{}, io.NewSectionReader(body, 0, size), nil) // only counted
	if err != nil {
		return Status{}, err
	}
	if env.total == 0 {
		return Status{}, exchange.Fail(exchange.Invalid, "the body holds no objects; nothing was stored")
	}
	who, err := json.Marshal(a)
	if err != nil {
		return Status{}, fmt.Errorf("keeping a request: %w", err)
	}
	j := newJob(a, program)
	j.rec.Total, j.rec.Spool, j.rec.Actor = env.total, sha, string(who)
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		if _, err := admit(tx, a, program); err != nil {
			return err
		}
		waiting, err := tx.Waiting(s.c.Queue)
		if err != nil {
			return err
		}
		if len(waiting) >= s.c.Queue {
			return exchange.Fail(exchange.Unavailable, "%d requests wait to be worked off already; nothing was stored, try again later", len(waiting))
		}
		return j.keep(tx, false)
	})
	if err != nil {
		return Status{}, err
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return j.status(), nil
}

const (
	lookAgain = time.Second // for requests that another process took in
	partBytes = 8 << 20
)

// Run works off the requests that wait, one after the other, until ctx ends.
// What it was at when it ended, it goes on with the next time.
func (s *Service) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.workOff(ctx); err != nil && ctx.Err() == nil {
			s.c.Log.Error("working off contributions", "err", err)
		}
		timer := time.NewTimer(lookAgain)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// workOff works off all that waits. One request that cannot be read does not
// keep the others waiting.
func (s *Service) workOff(ctx context.Context) error {
	var failed error
	tried := map[StatusID]bool{}
	for {
		var waiting []Record
		err := s.c.Store.View(ctx, func(tx Tx) (err error) {
			waiting, err = tx.Waiting(len(tried) + 1)
			return err
		})
		if err != nil {
			return err
		}
		i := 0
		for i < len(waiting) && tried[waiting[i].ID] {
			i++
		}
		if i == len(waiting) {
			return failed
		}
		tried[waiting[i].ID] = true
		if err := s.resume(ctx, waiting[i]); err != nil {
			failed = fmt.Errorf("request %s: %w", waiting[i].ID, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// resume goes on with a request where it stands. What was stored and what was
// counted is one transaction, so nothing is done twice.
func (s *Service) resume(ctx context.Context, r Record) error {
	j := &job{program: r.Program, rec: r}
	if err := json.Unmarshal([]byte(r.Actor), &j.actor); err != nil {
		return fmt.Errorf("reading who sent a request: %w", err)
	}
	var err error
	if j.details, err = unpack(r.Details); err != nil {
		return err
	}
	body, err := s.c.Blobs.Open(r.Spool)
	if errors.Is(err, fs.ErrNotExist) { // such as after a restore without the blobs
		return s.giveUp(ctx, r.ID, "the bytes of the request are gone")
	}
	if err != nil {
		return err
	}
	defer body.Close()
	read := func() io.Reader { return io.NewSectionReader(body, 0, body.Size()) }
	if err := s.c.Store.View(ctx, func(tx Tx) error { j.now = tx.Now(); return nil }); err != nil {
		return err
	}
	env, err := scan(ctx, j.now, read(), nil) // what its marking definitions say
	if err != nil {
		return err
	}
	failures, err := env.failures(ctx, read())
	if err != nil {
		return err
	}
	j.env = env
	var p part
	flush := func(last bool) error {
		if len(p.objs) > 0 {
			j.rec.Done = p.objs[len(p.objs)-1].index + 1
		}
		err := s.put(ctx, j, &p, last)
		p.objs, p.raw = p.objs[:0], p.raw[:0]
		return err
	}
	_, err = scan(ctx, j.now, read(), func(o *stix.Object) error {
		if o.Index < r.Done {
			return nil
		}
		p.add(o)
		if len(p.objs) == s.c.Part || len(p.raw) >= partBytes {
			return flush(false)
		}
		return nil
	})
	if err == nil {
		j.rec.Success += env.copies
		j.successes = append(j.successes, env.again[:min(len(env.again), MaxDetails-len(j.successes))]...)
		j.fail(len(env.faulty), failures[:min(len(failures), MaxDetails-len(j.failures))])
		err = flush(true)
	}
	if kind := exchange.KindOf(err); kind == exchange.Denied || kind == exchange.NotFound {
		return s.giveUp(ctx, r.ID, "your organisation may no longer write into the program")
	}
	return err
}

// giveUp ends a request whose sender may no longer write: what is left fails.
func (s *Service) giveUp(ctx context.Context, id StatusID, why string) error {
	return s.c.Store.Update(ctx, func(tx Tx) error {
		r, err := tx.StatusRecord(id)
		if err != nil {
			return err
		}
		j := &job{program: r.Program, rec: r}
		if j.details, err = unpack(r.Details); err != nil {
			return err
		}
		n := r.Total - r.Success - r.Failure
		d := Detail{ID: "objects", Message: fmt.Sprintf("%s; %d objects were not stored", why, n)}
		j.rec.Failure += n
		j.failures = append(j.failures, d)
		return j.keep(tx, true)
	})
}
