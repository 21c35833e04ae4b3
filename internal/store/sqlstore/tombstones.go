package sqlstore

import (
	"fmt"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/store/packed"
)

func recallable(artifact int64, e packed.Entry) recall.Object {
	return recall.Object{
		Seq: artifact<<positionBits | e.Position, Class: e.Class, ID: e.ID, Type: e.Type, Version: e.Version,
		Offset: e.Offset, Length: e.Length, Contested: e.Contested,
	}
}

// Bearers lists the program's objects with an id; see recall.Things.
func (tx *Tx) Bearers(program exchange.ProgramID, id string) ([]recall.Object, error) {
	seqs, err := tx.seqsOf(exchange.IDHash(id))
	if err != nil {
		return nil, fmt.Errorf("reading objects by id: %w", err)
	}
	r := tx.blocks()
	var out []recall.Object
	for _, seq := range seqs {
		a, err := r.artifact(seq >> positionBits)
		if err != nil {
			return nil, err
		}
		if a.program != program || !a.ready || a.tombstone {
			continue
		}
		e, err := r.entry(seq)
		if err != nil {
			return nil, err
		}
		if e.ID == id && !e.Removed {
			out = append(out, recallable(seq>>positionBits, e))
		}
	}
	return out, nil
}

// ObjectsFrom lists an artifact's objects from a position on.
func (tx *Tx) ObjectsFrom(artifact, position int64, limit int) ([]recall.Object, error) {
	var out []recall.Object
	err := tx.blocks().walk(artifact, position, positionMask, limit, func(b *packed.Block, i int) bool {
		e := b.Entry(i)
		if !e.Removed {
			e.ID = b.ID(i)
			out = append(out, recallable(artifact, e))
		}
		return len(out) < limit
	})
	if err != nil {
		return nil, fmt.Errorf("listing objects: %w", err)
	}
	return out, nil
}

// HeldIn lists the objects with the id that the artifacts hold.
func (tx *Tx) HeldIn(artifacts []int64, id string) ([]recall.Object, error) {
	seqs, err := tx.seqsAmong(exchange.IDHash(id), func(artifact int64) bool { return slices.Contains(artifacts, artifact) })
	if err != nil {
		return nil, fmt.Errorf("reading objects by id: %w", err)
	}
	r := tx.blocks()
	var out []recall.Object
	for _, seq := range seqs {
		e, err := r.entry(seq)
		if err != nil {
			return nil, err
		}
		if e.ID == id && !e.Removed {
			out = append(out, recallable(seq>>positionBits, e))
		}
	}
	return out, nil
}

// TakeOut takes objects out for everybody.
func (tx *Tx) TakeOut(objs []recall.Object) error {
	bs := make([]contribution.Bearer, len(objs))
	done := map[int64]bool{}
	for i, o := range objs {
		bs[i] = contribution.Bearer{Seq: o.Seq, ID: o.ID, Version: o.Version}
		if n := o.Artifact(); !done[n] {
			done[n] = true
			if _, err := tx.Exec(`UPDATE artifact SET lessened = 1, self_contained = 0 WHERE number = ?1`, n); err != nil {
				return fmt.Errorf("taking objects out: %w", err)
			}
		}
	}
	return tx.RemoveObjects(bs)
}

// PutTombstones stores objects of staged tombstones.
func (tx *Tx) PutTombstones(program exchange.ProgramID, artifact int64, objs []recall.Object) error {
	out := make([]submission.Object, len(objs))
	for i, o := range objs {
		out[i] = submission.Object{
			Position: o.Seq & positionMask, Class: o.Class, ID: o.ID, Type: o.Type, Version: o.Version, Offset: o.Offset, Length: o.Length,
		}
	}
	_, err := tx.PutObjects(program, artifact, out)
	return err
}

// ReadyTombstones makes staged tombstones exist.
func (tx *Tx) ReadyTombstones(a exchange.Artifact) error {
	if _, err := tx.Exec(`UPDATE artifact SET sha256 = ?2, size = ?3, settled = 1 WHERE number = ?1 AND ready = 0`, a.Number, a.SHA256, a.Size); err != nil {
		return fmt.Errorf("naming the blob of tombstones: %w", err)
	}
	return tx.ReadyArtifact(a)
}
