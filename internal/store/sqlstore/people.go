package sqlstore

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

const personColumns = `p.id, p.org, p.login, p.name, p.email, p.roles, p.zone, p.created_at, p.suspended_at, p.revision`

// Person answers one person.
func (tx *Tx) Person(id exchange.PersonID) (exchange.Person, error) {
	p, err := scanPerson(tx.QueryRow(`SELECT `+personColumns+` FROM person p WHERE p.id = ?1`, string(id)))
	return found(p, err, "reading a person")
}

// PersonByLogin answers the person with the login.
func (tx *Tx) PersonByLogin(login string) (exchange.Person, error) {
	p, err := scanPerson(tx.QueryRow(`SELECT `+personColumns+` FROM person p WHERE p.login = ?1`, login))
	return found(p, err, "reading a person by login")
}

// ListPeople lists the people of an organisation, by id.
func (tx *Tx) ListPeople(org exchange.OrgID) ([]exchange.Person, error) {
	all, err := Collect(tx, scanPerson, `
		SELECT `+personColumns+` FROM person p WHERE p.org = ?1 ORDER BY p.id`, string(org))
	if err != nil {
		return nil, fmt.Errorf("listing people: %w", err)
	}
	return all, nil
}

// PutPerson stores a new person or the changed fields of an old one;
// organisation, login and the day of creation never change.
func (tx *Tx) PutPerson(p exchange.Person) error {
	roles, err := words(p.Roles)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		INSERT INTO person (id, org, login, name, email, roles, zone, created_at, suspended_at, revision)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
		ON CONFLICT (id) DO UPDATE SET
			name = excluded.name, email = excluded.email, roles = excluded.roles, zone = excluded.zone,
			suspended_at = excluded.suspended_at, revision = excluded.revision`,
		string(p.ID), string(p.Org), p.Login, p.Name, p.Email, roles, p.TimeZone,
		micros(p.CreatedAt), micros(p.SuspendedAt), p.Revision)
	if err != nil {
		return fmt.Errorf("storing a person: %w", err)
	}
	return nil
}

func scanPerson(s Scanner) (exchange.Person, error) {
	var row personRow
	if err := s.Scan(row.dest()...); err != nil {
		return exchange.Person{}, err
	}
	return row.person()
}

// personRow takes the columns of personColumns, alone or among others.
type personRow struct {
	p                  exchange.Person
	id, org, roles     string
	created, suspended int64
}

func (r *personRow) dest() []any {
	return []any{
		&r.id, &r.org, &r.p.Login, &r.p.Name, &r.p.Email, &r.roles, &r.p.TimeZone,
		&r.created, &r.suspended, &r.p.Revision,
	}
}

func (r *personRow) person() (p exchange.Person, err error) {
	p = r.p
	p.ID, p.Org = exchange.PersonID(r.id), exchange.OrgID(r.org)
	p.CreatedAt, p.SuspendedAt = instant(r.created), instant(r.suspended)
	p.Roles, err = wordsOf[exchange.Role](r.roles)
	return p, err
}

const tokenColumns = `t.id, t.person, t.org, t.name, t.verbs, t.program, t.ceiling, t.machine,
	t.created_at, t.expires_at, t.revoked_at, t.last_used, t.hat, t.purpose`

// Token answers one token, without its hash.
func (tx *Tx) Token(id exchange.TokenID) (exchange.Token, error) {
	t, err := scanToken(tx.QueryRow(`SELECT `+tokenColumns+` FROM token t WHERE t.id = ?1`, string(id)))
	return found(t, err, "reading a token")
}

// ListTokens lists the tokens of an organisation, revoked and expired ones
// included, by id.
func (tx *Tx) ListTokens(org exchange.OrgID) ([]exchange.Token, error) {
	all, err := Collect(tx, scanToken, `
		SELECT `+tokenColumns+` FROM token t WHERE t.org = ?1 ORDER BY t.id`, string(org))
	if err != nil {
		return nil, fmt.Errorf("listing tokens: %w", err)
	}
	return all, nil
}

// PutToken stores a new token under the hash of its secret. Without a hash it
// stores what may change of an old one: when it was revoked.
func (tx *Tx) PutToken(t exchange.Token, hash []byte) error {
	if hash == nil {
		_, err := tx.Exec(`UPDATE token SET revoked_at = ?2 WHERE id = ?1`, string(t.ID), micros(t.RevokedAt))
		if err != nil {
			return fmt.Errorf("changing a token: %w", err)
		}
		return nil
	}
	verbs, err := words(t.Verbs)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		INSERT INTO token (id, person, org, name, hash, verbs, program, ceiling, machine,
			created_at, expires_at, revoked_at, last_used, hat, purpose)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)`,
		string(t.ID), string(t.Person), string(t.Org), t.Name, hash, verbs, string(t.Program), int64(t.Ceiling),
		flag(t.Machine), micros(t.CreatedAt), micros(t.ExpiresAt), micros(t.RevokedAt), micros(t.LastUsed), t.Hat, t.Purpose)
	if err != nil {
		return fmt.Errorf("storing a token: %w", err)
	}
	return nil
}

// TouchToken notes when a token was last used; an earlier use changes nothing.
func (tx *Tx) TouchToken(id exchange.TokenID, at time.Time) error {
	_, err := tx.Exec(`UPDATE token SET last_used = ?2 WHERE id = ?1 AND last_used < ?2`, string(id), micros(at))
	if err != nil {
		return fmt.Errorf("noting the use of a token: %w", err)
	}
	return nil
}

func scanToken(s Scanner) (exchange.Token, error) {
	var row tokenRow
	if err := s.Scan(row.dest()...); err != nil {
		return exchange.Token{}, err
	}
	return row.token()
}

// tokenRow takes the columns of tokenColumns, alone or among others.
type tokenRow struct {
	t                               exchange.Token
	id, person, org, verbs, program string
	ceiling, machine                int64
	created, expires, revoked, used int64
}

func (r *tokenRow) dest() []any {
	return []any{
		&r.id, &r.person, &r.org, &r.t.Name, &r.verbs, &r.program, &r.ceiling, &r.machine,
		&r.created, &r.expires, &r.revoked, &r.used, &r.t.Hat, &r.t.Purpose,
	}
}

func (r *tokenRow) token() (t exchange.Token, err error) {
	t = r.t
	t.ID, t.Person, t.Org = exchange.TokenID(r.id), exchange.PersonID(r.person), exchange.OrgID(r.org)
	t.Program, t.Ceiling, t.Machine = exchange.ProgramID(r.program), exchange.TLP(r.ceiling), r.machine != 0
	t.CreatedAt, t.ExpiresAt = instant(r.created), instant(r.expires)
	t.RevokedAt, t.LastUsed = instant(r.revoked), instant(r.used)
	t.Verbs, err = wordsOf[exchange.Verb](r.verbs)
	return t, err
}

// words is a list of words as it is kept: a JSON array.
func words[T ~string](list []T) (string, error) {
	if list == nil {
		list = []T{}
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "", fmt.Errorf("writing a list: %w", err)
	}
	return string(b), nil
}

func wordsOf[T ~string](text string) ([]T, error) {
	var list []T
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("reading a list: %w", err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	return list, nil
}
