package engine

import "errors"

// Result codes of SQLite (https://www.sqlite.org/rescode.html) and SQLSTATE
// values of PostgreSQL (its manual, appendix A).
const (
	sqliteBusy   = 5
	sqliteLocked = 6

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

// IsRetryable reports whether the same transaction may succeed when run again.
func IsRetryable(err error) bool {
	if e, ok := errors.AsType[sqliteError](err); ok {
		return e.Code()&0xff == sqliteBusy || e.Code()&0xff == sqliteLocked
	}
	e, ok := errors.AsType[stateError](err)
	return ok && (e.SQLState() == stateSerialization || e.SQLState() == stateDeadlock)
}
