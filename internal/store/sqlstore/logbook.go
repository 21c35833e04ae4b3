package sqlstore

import (
	"fmt"

	"github.com/forewarn-exchange/forewarn/internal/exchange/logbook"
	"github.com/forewarn-exchange/forewarn/internal/ledger/sequencer"
)

var _ logbook.Tx = (*Tx)(nil)

// Logbook lists the logs, the oldest first.
func (tx *Tx) Logbook() ([]logbook.Log, error) {
	all, err := tx.Logs()
	out := make([]logbook.Log, 0, len(all))
	for _, l := range all {
		out = append(out, logbook.Log{
			Number: l.Number, Origin: l.Origin, Base: l.Base, OpenedAt: l.Opened, ClosedAt: l.Closed, Size: l.Size, Root: l.Root,
		})
	}
	return out, err
}

// KeepLog stores a log, or its end.
func (tx *Tx) KeepLog(l logbook.Log) error {
	return tx.PutLog(sequencer.Info{
		Number: l.Number, Origin: l.Origin, Base: l.Base, Opened: l.OpenedAt, Closed: l.ClosedAt, Size: l.Size, Root: l.Root,
	})
}

// KeysOfLog lists the keys of a log, the oldest first.
func (tx *Tx) KeysOfLog(log int) ([]logbook.Key, error) {
	all, err := Collect(tx, func(s Scanner) (k logbook.Key, err error) {
		var ends int64
		err = s.Scan(&k.Log, &k.Private, &k.Public, &k.Since, &k.Until, &ends)
		k.EndsAt = instant(ends)
		return k, err
	}, `SELECT log, private, public, since, until, ends_at FROM ledger_key WHERE log = ?1 ORDER BY since, public`, log)
	if err != nil {
		return nil, fmt.Errorf("reading the keys of log %d: %w", log, err)
	}
	return all, nil
}

// KeepLogKey stores a key, or what changed of it. A private key that was destroyed
// stays so.
func (tx *Tx) KeepLogKey(k logbook.Key) error {
	n, err := tx.Exec(`
		INSERT INTO ledger_key (log, public, private, since, until, ends_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
		ON CONFLICT (log, public) DO UPDATE SET private = excluded.private, until = excluded.until, ends_at = excluded.ends_at
		WHERE excluded.private IN (ledger_key.private, '')`, k.Log, k.Public, k.Private, k.Since, k.Until, micros(k.EndsAt))
	if err == nil && n != 1 {
		err = fmt.Errorf("it was destroyed")
	}
	if err != nil {
		return fmt.Errorf("storing a key of log %d: %w", k.Log, err)
	}
	return nil
}

// LogStatements are the signed statements of a log, the oldest first.
func (tx *Tx) LogStatements(log int) ([][]byte, error) {
	all, err := Collect(tx, func(s Scanner) (b []byte, err error) { return b, s.Scan(&b) },
		`SELECT signed FROM ledger_statement WHERE log = ?1 ORDER BY number`, log)
	if err != nil {
		return nil, fmt.Errorf("reading the statements of log %d: %w", log, err)
	}
	return all, nil
}

// PutLogStatement adds a signed statement.
func (tx *Tx) PutLogStatement(log int, signed []byte) error {
	_, err := tx.Exec(`
		INSERT INTO ledger_statement (log, number, signed)
		SELECT ?1, COALESCE(MAX(number), 0) + 1, ?2 FROM ledger_statement WHERE log = ?1`, log, signed)
	if err != nil {
		return fmt.Errorf("storing a statement of log %d: %w", log, err)
	}
	return nil
}

// EntriesAfter are the ledger's entries of the events after a number, in order.
func (tx *Tx) EntriesAfter(seq int64, limit int) ([][]byte, error) {
	rows, err := tx.EventEntries(seq, limit)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, 0, len(rows))
	for i, r := range rows {
		if r.Seq != seq+1+int64(i) || len(r.Entry) == 0 {
			return nil, fmt.Errorf("event %d is not in the store, or has no entry", seq+1+int64(i))
		}
		out = append(out, r.Entry)
	}
	return out, nil
}
