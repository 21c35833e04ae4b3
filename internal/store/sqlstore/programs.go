package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/basis"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
)

var _ program.Tx = (*Tx)(nil)

const programColumns = `id, owner, charter, revision, created_at, updated_at`

// Program answers a program as it is kept.
func (tx *Tx) Program(id exchange.ProgramID) (program.Stored, error) {
	p, err := tx.scanProgram(tx.QueryRow(`SELECT `+programColumns+` FROM program WHERE id = ?1`, string(id)))
	return found(p, err, "reading a program")
}

// Programs lists all programs by id.
func (tx *Tx) Programs() ([]program.Stored, error) {
	all, err := Collect(tx, tx.scanProgram, `SELECT `+programColumns+` FROM program ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("listing programs: %w", err)
	}
	return all, nil
}

// PutProgram stores a new program, or a new charter of an old one. The owner
// and the day of its creation never change.
func (tx *Tx) PutProgram(p program.Stored) error {
	_, err := tx.Exec(`
		INSERT INTO program (id, owner, charter, revision, created_at, updated_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6)
		ON CONFLICT (id) DO UPDATE SET
			charter = excluded.charter, revision = excluded.revision, updated_at = excluded.updated_at`,
		string(p.ID), string(p.Owner), string(p.Charter.TOML()), p.Revision, micros(p.CreatedAt), micros(p.UpdatedAt))
	if err == nil { // every charter is kept: events say under which one they were
		_, err = tx.Exec(`
			INSERT INTO charter_version (program, revision, document, at) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (program, revision) DO NOTHING`, string(p.ID), p.Revision, string(p.Charter.TOML()), micros(tx.now))
	}
	if err != nil {
		return fmt.Errorf("storing a program: %w", err)
	}
	return nil
}

// Charter answers the charter in force. It is shared with other callers: they
// may not change what its slices and maps hold.
func (tx *Tx) Charter(id exchange.ProgramID) (exchange.Charter, error) {
	var text string
	err := tx.QueryRow(`SELECT charter FROM program WHERE id = ?1`, string(id)).Scan(&text)
	if text, err = found(text, err, "reading a charter"); err != nil {
		return exchange.Charter{}, err
	}
	return tx.memory.charters.parse(text)
}

// Edition answers which charter is in force.
func (tx *Tx) Edition(id exchange.ProgramID) (e exchange.Edition, err error) {
	var text string
	err = tx.QueryRow(`SELECT charter, revision FROM program WHERE id = ?1`, string(id)).Scan(&text, &e.Revision)
	if text, err = found(text, err, "reading a charter"); err != nil {
		return exchange.Edition{}, err
	}
	p, err := tx.memory.charters.read(text)
	e.Digest = p.digest
	return e, err
}

// under says in an event of a program under which charter it was, where that is not
// said: the one that is in force at its end.
func (tx *Tx) under(e *exchange.Event) error {
	if e.Program == "" || e.Detail["charter"] != nil {
		return nil
	}
	in, err := tx.Edition(e.Program)
	if exchange.KindOf(err) == exchange.NotFound {
		return nil
	}
	d := make(exchange.Detail, len(e.Detail)+2)
	maps.Copy(d, e.Detail)
	in.AddTo(d)
	e.Detail = d
	return err
}

// Charters lists the charters of all programs, by id.
func (tx *Tx) Charters() ([]exchange.Charter, error) {
	all, err := Collect(tx, func(s Scanner) (exchange.Charter, error) {
		var text string
		if err := s.Scan(&text); err != nil {
			return exchange.Charter{}, err
		}
		return tx.memory.charters.parse(text)
	}, `SELECT charter FROM program ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("listing charters: %w", err)
	}
	return all, nil
}

func (tx *Tx) scanProgram(s Scanner) (p program.Stored, err error) {
	var id, owner, text string
	var created, updated int64
	if err := s.Scan(&id, &owner, &text, &p.Revision, &created, &updated); err != nil {
		return program.Stored{}, err
	}
	p.ID, p.Owner = exchange.ProgramID(id), exchange.OrgID(owner)
	p.CreatedAt, p.UpdatedAt = instant(created), instant(updated)
	p.Charter, err = tx.memory.charters.parse(text)
	return p, err
}

// charterCache keeps parsed charters under their text: reading one costs many
// times more than fetching it, and every decision needs it. The text as key
// keeps a charter of a transaction that was rolled back from standing for
// another one.
type charterCache struct {
	mu     sync.RWMutex
	parsed map[string]parsedCharter
}

type parsedCharter struct {
	exchange.Charter
	digest string
}

// maxCharters bounds the cache; it is emptied when full.
const maxCharters = 256

func (c *charterCache) parse(text string) (exchange.Charter, error) {
	p, err := c.read(text)
	return p.Charter, err
}

func (c *charterCache) read(text string) (parsedCharter, error) {
	c.mu.RLock()
	charter, ok := c.parsed[text]
	c.mu.RUnlock()
	if ok {
		return charter, nil
	}
	parsed, err := exchange.ParseCharter([]byte(text))
	if err != nil {
		// Not the caller's fault: the kind of the error must not reach them.
		return parsedCharter{}, fmt.Errorf("reading a stored charter: %s", err.Error())
	}
	charter = parsedCharter{parsed, exchange.CharterDigest([]byte(text))}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parsed == nil || len(c.parsed) >= maxCharters {
		c.parsed = make(map[string]parsedCharter)
	}
	c.parsed[text] = charter
	return charter, nil
}

