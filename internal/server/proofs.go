package server

import (
	"bytes"
	"context"
	"errors"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/verify"
)

// proofs is the ledger as the room record wants it.
type proofs struct {
	q     *sequencer.Sequencer
	store sequencer.Store
}

var _ record.Log = proofs{}

// Prove waits until the event is under a signed checkpoint, which it is but for an
// instant.
func (p proofs) Prove(ctx context.Context, seq int64) (record.Proof, error) {
	l, number, index, err := p.q.Find(seq)
	if err != nil {
		return record.Proof{}, err
	}
	if l.Size() <= index {
		if err := p.q.Wait(ctx, seq); err != nil {
			return record.Proof{}, unavailable(err)
		}
	}
	out := record.Proof{Origin: l.Origin(), Number: number, Index: index}
	if out.Checkpoint, err = p.checkpoint(ctx, l, number, index+1); err != nil {
		return out, err
	}
	c, err := parsed(out.Checkpoint)
	if err == nil {
		out.Hashes, err = l.Inclusion(index, c.Size)
	}
	return out, err
}

// checkpoint is the one that is given with a proof: the smallest that holds so many
// entries.
func (p proofs) checkpoint(_ context.Context, l *ledger.Log, _ int, size int64) ([]byte, error) {
	return l.CheckpointFor(size)
}

// parsed is the checkpoint of a signed one, which is ours.
func parsed(signed []byte) (verify.Checkpoint, error) {
	text, _, ok := bytes.Cut(signed, []byte("\n\n"))
	if !ok {
		return verify.Checkpoint{}, errors.New("a checkpoint of the ledger is not signed")
	}
	return verify.ParseCheckpoint(string(text) + "\n")
}

// keys are the public keys of a log; with active, those that sign now.
func (p proofs) keys(ctx context.Context, number int, active bool) (out []string, err error) {
	err = p.store.View(ctx, func(tx sequencer.Tx) error {
		all, err := tx.LogKeys(number)
		out = nil
		for _, k := range all {
			if !active || k.Until < 0 {
				out = append(out, k.Public)
			}
		}
		return err
	})
	return out, err
}

// Head is the log that is written now.
func (p proofs) Head(ctx context.Context) (record.Head, error) {
	logs := p.q.Logs()
	info := logs[len(logs)-1]
	l, err := p.q.Log(info.Number)
	if err != nil {
		return record.Head{}, err
	}
	h := record.Head{Origin: info.Origin, Number: info.Number, Base: info.Base, Checkpoint: l.Checkpoint()}
	c, err := parsed(h.Checkpoint)
	if err != nil {
		return h, err
	}
	h.Size, h.Root = c.Size, c.Root
	h.Keys, err = p.keys(ctx, info.Number, true)
	return h, err
}

// Evidence is a log for an evidence bundle.
func (p proofs) Evidence(ctx context.Context, number int, upTo int64) (record.Evidence, error) {
	logs := p.q.Logs()
	if number == 0 {
		number = logs[len(logs)-1].Number
	}
	for _, info := range logs {
		if info.Number != number {
			continue
		}
		l, err := p.q.Log(number)
		if err != nil {
			return record.Evidence{}, err
		}
		e := record.Evidence{Number: number, Base: info.Base, Checkpoint: l.Checkpoint()}
		c, err := parsed(e.Checkpoint)
		if err != nil {
			return e, err
		}
		e.Size = c.Size
		e.Read = func(path string) ([]byte, error) {
			b, _, err := l.File(path)
			return b, err
		}
		e.Keys, err = p.keys(ctx, number, false)
		return e, err
	}
	return record.Evidence{}, exchange.Missing()
}

func unavailable(err error) error {
	return &exchange.Error{
		Kind: exchange.Unavailable, Err: err,
		Public: "the ledger cannot be written now, so this cannot be proved yet; try again later",
	}
}
