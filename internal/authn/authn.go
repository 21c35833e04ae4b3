// Package authn says who is calling: it turns a token, a password or a browser
// session into an exchange.Actor, and a sign-in link into a session.
//
// Every failure has the same answer, so that a caller cannot tell an unknown
// login from a wrong secret or from somebody who was suspended. Of every
// secret only the SHA-256 is kept; all secrets are 256 random bits, so a slow
// hash would add nothing. Passkeys and OIDC come later.
package authn

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// SessionLife is for how long a browser session lasts, used or not.
const SessionLife = 12 * time.Hour

// Credential is what is kept of a token, or of a session, and of whose it is.
type Credential struct {
	Hash         []byte         // SHA-256 of the secret
	Token        exchange.Token // the zero value for a session
	Person       exchange.Person
	OrgSuspended bool
	Expires      time.Time
	Hat          string // of a session
	Purpose      string
}

// Tx is what authn needs kept, in one transaction. Reads answer
// exchange.NotFound for what does not exist.
type Tx interface {
	Now() time.Time
	Record(e exchange.Event) (seq int64, err error)
	BumpGeneration() error
	TokenCredential(id exchange.TokenID) (Credential, error) // revoked and expired ones included
	TokenOf(login string, hash []byte) (exchange.TokenID, error)
	SessionCredential(hash []byte) (Credential, error) // expired ones included
	UseLink(hash []byte) (Credential, error)           // only Person and OrgSuspended; uses a single-use link up
	PutSession(hash []byte, person exchange.PersonID, expires time.Time) error
	DropSession(hash []byte) error
	TouchToken(id exchange.TokenID, at time.Time) error
	Acting
}

