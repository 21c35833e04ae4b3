package record

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Shown answers of which events the actor is a party, among those that a list names:
// whose entry it is shown when it asks. Numbers that there are not are none.
func (s *Service) Shown(ctx context.Context, actor exchange.Actor, seqs []int64) (map[int64]bool, error) {
	if !reads(actor) || len(seqs) == 0 {
		return nil, nil
	}
	var out map[int64]bool
	err := s.c.Store.View(ctx, func(tx Tx) error {
		out = map[int64]bool{}
		v := s.viewer(tx, actor)
		for _, seq := range seqs {
			if _, known := out[seq]; known || seq <= 0 {
				continue
			}
			r, err := tx.Recorded(seq)
			if exchange.KindOf(err) == exchange.NotFound {
				continue
			}
			if err != nil {
				return err
			}
			shown, err := v.shows(r)
			if err != nil {
				return err
			}
			out[seq] = shown.some()
		}
		return nil
	})
	return out, err
}
