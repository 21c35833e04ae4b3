package sqlstore

import (
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/witness"
)

var _ witness.Tx = (*Tx)(nil)

// EventTime answers when an event was recorded.
func (tx *Tx) EventTime(seq int64) (time.Time, error) {
	var at int64
	err := tx.QueryRow(`SELECT at FROM event WHERE seq = ?1`, seq).Scan(&at)
	at, err = found(at, err, "reading when an event was recorded")
	return instant(at), err
}

// WitnessStates lists what is known of the witnesses of a log, by key.
func (tx *Tx) WitnessStates(log int) ([]witness.State, error) {
	all, err := Collect(tx, func(s Scanner) (st witness.State, err error) {
		var listed, signed, seen, failed int64
		err = s.Scan(&st.Key, &listed, &st.Size, &signed, &seen, &st.Failure, &failed)
		st.Listed, st.Signed, st.Seen, st.FailedAt = instant(listed), instant(signed), instant(seen), instant(failed)
		return st, err
	}, `SELECT witness_key, listed_at, size, signed_at, seen_at, failure, failed_at
		FROM witness_state WHERE log = ?1 ORDER BY witness_key`, int64(log))
	if err != nil {
		return nil, fmt.Errorf("listing witnesses: %w", err)
	}
	return all, nil
}

// PutWitnessState stores what is known of one witness of a log.
func (tx *Tx) PutWitnessState(log int, st witness.State) error {
	_, err := tx.Exec(`
		INSERT INTO witness_state (log, witness_key, listed_at, size, signed_at, seen_at, failure, failed_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
		ON CONFLICT (log, witness_key) DO UPDATE SET
			size = excluded.size, signed_at = excluded.signed_at, seen_at = excluded.seen_at,
			failure = excluded.failure, failed_at = excluded.failed_at`,
		int64(log), st.Key, micros(st.Listed), st.Size, micros(st.Signed), micros(st.Seen), st.Failure, micros(st.FailedAt))
	if err != nil {
		return fmt.Errorf("storing what is known of a witness: %w", err)
	}
	return nil
}

// PutCosignature keeps a signature, and the checkpoint that it is for.
func (tx *Tx) PutCosignature(log int, c witness.Cosignature, checkpoint []byte) error {
	_, err := tx.Exec(`
		INSERT INTO cosigned (log, size, checkpoint) VALUES (?1, ?2, ?3) ON CONFLICT (log, size) DO NOTHING`,
		int64(log), c.Size, checkpoint)
	if err != nil {
		return fmt.Errorf("storing a cosigned checkpoint: %w", err)
	}
	_, err = tx.Exec(`
		INSERT INTO cosignature (log, size, witness_key, line, signed_at) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (log, size, witness_key) DO NOTHING`,
		int64(log), c.Size, c.Key, c.Line, micros(c.At))
	if err != nil {
		return fmt.Errorf("storing a cosignature: %w", err)
	}
	return nil
}

// CosignedFrom lists cosigned checkpoints of at least a size, the smallest first.
func (tx *Tx) CosignedFrom(log int, size int64, limit int) ([]witness.Cosigned, error) {
	return tx.cosigned(`
		SELECT c.size, c.checkpoint, s.witness_key, s.line, s.signed_at FROM cosigned c
		JOIN cosignature s ON s.log = c.log AND s.size = c.size
		WHERE c.log = ?1 AND c.size IN (SELECT d.size FROM cosigned d WHERE d.log = ?1 AND d.size >= ?2 ORDER BY d.size LIMIT ?3 + 0)
		ORDER BY c.size, s.witness_key`, int64(log), size, int64(limit))
}

// NewestCosigned lists cosigned checkpoints, the largest first.
func (tx *Tx) NewestCosigned(log, limit int) ([]witness.Cosigned, error) {
	return tx.cosigned(`
		SELECT c.size, c.checkpoint, s.witness_key, s.line, s.signed_at FROM cosigned c
		JOIN cosignature s ON s.log = c.log AND s.size = c.size
		WHERE c.log = ?1 AND c.size IN (SELECT d.size FROM cosigned d WHERE d.log = ?1 ORDER BY d.size DESC LIMIT ?2 + 0)
		ORDER BY c.size DESC, s.witness_key`, int64(log), int64(limit))
}

