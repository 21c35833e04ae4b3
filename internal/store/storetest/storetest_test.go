package storetest_test

import (
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// The schema of the exchange opens on every engine, and again.
func TestSchema(t *testing.T) {
	storetest.Each(t, func(t *testing.T, e storetest.Engine) {
		url := e.URL(t)
		for range 2 {
			db := e.OpenAt(t, url)
			storetest.Value[int](t, db, `SELECT count(*) FROM counter`)
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
