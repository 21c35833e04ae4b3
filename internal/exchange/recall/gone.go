package recall

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// mostGone bounds how many acts are looked through for an answer.
const mostGone = 10_000

// Loss is what was taken back from an organisation that asks for it.
type Loss struct {
	Program exchange.ProgramID
	// Class is the handling class of an object of an artifact that was taken back as
	// a whole, and Was the artifact's handling before: who might not have that
	// object then has not lost it. 0: it was given for certain.
	Class int64
	Was   exchange.Handling
	Copy  bool  // asked for by the identifier of the copy that the organisation was given
	Part  bool  // the organisation was given a copy, and the object itself was asked for
	Gone  error // of the kind exchange.Gone; nil: nothing was taken back
}

// Gone answers whether what an actor asked for, and may not have, was taken back
// from its organisation after it was given. id is an artifact's, a release's or,
// with a program, a STIX object's. It costs the same whether the id exists or not.
func (s *Service) Gone(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string) (l Loss, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		l = Loss{}
		all, err := tx.Recalls(Filter{Holder: a.Org, Limit: mostGone})
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(r Recall) bool {
			return r.Effective.After(tx.Now()) || program != "" && r.Program != program
		})
		asked, part := ask{id: id}, false
		if program != "" {
			if asked, part, err = askedFor(tx, a.Org, id); err != nil {
				return err
			}
		}
		whole := map[int64]Recall{}
		for _, r := range all {
			if program != "" && r.Object == "" {
				if _, later := whole[r.Number]; !later {
					whole[r.Number] = r
				}
			}
			if r.names(program, asked.id) && !part {
				if l, err = lost(tx, a, r); err != nil || l.Gone != nil {
					return err
				}
			}
		}
		if len(whole) == 0 {
			return nil
		}
		held, err := tx.HeldIn(slices.Collect(maps.Keys(whole)), asked.id)
		for i := 0; i < len(held) && err == nil && l.Gone == nil; i++ {
			if l, err = lost(tx, a, whole[held[i].Artifact()]); l.Gone != nil {
				l.Class, l.Copy, l.Part = held[i].Class, asked.copy, part
			}
		}
		return err
	})
	return l, err
}

// names reports whether the act is about what has the id; with a program, that
// is a STIX object.
func (r Recall) names(program exchange.ProgramID, id string) bool {
	if program != "" {
		return r.Object == id
	}
	return r.Object == "" && (id == string(r.Artifact) || id == string(r.Release))
}

// lost is the loss of a holder that lost it.
func lost(tx Tx, a exchange.Actor, r Recall) (Loss, error) {
	v, err := sides(tx, a, r)
	if exchange.KindOf(err) == exchange.NotFound || err == nil && (v.Mine == nil || !v.Mine.Loses) {
		return Loss{}, nil
	}
	if err != nil {
		return Loss{}, err
	}
	was := r.Was
	if r.Kind == Expired {
		was.Expires = time.Time{}
	}
	return Loss{Program: r.Program, Was: was, Gone: r.gone(*v.Mine)}, nil
}

// ask is what an organisation means by an identifier.
type ask struct {
	id   string // of the object itself
	copy bool   // asked for by that of a copy
}

// askedFor answers which object an organisation means. part: it was given a copy,
// and asks for the object itself, which it does not know.
func askedFor(tx Tx, org exchange.OrgID, id string) (asked ask, part bool, err error) {
	asked.id = id
	gs, err := tx.CopiesGivenTo(org, id)
	for _, g := range gs {
		if g.ID == id {
			return ask{g.Of, true}, false, err
		}
		part = true
	}
	return asked, part, err
}

// knownAs is the identifier by which an organisation knows an object: that of the
// newest copy that was made for it, else its own.
func knownAs(tx Tx, org exchange.OrgID, object string) (string, error) {
	gs, err := tx.CopiesGivenTo(org, object)
	for _, g := range gs {
		if g.Of == object {
			object = g.ID
			break
		}
	}
	return object, err
}
