package sqlstore

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/verify"
)

var _ record.Tx = (*Tx)(nil)

// memory is what a DB keeps between transactions of what the store holds, so
// that hot paths need no statement.
type memory struct {
	generation generation
	arrivals   generation // by the counter named contribution
	charters   charterCache
	owned      ownerCache
	watcher    Watcher // nil: nobody
}

// Record writes the event under the next number. Numbers are given in commit
// order and without gaps: the counter row is locked until the transaction
// ends, and a transaction that fails gives its number back.
//
// An event without a time gets the transaction's. Its organisation column is
// the one concerned, else the actor's.
func (tx *Tx) Record(e exchange.Event) (int64, error) {
	if e.At.IsZero() {
		e.At = tx.now
	}
	org := e.Org
	if org == "" {
		org = e.Actor.Org
	}
	seq, number, err := tx.countEvent(e.Program)
	if err != nil {
		return 0, fmt.Errorf("numbering an event: %w", err)
	}
	e.Number = number
	if err = tx.under(&e); err != nil {
		return 0, fmt.Errorf("recording %s: %w", e.Kind, err)
	}
	if err := tx.concern(e, seq, org); err != nil {
		return 0, fmt.Errorf("recording whom %s concerns: %w", e.Kind, err)
	}
	body := e.Canonical()
	salt, entry, err := seal(body)
	if err != nil {
		return 0, fmt.Errorf("recording %s: %w", e.Kind, err)
	}
	_, err = tx.Exec(`
		INSERT INTO event (seq, at, kind, program, release, org, person, token, body, number, salt, entry, covered)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)`,
		seq, micros(e.At), string(e.Kind), string(e.Program), string(e.Release), string(org),
		string(e.Actor.Person), string(e.Actor.Token), body, e.Number, salt, entry, e.Covered)
	if err != nil {
		return 0, fmt.Errorf("recording %s: %w", e.Kind, err)
	}
	tx.entries, tx.last = append(tx.entries, entry), seq
	return seq, nil
}

// seal draws the salt of an event, and makes its entry in the ledger.
func seal(body []byte) (salt, entry []byte, err error) {
	var s [verify.SaltSize]byte
	rand.Read(s[:])
	entry, err = verify.Entry(body, s)
	return s[:], entry, err
}

// countOf numbers an event from before the ledger in its program.
func (tx *Tx) countOf(program exchange.ProgramID) (n int64, err error) {
	err = tx.QueryRow(`
		INSERT INTO counter (name, n) VALUES (?1, 1)
		ON CONFLICT (name) DO UPDATE SET n = counter.n + 1 RETURNING n`, numbered+string(program)).Scan(&n)
	return n, err
}

// numbered and a program name the counter of its events.
const numbered = "events of "

// countEvent numbers an event among all, and among those of its program: 0 outside
// programs.
func (tx *Tx) countEvent(program exchange.ProgramID) (seq, number int64, err error) {
	if program == "" {
		seq, err = tx.count("event", 1)
		return seq, 0, err
	}
	if !tx.writable {
		return 0, 0, ErrReadOnly
	}
	counted, err := Collect(tx, func(s Scanner) (c counted, err error) { return c, s.Scan(&c.name, &c.n) }, `
		UPDATE counter SET n = n + 1 WHERE name IN ('event', ?1) RETURNING name, n`, numbered+string(program))
	if err != nil {
		return 0, 0, err
	}
	for _, c := range counted {
		if c.name == "event" {
			seq = c.n
		} else {
			number = c.n
		}
	}
	if number == 0 { // the first one of the program
		number = 1
		_, err = tx.Exec(`INSERT INTO counter (name, n) VALUES (?1, 1)`, numbered+string(program))
	}
	return seq, number, err
}

type counted struct {
	name string
	n    int64
}

// count adds by to a counter and answers its new value.
func (tx *Tx) count(name string, by int64) (n int64, err error) {
	if !tx.writable {
		return 0, ErrReadOnly
	}
	err = tx.QueryRow(`UPDATE counter SET n = n + ?2 WHERE name = ?1 RETURNING n`, name, by).Scan(&n)
	return n, err
}

