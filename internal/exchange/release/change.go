package release

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// alter is the one form of every change of plan: who may, on which version,
// for what reason; then fn; then the event, the new version, and the answer
// with who already holds what. All in one transaction.
func (s *Service) alter(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, c Change, kind exchange.EventKind,
	fn func(tx Tx, r *exchange.Release, ch exchange.Charter) (exchange.Detail, string, error),
) (Changed, error) {
	var out Changed
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		out = Changed{}
		r, ch, err := mine(tx, a, id)
		if err != nil {
			return err
		}
		if err := current(r, c.Version); err != nil {
			return err
		}
		if err := reasoned(c.Reason, "the plan was not changed"); err != nil {
			return err
		}
		d, tell, err := fn(tx, &r, ch)
		if err != nil {
			return err
		}
		d["reason"] = c.Reason
		seq, err := tx.Record(event(kind, a, r, d))
		if err != nil {
			return err
		}
		r.Reason = c.Reason
		if err := tx.PutRelease(&r); err != nil {
			return err
		}
		if out.Holders, err = holders(tx, r.ID); err != nil {
			return err
		}
		if tell != "" {
			if out.Told, err = tellHolders(tx, r, kind, seq, tell, out.Holders); err != nil {
				return err
			}
		}
		if out.Waves, err = tx.WavesOf(r.ID); err != nil {
			return err
		}
		out.Release = r
		return tx.BumpGeneration()
	})
	s.Wake()
	return out, err
}

// tellHolders tells each organisation that holds something of the release,
// once. Who holds nothing learns nothing: the release does not exist for it.
func tellHolders(tx Tx, r exchange.Release, k exchange.EventKind, seq int64, text string, hs []Holder) ([]exchange.OrgID, error) {
	orgs := make([]exchange.OrgID, 0, len(hs))
	for _, h := range hs {
		orgs = append(orgs, h.Org)
	}
	return orgs, tx.Notify(orgs, exchange.Notice{Program: r.Program, Release: r.ID, Kind: k, Event: seq, Text: text})
}

// Move sets another T0. Every wave that is not open yet is computed anew.
func (s *Service) Move(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, t0 time.Time, c Change) (Changed, error) {
	return s.alter(ctx, a, id, c, exchange.EventReleaseMoved, func(tx Tx, r *exchange.Release, ch exchange.Charter) (exchange.Detail, string, error) {
		if !r.PublicAt.IsZero() {
			return nil, "", exchange.Fail(exchange.Conflict, "the release is public since %s; its time cannot change any more", r.PublicAt.Format(time.RFC3339))
		}
		if !r.State.Opens() && r.State != exchange.ReleaseDraft && r.State != exchange.ReleaseWaiting {
			return nil, "", stopped(*r)
		}
		if t0.IsZero() {
			return nil, "", exchange.InvalidWith("the plan was not changed", []exchange.Problem{{Path: "t0", Message: "missing"}})
		}
		if ch.ReadOnlyAt(t0) {
			return nil, "", exchange.InvalidWith("the plan was not changed", []exchange.Problem{afterSunset(ch)})
		}
		was := r.Plan.T0
		r.Plan.T0 = t0.UTC().Truncate(time.Microsecond)
		d := exchange.Detail{"from": was, "to": r.Plan.T0}
		text := "The public release of “" + r.Title + "” moves from " + was.UTC().Format(readable) + " to " + r.Plan.T0.Format(readable) + ". Reason: " + c.Reason
		if !r.State.Opens() {
			r.Revise(a.Person)
			return d, text, nil
		}
		return d, text, replan(tx, *r, ch)
	})
}

const readable = "2006-01-02 15:04 UTC"

func replan(tx Tx, r exchange.Release, ch exchange.Charter) error {
	f, err := factsOf(tx, r)
	if err != nil {
		return err
	}
	return tx.PutPlanned(r.ID, keepStops(f.planned(r, ch, tx.Now()), f.old))
}