// Acting is in which hat, and for what, a session acts.
type Acting interface {
	Organisation(id exchange.OrgID) (exchange.Organisation, error)
	ActAs(hash []byte, hat, purpose string) error
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Config is what the service is built from. Generation answers a number that
// has grown whenever a person, organisation or credential changed; it is asked
// on every call and must be cheap.
type Config struct {
	Store      Store
	Generation func(ctx context.Context) (int64, error)
	Now        func() time.Time
}

// Service establishes who is calling. Its methods may be called by many
// goroutines.
type Service struct {
	c     Config
	cache cache
	uses  uses
}

// New returns the service.
func New(c Config) *Service { return &Service{c: c} }

// refused is the one answer to every failure.
func refused() error {
	return exchange.Fail(exchange.Unsigned, "sign in: no valid credentials were given")
}

// Bearer establishes the holder of a machine token, given whole:
// fw_<12 characters>_<52 characters>.
func (s *Service) Bearer(ctx context.Context, raw string, channel exchange.Channel) (exchange.Actor, error) {
	id, secret, ok := splitToken(raw)
	if !ok {
		return exchange.Actor{}, refused()
	}
	e, err := s.remembered(ctx, digest(secret))
	if e == nil && err == nil {
		e, err = s.token(ctx, digest(secret), func(Tx, []byte) (exchange.TokenID, error) { return id, nil })
	}
	if err != nil {
		return exchange.Actor{}, err
	}
	if e.actor.Token != id {
		return exchange.Actor{}, refused()
	}
	return s.admit(e, channel), nil
}

// digest is the hash of a secret of the form isSecret.
func digest(secret string) key {
	var b [secretLength]byte
	return sha256.Sum256(b[:copy(b[:], secret)])
}

// Basic establishes the holder of a machine token for clients that only know
// user and password: the password is the token or its secret part, the user is
// the login of the token's person or the token's identifier.
func (s *Service) Basic(ctx context.Context, user, password string, channel exchange.Channel) (exchange.Actor, error) {
	id, secret, whole := splitToken(password)
	if !whole {
		id, secret = "", password
	}
	if isTokenID(user) {
		if whole && id != exchange.TokenID(user) {
			return exchange.Actor{}, refused()
		}
		id = exchange.TokenID(user)
	}
	if !isSecret(secret) {
		return exchange.Actor{}, refused()
	}
	e, err := s.remembered(ctx, digest(secret))
	if e == nil && err == nil {
		e, err = s.token(ctx, digest(secret), func(tx Tx, hash []byte) (exchange.TokenID, error) {
			if id != "" {
				return id, nil
			}
			return tx.TokenOf(user, hash)
		})
	}
	if err != nil {
		return exchange.Actor{}, err
	}
	if id != "" && e.actor.Token != id || user != e.login && user != string(e.actor.Token) {
		return exchange.Actor{}, refused()
	}
	return s.admit(e, channel), nil
}

// remembered is token for a secret that is in memory; nil: it is not.
func (s *Service) remembered(ctx context.Context, hash key) (*entry, error) {
	generation, err := s.c.Generation(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the generation: %w", err)
	}
	e := s.cache.find(hash, generation)
	if e != nil && (e.actor.Token == "" || !s.c.Now().Before(e.expires)) {
		return nil, refused()
	}
	return e, nil
}

// token answers the entry of the secret with this hash, from memory while
// nothing has changed. name says whose secret it should be.
func (s *Service) token(ctx context.Context, hash key, name func(Tx, []byte) (exchange.TokenID, error)) (*entry, error) {
	e, err := s.resolve(ctx, hash, func(tx Tx) (Credential, error) {
		id, err := name(tx, hash[:])
		if err != nil {
			return Credential{}, err
		}
		c, err := tx.TokenCredential(id)
		if err != nil {
			return Credential{}, err
		}
		// Without verbs an actor is unlimited: a session, never a token.
		if !c.Token.RevokedAt.IsZero() || len(c.Token.Verbs) == 0 {
			return Credential{}, exchange.Missing()
		}
		return c, nil
	})
	if err == nil && e.actor.Token == "" { // the secret of a session
		return nil, refused()
	}
	return e, err
}

// Session establishes who holds a browser session, given the secret from its
// cookie.
func (s *Service) Session(ctx context.Context, secret string) (exchange.Actor, error) {
	if !isSecret(secret) {
		return exchange.Actor{}, refused()
	}
	hash := key(sha256.Sum256([]byte(secret)))
	e, err := s.resolve(ctx, hash, func(tx Tx) (Credential, error) { return tx.SessionCredential(hash[:]) })
	if err != nil {
		return exchange.Actor{}, err
	}
	if e.actor.Token != "" { // a token's secret in a cookie
		return exchange.Actor{}, refused()
	}
	return s.admit(e, exchange.ChannelWeb), nil
}

// resolve answers the entry of a secret: the one in memory, or what the store
// says.
func (s *Service) resolve(ctx context.Context, hash key, read func(Tx) (Credential, error)) (*entry, error) {
	generation, err := s.c.Generation(ctx) // before the facts are read: see cache
	if err != nil {
		return nil, fmt.Errorf("asking for the generation: %w", err)
	}
	now := s.c.Now()
	e := s.cache.find(hash, generation)
	if e == nil {
		if e, err = s.read(ctx, hash, read); err != nil {
			return nil, err
		}
		e.generation = generation
		s.cache.keep(hash, e)
	}
	if !now.Before(e.expires) {
		return nil, refused()
	}
	return e, nil
}

func (s *Service) read(ctx context.Context, hash key, read func(Tx) (Credential, error)) (*entry, error) {
	var c Credential
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		c, err = read(tx)
		return err
	})
	switch {
	case exchange.KindOf(err) == exchange.NotFound:
		return nil, refused()
	case err != nil:
		return nil, fmt.Errorf("reading a credential: %w", err)
	case subtle.ConstantTimeCompare(c.Hash, hash[:]) != 1:
		return nil, refused()
	case c.OrgSuspended || !c.Person.SuspendedAt.IsZero():
		return nil, refused()
	}
	return newEntry(c), nil
}

// admit is the actor of an entry on a channel.
func (s *Service) admit(e *entry, channel exchange.Channel) exchange.Actor {
	s.uses.note(e, s.c.Now())
	actor := e.actor
	actor.Channel = channel
	return actor
}

// splitToken takes fw_<12>_<52> apart; false when raw has another form.
func splitToken(raw string) (id exchange.TokenID, secret string, ok bool) {
	i := strings.LastIndexByte(raw, '_')
	if i < 0 || !isTokenID(raw[:i]) || !isSecret(raw[i+1:]) {
		return "", "", false
	}
	return exchange.TokenID(raw[:i]), raw[i+1:], true
}

// isTokenID reports whether s has the form of a token's public part.
func isTokenID(s string) bool {
	rest, ok := strings.CutPrefix(s, "fw_")
	return ok && isBase32(rest, 12)
}

// isSecret reports whether s has the form of exchange.RandomSecret. It keeps
// what cannot be one from costing a statement.
func isSecret(s string) bool { return isBase32(s, secretLength) }

const secretLength = 52

func isBase32(s string, length int) bool {
	if len(s) != length {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
