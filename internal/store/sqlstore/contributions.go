package sqlstore

import (
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/store/packed"
)

var _ contribution.Tx = (*Tx)(nil)

// StandingRelease answers the release that holds what members write.
func (tx *Tx) StandingRelease(program exchange.ProgramID) (exchange.Release, error) {
	return found2(scanRelease(tx.QueryRow(releaseSelect+` WHERE program = ?1 AND standing = 1`, string(program))))
}

// JournalOf answers the organisation's newest journal in the program.
func (tx *Tx) JournalOf(program exchange.ProgramID, org exchange.OrgID) (contribution.Journal, error) {
	j := contribution.Journal{Program: program, Org: org}
	var id, release string
	err := tx.QueryRow(`
		SELECT j.artifact, a.id, a.release, a.sha256, j.readers, j.size, j.n
		FROM journal j JOIN artifact a ON a.number = j.artifact
		WHERE j.program = ?1 AND j.org = ?2 ORDER BY j.artifact DESC LIMIT 1`, string(program), string(org)).
		Scan(&j.Artifact, &id, &release, &j.Name, &j.Terms, &j.Size, &j.Positions)
	j.ID, j.Release = exchange.ArtifactID(id), exchange.ReleaseID(release)
	return found(j, err, "reading a journal")
}