// Follow fits the waves of every approved release to a charter that was just
// applied, inside that transaction: a new cohort is given what is public, and a
// class that the charter now denies is taken off the clock. What was approved
// keeps its instant, unless the charter now lets it wait for the public release.
func Follow(tx Tx, c exchange.Charter) error {
	all, err := tx.ReleasesOf(c.ID)
	if err != nil {
		return err
	}
	for _, r := range all {
		if !r.State.Opens() {
			continue
		}
		f, err := factsOf(tx, r)
		if err != nil {
			return err
		}
		var ws []exchange.WaveRecord
		for _, w := range f.planned(r, c, tx.Now()) {
			if waits(w, r, c) { // until the public release, whatever it was approved for
				ws = append(ws, w)
				continue
			}
			ws = append(ws, atOldTimes(w, f.old)...)
		}
		if err := tx.PutPlanned(r.ID, keepStops(merge(ws), f.old)); err != nil {
			return err
		}
	}
	return nil
}

// atOldTimes splits a wave by class, each at the instant at which it stood on
// the clock before.
func atOldTimes(w exchange.WaveRecord, old []exchange.WaveRecord) []exchange.WaveRecord {
	if len(w.Classes) == 0 {
		return []exchange.WaveRecord{w}
	}
	var out []exchange.WaveRecord
	for _, c := range w.Classes {
		one := w
		one.Classes = []exchange.ContentClass{c}
		for _, o := range old {
			if o.State != exchange.WaveOpen && o.Audience == w.Audience && slices.Contains(o.Classes, c) {
				one.At = o.At
			}
		}
		out = append(out, one)
	}
	return out
}

// reasoned refuses a change without a reason that can be kept.
func reasoned(reason, refusal string) error {
	p := exchange.Problem{Path: "reason"}
	switch {
	case strings.TrimSpace(reason) == "":
		p.Message = "missing: a change of plan is recorded with its reason"
	case !exchange.Storable(reason):
		p.Message = "not UTF-8 text without NUL characters"
	default:
		return nil
	}
	return exchange.InvalidWith(refusal, []exchange.Problem{p})
}

func stopped(r exchange.Release) error {
	return exchange.Fail(exchange.Conflict, "the release is %s; its plan was not changed", r.State)
}

// waves names waves of a release: those of an audience, at one instant (zero: at
// any), in one of the states.
type waves struct {
	release  exchange.ReleaseID
	audience exchange.Audience
	at       time.Time
	from     []exchange.WaveState
}

func (n waves) has(w exchange.WaveRecord) bool {
	return w.Audience.Cohort == n.audience.Cohort && (w.Audience.Compelled || !n.audience.Compelled) &&
		slices.Contains(n.from, w.State) && (n.at.IsZero() || w.At.Equal(n.at))
}

// onWaves changes each unopened wave of the audience (both of a cohort's
// audiences when it is not the compelled one), at one instant or at any, by fn,
// which answers whether it changed it.
func (s *Service) onWaves(ctx context.Context, actor exchange.Actor, on waves, c Change, kind exchange.EventKind,
	fn func(w *exchange.WaveRecord, r exchange.Release, ch exchange.Charter, now time.Time) (changed bool),
) (Changed, error) {
	return s.alter(ctx, actor, on.release, c, kind, func(tx Tx, r *exchange.Release, ch exchange.Charter) (exchange.Detail, string, error) {
		if !r.State.Opens() {
			return nil, "", exchange.Fail(exchange.Conflict, "the release is %s; it has no waves on the clock", r.State)
		}
		if kind == exchange.EventWavePushed {
			if err := s.stopped(tx, ch, "the plan was not changed"); err != nil {
				return nil, "", err
			}
		}
		ws, err := tx.WavesOf(r.ID)
		if err != nil {
			return nil, "", err
		}
		var touched []string
		for _, w := range ws {
			now := w
			if !on.has(w) || !fn(&now, *r, ch, tx.Now()) {
				continue
			}
			if err := tx.SetWave(w, now); err != nil {
				return nil, "", err
			}
			touched = append(touched, w.Audience.String()+" "+w.At.Format(exchange.TimeFormat))
		}
		if len(touched) == 0 {
			return nil, "", exchange.Fail(exchange.Conflict, "the cohort %s has no such wave that is not open yet; the plan was not changed", on.audience)
		}
		return exchange.Detail{"audience": on.audience.String(), "waves": touched}, "", nil
	})
}

