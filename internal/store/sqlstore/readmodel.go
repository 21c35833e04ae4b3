package sqlstore

import (
	"fmt"

	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/store/packed"
)

// BlocksIn lists the first positions of the artifact's blocks that begin from
// one position to another, both included, in order.
func (tx *Tx) BlocksIn(artifact, from, to int64) ([]int64, error) {
	firsts, err := Collect(tx, scanInt, `
		SELECT seq FROM object_block WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq`,
		artifact<<positionBits|from, artifact<<positionBits|min(to, positionMask))
	if err != nil {
		return nil, fmt.Errorf("listing blocks: %w", err)
	}
	for i := range firsts {
		firsts[i] &= positionMask
	}
	return firsts, nil
}

// Block reads the artifact's block whose first object is at the position.
func (tx *Tx) Block(artifact, first int64) (delivery.Rows, error) {
	some, err := Collect(tx, func(s Scanner) (body []byte, err error) { return body, s.Scan(&body) }, `
		SELECT body FROM object_block WHERE seq = ?1`, artifact<<positionBits|first)
	if err != nil {
		return nil, fmt.Errorf("reading a block: %w", err)
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("artifact %d has no block at %d", artifact, first)
	}
	b, err := packed.Open(some[0])
	if err != nil {
		return nil, err
	}
	return &rowsOf{Block: b, artifact: artifact}, nil
}

// rowsOf is a block as the delivery room reads it.
type rowsOf struct {
	*packed.Block
	artifact int64
}

// Entry is entry i without its id and date.
func (r *rowsOf) Entry(i int) delivery.Entry {
	e := r.Block.Entry(i)
	return delivery.Entry{
		Object: r.artifact<<positionBits | e.Position, Class: e.Class, Type: e.Type, Version: e.Version,
		Contested: e.Contested, Removed: e.Removed, Offset: e.Offset, Length: e.Length,
	}
}

// Size is about how many bytes of memory the block takes.
func (r *rowsOf) Size() int { return len(r.Bytes()) + 256 }

// Watcher is told of blocks that change, so that what is remembered of them is
// given up in time.
type Watcher interface {
	// Changing comes before a transaction that changes the blocks commits. Until
	// Changed comes for them, nothing may be remembered of them.
	Changing(blocks []delivery.BlockID)
	// Changed comes when the transaction has committed, or failed to.
	Changed(blocks []delivery.BlockID, committed bool)
	// ChangedElsewhere says that another process may have changed any block.
	ChangedElsewhere()
}

// Watch has the watcher told. It is called once, before the DB is used by more
// than one goroutine.
func (db *DB) Watch(w Watcher) { db.memory.watcher = w }

// changedBlock notes that the transaction wrote or changed a block.
func (tx *Tx) changedBlock(artifact, first int64) {
	tx.blocksChanged = append(tx.blocksChanged, delivery.BlockID{Artifact: artifact, First: first})
}

// changing is what the functions changed that share the open transaction.
func (db *DB) changing() (all []delivery.BlockID) {
	if db.memory.watcher == nil {
		return nil
	}
	for _, j := range db.writer.ran {
		all = append(all, j.blocks...)
	}
	if len(all) > 0 {
		db.memory.watcher.Changing(all)
	}
	return all
}
