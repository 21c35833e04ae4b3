package release

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Read returns a release to those who run its program.
func (s *Service) Read(ctx context.Context, a exchange.Actor, id exchange.ReleaseID) (View, error) {
	if err := s.OpenDue(ctx); err != nil {
		return View{}, err
	}
	var v View
	err := s.c.Store.View(ctx, func(tx Tx) error {
		var err error
		v.Release, v.Charter, err = seen(tx, a, id)
		if err != nil {
			return err
		}
		v.Release = forReader(a, v.Charter, v.Release)
		if v.Artifacts, err = tx.ArtifactsOf(id); err != nil {
			return err
		}
		f, err := factsOf(tx, v.Release)
		if err != nil {
			return err
		}
		v.Needed, v.Waves = needed(v.Charter, f.arts), f.waves(v.Release, v.Charter, tx.Now())
		return nil
	})
	return v, err
}

// List returns the program's releases, newest first, to those who run it.
func (s *Service) List(ctx context.Context, a exchange.Actor, program exchange.ProgramID) ([]exchange.Release, error) {
	if err := s.OpenDue(ctx); err != nil {
		return nil, err
	}
	var out []exchange.Release
	err := s.c.Store.View(ctx, func(tx Tx) error {
		c, err := overseen(tx, a, program)
		if err != nil {
			return err
		}
		out, err = tx.ReleasesOf(program)
		slices.Reverse(out)
		for i := range out {
			out[i] = forReader(a, c, out[i])
		}
		return err
	})
	return out, err
}

// forReader leaves out of a release what is content to those who read plans
// without it: the message to its members.
func forReader(a exchange.Actor, c exchange.Charter, r exchange.Release) exchange.Release {
	if a.Reviews(c.Owner) {
		r.Message = ""
	}
	return r
}

// waves returns what is open and what is to come: as it is on the clock, or as
// the plan would put it there if it were approved now.
func (f facts) waves(r exchange.Release, c exchange.Charter, now time.Time) []exchange.WaveRecord {
	if r.State != exchange.ReleaseDraft && r.State != exchange.ReleaseWaiting {
		return f.old
	}
	open := slices.DeleteFunc(slices.Clone(f.old), func(w exchange.WaveRecord) bool { return w.State != exchange.WaveOpen })
	return append(open, keepStops(f.planned(r, c, now), f.old)...)
}

// Preview names who gets what when, and what is unusual about it.
func (s *Service) Preview(ctx context.Context, a exchange.Actor, id exchange.ReleaseID) (Preview, error) {
	var p Preview
	err := s.c.Store.View(ctx, func(tx Tx) error {
		r, c, err := seen(tx, a, id)
		if err != nil {
			return err
		}
		f, err := factsOf(tx, r)
		if err != nil {
			return err
		}
		people, err := recipients(tx, c)
		if err != nil {
			return err
		}
		o, err := newOffering(tx, c, r, f.arts)
		if err != nil {
			return err
		}
		all, err := tx.ReleasesOf(r.Program)
		if err != nil {
			return err
		}
		p = Preview{Release: forReader(a, c, r), Needed: needed(c, f.arts), Valid: r.Valid(), Blocks: blocks(r, c, f.arts)}
		for _, w := range f.waves(r, c, tx.Now()) {
			p.Waves = append(p.Waves, previewWave(w, o, people))
		}
		p.Warnings = ahead(exchange.Warnings(r.Plan, c, exchange.Schedule(r.Plan, c), tx.Now()), p.Waves, r)
		p.Warnings = append(p.Warnings, unusual(p.Waves, lastBefore(all, r), c.Required(tx.Now()))...)
		p.Holders, err = holders(tx, id)
		return err
	})
	return p, err
}

// ahead leaves out the warnings about what has happened already.
func ahead(all []exchange.Warning, ws []PreviewWave, r exchange.Release) []exchange.Warning {
	return slices.DeleteFunc(all, func(w exchange.Warning) bool {
		if w.Audience == (exchange.Audience{}) {
			return !r.PublicAt.IsZero()
		}
		return !slices.ContainsFunc(ws, func(o PreviewWave) bool {
			return o.Audience.Cohort == w.Audience.Cohort && o.State != exchange.WaveOpen && o.State != exchange.WaveKilled
		}) || slices.ContainsFunc(ws, func(o PreviewWave) bool {
			return o.Audience == w.Audience && o.State == exchange.WaveOpen && o.At.Equal(w.At)
		})
	})
}

