package crash

import (
	"fmt"
	"slices"
	"sort"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
)

// inspection collects what is wrong with a folder.
type inspection struct {
	facts
	found []string
	bySeq map[int64]event
	byID  map[exchange.ArtifactID]int64 // artifact to number
	born  map[int64]int64               // artifact to the event of its submission
	gone  map[int64]int64               // and of its removal
}

func (n *inspection) wrong(format string, args ...any) {
	if len(n.found) < 50 {
		n.found = append(n.found, fmt.Sprintf(format, args...))
	}
}

// inspect answers all that does not hold of what must hold at any time, in the
// snapshot of tx. With swept, nothing of an unfinished submission may be left.
func inspect(tx *sqlstore.Tx, swept bool) (facts, []string, error) {
	f, err := read(tx)
	if err != nil {
		return f, nil, err
	}
	n := &inspection{facts: f, bySeq: map[int64]event{}, byID: map[exchange.ArtifactID]int64{}, born: map[int64]int64{}, gone: map[int64]int64{}}
	if len(f.integrity) != 1 || f.integrity[0] != "ok" {
		n.wrong("the database is damaged: %v", f.integrity)
	}
	n.numbered()
	n.submissions(swept)
	n.indexed()
	stories := n.tell()
	n.releases(stories)
	n.plans(stories)
	n.waves()
	n.feeds()
	n.exposures()
	n.told()
	n.people()
	return f, n.found, nil
}

// numbered: events are numbered from 1 without a gap, and the counters stand
// where their numbers end.
func (n *inspection) numbered() {
	for i, e := range n.events {
		if e.seq != int64(i+1) {
			n.wrong("event %d stands where %d belongs", e.seq, i+1)
			break
		}
	}
	for _, e := range n.events {
		n.bySeq[e.seq] = e
	}
	if got := n.counters["event"]; got != int64(len(n.events)) {
		n.wrong("the counter of events stands at %d, there are %d", got, len(n.events))
	}
	for number := range n.artifacts {
		if number > n.counters["artifact"] {
			n.wrong("artifact %d is beyond its counter", number)
		}
	}
	for id := range n.classes {
		if id > n.counters["class"] {
			n.wrong("handling class %d is beyond its counter", id)
		}
	}
}

// submissions: each artifact that exists has one event and all its objects;
// what is staged has left no other trace.
func (n *inspection) submissions(swept bool) {
	for number, a := range n.artifacts {
		n.byID[a.ID] = number
	}
	for _, e := range n.events {
		switch e.kind {
		case exchange.EventArtifactSubmitted, exchange.EventArtifactRemoved:
		default:
			continue
		}
		number, ok := n.byID[exchange.ArtifactID(e.subject[0])]
		a := n.artifacts[number]
		if !ok || !a.ready {
			n.wrong("event %d names artifact %s, which is not there", e.seq, e.subject[0])
			continue
		}
		if e.kind == exchange.EventArtifactRemoved {
			n.gone[number] = e.seq
			continue
		}
		if n.born[number] != 0 {
			n.wrong("artifact %s was submitted by events %d and %d", a.ID, n.born[number], e.seq)
		}
		n.born[number] = e.seq
		if e.release != a.Release || e.text("sha256") != a.SHA256 || e.number("objects") != a.Objects || e.number("size") != a.Size || !e.at.Equal(a.SubmittedAt) {
			n.wrong("event %d does not describe artifact %s", e.seq, a.ID)
		}
	}
	for number, a := range n.artifacts {
		switch {
		case !a.ready && swept:
			n.wrong("artifact %s is staged after a sweep", a.ID)
		case a.ready && n.born[number] == 0:
			n.wrong("artifact %s has no event", a.ID)
		case a.ready && int64(len(n.blocks[number])) != a.Objects:
			n.wrong("artifact %s has %d objects, want %d", a.ID, len(n.blocks[number]), a.Objects)
		case a.RemovedAt.IsZero() != (n.gone[number] == 0):
			n.wrong("artifact %s was removed without its event, or the reverse", a.ID)
		}
		for i, e := range n.blocks[number] {
			if e.Position != int64(i) || a.ready && (e.Offset+e.Length > a.Size || n.classes[e.Class] != number) {
				n.wrong("artifact %s: object %d is misplaced", a.ID, i)
				break
			}
		}
	}
}

// index: every object is found by its id, and nothing else is.
func (n *inspection) indexed() {
	var objects int64
	for number, es := range n.blocks {
		objects += int64(len(es))
		if _, ok := n.artifacts[number]; !ok {
			n.wrong("objects of artifact %d, which is not there", number)
		}
	}
	if n.facts.index != objects || n.strays != 0 {
		n.wrong("%d objects, %d in the index, %d of them stray", objects, n.facts.index, n.strays)
	}
	for id, number := range n.classes {
		if _, ok := n.artifacts[number]; !ok {
			n.wrong("handling class %d of artifact %d, which is not there", id, number)
		}
	}
}

