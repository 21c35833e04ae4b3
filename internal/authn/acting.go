package authn

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// ActAs chooses in which of its organisation's hats, and for what purpose, a
// browser session acts from now on; empty: in all of them, and for none that is
// named. A hat that the organisation does not have, and a purpose that is no
// short name, are exchange.Invalid, and nothing changes.
func (s *Service) ActAs(ctx context.Context, secret, hat, purpose string) error {
	if !isSecret(secret) {
		return refused()
	}
	hash := sha256.Sum256([]byte(secret))
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		c, err := tx.SessionCredential(hash[:])
		if err != nil {
			return err
		}
		if c.OrgSuspended || !c.Person.SuspendedAt.IsZero() || !tx.Now().Before(c.Expires) {
			return exchange.Missing()
		}
		o, err := tx.Organisation(c.Person.Org)
		if err != nil {
			return err
		}
		if problems := o.CheckActing(hat, purpose); len(problems) > 0 {
			return exchange.InvalidWith("nothing was changed", problems)
		}
		if c.Hat == hat && c.Purpose == purpose {
			return nil
		}
		if err := tx.ActAs(hash[:], hat, purpose); err != nil {
			return err
		}
		if err := tx.BumpGeneration(); err != nil { // the session may be remembered, on any node
			return err
		}
		was := c.Hat
		c.Hat, c.Purpose = hat, purpose
		actor := newEntry(c).actor
		actor.Channel = exchange.ChannelWeb
		_, err = tx.Record(exchange.Event{Kind: exchange.EventHatChosen, Actor: actor, Detail: exchange.Detail{"from": was, "to": hat}})
		return err
	})
	if exchange.KindOf(err) == exchange.NotFound {
		return refused()
	}
	if err != nil && exchange.KindOf(err) != exchange.Invalid {
		return fmt.Errorf("choosing a hat: %w", err)
	}
	return err
}
