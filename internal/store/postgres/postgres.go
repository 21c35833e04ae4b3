// Package postgres opens a database that speaks PostgreSQL's protocol, for
// exchanges that outgrow one machine. Several nodes may share it: a writing
// transaction first locks one row, so that writers take turns across nodes as
// they do inside one, and statements mean the same on both engines.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/forewarn-exchange/forewarn/internal/store/engine"
)

const maxReaders = 16

// Open connects to the database at url, postgres://user@host/database?… .
func Open(ctx context.Context, url string, log *slog.Logger) (engine.Handles, error) {
	// Two connections: migrations hold one with their lock and work on another.
	write, err := open(url, 2, map[string]string{
		// A node that hangs inside a transaction would keep all others from writing.
		"idle_in_transaction_session_timeout": "60000",
	})
	if err != nil {
		return engine.Handles{}, err
	}
	read, err := open(url, maxReaders, map[string]string{"default_transaction_read_only": "on"})
	if err != nil {
		return engine.Handles{}, errors.Join(err, write.Close())
	}
	h := engine.Handles{
		Write: write, Read: read, Readers: maxReaders, Dialect: Dialect{},
		Close: func() error { return errors.Join(read.Close(), write.Close()) },
	}
	if err := prepare(ctx, write, log); err != nil {
		return engine.Handles{}, errors.Join(err, h.Close())
	}
	return h, nil
}

// Inspect connects to the database at url to look at it.
func Inspect(ctx context.Context, url string) (engine.Handles, error) {
	reading := map[string]string{"default_transaction_read_only": "on"}
	write, err := open(url, 1, reading)
	if err != nil {
		return engine.Handles{}, err
	}
	read, err := open(url, maxReaders, reading)
	if err == nil {
		err = read.PingContext(ctx)
	}
	h := engine.Handles{
		Write: write, Read: read, Readers: maxReaders, Dialect: Dialect{},
		Close: func() error { return errors.Join(read.Close(), write.Close()) },
	}
	if err != nil {
		return engine.Handles{}, errors.Join(err, write.Close())
	}
	return h, nil
}

func open(url string, conns int, params map[string]string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// pgx leaves the password out of this error.
		return nil, fmt.Errorf("reading the database's address: %w", err)
	}
	config.RuntimeParams["application_name"] = "forewarn"
	for k, v := range params {
		config.RuntimeParams[k] = v
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(conns)
	// Sessions keep the connections they use. One that lies idle in the pool
	// may have died, and would be taken for new.
	db.SetMaxIdleConns(-1)
	return db, nil
}

// prepare makes the row on which writers take turns, and looks at what the
// server promises.
func prepare(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	var err error
	for range 5 { // two nodes that create the same table at once disturb each other
		_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS writer_turn (one BIGINT PRIMARY KEY)`)
		if err == nil {
			_, err = db.ExecContext(ctx, `INSERT INTO writer_turn (one) VALUES (1) ON CONFLICT DO NOTHING`)
		}
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != "23505" && pg.Code != "42P07" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		return fmt.Errorf("preparing the database: %w", err)
	}
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := db.QueryRowContext(ctx, `SELECT current_setting($1)`, setting).Scan(&value); err != nil {
			return fmt.Errorf("reading the database's settings: %w", err)
		}
		if value == "off" && log != nil {
			log.Warn("the database may lose acknowledged transactions", "setting", setting, "value", value)
		}
	}
	return nil
}

// Dialect is the engine's part of the shared SQL text.
type Dialect struct{}

// Name is "postgres".
func (Dialect) Name() string { return "postgres" }

// Rewrite turns ?N into $N.
func (Dialect) Rewrite(stmt string) string { return rewrite(stmt) }

// Begin takes the writers' turn, after which every statement sees all that was
// committed before, or one snapshot to read from.
func (Dialect) Begin(writable bool) string {
	if writable {
		return "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT one FROM writer_turn FOR UPDATE"
	}
	return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
}

// Tokens are the engine's words in migrations.
func (Dialect) Tokens() map[string]string {
	return map[string]string{"bytes": "BYTEA", "clustered": "", "double": "DOUBLE PRECISION", "rowid": "BIGINT"}
}

var textColumn = regexp.MustCompile(`\bTEXT\b`)

// DDL makes every TEXT column sort by bytes, as SQLite does: keyset paging
// must not depend on the language of the database.
func (Dialect) DDL(text string) string {
	return textColumn.ReplaceAllString(text, `TEXT COLLATE "C"`)
}

// Embedded is false: the engine is reached over a connection that can break,
// and its driver keeps statements prepared.
func (Dialect) Embedded() bool { return false }
