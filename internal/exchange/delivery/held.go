package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Held is one item that an actor may have: an artifact, or one STIX object of
// one. It says what governs the item and carries no content.
type Held struct {
	Artifact exchange.Artifact      // what the item stands in; as the actor is shown it
	Owners   []exchange.OrgID       // whose consent governs it, whether the actor may know them or not
	Object   Object                 // the zero value: the artifact as a whole
	Class    exchange.HandlingClass // of the object
	Handling exchange.Handling      // the artifact's, joined with the markings of the object, or of all its objects
	Shown    exchange.Handling      // of what the actor has of it: as Handling, without what is withheld
	Withheld []string               // selectors of the parts of the object that the actor does not have
	TLP      exchange.TLP           // effective now
	Release  exchange.Release
}

// Held answers what the actor may have under an identifier: of an artifact, or
// of a STIX object in the program. It gives no content, so nothing is recorded.
// What the actor may not have is exchange.NotFound.
func (s *Service) Held(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string) (Held, error) {
	if !strings.Contains(id, "--") {
		k, v, err := s.entitled(ctx, a, exchange.ArtifactID(id))
		if err != nil {
			return Held{}, err
		}
		if program != "" && v.charter.ID != program {
			return Held{}, exchange.Missing()
		}
		h := k.held(v)
		return h, s.c.Store.View(ctx, func(tx Tx) error {
			h.Shown = k.artifact.Handling
			for _, m := range k.marks {
				oc, err := v.classOf(tx, m.ID, s.c.Now())
				if err != nil {
					return err
				}
				if oc.decision.Allowed() {
					h.Shown = joined(h.Shown, without(m, oc.decision.Fields))
				}
			}
			return nil
		})
	}
	v, err := s.view(ctx, a, program)
	if err != nil {
		return Held{}, err
	}
	var h Held
	err = s.look(ctx, func(l *looking) error {
		tx := l.tx
		e, err := l.view(v).newest(id)
		if err == nil && e.Object == 0 {
			err = exchange.Missing()
		}
		if err != nil {
			return err
		}
		o := objectOf(e)
		k, err := v.classOf(tx, o.Class, s.c.Now())
		if err != nil {
			return err
		}
		if !k.decision.Allowed() {
			return exchange.Missing()
		}
		class, err := tx.HandlingClass(o.Class)
		if err != nil {
			return err
		}
		h = k.held(v)
		h.Object, h.Class = o, class
		h.Handling = joined(h.Handling, class)
		h.Withheld = k.decision.Fields
		h.Shown = joined(k.artifact.Handling, without(class, h.Withheld))
		return nil
	})
	return h, err
}

// without is the class without the markings of parts that are withheld.
func without(c exchange.HandlingClass, withheld []string) exchange.HandlingClass {
	var fields []exchange.FieldHandling
	for _, f := range c.Fields {
		f.Selectors = slices.DeleteFunc(slices.Clone(f.Selectors), func(s string) bool { return slices.Contains(withheld, s) })
		if len(f.Selectors) > 0 {
			fields = append(fields, f)
		}
	}
	c.Fields = fields
	return c
}

// held is the class without content.
func (k *class) held(v *view) Held {
	h := Held{
		Artifact: v.named(k.artifact), Owners: k.artifact.Owners(), Handling: k.artifact.Handling, TLP: k.decision.TLP, Release: k.release,
	}
	for _, m := range k.marks {
		h.Handling = joined(h.Handling, m)
	}
	return h
}

// joined adds to a handling what markings say of the whole object and of its
// parts. What could not be understood is for nobody.
func joined(h exchange.Handling, c exchange.HandlingClass) exchange.Handling {
	h = h.Join(c.Handling)
	h.TLP = max(h.TLP, c.TLP)
	held := c.Held
	for _, f := range c.Fields {
		h, held = h.Join(f.Handling), held || f.Held
	}
	if held {
		h = h.Join(exchange.Handling{TLP: exchange.TLPRed, Persons: []exchange.PersonID{exchange.Nobody}})
	}
	return h
}

// Allowed lists the objects of one artifact that the actor may have, in the order
// in which they were submitted, and at most limit and one more. It gives no
// content, so nothing is recorded.
func (s *Service) Allowed(ctx context.Context, a exchange.Actor, id exchange.ArtifactID, limit int) ([]Object, error) {
	k, v, err := s.entitled(ctx, a, id)
	if err != nil {
		return nil, err
	}
	var out []Object
	after := int64(-1)
	for more := true; more && len(out) <= limit; {
		err = s.c.Store.View(ctx, func(tx Tx) error {
			objs, err := tx.ObjectsIn(k.artifact.Number, after, MaxLimit)
			if more = len(objs) > 0; err != nil || !more {
				return err
			}
			after = objs[len(objs)-1].Seq
			for _, o := range objs {
				oc, err := v.classOf(tx, o.Class, s.c.Now())
				if err != nil {
					return err
				}
				if oc.decision.Allowed() {
					out = append(out, o)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out[:min(len(out), limit+1)], nil
}

// Grantable answers whether the organisation would be given the item if its
// originators gave it to that organisation by name now, until the instant
// (zero: without end), and of a STIX object also its bytes as they are kept, and
// the selectors of what would be withheld in it all the same. ok is false where a step that no grant passes stands against it.
func (s *Service) Grantable(ctx context.Context, org exchange.OrgID, artifact int64, o Object, until time.Time) (raw []byte, withheld []string, ok bool, err error) {
	var k *class
	now := s.c.Now()
	err = s.c.Store.View(ctx, func(tx Tx) error {
		art, err := tx.ArtifactByNumber(artifact)
		if err != nil {
			return err
		}
		c, err := tx.Charter(art.Program)
		if err != nil {
			return err
		}
		v, err := asMember(tx, c, org)
		if err != nil {
			return err
		}
		v.r.Channel = exchange.ChannelWeb
		if o.Seq == 0 {
			k, err = v.wholeFacts(tx, art)
		} else {
			var h exchange.HandlingClass
			if h, err = tx.HandlingClass(o.Class); err == nil {
				k, err = v.facts(tx, art, h)
			}
		}
		if err != nil {
			return err
		}
		k.item.GrantedAt, k.item.GrantedUntil = now, until
		k.decide(v.r, now, policy.Decide)
		return nil
	})
	if err != nil {
		return nil, nil, false, fmt.Errorf("looking at what a grant would give: %w", err)
	}
	if !k.decision.Allowed() {
		return nil, nil, false, nil
	}
	if o.Seq == 0 {
		return nil, nil, true, nil
	}
	raw, err = s.raw(k, o)
	return raw, k.decision.Fields, err == nil, err
}
