package storetest_test

import (
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestEngines(t *testing.T) { storetest.Each(t, storetest.Run) }

// The schema of the exchange opens on every engine, and again.
func TestSchema(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		url := e.URL(t)
		for range 2 {
			db := e.OpenAt(t, url)
			err := db.View(t.Context(), func(tx *sqlstore.Tx) error {
				var n int
				return tx.QueryRow(`SELECT count(*) FROM counter`).Scan(&n)
			})
			if err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