// found turns the absence of a row into the one answer to what does not exist.
func found[T any](v T, err error, doing string) (T, error) {
	var zero T
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return zero, exchange.Missing()
	case err != nil:
		return zero, fmt.Errorf("%s: %w", doing, err)
	}
	return v, nil
}

var _ basis.Tx = (*Tx)(nil)

const lineColumns = `line, basis, jurisdiction, instrument, line_says, valid_from, valid_to, known_from, entered_at,
	conditions, source, person`

// HasBasis reports whether the register has a line of the legal basis.
func (tx *Tx) HasBasis(id exchange.BasisID) (bool, error) {
	var n int64
	if err := tx.QueryRow(`SELECT COUNT(*) FROM legal_basis WHERE basis = ?1`, string(id)).Scan(&n); err != nil {
		return false, fmt.Errorf("looking for a legal basis: %w", err)
	}
	return n > 0, nil
}

// BasisLines lists the lines of a legal basis, or with the empty id of all, in
// the order of the register.
func (tx *Tx) BasisLines(id exchange.BasisID) ([]basis.Line, error) {
	all, err := Collect(tx, func(s Scanner) (l basis.Line, err error) {
		err = scanLine(s, &l)
		return l, err
	}, `SELECT `+strings.NewReplacer("line_says", "in_force", "line,", "number,").Replace(lineColumns)+`
		FROM legal_basis WHERE basis = ?1 OR ?1 = '' ORDER BY number`, string(id))
	if err != nil {
		return nil, fmt.Errorf("reading the register of legal bases: %w", err)
	}
	return all, nil
}

func scanLine(s Scanner, l *basis.Line, more ...any) error {
	var id, person string
	var force, from, to, known, entered int64
	err := s.Scan(append(more, &l.Number, &id, &l.Jurisdiction, &l.Instrument, &force, &from, &to, &known, &entered,
		&l.Conditions, &l.Source, &person)...)
	l.Basis, l.By, l.InForce = exchange.BasisID(id), exchange.PersonID(person), force != 0
	l.From, l.To, l.KnownFrom, l.EnteredAt = instant(from), instant(to), instant(known), instant(entered)
	return err
}

// AddBasisLine appends a line to the register.
func (tx *Tx) AddBasisLine(l basis.Line) (number int64, err error) {
	if number, err = tx.count("legal_basis", 1); err != nil {
		return 0, fmt.Errorf("numbering a line of the register: %w", err)
	}
	_, err = tx.Exec(`
		INSERT INTO legal_basis (number, basis, jurisdiction, instrument, in_force, valid_from, valid_to, known_from,
			entered_at, conditions, source, person)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)`,
		number, string(l.Basis), l.Jurisdiction, l.Instrument, flag(l.InForce), micros(l.From), micros(l.To),
		micros(l.KnownFrom), micros(l.EnteredAt), l.Conditions, l.Source, string(l.By))
	if err != nil {
		return 0, fmt.Errorf("adding to the register of legal bases: %w", err)
	}
	return number, nil
}

// KeepShare notes how a legal basis stood for a share.
func (tx *Tx) KeepShare(s basis.Share) error {
	l := s.Standing.Line
	_, err := tx.Exec(`
		INSERT INTO legal_share (artifact, event, basis, program, org, at, in_force, covered, entered, line,
			jurisdiction, instrument, line_says, valid_from, valid_to, known_from, entered_at, conditions, source, person)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)`,
		string(s.Artifact), s.Event, string(s.Standing.Basis), string(s.Program), string(s.Org), micros(s.Standing.At),
		flag(s.Standing.InForce), flag(s.Standing.Covers), s.Entered, l.Number, l.Jurisdiction, l.Instrument, flag(l.InForce),
		micros(l.From), micros(l.To), micros(l.KnownFrom), micros(l.EnteredAt), l.Conditions, l.Source, string(l.By))
	if err != nil {
		return fmt.Errorf("keeping the legal basis of a share: %w", err)
	}
	return nil
}

// Shares lists what was kept for shares after an event, by event and basis.
func (tx *Tx) Shares(f basis.Filter) ([]basis.Share, error) {
	of, args := `artifact = ?1`, []any{string(f.Artifact), f.After, int64(f.Limit)}
	if f.Artifact == "" {
		of, args = `program = ?1 AND org = ?4`, []any{string(f.Program), f.After, int64(f.Limit), string(f.Org)}
	}
	all, err := Collect(tx, func(s Scanner) (out basis.Share, err error) {
		var artifact, program, org string
		var at, force, covered int64
		err = scanLine(s, &out.Standing.Line, &out.Event, &artifact, &program, &org, &at, &force, &covered, &out.Entered)
		st := &out.Standing
		st.Basis, st.At, st.InForce, st.Covers = st.Line.Basis, instant(at), force != 0, covered != 0
		out.Artifact, out.Program, out.Org = exchange.ArtifactID(artifact), exchange.ProgramID(program), exchange.OrgID(org)
		if st.Line.Number == 0 {
			st.Line = basis.Line{}
		}
		return out, err
	}, `SELECT event, artifact, program, org, at, in_force, covered, entered, `+lineColumns+` FROM legal_share
		WHERE event IN (SELECT DISTINCT event FROM legal_share WHERE `+of+` AND event > ?2 ORDER BY event LIMIT ?3 + 0)
		ORDER BY event, basis`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the legal basis of shares: %w", err)
	}
	return all, nil
}
