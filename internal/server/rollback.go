package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/logbook"
	"github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/store"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/verify"
)

// bench is a data folder on which no server runs, with its store open and the ledger
// not.
type bench struct {
	lock   *os.File
	db     *sqlstore.DB
	folder string // of the logs
	log    sequencer.Info
	keys   []sequencer.Key
	stored int64 // the last event
}

// openBench opens a folder on which no server runs.
func openBench(ctx context.Context, o Options) (b *bench, err error) {
	b = &bench{folder: filepath.Join(o.Data, "ledger")}
	if b.lock, err = lockFolder(o.Data); err != nil {
		return nil, err
	}
	url, err := o.Config.DatabaseURL(o.Data)
	if err == nil {
		b.db, err = store.Open(ctx, url, store.Options{Now: o.Now, Logger: o.Log})
	}
	if err == nil {
		err = b.read(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) read(ctx context.Context) error {
	return b.db.View(ctx, func(tx *sqlstore.Tx) error {
		all, err := tx.Logs()
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return exchange.Fail(exchange.Conflict, "the store knows no log: start the server once; nothing was changed")
		}
		b.log = all[len(all)-1]
		if b.keys, err = tx.LogKeys(b.log.Number); err == nil {
			b.stored, err = tx.LastEvent()
		}
		return err
	})
}

func (b *bench) close() error {
	var err error
	if b.db != nil {
		err = b.db.Close()
	}
	return errors.Join(err, b.lock.Close())
}

func (b *bench) dir() string { return filepath.Join(b.folder, strconv.Itoa(b.log.Number)) }

// open opens a log's folder to be written, with the keys that sign.
func (b *bench) open(dir string) (*ledger.Log, error) {
	var signers []note.Signer
	for _, k := range b.keys {
		if k.Until >= 0 || k.Private == "" {
			continue
		}
		s, err := note.NewSigner(k.Private)
		if err != nil {
			return nil, fmt.Errorf("reading a key of the log: %w", err)
		}
		signers = append(signers, s)
	}
	return ledger.Open(dir, ledger.Options{Origin: b.log.Origin, Signers: signers})
}

func (b *bench) publics() (out []string) {
	for _, k := range b.keys {
		out = append(out, k.Public)
	}
	return out
}

// next is the number of the log that follows: no folder has it.
func (b *bench) next() (int, error) {
	last := b.log.Number
	all, err := os.ReadDir(b.folder)
	for _, e := range all {
		if n, err := strconv.Atoi(e.Name()); err == nil && e.IsDir() {
			last = max(last, n)
		}
	}
	return last + 1, err
}

// RolledBack is what AcceptRollback did.
type RolledBack struct {
	Former       string `json:"former"` // origin of the log that ended
	FormerSize   int64  `json:"former_size"`
	WithoutEvent int64  `json:"without_event"` // entries that have no event any more
	Log          int    `json:"log"`
	Origin       string `json:"origin"`
	Key          string `json:"key"`
}

// AcceptRollback ends a log that the store, which was put back to an older copy, does
// not know all of any more, and enters the one that follows it. witnessed is a signed
// checkpoint that others hold, or nil. Where store and log fit together, and nobody
// is known to hold more, it is a conflict and nothing is changed.
func AcceptRollback(ctx context.Context, o Options, witnessed []byte, reason string) (out RolledBack, err error) {
	if err := verify.CheckReason(reason); err != nil {
		return out, exchange.Fail(exchange.Invalid, "reason: %v; nothing was changed", err)
	}
	b, err := openBench(ctx, o)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	lost, err := b.lost(ctx, witnessed)
	if err != nil {
		return out, err
	}
	next, err := logbook.New(logbook.Config{Store: sqlstore.For[logbook.Tx](b.db)}).AcceptRollback(ctx, lost, reason)
	if err != nil {
		return out, err
	}
	out = RolledBack{
		Former: b.log.Origin, FormerSize: lost.Last.Size, WithoutEvent: lost.Gone(b.log.Base), Log: next.Number, Origin: next.Origin,
	}
	return out, b.begin(ctx, &out)
}

// begin makes the log that follows. The server would do it, too.
func (b *bench) begin(ctx context.Context, out *RolledBack) error {
	if err := b.read(ctx); err != nil {
		return err
	}
	out.Key = b.keys[0].Public
	l, err := b.open(b.dir())
	if err != nil {
		return err
	}
	return errors.Join(b.carry(ctx, l), l.Close())
}

// lost finds out what the store does not know, and freezes the log.
func (b *bench) lost(ctx context.Context, witnessed []byte) (lost logbook.Lost, err error) {
	if _, err := os.Stat(b.dir()); errors.Is(err, fs.ErrNotExist) {
		return lost, exchange.Fail(exchange.Conflict, "the log's folder is not there; make it again with: forewarn ledger rebuild. Nothing was changed")
	}
	differs, err := sequencer.Compare(ctx, b.db.Beneath(), b.folder)
	if err != nil {
		return lost, err
	}
	if lost.Next, err = b.next(); err != nil {
		return lost, err
	}
	l, err := ledger.Open(b.dir(), ledger.Options{ReadOnly: true})
	if err != nil {
		return lost, err
	}
	if witnessed != nil {
		lost.Witness, err = b.witnessed(l, witnessed)
	}
	if err = errors.Join(err, l.Close()); err != nil {
		return lost, err
	}
	if differs == nil && lost.Witness.Size == 0 && lost.Next == b.log.Number+1 {
		return lost, exchange.Fail(exchange.Conflict, "the store and the log fit together: nothing was rolled back that is known here; nothing was changed")
	}
	return lost, b.freeze(&lost, differs)
}

// witnessed reads a checkpoint that others hold, if the log does not lead to it.
func (b *bench) witnessed(l *ledger.Log, signed []byte) (none verify.Checkpoint, err error) {
	s, err := verify.OpenCheckpoint(signed, b.publics(), nil)
	if err == nil && s.Origin != l.Origin() {
		err = fmt.Errorf("it is of the log %.80q", s.Origin)
	}
	if err != nil {
		return none, exchange.Fail(exchange.Invalid, "the checkpoint is not one of this log: %v; nothing was changed", err)
	}
	if s.Size > l.Size() {
		return s.Checkpoint, nil
	}
	root, err := l.Root(s.Size)
	if err != nil || root != s.Root {
		return s.Checkpoint, err
	}
	return none, nil
}

// freeze ends the log as it is.
func (b *bench) freeze(lost *logbook.Lost, differs *sequencer.Difference) error {
	l, err := b.open(b.dir())
	if err != nil {
		return err
	}
	if err := l.Freeze(); err != nil {
		return errors.Join(err, l.Close())
	}
	lost.Last = verify.Checkpoint{Origin: l.Origin(), Size: l.Size()}
	lost.Known = min(b.stored, b.log.Base+l.Size())
	if differs != nil {
		lost.Known = differs.Known
	}
	lost.Last.Root, err = l.Root(l.Size())
	return errors.Join(err, l.Close())
}
