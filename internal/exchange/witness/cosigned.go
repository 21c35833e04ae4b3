package witness

import (
	"context"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

const (
	page     = 100
	maxPages = 50
)

// Cosigned answers the smallest checkpoint of a log that has at least this size and
// that a quorum of the program's witnesses signed, with their signatures. Without a
// program, the smallest quorum of any counts. One that there is not, or not yet, is
// NotFound.
func (s *Service) Cosigned(ctx context.Context, program exchange.ProgramID, log int, size int64) ([]byte, error) {
	var out []byte
	err := s.c.Store.View(ctx, func(tx Tx) error {
		terms, err := termsOf(tx, program)
		if err != nil {
			return err
		}
		for range maxPages {
			all, err := tx.CosignedFrom(log, size, page)
			if err != nil {
				return err
			}
			for _, c := range all {
				if out = c.note(terms); out != nil {
					return nil
				}
			}
			if len(all) < page {
				break
			}
			size = all[len(all)-1].Size + 1
		}
		return exchange.Missing()
	})
	return out, err
}

// Newest answers the newest checkpoint of a log that a quorum of some program's
// witnesses signed; NotFound: there is none among the last.
func (s *Service) Newest(ctx context.Context, log int) ([]byte, error) {
	return s.NewestOf(ctx, "", log)
}

// NewestOf is Newest for the witnesses of one program.
func (s *Service) NewestOf(ctx context.Context, program exchange.ProgramID, log int) ([]byte, error) {
	var out []byte
	err := s.c.Store.View(ctx, func(tx Tx) error {
		terms, err := termsOf(tx, program)
		if err != nil {
			return err
		}
		all, err := tx.NewestCosigned(log, 10*page)
		if err != nil {
			return err
		}
		for _, c := range all {
			if out = c.note(terms); out != nil {
				return nil
			}
		}
		return exchange.Missing()
	})
	return out, err
}

// termsOf lists the terms of the program, or of all programs with witnesses.
func termsOf(tx Tx, program exchange.ProgramID) (out []exchange.Witnessing, err error) {
	all, err := tx.Charters()
	for _, c := range all {
		if len(c.Ledger.Witnesses) > 0 && (program == "" || c.ID == program) {
			out = append(out, c.Ledger)
		}
	}
	return out, err
}

// note is the checkpoint with the signatures of the first terms whose quorum it
// has; nil: of none.
func (c Cosigned) note(terms []exchange.Witnessing) []byte {
	for _, t := range terms {
		out := slices.Clone(c.Checkpoint)
		n := 0
		for _, sig := range c.Signatures {
			if _, listed := t.ByKey(sig.Key); listed {
				out = append(out, sig.Line...)
				n++
			}
		}
		if n >= t.Quorum && n > 0 {
			return out
		}
	}
	return nil
}
