// Package engine is what a database engine gives to the store: its open
// handles, its dialect, and sessions, which are single connections with the
// statements prepared on them.
package engine

import "database/sql"

// Dialect is all that differs between the engines outside the SQL text they
// share. It has six members and may not grow.
type Dialect interface {
	// Name is "sqlite" or "postgres".
	Name() string
	// Rewrite turns a statement with ?N placeholders into the engine's text.
	Rewrite(stmt string) string
	// Begin is the text that opens a write transaction, which excludes every
	// other one until it ends, or a read transaction, which sees one snapshot.
	Begin(writable bool) string
	// Tokens are the words that replace {{token}} in migrations.
	Tokens() map[string]string
	// DDL is applied to a migration after its tokens were replaced.
	DDL(text string) string
	// Embedded is true for an engine inside this process: statements are
	// prepared per connection here and are not interrupted half-way.
	Embedded() bool
}

// Handles are the open connections of one engine.
type Handles struct {
	Write   *sql.DB
	Read    *sql.DB
	Readers int // most connections that Read may use at once
	Dialect Dialect
	// Close ends both handles, after the last transaction has ended.
	Close func() error
}
