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

// Gone reports whether the program held an object with the hash of the
// identifier that was taken out.
func (tx *Tx) Gone(program exchange.ProgramID, idHash int64) (bool, error) {
	some, err := Collect(tx, scanInt, `SELECT 1 FROM object_gone WHERE id_hash = ?1 AND program = ?2`, idHash, string(program))
	if err != nil {
		return false, fmt.Errorf("looking for objects that were taken out: %w", err)
	}
	return len(some) > 0, nil
}

// forgone notes the identifiers of objects that are taken out, by the hash of
// each, and that their artifacts hold references to what is not there.
func (tx *Tx) forgone(ps []news) error {
	once := map[[2]int64]bool{}
	for _, p := range ps {
		at := [2]int64{p.hash, p.seq >> positionBits}
		if once[at] {
			continue
		}
		once[at] = true
		if _, err := tx.Exec(`
			INSERT INTO object_gone (id_hash, program)
			SELECT CAST(?1 AS BIGINT), program FROM artifact WHERE number = ?2
			ON CONFLICT (id_hash, program) DO NOTHING`, at[0], at[1]); err != nil {
			return fmt.Errorf("noting what is taken out: %w", err)
		}
		if _, err := tx.Exec(`UPDATE artifact SET self_contained = 0 WHERE number = ?1 AND self_contained <> 0`, at[1]); err != nil {
			return fmt.Errorf("noting what is taken out: %w", err)
		}
	}
	return nil
}