// BumpGeneration says that this transaction changes who may do or see what:
// once it is durable, credentials and verdicts that were taken before it no
// longer hold, in this process at once and in others within half a second.
func (tx *Tx) BumpGeneration() error {
	n, err := tx.count("generation", 1)
	if err != nil {
		return fmt.Errorf("ending a generation of verdicts: %w", err)
	}
	tx.AfterCommit(func() {
		// What lies between was done by another process.
		if known := tx.memory.generation.value.Load(); !tx.embedded && known > 0 && n > known+1 {
			tx.memory.elsewhere()
		}
		tx.memory.generation.raise(n)
	})
	return nil
}

// elsewhere says that another process has changed what is remembered.
func (m *memory) elsewhere() {
	if m.watcher != nil {
		m.watcher.ChangedElsewhere()
	}
}

// generationAge is for how long the generation is believed without a look at
// the store, where another process may have changed it.
const generationAge = 500 * time.Millisecond

// generation is the newest value of the counter that this process knows.
type generation struct {
	value  atomic.Int64
	opened time.Time    // by the monotonic clock: changes of the wall clock make nothing older
	until  atomic.Int64 // believed until then, in nanoseconds since opened
	look   sync.Mutex   // one goroutine at a time looks
}

func (g *generation) raise(n int64) {
	for {
		old := g.value.Load()
		if n <= old || g.value.CompareAndSwap(old, n) {
			return
		}
	}
}

func (g *generation) believed() bool { return int64(time.Since(g.opened)) < g.until.Load() }

// Generation is a number that grows whenever what was decided before may no
// longer hold: a cache may answer while the number at which it was filled is
// still current. Changes made through this DB show at once, those of other
// processes after at most half a second; most calls cost no statement.
//
// To fill a cache, ask for the generation first and read the facts after it.
func (db *DB) Generation(ctx context.Context) (int64, error) {
	return db.counted(ctx, &db.memory.generation, "generation")
}

// Arrivals is a number that grows, in the way of Generation, with everything
// that members write: feeds then hold more than before, and all that was
// decided still holds.
func (db *DB) Arrivals(ctx context.Context) (int64, error) {
	return db.counted(ctx, &db.memory.arrivals, "contribution")
}

