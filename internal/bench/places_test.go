package bench

import (
	"net/url"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// places returns added_after values spread over the early cohort's collection,
// each with at least a thousand objects after it.
func places(b *testing.B, w *servertest.World, n int) []string {
	b.Helper()
	var out []string
	err := w.DB.View(b.Context(), func(tx *sqlstore.Tx) error {
		runs, err := sqlstore.Collect(tx, func(s sqlstore.Scanner) (r [3]int64, err error) { return r, s.Scan(&r[0], &r[1], &r[2]) }, `
			SELECT r.base, r.step, r.n FROM feed_run r JOIN feed f ON f.id = r.feed WHERE f.audience = ?1 ORDER BY r.base`, "early")
		if err != nil {
			return err
		}
		var at []int64
		for _, r := range runs {
			for k := range r[2] {
				at = append(at, r[0]+k*r[1])
			}
		}
		for i := 0; i+1001 < len(at); i += max(1, n/10_000) {
			out = append(out, url.QueryEscape(time.UnixMicro(at[i]).UTC().Format(exchange.TimeFormat)))
		}
		return nil
	})
	if err != nil || len(out) == 0 {
		b.Fatal("no places", err)
	}
	return out
}
