package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
)

var _ program.Tx = (*Tx)(nil)

const programColumns = `id, owner, charter, revision, created_at, updated_at`

// Program answers a program as it is kept.
func (tx *Tx) Program(id exchange.ProgramID) (program.Stored, error) {
	p, err := tx.scanProgram(tx.QueryRow(`SELECT `+programColumns+` FROM program WHERE id = ?1`, string(id)))
	return found(p, err, "reading a program")
}

// Programs lists all programs by id.
func (tx *Tx) Programs() ([]program.Stored, error) {
	all, err := Collect(tx, tx.scanProgram, `SELECT `+programColumns+` FROM program ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("listing programs: %w", err)
	}
	return all, nil
}

// PutProgram stores a new program, or a new charter of an old one. The owner
// and the day of its creation never change.
func (tx *Tx) PutProgram(p program.Stored) error {
	_, err := tx.Exec(`
		INSERT INTO program (id, owner, charter, revision, created_at, updated_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6)
		ON CONFLICT (id) DO UPDATE SET
			charter = excluded.charter, revision = excluded.revision, updated_at = excluded.updated_at`,
		string(p.ID), string(p.Owner), string(p.Charter.TOML()), p.Revision, micros(p.CreatedAt), micros(p.UpdatedAt))
	if err != nil {
		return fmt.Errorf("storing a program: %w", err)
	}
	return nil
}

// Charter answers the charter in force. It is shared with other callers: they
// may not change what its slices and maps hold.
func (tx *Tx) Charter(id exchange.ProgramID) (exchange.Charter, error) {
	var text string
	err := tx.QueryRow(`SELECT charter FROM program WHERE id = ?1`, string(id)).Scan(&text)
	if text, err = found(text, err, "reading a charter"); err != nil {
		return exchange.Charter{}, err
	}
	return tx.memory.charters.parse(text)
}

// Charters lists the charters of all programs, by id.
func (tx *Tx) Charters() ([]exchange.Charter, error) {
	all, err := Collect(tx, func(s Scanner) (exchange.Charter, error) {
		var text string
		if err := s.Scan(&text); err != nil {
			return exchange.Charter{}, err
		}
		return tx.memory.charters.parse(text)
	}, `SELECT charter FROM program ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("listing charters: %w", err)
	}
	return all, nil
}

func (tx *Tx) scanProgram(s Scanner) (p program.Stored, err error) {
	var id, owner, text string
	var created, updated int64
	if err := s.Scan(&id, &owner, &text, &p.Revision, &created, &updated); err != nil {
		return program.Stored{}, err
	}
	p.ID, p.Owner = exchange.ProgramID(id), exchange.OrgID(owner)
	p.CreatedAt, p.UpdatedAt = instant(created), instant(updated)
	p.Charter, err = tx.memory.charters.parse(text)
	return p, err
}

// charterCache keeps parsed charters under their text: reading one costs many
// times more than fetching it, and every decision needs it. The text as key
// keeps a charter of a transaction that was rolled back from standing for
// another one.
type charterCache struct {
	mu     sync.RWMutex
	parsed map[string]exchange.Charter
}

// maxCharters bounds the cache; it is emptied when full.
const maxCharters = 256

func (c *charterCache) parse(text string) (exchange.Charter, error) {
	c.mu.RLock()
	charter, ok := c.parsed[text]
	c.mu.RUnlock()
	if ok {
		return charter, nil
	}
	charter, err := exchange.ParseCharter([]byte(text))
	if err != nil {
		// Not the caller's fault: the kind of the error must not reach them.
		return exchange.Charter{}, fmt.Errorf("reading a stored charter: %s", err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parsed == nil || len(c.parsed) >= maxCharters {
		c.parsed = make(map[string]exchange.Charter)
	}
	c.parsed[text] = charter
	return charter, nil
}

// found turns the absence of a row into the one answer to what does not exist.
func found[T any](v T, err error, doing string) (T, error) {
	var zero T
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return zero, exchange.Missing()
	case err != nil:
		return zero, fmt.Errorf("%s: %w", doing, err)
	}
	return v, nil
}