// cosigned collects the rows of one checkpoint, which follow each other.
func (tx *Tx) cosigned(stmt string, args ...any) (out []witness.Cosigned, err error) {
	type row struct {
		checkpoint []byte
		signature  witness.Cosignature
	}
	rows, err := Collect(tx, func(s Scanner) (r row, err error) {
		var at int64
		err = s.Scan(&r.signature.Size, &r.checkpoint, &r.signature.Key, &r.signature.Line, &at)
		r.signature.At = instant(at)
		return r, err
	}, stmt, args...)
	if err != nil {
		return nil, fmt.Errorf("listing cosigned checkpoints: %w", err)
	}
	for _, r := range rows {
		if n := len(out); n == 0 || out[n-1].Size != r.signature.Size {
			out = append(out, witness.Cosigned{Size: r.signature.Size, Checkpoint: r.checkpoint})
		}
		last := &out[len(out)-1]
		last.Signatures = append(last.Signatures, r.signature)
	}
	return out, nil
}

const disagreementColumns = `id, program, log, witness_key, name, kind, size, root, ours, theirs, at, resolved_at, resolved_by, reason`

// Disagreement answers one disagreement.
func (tx *Tx) Disagreement(id int64) (witness.Disagreement, error) {
	d, err := scanDisagreement(tx.QueryRow(`SELECT `+disagreementColumns+` FROM witness_disagreement WHERE id = ?1`, id))
	return found(d, err, "reading a disagreement")
}

// DisagreementsOf lists the disagreements of a program, the newest first.
func (tx *Tx) DisagreementsOf(program exchange.ProgramID, log int) ([]witness.Disagreement, error) {
	all, err := Collect(tx, scanDisagreement, `
		SELECT `+disagreementColumns+` FROM witness_disagreement WHERE program = ?1 AND log = ?2 ORDER BY id DESC`,
		string(program), int64(log))
	if err != nil {
		return nil, fmt.Errorf("listing disagreements: %w", err)
	}
	return all, nil
}

// PutDisagreement stores a new disagreement under the next number, or how an old
// one was resolved.
func (tx *Tx) PutDisagreement(d *witness.Disagreement) error {
	if d.ID == 0 {
		n, err := tx.count("witness_disagreement", 1)
		if err != nil {
			return fmt.Errorf("numbering a disagreement: %w", err)
		}
		d.ID = n
	}
	_, err := tx.Exec(`
		INSERT INTO witness_disagreement (`+disagreementColumns+`)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
		ON CONFLICT (id) DO UPDATE SET
			resolved_at = excluded.resolved_at, resolved_by = excluded.resolved_by, reason = excluded.reason`,
		d.ID, string(d.Program), int64(d.Log), d.Key, d.Name, string(d.Kind), d.Size, d.Root, append([]byte{}, d.Ours...), append([]byte{}, d.Theirs...),
		micros(d.At), micros(d.ResolvedAt), string(d.ResolvedBy), d.Reason)
	if err != nil {
		return fmt.Errorf("storing a disagreement: %w", err)
	}
	return nil
}

func scanDisagreement(s Scanner) (d witness.Disagreement, err error) {
	var program, kind, by string
	var log, at, resolved int64
	err = s.Scan(&d.ID, &program, &log, &d.Key, &d.Name, &kind, &d.Size, &d.Root, &d.Ours, &d.Theirs, &at, &resolved, &by, &d.Reason)
	d.Program, d.Log, d.Kind, d.At = exchange.ProgramID(program), int(log), witness.Kind(kind), instant(at)
	d.ResolvedAt, d.ResolvedBy = instant(resolved), exchange.PersonID(by)
	if len(d.Theirs) == 0 { // the engines differ in what they answer
		d.Theirs = nil
	}
	return d, err
}
