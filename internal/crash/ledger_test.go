package crash

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// ledger is what the process acknowledged, over all the times it was killed.
type ledger struct {
	open      map[int64]said // begun and neither acknowledged nor refused, in this life
	last      map[exchange.ReleaseID]said
	artifacts map[exchange.ArtifactID]said
	feedback  map[exchange.FeedbackID]said
	accepted  map[exchange.OrgID]said
	standing  map[exchange.OrgID]said // the last word on a member or an organisation
	acts      map[act]int             // acknowledged since base was taken
	held      map[holding]bool        // what pages brought
	base      map[act]int             // events in the folder when the process began; nil: it never has
	faults    []string
	total     int // acts acknowledged
}

// act is what an event must agree with.
type act struct {
	kind    exchange.EventKind
	org     exchange.OrgID
	release exchange.ReleaseID
}

// holding is an artifact of which an organisation was given something.
type holding struct {
	org      exchange.OrgID
	artifact int64
}

func newLedger() *ledger {
	return &ledger{
		held: map[holding]bool{},
		last: map[exchange.ReleaseID]said{}, artifacts: map[exchange.ArtifactID]said{}, feedback: map[exchange.FeedbackID]said{},
		accepted: map[exchange.OrgID]said{}, standing: map[exchange.OrgID]said{}, open: map[int64]said{}, acts: map[act]int{},
	}
}

// begin starts a life of the process on what f holds.
func (l *ledger) begin(f facts) {
	clear(l.open)
	clear(l.acts)
	clear(l.standing) // an act that was not acknowledged may have been the last
	l.base = f.acts()
}

// line takes a line from the process.
func (l *ledger) line(b []byte) (said, error) {
	var s said
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("the process said %q: %w", b, err)
	}
	if s.State == begun {
		l.open[s.N] = s
		return s, nil
	}
	delete(l.open, s.N)
	switch s.State {
	case broken:
		l.faults = append(l.faults, fmt.Sprintf("%s (%s): %s", s.What, s.Kind, s.Error))
	case done:
		l.total++
		l.acknowledge(s)
	}
	return s, nil
}

func (l *ledger) acknowledge(s said) {
	if s.Kind != "" {
		l.acts[actOf(s.Kind, s.Org, s.On)]++
	}
	for _, n := range s.Held {
		l.held[holding{s.Org, n}] = true
	}
	if s.Artifact != nil {
		if old, ok := l.artifacts[s.Artifact.ID]; s.Kind == "" && (!ok || old.Sent != s.Sent) {
			l.faults = append(l.faults, fmt.Sprintf("%s was called the same submission as one that never was", s.Sent))
		}
		l.artifacts[s.Artifact.ID] = s
	}
	if s.Release != nil && s.Release.Version >= l.version(s.On) {
		l.last[s.On] = s
	}
	switch {
	case s.Feedback != nil:
		l.feedback[s.Feedback.ID] = s
	case s.Accepted != nil:
		l.accepted[s.Accepted.Org] = s
	case s.Member != nil || s.Body != nil:
		l.standing[s.Org] = s
	}
}

func (l *ledger) version(id exchange.ReleaseID) int64 {
	if s, ok := l.last[id]; ok {
		return s.Release.Version
	}
	return 0
}

// actOf leaves the release out where a page may be of several.
func actOf(kind exchange.EventKind, org exchange.OrgID, release exchange.ReleaseID) act {
	if kind == exchange.EventPageServed {
		release = ""
	}
	return act{kind, org, release}
}

// unannounced are acts that follow from others.
var unannounced = []exchange.EventKind{exchange.EventWaveOpened, exchange.EventMemberMoved, exchange.EventReleaseOffered}

func (f *facts) acts() map[act]int {
	out := map[act]int{}
	for _, e := range f.events {
		if !slices.Contains(unannounced, e.kind) {
			out[actOf(e.kind, e.org, e.release)]++
		}
	}
	return out
}

// compare answers what is acknowledged and not there, and what is there though
// nobody did it.
func (l *ledger) compare(f facts) []string {
	found := slices.Clone(l.faults)
	wrong := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	l.events(f, wrong)
	l.pages(f, wrong)
	there := map[exchange.ArtifactID]artifact{}
	for _, a := range f.artifacts {
		if a.ready {
			there[a.ID] = a
		}
	}
	for id, s := range l.artifacts {
		a, ok := there[id]
		if want := s.Artifact; !ok || a.SHA256 != s.Sent || a.Size != want.Size || a.Objects != want.Objects || a.Release != want.Release || a.Class != want.Class {
			wrong("artifact %s was acknowledged as %s with %d objects; there is %s with %d", id, s.Sent, want.Objects, a.SHA256, a.Objects)
		}
	}
	l.releases(f, wrong)
	l.words(f, wrong)
	return found
}

