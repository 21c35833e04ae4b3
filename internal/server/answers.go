package server

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// answers keeps what the API answered to calls with an Idempotency-Key.
type answers struct{ db *sqlstore.DB }

func (a answers) Idempotent(ctx context.Context, client, key string) (request []byte, status int, body []byte, found bool, err error) {
	err = a.db.View(ctx, func(tx *sqlstore.Tx) error {
		request, status, body, found, err = tx.Idempotent(client, key)
		return err
	})
	return request, status, body, found, err
}

func (a answers) PutIdempotent(ctx context.Context, client, key string, request []byte, status int, body []byte) error {
	return a.db.Update(ctx, func(tx *sqlstore.Tx) error { return tx.PutIdempotent(client, key, request, status, body) })
}
