package record_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// AT-10 asks for an answer within 2 s over a million events. The times are
// printed; the answers decide.
func TestAT10OverAMillionEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("fills a store with a million events and a million exposures")
	}
	w := newWorld(t)
	const million, members = 1_000_000, 1000
	// Release r of 100 has the artifact of number 1000 + r, besides the three of
	// newWorld. Each of 1,000 members and ten clients has it.
	w.update(t, func(tx *sqlstore.Tx) error {
		for r := range int64(100) {
			a := exchange.Artifact{
				ID: exchange.ArtifactID(fmt.Sprintf("art_%d", r)), Release: exchange.ReleaseID(fmt.Sprintf("rel_%d", r)), Program: testkit.Program,
				Class: exchange.PoC, Kind: exchange.ArtifactFile, SHA256: "x", Filename: fmt.Sprint(r), SubmittedAt: testkit.Start,
			}
			n, err := tx.StageArtifact(a)
			if err != nil {
				return err
			}
			a.Number = n
			if err := tx.ReadyArtifact(a); err != nil {
				return err
			}
			err = tx.PutRelease(exchange.Release{ID: a.Release, Program: testkit.Program, State: exchange.ReleaseDraft, Revision: 1, Version: 1})
			if err != nil {
				return err
			}
		}
		return nil
	})
	w.update(t, func(tx *sqlstore.Tx) error {
		_, err := tx.Exec(`
			WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
			INSERT INTO exposure (artifact, org, client, kind, release, channel, at, event)
			SELECT 4 + i / 10000, 'org-' || (i / 10 % 1000), 'fw_' || (i % 10), 'delivered', 'rel_' || (i / 10000), 'taxii', ?2 + i, i
			FROM n`, int64(million), testkit.Start.UnixMicro())
		return err
	})
	w.update(t, func(tx *sqlstore.Tx) error {
		_, err := tx.Exec(`
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
			INSERT INTO event (seq, at, kind, program, release, org, person, token, body)
			SELECT i, ?2 + i, 'page.serve', 'early-warning', 'rel_' || (i % 100), 'org-' || (i % 1000), '', 'fw_' || (i % 10),
				CAST('{"kind":"page.serve"}' AS BLOB)
			FROM n`, int64(million), testkit.Start.UnixMicro())
		return err
	})
	operator := who(testkit.Owner, exchange.RoleOperator)
	member := who("org-7", exchange.RoleAnalyst)
	for _, q := range []struct {
		name string
		want int
		ask  func() (int, error)
	}{
		{"a case, halfway", 5001, func() (int, error) {
			until := time.UnixMicro(testkit.Start.UnixMicro() + 995_000)
			l, err := w.room.Exposure(t.Context(), operator, record.ExposureFilter{Release: "rel_99", Until: until})
			return len(l), err
		}},
		{"a case, today", 10_000, func() (int, error) {
			l, err := w.room.Exposure(t.Context(), operator, record.ExposureFilter{Release: "rel_42"})
			return len(l), err
		}},
		{"one member in a case", 10, func() (int, error) {
			l, err := w.room.Exposure(t.Context(), operator, record.ExposureFilter{Release: "rel_42", Org: "org-7"})
			return len(l), err
		}},
		{"suspects", members, func() (int, error) {
			l, err := w.room.Suspects(t.Context(), operator, record.Leak{
				Release: "rel_99", Artifacts: []exchange.ArtifactID{"art_99"}, Before: w.clock.Now().Add(time.Hour),
			})
			return len(l), err
		}},
		{"the last events of a program", 1000, func() (int, error) {
			l, err := w.room.Events(t.Context(), operator, record.EventFilter{Program: testkit.Program, After: million - 1000, Limit: 1000})
			return len(l), err
		}},
		{"the events of a case", 1000, func() (int, error) {
			l, err := w.room.Events(t.Context(), operator, record.EventFilter{Program: testkit.Program, Release: "rel_42", Limit: 1000})
			return len(l), err
		}},
		{"a kind that never happened", 0, func() (int, error) {
			l, err := w.room.Events(t.Context(), operator, record.EventFilter{Program: testkit.Program, Kind: exchange.EventWaveKilled})
			return len(l), err
		}},
		{"a member's own events", 1000, func() (int, error) {
			l, err := w.room.Events(t.Context(), member, record.EventFilter{Program: testkit.Program, Limit: 1000})
			return len(l), err
		}},
	} {
		start := time.Now()
		n, err := q.ask()
		t.Logf("%s: %d lines in %s", q.name, n, time.Since(start).Round(time.Millisecond))
		if err != nil || n != q.want {
			t.Errorf("%s: %d lines, %v; want %d", q.name, n, err, q.want)
		}
	}
}
