package sqlstore

import (
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/store/packed"
)

var _ delivery.Tx = (*Tx)(nil)

const classColumns = `id, artifact, tlp, held, markings, terms`

// HandlingClass answers an interned handling.
func (tx *Tx) HandlingClass(id int64) (exchange.HandlingClass, error) {
	h, err := scanClass(tx.QueryRow(`SELECT `+classColumns+` FROM handling_class WHERE id = ?1`, id))
	return found(h, err, "reading a handling class")
}

// ClassesOf lists the handling classes of an artifact's objects.
func (tx *Tx) ClassesOf(artifact int64) ([]exchange.HandlingClass, error) {
	hs, err := Collect(tx, scanClass, `SELECT `+classColumns+` FROM handling_class WHERE artifact = ?1 ORDER BY id`, artifact)
	if err != nil {
		return nil, fmt.Errorf("listing handling classes: %w", err)
	}
	return hs, nil
}

// OpenedTo answers when an artifact was given to an audience; zero: not yet.
func (tx *Tx) OpenedTo(artifact int64, a exchange.Audience) (time.Time, error) {
	at, err := Collect(tx, scanInt, `
		SELECT opened_at FROM opening WHERE artifact = ?1 AND audience = ?2`, artifact, a.String())
	if err != nil || len(at) == 0 {
		return time.Time{}, err
	}
	return instant(at[0]), nil
}

// OpenedToOrg answers when an artifact was given to one organisation alone, and
// until when; zero: not, and without end.
func (tx *Tx) OpenedToOrg(artifact int64, org exchange.OrgID) (at, until time.Time, err error) {
	type given struct{ at, until int64 }
	some, err := Collect(tx, func(s Scanner) (g given, err error) { return g, s.Scan(&g.at, &g.until) }, `
		SELECT opened_at, until_at FROM org_opening WHERE artifact = ?1 AND org = ?2`, artifact, string(org))
	if err != nil || len(some) == 0 {
		return at, until, err
	}
	return instant(some[0].at), instant(some[0].until), nil
}

// PlannedFor answers when the class is planned to open to the audience; zero:
// it is not on the clock.
func (tx *Tx) PlannedFor(id exchange.ReleaseID, a exchange.Audience, c exchange.ContentClass) (time.Time, error) {
	ws, err := Collect(tx, scanWave, waveSelect+`
		JOIN release r ON r.id = w.release
		WHERE w.release = ?1 AND w.audience = ?2 AND w.state = 'scheduled' AND r.state IN ('armed', 'releasing', 'public')
		ORDER BY w.at`, string(id), a.String())
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the plan: %w", err)
	}
	for _, w := range ws {
		for _, has := range w.Classes {
			if has == c {
				return w.At, nil
			}
		}
	}
	return time.Time{}, nil
}

// ObjectsByHash lists the program's objects whose id has the hash, when
// among is given of those artifacts alone for which it answers true.
func (tx *Tx) ObjectsByHash(program exchange.ProgramID, idHash int64, among func(artifact int64) bool) ([]delivery.Object, error) {
	var seqs []int64
	var err error
	if among == nil {
		seqs, err = tx.seqsOf(idHash)
	} else {
		seqs, err = tx.seqsAmong(idHash, among)
	}
	if err != nil {
		return nil, fmt.Errorf("reading objects by id: %w", err)
	}
	r := tx.blocks()
	var out []delivery.Object
	for _, seq := range seqs {
		a, err := r.artifact(seq >> positionBits)
		if err != nil {
			return nil, err
		}
		if a.program != program || !a.ready || a.tombstone && among == nil { // who runs the program reads what was shared
			continue
		}
		e, err := r.entry(seq)
		if err != nil {
			return nil, err
		}
		if e.Removed {
			continue
		}
		out = append(out, objectOf(seq>>positionBits, e))
	}
	return out, nil
}

// nearby is how many further rows are read for an id, whether it has any.
const nearby = 4

// seqsAmong is seqsOf for artifacts for which among answers true. It reads and
// asks about as many rows for an id that nothing has as for one that is withheld,
// those next to it, so that the time of an answer does not tell the two apart.
func (tx *Tx) seqsAmong(hash int64, among func(artifact int64) bool) (out []int64, err error) {
	type row struct{ hash, seq int64 }
	rows, err := Collect(tx, func(s Scanner) (r row, err error) { return r, s.Scan(&r.hash, &r.seq) }, `
		SELECT id_hash, seq FROM (SELECT id_hash, seq FROM object_index WHERE id_hash >= ?1 ORDER BY id_hash LIMIT 1) a
		UNION ALL SELECT id_hash, seq FROM (
			SELECT id_hash, seq FROM object_more WHERE id_hash >= ?1 ORDER BY id_hash, version, seq LIMIT ?2 + 0) b`, hash, int64(nearby))
	if err != nil {
		return nil, err
	}
	same := 0
	for _, r := range rows {
		if ok := among(r.seq >> positionBits); r.hash == hash {
			if same++; ok {
				out = append(out, r.seq)
			}
		}
	}
	if same <= nearby { // else there may be more
		slices.Sort(out)
		return out, nil
	}
	all, err := tx.seqsOf(hash)
	return slices.DeleteFunc(all, func(seq int64) bool { return !among(seq >> positionBits) }), err
}

