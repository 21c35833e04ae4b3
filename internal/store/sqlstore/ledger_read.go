package sqlstore

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
)

const recordedColumns = `e.seq, e.at, e.kind, e.program, e.release, e.org, e.person, e.token, e.body, e.number,
	COALESCE((SELECT o.name FROM organisation o WHERE o.id = e.org), ''),
	COALESCE((SELECT t.name FROM token t WHERE t.id = e.token), (SELECT p.login FROM person p WHERE p.id = e.person), '')`

// Recorded answers one event with what opens it.
func (tx *Tx) Recorded(seq int64) (record.Recorded, error) {
	var r record.Recorded
	row := tx.QueryRow(`SELECT `+recordedColumns+`, e.salt, e.entry, e.covered, e.kept FROM event e WHERE e.seq = ?1`, seq)
	err := scanRecorded(row, &r, &r.Salt, &r.Leaf, &r.Covered, &r.Kept)
	return found(r, err, "reading an event")
}

// Stretch answers the events of a program in order, with what opens them.
func (tx *Tx) Stretch(program exchange.ProgramID, after int64, limit int) ([]record.Recorded, error) {
	all, err := Collect(tx, func(s Scanner) (r record.Recorded, err error) {
		return r, scanRecorded(s, &r, &r.Salt, &r.Leaf, &r.Covered, &r.Kept)
	}, `SELECT `+recordedColumns+`, e.salt, e.entry, e.covered, e.kept FROM event e
		WHERE e.program = ?1 AND e.seq > ?2 ORDER BY e.seq LIMIT ?3 + 0`, string(program), after, int64(limit))
	if err != nil {
		return nil, fmt.Errorf("reading the events of a program: %w", err)
	}
	return all, nil
}

func scanRecorded(s Scanner, r *record.Recorded, more ...any) error {
	var at int64
	var kind, id, release, org, person, token string
	err := s.Scan(append([]any{
		&r.Seq, &at, &kind, &id, &release, &org, &person, &token, &r.Body, &r.Number, &r.OrgName, &r.ActorName,
	}, more...)...)
	r.At, r.Kind, r.Program, r.Release = instant(at), exchange.EventKind(kind), exchange.ProgramID(id), exchange.ReleaseID(release)
	r.Org, r.Person, r.Token = exchange.OrgID(org), exchange.PersonID(person), exchange.TokenID(token)
	return err
}

// Page answers events, newest first, without what opens them. The rarest of what is
// asked for leads: its index is in the order of the numbers.
func (tx *Tx) Page(q record.EntryQuery) ([]record.Recorded, error) {
	text, where := entryQuery(q)
	all, err := Collect(tx, func(s Scanner) (r record.Recorded, err error) { return r, scanRecorded(s, &r) },
		`SELECT `+recordedColumns+` FROM `+text+where.text.String(), where.args...)
	if err != nil {
		return nil, fmt.Errorf("reading entries: %w", err)
	}
	return all, nil
}

func entryQuery(q record.EntryQuery) (from string, where *filter) {
	where = &filter{}
	lead, from := "e.seq", "event e"
	party := func(column string) string {
		owner := "0"
		if q.Owner {
			owner = "1"
		}
		return column + ".org = ? AND " + column + ".owner = " + owner
	}
	switch {
	case q.Subject != "":
		lead, from = "s.seq", "event_subject s CROSS JOIN event e"
		where.and("e.seq = s.seq AND s.subject = ?", q.Subject)
		if q.Party != "" {
			where.and("EXISTS (SELECT 1 FROM event_party p WHERE "+party("p")+" AND p.seq = s.seq)", string(q.Party))
		}
	case q.Party != "":
		lead, from = "p.seq", "event_party p CROSS JOIN event e"
		where.and("e.seq = p.seq AND "+party("p"), string(q.Party))
	}
	led := lead != "e.seq"
	// A condition on an expression is no reason for the engine to take its index.
	column := func(name string) string {
		if led {
			return "e." + name + " || ''"
		}
		led = true
		return "e." + name
	}
	if q.Release != "" {
		where.and(column("release")+" = ?", string(q.Release))
	}
	if q.Org != "" {
		where.and(column("org")+" = ?", string(q.Org))
	}
	if len(q.Kinds) > 0 {
		kinds(where, q.Kinds)
	}
	switch {
	case q.Outside:
		where.and(column("program") + " = ''")
	case q.Program != "":
		where.and(column("program")+" = ?", string(q.Program))
	}
	if q.Person != "" {
		where.and("e.person = ?", string(q.Person))
	}
	if !q.From.IsZero() {
		where.and("e.at >= ?", micros(q.From))
	}
	if !q.To.IsZero() {
		where.and("e.at < ?", micros(q.To))
	}
	if q.First > 0 {
		where.and(lead+" >= ?", q.First)
	}
	if q.Before > 0 {
		where.and(lead+" < ?", q.Before)
	}
	where.text.WriteString(" ORDER BY " + lead + " DESC")
	where.limit(q.Limit)
	return from, where
}

// kinds adds the kinds that are asked for: an index holds those that are rare.
func kinds(where *filter, ks []exchange.EventKind) {
	frequent := func(k exchange.EventKind) bool {
		return k == exchange.EventPageServed || k == exchange.EventObjectServed
	}
	if !slices.ContainsFunc(ks, frequent) {
		where.and("e.kind <> 'page.serve' AND e.kind <> 'object.serve'")
	}
	var all []any
	for _, k := range ks {
		all = append(all, string(k))
	}
	where.and("e.kind IN (?"+strings.Repeat(", ?", len(all)-1)+")", all...)
}

