package delivery

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// A view is what one credential may see of one program. It keeps the verdict
// of each handling class until the clock changes it, and lives no longer than
// the facts that it was made from.
type view struct {
	none     bool // the program does not exist for the reader
	charter  exchange.Charter
	required int       // agreement version
	lapses   time.Time // when another version is required; zero: as long as the facts
	r        policy.Recipient
	runs     []Run          // of all spans, in order
	given    map[int64]bool // the artifacts of runs

	arrivals int64  // of the exchange, when runs were read
	open     []tail // feeds that the reader goes on reading
	*verdicts
}

// verdicts are what the versions of one view share: the same reader under the
// same facts, with more in its feeds each time.
type verdicts struct {
	mu      sync.Mutex
	classes map[int64]*class // handling classes, by number
	listed  *listing
	places  map[int64][]Run // of each artifact, by position

	growing sync.Mutex
	newest  *view
}

func newView(c exchange.Charter, r policy.Recipient, now time.Time) *view {
	v := &view{charter: c, required: c.Required(now), r: r, verdicts: &verdicts{classes: map[int64]*class{}, places: map[int64][]Run{}}}
	v.newest = v
	if v.required != c.Agreement.Version {
		v.lapses = c.Calendar.StartOfDay(c.Agreement.Effective)
	}
	return v
}

// class is a handling class, or an artifact as a whole, as this reader sees it.
type class struct {
	artifact exchange.Artifact
	release  exchange.Release
	item     policy.Item
	decision policy.Decision
	marks    []exchange.HandlingClass // of an artifact as a whole: of its objects
	whole    bool                     // every object may be had
}

// cached is what was worked out from one generation of facts.
type cached struct {
	generation  int64
	views       map[viewKey]*view
	collections []Collection
}

type viewKey struct {
	client  string
	org     exchange.OrgID
	channel exchange.Channel
	program exchange.ProgramID
}

const maxViews = 5000

// current returns what is known as of now's facts, with the waves open whose
// moment has come.
func (s *Service) current(ctx context.Context) (*cached, error) {
	if err := s.c.Due(ctx); err != nil {
		return nil, err
	}
	generation, err := s.c.Generation(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || s.known.generation != generation {
		s.known = &cached{generation: generation, views: map[viewKey]*view{}}
	}
	return s.known, nil
}

// view returns the actor's view of the program, or exchange.Missing to whom
// the program does not exist.
func (s *Service) view(ctx context.Context, a exchange.Actor, program exchange.ProgramID) (*view, error) {
	known, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	arrivals, err := s.c.Contribution(ctx) // before the facts are read
	if err != nil {
		return nil, err
	}
	key := viewKey{a.Client(), a.Org, a.Channel, program}
	s.mu.Lock()
	v := known.views[key]
	s.mu.Unlock()
	if v == nil || !v.lapses.IsZero() && !s.c.Now().Before(v.lapses) {
		err := s.c.Store.View(ctx, func(tx Tx) (err error) {
			if v, err = resolve(tx, a, program); err == nil {
				v.arrivals = arrivals
			}
			return err
		})
		if exchange.KindOf(err) == exchange.NotFound {
			v = &view{none: true}
		} else if err != nil {
			return nil, err
		}
		s.mu.Lock()
		makeRoom(known.views, maxViews)
		known.views[key] = v
		s.mu.Unlock()
	}
	if v.none {
		return nil, exchange.Missing()
	}
	if v.arrivals < arrivals {
		return s.grown(ctx, v, arrivals, func(w *view) {
			s.mu.Lock()
			defer s.mu.Unlock()
			known.views[key] = w
		})
	}
	return v, nil
}

// makeRoom drops entries, any of them, until m holds fewer than most.
func makeRoom[K comparable, V any](m map[K]V, most int) {
	for k := range m {
		if len(m) < most {
			return
		}
		delete(m, k)
	}
}

// resolve gathers the facts about the reader.
func resolve(tx Tx, a exchange.Actor, program exchange.ProgramID) (*view, error) {
	c, err := tx.Charter(program)
	if err != nil {
		return nil, err
	}
	if a.Anonymous() && a.Channel == exchange.ChannelPublic {
		return newView(c, policy.Recipient{Anonymous: true, MayRead: true, Channel: a.Channel}, tx.Now()), nil
	}
	if !a.Reaches(program) {
		return nil, exchange.Missing()
	}
	v, err := asMember(tx, c, a.Org)
	if err != nil {
		return nil, err
	}
	v.r.Owner = a.Operates(c.Owner) || a.Approves(c.Owner)
	if !v.r.Owner && !v.r.Member {
		return nil, exchange.Missing()
	}
	v.r.Program, v.r.Ceiling, v.r.MayRead, v.r.Channel = a.Program, a.Ceiling, a.May(exchange.VerbRead), a.Channel
	if !a.Machine {
		v.r.Person = a.Person
	}
	return v, nil
}

// asMember is the view of an organisation, whatever the credential.
func asMember(tx Tx, c exchange.Charter, org exchange.OrgID) (*view, error) {
	v := newView(c, policy.Recipient{Org: org, MayRead: true}, tx.Now())
	m, err := tx.Member(c.ID, org)
	if exchange.KindOf(err) == exchange.NotFound {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := tx.Organisation(org)
	if err != nil {
		return nil, err
	}
	var provider exchange.Organisation
	if o.ClientOf != "" {
		if provider, err = tx.Organisation(o.ClientOf); err != nil {
			return nil, fmt.Errorf("reading the provider of a client: %w", err)
		}
	}
	v.r = policy.MemberOf(c, m, o, provider)
	return v, v.subscribe(tx)
}

// subscribe gathers the runs that the organisation reads. Runs of one program
// never overlap, so those of several feeds merge by their base.
func (v *view) subscribe(tx Tx) error {
	spans, err := tx.Subscriptions(v.charter.ID, v.r.Org)
	if err != nil {
		return err
	}
	for _, p := range spans {
		runs, err := tx.RunsOf(p.Feed, -1)
		if err != nil {
			return err
		}
		if p.To == math.MaxInt64 && !p.Own {
			last := p.From
			if n := len(runs); n > 0 {
				last = max(last, runs[n-1].Base)
			}
			v.open = append(v.open, tail{p.Feed, last})
		}
		for _, r := range runs {
			r.lo, r.hi = r.after(p.From), r.First+r.N-1
			if p.To < r.added(r.hi) {
				r.hi = r.after(p.To) - 1
			}
			if r.lo > r.hi {
				continue
			}
			kept, err := keptSince(tx, r.Artifact, p.EndedAt, spans)
			if err != nil {
				return err
			}
			if kept {
				v.runs = append(v.runs, r)
			}
		}
	}
	slices.SortFunc(v.runs, func(a, b Run) int { return cmp.Compare(a.Base, b.Base) })
	all := v.runs
	v.runs, v.given = nil, map[int64]bool{}
	for _, r := range all {
		v.add(r)
	}
	return nil
}

// keptSince reports whether an artifact that was in view when a period ended
// has stayed in it since: each later audience had been given it before the
// organisation came into that audience. Otherwise it left the view, and where
// it came back it did so under a later date.
func keptSince(tx Tx, artifact int64, ended time.Time, spans []Span) (bool, error) {
	if ended.IsZero() {
		return true, nil
	}
	var start time.Time // of the period of the next span
	for _, p := range spans {
		if p.Own {
			continue
		}
		if !start.Before(ended) {
			at, err := tx.OpenedTo(artifact, p.Audience)
			if err != nil || at.IsZero() || at.After(start) {
				return false, err
			}
		}
		start = p.EndedAt
	}
	return true, nil
}

// after is the first position whose date_added is later than at.
func (r Run) after(at int64) int64 {
	if at < r.Base {
		return r.First
	}
	return r.First + (at-r.Base)/r.Step + 1
}

// added is the date_added of the object at the position.
func (r Run) added(position int64) int64 { return r.Base + (position-r.First)*r.Step }

// reads reports whether the reader has a collection at all: an active member
// in a cohort, under the current agreement.
func (v *view) reads() bool {
	return v.r.Member && !v.r.Suspended && v.r.MayRead && v.r.Audience.Cohort != "" && v.r.Accepted >= v.required
}

// classOf returns a handling class with the verdict that holds at now.
func (v *view) classOf(tx Tx, id int64, now time.Time) (*class, error) {
	v.mu.Lock()
	k := v.classes[id]
	v.mu.Unlock()
	if k == nil {
		h, err := tx.HandlingClass(id)
		if err != nil {
			return nil, fmt.Errorf("reading a handling class: %w", err)
		}
		art, err := tx.ArtifactByNumber(h.Artifact)
		if err != nil {
			return nil, err
		}
		if k, err = v.facts(tx, art, h); err != nil {
			return nil, err
		}
	}
	if !k.holds(now) {
		fresh := *k
		fresh.decision = policy.Decide(v.r, k.item, now)
		k = &fresh
		v.mu.Lock()
		v.classes[id] = k
		v.mu.Unlock()
	}
	return k, nil
}

// holds reports whether the decision was taken and still holds at now.
func (k *class) holds(now time.Time) bool {
	d := k.decision
	return !d.At.IsZero() && !now.Before(d.At) && (d.Until.IsZero() || now.Before(d.Until))
}

// facts gathers what is known of an artifact, for this reader's audience.
func (v *view) facts(tx Tx, art exchange.Artifact, h exchange.HandlingClass) (*class, error) {
	r, err := tx.Release(art.Release)
	if err != nil {
		return nil, err
	}
	k := &class{artifact: art, release: r, item: policy.ItemOf(r, art, v.required).Under(h)}
	if k.item.PublicAt, err = tx.OpenedTo(art.Number, exchange.PublicAudience); err != nil {
		return nil, err
	}
	if v.r.Audience.Cohort == "" {
		return k, nil
	}
	if k.item.OpenedAt, err = tx.OpenedTo(art.Number, v.r.Audience); err != nil {
		return nil, err
	}
	if k.item.OpenedAt.IsZero() {
		k.item.OpensAt, err = tx.PlannedFor(art.Release, v.r.Audience, art.Class)
	}
	return k, err
}

// wholeFacts gathers the facts about an artifact and about its objects' markings.
func (v *view) wholeFacts(tx Tx, art exchange.Artifact) (*class, error) {
	k, err := v.facts(tx, art, exchange.HandlingClass{Artifact: art.Number})
	if err != nil || art.Kind != exchange.ArtifactSTIX {
		return k, err
	}
	k.marks, err = tx.ClassesOf(art.Number)
	return k, err
}

// decide takes the decision on an artifact as a whole, by policy.Decide or
// policy.Explain.
func (k *class) decide(r policy.Recipient, at time.Time, by func(policy.Recipient, policy.Item, time.Time) policy.Decision) {
	k.decision, k.whole = policy.Whole(by, r, k.item, k.marks, at)
}

// shown is the artifact as the reader sees it.
func (k *class) shown(now time.Time) Item {
	i := Item{Artifact: k.artifact, TLP: k.decision.TLP, OpenedAt: k.item.OpenedAt, Obligations: policy.Obligations(k.item, now)}
	if !k.whole {
		i.Partial = true
		i.Artifact.SHA256, i.Artifact.Size, i.Artifact.Objects = "", 0, 0
	}
	return i
}

// batch reads the next entries after the cursor, in order, at most n.
func (v *view) batch(tx Tx, cursor int64, q Query, n int) (out []Entry, last bool, err error) {
	i := sort.Search(len(v.runs), func(i int) bool {
		r := v.runs[i]
		return r.added(r.hi) > cursor
	})
	for ; i < len(v.runs); i++ {
		r := v.runs[i]
		es, err := tx.ObjectsAt(r.Artifact, max(r.lo, r.after(cursor)), r.hi, q.Types, n-len(out))
		if err != nil {
			return nil, false, err
		}
		for j := range es {
			es[j].Added = r.added(es[j].Object & positions)
		}
		if out == nil {
			out = es
		} else {
			out = append(out, es...)
		}
		if len(out) >= n {
			return out, false, nil
		}
	}
	return out, true, nil
}

// positions masks the position in its artifact out of an object's number.
const positions = 1<<24 - 1

// collect reads a page of what the reader may see: at most q.Limit entries,
// and whether more follow.
func (v *view) collect(tx Tx, q Query, now time.Time) (out []Entry, more bool, err error) {
	if len(q.IDs) > 0 {
		return v.byID(tx, q, now)
	}
	want := q.Limit + 1
	out = make([]Entry, 0, min(want, 128))
	ids := map[int64][]Entry{}
	for cursor, n := q.After, want; len(out) < want; n = 1000 {
		es, last, err := v.batch(tx, cursor, q, n)
		if err != nil {
			return nil, false, err
		}
		for _, e := range es {
			cursor = e.Added
			ok, err := v.shows(tx, e, q.Versions, now, ids)
			if err != nil {
				return nil, false, err
			}
			if ok {
				out = append(out, e)
			}
			if len(out) == want {
				break
			}
		}
		if last || len(es) == 0 {
			break
		}
	}
	if more = len(out) > q.Limit; more {
		out = out[:q.Limit]
	}
	return out, more, nil
}

// byID is collect for named objects.
func (v *view) byID(tx Tx, q Query, now time.Time) (out []Entry, more bool, err error) {
	for _, id := range q.IDs {
		es, err := v.versions(tx, id, now)
		if err != nil {
			return nil, false, err
		}
		for _, e := range es {
			if e.Added > q.After && q.Versions.takes(e, es) && (len(q.Types) == 0 || slices.Contains(q.Types, e.Type)) {
				out = append(out, e)
			}
		}
	}
	slices.SortFunc(out, byAdded)
	out = slices.CompactFunc(out, func(a, b Entry) bool { return a.Added == b.Added })
	if more = len(out) > q.Limit; more {
		out = out[:q.Limit]
	}
	return out, more, nil
}

// shows reports whether the entry belongs in the reader's page. In the common
// case that is the verdict on its class alone.
func (v *view) shows(tx Tx, e Entry, f Versions, now time.Time, ids map[int64][]Entry) (bool, error) {
	ok, err := v.allows(tx, e, now)
	if err != nil || !ok {
		return false, err
	}
	if !e.Contested {
		return f.takes(e, []Entry{e}), nil
	}
	same, known := ids[e.Object]
	if !known {
		names, err := tx.ObjectIDs([]int64{e.Object})
		if err != nil {
			return false, err
		}
		if same, err = v.versions(tx, names[e.Object], now); err != nil {
			return false, err
		}
		for _, o := range same {
			ids[o.Object] = same
		}
	}
	return slices.ContainsFunc(same, func(o Entry) bool { return o.Added == e.Added }) && f.takes(e, same), nil
}

// allows is the decision on one entry.
func (v *view) allows(tx Tx, e Entry, now time.Time) (bool, error) {
	k, err := v.classOf(tx, e.Class, now)
	return err == nil && k.decision.Allowed(), err
}

// versions returns the versions of one object that the reader may see, oldest
// first, each by the earliest entry that shows it.
func (v *view) versions(tx Tx, id string, now time.Time) ([]Entry, error) {
	objs, err := tx.ObjectsByHash(v.charter.ID, exchange.IDHash(id), v.given)
	if err != nil {
		return nil, err
	}
	var all, out []Entry
	for _, o := range objs {
		if r, ok := v.where(o.Seq); ok && o.ID == id {
			all = append(all, Entry{
				Added: r.added(o.Seq & positions), Object: o.Seq, Class: o.Class, Type: o.Type, Version: o.Version,
				Contested: true, Offset: o.Offset, Length: o.Length, ID: id,
			})
		}
	}
	slices.SortFunc(all, byAdded)
	for _, e := range all {
		if slices.ContainsFunc(out, func(o Entry) bool { return o.Version == e.Version }) {
			continue
		}
		ok, err := v.allows(tx, e, now)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return cmp.Compare(a.VersionAt(), b.VersionAt()) })
	return out, nil
}

func byAdded(a, b Entry) int { return cmp.Compare(a.Added, b.Added) }

// takes reports whether match[version] takes e among the visible versions of
// its object, oldest first.
func (f Versions) takes(e Entry, versions []Entry) bool {
	at, oldest, newest := e.VersionAt(), int64(math.MaxInt64), int64(math.MinInt64)
	for _, o := range versions {
		oldest, newest = min(oldest, o.VersionAt()), max(newest, o.VersionAt())
	}
	switch {
	case f.All, f.First && at == oldest, f.Last && at == newest, slices.Contains(f.At, at):
		return true
	}
	return !f.First && !f.Last && len(f.At) == 0 && at == newest
}