// PutJournal stores a new journal.
func (tx *Tx) PutJournal(j contribution.Journal) error {
	_, err := tx.Exec(`
		INSERT INTO journal (artifact, program, org, readers, size, n) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
		j.Artifact, string(j.Program), string(j.Org), j.Terms, j.Size, j.Positions)
	if err != nil {
		return fmt.Errorf("beginning a journal: %w", err)
	}
	return nil
}

// AppendObjects stores objects at the journal's end and gives them to those who
// read it; see contribution.Objects.
func (tx *Tx) AppendObjects(j contribution.Journal, size int64, objs []contribution.Object, to []exchange.Audience, unknown bool) error {
	if len(objs) == 0 || j.Positions+int64(len(objs))-1 > positionMask {
		return fmt.Errorf("appending objects: %d do not fit after %d", len(objs), j.Positions)
	}
	n, err := tx.Exec(`
		UPDATE journal SET size = ?3, n = ?4 WHERE artifact = ?1 AND size = ?2 AND n = ?5`,
		j.Artifact, j.Size, size, j.Positions+int64(len(objs)), j.Positions)
	if err != nil {
		return fmt.Errorf("appending objects: %w", err)
	}
	if n != 1 {
		return exchange.Fail(exchange.Conflict, "another request changed the journal meanwhile; nothing was stored, send it again")
	}
	es := make([]packed.Entry, len(objs))
	for i, o := range objs {
		es[i] = packed.Entry{
			Position: j.Positions + int64(i), Class: o.Class, Version: o.Version, Offset: o.Offset, Length: o.Length, Type: o.Type, ID: o.ID,
		}
	}
	ps := newsOf(j.Artifact, es)
	known, err := tx.indexNew(ps)
	if err != nil {
		return err
	}
	if known > 0 && unknown {
		return contribution.ErrKnown
	}
	if known > 0 {
		if _, err := tx.contest(j.Program, j.Artifact, es, ps); err != nil {
			return err
		}
	}
	if err := tx.extendBlocks(j.Artifact, es); err != nil {
		return err
	}
	if err := tx.giveRun(j, int64(len(objs)), to); err != nil {
		return err
	}
	last, err := tx.count("contribution", 1)
	if err != nil {
		return fmt.Errorf("counting contributions: %w", err)
	}
	tx.AfterCommit(func() { tx.memory.arrivals.raise(last) })
	return nil
}

// extendBlocks stores entries after those stored before. The last block is
// filled up: many small requests make no more blocks than a large one.
func (tx *Tx) extendBlocks(artifact int64, es []packed.Entry) error {
	if first := es[0].Position; first > 0 {
		b, err := tx.blocks().at(artifact, first-1)
		if err != nil {
			return err
		}
		if b != nil && b.Len() < packed.Most {
			part := make([]packed.Entry, b.Len(), packed.Most)
			for i := range part {
				part[i] = b.Entry(i)
				part[i].ID = b.ID(i)
			}
			n := min(len(es), packed.Most-len(part))
			body, err := packed.Pack(append(part, es[:n]...))
			if err != nil {
				return err
			}
			if _, err := tx.Exec(`UPDATE object_block SET body = ?2 WHERE seq = ?1`, artifact<<positionBits|part[0].Position, body); err != nil {
				return fmt.Errorf("storing objects: %w", err)
			}
			tx.changedBlock(artifact, part[0].Position)
			es = es[n:]
		}
	}
	return tx.putBlocks(artifact, es)
}

type feedRow struct {
	id       int64
	audience string
}

// giveRun appends the journal's next n objects to the feeds of the audiences
// that have one.
func (tx *Tx) giveRun(j contribution.Journal, n int64, to []exchange.Audience) error {
	all, err := Collect(tx, func(s Scanner) (f feedRow, err error) { return f, s.Scan(&f.id, &f.audience) }, `
		SELECT id, audience FROM feed WHERE program = ?1 AND org = '' ORDER BY id`, string(j.Program))
	if err != nil {
		return fmt.Errorf("appending to a feed: %w", err)
	}
	feeds := slices.DeleteFunc(all, func(f feedRow) bool {
		return !slices.ContainsFunc(to, func(a exchange.Audience) bool { return a.String() == f.audience })
	})
	if len(feeds) == 0 {
		return nil
	}
	base, step, err := tx.dates(j.Program, n*int64(len(feeds)))
	if err != nil {
		return err
	}
	ids := make([]news, len(feeds))
	for i, f := range feeds {
		ids[i].hash = f.id
	}
	_, err = tx.Exec(`
		INSERT INTO feed_run (feed, base, step, n, artifact, first)
		SELECT f.hash, ?2 + f.n * ?3, ?4, ?5, ?6, ?7 FROM (`+tx.numbered()+`) AS f`,
		hashesText(ids), base, n*step, step, n, j.Artifact, j.Positions)
	if err != nil {
		return fmt.Errorf("appending to a feed: %w", err)
	}
	return nil
}

// Bearing lists objects that bear the ids of keys, by key; see
// contribution.Objects.
func (tx *Tx) Bearing(program exchange.ProgramID, org exchange.OrgID, keys []contribution.Key) ([]contribution.Bearer, error) {
	ps := make([]news, len(keys))
	for i, k := range keys {
		ps[i] = news{exchange.IDHash(k.ID), int64(i), k.Version}
	}
	hits, err := Collect(tx, scanPair, `
		SELECT new.n, i.seq FROM (`+tx.numbered()+`) AS new CROSS JOIN object_index AS i
		WHERE i.id_hash = new.hash`, hashesText(ps))
	if err != nil {
		return nil, fmt.Errorf("looking for ids: %w", err)
	}
	if len(hits) == 0 {
		return nil, nil
	}
	r := tx.blocks()
	var known, foreign []news
	for _, h := range hits {
		k := ps[h[0]]
		known = append(known, k)
		a, err := r.artifact(h[1] >> positionBits)
		if err != nil {
			return nil, err
		}
		if !a.journal || a.originator != org || a.program != program {
			foreign = append(foreign, k)
		}
	}
	// The same versions, and where the first bearer is not the organisation's
	// own, one of each artifact: to know who made the object.
	same, err := Collect(tx, scanPair, `
		SELECT new.seq, o.seq FROM (`+tx.news()+`) AS new CROSS JOIN object_more AS o
		WHERE o.id_hash = new.id_hash AND o.version = new.version`, newsText(known))
	if err != nil {
		return nil, fmt.Errorf("looking for the same versions: %w", err)
	}
	hits = append(hits, same...)
	if len(foreign) > 0 {
		made, err := Collect(tx, scanPair, `
			SELECT new.seq, MIN(o.seq) FROM (`+tx.news()+`) AS new CROSS JOIN object_more AS o
			WHERE o.id_hash = new.id_hash GROUP BY new.seq, o.seq / 16777216`, newsText(foreign))
		if err != nil {
			return nil, fmt.Errorf("looking for other versions: %w", err)
		}
		hits = append(hits, made...)
	}
	return tx.bearers(r, program, keys, hits)
}

func scanPair(s Scanner) (p [2]int64, err error) { return p, s.Scan(&p[0], &p[1]) }

// bearers reads the objects of pairs of a key and a number, by key.
func (tx *Tx) bearers(r *blocks, program exchange.ProgramID, keys []contribution.Key, hits [][2]int64) ([]contribution.Bearer, error) {
	slices.SortFunc(hits, func(a, b [2]int64) int { return int(min(max(a[1]-b[1], -1), 1)) }) // block by block
	var out []contribution.Bearer
	for _, h := range hits {
		a, err := r.artifact(h[1] >> positionBits)
		if err != nil {
			return nil, err
		}
		if !a.ready || a.tombstone || a.program != program {
			continue
		}
		e, err := r.entry(h[1])
		if err != nil {
			return nil, err
		}
		if e.ID != keys[h[0]].ID || e.Removed {
			continue
		}
		out = append(out, contribution.Bearer{
			Key: int(h[0]), Seq: h[1], Class: e.Class, ID: e.ID, Version: e.Version, Org: a.originator, Journal: a.journal,
			Blob: a.sha256, Offset: e.Offset, Length: e.Length,
		})
	}
	slices.SortStableFunc(out, func(a, b contribution.Bearer) int { return a.Key - b.Key })
	return slices.CompactFunc(out, func(a, b contribution.Bearer) bool { return a.Key == b.Key && a.Seq == b.Seq }), nil
}

// WrittenBy lists what an organisation, or anybody, wrote under an id.
func (tx *Tx) WrittenBy(program exchange.ProgramID, org exchange.OrgID, id string) ([]contribution.Bearer, error) {
	seqs, err := tx.seqsOf(exchange.IDHash(id))
	if err != nil {
		return nil, fmt.Errorf("reading objects by id: %w", err)
	}
	hits := make([][2]int64, len(seqs))
	for i, seq := range seqs {
		hits[i] = [2]int64{0, seq}
	}
	bs, err := tx.bearers(tx.blocks(), program, []contribution.Key{{ID: id}}, hits)
	return slices.DeleteFunc(bs, func(b contribution.Bearer) bool { return !b.Journal || org != "" && b.Org != org }), err
}

// RemoveObjects marks objects as taken out, and forgets their ids.
func (tx *Tx) RemoveObjects(bs []contribution.Bearer) error {
	r := tx.blocks()
	ps := make([]news, len(bs))
	for i, b := range bs {
		h, err := r.find(b.Seq)
		if err != nil {
			return err
		}
		h.changed = h.Remove(b.Seq&positionMask) || h.changed
		ps[i] = news{exchange.IDHash(b.ID), b.Seq, b.Version}
	}
	if err := r.write(); err != nil {
		return err
	}
	if err := tx.unindex(newsText(ps)); err != nil {
		return fmt.Errorf("forgetting ids: %w", err)
	}
	return tx.forgone(ps)
}

// forgone notes the identifiers of objects that are taken out, by the hash of
// each, and that their artifacts hold references to what is not there.
func (tx *Tx) forgone(ps []news) error {
	once := map[[2]int64]bool{}
	for _, p := range ps {
		at := [2]int64{p.hash, p.seq >> positionBits}
		if once[at] {
			continue
		}
		once[at] = true
		if _, err := tx.Exec(`
			INSERT INTO object_gone (id_hash, program)
			SELECT CAST(?1 AS BIGINT), program FROM artifact WHERE number = ?2
			ON CONFLICT (id_hash, program) DO NOTHING`, at[0], at[1]); err != nil {
			return fmt.Errorf("noting what is taken out: %w", err)
		}
		if _, err := tx.Exec(`UPDATE artifact SET self_contained = 0 WHERE number = ?1 AND self_contained <> 0`, at[1]); err != nil {
			return fmt.Errorf("noting what is taken out: %w", err)
		}
	}
	return nil
}

const statusColumns = `id, program, org, requested_at, total, success, failure, details, spool, actor, done`

func scanStatus(s Scanner) (r contribution.Record, err error) {
	var id, program, org string
	var at int64
	err = s.Scan(&id, &program, &org, &at, &r.Total, &r.Success, &r.Failure, &r.Details, &r.Spool, &r.Actor, &r.Done)
	r.ID, r.Program, r.Org, r.Requested = contribution.StatusID(id), exchange.ProgramID(program), exchange.OrgID(org), instant(at)
	return r, err
}

// StatusRecord answers what became of a request.
func (tx *Tx) StatusRecord(id contribution.StatusID) (contribution.Record, error) {
	r, err := scanStatus(tx.QueryRow(`SELECT `+statusColumns+` FROM contribution_status WHERE id = ?1`, string(id)))
	return found(r, err, "reading a status")
}

// PutStatus stores what became of a request so far.
func (tx *Tx) PutStatus(r contribution.Record) error {
	_, err := tx.Exec(`
		INSERT INTO contribution_status (`+statusColumns+`)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
		ON CONFLICT (id) DO UPDATE SET total = excluded.total, success = excluded.success, failure = excluded.failure,
			details = excluded.details, spool = excluded.spool, actor = excluded.actor, done = excluded.done`,
		string(r.ID), string(r.Program), string(r.Org), micros(r.Requested), r.Total, r.Success, r.Failure, r.Details,
		r.Spool, r.Actor, r.Done)
	if err != nil {
		return fmt.Errorf("storing a status: %w", err)
	}
	return nil
}

// Waiting lists requests that are not worked off, oldest first.
func (tx *Tx) Waiting(limit int) ([]contribution.Record, error) {
	rs, err := Collect(tx, scanStatus, `
		SELECT `+statusColumns+` FROM contribution_status WHERE spool <> '' ORDER BY requested_at, id LIMIT ?1 + 0`, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("listing requests that wait: %w", err)
	}
	return rs, nil
}

// PurgeStatuses forgets requests that were worked off and made before.
func (tx *Tx) PurgeStatuses(before time.Time) (int64, error) {
	n, err := tx.Exec(`DELETE FROM contribution_status WHERE requested_at < ?1 AND spool = ''`, micros(before))
	if err != nil {
		return 0, fmt.Errorf("forgetting statuses: %w", err)
	}
	return n, nil
}
