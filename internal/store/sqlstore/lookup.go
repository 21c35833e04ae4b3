package sqlstore

import (
	"fmt"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/lookup"
	"github.com/forewarn-exchange/forewarn/internal/store/packed"
)

var _ lookup.Tx = (*Tx)(nil)

// EntriesOf lists objects by their numbers, ascending.
func (tx *Tx) EntriesOf(seqs []int64) ([]delivery.Entry, error) {
	out := make([]delivery.Entry, 0, len(seqs))
	var at *held
	for _, seq := range seqs {
		p := seq & positionMask
		if n := len(out); at == nil || out[n-1].Object>>positionBits != seq>>positionBits || at.Position(at.Len()-1) < p {
			var err error
			if at, err = tx.blocks().at(seq>>positionBits, p); err != nil {
				return nil, fmt.Errorf("reading objects: %w", err)
			}
		}
		if at == nil {
			return nil, fmt.Errorf("reading objects: object %d of artifact %d is not there", p, seq>>positionBits)
		}
		i := at.Find(p)
		if i == at.Len() || at.Position(i) != p {
			return nil, fmt.Errorf("reading objects: object %d of artifact %d is not there", p, seq>>positionBits)
		}
		e := at.Entry(i)
		out = append(out, delivery.Entry{
			Object: seq, Class: e.Class, Version: e.Version, Offset: e.Offset, Length: e.Length,
			Contested: e.Contested, Removed: e.Removed, Type: e.Type, ID: at.ID(i),
		})
	}
	return out, nil
}

// LookupSources lists the artifacts with STIX objects that were numbered after
// the given one, and every one that can grow. Those that are not ready are among
// them, whatever they will hold.
func (tx *Tx) LookupSources(after int64) ([]lookup.Source, error) {
	all, err := Collect(tx, scanSource, `
		SELECT number, program, sha256, ready, CASE WHEN kind = 'journal' THEN 1 ELSE 0 END FROM artifact
		WHERE (ready = 0 OR kind IN ('stix', 'journal')) AND (number > ?1 OR kind = 'journal') AND removed_at = 0 ORDER BY number`, after)
	if err != nil {
		return nil, fmt.Errorf("listing artifacts: %w", err)
	}
	return all, nil
}

func scanSource(s Scanner) (a lookup.Source, err error) {
	var program string
	var ready, grows int64
	err = s.Scan(&a.Number, &program, &a.Blob, &ready, &grows)
	a.Program, a.Ready, a.Grows = exchange.ProgramID(program), ready == 1, grows == 1
	return a, err
}

// LookupObjects lists an artifact's objects from a position on, in order.
func (tx *Tx) LookupObjects(artifact, from int64, limit int) ([]lookup.Object, error) {
	out := make([]lookup.Object, 0, min(limit, 1024))
	err := tx.blocks().walk(artifact, from, positionMask, limit, func(b *packed.Block, i int) bool {
		e := b.Entry(i)
		out = append(out, lookup.Object{
			Number: artifact<<positionBits | e.Position, Class: e.Class, Type: e.Type, Offset: e.Offset, Length: e.Length,
		})
		return len(out) < limit
	})
	if err != nil {
		return nil, fmt.Errorf("reading objects: %w", err)
	}
	return out, nil
}