// waves: a wave is open whole or not at all.
func (n *inspection) waves() {
	type key struct {
		release  exchange.ReleaseID
		audience string
		at       int64
	}
	type open struct {
		seq    int64
		wave   *exchange.WaveRecord
		given  map[int64]bool // by its event
		opened []given
	}
	byPlan, byTime := map[key]*open{}, map[key]*open{}
	for _, e := range n.events {
		if e.kind != exchange.EventWaveOpened {
			continue
		}
		o := &open{seq: e.seq, given: map[int64]bool{}}
		for _, id := range e.subject {
			o.given[n.byID[exchange.ArtifactID(id)]] = true
		}
		plan, when := key{e.release, e.text("audience"), e.instant("planned").UnixMicro()}, key{e.release, e.text("audience"), e.at.UnixMicro()}
		if byPlan[plan] != nil || byTime[when] != nil {
			n.wrong("event %d opens a wave a second time", e.seq)
		}
		byPlan[plan], byTime[when] = o, o
	}
	for i, w := range n.facts.waves {
		if w.State != exchange.WaveOpen {
			continue
		}
		o := byPlan[key{w.Release, w.Audience.String(), w.At.UnixMicro()}]
		if o == nil || !n.bySeq[o.seq].at.Equal(w.OpenedAt) {
			n.wrong("wave to %s of %s is open without an event", w.Audience, w.Release)
			continue
		}
		o.wave = &n.facts.waves[i]
	}
	for _, g := range n.openings {
		o := byTime[key{g.release, g.audience.String(), g.at.UnixMicro()}]
		if o == nil || !o.given[g.artifact] {
			n.wrong("artifact %d is open to %s without a wave", g.artifact, g.audience)
			continue
		}
		o.opened = append(o.opened, g)
	}
	for k, o := range byPlan {
		if o.wave == nil {
			n.wrong("event %d opened a wave to %s of %s that is not there", o.seq, k.audience, k.release)
			continue
		}
		if len(o.opened) != len(o.given) {
			n.wrong("event %d gave %d artifacts, %d are open", o.seq, len(o.given), len(o.opened))
		}
		n.whole(o.seq, *o.wave, o.given)
	}
}

// whole: the wave gave every artifact of its classes that was there, and told
// those who were offered it.
func (n *inspection) whole(seq int64, w exchange.WaveRecord, gave map[int64]bool) {
	var objects int64
	for number, a := range n.artifacts {
		if gave[number] {
			objects += a.Objects
		}
		if a.Release != w.Release || !a.ready || n.born[number] > seq || n.gone[number] != 0 && n.gone[number] < seq || !slices.Contains(w.Classes, a.Class) {
			continue
		}
		if !slices.ContainsFunc(n.openings, func(g given) bool { return g.artifact == number && g.audience == w.Audience }) {
			n.wrong("the wave to %s of %s is open without artifact %s", w.Audience, w.Release, a.ID)
		}
	}
	if w.Objects != objects {
		n.wrong("the wave to %s of %s says %d objects, its artifacts have %d", w.Audience, w.Release, w.Objects, objects)
	}
	offered, told := map[exchange.OrgID]map[int64]bool{}, map[exchange.OrgID]int{}
	for _, x := range n.facts.exposures {
		if x.Kind == exchange.ExposureOffered && gave[x.Number] {
			if offered[x.Org] == nil {
				offered[x.Org] = map[int64]bool{}
			}
			offered[x.Org][x.Number] = true
			if x.Event == seq && told[x.Org] == 0 {
				told[x.Org] = -1 // to be told
			}
		}
	}
	for _, t := range n.notices {
		if t.Event != seq {
			continue
		}
		if told[t.Org] > 0 || offered[t.Org] == nil {
			n.wrong("%s was told twice, or for nothing, of event %d", t.Org, seq)
		}
		told[t.Org] = 1
	}
	for org, times := range told {
		if times < 0 {
			n.wrong("%s was offered something by event %d and not told", org, seq)
		}
	}
	for _, org := range steady {
		if n.members[org].Audience == w.Audience && len(gave) > 0 && (len(offered[org]) != len(gave) || told[org] != 1) {
			n.wrong("%s was offered %d of %d artifacts by event %d, and told %d times", org, len(offered[org]), len(gave), seq, told[org])
		}
	}
}

