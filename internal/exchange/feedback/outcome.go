package feedback

import (
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// MinContributors is k of requirements §7: a figure that fewer organisations
// contribute to is hidden outside the organisation that owns the program. The
// charter may set another one.
const MinContributors = exchange.DefaultFloor

// Case is one release as the measures see it. Objects, pages and downloads are
// not part of it: no volume can move a measure (AT-40).
type Case struct {
	Release  exchange.Release
	Reach    []Reach
	Feedback []exchange.Feedback
}

// publicRelease is T0: when the public wave opened, else the planned instant of
// a release on the clock, as long as that lies ahead (a public wave that is held
// keeps the embargo), and of one that was closed. A release that is being
// written, or was withdrawn or contained before it was public, has none: zero.
func publicRelease(r exchange.Release, now time.Time) time.Time {
	switch {
	case !r.PublicAt.IsZero():
		return r.PublicAt
	case r.State.Opens() && r.Plan.T0.After(now), r.State == exchange.ReleaseClosed:
		return r.Plan.T0
	}
	return time.Time{}
}

// State is how near a case came to a member. The states are kept apart:
// silence after "delivered" is not "not affected". Each member is in the
// furthest state that was recorded.
type State string

// The states, from far to near.
const (
	StateSilent       State = "silent"       // given, and nothing is known of it since
	StateDelivered    State = "delivered"    // a machine or a person fetched something
	StateOpened       State = "opened"       // a person opened a page of it
	StateAcknowledged State = "acknowledged" // said so, or asked, or reported a sighting or a false positive
	StateNotAffected  State = "not-affected" // said that it does not concern them
	StateProtecting   State = "protecting"   // registered a protection
)

// AllStates lists the states from far to near.
var AllStates = []State{StateSilent, StateDelivered, StateOpened, StateAcknowledged, StateNotAffected, StateProtecting}

// Reached is how many members of how many cases are in one state.
type Reached struct {
	State  State
	Count  int // of pairs of case and member
	Hidden bool
}

// Standing is where a measure is against its target.
type Standing string

// The standings. One without a target has none.
const (
	StandingNone   Standing = ""
	StandingNoData Standing = "no data"
	StandingMet    Standing = "met"
	StandingOpen   Standing = "not yet" // not met, and its day has not passed
	StandingMissed Standing = "missed"
)

// Measure is one figure with what it means and what it rests on.
type Measure struct {
	exchange.MeasureInfo
	Basis string // exactly who and what was counted

	NoData bool // nothing to compute from: neither 0 nor 100 %
	Hidden bool // fewer than MinContributors for this reader
	Figure
	P90       time.Duration // of a span: the 90th percentile, by nearest rank
	Attested  Figure        // the part that members say
	Evidenced Figure        // the part that rests on evidence as well

	Uncounted bool // N and Of are hidden from this reader, perhaps with NoData

	N  int // how many pairs of case and member, or members, have data
	Of int // out of how many

	Lead   bool
	Target exchange.Target
	By     exchange.Date
	State  Standing
	Rows   []Row
}

// Figure is a share (Part of Whole, weights or members) or a span of time, the
// median of N.
type Figure struct {
	Part, Whole int64
	Median      time.Duration
	Count       int // what it rests on; 0: no data
}

// Share is Part of Whole, 0 to 1; 0 without data.
func (f Figure) Share() float64 {
	if f.Whole == 0 {
		return 0
	}
	return float64(f.Part) / float64(f.Whole)
}

// Row is what one member contributed to a measure in one case, or over all
// cases where Release is empty.
type Row struct {
	Release   exchange.ReleaseID
	Title     string
	Org       exchange.OrgID
	Name      string
	Weight    int64
	From, To  time.Time     // of a span; zero where it did not happen
	Span      time.Duration // To - From
	Counts    bool          // in the numerator of a share, or in the median
	Evidenced bool
	State     State
	Cases     int // how many cases the row stands for
}

// Outcome is what came of a program, or of one release.
type Outcome struct {
	Program  exchange.ProgramID
	Title    string
	Purpose  string             // the outcome that the charter promises
	Release  exchange.ReleaseID // of one release alone
	Window   Window
	At       time.Time
	Cases    []CaseLine
	Measures []Measure
	Offered  int // pairs of case and member that were given something
	Answered int // of these, those that said anything
	Reached  []Reached
	Hidden   bool  // Offered and Answered are hidden from this reader
	Quiet    []Row // those that said nothing, with the state they are in
	Hoarders []Row // able to protect, fetched three cases or more, protected in none
	Overseer bool  // the reader sees everything
	Floor    int   // figures that rest on fewer members are hidden; 0 for who sees everything
}

// CaseLine is one release of an outcome.
type CaseLine struct {
	Release exchange.ReleaseID
	Title   string
	State   exchange.ReleaseState
	T0      time.Time // zero: not public, and not approved
	Passed  bool      // T0 lies in the past
	Offered int
	Reached []Reached // of this case; nil for who does not oversee the program
	Hidden  bool      // Offered is hidden from this reader
}

// Window selects releases by T0: From ≤ T0 < To. Zero ends are open.
type Window struct{ From, To time.Time }

func (w Window) holds(t time.Time) bool {
	return (w.From.IsZero() || !t.Before(w.From)) && (w.To.IsZero() || t.Before(w.To))
}

// hoarderCases is from how many fetched cases on a member without any
// protection is named (KPI-9).
const hoarderCases = 3

// Compute takes the measures of requirements §7.1 from the cases as they were
// recorded until now, in the order of exchange.AllMeasures.
func Compute(cases []Case, now time.Time) Outcome {
	out := Outcome{At: now, Overseer: true}
	var all []pair
	for _, c := range cases {
		t0 := publicRelease(c.Release, now)
		passed := !t0.IsZero() && !t0.After(now)
		ps := pairs(c, t0, passed, now)
		all = append(all, ps...)
		line := CaseLine{Release: c.Release.ID, Title: c.Release.Title, State: c.Release.State, T0: t0, Passed: passed, Offered: len(ps)}
		line.Reached, _ = reached(ps)
		out.Cases = append(out.Cases, line)
	}
	for _, info := range exchange.AllMeasures {
		out.Measures = append(out.Measures, measure(info, all, now))
	}
	out.Reached, out.Quiet = reached(all)
	out.Hoarders = hoarders(all)
	out.Offered = len(all)
	for _, p := range all {
		if p.answered() {
			out.Answered++
		}
	}
	return out
}

// pair is one member in one case.
type pair struct {
	release     exchange.Release
	reach       Reach
	t0          time.Time // zero: none yet
	passed      bool      // t0 is not in the future
	accessed    time.Time // first delivery or opening
	registered  bool
	ready, live moment
	notAffected bool
	said        bool // anything beyond a protection and "not affected"
}

// moment is the earliest of its kind, and whether evidence stands behind it.
type moment struct {
	at        time.Time
	evidenced bool
}

// earliest keeps the earlier of two; of two at once, the one with evidence.
func (m *moment) earliest(at time.Time, evidenced bool, now time.Time) {
	switch {
	case at.IsZero() || at.After(now): // what is announced has not happened
	case m.at.IsZero() || at.Before(m.at):
		*m = moment{at, evidenced}
	case at.Equal(m.at):
		m.evidenced = m.evidenced || evidenced
	}
}

func pairs(c Case, t0 time.Time, passed bool, now time.Time) []pair {
	byOrg := map[exchange.OrgID][]exchange.Feedback{}
	replaced := amended(c.Feedback)
	for _, f := range c.Feedback {
		if !f.At.After(now) && !replaced[f.ID] {
			byOrg[f.Org] = append(byOrg[f.Org], f)
		}
	}
	var out []pair
	for _, r := range c.Reach {
		if r.Offered.IsZero() || r.Offered.After(now) {
			continue
		}
		p := pair{
			release: c.Release, reach: r, t0: t0, passed: passed,
			accessed: first(r.Delivered, r.Opened), said: !r.Acknowledged.IsZero(),
		}
		for _, f := range byOrg[r.Org] {
			p.take(f, now)
		}
		out = append(out, p)
	}
	return out
}

func (p *pair) take(f exchange.Feedback, now time.Time) {
	switch f.Kind {
	case exchange.FeedbackProtection:
		p.registered = true
		evidenced := f.Evidence != ""
		p.ready.earliest(f.ReadyAt, evidenced, now)
		p.live.earliest(f.LiveAt, evidenced, now)
		// What is live was ready by then.
		p.ready.earliest(f.LiveAt, evidenced, now)
	case exchange.FeedbackNotAffected:
		p.notAffected = true
	default:
		p.said = true
	}
}

// first is the earlier instant; zero instants did not happen.
func first(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (p pair) weight() int64 { return max(1, p.reach.Weight) }

// early: the member was given something before the public release.
func (p pair) early() bool { return !p.t0.IsZero() && p.reach.Offered.Before(p.t0) }

// able: the member can protect in this case. One that says it is not affected
// has nobody to protect; a protection that it registers all the same counts.
func (p pair) able() bool { return p.reach.Capable && (!p.notAffected || p.registered) }

func (p pair) answered() bool { return p.registered || p.notAffected || p.said }

func (p pair) state() State {
	switch {
	case p.registered:
		return StateProtecting
	case p.notAffected:
		return StateNotAffected
	case p.said:
		return StateAcknowledged
	case !p.reach.Opened.IsZero():
		return StateOpened
	case !p.reach.Delivered.IsZero():
		return StateDelivered
	}
	return StateSilent
}

func (p pair) row() Row {
	return Row{
		Release: p.release.ID, Title: p.release.Title, Org: p.reach.Org, Name: p.reach.Name,
		Weight: p.weight(), State: p.state(), Cases: 1,
	}
}

func reached(all []pair) ([]Reached, []Row) {
	counts := map[State]int{}
	var quiet []Row
	for _, p := range all {
		counts[p.state()]++
		if !p.answered() {
			quiet = append(quiet, p.row())
		}
	}
	out := make([]Reached, len(AllStates))
	for i, s := range AllStates {
		out[i] = Reached{State: s, Count: counts[s]}
	}
	return out, quiet
}

// perMember gathers the pairs of each member, in the order of first appearance.
func perMember(all []pair) [][]pair {
	index := map[exchange.OrgID]int{}
	var out [][]pair
	for _, p := range all {
		i, ok := index[p.reach.Org]
		if !ok {
			i = len(out)
			index[p.reach.Org] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], p)
	}
	return out
}

func hoarders(all []pair) []Row {
	var out []Row
	for _, ps := range perMember(all) {
		if slices.ContainsFunc(ps, func(p pair) bool { return p.registered }) || !ps[0].reach.Capable {
			continue
		}
		fetched := 0
		for _, p := range ps {
			if !p.accessed.IsZero() && !p.notAffected {
				fetched++
			}
		}
		if fetched >= hoarderCases {
			r := ps[0]
			out = append(out, Row{Org: r.reach.Org, Name: r.reach.Name, Weight: r.weight(), Cases: fetched, State: r.state()})
		}
	}
	return out
}
