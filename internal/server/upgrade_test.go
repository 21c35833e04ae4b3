package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// Events from before the ledger are numbered in their program, from 1 without gaps,
// salted and entered when the server starts, and those that follow go on from them.
func TestEventsFromBeforeTheLedger(t *testing.T) {
	k := newKept(t)
	of := func(programs ...exchange.ProgramID) {
		t.Helper()
		for _, p := range programs {
			err := k.s.DB.Update(t.Context(), func(tx *sqlstore.Tx) error {
				_, err := tx.Record(exchange.Event{Kind: exchange.EventFeedback, Program: p, Subject: []string{"é", "<b>"}})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	of("a", "b", "", "a", "a")
	k.stop()
	// As the store was before: no log, no numbers, no entries.
	db := direct(t, k.o.Data)
	for _, text := range []string{
		`UPDATE event SET number = 0, salt = NULL, entry = NULL, body = CAST(json_remove(CAST(body AS TEXT), '$.number') AS BLOB)`,
		`DELETE FROM counter WHERE name LIKE 'events of %'`, `DELETE FROM ledger_log`, `DELETE FROM ledger_key`,
	} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(k.o.Data, "ledger")); err != nil {
		t.Fatal(err)
	}
	k.start()
	of("b", "a", "c")
	k.whole()
	var got []string
	rows, err := db.Query(`SELECT program, number, body FROM event ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var program string
		var number, within int64
		var body []byte
		if err := rows.Scan(&program, &number, &body); err != nil {
			t.Fatal(err)
		}
		var event struct {
			Number  int64
			Subject []string
		}
		if err := json.Unmarshal(body, &event); err != nil || len(event.Subject) != 2 || event.Subject[1] != "<b>" {
			t.Errorf("%s: %v", body, err)
		}
		if within = event.Number; within != number {
			t.Errorf("%s has the number %d", body, number)
		}
		got = append(got, fmt.Sprint(program, number))
	}
	if want := "[a1 b1 0 a2 a3 b2 a4 c1]"; fmt.Sprint(got) != want || rows.Err() != nil {
		t.Errorf("%v, want %v", got, want)
	}
}
