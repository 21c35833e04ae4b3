package bench

import (
	"strconv"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// BenchmarkExposure answers who had which artifact of a case at an instant, over
// a million events and as many lines of exposure: 100 cases of 10,000 each.
func BenchmarkExposure(b *testing.B) {
	w := servertest.New(b)
	fill(b, w)
	until := testkit.Start.Add(995 * time.Millisecond)
	var took []time.Duration
	for b.Loop() {
		for range 5 {
			start := time.Now()
			lines, err := w.X.Record.Exposure(b.Context(), w.Operator, record.ExposureFilter{Release: "rel_99", Until: until})
			if err != nil || len(lines) != 5001 {
				b.Fatalf("%d lines, %v", len(lines), err)
			}
			took = append(took, time.Since(start))
		}
	}
	b.ReportMetric(float64(median(took).Milliseconds()), "ms/query")
	show(figure{name: "f1 who had what of a case, over 1,000,000 events: ms for 5,001 lines", value: median(took).Seconds() * 1000, format: "%.0f", most: 2000})
}

// fill puts rows into the tables, past every rule.
func fill(b *testing.B, w *servertest.World) {
	b.Helper()
	const million = int64(1_000_000)
	err := w.DB.Update(b.Context(), func(tx *sqlstore.Tx) error {
		for _, s := range []struct {
			text string
			args []any
		}{
			{
				`WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
				INSERT INTO artifact (number, id, release, program, class, kind, title, filename, media_type, handling, sha256, size,
					objects, originator, submitted_by, submitted_at, supersedes, removed_at, ready)
				SELECT i + 1, 'art_' || i, 'rel_' || i, ?1, 'poc', 'file', 'title', i, '', '{}', 'x', 1, 0,
					CASE WHEN i < 50 THEN ?2 ELSE '' END, '', 1, '', 0, 1 FROM n`,
				[]any{string(testkit.Program), string(servertest.EarlyA)},
			},
			{
				`WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
				INSERT INTO exposure (artifact, org, client, kind, release, channel, at, event)
				SELECT 1 + i / 10000, 'org-' || (i / 10 % 1000), 'fw_' || (i % 10), 'delivered', 'rel_' || (i / 10000), 'taxii', ?2 + i, i FROM n`,
				[]any{million, testkit.Start.UnixMicro()},
			},
			{
				`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
				INSERT INTO event (seq, at, kind, program, release, org, person, token, body, number, salt, entry, covered)
				SELECT 1000 + i, ?2 + i, CASE WHEN i % 200 = 0 THEN 'feedback.give' WHEN i % 50000 = 1 THEN 'release.approve' ELSE 'page.serve' END,
					?3, 'rel_' || (i % 100), 'org-' || (i % 1000), 'per_' || (i % 5000), 'fw_' || (i % 10),
					CAST('{"actor_org":"org-' || (i % 1000) || '","actor_person":"per_' || (i % 5000) || '","channel":"taxii","d_objects":100,"d_objects_root":"'
						|| hex(randomblob(22)) || '","kind":"page.serve","number":' || i || ',"subject":["art_' || (i % 100) || '"],"v":1}' AS BLOB),
					i, randomblob(16), randomblob(33), randomblob(12) FROM n`,
				[]any{million, testkit.Start.UnixMicro(), string(testkit.Program)},
			},
			{`INSERT INTO event_subject (subject, seq) SELECT 'art_' || (seq % 100), seq FROM event WHERE seq > 1000`, nil},
			{
				`INSERT INTO event_party (org, owner, seq) SELECT ?1, 1, seq FROM event WHERE seq > 1000 AND seq % 100 < 50`,
				[]any{string(servertest.EarlyA)},
			},
		} {
			if _, err := tx.Exec(s.text, s.args...); err != nil {
				return err
			}
		}
		for i := range 100 {
			err := tx.PutRelease(&exchange.Release{
				ID: exchange.ReleaseID("rel_" + strconv.Itoa(i)), Program: testkit.Program, State: exchange.ReleaseDraft, Revision: 1,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
