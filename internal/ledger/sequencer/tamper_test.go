package sequencer_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/store/storetest"
)

// tampered answers what the store holds with one row changed.
type tampered struct {
	sequencer.Store
	change func(rows []sequencer.Row) []sequencer.Row
}

func (s tampered) View(ctx context.Context, fn func(sequencer.Tx) error) error {
	return s.Store.View(ctx, func(tx sequencer.Tx) error { return fn(tamperedTx{tx, s.change}) })
}

type tamperedTx struct {
	sequencer.Tx
	change func(rows []sequencer.Row) []sequencer.Row
}

func (tx tamperedTx) EventRows(after int64, limit int) ([]sequencer.Row, error) {
	rows, err := tx.Tx.EventRows(0, limit)
	rows = tx.change(rows)
	return slices.DeleteFunc(rows, func(r sequencer.Row) bool { return r.Seq <= after }), err
}

// spoil flips, deletes or inserts one byte.
func spoil(r *rand.Rand, b []byte) []byte {
	i := r.IntN(len(b))
	switch r.IntN(3) {
	case 0:
		b = bytes.Clone(b)
		b[i] ^= byte(1 + r.IntN(255))
		return b
	case 1:
		return slices.Delete(bytes.Clone(b), i, i+1)
	default:
		return slices.Insert(bytes.Clone(b), i, byte(r.IntN(256)))
	}
}

// Whatever byte of an event's row is flipped, deleted or inserted, and whichever row
// is missing, Check names that event first.
func TestEveryChangedByteIsFound(t *testing.T) {
	times := 10_000
	if testing.Short() {
		times = 500
	}
	e := storetest.Engine{Name: "sqlite", URL: func(t testing.TB) string { return filepath.Join(t.TempDir(), "store.db") }}
	n := newNode(t, e, e.URL(t))
	n.start()
	for i := range 5 {
		err := n.db.Update(t.Context(), func(tx *sqlstore.Tx) error {
			_, err := tx.Record(exchange.Event{
				Kind: exchange.EventPageServed, Program: "prg_aaaaaaaaaaaaaaaa", Release: "rel_aaaaaaaaaaaaaaaa", Org: "edr-a",
				Actor:   exchange.Actor{Person: "per_1", Token: "fw_1", Org: "owner", Channel: exchange.ChannelAPI},
				Subject: []string{fmt.Sprint(i), "é"}, Detail: exchange.Detail{"objects": i, "note": `a "word"`},
			})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	n.stop()
	r := rand.New(rand.NewPCG(36, 0))
	for i := range times {
		at, column := r.IntN(5), r.IntN(12)
		what := ""
		s := tampered{n.db.Beneath(), func(rows []sequencer.Row) []sequencer.Row {
			row := &rows[at]
			text := func(s *string) { *s = string(spoil(r, []byte(*s))) }
			switch column {
			case 0, 1, 2:
				row.Body = spoil(r, row.Body)
			case 3:
				row.Salt = spoil(r, row.Salt)
			case 4:
				row.Entry = spoil(r, row.Entry)
			case 5:
				row.Columns.At ^= 1 << r.IntN(63)
			case 6:
				row.Columns.Number ^= 1 << r.IntN(63)
			case 7:
				text([]*string{&row.Columns.Kind, &row.Columns.Program, &row.Columns.Release, &row.Columns.Org}[r.IntN(4)])
			case 8:
				text(&row.Columns.Person)
			case 9:
				text(&row.Columns.Token)
			case 10:
				rows = slices.Delete(rows, at, at+1)
				what = "deleted"
				return rows
			case 11: // the rows of two events change places
				other := &rows[(at+1)%5]
				row.Seq, other.Seq = other.Seq, row.Seq
				at = min(at, (at+1)%5)
				slices.SortFunc(rows, func(a, b sequencer.Row) int { return int(a.Seq - b.Seq) })
			}
			what = fmt.Sprintf("%s %x %x %+v", row.Body, row.Salt, row.Entry, row.Columns)
			return rows
		}}
		first := int64(0)
		_, err := sequencer.Check(t.Context(), s, n.folder, 0, func(f sequencer.Finding) {
			if first == 0 {
				first = f.Seq
			}
		})
		if err != nil || first != int64(at+1) {
			t.Fatalf("time %d: column %d of event %d was changed, the first finding is event %d (%v): %s", i, column, at+1, first, err, what)
		}
	}
}
