package delivery

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Everyone is who takes part in a program.
type Everyone interface {
	ListMembers(program exchange.ProgramID, after exchange.OrgID, limit int) ([]exchange.Member, error) // limit 0: all
	ListPeople(org exchange.OrgID) ([]exchange.Person, error)
}

// Candidate is a change that is not in force: another charter, other handlings of
// artifacts, or both.
type Candidate struct {
	Charter   *exchange.Charter // nil: the one in force
	Handlings map[exchange.ArtifactID]exchange.Handling
}

// Simulation is what a change would do to those who may have something now, or
// would have it then.
type Simulation struct {
	Gained int // pairs of an organisation and an artifact that it would be given, or given more of
	Lost   int // those that it would no longer be given, or given less of
	Other  int // those that would be refused as before, for another reason
	Same   int // those for which nothing would change
	Rows   []Shift
	More   int // rows that are counted and not listed
	// Unnamed says that rows are counted whose organisation the asker, an
	// originator, may not know of.
	Unnamed int
	// Left is the number of artifacts, the oldest, that were not looked at: there
	// were too many.
	Left int
}

// Shift is one organisation and one artifact for which a change changes something.
type Shift struct {
	Org      exchange.OrgID
	Release  exchange.ReleaseID
	Artifact exchange.ArtifactID
	Title    string // of the artifact
	From, To exchange.Audience
	Effect   Effect
	Person   [2]Outcome // before and after: for the organisation's most entitled person, in the browser
	Machine  [2]Outcome // and for its machines
}

// Outcome is a verdict in short.
type Outcome struct {
	Verdict policy.Verdict
	Code    string
	Whole   bool // no part of it is withheld
}

// String is the outcome in words: "ALLOW", "ALLOW in part", "NOT_YET E_TIME".
func (o Outcome) String() string {
	switch {
	case o.Code != "":
		return o.Verdict.String() + " " + o.Code
	case o.Verdict == policy.Allow && !o.Whole:
		return o.Verdict.String() + " in part"
	}
	return o.Verdict.String()
}

// Effect is what a change does for an organisation.
type Effect string

// The effects.
const (
	Gains  Effect = "gains"  // it would be given the item
	Loses  Effect = "loses"  // it would not be given it any more
	More   Effect = "more"   // it would be given more of it, or by more channels
	Less   Effect = "less"   // it would be given less of it
	Refuse Effect = "reason" // it would be refused, for another reason
)

const (
	maxShifts = 500     // rows of a simulation
	maxJudged = 200_000 // pairs of an organisation and an artifact
)

// Simulate answers who would gain and who would lose by a change, under the facts
// of this moment: the decisions on every artifact for every member, as its
// machines and as its most entitled person, now and under the change. It changes
// nothing and records nothing.
//
// It is for those who run the program. An originator may simulate the handling of
// its own artifacts; members about which it may not ask are counted, not named.
func (s *Service) Simulate(ctx context.Context, a exchange.Actor, program exchange.ProgramID, change Candidate) (Simulation, error) {
	own, err := s.view(ctx, a, program)
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return Simulation{}, err
	}
	m := simulation{change: change}
	err = s.c.Store.View(ctx, func(tx Tx) error {
		c, err := tx.Charter(program)
		if err != nil {
			return err
		}
		m.tx, m.now = &remembering{Tx: tx}, tx.Now()
		m.tx.forget()
		m.q = question{tx: tx, a: a, own: own, all: oversees(a, c), now: m.now}
		if !m.q.all && (own == nil || !own.takesPart() || !a.May(exchange.VerbRead) || change.Charter != nil) {
			return exchange.Missing()
		}
		m.before, m.after = c, c
		if change.Charter != nil {
			m.after = *change.Charter
			m.audiences, err = s.c.Audiences(tx, m.after)
		}
		if err != nil {
			return err
		}
		return m.run()
	})
	if err != nil {
		return Simulation{}, err
	}
	m.sort()
	return m.out, nil
}

// simulation is one run.
type simulation struct {
	tx            *remembering
	q             question
	change        Candidate
	before, after exchange.Charter
	audiences     map[exchange.OrgID]exchange.Audience // after; nil: as they are
	now           time.Time
	out           Simulation
	rows          [5]int // by rank
}

