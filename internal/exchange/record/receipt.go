package record

import (
	"context"
	"errors"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/verify"
)

// errNotCarried says that an event has no entry in the ledger.
var errNotCarried = errors.New("the event has no entry in the ledger")

var noLedger = exchange.Fail(exchange.Unavailable, "the ledger cannot be read now; try again later")

// Receipt proves an entry to one of its parties: the opening as far as the actor is
// shown the event, and the proof that it is in the ledger. Whole openings are for who
// oversees the program, for the organisation that acted and for the one concerned.
// An originator of something that a disclosure covers is shown when something of its
// own was given, over which channel, under which charter and which root, and to whom
// as far as it is told who has its artifacts. For everybody else the entry does not
// exist.
func (s *Service) Receipt(ctx context.Context, actor exchange.Actor, seq int64) (verify.Receipt, error) {
	var out verify.Receipt
	var program exchange.ProgramID
	err := s.party(ctx, actor, seq, func(_ Tx, r Recorded, shown share) (err error) {
		program = r.Program
		out.Opening, err = shown.opening(r)
		return err
	})
	if errors.Is(err, errNotCarried) {
		return verify.Receipt{}, noLedger
	}
	if err != nil {
		return verify.Receipt{}, err
	}
	if s.c.Log == nil {
		return verify.Receipt{}, noLedger
	}
	p, err := s.c.Log.Prove(ctx, program, seq)
	if err != nil {
		return verify.Receipt{}, err
	}
	out.Index, out.Proof, out.Checkpoint = p.Index, p.Hashes, p.Checkpoint
	return out, nil
}

// party calls fn with an event of which the actor is a party, and what it is shown.
func (s *Service) party(ctx context.Context, actor exchange.Actor, seq int64, fn func(Tx, Recorded, share) error) error {
	if !reads(actor) || seq <= 0 {
		return exchange.Missing()
	}
	return s.c.Store.View(ctx, func(tx Tx) error {
		r, err := tx.Recorded(seq)
		if err != nil {
			return err
		}
		shown, err := s.viewer(tx, actor).shows(r)
		if err != nil {
			return err
		}
		if !shown.some() {
			return exchange.Missing()
		}
		return fn(tx, r, shown)
	})
}

// Head is what the log says of itself. It is public.
func (s *Service) Head(ctx context.Context) (Head, error) {
	if s.c.Log == nil {
		return Head{}, noLedger
	}
	h, err := s.c.Log.Head(ctx)
	if err != nil || h.Size == 0 {
		return h, err
	}
	err = s.c.Store.View(ctx, func(tx Tx) error {
		r, err := tx.Recorded(h.Base + h.Size)
		h.NewestAt = r.At
		return err
	})
	return h, err
}

// Where answers where the entry of an event stands, for one of its parties.
func (s *Service) Where(ctx context.Context, actor exchange.Actor, seq int64) (Proof, error) {
	var program exchange.ProgramID
	err := s.party(ctx, actor, seq, func(_ Tx, r Recorded, _ share) error {
		program = r.Program
		return nil
	})
	if err != nil {
		return Proof{}, err
	}
	if s.c.Log == nil {
		return Proof{}, noLedger
	}
	return s.c.Log.Prove(ctx, program, seq)
}
