package crash

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// recallVariable makes the process take back these artifacts, one after the
// other; clockVariable says when it is.
const recallVariable = "FOREWARN_CRASH_RECALLS"

// recallUntilKilled prints a line when it begins, and each artifact when its
// recall was acknowledged.
func recallUntilKilled(ctx context.Context, folder, clock, artifacts string) error {
	at, err := strconv.ParseInt(clock, 10, 64)
	if err != nil {
		return err
	}
	s, err := server.Open(ctx, server.Options{Data: folder, Config: config.Default(), Now: func() time.Time { return time.UnixMicro(at) }})
	if err != nil {
		return err
	}
	operator := testkit.Actor(testkit.Person(testkit.Owner, "operator", exchange.RoleOperator))
	fmt.Println("begun")
	for id := range strings.FieldsSeq(artifacts) {
		_, err := s.Exchange.Recalls.Issue(ctx, operator, recall.Act{Kind: recall.Recalled, Artifact: exchange.ArtifactID(id), Reason: "killed"})
		if err != nil {
			return err
		}
		fmt.Println(id)
	}
	select {} // until it is killed
}

// TestKillWhileTakingBack kills a process that recalls artifacts. A recall is
// there whole, or nothing of it is: the mark on the artifact, the act with its
// holders, the event, and the tombstones that its holder was given.
func TestKillWhileTakingBack(t *testing.T) {
	const kills, each = 6, 3
	folder := t.TempDir()
	w := servertest.NewIn(t, folder)
	r := w.Draft("Taken back", w.Clock.Now().Add(100*time.Hour))
	var ids []string
	for i := range kills * each {
		a := w.Submit(r.ID, exchange.DetectionGuidance, fmt.Sprintf("guidance-%d.json", i), servertest.Bundle(1500, uint64(100+i)))
		ids = append(ids, string(a.ID))
	}
	w.Arm(r.ID)
	w.Clock.Advance(99 * time.Hour)
	for after, more := int64(0), true; more; {
		p, err := w.X.Delivery.Page(t.Context(), w.Machine(servertest.EarlyA), testkit.Program, delivery.Query{After: after, Limit: 10_000})
		if err != nil {
			t.Fatal(err)
		}
		after, more = p.Last, p.More
		p.Close()
	}
	clock := w.Clock
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	chance := rand.New(rand.NewPCG(11, 0))
	said, done := 0, 0
	for range kills {
		clock.Advance(time.Minute)
		left := ids[done:]
		told := takeBack(t, folder, clock.Now(), left, time.Duration(chance.IntN(900))*time.Millisecond)
		said += len(told)
		w := servertest.Open(t, folder, clock)
		if _, err := w.X.Submissions.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		done = whole(t, w, ids)
		for _, id := range told {
			if !slices.Contains(ids[:done], id) {
				t.Errorf("the recall of %s was acknowledged and is not there", id)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills; %d of %d artifacts were taken back, %d acknowledged", kills, done, len(ids), said)
	if done == 0 {
		t.Error("nothing was taken back: the moments are badly chosen")
	}
}

// takeBack runs a process and kills it; it answers what was acknowledged.
func takeBack(t *testing.T, folder string, clock time.Time, ids []string, long time.Duration) (told []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), folderVariable+"="+folder, clockVariable+"="+strconv.FormatInt(clock.UnixMicro(), 10), recallVariable+"="+strings.Join(ids, " "))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the process did not start")
	}
	end := time.AfterFunc(long, func() { _ = cmd.Process.Kill() }) // the moment is what is tried
	defer end.Stop()
	for lines.Scan() {
		told = append(told, lines.Text())
	}
	_ = cmd.Wait()
	return told
}

// whole looks at each artifact, and answers how many were taken back.
func whole(t *testing.T, w *servertest.World, ids []string) (n int) {
	t.Helper()
	es, err := w.Events(exchange.EventRecalled)
	if err != nil {
		t.Fatal(err)
	}
	count := func(tx *sqlstore.Tx, q string, args ...any) (n int64) {
		if err := tx.QueryRow(q, args...).Scan(&n); err != nil {
			t.Errorf("%s: %v", q, err)
		}
		return n
	}
	err = w.DB.View(t.Context(), func(tx *sqlstore.Tx) error {
		if left := count(tx, `SELECT COUNT(*) FROM artifact WHERE ready = 0`); left != 0 {
			t.Errorf("%d staged artifacts are left behind", left)
		}
		for i, id := range ids {
			a, err := tx.Artifact(exchange.ArtifactID(id))
			if err != nil {
				return err
			}
			facts := map[string]int64{
				"acts":    count(tx, `SELECT COUNT(*) FROM recall WHERE artifact = ?1`, id),
				"holders": count(tx, `SELECT COUNT(*) FROM recall_holder h JOIN recall r ON r.id = h.recall WHERE r.artifact = ?1 AND h.org = ?2 AND h.tombs = 1`, id, string(servertest.EarlyA)),
				"notices": count(tx, `SELECT COUNT(*) FROM notice n JOIN recall r ON r.event = n.event WHERE r.artifact = ?1 AND n.org = ?2`, id, string(servertest.EarlyA)),
				"given":   count(tx, `SELECT COUNT(*) FROM org_opening o JOIN recall r ON r.tombstones = o.artifact WHERE r.artifact = ?1 AND o.org = ?2`, id, string(servertest.EarlyA)),
				"stored":  count(tx, `SELECT COUNT(*) FROM artifact a JOIN recall r ON r.tombstones = a.number WHERE r.artifact = ?1 AND a.ready = 1`, id),
			}
			for _, e := range es {
				if strings.Contains(string(e.Body), `"`+id+`"`) {
					facts["events"]++
				}
			}
			want := int64(0)
			if !a.RecalledAt.IsZero() {
				want = 1
				if n++; n != i+1 {
					t.Errorf("%s was taken back before others that were asked first", id)
				}
			}
			for _, what := range []string{"acts", "holders", "notices", "given", "stored", "events"} {
				if facts[what] != want {
					t.Errorf("%s: %d %s, want %d", id, facts[what], what, want)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
