package delivery

import (
	"cmp"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// known returns the versions of what the reader knows by an identifier, oldest
// first, each by the earliest entry that shows it. Whoever has a copy alone does
// not know the original by its identifier.
func (r *resolver) known(id string) ([]Entry, error) {
	objs, err := r.tx.ObjectsByHash(r.v.charter.ID, exchange.IDHash(id), r.v.gives)
	if err != nil {
		return nil, err
	}
	var all []Entry
	for _, o := range objs {
		if o.ID == id {
			all = r.shown(all, entryOf(o))
		}
	}
	out, err := r.under(id, all)
	if err != nil || len(out) > 0 {
		return out, err
	}
	if all, err = r.originals(id); err != nil {
		return nil, err
	}
	return r.under(id, all)
}

// originals are the entries of the view of which somebody's copy bears the
// identifier.
func (r *resolver) originals(id string) ([]Entry, error) {
	seqs, err := r.tx.CopiesOf(exchange.IDHash(id))
	if err != nil {
		return nil, err
	}
	seqs = slices.DeleteFunc(seqs, func(seq int64) bool { return r.v.added(seq) == 0 })
	if len(seqs) == 0 {
		return nil, nil
	}
	es, err := r.tx.EntriesOf(seqs)
	if err != nil {
		return nil, err
	}
	var all []Entry
	for _, e := range es {
		if !e.Removed {
			all = r.shown(all, e)
		}
	}
	return all, nil
}

// shown adds an entry once for each time that the view shows it.
func (r *resolver) shown(all []Entry, e Entry) []Entry {
	p := e.Object & positions
	r.v.holding(e.Object>>24, p, func(s stretch) bool {
		e.Added = s.date(p)
		all = append(all, e)
		return false
	})
	return all
}

// under keeps those of the entries that the reader has under the identifier, and
// of each version the earliest.
func (r *resolver) under(id string, all []Entry) ([]Entry, error) {
	slices.SortFunc(all, byAdded)
	os, err := r.outcomes(all)
	if err != nil {
		return nil, err
	}
	var out []Entry
	for i, e := range all {
		if os[i].id != id || slices.ContainsFunc(out, func(o Entry) bool { return o.Version == e.Version }) {
			continue
		}
		e.ID, e.Redacted = id, os[i].redacted
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return cmp.Compare(a.VersionAt(), b.VersionAt()) })
	return out, nil
}

// original is the newest object that the reader may have as it is and of which
// somebody's copy bears the identifier.
func (r *resolver) original(id string) (Entry, error) {
	all, err := r.originals(id)
	if err != nil {
		return Entry{}, err
	}
	if len(all) == 0 && r.v.r.Owner {
		if all, err = r.inProgram(id); err != nil {
			return Entry{}, err
		}
	}
	os, err := r.outcomes(all)
	if err != nil {
		return Entry{}, err
	}
	var newest Entry
	for i, e := range all {
		if os[i].entire() && (newest.Object == 0 || e.VersionAt() >= newest.VersionAt()) {
			newest = e
		}
	}
	return newest, nil
}

// inProgram is originals for those who run the program and read no feed of it.
func (r *resolver) inProgram(id string) ([]Entry, error) {
	seqs, err := r.tx.CopiesOf(exchange.IDHash(id))
	if err != nil || len(seqs) == 0 {
		return nil, err
	}
	es, err := r.tx.EntriesOf(seqs)
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, e := range es {
		k, err := r.class(e.Class)
		if err != nil {
			return nil, err
		}
		if !e.Removed && k.artifact.Program == r.v.charter.ID {
			out = append(out, e)
		}
	}
	return out, nil
}

// ofOwner is the newest version that those who run the program have of an object,
// whether or not a wave brought it to them.
func (r *resolver) ofOwner(id string) (Entry, error) {
	objs, err := r.tx.ObjectsByHash(r.v.charter.ID, exchange.IDHash(id), nil)
	if err != nil {
		return Entry{}, err
	}
	var newest Entry
	for _, o := range objs {
		if o.ID == id && (newest.Object == 0 || o.Version >= newest.Version) {
			newest = entryOf(o)
		}
	}
	return newest, nil
}
