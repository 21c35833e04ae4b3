package delivery

import (
	"math"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// outcome is one object as a reader has it.
type outcome struct {
	id       string // under which the reader knows it; empty: it does not exist for the reader
	redacted bool
	until    time.Time // zero: as long as the view
	arrivals int64     // what is not given as it is, holds until members write more
}

func (o outcome) entire() bool { return o.id != "" && !o.redacted }

// place says how a reader has what bears an identifier.
type place uint8

const (
	unknown place = iota // the program does not hold it: what refers to it stays
	entire               // some version as it is
	copied               // as a redacted copy
	hidden               // the program holds it, and the reader may not know of it
)

// standing is what a reference to an identifier becomes for a reader.
type standing struct {
	place    place
	as       string // of copied
	since    int64  // when the program came to hold it, Unix microseconds
	until    time.Time
	arrivals int64
}

// resolver finds out how one reader has objects that refer to others.
//
// What an object becomes follows from what its references lead to, so those are
// settled first, circle by circle (Tarjan). Where one of a circle of objects is
// redacted, what they say of each other is withheld: no identifier of a copy
// could follow from the other. The outcome for an object is therefore the same
// wherever one starts.
type resolver struct {
	s        *Service
	tx       Tx
	v        *view
	now      time.Time
	arrivals int64
	until    time.Time // the next instant at which the clock changes one of the decisions
	short    bool      // not everything was looked at: nothing is remembered

	nodes map[string]*subject
	stack []*subject
	n     int
	blobs map[int64]Blob

	copies  []Given
	objects map[int64]outcome
	ids     map[string]standing
	bytes   map[int64][]byte // of copies, by object
}

// mostNodes is how many identifiers one look goes through. What lies beyond
// counts as withheld.
const mostNodes = 20_000

// subject is what bears one identifier, as far as the reader may see it.
type subject struct {
	id       string
	versions []version
	held     bool
	standing
	index, low int  // of Tarjan's algorithm
	open       bool // on the stack
	loop       bool // refers to itself
	done       bool
	circle     int
}

// version is one object that the reader's classes allow.
type version struct {
	e    Entry
	k    *class
	refs []string
	outcome
}

// class is view.classOf, which also notes until when what follows holds.
func (r *resolver) class(id int64) (*class, error) {
	k, err := r.v.classOf(r.tx, id, r.now)
	if err == nil {
		r.lasts(k.decision.Until)
	}
	return k, err
}

func (r *resolver) lasts(until time.Time) {
	if !until.IsZero() && (r.until.IsZero() || until.Before(r.until)) {
		r.until = until
	}
}

// outcomes answers how the reader has each of the entries, which bear their
// identifiers and which the reader's view holds. What their classes do not allow
// does not exist.
func (r *resolver) outcomes(es []Entry) ([]outcome, error) {
	out := make([]outcome, len(es))
	for i, e := range es {
		if o, ok := r.v.found(e.Object, r.now, r.arrivals); ok {
			r.lasts(o.until)
			out[i] = o
			continue
		}
		v, err := r.root(e)
		if err != nil {
			return nil, err
		}
		out[i] = v.outcome
	}
	return out, nil
}

// root settles one entry.
func (r *resolver) root(e Entry) (*version, error) {
	k, err := r.class(e.Class)
	if err != nil {
		return nil, err
	}
	if !k.decision.Allowed() || e.Removed || k.artifact.Kind == exchange.ArtifactTombstone && !k.decision.Entire() {
		return &version{e: e, k: k}, nil // withheld
	}
	own, err := r.version(e, k)
	if err != nil {
		return nil, err
	}
	if k.decision.Entire() && len(own.refs) == 0 {
		own.outcome = r.settled(e.Object, outcome{id: e.ID})
		return &own, nil
	}
	n := r.nodes[e.ID]
	if n == nil || len(n.versions) == 0 {
		if n, err = r.begin(e.ID, own); err != nil {
			return nil, err
		}
	}
	i := slices.IndexFunc(n.versions, func(o version) bool { return o.e.Object == e.Object })
	if i < 0 {
		n = &subject{id: e.ID, versions: []version{own}, held: true}
		i = 0
	}
	if !n.done {
		if err := r.visit(n); err != nil {
			return nil, err
		}
	}
	return &n.versions[i], nil
}

// begin makes the subject of a root.
func (r *resolver) begin(id string, own version) (*subject, error) {
	n := &subject{id: id, versions: []version{own}, held: true}
	n.since = r.since(own)
	if own.e.Contested {
		others, since, _, err := r.bearers(id)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(others, func(o version) bool { return o.e.Object == own.e.Object }); i >= 0 {
			others[i] = own
		} else {
			others = append(others, own)
		}
		n.versions, n.since = others, min(n.since, since)
	}
	r.nodes[id] = n
	return n, nil
}

// subject is what bears an identifier that is referred to.
func (r *resolver) subject(id string) (*subject, error) {
	if n := r.nodes[id]; n != nil {
		return n, nil
	}
	n := &subject{id: id}
	r.nodes[id] = n
	if st, ok := r.v.stands(id, r.now, r.arrivals); ok {
		r.lasts(st.until)
		n.standing, n.done = st, true
		return n, nil
	}
	if len(r.nodes) > mostNodes {
		n.place, n.done, r.short = hidden, true, true
		return n, nil
	}
	var err error
	n.versions, n.since, n.held, err = r.bearers(id)
	if err == nil && len(n.versions) == 0 {
		if n.done = true; n.held {
			n.place = hidden
		}
		r.stood(n)
	}
	return n, err
}

// bearers are the objects that bear an identifier and that the reader's classes
// allow, and since when the program holds one, whoever may see it.
func (r *resolver) bearers(id string) (vs []version, since int64, held bool, err error) {
	hash := exchange.IDHash(id)
	objs, err := r.tx.ObjectsByHash(r.v.charter.ID, hash, nil)
	if err != nil {
		return nil, 0, false, err
	}
	since = math.MaxInt64
	for _, o := range objs {
		if o.ID != id {
			continue
		}
		k, err := r.class(o.Class)
		if err != nil {
			return nil, 0, false, err
		}
		e := entryOf(o)
		e.Added = r.v.added(o.Seq)
		held = true
		since = min(since, r.since(version{e: e, k: k}))
		sees := e.Added != 0 || r.v.r.Anonymous || r.v.r.Owner
		if !sees || !k.decision.Allowed() || k.artifact.Kind == exchange.ArtifactTombstone {
			continue
		}
		v, err := r.version(e, k)
		if err != nil {
			return nil, 0, false, err
		}
		vs = append(vs, v)
	}
	if held {
		return vs, since, true, nil
	}
	held, err = r.tx.Gone(r.v.charter.ID, hash)
	return nil, 0, held, err
}

func entryOf(o Object) Entry {
	return Entry{
		Object: o.Seq, Class: o.Class, Type: o.Type, Version: o.Version, Contested: true, Offset: o.Offset, Length: o.Length, ID: o.ID,
	}
}

// version is an entry with what it refers to, as far as that is asked about:
// not for those who run the program or wrote it, and not where all that it can
// lead to is given as it is.
func (r *resolver) version(e Entry, k *class) (version, error) {
	v := version{e: e, k: k}
	free, err := r.free(k)
	if err != nil || free {
		return v, err
	}
	v.refs, err = r.links(e, k)
	return v, err
}

// since is when the program came to hold an object, as far as the reader could
// tell; 0: always. Of what members write only the date in the reader's view is
// known: that of the request in which it came.
func (r *resolver) since(v version) int64 {
	if v.k.artifact.Kind != exchange.ArtifactJournal {
		return v.k.artifact.SubmittedAt.UnixMicro()
	}
	at := int64(0)
	r.v.holding(v.e.Object>>24, v.e.Object&positions, func(s stretch) bool {
		if at == 0 || s.Base < at {
			at = s.Base
		}
		return false
	})
	return at
}

// given is when the reader was given the version, or might have been.
func (v *version) given() int64 {
	if v.e.Added != 0 {
		return v.e.Added
	}
	at := int64(math.MaxInt64)
	for _, t := range [...]time.Time{v.k.item.OpenedAt, v.k.item.PublicAt, v.k.item.GrantedAt} {
		if !t.IsZero() {
			at = min(at, t.UnixMicro())
		}
	}
	return at
}

// visit goes through all that a subject leads to, and settles it after that.
func (r *resolver) visit(n *subject) error {
	r.n++
	n.index, n.low, n.open = r.n, r.n, true
	r.stack = append(r.stack, n)
	for i := range n.versions {
		for _, id := range n.versions[i].refs {
			t, err := r.subject(id)
			if err != nil {
				return err
			}
			switch {
			case t == n:
				n.loop = true
			case t.done:
			case t.index == 0:
				if err := r.visit(t); err != nil {
					return err
				}
				n.low = min(n.low, t.low)
			case t.open:
				n.low = min(n.low, t.index)
			}
		}
	}
	if n.low != n.index {
		return nil
	}
	at := slices.Index(r.stack, n)
	circle := slices.Clone(r.stack[at:])
	r.stack = r.stack[:at]
	return r.settle(circle)
}

// settle decides on a circle of nodes, or on one alone, when all that they lead
// to is decided on.
func (r *resolver) settle(circle []*subject) error {
	for _, n := range circle {
		n.circle, n.open = circle[0].index, false
	}
	closed := len(circle) > 1 || circle[0].loop
	whole := true // nothing in the circle, nor what it leads to, is withheld
	for _, n := range circle {
		for i := range n.versions {
			whole = whole && r.whole(&n.versions[i], n)
		}
	}
	for _, n := range circle {
		for i := range n.versions {
			v := &n.versions[i]
			o := outcome{id: v.e.ID}
			if !whole && (closed || !r.whole(v, n)) {
				var err error
				if o, err = r.redact(v, n, closed); err != nil {
					return err
				}
			}
			v.outcome = o
		}
		r.stand(n, closed && !whole)
	}
	return nil
}

// whole reports whether a version is given as it is, when what its own circle
// holds is.
func (r *resolver) whole(v *version, n *subject) bool {
	return v.k.decision.Entire() && !slices.ContainsFunc(v.refs, func(id string) bool {
		t := r.nodes[id]
		return t != n && t.done && r.changes(v, t)
	})
}

// changes reports whether a reference to what was decided on does not stay as it
// is. One to what the program did not hold when the reader was given the version
// stays: it tells nothing that the program holds, and its end would.
func (r *resolver) changes(v *version, t *subject) bool {
	return (t.place == hidden || t.place == copied) && t.since <= v.given()
}

// redact makes the reader's copy of a version. apart: what it says of others in
// its circle is withheld.
func (r *resolver) redact(v *version, n *subject, apart bool) (outcome, error) {
	raw, err := r.raw(v.e, v.k)
	if err != nil {
		return outcome{}, err
	}
	what := stix.Redaction{By: maker}
	if v.k.decision.Verdict == policy.AllowRedacted {
		what.Fields = v.k.decision.Fields
	}
	if len(v.refs) > 0 {
		what.Ref = func(id string) (string, bool) {
			t := r.nodes[id]
			switch {
			case t == nil, apart && t.circle == n.circle:
				return "", false
			case !r.changes(v, t):
				return id, true
			}
			return t.as, t.place == copied
		}
	}
	red, err := stix.Redact(raw, what)
	switch {
	case err != nil || red.Dropped: // what cannot be redacted is not given
		return outcome{arrivals: r.arrivals}, nil
	case !red.Changed:
		return outcome{id: v.e.ID}, nil
	}
	c := Copy{red.ID, v.e.Object}
	r.copies = append(r.copies, Given{c, r.v.r.Org, v.e.ID})
	r.bytes[v.e.Object] = red.Raw
	r.s.made.keep(c, red.Raw)
	return outcome{id: red.ID, redacted: true, arrivals: r.arrivals}, nil
}

// stand says what references to a subject become, when its versions are settled.
func (r *resolver) stand(n *subject, circular bool) {
	newest := int64(math.MinInt64)
	for i := range n.versions {
		v := &n.versions[i]
		twin := v.redacted && slices.ContainsFunc(n.versions, func(o version) bool { return o.entire() && o.e.Version == v.e.Version })
		if twin { // the reader has the same version as it is
			v.outcome = outcome{arrivals: r.arrivals}
		}
		v.outcome = r.settled(v.e.Object, v.outcome)
		switch {
		case v.entire():
			n.place = entire
		case v.id != "" && n.place != entire && v.e.VersionAt() >= newest:
			n.place, n.as, newest = copied, v.id, v.e.VersionAt()
		}
	}
	if n.done = true; n.place == unknown && n.held {
		n.place = hidden
	}
	if !circular { // else whoever comes to it later has to find the circle again
		r.stood(n)
	}
}

func (r *resolver) settled(object int64, o outcome) outcome {
	r.objects[object] = o
	return o
}

func (r *resolver) stood(n *subject) {
	n.arrivals = r.arrivals
	r.ids[n.id] = n.standing
}

// copyOf is the bytes of the reader's copy of an object, made again where they
// were forgotten. ok is false when the reader does not have it so any more.
func (r *resolver) copyOf(e Entry) (raw []byte, ok bool, err error) {
	if raw := r.s.made.find(Copy{e.ID, e.Object}); raw != nil {
		return raw, true, nil
	}
	es, err := r.tx.EntriesOf([]int64{e.Object})
	if err != nil {
		return nil, false, err
	}
	es[0].Added = e.Added
	v, err := r.root(es[0])
	if err != nil || !v.redacted || v.id != e.ID {
		return nil, false, err
	}
	return r.bytes[e.Object], true, nil
}
