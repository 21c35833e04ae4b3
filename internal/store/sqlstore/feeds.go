package sqlstore

import (
	"fmt"
	"math"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/store/packed"
)

// feedOf answers the feed of an audience, or of one organisation.
func (tx *Tx) feedOf(program exchange.ProgramID, audience string, org exchange.OrgID) (id int64, ok bool, err error) {
	ids, err := Collect(tx, scanInt, `
		SELECT id FROM feed WHERE program = ?1 AND audience = ?2 AND org = ?3`, string(program), audience, string(org))
	if err != nil || len(ids) == 0 {
		return 0, false, err
	}
	return ids[0], true, nil
}

func scanInt(s Scanner) (n int64, err error) { return n, s.Scan(&n) }

// makeFeed answers the feed, and begins it where there is none: an audience
// has one from its first member on, holding all it was given before.
func (tx *Tx) makeFeed(program exchange.ProgramID, a exchange.Audience) (int64, error) {
	id, ok, err := tx.feedOf(program, a.String(), "")
	if err != nil || ok {
		return id, err
	}
	if id, err = tx.newFeed(program, a.String(), ""); err != nil {
		return 0, err
	}
	given, err := Collect(tx, scanInt, `
		SELECT o.artifact FROM opening o JOIN release r ON r.id = o.release
		WHERE r.program = ?1 AND o.audience = ?2 ORDER BY o.opened_at, o.artifact`, string(program), a.String())
	if err != nil {
		return 0, fmt.Errorf("beginning a feed: %w", err)
	}
	return id, tx.appendFeed(program, id, given)
}

func (tx *Tx) newFeed(program exchange.ProgramID, audience string, org exchange.OrgID) (int64, error) {
	id, err := tx.count("feed", 1)
	if err != nil {
		return 0, err
	}
	if _, err = tx.Exec(`
		INSERT INTO feed (id, program, audience, org) VALUES (?1, ?2, ?3, ?4)`, id, string(program), audience, string(org)); err != nil {
		return 0, fmt.Errorf("beginning a feed: %w", err)
	}
	return id, nil
}

// clock answers the last date_added that the program gave.
func (tx *Tx) clock(program exchange.ProgramID) (int64, error) {
	at, err := Collect(tx, scanInt, `SELECT added FROM program_clock WHERE program = ?1`, string(program))
	if err != nil || len(at) == 0 {
		return 0, err
	}
	return at[0], nil
}

// dates reserves n values of date_added, unique in the program and after every
// one given before: the first, and the step between them. A handful of objects
// gets whole milliseconds, because some clients cut their cursor to those; the
// last may lie at most a second ahead of the clock for it.
func (tx *Tx) dates(program exchange.ProgramID, n int64) (first, step int64, err error) {
	last, err := tx.clock(program)
	if err != nil {
		return 0, 0, err
	}
	const milli, second = 1000, 1_000_000
	first, step = max(micros(tx.Now()), last+1), 1
	if whole := (first + milli - 1) / milli * milli; whole+n*milli <= micros(tx.Now())+second {
		first, step = whole, milli
	}
	_, err = tx.Exec(`
		INSERT INTO program_clock (program, added) VALUES (?1, ?2)
		ON CONFLICT (program) DO UPDATE SET added = excluded.added`, string(program), first+(n-1)*step)
	if err != nil {
		return 0, 0, fmt.Errorf("taking dates: %w", err)
	}
	return first, step, nil
}

// appendFeed appends the artifacts to a feed, one run each: what that costs
// does not depend on how many objects they hold.
func (tx *Tx) appendFeed(program exchange.ProgramID, feed int64, numbers []int64) error {
	for _, artifact := range numbers {
		n, err := tx.blocks().positions(artifact)
		if err != nil {
			return fmt.Errorf("appending to a feed: %w", err)
		}
		if n == 0 {
			continue // a document: it is not part of the collection
		}
		base, step, err := tx.dates(program, n)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`
			INSERT INTO feed_run (feed, base, step, n, artifact, first) VALUES (?1, ?2, ?3, ?4, ?5, 0)`, feed, base, step, n, artifact)
		if err != nil {
			return fmt.Errorf("appending to a feed: %w", err)
		}
	}
	return nil
}

