package crash

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/verify"
)

// logVariable makes the process one that enters acts into the log as fast as it
// can. Its value begins the names of its acts.
const logVariable = "FOREWARN_CRASH_LOG"

// enterUntilKilled does acts of one to three events each, and says which it
// acknowledged, how long opening took, and what the checkpoints were.
func enterUntilKilled(ctx context.Context, folder, life string) error {
	began := time.Now()
	s, err := openAt(ctx, folder, os.Getenv(databaseVariable))
	if err != nil {
		return err
	}
	fmt.Printf("opened %d\n", time.Since(began).Microseconds())
	var n atomic.Int64
	var all sync.WaitGroup
	for range 48 {
		all.Go(func() {
			for {
				name := life + "-" + strconv.FormatInt(n.Add(1), 10)
				if err := enter(ctx, s, name, 1+len(name)%3); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(3)
				}
				// One write, so that a line is there whole or not at all.
				os.Stdout.WriteString("done " + name + "\n")
				if rand.IntN(50) == 0 {
					c, err := checkpointOf(s.Ledger.Current().Checkpoint())
					if err != nil {
						fmt.Fprintln(os.Stderr, err)
						os.Exit(3)
					}
					fmt.Printf("checkpoint %d %s\n", c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
				}
			}
		})
	}
	all.Wait()
	return nil
}

// checkpointOf reads a checkpoint without its signatures.
func checkpointOf(signed []byte) (verify.Checkpoint, error) {
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	return verify.ParseCheckpoint(string(text) + "\n")
}

