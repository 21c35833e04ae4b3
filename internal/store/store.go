// Package store opens the store of an exchange by its address and brings its
// schema up to date.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/store/engine"
	"github.com/forewarn-exchange/forewarn/internal/store/postgres"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlite"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// Options of Open. The zero value works.
type Options struct {
	Now    func() time.Time // time.Now when nil
	Logger *slog.Logger     // nothing is logged when nil
	// Migrations replaces the schema of the exchange, for tests of the store
	// itself.
	Migrations fs.FS
}

// Open opens the store at url: a path or sqlite:PATH for a file, created when
// missing, or postgres://… for a server.
func Open(ctx context.Context, url string, o Options) (*sqlstore.DB, error) {
	h, err := connect(ctx, url, o.Logger)
	if err != nil {
		return nil, err
	}
	steps := o.Migrations
	if steps == nil {
		steps = sqlstore.Migrations()
	}
	if err := migrate(ctx, h, steps); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return sqlstore.New(h, o.Now, o.Logger), nil
}

func connect(ctx context.Context, url string, log *slog.Logger) (engine.Handles, error) {
	scheme, rest, found := strings.Cut(url, ":")
	switch {
	case url == "" || found && scheme == "sqlite" && rest == "":
		return engine.Handles{}, errors.New("no store given: expected a path, sqlite:PATH or postgres://…")
	case !found || strings.ContainsAny(scheme, `/\.`) || len(scheme) == 1: // C:\…
		return sqlite.Open(ctx, url)
	case scheme == "sqlite":
		return sqlite.Open(ctx, strings.TrimPrefix(rest, "//"))
	case scheme == "postgres" || scheme == "postgresql":
		return postgres.Open(ctx, url, log)
	}
	return engine.Handles{}, fmt.Errorf("unknown kind of store %q: known are a path, sqlite:PATH and postgres://…", scheme)
}
