package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/server"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

// databaseVariable is the database of a process that enters acts; empty: the one
// in the folder.
const databaseVariable = "FOREWARN_CRASH_DATABASE"

// openAt opens the folder over a database.
func openAt(ctx context.Context, folder, database string) (*server.Server, error) {
	c := config.Default()
	c.Database = database
	return server.Open(ctx, server.Options{Data: folder, Config: c})
}

// TestKillOneOfTwoNodes kills one of two nodes that use one database, again and
// again, while both enter acts. The other one goes on; in the end both have the
// same log, and it holds every act that either acknowledged.
func TestKillOneOfTwoNodes(t *testing.T) {
	kills := 8
	if testing.Short() {
		kills = 3
	}
	url := storetest.PostgreSQL.URL(t)
	steady, err := openAt(t.Context(), t.TempDir(), url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	var names []string
	var longest time.Duration
	for i := range 4 {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				name := fmt.Sprintf("steady-%d-%d", i, n)
				began := time.Now()
				if err := enter(context.WithoutCancel(ctx), steady, name, 1+len(name)%3); err != nil {
					t.Errorf("the node that was left alone: %v", err)
					return
				}
				mu.Lock()
				names = append(names, name)
				longest = max(longest, time.Since(began))
				mu.Unlock()
			}
		})
	}
	e := &entered{t: t, folder: t.TempDir(), database: url, seen: map[int64]tlog.Hash{}, events: map[string]int{}}
	r := rand.New(rand.NewPCG(7, 0))
	for i := range kills {
		e.live(i, r)
	}
	stop()
	all.Wait()
	killed := len(e.names)
	e.names = append(e.names, names...)
	e.look(true)
	if err := steady.Ledger.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	log := steady.Ledger.Current()
	for size, root := range e.seen {
		if got, err := log.Root(size); err != nil || got != root {
			t.Errorf("the other node's log does not extend the checkpoint of size %d: %v", size, err)
		}
	}
	if log.Size() != e.looked {
		t.Errorf("the other node's log has %d entries, want %d", log.Size(), e.looked)
	}
	if err := steady.Close(); err != nil {
		t.Error(err)
	}
	slices.Sort(e.opened)
	t.Logf("%d kills, %d acts acknowledged by the node that was killed, %d by the other, the longest in %v; %d entries, opening took %v at most",
		kills, killed, len(names), longest, e.looked, e.opened[len(e.opened)-1])
	if killed < kills || len(names) < kills {
		t.Error("there was hardly any load: the moments are badly chosen")
	}
}
