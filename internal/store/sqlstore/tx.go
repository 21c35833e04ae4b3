package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/store/engine"
)

// Answers of a DB that are not the engine's.
var (
	// ErrClosed is the answer of a closed DB.
	ErrClosed = engine.ErrClosed
	// ErrNested is the answer to an Update inside the function of another
	// Update, which would wait for itself.
	ErrNested = errors.New("update inside an update: pass the transaction on instead")
	// ErrReadOnly is the answer to Exec in a read transaction.
	ErrReadOnly = errors.New("a read transaction cannot change anything")
	// ErrEnded is the answer of a transaction that is over.
	ErrEnded = errors.New("the transaction has ended")
	// ErrRowsOpen is the answer to a statement while the rows of an earlier
	// one are still open; PostgreSQL could not run it.
	ErrRowsOpen = errors.New("the rows of an earlier statement are still open: collect them first")
)

// Tx is one function's transaction. It is used by one goroutine and only
// until the function returns.
//
// In Update, what belongs to one caller's context does not break off the
// statements: the transaction is shared with other callers.
//
// A statement that the engine refuses fails the whole function, also when the
// function goes on and returns nil: PostgreSQL would discard such a
// transaction silently, and SQLite would keep half of it.
type Tx struct {
	ctx      context.Context
	session  *engine.Session
	now      time.Time
	writable bool
	embedded bool
	memory   *memory
	ended    bool
	open     *Rows
	refused  error
	after    []func()
	entries  [][]byte // of the events that it recorded
	last     int64    // number of the last one

	blocksChanged []delivery.BlockID
}

// Now is the one instant of the transaction, in UTC, whole microseconds.
func (tx *Tx) Now() time.Time { return tx.now }

// AfterCommit calls f once the transaction is durable, in the order of the
// calls and before Update returns. f runs on the writer: it must be short and
// may not call Update.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// Exec runs a statement that returns no rows and answers how many it changed.
// Placeholders are ?1, ?2 and so on.
func (tx *Tx) Exec(stmt string, args ...any) (int64, error) {
	if !tx.writable {
		return 0, ErrReadOnly
	}
	if err := tx.ready(args); err != nil {
		return 0, err
	}
	result, err := tx.session.Exec(tx.statementContext(), stmt, args...)
	if err != nil {
		return 0, tx.refuse(err)
	}
	return result.RowsAffected()
}

// Query runs a statement that returns rows. They must be closed, or read to
// the end, before the next statement; see Collect.
func (tx *Tx) Query(stmt string, args ...any) (*Rows, error) {
	if err := tx.ready(args); err != nil {
		return nil, err
	}
	rows, err := tx.session.Query(tx.statementContext(), stmt, args...)
	if err != nil {
		return nil, tx.refuse(err)
	}
	tx.open = &Rows{rows: rows, tx: tx}
	return tx.open, nil
}

// QueryRow runs a statement of which only the first row is wanted. Scan must
// follow; it answers sql.ErrNoRows when there is none.
func (tx *Tx) QueryRow(stmt string, args ...any) *Row {
	rows, err := tx.Query(stmt, args...)
	return &Row{rows: rows, err: err}
}

func (tx *Tx) ready(args []any) error {
	switch {
	case tx.ended:
		return ErrEnded
	case tx.open != nil:
		return ErrRowsOpen
	}
	if err := tx.ctx.Err(); err != nil {
		return err
	}
	return checkArguments(args)
}

// statementContext is the context of one statement. An embedded engine does
// not get the caller's: watching it costs a goroutine per statement there, and
// Rows looks at it between rows.
func (tx *Tx) statementContext() context.Context {
	if tx.embedded {
		return context.WithoutCancel(tx.ctx)
	}
	return tx.ctx
}

func (tx *Tx) refuse(err error) error {
	if tx.refused == nil {
		tx.refused = err
	}
	return err
}

// finish ends the transaction's use and turns a statement's failure that the
// function did not report into the function's.
func (tx *Tx) finish(err error) error {
	if tx.open != nil {
		_ = tx.open.Close()
	}
	tx.ended = true
	if err == nil && tx.refused != nil {
		err = fmt.Errorf("a statement was refused and the function went on: %w", tx.refused)
	}
	return err
}

// checkArguments refuses what the engines keep in different forms.
func checkArguments(args []any) error {
	for i, a := range args {
		switch a.(type) {
		case time.Time, *time.Time:
			return fmt.Errorf("argument %d is a time: instants are kept as Unix microseconds", i+1)
		}
	}
	return nil
}

// Scanner is a row to read from: *Rows or *Row.
type Scanner interface {
	Scan(dest ...any) error
}

// Rows are the rows of one statement.
type Rows struct {
	rows *sql.Rows
	tx   *Tx
	err  error
	done bool
}

// Next steps to the next row. After the last one the rows are closed.
func (r *Rows) Next() bool {
	if r.done {
		return false
	}
	if r.err = r.tx.ctx.Err(); r.err == nil {
		if r.rows.Next() {
			return true
		}
		r.err = r.rows.Err()
	}
	r.finish()
	return false
}

// Scan copies the columns of the current row. Bytes are copied.
func (r *Rows) Scan(dest ...any) error { return r.rows.Scan(dest...) }

// Err is what ended the rows early.
func (r *Rows) Err() error { return r.err }

// Close ends the rows. It may be called again.
func (r *Rows) Close() error {
	if r.done {
		return nil
	}
	return r.finish()
}

func (r *Rows) finish() error {
	r.done = true
	err := r.rows.Close()
	if r.err == nil {
		r.err = err
	}
	r.tx.open = nil
	if r.err != nil {
		_ = r.tx.refuse(r.err)
	}
	return err
}

// Row is the first row of a statement.
type Row struct {
	rows *Rows
	err  error
}

// Scan copies the columns and ends the statement. Without a row it answers
// sql.ErrNoRows.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		return cmp.Or(r.rows.Err(), sql.ErrNoRows)
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	return r.rows.Close()
}

// Collect runs a statement and reads all its rows with scan.
func Collect[T any](tx *Tx, scan func(Scanner) (T, error), stmt string, args ...any) ([]T, error) {
	rows, err := tx.Query(stmt, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