// stop is what Hold and Kill do to a wave.
func stop(s exchange.WaveState) func(*exchange.WaveRecord, exchange.Release, exchange.Charter, time.Time) bool {
	return func(w *exchange.WaveRecord, _ exchange.Release, _ exchange.Charter, _ time.Time) bool {
		w.State = s
		return true
	}
}

var notOpen = []exchange.WaveState{exchange.WaveScheduled, exchange.WaveHeld}

// Hold keeps waves from opening until they are resumed. Members are not told:
// who holds nothing of a wave does not know of it.
func (s *Service) Hold(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, to exchange.Audience, at time.Time, c Change) (Changed, error) {
	return s.onWaves(ctx, a, waves{id, to, at, []exchange.WaveState{exchange.WaveScheduled}}, c, exchange.EventWaveHeld, stop(exchange.WaveHeld))
}

// Resume puts held waves back on the clock; one whose moment has passed opens now.
func (s *Service) Resume(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, to exchange.Audience, at time.Time, c Change) (Changed, error) {
	return s.onWaves(ctx, a, waves{id, to, at, []exchange.WaveState{exchange.WaveHeld}}, c, exchange.EventWaveResumed,
		func(w *exchange.WaveRecord, _ exchange.Release, _ exchange.Charter, now time.Time) bool {
			w.State, w.At = exchange.WaveScheduled, exchange.Later(w.At, now)
			return true
		})
}

// Kill takes waves out of the plan for good.
func (s *Service) Kill(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, to exchange.Audience, at time.Time, c Change) (Changed, error) {
	return s.onWaves(ctx, a, waves{id, to, at, notOpen}, c, exchange.EventWaveKilled, stop(exchange.WaveKilled))
}

// Push opens approved waves now, out of band. To the public it would end the
// embargo: that is a move of T0.
func (s *Service) Push(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, to exchange.Audience, at time.Time, c Change) (Changed, error) {
	if to == exchange.PublicAudience {
		return Changed{}, exchange.Fail(exchange.Conflict, "the public wave opens at T0; to publish now, move T0 to now")
	}
	out, err := s.onWaves(ctx, a, waves{id, to, at, notOpen}, c, exchange.EventWavePushed,
		func(w *exchange.WaveRecord, r exchange.Release, ch exchange.Charter, now time.Time) bool {
			w.State, w.At = exchange.WaveScheduled, now
			return !waits(*w, r, ch)
		})
	if err != nil {
		return out, err
	}
	if err := s.OpenDue(ctx); err != nil {
		return out, err
	}
	// What the opening made of it.
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		if out.Release, err = tx.Release(id); err != nil {
			return err
		}
		if out.Waves, err = tx.WavesOf(id); err != nil {
			return err
		}
		out.Holders, err = holders(tx, id)
		return err
	})
	return out, err
}

// waits reports whether the charter lets nothing be given to the wave's
// audience before the public release: no push can bring that forward.
func waits(w exchange.WaveRecord, r exchange.Release, ch exchange.Charter) bool {
	return w.Audience.Compelled && ch.CompelledDisclosure.Others == exchange.OthersAtRelease && r.PublicAt.IsZero()
}

// Withdraw takes the release back: nobody receives it from now on, and whoever
// holds something is told. Copies that were fetched cannot be recalled.
func (s *Service) Withdraw(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, c Change) (Changed, error) {
	return s.alter(ctx, a, id, c, exchange.EventReleaseWithdrawn, func(tx Tx, r *exchange.Release, _ exchange.Charter) (exchange.Detail, string, error) {
		if r.State == exchange.ReleaseWithdrawn || r.State == exchange.ReleaseClosed {
			return nil, "", stopped(*r)
		}
		d := exchange.Detail{"from": string(r.State)}
		r.State = exchange.ReleaseWithdrawn
		return d, "“" + r.Title + "” was withdrawn by its originator. Delete what you hold of it. Reason: " + c.Reason, tx.PutPlanned(id, nil)
	})
}

