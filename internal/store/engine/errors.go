package engine

import "errors"

// Result codes of SQLite (https://www.sqlite.org/rescode.html) and SQLSTATE
// values of PostgreSQL (its manual, appendix A).
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqlitePrimaryKey = 1555
	sqliteUnique     = 2067
	sqliteRowID      = 2579

	stateUnique        = "23505"
	stateSerialization = "40001"
	stateDeadlock      = "40P01"
)

type sqliteError interface {
	error
	Code() int
}

type stateError interface {
	error
	SQLState() string
}

// IsUnique reports whether a statement broke a UNIQUE or PRIMARY KEY
// constraint.
func IsUnique(err error) bool {
	if e, ok := errors.AsType[sqliteError](err); ok {
		return e.Code() == sqliteUnique || e.Code() == sqlitePrimaryKey || e.Code() == sqliteRowID
	}
	e, ok := errors.AsType[stateError](err)
	return ok && e.SQLState() == stateUnique
}

// IsRetryable reports whether the same transaction may succeed when run again.
func IsRetryable(err error) bool {
	if e, ok := errors.AsType[sqliteError](err); ok {
		return e.Code()&0xff == sqliteBusy || e.Code()&0xff == sqliteLocked
	}
	e, ok := errors.AsType[stateError](err)
	return ok && (e.SQLState() == stateSerialization || e.SQLState() == stateDeadlock)
}

// IsAnswer reports whether the error is the engine's answer, as opposed to a
// broken connection.
func IsAnswer(err error) bool {
	if _, ok := errors.AsType[sqliteError](err); ok {
		return true
	}
	_, ok := errors.AsType[stateError](err)
	return ok
}
