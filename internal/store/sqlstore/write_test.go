package sqlstore_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// What waits while the writer is busy shares transactions of at most 256
// functions. In the bubble no time passes while they run, so the limit of work
// in one transaction is not met.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.SQLite(t)
		var group sync.WaitGroup
		release := make(chan struct{})
		insert := func(tx *sqlstore.Tx) error {
			<-release // only the first one waits
			_, err := tx.Exec(`UPDATE counter SET n = n + 1 WHERE name = 'event'`)
			return err
		}
		const callers = 300
		for i := range callers {
			group.Go(func() {
				if err := db.Update(t.Context(), insert); err != nil {
					t.Error(err)
				}
			})
			if i == 0 {
				synctest.Wait() // the writer has it
			}
		}
		synctest.Wait() // all others wait: 256 in the queue, the rest to get in
		close(release)
		group.Wait()
		// The first transaction takes 256, the second what is left; callers that
		// could not get into the queue may come a little later.
		s := db.Stats()
		if s.Functions != callers || s.Commits < 2 || s.Commits > 10 {
			t.Errorf("%d functions in %d commits, want %d in about 2", s.Functions, s.Commits, callers)
		}
		if n := storetest.Value[int](t, db, `SELECT n FROM counter WHERE name = 'event'`); n != callers {
			t.Errorf("counter is %d, want %d", n, callers)
		}
	})
}

// A single caller pays for no savepoint and no timer, and each of its functions
// is durable when it is answered.
func TestOneCallerOneCommit(t *testing.T) {
	db := storetest.SQLite(t)
	failure := errors.New("no")
	for i := range 5 {
		want := error(nil)
		if i == 2 {
			want = failure
		}
		if err := db.Update(t.Context(), func(*sqlstore.Tx) error { return want }); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if got, want := db.Stats(), (sqlstore.Stats{Commits: 4, Functions: 4}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
