package delivery

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// MemberPreview is a release as one member will see it, with what is left out of
// it and what of it is in parts.
type MemberPreview struct {
	MemberRelease
	Objects  []ObjectPreview // those that it will see, then those that it will not; at most MaxPreview of each
	Whole    int64           // objects that it will see as they are
	Redacted int64           // objects that it will see without some parts
	Withheld int64           // objects that it will not see, of items that it holds
	Absent   int             // artifacts of the release that it will not see at all
}

// ObjectPreview is one STIX object as a member will see it.
type ObjectPreview struct {
	Object
	Artifact exchange.ArtifactID
	Shown    bool // as a whole, or without the Fields
	Verdict  policy.Verdict
	Code     string
	Fields   []string // selectors of the parts that are withheld
}

// MaxPreview is how many objects a preview lists; all of them are counted.
const MaxPreview = 1000

// PreviewAs shows those who run a program what one organisation will see of a
// release once everything planned for it is open. Nothing is given by it, and
// nothing is recorded.
func (s *Service) PreviewAs(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, org exchange.OrgID) (MemberPreview, error) {
	var m MemberPreview
	key, err := s.sources(ctx)
	if err != nil {
		return m, err
	}
	err = s.c.Store.View(ctx, func(tx Tx) error {
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
		v.r.Channel, v.sources = exchange.ChannelWeb, key
		arts, err := tx.ArtifactsOf(id)
		if err != nil {
			return err
		}
		m.MemberRelease = envelope(r)
		if !a.Reviews(c.Owner) {
			m.Message = r.Message // content, which an auditor does not read
		}
		p := previewer{tx: tx, v: v, m: &m}
		for _, art := range arts {
			if !art.RemovedAt.IsZero() {
				continue
			}
			if err := p.artifact(r, c, art, s.c.Now()); err != nil {
				return err
			}
		}
		m.Objects = append(m.Objects, p.withheld...)
		m.TLP = m.labelled()
		return nil
	})
	return m, err
}

// previewer gathers a preview.
type previewer struct {
	tx       Tx
	v        *view
	m        *MemberPreview
	withheld []ObjectPreview
}

// artifact is what the member will see of an artifact once it is open.
func (p *previewer) artifact(r exchange.Release, c exchange.Charter, art exchange.Artifact, now time.Time) error {
	k, err := p.v.wholeFacts(p.tx, art)
	if err != nil {
		return err
	}
	at := plannedAt(r, c, p.v.r.Audience, art.Class)
	if k.item.OpenedAt.IsZero() {
		k.item.OpenedAt = at
	}
	if k.item.ReleasedAt.IsZero() {
		k.item.ReleasedAt = r.Plan.T0
	}
	then := exchange.Later(at, now)
	if k.decide(p.v.r, then, policy.Decide); !k.decision.Allowed() {
		p.m.Absent++
		return nil
	}
	p.m.Items = append(p.m.Items, p.v.item(k, k.shown(k.item.OpenedAt)))
	marks := map[int64]policy.Decision{}
	for _, h := range k.marks {
		marks[h.ID] = policy.Decide(p.v.r, k.item.Under(h), then)
	}
	for after := int64(-1); ; {
		objs, err := p.tx.ObjectsIn(art.Number, after, MaxLimit)
		if err != nil {
			return err
		}
		for _, o := range objs {
			p.object(art.ID, o, marks[o.Class])
			after = o.Seq
		}
		if len(objs) < MaxLimit {
			return nil
		}
	}
}

func (p *previewer) object(art exchange.ArtifactID, o Object, d policy.Decision) {
	to, n := &p.m.Objects, &p.m.Whole
	switch {
	case !d.Allowed():
		to, n = &p.withheld, &p.m.Withheld
	case !d.Entire():
		n = &p.m.Redacted
	}
	*n++
	if len(*to) < MaxPreview {
		*to = append(*to, ObjectPreview{Object: o, Artifact: art, Shown: d.Allowed(), Verdict: d.Verdict, Code: d.Code, Fields: d.Fields})
	}
}

func plannedAt(r exchange.Release, c exchange.Charter, a exchange.Audience, class exchange.ContentClass) time.Time {
	for _, slot := range exchange.Schedule(r.Plan, c) {
		if slot.Audience == a && slot.Class == class && !slot.Never {
			return slot.At
		}
	}
	return time.Time{}
}
