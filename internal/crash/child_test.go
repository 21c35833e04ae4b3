package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

// With these in its environment the test binary is the process to be killed.
const (
	folderVariable = "FOREWARN_CRASH_FOLDER"
	seedVariable   = "FOREWARN_CRASH_SEED"
)

func TestMain(m *testing.M) {
	folder := os.Getenv(folderVariable)
	if folder == "" {
		storetest.Main(m)
		return
	}
	if life := os.Getenv(logVariable); life != "" {
		fmt.Fprintln(os.Stderr, enterUntilKilled(context.Background(), folder, life))
		os.Exit(3)
	}
	if artifacts := os.Getenv(recallVariable); artifacts != "" {
		fmt.Fprintln(os.Stderr, recallUntilKilled(context.Background(), folder, os.Getenv(clockVariable), artifacts))
		os.Exit(3)
	}
	if clock := os.Getenv(clockVariable); clock != "" {
		fmt.Fprintln(os.Stderr, serveUntilKilled(context.Background(), folder, clock))
		os.Exit(3)
	}
	seed, err := strconv.ParseUint(os.Getenv(seedVariable), 10, 64)
	if err != nil {
		panic(err)
	}
	// It waits to be killed; where nobody does, it ends.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := &child{seed: seed, out: os.Stdout}
	if err := c.run(ctx, folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	os.Exit(4)
}

// What an act is for, as the kills are counted.
const (
	starting = "start"
	sweeping = "sweep"
	handing  = "submission"
	opening  = "wave opening"
	planning = "re-planning"
	arming   = "sending and approving"
	looking  = "reading and feedback"
	joining  = "membership"
)

// How far an act is.
const (
	begun   = "begun"
	done    = "done"    // acknowledged
	refused = "refused" // by a rule: nothing was done
	broken  = "broken"  // a fault
)

// said is one line from the process: an act begins, or is over.
type said struct {
	N     int64              `json:"n"`
	State string             `json:"state"`
	What  string             `json:"what"`
	Kind  exchange.EventKind `json:"kind,omitempty"` // of the one event that records it; empty: none
	Org   exchange.OrgID     `json:"org,omitempty"`  // of the event
	On    exchange.ReleaseID `json:"on,omitempty"`
	Error string             `json:"error,omitempty"`

	Sent     string                 `json:"sent,omitempty"` // SHA-256 of the bytes handed in
	Artifact *exchange.Artifact     `json:"artifact,omitempty"`
	Release  *exchange.Release      `json:"release,omitempty"` // as it was acknowledged
	Waves    []exchange.WaveRecord  `json:"waves,omitempty"`   // the same
	Feedback *exchange.Feedback     `json:"feedback,omitempty"`
	Accepted *exchange.Acceptance   `json:"accepted,omitempty"`
	Member   *exchange.Member       `json:"member,omitempty"`
	Body     *exchange.Organisation `json:"body,omitempty"`
	Held     []int64                `json:"held,omitempty"` // artifacts of which a page held something
}

// child is the process that is killed, or a stand-in for it in the same one.
type child struct {
	seed  uint64
	out   io.Writer
	mu    sync.Mutex
	n     atomic.Int64
	s     *server.Server
	x     *core.Exchange
	fault atomic.Pointer[error]
}

// run lets four people work at the same time, and the clock, until ctx ends.
func (c *child) run(ctx context.Context, folder string) error {
	err := c.act(said{What: starting}, func(*said) (err error) {
		c.s, err = open(context.WithoutCancel(ctx), folder)
		return err
	})
	if err != nil {
		return err
	}
	c.x = c.s.Exchange
	var all sync.WaitGroup
	for i, work := range []func(context.Context, *rand.Rand){c.clock, c.submitter, c.planner, c.readers, c.registrar} {
		all.Go(func() { work(ctx, rand.New(rand.NewPCG(c.seed, uint64(i)))) })
	}
	all.Go(func() {
		_ = c.act(said{What: sweeping}, func(*said) error {
			_, err := c.x.Submissions.Sweep(ctx)
			return err
		})
	})
	all.Wait()
	if err := c.fault.Load(); err != nil {
		return *err
	}
	return c.s.Close()
}

// act does one thing, and says before and after that it does.
func (c *child) act(s said, fn func(*said) error) error {
	s.N, s.State = c.n.Add(1), begun
	c.say(s)
	err := fn(&s)
	switch {
	case err == nil:
		s.State = done
	case exchange.KindOf(err) != "" || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		s.State, s.Error = refused, err.Error()
	default:
		s.State, s.Error = broken, err.Error()
		c.fault.CompareAndSwap(nil, &err)
	}
	c.say(s)
	return err
}

// say writes a line in one piece.
func (c *child) say(s said) {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.out.Write(append(b, '\n')); err != nil {
		os.Exit(5) // whoever listened has gone
	}
}

// clock opens waves as release.Service.Run does, and says so.
func (c *child) clock(ctx context.Context, _ *rand.Rand) {
	store := sqlstore.For[release.Tx](c.s.DB)
	for rest(ctx, 300*time.Microsecond) {
		var next time.Time
		err := store.View(ctx, func(tx release.Tx) (err error) {
			next, err = tx.NextWave()
			return err
		})
		if err != nil || next.IsZero() || next.After(time.Now()) {
			continue
		}
		_ = c.act(said{What: opening}, func(*said) error { return c.x.Releases.OpenDue(ctx) })
	}
}

// rest reports whether ctx still holds after d.
func rest(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }
