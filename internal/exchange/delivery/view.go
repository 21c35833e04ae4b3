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
// of each handling class until a fact or the clock changes it.
type view struct {
	generation int64
	program    exchange.ProgramID
	none       bool // the program does not exist for the reader
	charter    exchange.Charter
	required   int       // agreement version
	lapses     time.Time // when another version is required; zero: as long as the generation
	r          policy.Recipient
	runs       []Run          // of all spans, in order
	given      map[int64]bool // the artifacts of runs

	mu      sync.Mutex
	classes map[int64]*class // handling classes, by number
	wholes  map[int64]*class // artifacts as a whole, by number
	listed  *listing
}

// listing is the releases of which the reader may see something, in [from, until).
type listing struct {
	releases    []MemberRelease
	from, until time.Time // until zero: as long as the view
}

func (l *listing) holds(now time.Time) bool {
	return l != nil && !now.Before(l.from) && (l.until.IsZero() || now.Before(l.until))
}

func newView(c exchange.Charter, r policy.Recipient, now time.Time) *view {
	v := &view{program: c.ID, charter: c, required: c.Required(now), r: r, classes: map[int64]*class{}, wholes: map[int64]*class{}}
	if v.required != c.Agreement.Version {
		v.lapses = c.Calendar.StartOfDay(c.Agreement.Effective)
	}
	return v
}

// class is a handling class as this reader sees it.
type class struct {
	handling exchange.HandlingClass
	artifact exchange.Artifact
	release  exchange.Release
	item     policy.Item
	decision policy.Decision
	marks    []exchange.HandlingClass // of an artifact as a whole: of its objects
	whole    bool                     // every object may be had
}

type viewKey struct {
	client  string
	org     exchange.OrgID
	channel exchange.Channel
	program exchange.ProgramID
}

const maxViews = 20_000

// view returns the actor's view of the program, or exchange.Missing to whom
// the program does not exist.
func (s *Service) view(ctx context.Context, a exchange.Actor, program exchange.ProgramID) (*view, error) {
	if err := s.c.Due(ctx); err != nil {
		return nil, err
	}
	generation, err := s.c.Generation(ctx)
	if err != nil {
		return nil, err
	}
	key := viewKey{a.Client(), a.Org, a.Channel, program}
	s.mu.Lock()
	v := s.views[key]
	s.mu.Unlock()
	if v != nil && v.generation == generation && (v.lapses.IsZero() || s.c.Now().Before(v.lapses)) {
		if v.none {
			return nil, exchange.Missing()
		}
		return v, nil
	}
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		v, err = resolve(tx, a, program)
		return err
	})
	if exchange.KindOf(err) == exchange.NotFound {
		v = &view{none: true}
	} else if err != nil {
		return nil, err
	}
	v.generation = generation
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.views) >= maxViews {
		clear(s.views)
	}
	s.views[key] = v
	if v.none {
		return nil, err
	}
	return v, nil
}

// resolve gathers the facts about the reader.
func resolve(tx Tx, a exchange.Actor, program exchange.ProgramID) (*view, error) {
	c, err := tx.Charter(program)
	if err != nil {
		return nil, err
	}
	v := newView(c, policy.Recipient{
		Org: a.Org, Person: a.Person, Owner: a.Operates(c.Owner) || a.Approves(c.Owner),
		Program: a.Program, Ceiling: a.Ceiling, MayRead: a.May(exchange.VerbRead), Channel: a.Channel,
	}, tx.Now())
	if a.Machine {
		v.r.Person = ""
	}
	if a.Program != "" && a.Program != program {
		return nil, exchange.Missing()
	}
	if err := v.membership(tx); err != nil {
		return nil, err
	}
	if !v.r.Owner && !v.r.Member {
		return nil, exchange.Missing()
	}
	return v, nil
}

func (v *view) membership(tx Tx) error {
	m, err := tx.Member(v.program, v.r.Org)
	if exchange.KindOf(err) == exchange.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	o, err := tx.Organisation(v.r.Org)
	if err != nil {
		return err
	}
	v.r.Member = m.State == exchange.MemberActive
	v.r.Suspended = m.State == exchange.MemberSuspended || !o.SuspendedAt.IsZero()
	v.r.Client = o.ClientOf != ""
	v.r.Audience, v.r.Accepted, v.r.Jurisdictions = m.Audience, m.Accepted, o.Jurisdictions
	if v.r.Client {
		provider, err := tx.Organisation(o.ClientOf)
		if err != nil {
			return fmt.Errorf("reading the provider of a client: %w", err)
		}
		v.r.Provider, v.r.Jurisdictions = provider.ID, slices.Concat(o.Jurisdictions, provider.Jurisdictions)
	}
	if m.Audience.Compelled {
		v.r.DeniedClasses = v.charter.CompelledDisclosure.Deny
	}
	return v.subscribe(tx)
}

