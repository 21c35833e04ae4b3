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
	v, err := s.view(ctx, a, program)
	if err != nil {
		return nil, err
	}
	now := s.c.Now()
	v.mu.Lock()
	known := v.listed
	v.mu.Unlock()
	if known.holds(now) {
		return slices.Clone(known.releases), nil
	}
	l := &listing{from: now}
	err = s.c.Store.View(ctx, func(tx Tx) error {
		rs, err := tx.ReleasesOf(program)
		if err != nil {
			return err
		}
		for _, r := range slices.Backward(rs) {
			m, _, err := v.release(tx, r, now)
			if err != nil {
				return err
			}
			if len(m.Items) > 0 {
				l.releases = append(l.releases, m)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.offerLate(ctx, a, v, l.releases); err != nil {
		return nil, err
	}
	l.until = v.until()
	v.mu.Lock()
	v.listed = l
	v.mu.Unlock()
	return slices.Clone(l.releases), nil
}

// offerLate records as offered what the organisation may have and was not
// offered when its wave opened: because it accepted the agreement, joined or was
// let in again only later. From now on it is told of changes, and its silence
// counts.
func (s *Service) offerLate(ctx context.Context, a exchange.Actor, v *view, held []MemberRelease) error {
	if !v.reads() || v.r.Owner {
		return nil
	}
	for _, m := range held {
		var numbers []int64
		var fresh []seenKey
		for _, i := range m.Items {
			key := seenKey{"org:" + string(a.Org), i.Artifact.Number, exchange.ExposureOffered}
			s.mu.Lock()
			_, known := s.seen[key]
			s.mu.Unlock()
			if !known {
				numbers, fresh = append(numbers, i.Artifact.Number), append(fresh, key)
			}
		}
		if len(fresh) == 0 {
			continue
		}
		late := false
		err := s.c.Store.View(ctx, func(tx Tx) error {
			n, err := tx.Offered(m.ID, a.Org)
			late = slices.ContainsFunc(numbers, func(x int64) bool { return !slices.Contains(n, x) })
			return err
		})
		if err == nil && late {
			err = s.offer(ctx, a, m, numbers)
		}
		if err != nil {
			return err
		}
		s.mu.Lock()
		for _, key := range fresh {
			s.seen[key] = struct{}{}
		}
		s.mu.Unlock()
	}
	return nil
}

func (s *Service) offer(ctx context.Context, a exchange.Actor, m MemberRelease, numbers []int64) error {
	return s.c.Store.Update(ctx, func(tx Tx) error {
		n, err := tx.Offered(m.ID, a.Org)
		if err != nil {
			return err
		}
		e := exchange.Event{Kind: exchange.EventReleaseOffered, Actor: exchange.System(), Program: m.Program, Release: m.ID, Org: a.Org}
		var es []exchange.Exposure
		for _, i := range m.Items {
			if slices.Contains(numbers, i.Artifact.Number) && !slices.Contains(n, i.Artifact.Number) {
				e.Subject = append(e.Subject, string(i.Artifact.ID))
				es = append(es, exchange.Exposure{
					Number: i.Artifact.Number, Release: m.ID, Org: a.Org, Kind: exchange.ExposureOffered, Channel: exchange.ChannelSystem, At: tx.Now(),
				})
			}
		}
		if len(es) == 0 {
			return nil
		}
		seq, err := tx.Record(e)
		if err != nil {
			return err
		}
		for i := range es {
			es[i].Event = seq
		}
		return tx.Expose(es)
	})
}

// release is what the reader may see of r, with the classes behind it.
func (v *view) release(tx Tx, r exchange.Release, now time.Time) (MemberRelease, []*class, error) {
	m := MemberRelease{
		ID: r.ID, Program: r.Program, Title: r.Title, Message: r.Message, T0: r.Plan.T0, PublicAt: r.PublicAt, State: stateWord(r),
	}
	arts, err := tx.ArtifactsOf(r.ID)
	if err != nil {
		return m, nil, err
	}
	var ks []*class
	for _, art := range arts {
		k, err := v.artifact(tx, art, now)
		if err != nil {
			return m, nil, err
		}
		if !k.decision.Allowed() {
			continue
		}
		ks = append(ks, k)
		m.Items = append(m.Items, k.shown(now))
		if !k.item.OpenedAt.IsZero() && (m.FirstOffered.IsZero() || k.item.OpenedAt.Before(m.FirstOffered)) {
			m.FirstOffered = k.item.OpenedAt
		}
	}
	for i := range m.Items {
		id := m.Items[i].Artifact.ID
		m.Items[i].Superseded = slices.ContainsFunc(m.Items, func(o Item) bool { return o.Artifact.Supersedes == id })
	}
	m.TLP = m.labelled()
	return m, ks, nil
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
	m, ks, err := s.memberRelease(ctx, a, id)
	if err != nil || a.Channel != exchange.ChannelWeb {
		return m, err
	}
	return m, s.given(ctx, a, exchange.EventReleaseOpened, exchange.ExposureOpened, ks, nil)
}

func (s *Service) memberRelease(ctx context.Context, a exchange.Actor, id exchange.ReleaseID) (m MemberRelease, ks []*class, err error) {
	v, err := s.holding(ctx, a, func(m MemberRelease) bool { return m.ID == id })
	if err != nil {
		return m, nil, err
	}
	err = s.c.Store.View(ctx, func(tx Tx) error {
		r, err := tx.Release(id)
		if err != nil {
			return err
		}
		if m, ks, err = v.release(tx, r, s.c.Now()); err != nil {
			return err
		}
		if len(m.Items) == 0 {
			return exchange.Missing()
		}
		return v.linked(tx, r, &m, s.c.Now())
	})
	if err != nil {
		return MemberRelease{}, nil, err
	}
	return m, ks, nil
}

// holding finds the view in which the actor holds what is asked for. It looks
// through what the actor may see, never through what there is: a withheld id
// takes the same way as one that does not exist, and as long.
func (s *Service) holding(ctx context.Context, a exchange.Actor, is func(MemberRelease) bool) (*view, error) {
	programs, err := s.collections(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range programs {
		held, err := s.Releases(ctx, a, p.Program)
		if exchange.KindOf(err) == exchange.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(held, is) {
			return s.view(ctx, a, p.Program)
		}
	}
	return nil, exchange.Missing()
}

func (s *Service) find(ctx context.Context, id exchange.ReleaseID) (r exchange.Release, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		r, err = tx.Release(id)
		return err
	})
	return r, err
}

// linked fills in the cases before and after this one that the reader holds
// something of; others do not exist for the reader.
func (v *view) linked(tx Tx, r exchange.Release, m *MemberRelease, now time.Time) error {
	var err error
	if v.r.Org != "" {
		if m.NotCovering, err = tx.ToldIncomplete(r.ID, v.r.Org); err != nil {
			return err
		}
	}
	rs, err := tx.ReleasesOf(r.Program)
	if err != nil {
		return err
	}
	for _, o := range rs {
		before, after := o.ID == r.IncompleteFixOf && r.IncompleteFixOf != "", o.IncompleteFixOf == r.ID
		if !before && !after {
			continue
		}
		seen, _, err := v.release(tx, o, now)
		if err != nil {
			return err
		}
		if len(seen.Items) == 0 {
			continue
		}
		if before {
			m.Incomplete = o.ID
		} else {
			m.Superseded = o.ID
		}
	}
	return nil
}

// MaySee answers whether the actor holds anything of the release: nil, or
// exchange.NotFound.
func (s *Service) MaySee(ctx context.Context, a exchange.Actor, id exchange.ReleaseID) error {
	_, _, err := s.memberRelease(ctx, a, id)
	return err
}

// entitled returns an artifact that the actor may have, under its verdict.
func (s *Service) entitled(ctx context.Context, a exchange.Actor, id exchange.ArtifactID) (k *class, err error) {
	v, err := s.holding(ctx, a, func(m MemberRelease) bool {
		return slices.ContainsFunc(m.Items, func(i Item) bool { return i.Artifact.ID == id })
	})
	if err != nil {
		return nil, err
	}
	err = s.c.Store.View(ctx, func(tx Tx) error {
		art, err := tx.Artifact(id)
		if err != nil {
			return err
		}
		if k, err = v.artifact(tx, art, s.c.Now()); err != nil {
			return err
		}
		if !k.decision.Allowed() {
			return exchange.Missing()
		}
		return nil
	})
	return k, err
}

// Artifact returns an artifact's description; in the browser that is an act.
func (s *Service) Artifact(ctx context.Context, a exchange.Actor, id exchange.ArtifactID) (Item, error) {
	k, err := s.entitled(ctx, a, id)
	if err != nil {
		return Item{}, err
	}
	i := k.shown(s.c.Now())
	if a.Channel != exchange.ChannelWeb {
		return i, nil
	}
	return i, s.given(ctx, a, exchange.EventArtifactOpened, exchange.ExposureOpened, []*class{k}, nil)
}

// Content returns an artifact's bytes, where the actor may have all of them.
// The download is recorded first.
func (s *Service) Content(ctx context.Context, a exchange.Actor, id exchange.ArtifactID) (*Content, error) {
	k, err := s.entitled(ctx, a, id)
	if err != nil {
		return nil, err
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
		if !k.decision.Allowed() {
			return exchange.Missing()
		}
		return nil
	})
	if err != nil {
		return ObjectView{}, err
	}
	o.Artifact, o.Release, o.Title = k.artifact, k.release.ID, k.release.Title
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
	k, err := s.entitled(ctx, a, id)
	if err != nil {
		return nil, err
	}
	v, err := s.view(ctx, a, k.artifact.Program)
	if err != nil {
		return nil, err
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
