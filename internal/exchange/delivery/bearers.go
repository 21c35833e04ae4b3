package delivery

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Bearers is where an item is: the artifact that it names, or those in which the
// STIX object is.
type Bearers struct {
	Charter   exchange.Charter
	Artifacts []exchange.Artifact
	All       bool // the actor oversees the program
	Own       bool // the actor's organisation is an originator of each
}

// Bearers answers where an item is, as far as the actor may know: all of it to
// those who run the program; to an originator its own; to everybody else what they
// may see. Nothing is given by it. An artifact needs no program.
func (s *Service) Bearers(ctx context.Context, a exchange.Actor, program exchange.ProgramID, item string) (Bearers, error) {
	var b Bearers
	if program == "" {
		err := s.c.Store.View(ctx, func(tx Tx) error {
			art, err := tx.Artifact(exchange.ArtifactID(item))
			program = art.Program
			return err
		})
		if err != nil {
			return b, err
		}
	}
	own, err := s.view(ctx, a, program)
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return b, err
	}
	err = s.look(ctx, func(l *looking) (err error) {
		tx := l.tx
		b.Artifacts = nil
		if b.Charter, err = tx.Charter(program); err != nil {
			return err
		}
		q := question{tx: tx, l: l, a: a, own: own, all: oversees(a, b.Charter), now: s.c.Now()}
		if !q.all && (own == nil || !own.takesPart() || !a.May(exchange.VerbRead)) {
			return exchange.Missing()
		}
		if own == nil { // who oversees without reading, such as an auditor
			own = newView(b.Charter, policy.Recipient{}, q.now)
		}
		ks, err := own.candidates(tx, program, item)
		if exchange.KindOf(err) == exchange.NotFound && !q.all {
			return b.ofCopy(&q, item)
		}
		if err != nil {
			return err
		}
		b.All = q.all
		return b.gather(&q, ks)
	})
	return b, err
}

// gather takes the artifacts of which the actor may know.
func (b *Bearers) gather(q *question, ks []candidate) error {
	var mine, seen []exchange.Artifact
	for _, k := range ks {
		if q.all || q.owns(k.artifact) {
			mine = distinctly(mine, k.artifact)
			continue
		}
		ok, err := q.sees(k)
		if err != nil {
			return err
		}
		if ok {
			seen = distinctly(seen, k.artifact)
		}
	}
	b.Artifacts, b.Own = mine, len(mine) > 0 && !q.all
	if len(mine) == 0 {
		b.Artifacts = seen
	}
	if len(b.Artifacts) == 0 {
		return exchange.Missing()
	}
	return nil
}

// ofCopy takes the artifacts of the object of which the actor has a copy under
// the identifier.
func (b *Bearers) ofCopy(q *question, id string) error {
	if exchange.HasIDPrefix(id, "art") {
		return exchange.Missing()
	}
	es, err := q.knows(id)
	for _, e := range es {
		k, err := q.own.classOf(q.tx, e.Class, q.now)
		if err != nil {
			return err
		}
		b.Artifacts = distinctly(b.Artifacts, k.artifact)
	}
	if err == nil && len(b.Artifacts) == 0 {
		err = exchange.Missing()
	}
	return err
}

func distinctly(list []exchange.Artifact, a exchange.Artifact) []exchange.Artifact {
	for _, o := range list {
		if o.Number == a.Number {
			return list
		}
	}
	return append(list, a)
}