func objectOf(artifact int64, e packed.Entry) delivery.Object {
	return delivery.Object{
		Seq: artifact<<positionBits | e.Position, Class: e.Class, ID: e.ID, Type: e.Type, Version: e.Version, Offset: e.Offset, Length: e.Length,
	}
}

// ObjectsIn lists an artifact's objects in the order in which they were
// submitted, those after the number given.
func (tx *Tx) ObjectsIn(artifact, after int64, limit int) ([]delivery.Object, error) {
	from := int64(0)
	if after>>positionBits == artifact {
		from = after&positionMask + 1
	}
	var out []delivery.Object
	err := tx.blocks().walk(artifact, from, positionMask, limit, func(b *packed.Block, i int) bool {
		e := b.Entry(i)
		if e.Removed {
			return true
		}
		e.ID = b.ID(i)
		out = append(out, objectOf(artifact, e))
		return len(out) < limit
	})
	if err != nil {
		return nil, fmt.Errorf("listing objects: %w", err)
	}
	return out, nil
}

// Notices lists what the organisation was told before an instant, newest first.
func (tx *Tx) Notices(org exchange.OrgID, before time.Time, limit int) ([]exchange.Notice, error) {
	ns, err := Collect(tx, scanNotice, `
		SELECT id, org, program, release, kind, at, event, text, read_at FROM notice
		WHERE org = ?1 AND at < ?2 ORDER BY at DESC, event DESC, id DESC LIMIT ?3 + 0`, string(org), micros(before), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing notices: %w", err)
	}
	return ns, nil
}

// Notice answers one notice to the organisation.
func (tx *Tx) Notice(org exchange.OrgID, id exchange.NoticeID) (exchange.Notice, error) {
	n, err := scanNotice(tx.QueryRow(`
		SELECT id, org, program, release, kind, at, event, text, read_at FROM notice WHERE id = ?1 AND org = ?2`, string(id), string(org)))
	return found(n, err, "reading a notice")
}

func scanNotice(s Scanner) (n exchange.Notice, err error) {
	var id, org, program, release, kind string
	var at, read int64
	err = s.Scan(&id, &org, &program, &release, &kind, &at, &n.Event, &n.Text, &read)
	n.ID, n.Org, n.Program, n.Release = exchange.NoticeID(id), exchange.OrgID(org), exchange.ProgramID(program), exchange.ReleaseID(release)
	n.Kind, n.At, n.ReadAt = exchange.EventKind(kind), instant(at), instant(read)
	return n, err
}

// MarkRead notes when the organisation read a notice; the first time stays.
func (tx *Tx) MarkRead(org exchange.OrgID, id exchange.NoticeID) error {
	n, err := tx.Exec(`
		UPDATE notice SET read_at = CASE WHEN read_at = 0 THEN ?3 ELSE read_at END
		WHERE org = ?1 AND id = ?2`, string(org), string(id), micros(tx.Now()))
	if err != nil {
		return fmt.Errorf("marking a notice: %w", err)
	}
	if n == 0 {
		return exchange.Missing()
	}
	return nil
}

// WasOffered reports whether the organisation was offered or given the artifact.
func (tx *Tx) WasOffered(artifact int64, org exchange.OrgID) (bool, error) {
	some, err := Collect(tx, scanInt, `SELECT 1 FROM exposure WHERE artifact = ?1 AND org = ?2 LIMIT 1`, artifact, string(org))
	if err != nil {
		return false, fmt.Errorf("asking who holds an artifact: %w", err)
	}
	return len(some) > 0, nil
}

// Gone reports whether the program held an object with the hash of the
// identifier that was taken out.
func (tx *Tx) Gone(program exchange.ProgramID, idHash int64) (bool, error) {
	some, err := Collect(tx, scanInt, `SELECT 1 FROM object_gone WHERE id_hash = ?1 AND program = ?2`, idHash, string(program))
	if err != nil {
		return false, fmt.Errorf("looking for objects that were taken out: %w", err)
	}
	return len(some) > 0, nil
}
