package release

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Create opens a draft. Rules left nil are the charter's.
func (s *Service) Create(ctx context.Context, a exchange.Actor, d Draft) (exchange.Release, error) {
	var out exchange.Release
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		c, err := operated(tx, a, d.Program)
		if err != nil {
			return err
		}
		if c.ReadOnlyAt(tx.Now()) {
			return sunset(c)
		}
		if d.Rules == nil {
			d.Rules = slices.Clone(c.Rules)
		}
		out = draft(a, d, tx.Now())
		if err := fit(out, c); err != nil {
			return err
		}
		if err := tx.PutRelease(&out); err != nil {
			return err
		}
		_, err = tx.Record(event(exchange.EventReleaseCreated, a, out, planDetail(out)))
		return err
	})
	return out, err
}

func draft(a exchange.Actor, d Draft, now time.Time) exchange.Release {
	return exchange.Release{
		ID: exchange.ReleaseID(exchange.RandomID("rel")), Program: d.Program, Title: strings.TrimSpace(d.Title), Message: d.Message,
		State: exchange.ReleaseDraft, Plan: exchange.Plan{T0: d.T0.UTC(), Rules: d.Rules}, Revision: 1,
		Author: a.Person, Editors: []exchange.PersonID{a.Person}, CreatedAt: now,
	}
}

// Edit changes a release. Whatever it changes, the approvals lapse: they were
// given to another text.
func (s *Service) Edit(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, e Edit, ifVersion int64) (exchange.Release, error) {
	var out exchange.Release
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		r, c, err := mine(tx, a, id)
		if err != nil {
			return err
		}
		if err := current(r, ifVersion); err != nil {
			return err
		}
		if r.State == exchange.ReleaseWithdrawn || r.State == exchange.ReleaseClosed {
			return exchange.Fail(exchange.Conflict, "the release is %s; nothing was changed", r.State)
		}
		if c.ReadOnlyAt(tx.Now()) {
			return sunset(c)
		}
		changed := e.apply(&r)
		if len(changed) == 0 {
			out = r
			return nil
		}
		if slices.Contains(changed, "t0") && !r.PublicAt.IsZero() {
			return exchange.Fail(exchange.Conflict, "the release is public since %s; its time cannot change any more", r.PublicAt.Format(time.RFC3339))
		}
		if err := fit(r, c); err != nil {
			return err
		}
		r.Revise(a.Person)
		if err := tx.PutRelease(&r); err != nil {
			return err
		}
		d := planDetail(r)
		d["changed"] = changed
		if _, err := tx.Record(event(exchange.EventReleaseEdited, a, r, d)); err != nil {
			return err
		}
		out = r
		return tx.BumpGeneration()
	})
	s.Wake()
	return out, err
}

func (e Edit) apply(r *exchange.Release) (changed []string) {
	if e.Title != nil && strings.TrimSpace(*e.Title) != r.Title {
		r.Title, changed = strings.TrimSpace(*e.Title), append(changed, "title")
	}
	if e.Message != nil && *e.Message != r.Message {
		r.Message, changed = *e.Message, append(changed, "message")
	}
	if e.T0 != nil && !e.T0.Truncate(time.Microsecond).Equal(r.Plan.T0) {
		r.Plan.T0, changed = e.T0.UTC(), append(changed, "t0")
	}
	if e.Rules != nil && !slices.Equal(*e.Rules, r.Plan.Rules) {
		r.Plan.Rules, changed = *e.Rules, append(changed, "rules")
	}
	return changed
}

// fit refuses a release whose title, time or plan cannot be kept.
func fit(r exchange.Release, c exchange.Charter) error {
	ps := r.Plan.Check(c)
	if r.Title == "" {
		ps = append(ps, exchange.Problem{Path: "title", Message: "missing"})
	}
	if !exchange.Plain(r.Title) {
		ps = append(ps, exchange.Problem{Path: "title", Message: "not one line of UTF-8 text"})
	}
	if !exchange.Storable(r.Message) {
		ps = append(ps, exchange.Problem{Path: "message", Message: "not UTF-8 text without NUL characters"})
	}
	if len(r.Title) > 300 {
		ps = append(ps, exchange.Problem{Path: "title", Message: "longer than 300 bytes"})
	}
	if len(r.Message) > 64<<10 {
		ps = append(ps, exchange.Problem{Path: "message", Message: "longer than 64 KiB"})
	}
	if len(ps) > 0 {
		return exchange.InvalidWith("the release was not stored", ps)
	}
	return nil
}

// facts is what a release holds, when which audience was given it, and its waves.
type facts struct {
	arts  []exchange.Artifact // without those that were taken out
	given map[opened]time.Time
	old   []exchange.WaveRecord
}

// opened is one artifact as it was given to one audience.
type opened struct {
	artifact int64
	audience exchange.Audience
}

