package sqlstore

import (
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/authn"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
)

var _ authn.Tx = (*Tx)(nil)

// PutLink stores a sign-in link.
func (tx *Tx) PutLink(l membership.Link) error {
	_, err := tx.Exec(`
		INSERT INTO link (hash, person, reusable, created_at, expires_at, used_at)
		VALUES (?1, ?2, ?3, ?4, ?5, 0)`,
		l.Hash, string(l.Person), flag(l.Reusable), micros(tx.now), micros(l.ExpiresAt))
	if err != nil {
		return fmt.Errorf("storing a sign-in link: %w", err)
	}
	return nil
}

// EndSessions removes the person's browser sessions and sign-in links and
// answers how many sessions there were.
func (tx *Tx) EndSessions(person exchange.PersonID) (int, error) {
	if _, err := tx.Exec(`DELETE FROM link WHERE person = ?1`, string(person)); err != nil {
		return 0, fmt.Errorf("removing sign-in links: %w", err)
	}
	n, err := tx.Exec(`DELETE FROM session WHERE person = ?1 AND expires_at > ?2`, string(person), micros(tx.now))
	if err != nil {
		return 0, fmt.Errorf("ending sessions: %w", err)
	}
	return int(n), nil
}

// UseLink answers whose sign-in link it is and, unless the link may be used
// again, uses it up. A link that is unknown, used or expired is NotFound.
func (tx *Tx) UseLink(hash []byte) (authn.Credential, error) {
	var person string
	err := tx.QueryRow(`
		UPDATE link SET used_at = ?2
		WHERE hash = ?1 AND expires_at > ?2 AND (reusable = 1 OR used_at = 0)
		RETURNING person`, hash, micros(tx.now)).Scan(&person)
	if person, err = found(person, err, "using a sign-in link"); err != nil {
		return authn.Credential{}, err
	}
	var row personRow
	var suspended int64
	err = tx.QueryRow(`
		SELECT `+personColumns+`, o.suspended_at
		FROM person p JOIN organisation o ON o.id = p.org WHERE p.id = ?1`, person).Scan(append(row.dest(), &suspended)...)
	if _, err = found(row, err, "reading who signs in"); err != nil {
		return authn.Credential{}, err
	}
	c := authn.Credential{OrgSuspended: suspended != 0}
	c.Person, err = row.person()
	return c, err
}

// PutSession stores a session and removes those that have expired.
func (tx *Tx) PutSession(hash []byte, person exchange.PersonID, expires time.Time) error {
	if _, err := tx.Exec(`DELETE FROM session WHERE expires_at <= ?1`, micros(tx.now)); err != nil {
		return fmt.Errorf("removing expired sessions: %w", err)
	}
	_, err := tx.Exec(`
		INSERT INTO session (hash, person, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)`,
		hash, string(person), micros(tx.now), micros(expires))
	if err != nil {
		return fmt.Errorf("storing a session: %w", err)
	}
	return nil
}

// ActAs stores in which hat and for what purpose a session acts.
func (tx *Tx) ActAs(hash []byte, hat, purpose string) error {
	if _, err := tx.Exec(`UPDATE session SET hat = ?2, purpose = ?3 WHERE hash = ?1`, hash, hat, purpose); err != nil {
		return fmt.Errorf("storing how a session acts: %w", err)
	}
	return nil
}

// DropSession removes a session.
func (tx *Tx) DropSession(hash []byte) error {
	if _, err := tx.Exec(`DELETE FROM session WHERE hash = ?1`, hash); err != nil {
		return fmt.Errorf("removing a session: %w", err)
	}
	return nil
}

// SessionCredential answers whose session it is, expired or not.
func (tx *Tx) SessionCredential(hash []byte) (authn.Credential, error) {
	var row personRow
	var suspended, expires int64
	var hat, purpose string
	err := tx.QueryRow(`
		SELECT `+personColumns+`, o.suspended_at, s.expires_at, s.hat, s.purpose
		FROM session s JOIN person p ON p.id = s.person JOIN organisation o ON o.id = p.org
		WHERE s.hash = ?1`, hash).Scan(append(row.dest(), &suspended, &expires, &hat, &purpose)...)
	if _, err = found(row, err, "reading a session"); err != nil {
		return authn.Credential{}, err
	}
	c := authn.Credential{Hash: hash, OrgSuspended: suspended != 0, Expires: instant(expires), Hat: hat, Purpose: purpose}
	c.Person, err = row.person()
	return c, err
}

// TokenCredential answers a token with the hash of its secret and whose it is,
// revoked and expired ones included.
func (tx *Tx) TokenCredential(id exchange.TokenID) (authn.Credential, error) {
	var person personRow
	var token tokenRow
	var suspended int64
	var c authn.Credential
	dest := append(append(token.dest(), person.dest()...), &suspended, &c.Hash)
	err := tx.QueryRow(`
		SELECT `+tokenColumns+`, `+personColumns+`, o.suspended_at, t.hash
		FROM token t JOIN person p ON p.id = t.person JOIN organisation o ON o.id = p.org
		WHERE t.id = ?1`, string(id)).Scan(dest...)
	if _, err = found(token, err, "reading a token"); err != nil {
		return authn.Credential{}, err
	}
	if c.Token, err = token.token(); err != nil {
		return authn.Credential{}, err
	}
	c.Person, err = person.person()
	c.OrgSuspended, c.Expires = suspended != 0, c.Token.ExpiresAt
	return c, err
}

// TokenOf answers which of the tokens of the person with this login has a
// secret with this hash.
func (tx *Tx) TokenOf(login string, hash []byte) (exchange.TokenID, error) {
	var id string
	err := tx.QueryRow(`
		SELECT t.id FROM person p JOIN token t ON t.org = p.org AND t.person = p.id
		WHERE p.login = ?1 AND t.hash = ?2`, login, hash).Scan(&id)
	return found(exchange.TokenID(id), err, "looking for a token")
}

// Secret answers a key that the exchange made for itself; nil: it has none yet.
func (tx *Tx) Secret(name string) ([]byte, error) {
	some, err := Collect(tx, func(s Scanner) (b []byte, err error) { return b, s.Scan(&b) }, `SELECT value FROM secret WHERE name = ?1`, name)
	if err != nil {
		return nil, fmt.Errorf("reading a key: %w", err)
	}
	if len(some) == 0 {
		return nil, nil
	}
	return some[0], nil
}

// PutSecret keeps a key, unless there is one of the name.
func (tx *Tx) PutSecret(name string, value []byte) error {
	_, err := tx.Exec(`INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING`, name, value)
	if err != nil {
		return fmt.Errorf("keeping a key: %w", err)
	}
	return nil
}
