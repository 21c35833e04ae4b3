package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// idempotencyAge is for how long the answer to a request is kept.
const idempotencyAge = 48 * time.Hour

// Idempotent answers what was answered to the client's request with this key:
// the digest of that request, the status and the body. found is false when
// there was none within 48 hours.
func (tx *Tx) Idempotent(client, key string) (request []byte, status int, body []byte, found bool, err error) {
	err = tx.QueryRow(`
		SELECT request, status, body FROM idempotency
		WHERE client = ?1 AND key = ?2 AND at > ?3`,
		client, key, micros(tx.now.Add(-idempotencyAge))).Scan(&request, &status, &body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, 0, nil, false, nil
	case err != nil:
		return nil, 0, nil, false, fmt.Errorf("looking for an earlier answer: %w", err)
	case body == nil: // SQLite reads empty bytes as none
		body = []byte{}
	}
	return request, status, body, true, nil
}

// PutIdempotent keeps the answer to a request. An answer that is kept already
// and not too old stays.
func (tx *Tx) PutIdempotent(client, key string, request []byte, status int, body []byte) error {
	if body == nil {
		body = []byte{}
	}
	_, err := tx.Exec(`
		INSERT INTO idempotency (client, key, request, status, body, at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6)
		ON CONFLICT (client, key) DO UPDATE SET
			request = excluded.request, status = excluded.status, body = excluded.body, at = excluded.at
		WHERE idempotency.at <= ?7`,
		client, key, request, int64(status), body, micros(tx.now), micros(tx.now.Add(-idempotencyAge)))
	if err != nil {
		return fmt.Errorf("keeping an answer: %w", err)
	}
	return nil
}

// PurgeIdempotent removes answers older than 48 hours and answers how many.
func (tx *Tx) PurgeIdempotent() (int64, error) {
	n, err := tx.Exec(`DELETE FROM idempotency WHERE at <= ?1`, micros(tx.now.Add(-idempotencyAge)))
	if err != nil {
		return 0, fmt.Errorf("removing old answers: %w", err)
	}
	return n, nil
}
