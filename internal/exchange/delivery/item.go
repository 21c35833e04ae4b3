package delivery

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Releases lists the releases of which the actor may see something, newest
// first. It does not count as opening them.
func (s *Service) Releases(ctx context.Context, a exchange.Actor, program exchange.ProgramID) ([]MemberRelease, error) {
	l, err := s.listing(ctx, a, program)
	if err != nil {
		return nil, err
	}
	var out []MemberRelease
	for _, h := range l.all {
		out = append(out, h.MemberRelease)
	}
	return out, nil
}

// listing is everything the reader may see something of, in [from, until):
// what is not in it does not exist for the reader.
type listing struct {
	v           *view
	all         []*held   // newest first
	from, until time.Time // until zero: as long as the view
}

// held is a release as the reader holds it, with what was decided on each of
// its items.
type held struct {
	MemberRelease
	classes []*class
}

func (s *Service) listing(ctx context.Context, a exchange.Actor, program exchange.ProgramID) (*listing, error) {
	v, err := s.view(ctx, a, program)
	if err != nil {
		return nil, err
	}
	now := s.c.Now()
	v.mu.Lock()
	l := v.listed
	v.mu.Unlock()
	if l != nil && !now.Before(l.from) && (l.until.IsZero() || now.Before(l.until)) {
		return l, nil
	}
	l = &listing{v: v, from: now}
	if err := s.c.Store.View(ctx, l.read); err != nil {
		return nil, err
	}
	v.mu.Lock()
	v.listed = l
	v.mu.Unlock()
	return l, nil
}

func (l *listing) read(tx Tx) error {
	rs, err := tx.ReleasesOf(l.v.charter.ID)
	if err != nil {
		return err
	}
	byID := map[exchange.ReleaseID]*held{}
	for _, r := range slices.Backward(rs) {
		h, err := l.release(tx, r)
		if err != nil {
			return err
		}
		if len(h.Items) > 0 {
			l.all, byID[r.ID] = append(l.all, h), h
		}
	}
	for _, r := range rs { // a case that the reader holds nothing of is not named
		before, after := byID[r.IncompleteFixOf], byID[r.ID]
		if before != nil && after != nil {
			after.Incomplete, before.Superseded = before.ID, after.ID
		}
	}
	return nil
}

// release is what the reader may see of r. The message is written to members
// and stays with them.
func (l *listing) release(tx Tx, r exchange.Release) (*held, error) {
	h := &held{MemberRelease: envelope(r)}
	arts, err := tx.ArtifactsOf(r.ID)
	if err != nil {
		return nil, err
	}
	for _, art := range arts {
		k, err := l.v.wholeFacts(tx, art)
		if err != nil {
			return nil, err
		}
		k.decide(l.v.r, l.from, policy.Decide)
		if u := k.decision.Until; !u.IsZero() && (l.until.IsZero() || u.Before(l.until)) {
			l.until = u
		}
		if !k.decision.Allowed() {
			continue
		}
		h.classes, h.Items = append(h.classes, k), append(h.Items, l.v.item(k, k.shown(l.from)))
		if !k.item.OpenedAt.IsZero() && (h.FirstOffered.IsZero() || k.item.OpenedAt.Before(h.FirstOffered)) {
			h.FirstOffered = k.item.OpenedAt
		}
	}
	h.TLP = h.labelled()
	for i := range h.Items {
		id := h.Items[i].Artifact.ID
		h.Items[i].Superseded = slices.ContainsFunc(h.Items, func(o Item) bool { return o.Artifact.Supersedes == id })
	}
	if len(h.Items) == 0 || l.v.r.Anonymous {
		return h, nil
	}
	h.Message = r.Message
	h.NotCovering, err = tx.ToldIncomplete(r.ID, l.v.r.Org)
	return h, err
}

// envelope is a release without what is in it, and without the message.
func envelope(r exchange.Release) MemberRelease {
	return MemberRelease{ID: r.ID, Program: r.Program, Title: r.Title, T0: r.Plan.T0, PublicAt: r.PublicAt, State: stateWord(r)}
}

