package sqlstore

import (
	"encoding/json"
	"fmt"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
)

// PutGiven notes for which organisations copies were made. What is known already
// stays.
func (tx *Tx) PutGiven(gs []delivery.Given) error {
	rows := make([][6]any, 0, len(gs))
	for _, g := range gs {
		if g.Org != "" {
			rows = append(rows, [6]any{g.Object, g.Org, exchange.IDHash(g.ID), exchange.IDHash(g.Of), g.ID, g.Of})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("noting who was given copies: %w", err)
	}
	_, err = tx.Exec(`
		INSERT INTO copy_given (seq, org, id_hash, of_hash, id, of_id)
		SELECT CAST(value ->> 0 AS BIGINT), value ->> 1, CAST(value ->> 2 AS BIGINT), CAST(value ->> 3 AS BIGINT), value ->> 4, value ->> 5
		FROM `+tx.elements()+` WHERE TRUE ON CONFLICT (seq, org, id_hash) DO NOTHING`, string(text))
	if err != nil {
		return fmt.Errorf("noting who was given copies: %w", err)
	}
	return nil
}

func scanGiven(s Scanner) (g recall.Given, err error) {
	var org string
	err = s.Scan(&g.Seq, &org, &g.ID, &g.Of)
	g.Org = exchange.OrgID(org)
	return g, err
}

// GivenIn lists the copies that were made of an artifact's objects, from one
// position to another.
func (tx *Tx) GivenIn(artifact, from, to int64) ([]recall.Given, error) {
	gs, err := Collect(tx, scanGiven, `
		SELECT seq, org, id, of_id FROM copy_given WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq, id, org`,
		artifact<<positionBits|from, artifact<<positionBits|to)
	if err != nil {
		return nil, fmt.Errorf("listing who was given copies: %w", err)
	}
	return gs, nil
}

// CountGiven counts the copies that were made of an artifact's objects.
func (tx *Tx) CountGiven(artifact int64) (n int64, err error) {
	err = tx.QueryRow(`SELECT COUNT(*) FROM copy_given WHERE seq BETWEEN ?1 AND ?2`,
		artifact<<positionBits, artifact<<positionBits|positionMask).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting who was given copies: %w", err)
	}
	return n, nil
}

// CopiesGivenTo lists the copies made for an organisation that bear the identifier, or
// that are of an object that bears it.
func (tx *Tx) CopiesGivenTo(org exchange.OrgID, id string) ([]recall.Given, error) {
	gs, err := Collect(tx, scanGiven, `
		SELECT seq, org, id, of_id FROM copy_given WHERE org = ?1 AND id_hash = ?2 AND id = ?3
		UNION ALL SELECT seq, org, id, of_id FROM copy_given WHERE org = ?1 AND of_hash = ?2 AND of_id = ?3
		ORDER BY seq, id`, string(org), exchange.IDHash(id), id)
	if err != nil {
		return nil, fmt.Errorf("looking for what an organisation was given: %w", err)
	}
	return gs, nil
}