func (m *simulation) run() error {
	arts, err := m.artifacts()
	if err != nil {
		return err
	}
	members, err := m.tx.ListMembers(m.before.ID, "", 0)
	if err != nil {
		return err
	}
	members = slices.DeleteFunc(members, func(o exchange.Member) bool { return o.State == exchange.MemberLeft })
	if most := maxJudged / max(len(members), 1); len(arts) > most {
		m.out.Left = len(arts) - most
		arts = arts[:most]
	}
	all := make([]asIf, len(members))
	for i, o := range members {
		if all[i], err = m.asIf(o); err != nil {
			return err
		}
	}
	for _, art := range arts {
		m.tx.forget()
		for _, x := range all {
			if err := m.compare(x, art); err != nil {
				return err
			}
		}
	}
	return nil
}

// artifacts are those that the change concerns, newest first. A handling may be
// named only for an artifact of the program that the asker may decide on.
func (m *simulation) artifacts() (arts []exchange.Artifact, err error) {
	if m.change.Charter == nil {
		for id := range m.change.Handlings {
			art, err := m.tx.Artifact(id)
			if err == nil && (art.Program != m.before.ID || !m.q.all && !m.q.owns(art)) {
				err = exchange.Missing()
			}
			if err != nil {
				return nil, err
			}
			arts = append(arts, art)
		}
		return arts, nil
	}
	rs, err := m.tx.ReleasesOf(m.before.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Backward(rs) {
		some, err := m.tx.ArtifactsOf(r.ID)
		if err != nil {
			return nil, err
		}
		arts = append(arts, slices.DeleteFunc(some, func(a exchange.Artifact) bool { return !a.RemovedAt.IsZero() })...)
	}
	return arts, nil
}

// asIf is one organisation, as it is and as it would be.
type asIf struct {
	was, then *view
	people    []exchange.Person
}

func (m *simulation) asIf(o exchange.Member) (x asIf, err error) {
	if x.was, err = asMember(m.tx, m.before, o.Org); err != nil {
		return x, err
	}
	if x.then, err = m.then(o.Org); err != nil {
		return x, err
	}
	if !m.q.all { // what depends on the member itself is not for an originator to know
		for _, v := range []*view{x.was, x.then} {
			v.r.Suspended, v.r.Member, v.r.Accepted = false, true, max(v.r.Accepted, v.required)
		}
	}
	x.people, err = m.tx.ListPeople(o.Org)
	x.people = slices.DeleteFunc(x.people, func(p exchange.Person) bool { return !p.SuspendedAt.IsZero() })
	return x, err
}

// compare compares what the organisation has of the artifact with what it would have.
func (m *simulation) compare(s asIf, art exchange.Artifact) (err error) {
	changed := art
	if h, ok := m.change.Handlings[art.ID]; ok {
		changed.Handling = h
	}
	x := Shift{
		Org: s.was.r.Org, Release: art.Release, Artifact: art.ID, Title: art.Title, From: s.was.r.Audience, To: s.then.r.Audience,
	}
	if x.Person[0], x.Machine[0], err = m.judge(s.was, art, s.people); err != nil {
		return err
	}
	if x.Person[1], x.Machine[1], err = m.judge(s.then, changed, s.people); err != nil {
		return err
	}
	return m.note(x, s.was, art)
}

// then is the view that the organisation would have.
func (m *simulation) then(org exchange.OrgID) (*view, error) {
	if m.audiences == nil {
		return asMember(m.tx, m.after, org)
	}
	return asMember(moved{m.tx, m.audiences[org]}, m.after, org)
}

// judge decides for the organisation's most entitled person and for its machines.
func (m *simulation) judge(v *view, art exchange.Artifact, people []exchange.Person) (person, machine Outcome, err error) {
	k, err := v.wholeFacts(m.tx, art)
	if err != nil {
		return person, machine, err
	}
	r := v.r
	r.Channel = exchange.ChannelTAXII
	k.decide(r, m.now, policy.Decide)
	machine = Outcome{k.decision.Verdict, k.decision.Code, k.whole}
	r.Channel = exchange.ChannelWeb
	for _, p := range people {
		if r.Person == "" || slices.Contains(art.Handling.Persons, p.ID) {
			r.Person = p.ID
		}
	}
	k.decide(r, m.now, policy.Decide)
	return Outcome{k.decision.Verdict, k.decision.Code, k.whole}, machine, nil
}

// level orders outcomes by how much is given.
func (o Outcome) level() int {
	switch {
	case o.Verdict == policy.Allow && o.Whole:
		return 3
	case o.Verdict == policy.Allow:
		return 2
	case o.Verdict == policy.AllowRedacted:
		return 1
	}
	return 0
}

// effect compares before with after; empty: nothing changes.
func (x Shift) effect() Effect {
	had, has := x.Person[0].level()+x.Machine[0].level(), x.Person[1].level()+x.Machine[1].level()
	switch {
	case had == 0 && has > 0:
		return Gains
	case had > 0 && has == 0:
		return Loses
	case has > had:
		return More
	case has < had:
		return Less
	case x.Person[0] != x.Person[1] || x.Machine[0] != x.Machine[1]:
		return Refuse
	}
	return ""
}

// note counts a pair, and lists it where something changes.
func (m *simulation) note(x Shift, was *view, art exchange.Artifact) error {
	switch x.Effect = x.effect(); x.Effect {
	case "":
		m.out.Same++
		return nil
	case Gains, More:
		m.out.Gained++
	case Loses, Less:
		m.out.Lost++
	default:
		m.out.Other++
	}
	if !m.q.all {
		x.From, x.To = exchange.Audience{}, exchange.Audience{}
		if ok, err := m.q.mayName(was, art); err != nil || !ok {
			m.out.Unnamed++
			return err
		}
	}
	if m.rows[rank[x.Effect]]++; m.rows[rank[x.Effect]] > maxShifts {
		m.out.More++
		return nil
	}
	m.out.Rows = append(m.out.Rows, x)
	return nil
}

// rank puts first what cannot be taken back: who gains.
var rank = map[Effect]int{Gains: 0, More: 1, Loses: 2, Less: 3, Refuse: 4}

func (m *simulation) sort() {
	slices.SortStableFunc(m.out.Rows, func(a, b Shift) int {
		return cmp.Or(cmp.Compare(rank[a.Effect], rank[b.Effect]), cmp.Compare(a.Org, b.Org))
	})
	if n := len(m.out.Rows); n > maxShifts {
		m.out.Rows, m.out.More = m.out.Rows[:maxShifts], m.out.More+n-maxShifts
	}
}

// moved is the store with one organisation in another audience.
type moved struct {
	Tx
	to exchange.Audience
}

// Member is the membership, in the other audience.
func (t moved) Member(program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error) {
	m, err := t.Tx.Member(program, org)
	m.Audience = t.to
	return m, err
}

// remembering is the store for a run that asks the same about an artifact for
// every member.
type remembering struct {
	Tx
	opened  map[openKey]time.Time
	planned map[planKey]time.Time
	release *exchange.Release
	marks   []exchange.HandlingClass
	marked  bool
}

type openKey struct {
	artifact int64
	audience exchange.Audience
}

type planKey struct {
	exchange.Audience
	exchange.ContentClass
}

// forget is called before the next artifact.
func (t *remembering) forget() {
	*t = remembering{Tx: t.Tx, opened: map[openKey]time.Time{}, planned: map[planKey]time.Time{}}
}

// OpenedTo asks once for each audience.
func (t *remembering) OpenedTo(artifact int64, a exchange.Audience) (at time.Time, err error) {
	key := openKey{artifact, a}
	at, known := t.opened[key]
	if !known {
		at, err = t.Tx.OpenedTo(artifact, a)
		t.opened[key] = at
	}
	return at, err
}

// PlannedFor asks once for each audience and class.
func (t *remembering) PlannedFor(id exchange.ReleaseID, a exchange.Audience, c exchange.ContentClass) (at time.Time, err error) {
	key := planKey{a, c}
	at, known := t.planned[key]
	if !known {
		at, err = t.Tx.PlannedFor(id, a, c)
		t.planned[key] = at
	}
	return at, err
}

// Release asks once.
func (t *remembering) Release(id exchange.ReleaseID) (exchange.Release, error) {
	if t.release == nil || t.release.ID != id {
		r, err := t.Tx.Release(id)
		if err != nil {
			return r, err
		}
		t.release = &r
	}
	return *t.release, nil
}

// ClassesOf asks once.
func (t *remembering) ClassesOf(artifact int64) (hs []exchange.HandlingClass, err error) {
	if !t.marked {
		t.marks, err = t.Tx.ClassesOf(artifact)
		t.marked = err == nil
	}
	return t.marks, err
}
