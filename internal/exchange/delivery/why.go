package delivery

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Why explains to those who run a program what a recipient (an organisation's
// id, or a person's login) gets of an item (an artifact's id, or a STIX id),
// and by which step. For an instant to come, waves are taken to open as planned.
func (s *Service) Why(ctx context.Context, a exchange.Actor, program exchange.ProgramID, item, recipient string, at time.Time) (Why, error) {
	if err := s.c.Due(ctx); err != nil {
		return Why{}, err
	}
	w := Why{Item: item, At: at}
	if at.IsZero() {
		w.At = s.c.Now()
	}
	err := s.c.Store.View(ctx, func(tx Tx) error {
		c, err := tx.Charter(program)
		if err != nil {
			return err
		}
		if !oversees(a, c) {
			return exchange.Missing()
		}
		v, err := asRecipient(tx, c, recipient)
		if err != nil {
			return err
		}
		v.required = c.Required(w.At)
		ks, err := v.candidates(tx, program, item)
		if err != nil {
			return err
		}
		for i, k := range ks {
			k.item = asPlanned(k.item, k.release, w.At)
			k.decide(v.r, w.At, policy.Explain)
			if i == 0 || k.decision.Allowed() {
				w.Artifact, w.Decision = k.artifact, k.decision
			}
		}
		w.Recipient, w.Audience = v.r.Org, v.r.Audience
		return nil
	})
	return w, err
}

// oversees reports whether the actor may be told what recipients of the program get.
func oversees(a exchange.Actor, c exchange.Charter) bool {
	return a.Oversees(c.Owner) && a.Reaches(c.ID)
}

// asPlanned takes a wave that is planned for an instant before at as open then,
// and the release as public from its T0 on.
func asPlanned(i policy.Item, r exchange.Release, at time.Time) policy.Item {
	if i.OpenedAt.IsZero() && !i.OpensAt.IsZero() && !i.OpensAt.After(at) {
		i.OpenedAt = i.OpensAt
	}
	if i.ReleasedAt.IsZero() && r.State.Opens() && !r.Plan.T0.After(at) {
		i.ReleasedAt = r.Plan.T0
	}
	return i
}

// asRecipient is the view of an organisation's machines, or of one person in
// the browser.
func asRecipient(tx Tx, c exchange.Charter, recipient string) (*view, error) {
	recipient, hat, purpose := asked(recipient)
	p, err := tx.PersonByLogin(recipient)
	if exchange.KindOf(err) == exchange.NotFound {
		o, err := tx.Organisation(exchange.OrgID(recipient))
		if err != nil {
			return nil, err
		}
		v, err := asMember(tx, c, o.ID)
		if err != nil {
			return nil, err
		}
		v.r.Channel, v.r.Hat, v.r.Purpose = exchange.ChannelTAXII, hat, purpose
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := asMember(tx, c, p.Org)
	if err != nil {
		return nil, err
	}
	v.r.Person, v.r.Channel, v.r.Hat, v.r.Purpose = p.ID, exchange.ChannelWeb, hat, purpose
	v.r.Suspended = v.r.Suspended || !p.SuspendedAt.IsZero()
	return v, nil
}

// candidates are the artifacts that the item names or is in.
func (v *view) candidates(tx Tx, program exchange.ProgramID, item string) ([]*class, error) {
	if exchange.HasIDPrefix(item, "art") {
		art, err := tx.Artifact(exchange.ArtifactID(item))
		if err == nil && art.Program != program {
			err = exchange.Missing()
		}
		if err != nil {
			return nil, err
		}
		k, err := v.wholeFacts(tx, art)
		return []*class{k}, err
	}
	objs, err := tx.ObjectsByHash(program, exchange.IDHash(item), nil)
	if err != nil {
		return nil, err
	}
	var out []*class
	for _, o := range objs {
		if o.ID != item {
			continue
		}
		h, err := tx.HandlingClass(o.Class)
		if err != nil {
			return nil, err
		}
		art, err := tx.ArtifactByNumber(h.Artifact)
		if err != nil {
			return nil, err
		}
		k, err := v.facts(tx, art, h)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	if len(out) == 0 {
		return nil, exchange.Missing()
	}
	return out, nil
}

// PreviewAs shows those who run a program what one organisation will see of a
// release once everything planned for it is open.
func (s *Service) PreviewAs(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, org exchange.OrgID) (MemberRelease, error) {
	var m MemberRelease
	err := s.c.Store.View(ctx, func(tx Tx) error {
		r, err := tx.Release(id)
		if err != nil {
			return err
		}
		if r.Standing {
			return exchange.Missing()
		}
		c, err := tx.Charter(r.Program)
		if err != nil {
			return err
		}
		if !oversees(a, c) {
			return exchange.Missing()
		}
		v, err := asRecipient(tx, c, string(org))
		if err != nil {
			return err
		}
		v.r.Channel = exchange.ChannelWeb
		arts, err := tx.ArtifactsOf(id)
		if err != nil {
			return err
		}
		m = envelope(r)
		if !a.Reviews(c.Owner) {
			m.Message = r.Message // content, which an auditor does not read
		}
		for _, art := range arts {
			k, err := v.wholeFacts(tx, art)
			if err != nil {
				return err
			}
			at := plannedAt(r, c, v.r.Audience, art.Class)
			if k.item.OpenedAt.IsZero() {
				k.item.OpenedAt = at
			}
			if k.item.ReleasedAt.IsZero() {
				k.item.ReleasedAt = r.Plan.T0
			}
			if k.decide(v.r, exchange.Later(at, s.c.Now()), policy.Decide); k.decision.Allowed() {
				m.Items = append(m.Items, k.shown(k.item.OpenedAt))
			}
		}
		m.TLP = m.labelled()
		return nil
	})
	return m, err
}

func plannedAt(r exchange.Release, c exchange.Charter, a exchange.Audience, class exchange.ContentClass) time.Time {
	for _, slot := range exchange.Schedule(r.Plan, c) {
		if slot.Audience == a && slot.Class == class && !slot.Never {
			return slot.At
		}
	}
	return time.Time{}
}
