package crash

import (
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// story is a release as its events tell it.
type story struct {
	state    exchange.ReleaseState
	t0       time.Time
	version  int64
	revision int64
	public   time.Time
	closed   time.Time
	updated  time.Time
	gave     bool
	planned  int64       // the event that last put the whole plan on the clock
	at       []time.Time // instants at which waves were put on the clock since, that one included
	stops    map[exchange.CohortID]exchange.EventKind
}

// tell tells every release anew from its events alone.
func (n *inspection) tell() map[exchange.ReleaseID]*story {
	out := map[exchange.ReleaseID]*story{}
	for _, e := range n.events {
		if e.kind == exchange.EventReleaseCreated || e.kind == exchange.EventReleaseRearmed {
			if out[e.release] != nil {
				n.wrong("event %d creates %s again", e.seq, e.release)
			}
			out[e.release] = &story{state: exchange.ReleaseDraft, t0: e.instant("t0"), version: 1, revision: 1, updated: e.at}
			continue
		}
		if !changes[e.kind] {
			continue
		}
		s := out[e.release]
		if s == nil {
			n.wrong("event %d (%s) is about %q, which was never created", e.seq, e.kind, e.release)
			continue
		}
		s.version++
		s.updated = e.at
		s.follow(e)
	}
	return out
}

// changes are the acts that make a new version of a release, one each.
var changes = map[exchange.EventKind]bool{
	exchange.EventReleaseEdited: true, exchange.EventArtifactSubmitted: true, exchange.EventArtifactRemoved: true,
	exchange.EventReleaseSent: true, exchange.EventReleaseApproved: true, exchange.EventReleaseMoved: true,
	exchange.EventWaveHeld: true, exchange.EventWaveResumed: true, exchange.EventWaveKilled: true, exchange.EventWavePushed: true,
	exchange.EventWaveOpened: true, exchange.EventReleaseWithdrawn: true, exchange.EventReleaseContained: true, exchange.EventReleaseClosed: true,
}

func (s *story) follow(e event) {
	revise := func() { s.state, s.revision = exchange.ReleaseDraft, s.revision+1 }
	switch e.kind {
	case exchange.EventReleaseEdited:
		s.t0 = e.instant("t0")
		revise()
	case exchange.EventArtifactSubmitted, exchange.EventArtifactRemoved:
		revise()
	case exchange.EventReleaseSent:
		s.state = exchange.ReleaseWaiting
	case exchange.EventReleaseApproved:
		if e.number("approval") >= e.number("of") {
			s.arm(e)
		}
	case exchange.EventReleaseMoved:
		s.t0 = e.instant("to")
		if !s.state.Opens() {
			revise()
			return
		}
		s.planned, s.at = e.seq, []time.Time{e.at}
	case exchange.EventWaveHeld, exchange.EventWaveKilled, exchange.EventWaveResumed, exchange.EventWavePushed:
		s.stops[exchange.CohortID(e.text("audience"))] = e.kind
		if e.kind != exchange.EventWaveHeld && e.kind != exchange.EventWaveKilled {
			s.at = append(s.at, e.at)
		}
	case exchange.EventWaveOpened:
		s.gave = s.gave || len(e.subject) > 0
		if e.text("audience") == exchange.PublicAudience.String() && s.public.IsZero() {
			s.public = e.at
		}
		s.running(exchange.ReleaseReleasing)
	case exchange.EventReleaseWithdrawn:
		s.state = exchange.ReleaseWithdrawn
	case exchange.EventReleaseContained:
		s.state = exchange.ReleaseContained
	case exchange.EventReleaseClosed:
		s.state, s.closed = exchange.ReleaseClosed, e.at
	}
}

func (s *story) arm(e event) {
	s.planned, s.at, s.stops = e.seq, []time.Time{e.at}, map[exchange.CohortID]exchange.EventKind{}
	state := exchange.ReleaseArmed
	if s.gave {
		state = exchange.ReleaseReleasing
	}
	s.running(state)
}

func (s *story) running(state exchange.ReleaseState) {
	if s.state = state; !s.public.IsZero() {
		s.state = exchange.ReleasePublic
	}
}

// releases: a release stands where its events leave it, down to the version.
func (n *inspection) releases(stories map[exchange.ReleaseID]*story) {
	for _, r := range n.facts.releases {
		s := stories[r.ID]
		if s == nil {
			n.wrong("release %s has no event", r.ID)
			continue
		}
		if r.State != s.state || r.Version != s.version || r.Revision != s.revision || !r.Plan.T0.Equal(s.t0) ||
			!r.PublicAt.Equal(s.public) || !r.ClosedAt.Equal(s.closed) || !r.UpdatedAt.Equal(s.updated) {
			n.wrong("release %s is %s, version %d, revision %d, T0 %s; its events say %s, %d, %d, %s",
				r.ID, r.State, r.Version, r.Revision, r.Plan.T0, s.state, s.version, s.revision, s.t0)
		}
	}
	if len(stories) != len(n.facts.releases) {
		n.wrong("%d releases, %d were created", len(n.facts.releases), len(stories))
	}
}

// plans: what is still to open is exactly what the stored T0 and rules ask for,
// each class once, at its instant: no wave of an older plan beside those of a
// newer one.
func (n *inspection) plans(stories map[exchange.ReleaseID]*story) {
	waiting := map[exchange.ReleaseID][]exchange.WaveRecord{}
	for _, w := range n.facts.waves {
		if w.State != exchange.WaveOpen {
			waiting[w.Release] = append(waiting[w.Release], w)
		}
	}
	for _, r := range n.facts.releases {
		s := stories[r.ID]
		switch {
		case s == nil:
		case r.State == exchange.ReleaseWithdrawn || r.State == exchange.ReleaseClosed:
			if len(waiting[r.ID]) > 0 {
				n.wrong("release %s is %s and has %d waves to come", r.ID, r.State, len(waiting[r.ID]))
			}
		case r.State.Opens():
			n.plan(r, s, waiting[r.ID])
		}
	}
}

type part struct {
	audience exchange.Audience
	class    exchange.ContentClass // empty: the end of the embargo alone
}

// plan compares the waves to come with the release's own rules.
func (n *inspection) plan(r exchange.Release, s *story, waves []exchange.WaveRecord) {
	want := map[part]time.Time{}
	for _, slot := range exchange.Schedule(r.Plan, n.charter) {
		if !slot.Never && n.lacking(r.ID, slot.Audience, slot.Class) {
			want[part{slot.Audience, slot.Class}] = slot.At
		}
	}
	public := false // a wave to the public at T0 itself, which ends the embargo
	got := map[part]int{}
	for _, w := range waves {
		classes := w.Classes
		if len(classes) == 0 {
			classes = []exchange.ContentClass{""}
		}
		for _, c := range classes {
			p := part{w.Audience, c}
			at, ok := want[p]
			if c == "" {
				at, ok = r.Plan.T0, w.Audience == exchange.PublicAudience && r.PublicAt.IsZero()
			}
			if got[p]++; !ok || got[p] > 1 {
				n.wrong("release %s: a wave to %s at %s with %q, which the plan does not ask for", r.ID, w.Audience, w.At, c)
			} else if !w.At.Equal(at) && !slices.ContainsFunc(s.at, w.At.Equal) {
				n.wrong("release %s: the wave to %s with %q is at %s; its plan says %s", r.ID, w.Audience, c, w.At, at)
			}
		}
		public = public || w.Audience == exchange.PublicAudience
		n.stopped(r, s, w)
	}
	for p := range want {
		if got[p] == 0 {
			n.wrong("release %s: no wave gives %q to %s", r.ID, p.class, p.audience)
		}
	}
	if !public && r.PublicAt.IsZero() {
		n.wrong("release %s: no wave ends the embargo", r.ID)
	}
}

// stopped: a cohort's waves were stopped together, and resumed together.
func (n *inspection) stopped(r exchange.Release, s *story, w exchange.WaveRecord) {
	bad := false
	switch s.stops[w.Audience.Cohort] {
	case exchange.EventWaveHeld:
		bad = w.State == exchange.WaveScheduled
	case exchange.EventWaveKilled:
		bad = w.State != exchange.WaveKilled
	case exchange.EventWaveResumed, exchange.EventWavePushed:
		bad = w.State == exchange.WaveHeld
	}
	if bad {
		n.wrong("release %s: a wave to %s is %s after %s", r.ID, w.Audience, w.State, s.stops[w.Audience.Cohort])
	}
}

// lacking reports whether the release holds something of the class that the
// audience was not given.
func (n *inspection) lacking(id exchange.ReleaseID, a exchange.Audience, c exchange.ContentClass) bool {
	for number, art := range n.artifacts {
		if art.Release == id && art.ready && art.RemovedAt.IsZero() && art.Class == c &&
			!slices.ContainsFunc(n.openings, func(g given) bool { return g.artifact == number && g.audience == a }) {
			return true
		}
	}
	return false
}
