package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange/connection"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// TestConnections checks what the room connection asks of a store.
func TestConnections(t *testing.T) { Each(t, testConnections) }

func testConnections(t *testing.T, e Engine) {
	clock := testkit.NewClock()
	c := &membersCase{clock: clock, db: e.Open(t, store.Options{Now: clock.Now})}
	one := connection.Connection{ID: "con_one", Token: "fw_one", Org: "alpha", Client: "curl", CreatedAt: testkit.Start}
	two := connection.Connection{ID: "con_two", Token: "fw_two", Org: "alpha", Client: "misp", CreatedAt: testkit.Start.Add(time.Microsecond)}
	other := connection.Connection{ID: "con_other", Token: "fw_other", Org: "beta", Client: "curl", CreatedAt: testkit.Start}
	c.do(t, func(tx *sqlstore.Tx) error {
		_, err := tx.Connection(one.ID)
		missing(t, one, err)
		_, err = tx.ConnectionOf(one.Token)
		missing(t, one, err)
		for _, add := range []connection.Connection{one, two, other} {
			if err := tx.AddConnection(add); err != nil {
				return err
			}
		}
		return nil
	})
	at := func(d time.Duration) time.Time { return testkit.Start.Add(d) }
	one.Stats = connection.Stats{
		Polls: 1 << 40, Objects: 1 << 41, LastObjects: 7, LastAt: at(1), LastStatus: 404, LastAfter: at(2 * time.Microsecond),
		LastCursor: at(3 * time.Microsecond), Usual: 90 * time.Minute, LoopAt: at(4 * time.Hour), RestartAt: at(5 * time.Hour), SkipAt: at(6 * time.Hour),
	}
	one.LastAt = at(time.Microsecond)
	c.do(t, func(tx *sqlstore.Tx) error {
		if err := tx.PutStats(one.ID, one.Stats); err != nil {
			return err
		}
		got, err := tx.Connection(one.ID)
		same(t, one, got, err)
		got, err = tx.ConnectionOf(two.Token)
		same(t, two, got, err)
		list, err := tx.ConnectionsOf("alpha")
		same(t, []connection.Connection{one, two}, list, err)
		list, err = tx.ConnectionsOf("nobody")
		same(t, 0, len(list), err)
		if err := tx.RemoveConnection(two.ID, at(time.Hour)); err != nil {
			return err
		}
		list, err = tx.ConnectionsOf("alpha")
		same(t, []connection.Connection{one}, list, err)
		two.RemovedAt = at(time.Hour)
		got, err = tx.Connection(two.ID)
		same(t, two, got, err)
		return nil
	})
	// One token is one connection.
	if err := c.db.Update(t.Context(), func(tx *sqlstore.Tx) error {
		return tx.AddConnection(connection.Connection{ID: "con_again", Token: "fw_one", Org: "alpha", Client: "curl"})
	}); err == nil {
		t.Error("there is a second connection with the token")
	}
	c.do(t, func(tx *sqlstore.Tx) error {
		for n := range 5 {
			errs := make([]connection.PollError, 3)
			for i := range errs {
				errs[i] = connection.PollError{At: at(time.Hour), Request: fmt.Sprint("req_", 3*n+i), Status: 400, Problem: "ü"}
			}
			if err := tx.AddPollErrors(one.ID, errs, 4); err != nil {
				return err
			}
		}
		got, err := tx.PollErrors(one.ID)
		same(t, 4, len(got), err)
		same(t, connection.PollError{At: at(time.Hour), Request: "req_14", Status: 400, Problem: "ü"}, got[0], nil)
		same(t, "req_11", got[3].Request, nil)
		got, err = tx.PollErrors(other.ID)
		same(t, 0, len(got), err)
		return nil
	})
}
