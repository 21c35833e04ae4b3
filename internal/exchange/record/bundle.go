package record

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Evidence is a log as an evidence bundle needs it: one checkpoint, what it is
// verified with, and the log's files beneath it.
type Evidence struct {
	Number     int   // of the log, from 1
	Base       int64 // event seq stands at index seq - 1 - Base
	Size       int64 // under the checkpoint
	Checkpoint []byte
	Keys       []string
	Witnesses  []string
	Statements [][]byte
	Read       func(path string) ([]byte, error)
}

// BundleRequest asks for evidence of the events of a program, from one instant to
// before another; a zero time is no limit.
type BundleRequest struct {
	Program  exchange.ProgramID
	From, To time.Time
	Log      int // number of the log, where the period reaches into several; 0: the newest
}

// bundlePage is how many events are read at a time.
const bundlePage = 500

// partsBeside are what a bundle shows of events that are not of its period but stand
// beside it, so that its row of numbers has ends.
var partsBeside = []string{"number", "program", "at"}

// Bundle writes an evidence bundle: a tar that anybody verifies offline with the keys
// of the log (verify.BundleWriter). It is for who oversees the program, its auditors
// among them.
func (s *Service) Bundle(ctx context.Context, actor exchange.Actor, r BundleRequest, w io.Writer) error {
	write, err := s.Evidence(ctx, actor, r)
	if err != nil {
		return err
	}
	return write(w)
}

// Evidence prepares a bundle. What the actor may not have, or what cannot be had, is
// refused here; the function that it answers writes the bundle, in bounded memory.
func (s *Service) Evidence(ctx context.Context, actor exchange.Actor, r BundleRequest) (func(io.Writer) error, error) {
	if !reads(actor) {
		return nil, exchange.Missing()
	}
	b := bundle{s: s, ctx: ctx, r: r}
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		b.witnesses = nil
		c, err := tx.Charter(r.Program)
		if err != nil {
			return err
		}
		if !(actor.Oversees(c.Owner) && actor.Reaches(c.ID)) {
			return exchange.Missing()
		}
		if !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To) {
			return exchange.InvalidWith("no bundle was made", []exchange.Problem{{Path: "query.to", Message: "not after from"}})
		}
		if b.first, b.last, err = tx.Between(r.From, r.To); err != nil {
			return err
		}
		if b.first == 0 { // nothing happened: the bundle says so between two neighbours
			if _, b.last, err = tx.Between(time.Time{}, r.From); err != nil {
				return err
			}
			b.first = b.last + 1
		}
		for _, w := range c.Ledger.Witnesses {
			b.witnesses = append(b.witnesses, w.Key)
		}
		if b.upTo, err = b.reaches(tx); err != nil {
			return err
		}
		b.charters, err = tx.ChartersOf(r.Program)
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.c.Log == nil {
		return nil, noLedger
	}
	if b.log, err = s.c.Log.Evidence(ctx, r.Program, r.Log, b.upTo); err != nil {
		return nil, err
	}
	b.log.Witnesses = b.witnesses
	if r.Log == 0 && b.first <= b.log.Base {
		return nil, exchange.Fail(exchange.Conflict,
			"the period reaches into log %d; ask for a bundle of each log, by its number", b.log.Number-1)
	}
	return b.write, nil
}

// bundle is one that is being made.
type bundle struct {
	s           *Service
	ctx         context.Context
	r           BundleRequest
	log         Evidence
	first, last int64 // numbers of the events of the period
	upTo        int64 // number of the last event that the bundle shows
	witnesses   []string
	charters    []CharterVersion
	out         *verify.BundleWriter
}

func (b *bundle) write(w io.Writer) (err error) {
	b.out, err = verify.NewBundleWriter(w, verify.BundleOptions{
		Program: string(b.r.Program), From: b.r.From, To: b.r.To, Checkpoint: b.log.Checkpoint, Keys: b.log.Keys,
		Witnesses: b.log.Witnesses, Statements: b.log.Statements, Charters: b.inForce(), Read: b.log.Read,
	})
	if err != nil {
		return err
	}
	after := int64(-1)
	for end := false; !end; {
		var page []Recorded
		err := b.s.c.Store.View(b.ctx, func(tx Tx) (err error) {
			if after < 0 {
				if after, err = b.before(tx); err != nil {
					return err
				}
			}
			page, err = tx.Stretch(b.r.Program, after, bundlePage)
			return err
		})
		if err != nil {
			return err
		}
		end = len(page) < bundlePage
		for _, r := range page {
			after = r.Seq
			if err := b.add(r); err != nil {
				return err
			}
			if r.Seq > b.last { // the one after the last
				end = true
				break
			}
		}
	}
	return b.out.Close()
}

// before is the number after which the bundle begins: with the event before the first.
func (b *bundle) before(tx Tx) (int64, error) {
	page, err := tx.Page(EntryQuery{EntryFilter: EntryFilter{Program: b.r.Program, Before: b.first, Limit: 1}})
	if err != nil || len(page) == 0 {
		return b.first - 1, err
	}
	return page[0].Seq - 1, nil
}

// reaches is the number of the last event that the bundle shows: the one of the
// program after the period, else the program's last.
func (b *bundle) reaches(tx Tx) (int64, error) {
	page, err := tx.Stretch(b.r.Program, b.last, 1)
	if err == nil && len(page) == 0 {
		page, err = tx.Page(EntryQuery{EntryFilter: EntryFilter{Program: b.r.Program, Before: b.last + 1, Limit: 1}})
	}
	if err != nil || len(page) == 0 {
		return b.last, err
	}
	return page[0].Seq, nil
}

func (b *bundle) add(r Recorded) error {
	index := r.Seq - 1 - b.log.Base
	if index < 0 || index >= b.log.Size {
		return nil // of another log, or newer than the checkpoint
	}
	o, err := share{whole: true}.opening(r)
	if err != nil {
		return err
	}
	inside := (b.r.From.IsZero() || !r.At.Before(b.r.From)) && (b.r.To.IsZero() || r.At.Before(b.r.To))
	if !inside {
		if o, err = beside(o); err != nil {
			return err
		}
	}
	return b.out.Add(verify.BundleEntry{Index: index, Seq: r.Seq, Opening: o})
}

// beside shows of an opening what a neighbour shows.
func beside(o verify.Opening) (verify.Opening, error) {
	shown := func(name string) bool { return slices.Contains(partsBeside, name) }
	if o.Event != nil {
		return o.Show(shown)
	}
	out := verify.Opening{Hidden: slices.Clone(o.Hidden)}
	for _, p := range o.Parts {
		if shown(p.Name) {
			out.Parts = append(out.Parts, p)
		} else {
			out.Hidden = append(out.Hidden, p.Commit())
		}
	}
	return out, nil
}

// inForce are the charters that were in force at some time of the period.
func (b *bundle) inForce() (out []verify.Charter) {
	for i, c := range b.charters {
		ended := i+1 < len(b.charters) && !b.r.From.IsZero() && !b.charters[i+1].At.After(b.r.From)
		begins := b.r.To.IsZero() || c.At.Before(b.r.To)
		if begins && !ended {
			out = append(out, verify.Charter{Version: c.Revision, Form: "toml", Text: []byte(c.Document)})
		}
	}
	return out
}
