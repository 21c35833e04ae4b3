package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// play runs the script in this process for a while, ends it in order, and adds a
// release that is half given: one cohort holds it, one is held, others wait.
func play(t *testing.T, folder string, seed uint64, d time.Duration) (*server.Server, *ledger) {
	t.Helper()
	l := newLedger()
	look(t, folder, l, rand.New(rand.NewPCG(seed, 1)), true)
	var out strings.Builder
	c := &child{seed: seed, out: &out}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := c.run(ctx, folder); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.s, err = open(t.Context(), folder); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.s.Close() })
	c.x = c.s.Exchange
	c.half(t)
	for line := range strings.Lines(out.String()) {
		if _, err := l.line([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	return c.s, l
}

func (c *child) half(t *testing.T) {
	t.Helper()
	ctx, r := t.Context(), rand.New(rand.NewPCG(c.seed, 9))
	id, err := c.create(ctx, r, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	c.bundle(ctx, r, id, 1<<60)
	c.submit(ctx, submission.Input{Release: id, Class: exchange.PoC, Filename: "poc.bin"}, noise(r))
	rel, err := c.x.Releases.Read(ctx, operator, id)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.change(arming, exchange.EventReleaseSent, id, func() (release.Changed, error) {
		out, err := c.x.Releases.Send(ctx, operator, id, rel.Version)
		return release.Changed{Release: out}, err
	})
	c.approve(ctx, rel.Release)
	move := func(by time.Duration) {
		_ = c.change(planning, exchange.EventReleaseMoved, id, func() (release.Changed, error) {
			return c.x.Releases.Move(ctx, operator, id, time.Now().Add(by), because)
		})
	}
	move(100 * time.Hour)
	to := exchange.Audience{Cohort: "validate"}
	_ = c.change(planning, exchange.EventWavePushed, id, func() (release.Changed, error) {
		return c.x.Releases.Push(ctx, operator, id, to, time.Time{}, because)
	})
	c.page(ctx, validator, 0, 1000)
	move(101 * time.Hour) // who holds something is told
	_ = c.change(planning, exchange.EventWaveHeld, id, func() (release.Changed, error) {
		return c.x.Releases.Hold(ctx, operator, id, exchange.Audience{Cohort: "early"}, time.Time{}, because)
	})
	_ = c.act(said{What: looking, Kind: exchange.EventFeedback, Org: validator, On: id}, func(s *said) error {
		f, err := c.x.Feedback.Give(ctx, analyst(validator), exchange.Feedback{Release: id, Kind: exchange.FeedbackQuestion, Text: "Which versions?"})
		s.Feedback = &f
		return err
	})
}

// half is the release that half made.
const half = `(SELECT id FROM release ORDER BY created_at DESC, id LIMIT 1)`

// TestInspectionCanFail breaks a sound folder in one place at a time: each
// break is found, and named.
func TestInspectionCanFail(t *testing.T) {
	s, l := play(t, furnish(t), 7, 500*time.Millisecond)
	if n := len(l.open); n != 0 || len(l.faults) != 0 {
		t.Fatalf("%d acts are open, %v", n, l.faults)
	}
	for _, m := range []struct{ name, change, want string }{
		{"nothing", `UPDATE counter SET n = n WHERE name = 'event'`, ""},
		{"an opening is lost", `DELETE FROM opening WHERE artifact = (SELECT MIN(artifact) FROM opening)`, "are open"},
		{"an opening too many", `INSERT INTO opening (artifact, audience, release, opened_at)
			SELECT number, 'standard', release, 5 FROM artifact WHERE release = ` + half + ` AND class = 'poc'`, "without a wave"},
		{"a run is lost", `DELETE FROM feed_run WHERE base = (SELECT MAX(base) FROM feed_run)`, "times in its feed, want 1"},
		{"a run is cut", `UPDATE feed_run SET n = n + 1 WHERE base = (SELECT MAX(base) FROM feed_run)`, "in place of"},
		{"a run is early", `INSERT INTO feed_run (feed, base, step, n, artifact)
			SELECT f.id, 9000000000000000, 1, a.objects, a.number FROM artifact a, feed f
			WHERE a.release = ` + half + ` AND a.objects > 0 AND f.audience = 'standard'`, "and not open"},
		{"the dates go back", `UPDATE program_clock SET added = added - 1000000000000`, "clock stands at"},
		{"a notice is lost", `DELETE FROM notice WHERE event = (SELECT MIN(event) FROM notice WHERE kind = 'wave.open')`, "was offered"},
		{"a notice of a move is lost", `DELETE FROM notice WHERE event = (SELECT MAX(event) FROM notice WHERE kind IN ('release.move', 'release.withdraw', 'release.contain'))`, "was told 0 times"},
		{"an offer is lost", `DELETE FROM exposure WHERE kind = 'offered' AND org = 'val-one' AND release = ` + half, "was offered 0 of"},
		{"an exposure has another event", `UPDATE exposure SET event = 1 WHERE kind = 'delivered'`, "does not say so"},
		{"an event is lost", `DELETE FROM event WHERE seq = (SELECT MAX(seq) / 2 FROM event)`, "belongs"},
		{"the last event is lost", `DELETE FROM event WHERE seq = (SELECT MAX(seq) FROM event)`, "are missing"},
		{"an event twice", `INSERT INTO event (seq, at, kind, program, release, org, person, token, body)
			SELECT seq + 1, at, kind, program, release, org, person, token, body FROM event WHERE seq = (SELECT MAX(seq) FROM event)`, "nobody asked for"},
		{"a wave is lost", `DELETE FROM wave WHERE release = ` + half + ` AND state = 'open'`, "that is not there"},
		{"a wave opened without its content", `UPDATE wave SET state = 'open', opened_at = at WHERE release = ` + half + ` AND audience = 'standard'`, "without an event"},
		{"a wave closed again", `UPDATE wave SET state = 'scheduled', opened_at = 0 WHERE release = ` + half + ` AND state = 'open'`, "which the plan does not ask for"},
		{"a wave gave less than it says", `UPDATE wave SET objects = objects + 1 WHERE release = ` + half + ` AND state = 'open'`, "says"},
		{"a wave of the old plan", `UPDATE wave SET at = at + 1 WHERE release = ` + half + ` AND audience = 'standard'`, "its plan says"},
		{"a wave of both plans", `INSERT INTO wave (release, audience, at, classes, state, opened_at, late, objects)
			SELECT release, audience, at + 60000000, classes, state, opened_at, late, objects FROM wave WHERE release = ` + half + ` AND audience = 'standard'`, "which the plan does not ask for"},
		{"a wave to come is lost", `DELETE FROM wave WHERE release = ` + half + ` AND audience = 'standard'`, "no wave gives"},
		{"a wave is held no more", `UPDATE wave SET state = 'scheduled' WHERE release = ` + half + ` AND audience = 'early'`, "after wave.hold"},
		{"T0 without the plan", `UPDATE release SET t0 = t0 + 60000000 WHERE id = ` + half, "its events say"},
		{"a version without an event", `UPDATE release SET version = version + 1 WHERE id = ` + half, "its events say"},
		{"an older version", `UPDATE release SET version = version - 1 WHERE id = ` + half, "was acknowledged at version"},
		{"another state", `UPDATE release SET state = 'draft' WHERE id = ` + half, "its events say"},
		{"an artifact is not ready", `UPDATE artifact SET ready = 0 WHERE number = (SELECT MAX(number) FROM artifact)`, "which is not there"},
		{"an artifact has other bytes", `UPDATE artifact SET sha256 = 'x' WHERE number = (SELECT MAX(number) FROM artifact)`, "was acknowledged as"},
		{"something staged is left", `INSERT INTO artifact (number, id, release, program, class, kind, title, filename, media_type, handling,
			sha256, size, objects, originator, submitted_by, submitted_at, supersedes, removed_at, ready)
			VALUES (0, 'art_left', '', '', '', '', '', '', '', '', '', 0, 0, '', '', 0, '', 0, 0)`, "is staged after a sweep"},
		{"objects are lost", `DELETE FROM object_block WHERE seq = (SELECT MAX(seq >> 24) << 24 FROM object_block)`, "objects, want"},
		{"an object is not found by its id", `DELETE FROM object_index WHERE id_hash = (SELECT MAX(id_hash) FROM object_index)`, "in the index"},
		{"an object of nothing is found", `UPDATE object_index SET seq = 9999 << 24 WHERE id_hash = (SELECT MAX(id_hash) FROM object_index)`, "1 of them stray"},
		{"a handling is lost", `DELETE FROM handling_class WHERE id = (SELECT MAX(id) FROM handling_class)`, "is misplaced"},
		{"feedback is lost", `DELETE FROM feedback WHERE release = ` + half, "differs from what was acknowledged"},
		{"an acceptance is lost", `DELETE FROM acceptance WHERE org = 'edr-a'`, "accepted by event"},
		{"a suspension is lost", `UPDATE member SET state = 'suspended' WHERE org = 'val-one'`, "the record says"},
		{"a counter is ahead", `UPDATE counter SET n = n + 1 WHERE name = 'event'`, "the counter of events"},
	} {
		t.Run(m.name, func(t *testing.T) {
			undo := errors.New("undo")
			err := s.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
				if n, err := tx.Exec(m.change); err != nil || n == 0 {
					return fmt.Errorf("%d rows were changed: %w", n, err)
				}
				f, found, err := inspect(tx, true)
				if err != nil {
					return err
				}
				all := strings.Join(append(found, l.compare(f)...), "\n")
				if m.want == "" && all != "" || !strings.Contains(all, m.want) {
					t.Errorf("found:\n%s\nwant: %s", all, m.want)
				}
				return undo
			})
			if !errors.Is(err, undo) {
				t.Error(err)
			}
		})
	}
}
