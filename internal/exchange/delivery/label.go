package delivery

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Labels are the labels now in force on the entries of a page that the actor was
// given, one for each.
func (s *Service) Labels(ctx context.Context, a exchange.Actor, program exchange.ProgramID, es []Entry) ([]exchange.TLP, error) {
	v, err := s.reader(ctx, a, program)
	if err != nil {
		return nil, err
	}
	labels := make([]exchange.TLP, len(es))
	err = s.c.Store.View(ctx, func(tx Tx) error {
		for i, e := range es {
			k, err := v.classOf(tx, e.Class, s.c.Now())
			if err != nil {
				return err
			}
			labels[i] = k.decision.TLP
		}
		return nil
	})
	return labels, err
}
