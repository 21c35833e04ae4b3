package reshare

import (
	"context"
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Lineage is what an artifact was made from, and what was made from it, as far
// as the reader may know: what the reader holds, is an originator of, or finds
// in a program that it runs. What is left out is not counted either.
type Lineage struct {
	Artifact exchange.Artifact
	Relation string
	Owners   []exchange.OrgID // whose consent its handling takes, for those who may know them
	Parents  []Kin
	Children []Kin
}

// Kin is a parent or a child.
type Kin struct {
	ID       string // an artifact's, or a STIX object's
	Title    string
	Relation string // of a child: how it was made
	Recalled bool
}

// Lineage answers for one artifact.
//
// Errors: exchange.NotFound for whoever neither holds the artifact nor is an
// originator of it.
func (s *Service) Lineage(ctx context.Context, a exchange.Actor, id exchange.ArtifactID) (Lineage, error) {
	l := Lineage{}
	art, runs, err := s.artifact(ctx, a, id)
	if err != nil {
		return l, err
	}
	held, err := s.c.Items.Held(ctx, a, art.Program, string(id))
	owner := slices.Contains(art.Owners(), a.Org) && a.May(exchange.VerbRead) && !a.Capped()
	if err != nil && (exchange.KindOf(err) != exchange.NotFound || !owner && !runs) {
		return l, err
	}
	l.Artifact, l.Relation = held.Artifact, art.Relation
	if err != nil {
		l.Artifact = exchange.Artifact{ID: art.ID, Title: art.Title, Program: art.Program}
	}
	var children []exchange.Artifact
	err = s.c.Store.View(ctx, func(tx Tx) error {
		c, err := tx.Charter(art.Program)
		if err != nil {
			return err
		}
		for _, o := range art.Owners() {
			if runs || o == a.Org || !unnamed(Held{Artifact: art, Handling: art.Handling}, c) {
				l.Owners = append(l.Owners, o)
			}
		}
		children, err = tx.DerivedOf(art.Program, string(id))
		return err
	})
	if err != nil {
		return l, err
	}
	for _, parent := range art.DerivedFrom {
		k, ok, err := s.kin(ctx, a, art.Program, parent, runs)
		if err != nil {
			return l, err
		}
		if ok {
			l.Parents = append(l.Parents, k)
		}
	}
	for _, child := range children {
		k, ok, err := s.kin(ctx, a, art.Program, string(child.ID), runs)
		if err != nil {
			return l, err
		}
		if ok {
			k.Relation = child.Relation
			l.Children = append(l.Children, k)
		}
	}
	return l, nil
}

// artifact reads what is looked at, and whether the actor runs its program.
func (s *Service) artifact(ctx context.Context, a exchange.Actor, id exchange.ArtifactID) (art exchange.Artifact, runs bool, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		if art, err = tx.Artifact(id); err != nil {
			return err
		}
		c, err := tx.Charter(art.Program)
		if err != nil {
			return err
		}
		if !a.Reaches(c.ID) || !art.RemovedAt.IsZero() {
			return exchange.Missing()
		}
		runs = a.Oversees(c.Owner) && !a.Reviews(c.Owner)
		return nil
	})
	return art, runs, err
}

// kin is a relative, where the actor may know of it.
func (s *Service) kin(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string, runs bool) (k Kin, ok bool, err error) {
	k.ID = id
	if strings.Contains(id, "--") {
		_, err := s.c.Items.Held(ctx, a, program, id)
		if err != nil && exchange.KindOf(err) != exchange.NotFound {
			return k, false, err
		}
		return k, runs || err == nil, nil
	}
	var art exchange.Artifact
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		art, err = tx.Artifact(exchange.ArtifactID(id))
		return err
	})
	if exchange.KindOf(err) == exchange.NotFound {
		return k, false, nil
	}
	if err != nil {
		return k, false, err
	}
	k.Title, k.Recalled = art.Title, !art.RecalledAt.IsZero()
	if runs || slices.Contains(art.Owners(), a.Org) && !a.Capped() {
		return k, true, nil
	}
	if _, err := s.c.Items.Held(ctx, a, program, id); err != nil {
		if exchange.KindOf(err) == exchange.NotFound {
			err = nil
		}
		return k, false, err
	}
	return k, true, nil
}