func stateWord(r exchange.Release) string {
	switch {
	case r.State == exchange.ReleaseClosed:
		return "closed"
	case r.State == exchange.ReleaseContained:
		return "contained"
	case r.State == exchange.ReleaseWithdrawn:
		return "withdrawn"
	case !r.PublicAt.IsZero():
		return "public"
	}
	return "embargoed"
}

// Release returns a release as the actor may see it. For a person in the
// browser that is an act: it is recorded as opened before it is shown.
func (s *Service) Release(ctx context.Context, a exchange.Actor, id exchange.ReleaseID) (MemberRelease, error) {
	h, _, err := s.holding(ctx, a, func(m MemberRelease) bool { return m.ID == id })
	if err != nil {
		return MemberRelease{}, s.lost(ctx, a, "", string(id), err)
	}
	if a.Channel != exchange.ChannelWeb {
		return h.MemberRelease, nil
	}
	return h.MemberRelease, s.given(ctx, a, exchange.EventReleaseOpened, exchange.ExposureOpened, h.classes, nil)
}

// MaySee answers whether the actor holds anything of the release: nil, or
// exchange.NotFound.
func (s *Service) MaySee(ctx context.Context, a exchange.Actor, id exchange.ReleaseID) error {
	_, _, err := s.holding(ctx, a, func(m MemberRelease) bool { return m.ID == id })
	return err
}

