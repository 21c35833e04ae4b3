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
	r           *resolver // while it is being made
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
	err = s.look(ctx, func(at *looking) error {
		l = &listing{v: v, from: now, r: at.view(v)}
		defer func() { l.r = nil }()
		return l.read(at.tx)
	})
	if err == nil {
		err = s.settled(ctx)
	}
	if err != nil {
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
		if k.whole, err = l.r.givesAll(k); err != nil {
			return nil, err
		}
		if u := l.r.until; !u.IsZero() && (l.until.IsZero() || u.Before(l.until)) {
			l.until = u
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
	h, v, err := s.holding(ctx, a, func(m MemberRelease) bool { return m.ID == id })
	if err != nil {
		return MemberRelease{}, s.lost(ctx, a, "", string(id), err)
	}
	if a.Channel != exchange.ChannelWeb {
		return h.MemberRelease, nil
	}
	return h.MemberRelease, s.given(ctx, a, disclosure{
		kind: exchange.EventReleaseOpened, as: exchange.ExposureOpened, v: v, arts: h.classes, detail: labels(h.classes),
	})
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
	return i, s.given(ctx, a, disclosure{
		kind: exchange.EventArtifactOpened, as: exchange.ExposureOpened, v: v, arts: []*class{k}, detail: labels([]*class{k}),
	})
}

// Content returns an artifact's bytes, where the actor may have all of them.
// The download is recorded first.
func (s *Service) Content(ctx context.Context, a exchange.Actor, id exchange.ArtifactID) (*Content, error) {
	k, v, err := s.entitled(ctx, a, id)
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
	// The hash of the bytes says more than the objects in them could.
	d := labels([]*class{k})
	d["sha256"], d["size"] = k.artifact.SHA256, k.artifact.Size
	err = s.given(ctx, a, disclosure{
		kind: exchange.EventArtifactDownloaded, as: exchange.ExposureDownloaded, v: v, arts: []*class{k}, detail: d,
	})
	if err != nil {
		b.Close()
		return nil, err
	}
	return &Content{Artifact: k.artifact, Blob: b}, nil
}

// Object returns the newest version of one STIX object that the actor may see.
// Those who run the program see it without a wave. Who may have an original is
// given it by the identifier of a redacted copy as well.
func (s *Service) Object(ctx context.Context, a exchange.Actor, program exchange.ProgramID, id string) (ObjectView, error) {
	v, err := s.view(ctx, a, program)
	if err != nil {
		return ObjectView{}, err
	}
	var o ObjectView
	var k *class
	var given Entry
	err = s.look(ctx, func(l *looking) (err error) {
		o = ObjectView{}
		r := l.view(v)
		e, err := r.newest(id)
		if err == nil && e.Object == 0 {
			if e, err = r.original(id); e.Object != 0 {
				o.CopyAsked = id
			}
		}
		if err != nil {
			return err
		}
		if e.Object == 0 {
			return exchange.Missing()
		}
		o.Added, o.Redacted, o.Object = e.Added, e.Redacted, objectOf(e)
		if k, err = v.classOf(l.tx, e.Class, s.c.Now()); err != nil {
			return err
		}
		if mourned(k, a) {
			return exchange.Missing()
		}
		marks, err := l.tx.ClassesOf(k.artifact.Number)
		if err != nil {
			return err
		}
		if o.Artifact = v.named(k.artifact); unnamed(k.item.Handling, marks) {
			o.Artifact, o.Source = v.attributed(k.artifact, o.Artifact)
		}
		o.Raw, err = r.give(e, k)
		given = e
		return err
	})
	if err != nil {
		return ObjectView{}, s.lost(ctx, a, program, id, err)
	}
	o.Release, o.Title = k.release.ID, k.release.Title
	o.TLP, o.T0, o.PublicAt = k.decision.TLP, k.release.Plan.T0, k.release.PublicAt
	o.Decision = policy.Explain(v.r, k.item, s.c.Now())
	if !v.r.Owner {
		forReader(&o.Decision)
	}
	d, err := v.disclosed(exchange.EventObjectServed, exchange.ExposureServed, []part{{k: k, alone: &given, made: o.Raw}}, nil)
	if err != nil {
		return ObjectView{}, err
	}
	d.detail["object"] = id
	return o, s.given(ctx, a, d)
}

// give is the bytes of an entry as the reader has it.
func (r *resolver) give(e Entry, k *class) ([]byte, error) {
	switch {
	case !k.decision.Allowed():
		return nil, exchange.Missing()
	case !e.Redacted:
		return r.raw(e, k)
	}
	raw, ok, err := r.copyOf(e)
	if err == nil && !ok {
		err = exchange.Missing()
	}
	return raw, err
}

func objectOf(e Entry) Object {
	return Object{Seq: e.Object, Class: e.Class, ID: e.ID, Type: e.Type, Version: e.Version, Offset: e.Offset, Length: e.Length}
}

// Objects lists objects of one artifact that the actor may have, in the order
// in which they were submitted, those after the given position. It is recorded as a
// manifest is: it names them.
func (s *Service) Objects(ctx context.Context, a exchange.Actor, id exchange.ArtifactID, after int64, limit int) ([]Object, error) {
	k, v, err := s.entitled(ctx, a, id)
	if err != nil {
		return nil, s.lost(ctx, a, "", string(id), err)
	}
	limit = min(max(limit, 1), MaxLimit)
	var out []Object
	var named []part
	err = s.look(ctx, func(l *looking) error {
		out, named = nil, nil
		r := l.view(v)
		es, os, err := r.inOrder(k, after, limit)
		for i, e := range es {
			if os[i].id == "" {
				continue
			}
			e.ID, e.Redacted = os[i].id, os[i].redacted
			under, err := r.class(e.Class)
			if err != nil {
				return err
			}
			out = append(out, objectOf(e))
			named = append(named, part{k: under, alone: &e})
		}
		return err
	})
	if err != nil || len(named) == 0 {
		return out, err
	}
	return out, s.served(ctx, a, v, "", named, nil)
}

// inOrder lists an artifact's objects, those after a number, with how the reader
// has each.
func (r *resolver) inOrder(k *class, after int64, limit int) ([]Entry, []outcome, error) {
	objs, err := r.tx.ObjectsIn(k.artifact.Number, after, limit)
	if err != nil || len(objs) == 0 {
		return nil, nil, err
	}
	seqs := make([]int64, len(objs))
	for i, o := range objs {
		seqs[i] = o.Seq
	}
	es, err := r.tx.EntriesOf(seqs)
	if err != nil {
		return nil, nil, err
	}
	for i := range es {
		es[i].Added = r.v.added(es[i].Object)
	}
	os, err := r.outcomes(es)
	return es, os, err
}

// mostWhole is how many objects of an artifact are looked at to see whether its
// bytes may be given as they are. A larger one with references that lead out of
// it is given object by object.
const mostWhole = 20_000

// givesAll reports whether every object of an artifact is given as it is, so that
// its bytes may be.
func (r *resolver) givesAll(k *class) (bool, error) {
	if !k.whole || k.artifact.Kind != exchange.ArtifactSTIX && k.artifact.Kind != exchange.ArtifactJournal {
		return k.whole, nil
	}
	if free, err := r.free(k); err != nil || free {
		return free, err
	}
	if k.artifact.Objects > mostWhole {
		return false, nil
	}
	for after := int64(-1); ; {
		es, os, err := r.inOrder(k, after, MaxLimit)
		if err != nil {
			return false, err
		}
		if len(es) == 0 {
			r.v.setFree(k.artifact.Number, freedom{true, r.until})
			return true, nil
		}
		if slices.ContainsFunc(os, func(o outcome) bool { return !o.entire() }) {
			return false, nil
		}
		after = es[len(es)-1].Object
	}
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
