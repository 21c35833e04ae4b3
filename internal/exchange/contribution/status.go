package contribution

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// kept is for how long a status may be asked for.
const kept = 48 * time.Hour

func newStatusID() StatusID { return StatusID(uuid.NewString()) }

type mark struct {
	rec                 Record
	successes, failures int
}

func (j *job) mark() mark { return mark{j.rec, len(j.successes), len(j.failures)} }

// back forgets what was noted after the mark.
func (j *job) back(m mark) {
	j.rec, j.successes, j.failures = m.rec, j.successes[:m.successes], j.failures[:m.failures]
}

// keep stores the status with what it counts.
func (j *job) keep(tx Tx, last bool) error {
	if !last && j.rec.Spool == "" {
		return nil // the last part brings it
	}
	r := j.rec
	if last {
		r.Spool, r.Actor = "", ""
	}
	if r.Requested.IsZero() {
		r.Requested = tx.Now()
	}
	r.Details = j.pack()
	if err := tx.PutStatus(r); err != nil {
		return err
	}
	j.rec.Requested = r.Requested
	if last {
		j.rec.Spool, j.rec.Actor = "", ""
	}
	return nil
}

func (j *job) status() Status {
	r := j.rec
	return Status{
		ID: r.ID, Program: r.Program, Complete: r.Spool == "", Requested: r.Requested, Total: r.Total,
		Successes: j.successes, Failures: j.failures, Success: r.Success, Failure: r.Failure, Pending: r.Total - r.Success - r.Failure,
	}
}

// Status returns a status to the organisation that made the request (TAXII 2.1
// §4.3) and to operators of the program, exchange.NotFound to everybody else.
func (s *Service) Status(ctx context.Context, a exchange.Actor, id StatusID) (Status, error) {
	var r Record
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		if a.Anonymous() || len(id) > 64 {
			return exchange.Missing()
		}
		if r, err = tx.StatusRecord(id); err != nil {
			return err
		}
		c, err := tx.Charter(r.Program)
		if err != nil {
			return err
		}
		if !a.Reaches(r.Program) || tx.Now().Sub(r.Requested) > kept && r.Spool == "" {
			return exchange.Missing()
		}
		if a.Operates(c.Owner) {
			return nil
		}
		_, active, err := membership(tx, a, c)
		if err == nil && (!active || a.Org != r.Org || !a.May(exchange.VerbSubmit) && !a.May(exchange.VerbRead)) {
			err = exchange.Missing()
		}
		return err
	})
	if err != nil {
		return Status{}, err
	}
	j := job{rec: r}
	if j.details, err = unpack(r.Details); err != nil {
		return Status{}, err
	}
	return j.status(), nil
}

// Purge forgets statuses after 48 hours. The server calls it by the clock.
func (s *Service) Purge(ctx context.Context) error {
	return s.c.Store.Update(ctx, func(tx Tx) error {
		_, err := tx.PurgeStatuses(tx.Now().Add(-kept))
		return err
	})
}