// feeds: what is open to an audience is in its feed once, and what is in a feed
// is open. Dates are unique in the program and not ahead of its clock.
func (n *inspection) feeds() {
	type key struct {
		audience string
		artifact int64
	}
	opened, streams := map[key]bool{}, map[string]bool{}
	for _, g := range n.openings {
		opened[key{g.audience.String(), g.artifact}] = true
	}
	for _, f := range n.facts.feeds {
		if f.org == "" {
			streams[f.audience] = true
		}
	}
	in := map[key]int{}
	var last int64
	for _, r := range n.runs {
		f, ok := n.facts.feeds[r.feed]
		a := n.artifacts[r.artifact]
		k := key{f.audience, r.artifact}
		if in[k]++; !ok || f.org == "" && !opened[k] {
			n.wrong("artifact %d is in feed %d and not open", r.artifact, r.feed)
		}
		if r.n != a.Objects || r.base <= last {
			n.wrong("the run of artifact %d at %d overlaps, or has %d objects in place of %d", r.artifact, r.base, r.n, a.Objects)
		}
		last = max(last, r.last())
	}
	if last > n.clock {
		n.wrong("the last date_added is %d, the program's clock stands at %d", last, n.clock)
	}
	for k := range opened {
		want := 0
		if streams[k.audience] && n.artifacts[k.artifact].Objects > 0 {
			want = 1
		}
		if in[k] != want {
			n.wrong("artifact %d is open to %s and %d times in its feed, want %d", k.artifact, k.audience, in[k], want)
		}
	}
	for _, org := range members {
		if a := n.members[org].Audience; a.Cohort != "" && !streams[a.String()] {
			n.wrong("the audience %s has a member and no feed", a)
		}
	}
}

// exposures: each line says by which event, and that event is about the artifact.
func (n *inspection) exposures() {
	opened := map[int64]bool{}
	for _, g := range n.openings {
		opened[g.artifact] = true
	}
	for _, x := range n.facts.exposures {
		e, a := n.bySeq[x.Event], n.artifacts[x.Number]
		if !opened[x.Number] || !slices.Contains(e.subject, string(a.ID)) || x.Release != a.Release {
			n.wrong("%s has artifact %d as %s by event %d (%s), which does not say so", x.Org, x.Number, x.Kind, x.Event, e.kind)
		}
	}
}

// told: each notice has its event; a change that concerns those who hold
// something told each of them once.
func (n *inspection) told() {
	type key struct {
		seq int64
		org exchange.OrgID
	}
	got := map[key]int{}
	for _, t := range n.notices {
		if n.bySeq[t.Event].kind != t.Kind {
			n.wrong("%s was told of event %d as %s; it is %s", t.Org, t.Event, t.Kind, n.bySeq[t.Event].kind)
		}
		got[key{t.Event, t.Org}]++
	}
	for _, e := range n.events {
		switch e.kind {
		case exchange.EventReleaseMoved, exchange.EventReleaseWithdrawn, exchange.EventReleaseContained:
		default:
			continue
		}
		for _, x := range n.facts.exposures {
			if x.Release == e.release && x.Event < e.seq && got[key{e.seq, x.Org}] != 1 {
				n.wrong("%s holds something of %s and was told %d times of event %d (%s)", x.Org, e.release, got[key{e.seq, x.Org}], e.seq, e.kind)
				break
			}
		}
	}
}

// people: members, acceptances and feedback agree with the record.
func (n *inspection) people() {
	states, suspended := map[exchange.OrgID]exchange.MemberState{}, map[exchange.OrgID]bool{}
	accepted, said := 0, map[string]bool{}
	for _, e := range n.events {
		switch e.kind {
		case exchange.EventMemberJoined, exchange.EventMemberResumed:
			states[e.org] = exchange.MemberActive
		case exchange.EventMemberSuspended:
			states[e.org] = exchange.MemberSuspended
		case exchange.EventOrgSuspended, exchange.EventOrgResumed:
			suspended[e.org] = e.kind == exchange.EventOrgSuspended
		case exchange.EventAgreementAccepted:
			if accepted++; n.members[e.org].Accepted != 1 {
				n.wrong("%s accepted by event %d, and has not", e.org, e.seq)
			}
		case exchange.EventFeedback:
			said[e.subject[0]] = true
		}
	}
	if len(states) != len(n.members) || accepted != n.accepted || len(said) != len(n.feedback) {
		n.wrong("%d members and %d events, %d acceptances and %d events, %d reports and %d events",
			len(n.members), len(states), n.accepted, accepted, len(n.feedback), len(said))
	}
	for org, m := range n.members {
		if states[org] != m.State || suspended[org] != n.suspended[org] {
			n.wrong("%s is %s, the record says %q", org, m.State, states[org])
		}
	}
	for _, f := range n.feedback {
		if !said[string(f.ID)] {
			n.wrong("feedback %s has no event", f.ID)
		}
	}
}

// visible lists what a steady member must find, by artifact number.
func (f *facts) visible(org exchange.OrgID) (must, may map[int64]bool) {
	must, may = map[int64]bool{}, map[int64]bool{}
	withdrawn := map[exchange.ReleaseID]bool{}
	for _, r := range f.releases {
		withdrawn[r.ID] = r.State == exchange.ReleaseWithdrawn
	}
	for _, g := range f.openings {
		switch {
		case withdrawn[g.release]:
		case g.audience == f.members[org].Audience:
			must[g.artifact] = true
		case g.audience == exchange.PublicAudience:
			may[g.artifact] = true
		}
	}
	return must, may
}

// inOrder lists the artifacts in the order in which they came into being.
func (f *facts) inOrder() []artifact {
	var out []artifact
	for _, a := range f.artifacts {
		if a.ready {
			out = append(out, a)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Number < out[j].Number })
	return out
}