// Contain freezes a release in which a leak is suspected: nothing further
// opens; what was given stays readable. An edit brings it back to draft.
func (s *Service) Contain(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, c Change) (Changed, error) {
	return s.alter(ctx, a, id, c, exchange.EventReleaseContained, func(_ Tx, r *exchange.Release, _ exchange.Charter) (exchange.Detail, string, error) {
		if r.State == exchange.ReleaseWithdrawn || r.State == exchange.ReleaseClosed || r.State == exchange.ReleaseContained || !r.PublicAt.IsZero() {
			return nil, "", stopped(*r)
		}
		d := exchange.Detail{"from": string(r.State)}
		r.State = exchange.ReleaseContained
		return d, "“" + r.Title + "” is contained: a leak is suspected. Share it with nobody further. Reason: " + c.Reason, nil
	})
}

// Close makes the outcome final.
func (s *Service) Close(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, c Change) (exchange.Release, error) {
	out, err := s.alter(ctx, a, id, c, exchange.EventReleaseClosed, func(tx Tx, r *exchange.Release, _ exchange.Charter) (exchange.Detail, string, error) {
		ws, err := tx.WavesOf(id)
		if err != nil {
			return nil, "", err
		}
		waits := slices.ContainsFunc(ws, func(w exchange.WaveRecord) bool { return slices.Contains(notOpen, w.State) })
		if r.State != exchange.ReleasePublic && (!r.State.Opens() || waits) {
			return nil, "", exchange.Fail(exchange.Conflict, "the release is %s; only one that is public, or of which nothing opens any more, can be closed", r.State)
		}
		r.State, r.ClosedAt = exchange.ReleaseClosed, tx.Now()
		return exchange.Detail{}, "", tx.PutPlanned(id, nil)
	})
	return out.Release, err
}

// Rearm opens the case that follows an incomplete fix: linked to the old one,
// for the same cohorts or fewer. Who holds the old guidance in those cohorts
// is told that it no longer covers.
func (s *Service) Rearm(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, in Rearm) (exchange.Release, error) {
	var out exchange.Release
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		old, c, err := mine(tx, a, id)
		if err != nil {
			return err
		}
		if c.ReadOnlyAt(tx.Now()) {
			return sunset(c)
		}
		if err := reasoned(in.Reason, "the case was not opened"); err != nil {
			return err
		}
		var rules []exchange.PlanRule
		for _, r := range old.Plan.Rules {
			if !slices.Contains(in.Drop, r.Cohort) {
				rules = append(rules, r)
			}
		}
		out = draft(a, Draft{Program: old.Program, Title: cmp.Or(strings.TrimSpace(in.Title), old.Title+" (incomplete fix)"), Message: in.Message, T0: in.T0, Rules: rules}, tx.Now())
		out.IncompleteFixOf, out.Reason = old.ID, in.Reason
		if err := fit(out, c); err != nil {
			return err
		}
		if err := tx.PutRelease(&out); err != nil {
			return err
		}
		e := event(exchange.EventReleaseRearmed, a, out, planDetail(out))
		e.Subject, e.Detail["reason"] = []string{string(old.ID)}, in.Reason
		seq, err := tx.Record(e)
		if err != nil {
			return err
		}
		hs, err := holders(tx, old.ID)
		if err != nil {
			return err
		}
		hs = slices.DeleteFunc(hs, func(h Holder) bool { return slices.Contains(in.Drop, h.Audience.Cohort) })
		_, err = tellHolders(tx, old, exchange.EventReleaseRearmed, seq,
			"The fix behind “"+old.Title+"” is incomplete. A protection built on its guidance may not cover it; new guidance will follow.", hs)
		if err != nil {
			return err
		}
		return tx.BumpGeneration()
	})
	return out, err
}