// Between answers the range of numbers of the events of a time.
func (tx *Tx) Between(from, to time.Time) (first, last int64, err error) {
	var where filter
	if !from.IsZero() {
		where.and("at >= ?", micros(from))
	}
	if !to.IsZero() {
		where.and("at < ?", micros(to))
	}
	err = tx.QueryRow(`SELECT COALESCE(MIN(seq), 0), COALESCE(MAX(seq), 0) FROM event`+where.text.String(), where.args...).Scan(&first, &last)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the events of a time: %w", err)
	}
	return first, last, nil
}

// Blank takes away an event, what opens its entry, and who acted.
func (tx *Tx) Blank(seq int64, kept []byte) error {
	_, err := tx.Exec(`
		UPDATE event SET body = ?2, salt = NULL, covered = NULL, kept = ?3, person = '', token = '' WHERE seq = ?1`, seq, []byte{}, kept)
	if err == nil {
		_, err = tx.Exec(`DELETE FROM event_subject WHERE seq = ?1`, seq)
	}
	if err != nil {
		return fmt.Errorf("erasing an opening: %w", err)
	}
	return nil
}

// ChartersOf answers the charters that a program had, the oldest first.
func (tx *Tx) ChartersOf(program exchange.ProgramID) ([]record.CharterVersion, error) {
	all, err := Collect(tx, func(s Scanner) (c record.CharterVersion, err error) {
		var at int64
		err = s.Scan(&c.Revision, &at, &c.Document)
		c.At = instant(at)
		return c, err
	}, `SELECT revision, at, document FROM charter_version WHERE program = ?1 ORDER BY revision`, string(program))
	if err != nil {
		return nil, fmt.Errorf("reading charters: %w", err)
	}
	return all, nil
}

// OwnersOf answers the owners of those of the artifacts that there are.
func (tx *Tx) OwnersOf(artifacts []string) (map[string][]exchange.OrgID, error) {
	type owned struct {
		id     string
		owners []exchange.OrgID
	}
	text, err := singles(artifacts)
	if err != nil {
		return nil, err
	}
	all, err := Collect(tx, func(s Scanner) (o owned, err error) {
		var by, owners string
		if err = s.Scan(&o.id, &by, &owners); err != nil {
			return o, err
		}
		a := exchange.Artifact{Originator: exchange.OrgID(by)}
		a.Originators, err = wordsOf[exchange.OrgID](owners)
		o.owners = a.Owners()
		return o, err
	}, `SELECT id, originator, originators FROM artifact WHERE id IN (SELECT value ->> 0 FROM `+tx.elements()+`)`, text)
	if err != nil {
		return nil, fmt.Errorf("reading whose artifacts are: %w", err)
	}
	out := make(map[string][]exchange.OrgID, len(all))
	for _, o := range all {
		out[o.id] = o.owners
	}
	return out, nil
}

// singles is a list of texts as elements() takes them.
func singles[T ~string](list []T) (string, error) {
	rows := make([][1]T, len(list))
	for i, v := range list {
		rows[i][0] = v
	}
	b, err := json.Marshal(rows)
	return string(b), err
}

// ownerCache keeps whose an artifact is, which never changes.
type ownerCache struct {
	mu sync.Mutex
	of map[string][]exchange.OrgID
}

const maxOwned = 20_000

// owners are the owners of the artifacts, each once.
func (tx *Tx) owners(artifacts []string) ([]exchange.OrgID, error) {
	c := &tx.memory.owned
	c.mu.Lock()
	defer c.mu.Unlock()
	var unknown []string
	for _, id := range artifacts {
		if _, ok := c.of[id]; !ok {
			unknown = append(unknown, id)
		}
	}
	var fresh map[string][]exchange.OrgID
	if len(unknown) > 0 {
		var err error
		if fresh, err = tx.OwnersOf(unknown); err != nil {
			return nil, err
		}
		if c.of == nil || len(c.of)+len(fresh) > maxOwned {
			c.of = map[string][]exchange.OrgID{}
		}
	}
	var out []exchange.OrgID
	for _, id := range artifacts {
		owners, ok := fresh[id]
		if !ok {
			owners = c.of[id]
		} else {
			c.of[id] = owners
		}
		for _, o := range owners {
			if !slices.Contains(out, o) {
				out = append(out, o)
			}
		}
	}
	return out, nil
}

// concern notes what an event touched, and who is a party to it beside the
// organisation in its column. The caller's own acts are noted for the answer.
func (tx *Tx) concern(e exchange.Event, seq int64, org exchange.OrgID) error {
	if acts := record.ActsOf(tx.ctx, e.Actor); acts != nil {
		tx.AfterCommit(func() { acts.Note(seq) })
	}
	if len(e.Subject) > 0 {
		text, err := singles(e.Subject)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`
			INSERT INTO event_subject (subject, seq) SELECT value ->> 0, CAST(?2 AS BIGINT) FROM `+tx.elements()+` WHERE TRUE
			ON CONFLICT (subject, seq) DO NOTHING`, text, seq)
		if err != nil {
			return err
		}
	}
	type party struct {
		org   exchange.OrgID
		owner int64
	}
	var parties []party
	if o := e.Actor.Org; o != "" && o != org {
		parties = append(parties, party{o, 0})
	}
	if len(e.Subject) > 0 && slices.Contains(record.Disclosures(), e.Kind) {
		owners, err := tx.owners(e.Subject)
		if err != nil {
			return err
		}
		for _, o := range owners {
			if o != org && o != e.Actor.Org {
				parties = append(parties, party{o, 1})
			}
		}
	}
	for _, p := range parties {
		_, err := tx.Exec(`INSERT INTO event_party (org, owner, seq) VALUES (?1, ?2, ?3)`, string(p.org), p.owner, seq)
		if err != nil {
			return err
		}
	}
	return nil
}
