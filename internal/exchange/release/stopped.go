package release

import (
	"errors"
	"fmt"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

var errStopped = errors.New("the charter stops releases")

// stopped is a Conflict while nothing may be released in the program, with the
// reason: the charter asks for witnesses of the ledger, and they do not agree.
func (s *Service) stopped(tx Tx, c exchange.Charter, what string) error {
	if s.c.Held == nil || !c.Ledger.Stop {
		return nil
	}
	reason, err := s.c.Held(tx, c)
	if err != nil || reason == "" {
		return err
	}
	return &exchange.Error{
		Kind: exchange.Conflict, Err: errStopped,
		Public: fmt.Sprintf("%s: %s; the charter stops releases until that is resolved", what, reason),
	}
}

// stoppedWave is stopped for a wave on the clock.
func (s *Service) stoppedWave(tx Tx, w exchange.WaveRecord) error {
	if s.c.Held == nil {
		return nil
	}
	r, err := tx.Release(w.Release)
	if err != nil {
		return err
	}
	c, err := tx.Charter(r.Program)
	if err != nil || c.ReadOnlyAt(tx.Now()) { // past its sunset a wave lapses, and gives nothing
		return err
	}
	return s.stopped(tx, c, "the wave stays closed")
}
