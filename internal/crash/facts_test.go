package crash

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/store/packed"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// facts are all that a folder's database holds, as far as the checks go.
type facts struct {
	charter   exchange.Charter
	releases  []exchange.Release
	waves     []exchange.WaveRecord
	artifacts map[int64]artifact
	openings  []given
	feeds     map[int64]feed
	runs      []run
	clock     int64 // the last date_added
	events    []event
	exposures []exchange.Exposure
	notices   []exchange.Notice
	feedback  []exchange.Feedback
	members   map[exchange.OrgID]exchange.Member
	accepted  int
	suspended map[exchange.OrgID]bool // organisations
	blocks    map[int64][]packed.Entry
	classes   map[int64]int64 // handling class to artifact
	index     int64           // rows of object_index and object_more
	strays    int64           // those that belong to no artifact
	counters  map[string]int64
	integrity []string
}

type artifact struct {
	exchange.Artifact
	ready bool
}

type given struct {
	artifact int64
	audience exchange.Audience
	release  exchange.ReleaseID
	at       time.Time
}

type feed struct{ audience, org string }

type run struct{ feed, base, step, n, artifact int64 }

func (r run) last() int64 { return r.base + (r.n-1)*r.step }

// event is one recorded act with what its bytes say.
type event struct {
	seq     int64
	at      time.Time
	kind    exchange.EventKind
	release exchange.ReleaseID
	org     exchange.OrgID
	subject []string
	detail  map[string]any
}

func (e event) text(name string) string { s, _ := e.detail["d_"+name].(string); return s }

func (e event) number(name string) int64 { n, _ := e.detail["d_"+name].(float64); return int64(n) }

func (e event) instant(name string) time.Time {
	t, _ := time.Parse(exchange.TimeFormat, e.text(name))
	return t
}

// reader runs statements until one fails.
type reader struct {
	tx  *sqlstore.Tx
	err error
}

func all[T any](r *reader, scan func(sqlstore.Scanner) (T, error), stmt string) []T {
	if r.err != nil {
		return nil
	}
	var out []T
	out, r.err = sqlstore.Collect(r.tx, scan, stmt)
	return out
}

func numbers(s sqlstore.Scanner) (n int64, err error) { return n, s.Scan(&n) }

func micros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// read reads the facts in one snapshot.
func read(tx *sqlstore.Tx) (facts, error) {
	r := &reader{tx: tx}
	f := facts{
		artifacts: map[int64]artifact{}, feeds: map[int64]feed{}, members: map[exchange.OrgID]exchange.Member{},
		suspended: map[exchange.OrgID]bool{}, blocks: map[int64][]packed.Entry{}, classes: map[int64]int64{}, counters: map[string]int64{},
	}
	f.integrity = all(r, func(s sqlstore.Scanner) (v string, err error) { return v, s.Scan(&v) }, `PRAGMA integrity_check`)
	if r.err != nil {
		return f, r.err
	}
	if f.charter, r.err = tx.Charter(testkit.Program); r.err != nil {
		return f, r.err
	}
	f.rooms(r)
	f.given(r)
	f.record(r)
	f.objects(r)
	return f, r.err
}

// rooms reads the nouns.
func (f *facts) rooms(r *reader) {
	if f.releases, r.err = r.tx.ReleasesOf(testkit.Program); r.err != nil {
		return
	}
	for _, rel := range f.releases {
		ws, err := r.tx.WavesOf(rel.ID)
		if err != nil {
			r.err = err
			return
		}
		f.waves = append(f.waves, ws...)
		fs, err := r.tx.FeedbackOf(rel.ID)
		if err != nil {
			r.err = err
			return
		}
		f.feedback = append(f.feedback, fs...)
	}
	ms, err := r.tx.ListMembers(testkit.Program, "", 0)
	if err != nil {
		r.err = err
		return
	}
	for _, m := range ms {
		f.members[m.Org] = m
	}
	for _, org := range all(r, func(s sqlstore.Scanner) (o string, err error) { return o, s.Scan(&o) }, `SELECT id FROM organisation WHERE suspended_at <> 0`) {
		f.suspended[exchange.OrgID(org)] = true
	}
	for _, n := range all(r, numbers, `SELECT COUNT(*) FROM acceptance`) {
		f.accepted = int(n)
	}
	for _, a := range all(r, func(s sqlstore.Scanner) (a artifact, err error) {
		var id, release, class, kind string
		var submitted, removed, ready int64
		err = s.Scan(&a.Number, &id, &release, &class, &kind, &a.SHA256, &a.Size, &a.Objects, &submitted, &removed, &ready)
		a.ID, a.Release, a.Class, a.Kind = exchange.ArtifactID(id), exchange.ReleaseID(release), exchange.ContentClass(class), exchange.ArtifactKind(kind)
		a.SubmittedAt, a.RemovedAt, a.ready = micros(submitted), micros(removed), ready == 1
		return a, err
	}, `SELECT number, id, release, class, kind, sha256, size, objects, submitted_at, removed_at, ready FROM artifact`) {
		f.artifacts[a.Number] = a
	}
}

