package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/durable"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Rebuilt is what RebuildLedger did.
type Rebuilt struct {
	Origin  string `json:"origin"`
	Size    int64  `json:"size"`
	Against int64  `json:"against"` // size of the checkpoint that it was held against
	From    string `json:"from"`    // where that came from
	Kept    string `json:"kept"`    // the folder that was there before; empty: none
}

// known is a checkpoint of the log that was signed before.
type known struct {
	verify.Checkpoint
	from string
}

// RebuildLedger makes the folder of the current log again from the store's entries.
// The result must lead to every checkpoint that is known: newest, which may be nil,
// those in the damaged folder, and the one in the store. Where one differs, or none
// is known, nothing is changed.
func RebuildLedger(ctx context.Context, o Options, newest []byte) (out Rebuilt, err error) {
	b, err := openBench(ctx, o)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	all, err := b.checkpoints(ctx, newest)
	if err != nil {
		return out, err
	}
	if len(all) == 0 {
		return out, exchange.Fail(exchange.Conflict, "no signed checkpoint of the log is left to hold the result against; "+
			"give the newest that anybody has with --checkpoint. Nothing was changed")
	}
	fresh := b.dir() + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return out, err
	}
	out, err = b.build(ctx, fresh, all)
	if err != nil {
		return out, errors.Join(err, os.RemoveAll(fresh))
	}
	if _, err := os.Stat(b.dir()); err == nil {
		now := time.Now
		if o.Now != nil {
			now = o.Now
		}
		out.Kept = b.dir() + ".damaged-" + now().UTC().Format("20060102T150405Z")
		if err := os.Rename(b.dir(), out.Kept); err != nil {
			return out, err
		}
	}
	return out, errors.Join(os.Rename(fresh, b.dir()), durable.SyncDir(b.folder))
}

// build makes the log in another folder.
func (b *bench) build(ctx context.Context, dir string, all []known) (out Rebuilt, err error) {
	last := slices.MaxFunc(all, func(x, y known) int { return int(min(1, max(-1, x.Size-y.Size))) })
	l, err := b.open(dir)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := b.carry(ctx, l); err != nil {
		return out, err
	}
	for _, k := range all {
		if k.Size > l.Size() {
			return out, exchange.Fail(exchange.Conflict, "the store has the entries of a log of %d; the checkpoint from %s is of %d: "+
				"the store was put back to an older copy. Nothing was changed", l.Size(), k.from, k.Size)
		}
		root, err := l.Root(k.Size)
		if err != nil {
			return out, err
		}
		if root != k.Root {
			return out, exchange.Fail(exchange.Conflict, "the store's first %d entries are not those under the checkpoint from %s: "+
				"the store was changed. Nothing was changed now", k.Size, k.from)
		}
	}
	return Rebuilt{Origin: l.Origin(), Size: l.Size(), Against: last.Size, From: last.from}, nil
}

// carry puts the store's entries into an empty log.
func (b *bench) carry(ctx context.Context, l *ledger.Log) error {
	for seq := b.log.Base; seq < b.stored; {
		var entries [][]byte
		err := b.db.View(ctx, func(tx *sqlstore.Tx) (err error) {
			entries, err = tx.EntriesAfter(seq, int(min(4096, b.stored-seq)))
			return err
		})
		if err == nil && len(entries) == 0 {
			err = fmt.Errorf("event %d is not in the store", seq+1)
		}
		if err == nil {
			err = l.Put(seq-b.log.Base, entries)
		}
		if err == nil {
			seq += int64(len(entries))
			err = l.Wait(ctx, seq-b.log.Base)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkpoints are the newest that can be found, from each place.
func (b *bench) checkpoints(ctx context.Context, given []byte) (out []known, err error) {
	add := func(signed []byte, from string) error {
		s, err := verify.OpenCheckpoint(signed, b.publics(), nil)
		if err == nil && s.Origin == b.log.Origin {
			out = append(out, known{s.Checkpoint, from})
			return nil
		}
		return errors.Join(err, errors.New("it is not a checkpoint of this log"))
	}
	if given != nil {
		if err := add(given, "the file"); err != nil {
			return nil, exchange.Fail(exchange.Invalid, "the checkpoint that was given: %v; nothing was changed", err)
		}
	}
	if l, err := ledger.Open(b.dir(), ledger.Options{ReadOnly: true}); err == nil {
		_ = add(l.Checkpoint(), "the folder")
		_ = l.Close() // read only
	} else if signed, err := b.salvage(); err != nil {
		return nil, err
	} else if signed != nil {
		_ = add(signed, "the journal")
	}
	var h sequencer.Head
	err = b.db.View(ctx, func(tx *sqlstore.Tx) error {
		h, err = tx.LogHead(b.log.Number)
		return err
	})
	if err == nil && len(h.Checkpoint) > 0 {
		_ = add(h.Checkpoint, "the store")
	}
	return out, err
}

// salvageBytes is how much of a damaged journal's end is searched.
const salvageBytes = 64 << 20

// salvage looks for the largest checkpoint in a journal that cannot be read: its
// signature says that it is one.
func (b *bench) salvage() (best []byte, err error) {
	names, err := os.ReadDir(filepath.Join(b.dir(), "journal"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	size := int64(-1)
	for _, n := range names[max(0, len(names)-2):] {
		text, err := tailOf(filepath.Join(b.dir(), "journal", n.Name()))
		if err != nil {
			return nil, err
		}
		head := []byte(b.log.Origin + "\n")
		for at := bytes.Index(text, head); at >= 0; {
			signed := noteAt(text[at:])
			if s, err := verify.OpenCheckpoint(signed, b.publics(), nil); err == nil && s.Size > size {
				best, size = signed, s.Size
			}
			next := bytes.Index(text[at+1:], head)
			if next < 0 {
				break
			}
			at += 1 + next
		}
	}
	return best, nil
}

func tailOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	text := make([]byte, min(info.Size(), salvageBytes))
	n, err := f.ReadAt(text, info.Size()-int64(len(text)))
	if n == len(text) {
		err = nil
	}
	return text[:n], err
}

// noteAt is the signed note at the beginning of bytes, as far as one can be there.
func noteAt(b []byte) []byte {
	b = b[:min(len(b), 16<<10)]
	end := bytes.Index(b, []byte("\n\n"))
	if end < 0 {
		return nil
	}
	end += 2
	for bytes.HasPrefix(b[end:], []byte("— ")) {
		line := bytes.IndexByte(b[end:], '\n')
		if line < 0 {
			break
		}
		end += line + 1
	}
	return b[:end]
}
