package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/store/engine"
	"github.com/forewarn-exchange/forewarn/internal/store/postgres"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlite"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// Inspection is a store that is only looked at: Update fails, nothing is migrated.
// A server may be running on it.
type Inspection struct {
	*sqlstore.DB
	Schema int64 // of the store
	Known  int64 // to this program
}

// Inspect opens the store at url to be looked at. One that does not exist is an
// error.
func Inspect(ctx context.Context, url string, o Options) (*Inspection, error) {
	scheme, rest, found := strings.Cut(url, ":")
	var h engine.Handles
	var err error
	switch {
	case found && scheme == "sqlite":
		h, err = sqlite.Inspect(ctx, strings.TrimPrefix(rest, "//"))
	case scheme == "postgres" || scheme == "postgresql":
		h, err = postgres.Inspect(ctx, url)
	default:
		h, err = sqlite.Inspect(ctx, url)
	}
	if err != nil {
		return nil, err
	}
	in := &Inspection{}
	if err := h.Read.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version`).Scan(&in.Schema); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the schema version: %w", err), h.Close())
	}
	if in.Known, err = lastOf(sqlstore.Migrations()); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	in.DB = sqlstore.New(h, o.Now, o.Logger)
	return in, nil
}

// lastOf is the number of the last step.
func lastOf(steps fs.FS) (last int64, err error) {
	names, err := fs.Glob(steps, "*.sql")
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		n, bad := strconv.ParseInt(number, 10, 64)
		if bad != nil {
			return 0, fmt.Errorf("the migration %s has no number", name)
		}
		last = max(last, n)
	}
	return last, err
}