// given reads what audiences were given.
func (f *facts) given(r *reader) {
	f.openings = all(r, func(s sqlstore.Scanner) (g given, err error) {
		var audience, release string
		var at int64
		if err = s.Scan(&g.artifact, &audience, &release, &at); err != nil {
			return g, err
		}
		g.release, g.at = exchange.ReleaseID(release), micros(at)
		g.audience, err = exchange.ParseAudience(audience)
		return g, err
	}, `SELECT artifact, audience, release, opened_at FROM opening`)
	type row struct {
		id int64
		feed
	}
	for _, x := range all(r, func(s sqlstore.Scanner) (x row, err error) { return x, s.Scan(&x.id, &x.audience, &x.org) }, `SELECT id, audience, org FROM feed`) {
		f.feeds[x.id] = x.feed
	}
	f.runs = all(r, func(s sqlstore.Scanner) (x run, err error) {
		return x, s.Scan(&x.feed, &x.base, &x.step, &x.n, &x.artifact)
	}, `
		SELECT feed, base, step, n, artifact FROM feed_run ORDER BY base`)
	for _, n := range all(r, numbers, `SELECT COALESCE(MAX(added), 0) FROM program_clock`) {
		f.clock = n
	}
}

// record reads the events and what refers to them.
func (f *facts) record(r *reader) {
	f.events = all(r, func(s sqlstore.Scanner) (e event, err error) {
		var at int64
		var kind, release, org string
		var body []byte
		if err = s.Scan(&e.seq, &at, &kind, &release, &org, &body); err != nil {
			return e, err
		}
		e.at, e.kind, e.release, e.org = micros(at), exchange.EventKind(kind), exchange.ReleaseID(release), exchange.OrgID(org)
		if err = json.Unmarshal(body, &e.detail); err != nil {
			return e, fmt.Errorf("event %d: %w", e.seq, err)
		}
		subjects, _ := e.detail["subject"].([]any)
		for _, v := range subjects {
			text, _ := v.(string)
			e.subject = append(e.subject, text)
		}
		return e, nil
	}, `SELECT seq, at, kind, release, org, body FROM event ORDER BY seq`)
	f.exposures = all(r, func(s sqlstore.Scanner) (x exchange.Exposure, err error) {
		var org, kind, release string
		err = s.Scan(&x.Number, &org, &kind, &release, &x.Event)
		x.Org, x.Kind, x.Release = exchange.OrgID(org), exchange.ExposureKind(kind), exchange.ReleaseID(release)
		return x, err
	}, `SELECT artifact, org, kind, release, event FROM exposure`)
	f.notices = all(r, func(s sqlstore.Scanner) (n exchange.Notice, err error) {
		var org, kind string
		err = s.Scan(&org, &kind, &n.Event)
		n.Org, n.Kind = exchange.OrgID(org), exchange.EventKind(kind)
		return n, err
	}, `SELECT org, kind, event FROM notice`)
	type counter struct {
		name string
		n    int64
	}
	for _, c := range all(r, func(s sqlstore.Scanner) (c counter, err error) { return c, s.Scan(&c.name, &c.n) }, `SELECT name, n FROM counter`) {
		f.counters[c.name] = c.n
	}
}

// objects reads what is known of STIX objects.
func (f *facts) objects(r *reader) {
	type block struct {
		artifact int64
		body     []byte
	}
	for _, b := range all(r, func(s sqlstore.Scanner) (b block, err error) { return b, s.Scan(&b.artifact, &b.body) }, `
		SELECT seq >> 24, body FROM object_block ORDER BY seq`) {
		p, err := packed.Open(b.body)
		if err != nil {
			r.err = err
			return
		}
		for i := range p.Len() {
			f.blocks[b.artifact] = append(f.blocks[b.artifact], p.Entry(i))
		}
	}
	type class struct{ id, artifact int64 }
	for _, c := range all(r, func(s sqlstore.Scanner) (c class, err error) { return c, s.Scan(&c.id, &c.artifact) }, `SELECT id, artifact FROM handling_class`) {
		f.classes[c.id] = c.artifact
	}
	for _, n := range all(r, numbers, `SELECT (SELECT COUNT(*) FROM object_index) + (SELECT COUNT(*) FROM object_more)`) {
		f.index = n
	}
	for _, n := range all(r, numbers, `
		SELECT (SELECT COUNT(*) FROM object_index WHERE seq >> 24 NOT IN (SELECT number FROM artifact)) +
			(SELECT COUNT(*) FROM object_more WHERE seq >> 24 NOT IN (SELECT number FROM artifact))`) {
		f.strays = n
	}
}