func (db *DB) counted(ctx context.Context, g *generation, name string) (int64, error) {
	if g.believed() {
		return g.value.Load(), nil
	}
	g.look.Lock()
	defer g.look.Unlock()
	if g.believed() {
		return g.value.Load(), nil
	}
	asked := time.Since(g.opened)
	var n int64
	err := db.View(ctx, func(tx *Tx) error {
		return tx.QueryRow(`SELECT n FROM counter WHERE name = ?1`, name).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("reading the counter %s: %w", name, err)
	}
	if known := g.value.Load(); !db.handles.Dialect.Embedded() && known > 0 && n > known {
		db.memory.elsewhere()
	}
	g.raise(n)
	g.until.Store(int64(asked + generationAge))
	return g.value.Load(), nil
}

// micros is an instant as it is kept; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant is what micros kept.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// filter collects the conditions of a statement and their values. Conditions
// that are not asked for are left out of the text, so that an index serves
// those that are.
type filter struct {
	text strings.Builder
	args []any
}

// and adds a condition; each ? in it stands for the next value.
func (f *filter) and(condition string, values ...any) {
	if len(f.args) == 0 && f.text.Len() == 0 {
		f.text.WriteString(" WHERE ")
	} else {
		f.text.WriteString(" AND ")
	}
	for _, v := range values {
		f.args = append(f.args, v)
		condition = strings.Replace(condition, "?", "\x00"+strconv.Itoa(len(f.args)), 1)
	}
	f.text.WriteString(strings.ReplaceAll(condition, "\x00", "?"))
}

// limit ends the statement with at most n rows, when n is more than 0.
func (f *filter) limit(n int) {
	if n > 0 {
		f.args = append(f.args, int64(n))
		f.text.WriteString(" LIMIT ?" + strconv.Itoa(len(f.args)))
	}
}

// Events answers events in commit order.
func (tx *Tx) Events(f record.EventFilter) ([]record.Entry, error) {
	var where filter
	where.and("seq > ?", f.After)
	if f.Program != "" {
		where.and("program = ?", string(f.Program))
	}
	if f.Release != "" {
		where.and("release = ?", string(f.Release))
	}
	if len(f.Kinds) > 0 {
		var kinds []any
		for _, k := range f.Kinds {
			kinds = append(kinds, string(k))
		}
		where.and("kind IN (?"+strings.Repeat(", ?", len(kinds)-1)+")", kinds...)
	}
	if f.Org != "" {
		where.and("org = ?", string(f.Org))
	}
	where.text.WriteString(" ORDER BY seq")
	where.limit(f.Limit)
	all, err := Collect(tx, scanEntry, `
		SELECT seq, at, kind, program, release, org, person, token, body FROM event`+where.text.String(), where.args...)
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return all, nil
}

func scanEntry(s Scanner) (e record.Entry, err error) {
	var at int64
	var kind, id, release, org, person, token string
	err = s.Scan(&e.Seq, &at, &kind, &id, &release, &org, &person, &token, &e.Body)
	e.At, e.Kind, e.Program, e.Release = instant(at), exchange.EventKind(kind), exchange.ProgramID(id), exchange.ReleaseID(release)
	e.Org, e.Person, e.Token = exchange.OrgID(org), exchange.PersonID(person), exchange.TokenID(token)
	return e, err
}

// Exposures answers who had which artifact when, by time, artifact number,
// organisation, client and kind.
func (tx *Tx) Exposures(f record.ExposureFilter) ([]exchange.Exposure, error) {
	var where filter
	if f.Release != "" {
		where.and("e.release = ?", string(f.Release))
	}
	if f.Artifact != "" {
		where.and("e.artifact = (SELECT number FROM artifact WHERE id = ?)", string(f.Artifact))
	}
	if f.Org != "" {
		where.and("e.org = ?", string(f.Org))
	}
	if f.Kind != "" {
		where.and("e.kind = ?", string(f.Kind))
	}
	if !f.Until.IsZero() {
		where.and("e.at <= ?", micros(f.Until))
	}
	if a := f.After; !a.At.IsZero() {
		where.and("(e.at, e.artifact, e.org, e.client, e.kind) > (?, ?, ?, ?, ?)",
			micros(a.At), a.Number, string(a.Org), a.Client, string(a.Kind))
	}
	where.text.WriteString(" ORDER BY e.at, e.artifact, e.org, e.client, e.kind")
	where.limit(f.Limit)
	all, err := Collect(tx, scanExposure, `
		SELECT a.id, e.artifact, e.release, e.org, e.client, e.kind, e.channel, e.at, e.event
		FROM exposure e JOIN artifact a ON a.number = e.artifact`+where.text.String(), where.args...)
	if err != nil {
		return nil, fmt.Errorf("reading exposures: %w", err)
	}
	return all, nil
}

func scanExposure(s Scanner) (e exchange.Exposure, err error) {
	var artifact, release, org, kind, channel string
	var at int64
	err = s.Scan(&artifact, &e.Number, &release, &org, &e.Client, &kind, &channel, &at, &e.Event)
	e.Artifact, e.Release, e.Org = exchange.ArtifactID(artifact), exchange.ReleaseID(release), exchange.OrgID(org)
	e.Kind, e.Channel, e.At = exchange.ExposureKind(kind), exchange.Channel(channel), instant(at)
	return e, err
}

// Expose notes how near artifacts came to readers. Of one artifact, client and
// kind the first line stays. Number, not Artifact, says which artifact it is.
func (tx *Tx) Expose(es []exchange.Exposure) error {
	if len(es) == 0 {
		return nil
	}
	rows := make([][8]any, len(es))
	for i, e := range es {
		rows[i] = [8]any{e.Number, e.Org, e.Client, e.Kind, e.Release, e.Channel, micros(e.At), e.Event}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("noting exposure: %w", err)
	}
	_, err = tx.Exec(`
		INSERT INTO exposure (artifact, org, client, kind, release, channel, at, event)
		SELECT CAST(value ->> 0 AS BIGINT), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
			CAST(value ->> 6 AS BIGINT), CAST(value ->> 7 AS BIGINT)
		FROM `+tx.elements()+` WHERE TRUE
		ON CONFLICT (artifact, org, client, kind) DO NOTHING`, string(text))
	if err != nil {
		return fmt.Errorf("noting exposure: %w", err)
	}
	return nil
}

// elements is the table of the elements of ?1, a JSON array. Many rows go to
// the engine that way: binding a parameter for each value costs more than all
// the rest.
func (tx *Tx) elements() string {
	if tx.embedded {
		return `json_each(?1)`
	}
	return `json_array_elements(?1::JSON)`
}
