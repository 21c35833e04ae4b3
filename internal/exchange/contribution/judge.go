package contribution

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// facts is what is known when a part is stored.
type facts struct {
	w       writer
	journal Journal // with the zero Artifact: none that can be written on
	classes []exchange.HandlingClass
	bearers []Bearer
	shown   []bool // of bearers: the writer sees it

	combos []combo
	byKey  map[string]int // by comboKey
	first  int64          // the number of the first combo that had none
	held   int

	unknown bool // no object of the program is said to bear one of the ids
}

// facts reads what is known of the writer, the journal and the ids of a part.
func (s *Service) facts(ctx context.Context, j *job, p *part) (*facts, error) {
	f := &facts{}
	used := p.markings()
	keys := make([]Key, len(p.objs))
	for i := range p.objs {
		keys[i] = Key{p.objs[i].id, p.objs[i].version}
	}
	refs := unresolved(j, used)
	var defs []Bearer
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		if f.w = j.w; f.w.charter.ID == "" {
			if f.w, err = admit(tx, j.actor, j.program); err != nil {
				return err
			}
		}
		f.journal, err = tx.JournalOf(j.program, j.actor.Org)
		switch {
		case exchange.KindOf(err) == exchange.NotFound:
		case err != nil:
			return err
		case f.journal.Terms != terms(f.w.charter):
			f.journal = Journal{}
		default:
			if f.classes, err = tx.ClassesOf(f.journal.Artifact); err != nil {
				return err
			}
		}
		if f.bearers, err = tx.Bearing(j.program, j.actor.Org, keys); err != nil || len(refs) == 0 {
			return err
		}
		for i := range refs {
			refs[i].Version = anyVersion
		}
		defs, err = tx.Bearing(j.program, j.actor.Org, refs)
		return err
	})
	if err != nil {
		return nil, err
	}
	if f.shown, err = s.shown(ctx, j, f.bearers); err != nil {
		return nil, err
	}
	if err := s.define(ctx, j, defs); err != nil || len(used) == 0 {
		return f, err
	}
	return f, s.c.Store.View(ctx, func(tx Tx) error { return understand(tx, j, f.w.charter, used) })
}

// anyVersion is the version of no object.
const anyVersion = -1 << 62