// events: each act that was acknowledged has one event, and each further event
// belongs to an act that had begun.
func (l *ledger) events(f facts, wrong func(string, ...any)) {
	spare := map[exchange.EventKind]int{}
	for _, s := range l.open {
		spare[s.Kind]++
	}
	now := f.acts()
	keys := map[act]bool{}
	for _, m := range []map[act]int{l.acts, l.base, now} {
		for k := range maps.Keys(m) {
			keys[k] = true
		}
	}
	for k := range keys {
		switch extra := now[k] - l.base[k] - l.acts[k]; {
		case extra < 0 && k.kind == exchange.EventPageServed: // summed up, or lost: see pages
		case extra < 0:
			wrong("%d events %s of %s on %q are missing", -extra, k.kind, k.org, k.release)
		case extra > 0:
			if spare[k.kind] -= extra; spare[k.kind] < 0 {
				wrong("%d events %s of %s on %q that nobody asked for", -spare[k.kind], k.kind, k.org, k.release)
			}
		}
	}
}

// pages: what a page was the first to bring is recorded before it is given.
// Those that bring more of it are summed up, and the sum may be lost.
func (l *ledger) pages(f facts, wrong func(string, ...any)) {
	delivered := map[holding]bool{}
	for _, x := range f.exposures {
		if x.Kind == exchange.ExposureServed {
			delivered[holding{x.Org, x.Number}] = true
		}
	}
	for h := range l.held {
		if !delivered[h] {
			wrong("%s was given something of artifact %d, of which there is no record", h.org, h.artifact)
		}
	}
}

// releases: each is at least as far as it was acknowledged; where it is just as
// far, it is the same in everything.
func (l *ledger) releases(f facts, wrong func(string, ...any)) {
	there := map[exchange.ReleaseID]exchange.Release{}
	for _, r := range f.releases {
		there[r.ID] = r
	}
	waves := map[exchange.ReleaseID][]exchange.WaveRecord{}
	for _, w := range f.waves {
		waves[w.Release] = append(waves[w.Release], w)
	}
	for id, s := range l.last {
		r, ok := there[id]
		if !ok || r.Version < s.Release.Version {
			wrong("release %s was acknowledged at version %d, it is at %d", id, s.Release.Version, r.Version)
			continue
		}
		if r.Version > s.Release.Version {
			continue
		}
		if r.State != s.Release.State || r.Revision != s.Release.Revision || !r.Plan.T0.Equal(s.Release.Plan.T0.Truncate(time.Microsecond)) {
			wrong("release %s differs from what was acknowledged at the same version", id)
		}
		if s.Waves != nil {
			if d := cmp.Diff(s.Waves, waves[id], cmpopts.EquateEmpty()); d != "" {
				wrong("the plan of release %s differs from what was acknowledged: %s", id, d)
			}
		}
	}
}

// words: what members said, signed and are.
func (l *ledger) words(f facts, wrong func(string, ...any)) {
	there := map[exchange.FeedbackID]exchange.Feedback{}
	for _, x := range f.feedback {
		there[x.ID] = x
	}
	for id, s := range l.feedback {
		if d := cmp.Diff(*s.Feedback, there[id], cmpopts.EquateEmpty(), cmpopts.EquateApproxTime(time.Microsecond)); d != "" {
			wrong("feedback %s differs from what was acknowledged: %s", id, d)
		}
	}
	for org, s := range l.accepted {
		if f.members[org].Accepted != s.Accepted.Version {
			wrong("%s accepted version %d, which is not there", org, s.Accepted.Version)
		}
	}
	for org, s := range l.standing {
		if slices.ContainsFunc(slices.Collect(maps.Values(l.open)), func(o said) bool { return o.What == joining }) {
			continue // the next word may have been the last
		}
		if s.Member != nil && f.members[org].State != s.Member.State || s.Body != nil && f.suspended[org] == s.Body.SuspendedAt.IsZero() {
			wrong("%s does not stand as was acknowledged", org)
		}
	}
}
