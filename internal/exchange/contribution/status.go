package contribution

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// kept is for how long a status may be asked for.
const kept = 48 * time.Hour

func newStatusID() StatusID { return StatusID(uuid.NewString()) }

// details are the lists of a status.
type details struct{ successes, failures []Detail }

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
	var err error
	if r.Details, err = j.pack(); err != nil {
		return err
	}
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

// pack writes the lists as compressed lines of four fields: kind, id, version,
// message.
func (d *details) pack() ([]byte, error) {
	var b bytes.Buffer
	z, _ := packers.Get().(*flate.Writer)
	if z == nil {
		var err error
		if z, err = flate.NewWriter(&b, flate.HuffmanOnly); err != nil {
			return nil, fmt.Errorf("packing a status: %w", err)
		}
	}
	defer packers.Put(z)
	z.Reset(&b)
	line := make([]byte, 0, 256)
	for i, list := range [2][]Detail{d.successes, d.failures} {
		for _, e := range list {
			line = append(append(append(line[:0], "sf"[i], '\t'), e.ID...), '\t')
			line = append(append(append(line, e.Version...), '\t'), flat.Replace(e.Message)...)
			if _, err := z.Write(append(line, '\n')); err != nil {
				return nil, fmt.Errorf("packing a status: %w", err)
			}
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("packing a status: %w", err)
	}
	return b.Bytes(), nil
}

// packers are writers that were used: a new one takes most of a megabyte.
var packers sync.Pool

var flat = strings.NewReplacer("\n", " ", "\t", " ")

// maxPacked bounds what the lists of a status take.
const maxPacked = 64 << 20

func unpack(b []byte) (d details, err error) {
	all, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), maxPacked))
	if err != nil {
		return d, fmt.Errorf("reading a status: %w", err)
	}
	for line := range strings.Lines(string(all)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 4)
		if len(fields) != 4 {
			return d, fmt.Errorf("reading a status: %d fields", len(fields))
		}
		e := Detail{ID: fields[1], Version: fields[2], Message: fields[3]}
		if fields[0] == "s" {
			d.successes = append(d.successes, e)
		} else {
			d.failures = append(d.failures, e)
		}
	}
	return d, nil
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
