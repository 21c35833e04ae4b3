package sqlstore

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/store/packed"
)

// An object's number is its artifact's, shifted, and its position in it.
const (
	positionBits = 24
	positionMask = 1<<positionBits - 1
)

// PutObjects stores objects of a staged artifact, by position, after those
// that were stored before. It answers the objects of ready artifacts of the
// program that bear the same id and version as one of them.
func (tx *Tx) PutObjects(program exchange.ProgramID, artifact int64, objs []submission.Object) ([]submission.Clash, error) {
	if len(objs) == 0 {
		return nil, nil
	}
	if objs[0].Position < 0 || objs[len(objs)-1].Position > positionMask {
		return nil, fmt.Errorf("storing objects: position %d does not fit", objs[len(objs)-1].Position)
	}
	es := make([]packed.Entry, len(objs))
	for i, o := range objs {
		es[i] = packed.Entry{
			Position: o.Position, Class: o.Class, Version: o.Version, Offset: o.Offset, Length: o.Length, Type: o.Type, ID: o.ID,
		}
	}
	clashes, err := tx.index(program, artifact, es)
	if err != nil {
		return nil, err
	}
	return clashes, tx.putBlocks(artifact, es)
}

// putBlocks stores entries, whole blocks of them and a rest.
func (tx *Tx) putBlocks(artifact int64, es []packed.Entry) error {
	for rest := es; len(rest) > 0; {
		part := rest[:min(len(rest), packed.Most)]
		rest = rest[len(part):]
		body, err := packed.Pack(part)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO object_block (seq, body) VALUES (?1, ?2)`, artifact<<positionBits|part[0].Position, body)
		if err != nil {
			return fmt.Errorf("storing objects: %w", err)
		}
		tx.changedBlock(artifact, part[0].Position)
	}
	return nil
}

// news is an object as the index knows it.
type news struct{ hash, seq, version int64 }

// news is the table of what newsText wrote.
func (tx *Tx) news() string {
	return `SELECT CAST(value ->> 0 AS BIGINT) AS id_hash, CAST(value ->> 1 AS BIGINT) AS seq, CAST(value ->> 2 AS BIGINT) AS version
		FROM ` + tx.elements()
}

func newsText(ps []news) string {
	b := make([]byte, 0, len(ps)*48+2)
	b = append(b, '[')
	for i, p := range ps {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '['), p.hash, 10)
		b = strconv.AppendInt(append(b, ','), p.seq, 10)
		b = strconv.AppendInt(append(b, ','), p.version, 10)
		b = append(b, ']')
	}
	return string(append(b, ']'))
}

// index makes the objects known by their ids. Where an id is known already, all
// objects that bear it are marked as contested.
func (tx *Tx) index(program exchange.ProgramID, artifact int64, es []packed.Entry) ([]submission.Clash, error) {
	ps := newsOf(artifact, es)
	known, err := tx.indexNew(ps)
	if err != nil || known == 0 {
		return nil, err
	}
	return tx.contest(program, artifact, es, ps)
}

func newsOf(artifact int64, es []packed.Entry) []news {
	ps := make([]news, len(es))
	for i := range es {
		ps[i] = news{exchange.IDHash(es[i].ID), artifact<<positionBits | es[i].Position, es[i].Version}
	}
	return ps
}

// indexNew indexes those whose ids are not known, and answers how many are.
// Where the numbers follow each other, as they do, the hashes alone go to the
// engine.
func (tx *Tx) indexNew(ps []news) (known int64, err error) {
	into, unless := `INSERT INTO object_index (id_hash, seq)`, ` WHERE TRUE ON CONFLICT (id_hash) DO NOTHING`
	if tx.embedded { // which keeps a copy of each page that DO NOTHING might have to undo
		into, unless = `INSERT OR IGNORE INTO object_index (id_hash, seq)`, ``
	}
	first := ps[0].seq
	stmt, args := into+`
		SELECT hash, CAST(?2 AS BIGINT) + n FROM (`+tx.numbered()+`) AS new`+unless, []any{hashesText(ps), first}
	for i := range ps {
		if ps[i].seq != first+int64(i) {
			stmt, args = into+` SELECT id_hash, seq FROM (`+tx.news()+`) AS new`+unless, []any{newsText(ps)}
			break
		}
	}
	n, err := tx.Exec(stmt, args...)
	if err != nil {
		return 0, fmt.Errorf("indexing objects: %w", err)
	}
	return int64(len(ps)) - n, nil
}

// numbered is the table of what hashesText wrote, numbered from 0.
func (tx *Tx) numbered() string {
	if tx.embedded {
		return `SELECT key AS n, value AS hash FROM json_each(?1)`
	}
	return `SELECT e.at - 1 AS n, CAST(e.value AS BIGINT) AS hash FROM json_array_elements_text(?1::JSON) WITH ORDINALITY AS e(value, at)`
}

func hashesText(ps []news) string {
	b := make([]byte, 0, len(ps)*21+2)
	b = append(b, '[')
	for i, p := range ps {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, p.hash, 10)
	}
	return string(append(b, ']'))
}

// contest takes up the new objects whose ids were known. What it costs grows
// with the new objects, not with how many versions of one there are.
func (tx *Tx) contest(program exchange.ProgramID, artifact int64, es []packed.Entry, ps []news) ([]submission.Clash, error) {
	// CROSS JOIN keeps SQLite to this order: the array is read once.
	text := newsText(ps)
	if _, err := tx.Exec(`
		INSERT INTO object_more (id_hash, version, seq)
		SELECT new.id_hash, new.version, new.seq FROM (`+tx.news()+`) AS new CROSS JOIN object_index AS i
		WHERE i.id_hash = new.id_hash AND i.seq <> new.seq ON CONFLICT (id_hash, version, seq) DO NOTHING`, text); err != nil {
		return nil, fmt.Errorf("indexing objects: %w", err)
	}
	// The object that was first to bear an id, for each that bears it too; then
	// those in between that are of the same version. The others are marked already.
	known, err := Collect(tx, func(s Scanner) (p [2]int64, err error) { return p, s.Scan(&p[0], &p[1]) }, `
		SELECT new.seq, i.seq FROM (`+tx.news()+`) AS new CROSS JOIN object_index AS i
		WHERE i.id_hash = new.id_hash AND i.seq <> new.seq
		UNION ALL
		SELECT new.seq, o.seq FROM (`+tx.news()+`) AS new CROSS JOIN object_more AS o
		WHERE o.id_hash = new.id_hash AND o.version = new.version AND o.seq < ?2
		UNION ALL
		SELECT new.seq, o.seq FROM (`+tx.news()+`) AS new CROSS JOIN object_more AS o
		WHERE o.id_hash = new.id_hash AND o.version = new.version AND o.seq > ?3
		ORDER BY 1, 2`, text, ps[0].seq, ps[len(ps)-1].seq)
	if err != nil {
		return nil, fmt.Errorf("looking for the same versions: %w", err)
	}
	c := contesting{r: tx.blocks(), program: program, artifact: artifact, es: es}
	for _, k := range known {
		if err := c.meet(k[0], k[1]); err != nil {
			return nil, err
		}
	}
	return c.clashes, c.r.write()
}

// contesting marks what shares an id, and finds what shares a version as well.
type contesting struct {
	r        *blocks
	program  exchange.ProgramID
	artifact int64
	es       []packed.Entry
	clashes  []submission.Clash
}

// own is the new object with the number, if it is one.
func (c *contesting) own(seq int64) *packed.Entry {
	if seq>>positionBits != c.artifact {
		return nil
	}
	i, ok := slices.BinarySearchFunc(c.es, seq&positionMask, func(e packed.Entry, p int64) int { return int(e.Position - p) })
	if !ok {
		return nil
	}
	return &c.es[i]
}

func (c *contesting) meet(seq, other int64) error {
	e := c.own(seq)
	e.Contested = true
	if o := c.own(other); o != nil {
		o.Contested = true
		return nil
	}
	if err := c.r.contest(other); err != nil {
		return err
	}
	old, err := c.r.entry(other)
	if err != nil {
		return err
	}
	if n := len(c.clashes); old.Removed || old.ID != e.ID || old.Version != e.Version || n > 0 && c.clashes[n-1].Position == e.Position {
		return nil // versions stored earlier are equal among themselves: one is enough
	}
	a, err := c.r.artifact(other >> positionBits)
	if err == nil && a.ready && a.program == c.program && other>>positionBits != c.artifact {
		c.clashes = append(c.clashes, submission.Clash{Position: e.Position, ID: old.ID, SHA256: a.sha256, Offset: old.Offset, Length: old.Length})
	}
	return err
}

// seqsOf lists the numbers of the objects whose id has the hash.
func (tx *Tx) seqsOf(hash int64) ([]int64, error) {
	return Collect(tx, scanInt, `
		SELECT seq FROM object_index WHERE id_hash = ?1
		UNION ALL SELECT seq FROM object_more WHERE id_hash = ?1 ORDER BY 1`, hash)
}

// NextClassID takes n numbers for handling classes and answers the first.
func (tx *Tx) NextClassID(n int) (int64, error) {
	last, err := tx.count("class", int64(n))
	if err != nil {
		return 0, fmt.Errorf("numbering handling classes: %w", err)
	}
	return last - int64(n) + 1, nil
}

// PutClasses stores the handling classes of an artifact.
func (tx *Tx) PutClasses(cs []exchange.HandlingClass) error {
	for _, c := range cs {
		text, err := termsText(c)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`
			INSERT INTO handling_class (id, artifact, tlp, held, markings, terms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`,
			c.ID, c.Artifact, int64(c.TLP), flag(c.Held), c.Markings, text)
		if err != nil {
			return fmt.Errorf("storing a handling class: %w", err)
		}
	}
	return nil
}

// Definitions finds objects of ready artifacts of the program by their ids.
func (tx *Tx) Definitions(program exchange.ProgramID, ids []string) ([]submission.Clash, error) {
	var all []submission.Clash
	r := tx.blocks()
	for _, id := range ids {
		seqs, err := tx.seqsOf(exchange.IDHash(id))
		if err != nil {
			return nil, fmt.Errorf("looking for marking definitions: %w", err)
		}
		for _, seq := range seqs {
			a, err := r.artifact(seq >> positionBits)
			if err != nil {
				return nil, err
			}
			e, err := r.entry(seq)
			if err != nil {
				return nil, err
			}
			if a.ready && a.program == program && e.ID == id && !e.Removed {
				all = append(all, submission.Clash{ID: id, SHA256: a.sha256, Offset: e.Offset, Length: e.Length})
			}
		}
	}
	return all, nil
}

// dropObjects removes at most limit objects of a staged artifact, and reports
// whether none is left.
func (tx *Tx) dropObjects(artifact int64, limit int) (bool, error) {
	type row struct {
		seq  int64
		body []byte
	}
	rows, err := Collect(tx, func(s Scanner) (r row, err error) { return r, s.Scan(&r.seq, &r.body) }, `
		SELECT seq, body FROM object_block WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3 + 0`,
		artifact<<positionBits, artifact<<positionBits|positionMask, int64(max(1, limit/packed.Most)))
	if err != nil {
		return false, fmt.Errorf("dropping staged objects: %w", err)
	}
	for _, r := range rows {
		b, err := packed.Open(r.body)
		if err != nil {
			return false, err
		}
		ps := make([]news, b.Len())
		for i := range ps {
			ps[i] = news{exchange.IDHash(b.ID(i)), artifact<<positionBits | b.Position(i), b.Entry(i).Version}
		}
		if err := tx.unindex(newsText(ps)); err != nil {
			return false, fmt.Errorf("dropping staged objects: %w", err)
		}
		if _, err := tx.Exec(`DELETE FROM object_block WHERE seq = ?1`, r.seq); err != nil {
			return false, fmt.Errorf("dropping staged objects: %w", err)
		}
	}
	return len(rows) < max(1, limit/packed.Most), nil
}

// unindex forgets objects by their ids. Where others bear the same id, one of
// them takes the place in object_index: what comes later is looked up there.
func (tx *Tx) unindex(text string) error {
	for _, stmt := range []string{
		`DELETE FROM object_index WHERE (id_hash, seq) IN (SELECT id_hash, seq FROM (` + tx.news() + `) AS gone)`,
		`DELETE FROM object_more WHERE (id_hash, version, seq) IN (SELECT id_hash, version, seq FROM (` + tx.news() + `) AS gone)`,
		`INSERT INTO object_index (id_hash, seq)
			SELECT o.id_hash, MIN(o.seq) FROM object_more AS o
			WHERE o.id_hash IN (SELECT id_hash FROM (` + tx.news() + `) AS gone)
			GROUP BY o.id_hash ON CONFLICT (id_hash) DO NOTHING`,
		`DELETE FROM object_more WHERE (id_hash, seq) IN (
			SELECT i.id_hash, i.seq FROM (` + tx.news() + `) AS gone CROSS JOIN object_index AS i WHERE i.id_hash = gone.id_hash)`,
	} {
		if _, err := tx.Exec(stmt, text); err != nil {
			return err
		}
	}
	return nil
}
