package delivery

import (
	"context"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Sight is everything that an actor may see, in all programs that the actor
// reads or runs, at one moment: what a look-up asks, which comes from a value to
// objects and not from a program. It is for one request, and for one goroutine.
//
// What it answers for objects is what Object answers, one at a time. Holds tells
// from memory alone whether the actor has been given anything of an artifact;
// only what passes it costs a read. What is withheld as a whole therefore takes
// as long as what does not exist, but for that comparison.
type Sight struct {
	s     *Service
	a     exchange.Actor
	views []*view
	of    map[int64]*view // by artifact; nil: not for the actor
}

// Seen is one object that the actor may see, in its newest version that is for
// the actor.
type Seen struct {
	Object   Object
	Program  exchange.ProgramID
	Release  exchange.ReleaseID
	Title    string // of the release
	Artifact exchange.ArtifactID
	TLP      exchange.TLP
	Added    int64 // in this reader's view; 0 for those who run the program
	// Redacted says that the actor has a copy, under an identifier of its own. Copy
	// is its bytes, so that the value which led to it can be looked for in them:
	// of what is not in the copy the actor may not learn.
	Redacted bool
	Copy     []byte
	Raw      []byte // filled by Give
	class    *class
}

// Sight returns what the actor may see.
func (s *Service) Sight(ctx context.Context, a exchange.Actor) (*Sight, error) {
	programs, err := s.collections(ctx)
	if err != nil {
		return nil, err
	}
	x := &Sight{s: s, a: a, of: map[int64]*view{}}
	for _, p := range programs {
		v, err := s.view(ctx, a, p.Program)
		if exchange.KindOf(err) == exchange.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if v.reads() || v.r.Owner {
			x.views = append(x.views, v)
		}
	}
	return x, nil
}

// Holds reports whether the actor may see anything of the artifact, as far as
// what was given to whom says; program is the artifact's.
func (x *Sight) Holds(artifact int64, program exchange.ProgramID) bool {
	if v, known := x.of[artifact]; known {
		return v != nil
	}
	i := slices.IndexFunc(x.views, func(v *view) bool {
		return v.charter.ID == program && (v.r.Owner || v.gives(artifact))
	})
	if i < 0 {
		x.of[artifact] = nil
		return false
	}
	x.of[artifact] = x.views[i]
	return true
}

// Allows answers which of the handling classes, each with its artifact, the
// actor may see. Holds is asked of the artifacts before.
func (x *Sight) Allows(ctx context.Context, classes map[int64]int64) (map[int64]bool, error) {
	out := make(map[int64]bool, len(classes))
	if len(classes) == 0 {
		return out, nil
	}
	now := x.s.c.Now()
	return out, x.s.c.Store.View(ctx, func(tx Tx) error {
		for id, artifact := range classes {
			v := x.of[artifact]
			if v == nil {
				continue
			}
			k, err := v.classOf(tx, id, now)
			if err != nil {
				return err
			}
			out[id] = k.artifact.Number == artifact && k.decision.Allowed()
		}
		return nil
	})
}

// Show lists those of the objects that the actor may see and that no newer
// version which the actor may see replaces. Numbers ascend.
func (x *Sight) Show(ctx context.Context, objects []int64) ([]Seen, error) {
	objects = slices.DeleteFunc(slices.Clone(objects), func(n int64) bool { return x.of[n>>24] == nil })
	if len(objects) == 0 {
		return nil, nil
	}
	now := x.s.c.Now()
	var out []Seen
	err := x.s.look(ctx, func(l *looking) error {
		out = nil
		es, err := l.tx.EntriesOf(objects)
		if err != nil {
			return err
		}
		for _, e := range es {
			v := x.of[e.Object>>24]
			if v.reads() {
				e.Added = v.added(e.Object)
			}
			seen, ok, err := l.view(v).seen(e, now)
			if err != nil {
				return err
			}
			if ok {
				out = append(out, seen)
			}
		}
		return nil
	})
	return out, err
}

// added is when an object entered the view; 0: it did not.
func (v *view) added(object int64) (at int64) {
	v.holding(object>>24, object&positions, func(st stretch) bool {
		if d := st.date(object & positions); at == 0 || d < at {
			at = d
		}
		return false
	})
	return at
}

// seen is the object as Object would give it, if it is the one that Object
// would give. An entry without Added is not in the reader's collection.
func (r *resolver) seen(e Entry, now time.Time) (Seen, bool, error) {
	v := r.v
	k, err := v.classOf(r.tx, e.Class, now)
	if err != nil || e.Removed || !k.decision.Allowed() || e.Added == 0 && !v.r.Owner {
		return Seen{}, false, err
	}
	os, err := r.outcomes([]Entry{e})
	if err != nil || os[0].id == "" {
		return Seen{}, false, err
	}
	e.ID, e.Redacted = os[0].id, os[0].redacted
	if e.Contested {
		newest, err := r.newest(e.ID)
		if err != nil || newest.Object != e.Object {
			return Seen{}, false, err
		}
		e.Added = newest.Added
	}
	of := k.release.ID
	if k.release.Standing { // there is nothing to look at, to its readers
		of = ""
	}
	seen := Seen{
		Object: objectOf(e), Program: v.charter.ID, Release: of, Title: k.release.Title, Artifact: k.artifact.ID,
		TLP: k.decision.TLP, Added: e.Added, Redacted: e.Redacted, class: k,
	}
	if e.Redacted {
		seen.Copy, err = r.give(e, k)
	}
	return seen, true, err
}

// newest is the version that Object gives of what the reader knows by an
// identifier.
func (r *resolver) newest(id string) (Entry, error) {
	if r.v.reads() {
		es, err := r.known(id)
		if err != nil {
			return Entry{}, err
		}
		if n := len(es); n > 0 {
			return es[n-1], nil
		}
	}
	if !r.v.r.Owner {
		return Entry{}, nil
	}
	e, err := r.ofOwner(id)
	if err != nil || e.Object == 0 {
		return Entry{}, err
	}
	os, err := r.outcomes([]Entry{e})
	if err != nil {
		return Entry{}, err
	}
	if os[0].id != id {
		return Entry{}, nil
	}
	return e, nil
}

// Give reads the bytes of objects that Show listed, and records them as
// delivered, for each program by itself. Nothing of them may be told before.
func (x *Sight) Give(ctx context.Context, all []Seen) error {
	of := map[*view][]part{}
	var views []*view
	for i := range all {
		o := &all[i]
		var err error
		if o.Raw = o.Copy; !o.Redacted {
			if o.Raw, err = x.s.raw(o.class, o.Object); err != nil {
				return err
			}
		}
		v := x.of[o.class.artifact.Number]
		if of[v] == nil {
			views = append(views, v)
		}
		e := entryOf(o.Object)
		e.Redacted = o.Redacted
		of[v] = append(of[v], part{k: o.class, alone: &e, made: o.Raw})
	}
	var ds []disclosure
	for _, v := range views {
		d, err := v.disclosed(exchange.EventObjectServed, exchange.ExposureServed, of[v], nil)
		if err != nil {
			return err
		}
		d.detail["lookup"] = true
		ds = append(ds, d)
	}
	if len(ds) == 0 {
		return nil
	}
	return x.s.given(ctx, x.a, ds...)
}

func (s *Service) raw(k *class, o Object) ([]byte, error) {
	permit, ok := k.decision.Permit(k.artifact.Number)
	if !ok {
		return nil, exchange.Missing()
	}
	b, err := s.open(permit, k.artifact)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	raw := make([]byte, o.Length)
	_, err = b.ReadAt(raw, o.Offset)
	return raw, err
}
