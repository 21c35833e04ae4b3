package delivery

import (
	"context"
	"fmt"
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
	As       string // the identifier under which the member will know it; empty: it is withheld
	// Verdict is ALLOW_REDACTED also for a copy that lacks references alone, to what
	// the member is not given, and DENY for what cannot stand without them.
	Verdict policy.Verdict
	Code    string
	Fields  []string // selectors of the parts that are withheld
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
	known, err := s.current(ctx)
	if err != nil {
		return m, err
	}
	arrivals, err := s.c.Arrivals(ctx)
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
		if err := s.subscribe(tx, v, facts{known.generation, arrivals}); err != nil {
			return err
		}
		v.arrivals.Store(arrivals)
		m.MemberRelease = envelope(r)
		if !a.Reviews(c.Owner) {
			m.Message = r.Message // content, which an auditor does not read
		}
		p, err := s.previewer(tx, v, r)
		if err != nil {
			return err
		}
		p.m = &m
		return p.run()
	})
	return m, err
}

// foreseen is the store as it will be when everything planned for a release is
// open to one audience.
type foreseen struct {
	Tx
	release exchange.Release
	to      exchange.Audience
	opens   map[int64]time.Time // artifacts of the release
}

// OpenedTo is when it was opened, or is planned to be.
func (t foreseen) OpenedTo(artifact int64, a exchange.Audience) (time.Time, error) {
	at, err := t.Tx.OpenedTo(artifact, a)
	if err == nil && at.IsZero() && a == t.to {
		at = t.opens[artifact]
	}
	return at, err
}

// Release is the release, which is public from its T0 on.
func (t foreseen) Release(id exchange.ReleaseID) (exchange.Release, error) {
	if id == t.release.ID {
		return t.release, nil
	}
	return t.Tx.Release(id)
}

// previewer gathers a preview.
type previewer struct {
	tx       foreseen
	v        *view
	l        *looking
	arts     []exchange.Artifact
	then     time.Time // everything planned is open
	m        *MemberPreview
	withheld []ObjectPreview
}

func (s *Service) previewer(tx Tx, v *view, r exchange.Release) (*previewer, error) {
	all, err := tx.ArtifactsOf(r.ID)
	if err != nil {
		return nil, err
	}
	if r.PublicAt.IsZero() {
		r.PublicAt = r.Plan.T0
	}
	p := &previewer{v: v, then: s.c.Now(), tx: foreseen{tx, r, v.r.Audience, map[int64]time.Time{}}}
	for _, art := range all {
		if !art.RemovedAt.IsZero() {
			continue
		}
		p.arts = append(p.arts, art)
		at := plannedAt(r, v.charter, v.r.Audience, art.Class)
		if at.IsZero() {
			continue
		}
		p.then, p.tx.opens[art.Number] = exchange.Later(p.then, at), at
		if !v.gives(art.Number) { // its feed will: what refers to it finds it there
			v.keptOf[art.Number] = append(v.keptOf[art.Number], int32(len(v.kept)))
			v.kept = append(v.kept, stretch{Run: Run{Base: at.UnixMicro(), Step: 1, N: positions + 1, Artifact: art.Number}, hi: positions})
		}
	}
	p.l = &looking{s: s, tx: p.tx}
	p.l.view(v).now = p.then
	return p, nil
}

// run shows each artifact. The copies that are made for it are not kept: nobody
// is given one.
func (p *previewer) run() error {
	defer p.l.close()
	for _, art := range p.arts {
		if err := p.artifact(art); err != nil {
			return err
		}
	}
	p.m.Objects = append(p.m.Objects, p.withheld...)
	p.m.TLP = p.m.labelled()
	return nil
}

// artifact is what the member will see of an artifact once it is open.
func (p *previewer) artifact(art exchange.Artifact) error {
	k, err := p.v.wholeFacts(p.tx, art)
	if err != nil {
		return err
	}
	if k.decide(p.v.r, p.then, policy.Decide); !k.decision.Allowed() {
		p.m.Absent++
		return nil
	}
	r := p.l.view(p.v)
	if k.whole, err = r.givesAll(k); err != nil {
		return err
	}
	p.m.Items = append(p.m.Items, p.v.item(k, k.shown(p.then)))
	for after := int64(-1); ; {
		objs, err := p.tx.ObjectsIn(art.Number, after, MaxLimit)
		if err != nil || len(objs) == 0 {
			return err
		}
		es, os, err := r.inOrder(k, after, MaxLimit)
		if err != nil {
			return err
		}
		for i, e := range es {
			if i >= len(objs) || objs[i].Seq != e.Object {
				return fmt.Errorf("previewing artifact %d: its objects are out of order", art.Number)
			}
			under, err := r.class(e.Class)
			if err != nil {
				return err
			}
			p.object(art.ID, objs[i], under.decision, os[i])
			after = e.Object
		}
	}
}

func (p *previewer) object(art exchange.ArtifactID, o Object, d policy.Decision, had outcome) {
	out := ObjectPreview{Object: o, Artifact: art, As: had.id, Verdict: d.Verdict, Code: d.Code, Fields: d.Fields}
	to, n := &p.m.Objects, &p.m.Whole
	switch {
	case had.id == "":
		to, n = &p.withheld, &p.m.Withheld
		if d.Allowed() {
			out.Verdict, out.Fields = policy.Deny, nil
		}
	case had.redacted:
		n, out.Verdict = &p.m.Redacted, policy.AllowRedacted
	default: // there was nothing in it to leave out
		out.Verdict, out.Fields = policy.Allow, nil
	}
	*n++
	if len(*to) < MaxPreview {
		*to = append(*to, out)
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
