package recall

import (
	"context"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// target is what an act is about.
type target struct {
	charter  exchange.Charter
	release  exchange.Release
	artifact exchange.Artifact // of an object: the one with its newest version
	object   string
	objects  []Object            // every version of the object; nil: the whole artifact
	arts     []exchange.Artifact // that hold them
	owners   []exchange.OrgID
}

const noMore = "; nothing was changed"

// may reports whether the actor may take the artifact back: people of an
// organisation that owns it, and operators of the program. What is asked for
// here only ever tightens, so no charter forbids it.
func may(a exchange.Actor, c exchange.Charter, art exchange.Artifact) bool {
	switch {
	case !a.Reaches(c.ID):
		return false
	case a.Operates(c.Owner):
		return true
	case a.Ceiling != exchange.TLPUnset && a.Ceiling < art.Handling.TLP:
		return false
	case a.Org == c.Owner && !a.Approves(c.Owner): // others of that house do not know of it
		return false
	}
	return !a.Anonymous() && a.May(exchange.VerbSubmit) && slices.Contains(art.Owners(), a.Org)
}

// find resolves the target of an act. ok is false where the actor may not do it,
// or there is no such thing: the caller then asks whether the actor sees it.
func find(tx Tx, a exchange.Actor, act Act) (t target, ok bool, err error) {
	if act.Object != "" {
		return findObject(tx, a, act)
	}
	t.artifact, err = tx.Artifact(act.Artifact)
	if exchange.KindOf(err) == exchange.NotFound {
		return t, false, nil
	}
	if err != nil {
		return t, false, err
	}
	if t.charter, err = tx.Charter(t.artifact.Program); err != nil || !may(a, t.charter, t.artifact) {
		return t, false, err
	}
	if !t.artifact.RemovedAt.IsZero() {
		return t, true, exchange.Fail(exchange.Conflict, "the artifact was taken out of its release before anybody had it"+noMore)
	}
	t.arts, t.owners = []exchange.Artifact{t.artifact}, t.artifact.Owners()
	t.release, err = tx.Release(t.artifact.Release)
	return t, true, err
}

func findObject(tx Tx, a exchange.Actor, act Act) (t target, ok bool, err error) {
	t.object = act.Object
	t.charter, err = tx.Charter(act.Program)
	if exchange.KindOf(err) == exchange.NotFound {
		return t, false, nil
	}
	if err != nil {
		return t, false, err
	}
	all, err := tx.Bearers(act.Program, act.Object)
	if err != nil {
		return t, false, err
	}
	known := map[int64]exchange.Artifact{}
	newest := int64(-1)
	for _, o := range all {
		art, had := known[o.Artifact()]
		if !had {
			if art, err = tx.ArtifactByNumber(o.Artifact()); err != nil {
				return t, false, err
			}
			known[art.Number] = art
		}
		if !may(a, t.charter, art) || !art.RecalledAt.IsZero() || !art.RemovedAt.IsZero() {
			continue
		}
		if !had {
			t.arts = append(t.arts, art)
			t.owners = append(t.owners, art.Owners()...)
		}
		if t.objects = append(t.objects, o); o.Version > newest {
			newest, t.artifact = o.Version, art
		}
	}
	if len(t.objects) == 0 {
		return t, false, nil
	}
	slices.Sort(t.owners)
	t.owners = slices.Compact(t.owners)
	t.release, err = tx.Release(t.artifact.Release)
	return t, true, err
}

// refusal is the answer to who may not do it: Denied where the actor sees the
// target, else the answer to what does not exist.
func (s *Service) refusal(ctx context.Context, a exchange.Actor, act Act) error {
	var err error
	if act.Object != "" {
		err = s.c.SeesObject(ctx, a, act.Program, act.Object)
	} else {
		err = s.c.Sees(ctx, a, act.Artifact)
	}
	if err != nil {
		return err
	}
	return exchange.Fail(exchange.Denied, "only its originator, and an operator of the program, take it back"+noMore)
}

// under is what governs what the act is about. Of an object that is what its
// markings ask, too; of several versions the one that most may know of, since
// its holders have to be told.
func (t target) under(tx Tx) (h exchange.Handling, err error) {
	if len(t.objects) == 0 {
		return t.artifact.Handling, nil
	}
	for _, a := range t.arts {
		marks, err := tx.ClassesOf(a.Number)
		if err != nil {
			return h, err
		}
		for _, m := range marks {
			if !slices.ContainsFunc(t.objects, func(o Object) bool { return o.Artifact() == a.Number && o.Class == m.ID }) {
				continue
			}
			of := a.Handling.Join(m.Handling).Join(exchange.Handling{TLP: m.TLP})
			if h.TLP == exchange.TLPUnset || of.TLP < h.TLP {
				h = of
			}
		}
	}
	return h, nil
}

// label is the label that the act carries, AMBER at least until what it is about
// is public.
func (t target) label(h exchange.Handling) exchange.TLP {
	if t.release.PublicAt.IsZero() {
		return max(h.TLP, exchange.TLPAmber)
	}
	return h.TLP
}