// Resubscribe ends the organisation's present period and begins the next, in
// which it reads the feed of its new audience; see membership.Members and
// delivery.Span. Who is in no cohort reads the feed of the zero audience, in
// which nothing ever stands.
func (tx *Tx) Resubscribe(program exchange.ProgramID, org exchange.OrgID, to exchange.Audience) error {
	before, err := tx.Subscriptions(program, org)
	if err != nil {
		return err
	}
	feed := int64(0)
	if to.Cohort != "" || len(before) > 0 {
		if feed, err = tx.makeFeed(program, to); err != nil {
			return err
		}
	}
	if len(before) == 0 {
		if feed == 0 {
			return nil
		}
		return tx.subscribe(program, org, feed, 0) // all that the audience was given so far
	}
	var from exchange.Audience
	for _, p := range before {
		if p.EndedAt.IsZero() && !p.Own {
			from = p.Audience
		}
	}
	now, err := tx.clock(program)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		UPDATE subscription SET to_added = ?3, ended_at = ?4 WHERE program = ?1 AND org = ?2 AND to_added = ?5`,
		string(program), string(org), now, micros(tx.Now()), int64(math.MaxInt64))
	if err != nil {
		return fmt.Errorf("ending a subscription: %w", err)
	}
	if err := tx.catchUp(program, org, from, to); err != nil {
		return err
	}
	if now, err = tx.clock(program); err != nil {
		return err
	}
	return tx.subscribe(program, org, feed, now)
}

func (tx *Tx) subscribe(program exchange.ProgramID, org exchange.OrgID, feed, from int64) error {
	_, err := tx.Exec(`
		INSERT INTO subscription (program, org, feed, from_added, to_added, ended_at) VALUES (?1, ?2, ?3, ?4, ?5, 0)
		ON CONFLICT (program, org, feed, from_added) DO UPDATE SET to_added = excluded.to_added, ended_at = 0`,
		string(program), string(org), feed, from, int64(math.MaxInt64))
	if err != nil {
		return fmt.Errorf("beginning a subscription: %w", err)
	}
	return nil
}

// catchUp brings into the organisation's view what its new audience was given
// and the one it comes from was not: through a feed of its own, dated now, so
// that a client that polls on from its cursor receives it. What both were given
// stays in the view without a break, under its old date. What the organisation
// saw in an earlier period but not in the last enters its view again.
func (tx *Tx) catchUp(program exchange.ProgramID, org exchange.OrgID, from, to exchange.Audience) error {
	missing, err := Collect(tx, scanInt, `
		SELECT o.artifact FROM opening o JOIN release r ON r.id = o.release
		WHERE r.program = ?1 AND o.audience = ?2
			AND NOT EXISTS (SELECT 1 FROM opening g WHERE g.artifact = o.artifact AND g.audience = ?3)
		ORDER BY o.opened_at, o.artifact`, string(program), to.String(), from.String())
	if err != nil {
		return fmt.Errorf("finding what to catch up: %w", err)
	}
	if len(missing) == 0 {
		return nil
	}
	feed, err := tx.ownFeed(program, org)
	if err != nil {
		return err
	}
	return tx.appendFeed(program, feed, missing)
}

// ownFeed is the organisation's own feed, from which it reads from now on.
func (tx *Tx) ownFeed(program exchange.ProgramID, org exchange.OrgID) (int64, error) {
	const own = ""
	feed, ok, err := tx.feedOf(program, own, org)
	if err != nil {
		return 0, err
	}
	if !ok {
		if feed, err = tx.newFeed(program, own, org); err != nil {
			return 0, err
		}
	}
	open, err := Collect(tx, scanInt, `
		SELECT feed FROM subscription WHERE program = ?1 AND org = ?2 AND feed = ?3 AND to_added = ?4`,
		string(program), string(org), feed, int64(math.MaxInt64))
	if err != nil || len(open) > 0 {
		return feed, err
	}
	now, err := tx.clock(program)
	if err != nil {
		return 0, err
	}
	return feed, tx.subscribe(program, org, feed, now)
}

// GiveTo gives artifacts to one organisation, whatever its audience was given:
// they enter its view through its own feed, dated now. until: when it ends to be
// given them; zero: never. What it was given so before only gets the new end.
func (tx *Tx) GiveTo(program exchange.ProgramID, org exchange.OrgID, artifacts []int64, until time.Time) error {
	feed, err := tx.ownFeed(program, org)
	if err != nil {
		return err
	}
	for _, a := range artifacts {
		at, _, err := tx.OpenedToOrg(a, org)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`
			INSERT INTO org_opening (artifact, org, opened_at, until_at) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (artifact, org) DO UPDATE SET until_at = excluded.until_at`, a, string(org), micros(tx.Now()), micros(until))
		if err != nil {
			return fmt.Errorf("giving to one organisation: %w", err)
		}
		if at.IsZero() {
			if err := tx.appendFeed(program, feed, []int64{a}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Subscriptions lists what stretches of which feeds the organisation reads, by
// period: those that ended first come first.
func (tx *Tx) Subscriptions(program exchange.ProgramID, org exchange.OrgID) ([]delivery.Span, error) {
	ss, err := Collect(tx, scanSpan, `
		SELECT s.feed, s.from_added, s.to_added, s.ended_at, f.audience, f.org
		FROM subscription s JOIN feed f ON f.id = s.feed
		WHERE s.program = ?1 AND s.org = ?2
		ORDER BY CASE WHEN s.ended_at = 0 THEN 1 ELSE 0 END, s.ended_at, s.from_added, s.feed`, string(program), string(org))
	if err != nil {
		return nil, fmt.Errorf("listing subscriptions: %w", err)
	}
	return ss, nil
}

func scanSpan(s Scanner) (p delivery.Span, err error) {
	var ended int64
	var audience, org string
	if err = s.Scan(&p.Feed, &p.From, &p.To, &ended, &audience, &org); err != nil {
		return p, err
	}
	p.EndedAt, p.Own = instant(ended), org != ""
	if audience != "" {
		p.Audience, err = exchange.ParseAudience(audience)
	}
	return p, err
}

// RunsOf lists a feed's runs after an instant, in order.
func (tx *Tx) RunsOf(feed, after int64) ([]delivery.Run, error) {
	rs, err := Collect(tx, scanRun, `
		SELECT base, step, n, artifact, first FROM feed_run WHERE feed = ?1 AND base > ?2 ORDER BY base`, feed, after)
	if err != nil {
		return nil, fmt.Errorf("reading a feed: %w", err)
	}
	return rs, nil
}

func scanRun(s Scanner) (r delivery.Run, err error) {
	return r, s.Scan(&r.Base, &r.Step, &r.N, &r.Artifact, &r.First)
}

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

// blocks reads blocks of objects in one transaction, and keeps the last ones.
type blocks struct {
	tx        *Tx
	open      map[blockKey]*held
	last      *held // found last, the block of lastOf
	lastOf    int64
	artifacts map[int64]artifactFacts
}

type blockKey struct{ artifact, first int64 }

type held struct {
	*packed.Block
	changed bool
}

type artifactFacts struct {
	program    exchange.ProgramID
	sha256     string
	originator exchange.OrgID
	journal    bool
	tombstone  bool
	ready      bool // and not taken out
}

func (tx *Tx) blocks() *blocks {
	return &blocks{tx: tx, open: map[blockKey]*held{}, artifacts: map[int64]artifactFacts{}}
}

const keptBlocks = 256

// walk calls fn for each object of the artifact from one position to another,
// in order, until fn answers false. About as many as expected are read at once.
func (r *blocks) walk(artifact, from, to int64, expected int, fn func(b *packed.Block, i int) bool) error {
	type row struct {
		first int64
		body  []byte
	}
	n := min(1+(expected+packed.Most-1)/packed.Most, 32)
	for from <= to {
		rows, err := Collect(r.tx, func(s Scanner) (o row, err error) { return o, s.Scan(&o.first, &o.body) }, `
			SELECT seq, body FROM object_block
			WHERE seq <= ?3 AND seq >= COALESCE((
				SELECT MAX(seq) FROM object_block WHERE seq >= ?1 AND seq <= ?2), ?1)
			ORDER BY seq LIMIT ?4 + 0`,
			artifact<<positionBits, artifact<<positionBits|from, artifact<<positionBits|min(to, positionMask), int64(n))
		if err != nil {
			return err
		}
		for _, o := range rows {
			b, err := r.hold(artifact, o.first&positionMask, o.body)
			if err != nil {
				return err
			}
			for i := b.Find(from); i < b.Len(); i++ {
				if b.Position(i) > to || !fn(b.Block, i) {
					return nil
				}
			}
			from = max(from, b.Position(b.Len()-1)+1)
		}
		if len(rows) < n {
			return nil
		}
	}
	return nil
}

// at is the block that holds the position, if one does.
func (r *blocks) at(artifact, position int64) (*held, error) {
	var first int64
	var body []byte
	some, err := Collect(r.tx, func(s Scanner) (struct{}, error) { return struct{}{}, s.Scan(&first, &body) }, `
		SELECT seq, body FROM object_block WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1`,
		artifact<<positionBits, artifact<<positionBits|position)
	if err != nil || len(some) == 0 {
		return nil, err
	}
	return r.hold(artifact, first&positionMask, body)
}

func (r *blocks) hold(artifact, first int64, body []byte) (*held, error) {
	key := blockKey{artifact, first}
	if b := r.open[key]; b != nil {
		return b, nil
	}
	p, err := packed.Open(body)
	if err != nil {
		return nil, err
	}
	if len(r.open) >= keptBlocks {
		if err := r.write(); err != nil {
			return nil, err
		}
		clear(r.open)
		r.last = nil
	}
	b := &held{Block: p}
	r.open[key] = b
	return b, nil
}

// find is the kept block that holds the object, or the one from the store.
func (r *blocks) find(seq int64) (*held, error) {
	artifact, position := seq>>positionBits, seq&positionMask
	if r.last != nil && r.lastOf == artifact && r.last.Position(0) <= position && r.last.Position(r.last.Len()-1) >= position {
		return r.last, nil
	}
	for key, b := range r.open {
		if key.artifact == artifact && key.first <= position && b.Position(b.Len()-1) >= position {
			r.last, r.lastOf = b, artifact
			return b, nil
		}
	}
	b, err := r.at(artifact, position)
	r.last, r.lastOf = b, artifact
	if err == nil && b == nil {
		err = fmt.Errorf("object %d of artifact %d is not there", position, artifact)
	}
	return b, err
}

func (r *blocks) entry(seq int64) (packed.Entry, error) {
	b, err := r.find(seq)
	if err != nil {
		return packed.Entry{}, err
	}
	i := b.Find(seq & positionMask)
	if i == b.Len() || b.Position(i) != seq&positionMask {
		return packed.Entry{}, fmt.Errorf("object %d of artifact %d is not there", seq&positionMask, seq>>positionBits)
	}
	e := b.Entry(i)
	e.ID = b.ID(i)
	return e, nil
}

// contest marks an object as contested; write stores it.
func (r *blocks) contest(seq int64) error {
	b, err := r.find(seq)
	if err != nil {
		return err
	}
	b.changed = b.Contest(seq&positionMask) || b.changed
	return nil
}

// write stores the blocks that were changed.
func (r *blocks) write() error {
	for key, b := range r.open {
		if !b.changed {
			continue
		}
		b.changed = false
		_, err := r.tx.Exec(`UPDATE object_block SET body = ?2 WHERE seq = ?1`, key.artifact<<positionBits|key.first, b.Bytes())
		if err != nil {
			return fmt.Errorf("marking contested objects: %w", err)
		}
		r.tx.changedBlock(key.artifact, key.first)
	}
	return nil
}

// positions is how many positions the artifact's objects take, gaps included.
func (r *blocks) positions(artifact int64) (int64, error) {
	some, err := Collect(r.tx, func(s Scanner) (body []byte, err error) { return body, s.Scan(&body) }, `
		SELECT body FROM object_block WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1`,
		artifact<<positionBits, artifact<<positionBits|positionMask)
	if err != nil || len(some) == 0 {
		return 0, err
	}
	b, err := packed.Open(some[0])
	if err != nil {
		return 0, err
	}
	return b.Position(b.Len()-1) + 1, nil
}

// artifact is what is known of an artifact, also of one that is only staged.
func (r *blocks) artifact(number int64) (artifactFacts, error) {
	if a, ok := r.artifacts[number]; ok {
		return a, nil
	}
	as, err := Collect(r.tx, func(s Scanner) (a artifactFacts, err error) {
		var program, originator, kind string
		var ready, removed int64
		err = s.Scan(&program, &a.sha256, &originator, &kind, &ready, &removed)
		a.program, a.ready = exchange.ProgramID(program), ready == 1 && removed == 0
		a.originator, a.journal, a.tombstone = exchange.OrgID(originator), kind == string(exchange.ArtifactJournal), kind == string(exchange.ArtifactTombstone)
		return a, err
	}, `SELECT program, sha256, originator, kind, ready, removed_at FROM artifact WHERE number = ?1`, number)
	if err != nil {
		return artifactFacts{}, fmt.Errorf("reading an artifact: %w", err)
	}
	if len(as) == 0 {
		as = append(as, artifactFacts{})
	}
	r.artifacts[number] = as[0]
	return as[0], nil
}
