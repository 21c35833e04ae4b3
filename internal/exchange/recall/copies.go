package recall

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// stone is a tombstone that was written and is not stored yet.
type stone struct {
	Object
	under
}

// under is what a tombstone stands under: the class of its object, and who must
// not see it, in a text. An organisation that was given a redacted copy is given
// the tombstone of the copy, and none of the object itself, which it does not
// know. A grant passes allow-lists, so exclusions keep them apart.
type under struct {
	class int64
	copy  bool
	not   string
}

func (u under) excluded() (out []exchange.OrgID) {
	for s := range strings.FieldsSeq(u.not) {
		out = append(out, exchange.OrgID(s))
	}
	return out
}

func except(orgs []exchange.OrgID) string {
	out := make([]string, len(orgs))
	for i, o := range orgs {
		out[i] = string(o)
	}
	return strings.Join(out, " ")
}

// given are the copies of objects that those who lose them were given, by object.
func (g *digger) given(objs []Object) (out map[int64][]Given, err error) {
	out = map[int64][]Given{}
	take := func(tx Tx, first, last int64) error {
		gs, err := tx.GivenIn(first>>24, first&positions, last&positions)
		for _, c := range gs {
			if _, loses := slices.BinarySearch(g.losers, c.Org); loses {
				out[c.Seq] = append(out[c.Seq], c)
			}
		}
		return err
	}
	err = g.s.c.Store.View(g.ctx, func(tx Tx) error {
		clear(out)
		if g.d.object == "" && len(objs) > 0 { // of one artifact, in order
			return take(tx, objs[0].Seq, objs[len(objs)-1].Seq)
		}
		for _, o := range objs {
			if err := take(tx, o.Seq, o.Seq); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// part writes the tombstones of some objects, and, of the objects of an artifact,
// those of their copies.
func (g *digger) part(objs []Object, given map[int64][]Given) error {
	for _, o := range objs {
		all := given[o.Seq]
		if g.d.object != "" { // of its other versions, too
			all = slices.Concat(slices.Collect(maps.Values(given))...)
		}
		have := make([]exchange.OrgID, len(all))
		for i, c := range all {
			have[i] = c.Org
		}
		slices.Sort(have)
		if err := g.write(o, o.ID, slices.Compact(have)); err != nil {
			return err
		}
		if g.d.object == "" {
			if err := g.copies([]Object{o}, o, given); err != nil {
				return err
			}
		}
	}
	return nil
}

// copies writes the tombstones of copies: later than newest, as that of the
// object itself.
func (g *digger) copies(objs []Object, newest Object, given map[int64][]Given) error {
	for _, o := range objs {
		by := map[string][]exchange.OrgID{}
		var ids []string
		for _, c := range given[o.Seq] {
			if by[c.ID] == nil {
				ids = append(ids, c.ID)
			}
			by[c.ID] = append(by[c.ID], c.Org)
		}
		o.Version = max(o.Version, newest.Version)
		for _, id := range ids {
			not := slices.DeleteFunc(slices.Clone(g.losers), func(l exchange.OrgID) bool { return slices.Contains(by[id], l) })
			if err := g.write(o, id, not); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes one tombstone.
func (g *digger) write(o Object, id string, not []exchange.OrgID) error {
	b, version, err := g.revoked(o, id)
	if err != nil || b == nil {
		return err
	}
	if g.a.Objects > 0 {
		if _, err := g.w.WriteString(between); err != nil {
			return err
		}
		g.offset += int64(len(between))
	}
	if _, err := g.w.Write(b); err != nil {
		return err
	}
	g.chunk = append(g.chunk, stone{Object{
		Seq: g.a.Number<<24 | g.a.Objects, ID: id, Type: o.Type, Version: version, Offset: g.offset, Length: int64(len(b)),
	}, under{o.Class, id != o.ID, except(not)}})
	g.a.Objects++
	g.offset += int64(len(b))
	return nil
}

// flush stores what was written since the last call. A tombstone is under the
// markings of its object: who might not see that is not told that it is gone.
func (g *digger) flush() error {
	if len(g.chunk) == 0 {
		return nil
	}
	if err := g.ctx.Err(); err != nil {
		return err
	}
	made := map[under]int64{}
	err := g.s.c.Store.Update(g.ctx, func(tx Tx) error {
		clear(made)
		objs := make([]Object, len(g.chunk))
		var fresh []exchange.HandlingClass
		for i, o := range g.chunk {
			to, known := g.classes[o.under]
			if !known {
				to, known = made[o.under]
			}
			if !known {
				h, err := g.class(tx, o.under)
				if err != nil {
					return err
				}
				if h.ID, err = tx.NextClassID(1); err != nil {
					return err
				}
				to, made[o.under] = h.ID, h.ID
				fresh = append(fresh, h)
			}
			objs[i] = o.Object
			objs[i].Class = to
		}
		if err := tx.PutClasses(fresh); err != nil {
			return err
		}
		return tx.PutTombstones(g.d.Program, g.a.Number, objs)
	})
	if err != nil {
		return err
	}
	for k, v := range made {
		g.classes[k] = v
	}
	g.chunk = g.chunk[:0]
	return nil
}

// class is the handling class of tombstones.
func (g *digger) class(tx Tx, u under) (exchange.HandlingClass, error) {
	for _, a := range g.d.arts {
		all, err := tx.ClassesOf(a.Number)
		if err != nil {
			return exchange.HandlingClass{}, err
		}
		if i := slices.IndexFunc(all, func(h exchange.HandlingClass) bool { return h.ID == u.class }); i >= 0 {
			h := all[i]
			if h.Artifact = g.a.Number; u.copy { // else only who might have all of the object knows it
				h.Fields = nil
			}
			h.Handling.Expires = time.Time{}
			h.Handling = h.Handling.Join(exchange.Handling{NotOrgs: u.excluded()})
			return h, nil
		}
	}
	return exchange.HandlingClass{}, fmt.Errorf("burying: the handling class %d is not known", u.class)
}
