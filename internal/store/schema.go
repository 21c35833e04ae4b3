package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/forewarn-exchange/forewarn/internal/store/engine"
)

// ErrNewer is the answer to a store that a newer program has migrated.
var ErrNewer = errors.New("the store was migrated by a newer version of this program")

// migrate brings the schema up to the last of the steps: SQL files that both
// engines share, where {{tokens}} stand for what the engines call differently.
// Nodes that start at once on PostgreSQL wait for each other.
func migrate(ctx context.Context, h engine.Handles, steps fs.FS) error {
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	dialect := goose.DialectSQLite3
	if !h.Dialect.Embedded() {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return fmt.Errorf("preparing the migration lock: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, h.Write, engineText{steps, h.Dialect}, options...)
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema version: %w", err)
	}
	if current > target {
		return fmt.Errorf("%w: its schema is %d, this program knows up to %d; start the newer program",
			ErrNewer, current, target)
	}
	if _, err := p.Up(ctx); err != nil {
		// Another process may have migrated the same file meanwhile.
		if pending, again := p.HasPending(ctx); again == nil && !pending {
			return nil
		}
		return fmt.Errorf("migrating the schema: %w", err)
	}
	return nil
}

// engineText is a file system whose .sql files are in the engine's words.
type engineText struct {
	fs.FS
	dialect engine.Dialect
}

var token = regexp.MustCompile(`\{\{(\w*)\}\}`)

// Open opens a file, translating it when its name ends in .sql.
func (e engineText) Open(name string) (fs.File, error) {
	f, err := e.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	text, err := e.translate(string(raw))
	if err != nil {
		return nil, fmt.Errorf("migration %s: %w", name, err)
	}
	return &textFile{Reader: bytes.NewReader([]byte(text)), info: info}, nil
}

func (e engineText) translate(text string) (string, error) {
	var unknown error
	words := e.dialect.Tokens()
	text = token.ReplaceAllStringFunc(text, func(t string) string {
		word, ok := words[t[2:len(t)-2]]
		if !ok {
			unknown = fmt.Errorf("unknown token %s", t)
		}
		return word
	})
	if !strings.Contains(text, "-- +goose Up") {
		text = "-- +goose Up\n" + text
	}
	return e.dialect.DDL(text), unknown
}

type textFile struct {
	*bytes.Reader
	info fs.FileInfo
}

func (f *textFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *textFile) Close() error               { return nil }
