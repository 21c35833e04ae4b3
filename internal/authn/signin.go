package authn

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// SignIn opens a browser session for the holder of a sign-in link. secret goes
// into the cookie and is kept nowhere else. A link for one use is used up in
// the same transaction that opens the session.
func (s *Service) SignIn(ctx context.Context, code string) (secret string, expires time.Time, actor exchange.Actor, err error) {
	if !isSecret(code) {
		return "", time.Time{}, exchange.Actor{}, refused()
	}
	link := sha256.Sum256([]byte(code))
	secret = exchange.RandomSecret()
	hash := sha256.Sum256([]byte(secret))
	err = s.c.Store.Update(ctx, func(tx Tx) error {
		c, err := tx.UseLink(link[:])
		if err != nil {
			return err
		}
		if c.OrgSuspended || !c.Person.SuspendedAt.IsZero() {
			return exchange.Missing()
		}
		expires = tx.Now().Add(SessionLife)
		actor = newEntry(c).actor
		actor.Channel = exchange.ChannelWeb
		if err := tx.PutSession(hash[:], c.Person.ID, expires); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{Kind: exchange.EventSignedIn, Actor: actor})
		return err
	})
	switch {
	case exchange.KindOf(err) == exchange.NotFound:
		return "", time.Time{}, exchange.Actor{}, refused()
	case err != nil:
		return "", time.Time{}, exchange.Actor{}, fmt.Errorf("opening a session: %w", err)
	}
	return secret, expires, actor, nil
}

// SignOut ends a browser session. One that is over already is no error.
func (s *Service) SignOut(ctx context.Context, secret string) error {
	hash := sha256.Sum256([]byte(secret))
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		c, err := tx.SessionCredential(hash[:])
		if exchange.KindOf(err) == exchange.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		if err := tx.DropSession(hash[:]); err != nil {
			return err
		}
		if err := tx.BumpGeneration(); err != nil { // the session may be remembered
			return err
		}
		actor := newEntry(c).actor
		actor.Channel = exchange.ChannelWeb
		_, err = tx.Record(exchange.Event{Kind: exchange.EventSignedOut, Actor: actor})
		return err
	})
	if err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	return nil
}