// previewWave says what a wave gives to whom. Members who have not accepted the
// agreement are named as if they had; a warning says that they have not.
func previewWave(w exchange.WaveRecord, o *offering, people []Recipient) PreviewWave {
	out := PreviewWave{
		Audience: w.Audience, Title: string(w.Audience.Cohort), At: w.At, State: w.State, OpenedAt: w.OpenedAt, Classes: w.Classes,
		Past: w.State == exchange.WaveScheduled && !w.At.After(o.now),
	}
	if w.Audience == exchange.PublicAudience {
		out.Title = "everyone, without sign-in"
	}
	for _, co := range o.c.Cohorts {
		if co.ID == w.Audience.Cohort && co.Title != "" {
			out.Title = co.Title
		}
	}
	then := o.then(w)
	out.Artifacts = then.give
	for _, m := range people {
		signed := m
		signed.Accepted = o.c.Agreement.Version
		if m.Audience == w.Audience && m.Receives() && (len(then.give) == 0 || len(then.had(signed, func(exchange.Artifact) time.Time { return then.now })) > 0) {
			out.Recipients = append(out.Recipients, m)
		}
	}
	return out
}

// then is what the wave offers, at its instant.
func (o *offering) then(w exchange.WaveRecord) *offering {
	at := &offering{c: o.c, r: o.r, now: exchange.Later(w.At, o.now)}
	if at.r.PublicAt.IsZero() && !at.now.Before(at.r.Plan.T0) {
		at.r.PublicAt = at.now
	}
	for i, a := range o.give {
		if slices.Contains(w.Classes, a.Class) {
			at.give, at.marks = append(at.give, a), append(at.marks, o.marks[i])
		}
	}
	return at
}

// lastBefore is when the release before r was created; zero: r is the first.
func lastBefore(all []exchange.Release, r exchange.Release) (at time.Time) {
	for _, o := range all {
		if o.ID != r.ID && o.CreatedAt.Before(r.CreatedAt) {
			at = exchange.Later(o.CreatedAt, at)
		}
	}
	return at
}

// The codes of warnings about recipients and content.
const (
	WarnNewMember   = "new-member"
	WarnNoAgreement = "no-agreement"
	WarnEmpty       = "nobody"
	WarnNotPublic   = "not-public"
)

func unusual(ws []PreviewWave, last time.Time, version int) []exchange.Warning {
	var out []exchange.Warning
	told := map[string]bool{}
	add := func(code string, w PreviewWave, key, format string, args ...any) {
		if !told[code+key] {
			told[code+key] = true
			out = append(out, exchange.Warning{Code: code, Text: fmt.Sprintf(format, args...), Audience: w.Audience, At: w.At})
		}
	}
	for _, w := range ws {
		if w.State == exchange.WaveOpen {
			continue
		}
		if w.Audience == exchange.PublicAudience {
			for _, a := range w.Artifacts {
				if a.Handling.TLP != exchange.TLPClear {
					add(WarnNotPublic, w, string(a.ID), "“%s” is %s and stays off the public page; only TLP:CLEAR is public", a.Title, a.Handling.TLP)
				}
			}
			continue
		}
		if len(w.Recipients) == 0 && !w.Audience.Compelled {
			add(WarnEmpty, w, w.Audience.String(), "nobody is in cohort %s", w.Audience.Cohort)
		}
		for _, r := range w.Recipients {
			if !last.IsZero() && r.Since.After(last) {
				add(WarnNewMember, w, string(r.Org), "%s is new in cohort %s since the last release", r.Organisation.Name, w.Audience.Cohort)
			}
			if r.Accepted < version {
				add(WarnNoAgreement, w, string(r.Org), "%s has not accepted the current agreement and will receive nothing until it does", r.Organisation.Name)
			}
		}
	}
	return out
}

// Holders lists who already holds what of a release.
func (s *Service) Holders(ctx context.Context, a exchange.Actor, id exchange.ReleaseID) ([]Holder, error) {
	var out []Holder
	err := s.c.Store.View(ctx, func(tx Tx) error {
		if _, _, err := seen(tx, a, id); err != nil {
			return err
		}
		var err error
		out, err = holders(tx, id)
		return err
	})
	return out, err
}

func holders(tx Tx, id exchange.ReleaseID) ([]Holder, error) {
	held, err := tx.HoldersOf(id)
	if err != nil {
		return nil, err
	}
	arts, err := tx.ArtifactsOf(id)
	if err != nil {
		return nil, err
	}
	by := map[int64]exchange.Artifact{}
	for _, a := range arts {
		by[a.Number] = a
	}
	var out []Holder
	index := map[exchange.OrgID]int{}
	for _, h := range held {
		i, ok := index[h.Org]
		if !ok {
			i = len(out)
			index[h.Org] = i
			out = append(out, Holder{Org: h.Org, Name: h.Name, Audience: h.Audience, Since: h.At})
		}
		o := &out[i]
		o.Artifacts = append(o.Artifacts, by[h.Artifact])
		o.Given = o.Given || h.Given
		if h.At.Before(o.Since) {
			o.Since = h.At
		}
	}
	return out, nil
}