// holding finds the release in which the actor holds what is asked for. It looks
// through what the actor may see, never through what there is: a withheld id
// takes the same way as one that does not exist, and as long.
func (s *Service) holding(ctx context.Context, a exchange.Actor, is func(MemberRelease) bool) (*held, *view, error) {
	programs, err := s.collections(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range programs {
		l, err := s.listing(ctx, a, p.Program)
		if exchange.KindOf(err) == exchange.NotFound {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if i := slices.IndexFunc(l.all, func(h *held) bool { return is(h.MemberRelease) }); i >= 0 {
			return l.all[i], l.v, nil
		}
	}
	return nil, nil, exchange.Missing()
}

// entitled returns an artifact that the actor may have, under its verdict, and
// the view that it stands in.
func (s *Service) entitled(ctx context.Context, a exchange.Actor, id exchange.ArtifactID) (*class, *view, error) {
	is := func(i Item) bool { return i.Artifact.ID == id }
	h, v, err := s.holding(ctx, a, func(m MemberRelease) bool { return slices.ContainsFunc(m.Items, is) })
	if err != nil {
		return nil, nil, err
	}
	return h.classes[slices.IndexFunc(h.Items, is)], v, nil
}

// Artifact returns an artifact's description; in the browser that is an act.
func (s *Service) Artifact(ctx context.Context, a exchange.Actor, id exchange.ArtifactID) (Item, error) {
	k, v, err := s.entitled(ctx, a, id)
	if err != nil {
		return Item{}, s.lost(ctx, a, "", string(id), err)
	}
	i := v.item(k, k.shown(s.c.Now()))
	if a.Channel != exchange.ChannelWeb {
		return i, nil
	}
	return i, s.given(ctx, a, exchange.EventArtifactOpened, exchange.ExposureOpened, []*class{k}, nil)
}

// Content returns an artifact's bytes, where the actor may have all of them.
// The download is recorded first.
func (s *Service) Content(ctx context.Context, a exchange.Actor, id exchange.ArtifactID) (*Content, error) {
	k, _, err := s.entitled(ctx, a, id)
	if err != nil {
		return nil, s.lost(ctx, a, "", string(id), err)
	}
	permit, ok := k.decision.Permit(k.artifact.Number)
	if !ok || !k.whole {
		return nil, exchange.Missing()
	}
	b, err := s.open(permit, k.artifact)
	if err != nil {
		return nil, err
	}
	d := exchange.Detail{"sha256": k.artifact.SHA256, "size": k.artifact.Size}
	if err := s.given(ctx, a, exchange.EventArtifactDownloaded, exchange.ExposureDownloaded, []*class{k}, d); err != nil {
		b.Close()
		return nil, err
	}
	return &Content{Artifact: k.artifact, Blob: b}, nil
}

// Object returns the newest version of one STIX object that the actor may see.
// Those who run the program see it without a wave.
func (s *Service) Object(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string) (ObjectView, error) {
	v, err := s.view(ctx, a, program)
	if err != nil {
		return ObjectView{}, err
	}
	var o ObjectView
	var k *class
	err = s.c.Store.View(ctx, func(tx Tx) error {
		if v.reads() {
			es, err := v.versions(tx, id, s.c.Now())
			if err != nil {
				return err
			}
			if n := len(es); n > 0 {
				e := es[n-1]
				o.Added = e.Added
				o.Object = Object{Seq: e.Object, Class: e.Class, ID: id, Type: e.Type, Version: e.Version, Offset: e.Offset, Length: e.Length}
			}
		}
		if o.Object.Seq == 0 && v.r.Owner {
			objs, err := tx.ObjectsByHash(program, exchange.IDHash(id), nil)
			if err != nil {
				return err
			}
			for _, c := range objs {
				if c.ID == id && c.Version >= o.Object.Version {
					o.Object = c
				}
			}
		}
		if o.Object.Seq == 0 {
			return exchange.Missing()
		}
		if k, err = v.classOf(tx, o.Object.Class, s.c.Now()); err != nil {
			return err
		}
		if !k.decision.Allowed() || mourned(k, a) {
			return exchange.Missing()
		}
		marks, err := tx.ClassesOf(k.artifact.Number)
		if o.Artifact = v.named(k.artifact); unnamed(k.item.Handling, marks) {
			o.Artifact, o.Source = v.attributed(k.artifact, o.Artifact)
		}
		return err
	})
	if err != nil {
		return ObjectView{}, s.lost(ctx, a, program, id, err)
	}
	o.Release, o.Title = k.release.ID, k.release.Title
	o.TLP, o.T0, o.PublicAt = k.decision.TLP, k.release.Plan.T0, k.release.PublicAt
	o.Decision = policy.Explain(v.r, k.item, s.c.Now())
	if o.Raw, err = s.raw(k, o.Object); err != nil {
		return ObjectView{}, err
	}
	return o, s.given(ctx, a, exchange.EventObjectServed, exchange.ExposureServed, []*class{k}, exchange.Detail{"object": id})
}

func (s *Service) raw(k *class, o Object) ([]byte, error) {
	permit, ok := k.decision.Permit(k.artifact.Number)
	if !ok {
		return nil, exchange.Missing()
	}
	b, err := s.open(permit, k.artifact)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	raw := make([]byte, o.Length)
	_, err = b.ReadAt(raw, o.Offset)
	return raw, err
}

// Objects lists objects of one artifact that the actor may have, in the order
// in which they were submitted, those after the given position.
func (s *Service) Objects(ctx context.Context, a exchange.Actor, id exchange.ArtifactID, after int64, limit int) ([]Object, error) {
	k, v, err := s.entitled(ctx, a, id)
	if err != nil {
		return nil, s.lost(ctx, a, "", string(id), err)
	}
	var out []Object
	err = s.c.Store.View(ctx, func(tx Tx) error {
		objs, err := tx.ObjectsIn(k.artifact.Number, after, min(max(limit, 1), MaxLimit))
		if err != nil {
			return err
		}
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
	return out, err
}

// Search finds releases and artifacts by a part of their title, and an object
// by its id, among what the actor may see.
func (s *Service) Search(ctx context.Context, a exchange.Actor, program exchange.ProgramID, text string, limit int) ([]Hit, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	rs, err := s.Releases(ctx, a, program)
	if err != nil || text == "" {
		return nil, err
	}
	var out []Hit
	for _, r := range rs {
		if strings.Contains(strings.ToLower(r.Title), text) || string(r.ID) == text {
			out = append(out, Hit{"release", string(r.ID), r.Title, r.ID, program})
		}
		for _, i := range r.Items {
			if strings.Contains(strings.ToLower(i.Artifact.Title), text) || string(i.Artifact.ID) == text {
				out = append(out, Hit{"artifact", string(i.Artifact.ID), i.Artifact.Title, r.ID, program})
			}
		}
	}
	if strings.Contains(text, "--") {
		o, err := s.Object(ctx, a, program, text)
		if err == nil {
			out = append(out, Hit{"object", o.Object.ID, o.Object.Type, o.Release, program})
		} else if exchange.KindOf(err) != exchange.NotFound {
			return nil, err
		}
	}
	return out[:min(len(out), max(limit, 1))], nil
}