func enter(ctx context.Context, s *server.Server, name string, events int) error {
	return s.DB.Update(ctx, func(tx *sqlstore.Tx) error {
		for i := range events {
			_, err := tx.Record(exchange.Event{
				Kind: exchange.EventFeedback, Program: testkit.Program, Subject: []string{name, fmt.Sprintf("%d of %d", i+1, events)},
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// entered is what processes acknowledged of the log.
type entered struct {
	t        *testing.T
	folder   string
	database string              // empty: the one in the folder
	names    []string            // of acts acknowledged
	seen     map[int64]tlog.Hash // checkpoints
	looked   int64               // events up to here were looked at
	events   map[string]int      // by the name of the act
	opened   []time.Duration
	keys     []string
}

// TestKillWhileActsAreEntered kills a process that enters acts into the log, again
// and again. Every act that was acknowledged is in the log once, in the order of
// the events; the log extends every checkpoint that was ever seen.
// FOREWARN_KILLS=500 is the long run.
func TestKillWhileActsAreEntered(t *testing.T) {
	kills := 25
	if n, err := strconv.Atoi(os.Getenv("FOREWARN_KILLS")); err == nil {
		kills = n
	} else if testing.Short() {
		kills = 6
	}
	e := &entered{t: t, folder: t.TempDir(), seen: map[int64]tlog.Hash{}, events: map[string]int{}}
	r := rand.New(rand.NewPCG(5, 0))
	for i := range kills {
		e.live(i, r)
		e.look(i%25 == 24 || i == kills-1)
		if t.Failed() {
			t.Fatalf("after kill %d", i+1)
		}
	}
	slices.Sort(e.opened)
	t.Logf("%d kills, %d acts acknowledged, %d events entered, %d checkpoints kept; opening took %v in the middle and %v at most",
		kills, len(e.names), e.looked, len(e.seen), e.opened[len(e.opened)/2], e.opened[len(e.opened)-1])
	if len(e.names) < kills {
		t.Error("there was hardly any load: the moments are badly chosen")
	}
}

// live runs a process and kills it: one time in four while it opens the folder,
// else a moment after its first act.
func (e *entered) live(life int, r *rand.Rand) {
	e.t.Helper()
	cmd := exec.CommandContext(e.t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), folderVariable+"="+e.folder, logVariable+"="+strconv.Itoa(life), databaseVariable+"="+e.database)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		e.t.Fatal(err)
	}
	shot := sync.OnceFunc(func() { _ = cmd.Process.Kill() })
	within := time.Duration(r.Int64N(int64(60 * time.Millisecond)))
	late := time.AfterFunc(20*time.Second, shot)
	defer late.Stop()
	if r.IntN(4) == 0 {
		time.AfterFunc(2*within, shot)
	}
	began := false
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // what is not a whole line was not said
		}
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word {
		case "opened":
			us, err := strconv.ParseInt(rest, 10, 64)
			if err != nil {
				e.t.Fatal(err)
			}
			e.opened = append(e.opened, time.Duration(us)*time.Microsecond)
		case "done":
			e.names = append(e.names, rest)
			if !began {
				began = true
				time.AfterFunc(within, shot)
			}
		case "checkpoint":
			size, text, _ := strings.Cut(rest, " ")
			n, err := strconv.ParseInt(size, 10, 64)
			root, err2 := base64.StdEncoding.DecodeString(text)
			if err != nil || err2 != nil || len(root) != tlog.HashSize {
				e.t.Fatalf("%q", line)
			}
			e.saw(n, tlog.Hash(root))
		default:
			e.t.Fatalf("the process said %q", line)
		}
	}
	_ = cmd.Wait()
	if stderr.Len() > 0 {
		e.t.Errorf("the process said %s", stderr.String())
	}
}

// saw keeps a checkpoint; there is one root for each size.
func (e *entered) saw(size int64, root tlog.Hash) {
	if old, ok := e.seen[size]; ok && old != root {
		e.t.Errorf("two roots of size %d", size)
	}
	e.seen[size] = root
}

// look opens the folder and compares. With all, the whole of it.
func (e *entered) look(all bool) {
	e.t.Helper()
	began := time.Now()
	s, err := openAt(e.t.Context(), e.folder, e.database)
	if err != nil {
		e.t.Fatal(err)
	}
	e.opened = append(e.opened, time.Since(began))
	defer func() {
		if err := s.Close(); err != nil {
			e.t.Error(err)
		}
	}()
	log := s.Ledger.Current()
	e.count(s)
	if log.Size() != e.looked {
		e.t.Errorf("the log has %d entries, the store %d events", log.Size(), e.looked)
	}
	// What is acknowledged is there once, whole.
	for _, name := range e.names {
		if got, want := e.events[name], 1+len(name)%3; got != want {
			e.t.Errorf("the act %s was acknowledged and has %d events, want %d", name, got, want)
		}
	}
	signed, err := verify.OpenCheckpoint(log.Checkpoint(), e.key(s), nil)
	if err != nil {
		e.t.Fatal(err)
	}
	e.saw(signed.Size, signed.Root)
	checked := 0
	for size, root := range e.seen {
		if !all && checked == 40 { // others at each look
			break
		}
		checked++
		if size > log.Size() {
			e.t.Errorf("a checkpoint of size %d was seen, the log has %d entries", size, log.Size())
			continue
		}
		got, err := log.Root(size)
		if err != nil || got != root {
			e.t.Errorf("the log does not extend the checkpoint of size %d: %v", size, err)
		}
	}
	if !all {
		return
	}
	c, err := sequencer.Check(e.t.Context(), s.DB.Beneath(), e.folder+"/ledger", 0, func(f sequencer.Finding) { e.t.Errorf("%+v", f) })
	if err != nil || c.Entered != e.looked || c.Waiting != 0 {
		e.t.Errorf("%+v, %v", c, err)
	}
}

// count compares the events since the last look with their entries, and counts
// them.
func (e *entered) count(s *server.Server) {
	e.t.Helper()
	log := s.Ledger.Current()
	for {
		var rows []sequencer.Row
		err := s.DB.View(e.t.Context(), func(tx *sqlstore.Tx) (err error) {
			rows, err = tx.EventRows(e.looked, 1000)
			return err
		})
		if err != nil {
			e.t.Fatal(err)
		}
		if len(rows) == 0 {
			return
		}
		for _, row := range rows {
			if row.Seq != e.looked+1 {
				e.t.Fatalf("event %d follows event %d", row.Seq, e.looked)
			}
			if got, err := log.Entry(e.looked); err != nil || !bytes.Equal(got, row.Entry) {
				e.t.Fatalf("entry %d is not that of event %d: %v", e.looked, row.Seq, err)
			}
			e.looked++
			_, rest, _ := bytes.Cut(row.Body, []byte(`"subject":["`))
			name, _, _ := bytes.Cut(rest, []byte(`"`))
			e.events[string(name)]++
		}
	}
}

func (e *entered) key(s *server.Server) []string {
	e.t.Helper()
	if e.keys != nil {
		return e.keys
	}
	err := s.DB.View(e.t.Context(), func(tx *sqlstore.Tx) error {
		keys, err := tx.LogKeys(1)
		for _, k := range keys {
			e.keys = append(e.keys, k.Public)
		}
		return err
	})
	if err != nil || len(e.keys) != 1 {
		e.t.Fatalf("%d keys, %v", len(e.keys), err)
	}
	return e.keys
}
