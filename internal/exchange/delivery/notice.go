package delivery

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Notice returns one of the notices that Notices lists.
func (s *Service) Notice(ctx context.Context, a exchange.Actor, id exchange.NoticeID) (exchange.Notice, error) {
	if a.Anonymous() || !a.May(exchange.VerbRead) {
		return exchange.Notice{}, exchange.Missing()
	}
	var n exchange.Notice
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		n, err = tx.Notice(a.Org, id)
		return err
	})
	if err != nil {
		return exchange.Notice{}, err
	}
	if n.Release != "" {
		ok, err := s.mayBeTold(ctx, a, n.Release)
		if err != nil {
			return exchange.Notice{}, err
		}
		if !ok {
			return exchange.Notice{}, exchange.Missing()
		}
	}
	return n, s.settled(ctx)
}
