package server

import (
	"bytes"
	"context"
	"errors"

	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/ledger"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
	"github.com/forewarn-exchange/forewarn/verify"
)

// proofs is the ledger as the room record wants it. The exchange is there when it is
// asked for the first proof.
type proofs struct {
	q        *sequencer.Sequencer
	store    sequencer.Store
	exchange func() *core.Exchange
}

var _ record.Log = proofs{}

// Prove waits until the event is under a signed checkpoint, which it is but for an
// instant.
func (p proofs) Prove(ctx context.Context, program exchange.ProgramID, seq int64) (record.Proof, error) {
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
	if out.Checkpoint, err = p.checkpoint(ctx, l, number, program, index+1); err != nil {
		return out, err
	}
	c, err := parsed(out.Checkpoint)
	if err == nil {
		out.Hashes, err = l.Inclusion(index, c.Size)
	}
	return out, err
}

// checkpoint is the one that is given with a proof: the smallest that holds so many
// entries and that the program's witnesses signed, else the smallest of all.
func (p proofs) checkpoint(ctx context.Context, l *ledger.Log, number int, program exchange.ProgramID, size int64) ([]byte, error) {
	signed, err := p.exchange().Witnesses.Cosigned(ctx, program, number, size)
	if err == nil && ours(l, signed, size) {
		return signed, nil
	}
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return nil, err
	}
	return l.CheckpointFor(size)
}

// newest is the newest checkpoint that the program's witnesses signed when it holds so
// many entries, else the newest of all.
func (p proofs) newest(ctx context.Context, l *ledger.Log, number int, program exchange.ProgramID, size int64) ([]byte, error) {
	signed, err := p.exchange().Witnesses.NewestOf(ctx, program, number)
	if err == nil && ours(l, signed, min(size, l.Size())) {
		return signed, nil
	}
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return nil, err
	}
	return l.Checkpoint(), nil
}

// ours reports whether a log leads to a checkpoint, and it holds at least so many
// entries. What witnesses signed and the log does not have proves nothing of the log.
func ours(l *ledger.Log, signed []byte, size int64) bool {
	c, err := parsed(signed)
	if err != nil || c.Origin != l.Origin() || c.Size < size || c.Size > l.Size() {
		return false
	}
	root, err := l.Root(c.Size)
	return err == nil && root == c.Root
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
func (p proofs) Evidence(ctx context.Context, program exchange.ProgramID, number int, upTo int64) (record.Evidence, error) {
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
		e := record.Evidence{Number: number, Base: info.Base}
		if e.Checkpoint, err = p.newest(ctx, l, number, program, upTo-info.Base); err != nil {
			return e, err
		}
		c, err := parsed(e.Checkpoint)
		if err != nil {
			return e, err
		}
		e.Size = c.Size
		e.Read = func(path string) ([]byte, error) {
			b, _, err := l.File(path)
			return b, err
		}
		if e.Keys, err = p.keys(ctx, number, false); err != nil {
			return e, err
		}
		e.Statements, err = p.exchange().Logbook.Statements(ctx, number)
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

// proofs is the ledger for the room record.
func (s *Server) proofs() proofs {
	return proofs{s.Ledger, s.DB.Beneath(), func() *core.Exchange { return s.Exchange }}
}