// markings are those in use beyond the well-known ones, each once.
func (p *part) markings() (refs []string) {
	for i := range p.objs {
		if m := p.objs[i].marks; m != nil {
			refs = append(refs, m.All()...)
		}
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}

// unresolved are the markings in use that neither the request defines nor what
// was looked up.
func unresolved(j *job, used []string) (refs []Key) {
	for _, ref := range used {
		if !j.env.words.Defined(ref) {
			refs = append(refs, Key{ID: ref})
		}
	}
	return refs
}

// shown answers which objects the writer sees: its own organisation's, and what
// its collection shows. Nothing else may touch the answer.
func (s *Service) shown(ctx context.Context, j *job, bs []Bearer) ([]bool, error) {
	out := make([]bool, len(bs))
	var at []int
	var objects, classes []int64
	for i, b := range bs {
		if out[i] = b.own(j.actor.Org); !out[i] {
			at, objects, classes = append(at, i), append(objects, b.Seq), append(classes, b.Class)
		}
	}
	if len(at) == 0 {
		return out, nil
	}
	some, err := s.c.Shows(ctx, j.actor, j.program, objects, classes)
	if err != nil {
		return nil, err
	}
	for k, i := range at {
		out[i] = some[k]
	}
	return out, nil
}

func (b Bearer) own(org exchange.OrgID) bool { return b.Journal && b.Org == org }

// define reads marking definitions of the program, those that the writer sees.
func (s *Service) define(ctx context.Context, j *job, defs []Bearer) error {
	ok, err := s.shown(ctx, j, defs)
	if err != nil {
		return err
	}
	r := s.reader()
	defer r.close()
	for i, d := range defs {
		if !ok[i] {
			continue
		}
		raw, err := r.bytes(d)
		if err != nil {
			return err
		}
		j.env.words.Define(d.ID, raw, j.now) // what finds no room is held
	}
	return nil
}

// judge decides what becomes of each object.
func (s *Service) judge(ctx context.Context, j *job, p *part, f *facts) error {
	r := s.reader()
	defer r.close()
	for i := 0; i < len(f.bearers); {
		k := f.bearers[i].Key
		n := i
		for n < len(f.bearers) && f.bearers[n].Key == k {
			n++
		}
		o := &p.objs[k]
		if err := o.meet(r, p.raw, f.bearers[i:n], f.shown[i:n], j.actor.Org); err != nil {
			return err
		}
		i = n
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	f.intern(j, p)
	return nil
}

// meet compares the object with those of the same id that the writer sees.
func (o *element) meet(r *reader, raw []byte, bs []Bearer, shown []bool, org exchange.OrgID) error {
	var mine, theirs, myOther, theirOther bool
	for i, b := range bs {
		if !shown[i] {
			continue
		}
		own := b.Org == org
		mine, theirs = mine || own, theirs || !own
		if b.Version != o.version {
			continue
		}
		same := b.Length == o.length
		if same {
			old, err := r.bytes(b)
			if err != nil {
				return err
			}
			same = bytes.Equal(old, raw[o.offset:o.offset+o.length])
		}
		if same {
			o.fate, o.note = known, "it was there already"
			return nil
		}
		myOther, theirOther = myOther || own, theirOther || !own
	}
	switch {
	case o.version == 0 && myOther:
		o.refuse("your organisation added this object with other properties; it has no versions, so remove that one first (STIX 2.1 §3.6)")
	case o.version == 0:
		// Whoever derives an identifier from the content arrives at the same one.
	case theirs && !mine:
		o.refuse("another organisation made this object, and only its creator makes new versions (STIX 2.1 §3.6.2)")
	case myOther || theirOther:
		o.refuse("this version is there with other content; give the new content a later modified (STIX 2.1 §3.6)")
	}
	return nil
}

func (o *element) refuse(why string) { o.fate, o.note = refused, why }

// fresh is how many classes have no number.
func (f *facts) fresh() (n int) {
	for _, c := range f.combos {
		n = max(n, c.fresh)
	}
	return n
}

// number stores the classes that the journal lacks, and answers the number of
// the first.
func (f *facts) number(tx Tx) (first int64, err error) {
	n := f.fresh()
	if n == 0 {
		return 0, nil
	}
	if first, err = tx.NextClassID(n); err != nil {
		return 0, err
	}
	var hs []exchange.HandlingClass
	for _, c := range f.combos {
		if c.fresh == 0 {
			continue
		}
		h := c.HandlingClass
		h.ID, h.Artifact = c.id(first), f.journal.Artifact
		hs = append(hs, h)
	}
	return first, tx.PutClasses(hs)
}

// lay lists the objects to be stored, with their places in the bytes to be
// appended, and those bytes.
func (f *facts) lay(p *part) (objs []Object, classes []int, raw []byte) {
	if len(p.objs) == 0 {
		return nil, nil, nil
	}
	from := p.objs[0].offset
	last := p.objs[len(p.objs)-1]
	all := !slices.ContainsFunc(p.objs, func(o element) bool { return o.fate != stored })
	if all {
		raw = p.raw[from : last.offset+last.length+int64(len(between))]
	}
	for i := range p.objs {
		o := &p.objs[i]
		if o.fate != stored {
			continue
		}
		at := o.offset - from
		if !all {
			at = int64(len(raw))
			raw = append(raw, p.raw[o.offset:o.offset+o.length+int64(len(between))]...)
		}
		objs = append(objs, Object{ID: o.id, Type: o.typ, Version: o.version, Offset: at, Length: o.length})
		classes = append(classes, o.class)
	}
	return objs, classes, raw
}

// reader reads bytes of earlier objects, and keeps a few files open.
type reader struct {
	blobs Blobs
	open  map[string]Blob
	buf   []byte
}

const openBlobs = 32

func (s *Service) reader() *reader { return &reader{blobs: s.c.Blobs, open: map[string]Blob{}} }

func (r *reader) close() {
	for _, b := range r.open {
		_ = b.Close() // read only
	}
	clear(r.open)
}

// bytes is valid until the next call.
func (r *reader) bytes(b Bearer) ([]byte, error) {
	f, ok := r.open[b.Blob]
	if !ok {
		if len(r.open) >= openBlobs {
			r.close()
		}
		var err error
		if f, err = r.blobs.Open(b.Blob); err != nil {
			return nil, fmt.Errorf("reading an earlier object: %w", err)
		}
		r.open[b.Blob] = f
	}
	r.buf = slices.Grow(r.buf[:0], int(b.Length))[:b.Length]
	if n, err := f.ReadAt(r.buf, b.Offset); int64(n) < b.Length {
		return nil, fmt.Errorf("reading an earlier object: %w", err)
	}
	return r.buf, nil
}