// subscribe gathers the runs that the organisation reads. Runs of one program
// never overlap, so those of several feeds merge by their base.
func (v *view) subscribe(tx Tx) error {
	spans, err := tx.Subscriptions(v.program, v.r.Org)
	if err != nil {
		return err
	}
	for _, p := range spans {
		runs, err := tx.RunsOf(p.Feed)
		if err != nil {
			return err
		}
		for _, r := range runs {
			r.lo, r.hi = r.after(p.From), r.N-1
			if p.To < r.Base+r.hi*r.Step {
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
	v.given = map[int64]bool{}
	v.runs = slices.DeleteFunc(v.runs, func(r Run) bool {
		again := v.given[r.Artifact]
		v.given[r.Artifact] = true
		return again
	})
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
		return 0
	}
	return (at-r.Base)/r.Step + 1
}

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
	k := &class{handling: h, artifact: art, release: r, item: policy.Item{
		Program: art.Program, State: r.State, Class: art.Class, Handling: art.Handling,
		Removed: !art.RemovedAt.IsZero(), Originator: art.Originator, Required: v.required, ReleasedAt: r.PublicAt,
	}}
	k.item = marked(k.item, h)
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

// artifact decides on an artifact as a whole.
func (v *view) artifact(tx Tx, art exchange.Artifact, now time.Time) (*class, error) {
	v.mu.Lock()
	k := v.wholes[art.Number]
	v.mu.Unlock()
	if k == nil {
		var err error
		if k, err = v.wholeFacts(tx, art); err != nil {
			return nil, err
		}
	}
	if !k.holds(now) {
		fresh := *k
		fresh.decide(v.r, now, policy.Decide)
		k = &fresh
		v.mu.Lock()
		v.wholes[art.Number] = k
		v.mu.Unlock()
	}
	return k, nil
}

// until is the next instant at which the clock changes what may be had of the
// artifacts that were decided on; zero: it does not.
func (v *view) until() (at time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range v.wholes {
		if u := k.decision.Until; !u.IsZero() && (at.IsZero() || u.Before(at)) {
			at = u
		}
	}
	return at
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

// marked is an item under the markings of some of its objects.
func marked(i policy.Item, h exchange.HandlingClass) policy.Item {
	i.Held, i.Handling.TLP = h.Held, max(i.Handling.TLP, h.TLP)
	return i
}

// decide takes the decision on an artifact as a whole. Those who run the
// program are given it whole: the objects that are held wait for them.
func (k *class) decide(r policy.Recipient, at time.Time, decide func(policy.Recipient, policy.Item, time.Time) policy.Decision) {
	k.decision, k.whole = decide(r, k.item, at), true
	if r.Owner {
		return
	}
	parts := make([]policy.Decision, len(k.marks))
	for i, h := range k.marks {
		parts[i] = policy.Decide(r, marked(k.item, h), at)
	}
	k.decision, k.whole = policy.Container(k.decision, parts...)
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
		return r.Base+r.hi*r.Step > cursor
	})
	for ; i < len(v.runs); i++ {
		r := v.runs[i]
		es, err := tx.ObjectsAt(r.Artifact, max(r.lo, r.after(cursor)), r.hi, q.Types, n-len(out))
		if err != nil {
			return nil, false, err
		}
		for j := range es {
			es[j].Added = r.Base + (es[j].Object&positions)*r.Step
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
	objs, err := tx.ObjectsByHash(v.program, exchange.IDHash(id), v.given)
	if err != nil {
		return nil, err
	}
	var all, out []Entry
	for _, o := range objs {
		for _, r := range v.runs {
			if p := o.Seq & positions; o.ID == id && r.Artifact == o.Seq>>24 && p >= r.lo && p <= r.hi {
				all = append(all, Entry{
					Added: r.Base + p*r.Step, Object: o.Seq, Class: o.Class, Type: o.Type, Version: o.Version,
					Contested: true, Offset: o.Offset, Length: o.Length, ID: id,
				})
			}
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