func factsOf(tx Tx, r exchange.Release) (f facts, err error) {
	if f.arts, err = tx.ArtifactsOf(r.ID); err != nil {
		return f, err
	}
	f.arts = slices.DeleteFunc(f.arts, func(a exchange.Artifact) bool { return !a.RemovedAt.IsZero() })
	openings, err := tx.OpeningsOf(r.ID)
	if err != nil {
		return f, err
	}
	f.given = make(map[opened]time.Time, len(openings))
	for _, o := range openings {
		f.given[opened{o.Artifact, o.Audience}] = o.OpenedAt
	}
	f.old, err = tx.WavesOf(r.ID)
	return f, err
}

// planned returns the waves that r's plan still has to open at now: for each
// audience and instant the classes of which it holds something that the
// audience has not been given. A moment that has passed is now. At T0 there is
// always a wave to the public, if only to mark that the release is public.
func (f facts) planned(r exchange.Release, c exchange.Charter, now time.Time) []exchange.WaveRecord {
	var out []exchange.WaveRecord
	for _, w := range exchange.Group(exchange.Schedule(r.Plan, c)) {
		var classes []exchange.ContentClass
		for _, cl := range w.Classes {
			if len(f.lacking(w.Audience, []exchange.ContentClass{cl})) > 0 {
				classes = append(classes, cl)
			}
		}
		if len(classes) > 0 {
			out = append(out, exchange.WaveRecord{
				Release: r.ID, Audience: w.Audience, At: exchange.Later(w.At, now), Classes: classes, State: exchange.WaveScheduled,
			})
		}
	}
	t0 := exchange.Later(r.Plan.T0, now)
	marks := func(w exchange.WaveRecord) bool { return w.Audience == exchange.PublicAudience && w.At.Equal(t0) }
	if r.PublicAt.IsZero() && !slices.ContainsFunc(out, marks) {
		out = append(out, exchange.WaveRecord{Release: r.ID, Audience: exchange.PublicAudience, At: t0, State: exchange.WaveScheduled})
	}
	return merge(out)
}

// lacking returns the artifacts of the classes that the audience has not been given.
func (f facts) lacking(a exchange.Audience, classes []exchange.ContentClass) []exchange.Artifact {
	var out []exchange.Artifact
	for _, art := range f.arts {
		if _, has := f.given[opened{art.Number, a}]; !has && slices.Contains(classes, art.Class) {
			out = append(out, art)
		}
	}
	return out
}

// merge joins waves to one audience that fall on one instant, and sorts.
func merge(ws []exchange.WaveRecord) []exchange.WaveRecord {
	slices.SortStableFunc(ws, func(a, b exchange.WaveRecord) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Audience.String(), b.Audience.String()), cmp.Compare(a.State, b.State))
	})
	var out []exchange.WaveRecord
	for _, w := range ws {
		if n := len(out); n > 0 && out[n-1].Audience == w.Audience && out[n-1].At.Equal(w.At) && out[n-1].State == w.State {
			out[n-1].Classes = append(out[n-1].Classes, w.Classes...)
			continue
		}
		out = append(out, w)
	}
	return out
}

// keepStops carries "held" and "killed" from the old waves to the new ones of
// the same audience and classes: a change of T0 does not undo a decision.
func keepStops(now, old []exchange.WaveRecord) []exchange.WaveRecord {
	var out []exchange.WaveRecord
	for _, w := range now {
		if len(w.Classes) == 0 { // it only marks the end of the embargo
			w.State = stopOf(w.Audience, "", old)
			out = append(out, w)
			continue
		}
		rest := w
		rest.Classes = nil
		for _, c := range w.Classes {
			state := stopOf(w.Audience, c, old)
			if state == exchange.WaveScheduled {
				rest.Classes = append(rest.Classes, c)
				continue
			}
			stopped := w
			stopped.Classes, stopped.State = []exchange.ContentClass{c}, state
			out = append(out, stopped)
		}
		if len(rest.Classes) > 0 {
			out = append(out, rest)
		}
	}
	return merge(out)
}

// stopOf is how the class was stopped for the audience, or scheduled; the empty
// class stands for a wave without content.
func stopOf(a exchange.Audience, c exchange.ContentClass, old []exchange.WaveRecord) exchange.WaveState {
	state := exchange.WaveScheduled
	for _, o := range old {
		if o.Audience == a && (o.State == exchange.WaveHeld || o.State == exchange.WaveKilled) &&
			(slices.Contains(o.Classes, c) || c == "" && len(o.Classes) == 0) {
			state = o.State
		}
	}
	return state
}

func planDetail(r exchange.Release) exchange.Detail {
	rules := make([]string, len(r.Plan.Rules))
	for i, rule := range r.Plan.Rules {
		rules[i] = string(rule.Class) + " to " + string(rule.Cohort) + " at " + rule.At.String()
	}
	return exchange.Detail{"t0": r.Plan.T0, "rules": rules, "revision": r.Revision}
}
