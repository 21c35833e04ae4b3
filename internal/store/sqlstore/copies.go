package sqlstore

import (
	"encoding/json"
	"fmt"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
)

// PutCopies notes of which objects copies are. What is known already stays.
func (tx *Tx) PutCopies(cs []delivery.Copy) error {
	if len(cs) == 0 {
		return nil
	}
	rows := make([][3]int64, len(cs))
	for i, c := range cs {
		rows[i] = [3]int64{exchange.IDHash(c.ID), c.Object, 0}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("noting copies: %w", err)
	}
	if _, err := tx.Exec(`
		INSERT INTO object_copy (id_hash, seq)
		SELECT DISTINCT id_hash, seq FROM (`+tx.news()+`) AS new WHERE TRUE ON CONFLICT (id_hash, seq) DO NOTHING`, string(text)); err != nil {
		return fmt.Errorf("noting copies: %w", err)
	}
	return nil
}

// CopiesOf lists the objects of which a copy with the hash of the identifier was made.
func (tx *Tx) CopiesOf(idHash int64) ([]int64, error) {
	seqs, err := Collect(tx, scanInt, `SELECT seq FROM object_copy WHERE id_hash = ?1 ORDER BY seq`, idHash)
	if err != nil {
		return nil, fmt.Errorf("looking for copies: %w", err)
	}
	return seqs, nil
}
