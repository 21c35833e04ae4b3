package acceptance

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/policy"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/store/sqlstore"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// t0 is a Thursday, 18:00 in Berlin.
var t0 = time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC)

func july(day, hour int) time.Time { return time.Date(2027, time.July, day, hour, 0, 0, 0, time.UTC) }

// object is one version of a STIX object as it was handed in.
type object struct {
	id      string
	version time.Time
	tlp     exchange.TLP // its own marking
	held    bool
}

// item is an artifact as it was handed in.
type item struct {
	exchange.Artifact
	objects []object
}

// scene is a program with several releases in every state, items under every
// kind of handling, and acts that the clock brings.
type scene struct {
	*servertest.World
	items []*item
	ids   []string // of all objects, each once
	acts  []act    // by time

	generation int64 // of the facts below
	view       map[exchange.ReleaseID]release.View
	known      map[string]policy.Recipient
}

// act is something that people do at a moment.
type act struct {
	at time.Time
	do func() error
}

var why = release.Change{Reason: "the scene"}

func (s *scene) must(err error) {
	s.T.Helper()
	if err != nil {
		s.T.Fatal(err)
	}
}

// hand hands an artifact in, with what its objects are.
func (s *scene) hand(r exchange.Release, class exchange.ContentClass, name string, body io.Reader, objects []object, change ...func(*submission.Input)) *item {
	s.T.Helper()
	i := &item{Artifact: s.Submit(r.ID, class, name, body, change...), objects: objects}
	if len(objects) > 0 && i.Objects != int64(len(objects)) {
		s.T.Fatalf("%s holds %d objects, not %d", name, i.Objects, len(objects))
	}
	s.items = append(s.items, i)
	return i
}

func (s *scene) text(r exchange.Release, class exchange.ContentClass, name string, change ...func(*submission.Input)) *item {
	s.T.Helper()
	return s.hand(r, class, name, strings.NewReader("# "+name+" of "+string(r.ID)+"\n"), nil, change...)
}

// first is the modified of every object of servertest.Marked.
var first = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// marked hands in a bundle with one object for each label; TLPUnset is none,
// and unresolved stands for a marking that nobody defines.
func (s *scene) marked(r exchange.Release, name string, seed uint64, version time.Time, labels []exchange.TLP, change ...func(*submission.Input)) *item {
	s.T.Helper()
	var marks []string
	var objects []object
	for i, l := range labels {
		o := object{id: servertest.MarkedID(seed, i), version: version, tlp: l}
		mark := ""
		switch l {
		case unresolved:
			mark, o.tlp, o.held = servertest.Unresolved, exchange.TLPUnset, true
		default:
			mark = stixtest.MarkingID(l)
		}
		marks, objects = append(marks, mark), append(objects, o)
	}
	b, err := io.ReadAll(servertest.Marked(seed, marks...))
	s.must(err)
	const layout = "2006-01-02T15:04:05.000Z"
	b = bytes.ReplaceAll(b, []byte(`"modified":"`+first.Format(layout)), []byte(`"modified":"`+version.Format(layout)))
	return s.hand(r, exchange.DetectionGuidance, name, bytes.NewReader(b), objects, change...)
}

const unresolved exchange.TLP = 99

func handled(f func(*exchange.Handling)) func(*submission.Input) {
	return func(in *submission.Input) { f(&in.Handling) }
}

// newScene is the world on 1 June 2027 with everything that will happen in it
// until the end of July.
func newScene(t *testing.T) *scene { return newSceneIn(t, t.TempDir()) }

// newSceneIn is newScene in a folder that the test keeps.
func newSceneIn(t *testing.T, data string) *scene {
	s := &scene{World: servertest.NewIn(t, data)}
	plain := []exchange.TLP{0, 0, 0}
	a := s.Draft("Print spooler alpha", t0)
	s.marked(a, "guidance-a.json", 10, first, plain)
	s.marked(a, "mixed.json", 11, first, []exchange.TLP{0, exchange.TLPAmberStrict, exchange.TLPRed, unresolved},
		handled(func(h *exchange.Handling) {
			h.TLP, h.Persons = exchange.TLPAmber, []exchange.PersonID{s.Reader(servertest.EarlyA).Person}
		}))
	s.marked(a, "red.json", 12, first, plain, handled(func(h *exchange.Handling) {
		h.TLP, h.Persons = exchange.TLPRed, []exchange.PersonID{s.Reader(servertest.EarlyA).Person, s.Reader(servertest.Client).Person}
	}))
	s.marked(a, "allowed.json", 13, first, plain, handled(func(h *exchange.Handling) {
		h.Organisations = []exchange.OrgID{servertest.EarlyA, servertest.Standard}
	}))
	s.marked(a, "excluded.json", 14, first, plain, handled(func(h *exchange.Handling) { h.NotOrgs = []exchange.OrgID{servertest.EarlyB} }))
	s.marked(a, "not-in.json", 15, first, plain, handled(func(h *exchange.Handling) { h.NotIn = []string{"XA"} }))
	s.marked(a, "amber.json", 16, first, plain, servertest.Label(exchange.TLPAmber))
	s.marked(a, "green.json", 17, first, plain, servertest.Label(exchange.TLPGreen))
	s.marked(a, "clear.json", 18, first, []exchange.TLP{0, exchange.TLPGreen}, servertest.Label(exchange.TLPClear))
	s.marked(a, "expiring.json", 19, first, plain, handled(func(h *exchange.Handling) { h.Expires = july(14, 12) }))
	s.text(a, exchange.PoC, "poc-a.md")
	s.text(a, exchange.Summary, "summary-a.md", servertest.Label(exchange.TLPClear))
	s.text(a, exchange.Summary, "internal-a.md")
	s.Arm(a.ID)

	// B holds some of the same objects again, and newer versions of others.
	b := s.Draft("Mail parser beta", july(22, 16))
	s.marked(b, "again.json", 16, first, plain)
	s.marked(b, "newer.json", 10, first.AddDate(0, 1, 0), plain)
	s.marked(b, "guidance-b.json", 20, first, plain, servertest.Label(exchange.TLPAmber))
	s.text(b, exchange.PoC, "poc-b.md")
	s.text(b, exchange.Summary, "summary-b.md", servertest.Label(exchange.TLPClear))
	s.Arm(b.ID)

	c := s.Draft("Withdrawn gamma", july(16, 16))
	s.marked(c, "guidance-c.json", 30, first, plain)
	s.text(c, exchange.PoC, "poc-c.md")
	s.Arm(c.ID)

	d := s.Draft("Draft delta", july(10, 16))
	s.marked(d, "guidance-d.json", 40, first, plain)

	e := s.Draft("Contained epsilon", july(19, 16))
	s.marked(e, "guidance-e.json", 50, first, plain)
	s.text(e, exchange.Summary, "summary-e.md", servertest.Label(exchange.TLPClear))
	s.Arm(e.ID)

	f := s.Draft("Waiting zeta", july(12, 16))
	s.marked(f, "guidance-f.json", 60, first, plain)
	_, err := s.X.Releases.Send(t.Context(), s.Operator, f.ID, 0)
	s.must(err)

	g := s.Draft("Old eta", testkit.Start.Add(time.Hour))
	s.marked(g, "guidance-g.json", 70, first, plain)
	s.text(g, exchange.PoC, "poc-g.md")
	s.text(g, exchange.Summary, "summary-g.md", servertest.Label(exchange.TLPClear))
	s.Arm(g.ID)

	seen := map[string]bool{}
	for _, i := range s.items {
		for _, o := range i.objects {
			if !seen[o.id] {
				seen[o.id] = true
				s.ids = append(s.ids, o.id)
			}
		}
	}
	s.schedule(a, b, c, e, g)
	return s
}

// schedule is what people do while the clock runs.
func (s *scene) schedule(a, b, c, e, g exchange.Release) {
	ctx, x := s.T.Context(), s.X
	early := exchange.Audience{Cohort: "early"}
	s.acts = []act{
		{time.Date(2027, time.June, 28, 8, 0, 0, 0, time.UTC), func() error { _, err := x.Releases.Close(ctx, s.Operator, g.ID, why); return err }},
		{july(6, 9), func() error { _, err := x.Releases.Contain(ctx, s.Operator, e.ID, why); return err }},
		{july(9, 9), func() error { _, err := x.Releases.Hold(ctx, s.Operator, b.ID, early, time.Time{}, why); return err }},
		{july(12, 20), func() error {
			_, err := x.Members.Accept(ctx, s.Reader(servertest.Unsigned), testkit.Program, 1)
			return err
		}},
		{july(13, 9), func() error { _, err := x.Releases.Move(ctx, s.Operator, b.ID, july(20, 16), why); return err }},
		{july(13, 18), func() error { // from at-release to early
			o, err := x.Members.Organisation(ctx, s.Admin, servertest.Late)
			s.must(err)
			o.Products = []string{"edr"}
			_, err = x.Members.ChangeOrganisation(ctx, s.Admin, o, 0)
			return err
		}},
		{july(14, 9), func() error { _, err := x.Releases.Withdraw(ctx, s.Operator, c.ID, why); return err }},
		{july(14, 20), func() error {
			_, err := x.Members.SuspendMember(ctx, s.Operator, testkit.Program, servertest.Standard, "a question")
			return err
		}},
		{july(15, 10), func() error {
			_, err := x.Members.ResumeMember(ctx, s.Operator, testkit.Program, servertest.Standard)
			return err
		}},
		{july(16, 9), func() error { _, err := x.Releases.Resume(ctx, s.Operator, b.ID, early, time.Time{}, why); return err }},
		{july(17, 12), func() error {
			_, err := x.Members.SuspendOrganisation(ctx, s.Admin, servertest.EarlyB, "gone")
			return err
		}},
		{july(18, 12), func() error { // from early to standard
			o, err := x.Members.Organisation(ctx, s.Admin, servertest.Late)
			s.must(err)
			o.Kind, o.Products = "security-vendor", []string{"av"}
			_, err = x.Members.ChangeOrganisation(ctx, s.Admin, o, 0)
			return err
		}},
	}
}

// run brings the clock to an instant, and does what people do until then.
func (s *scene) run(to time.Time) {
	s.T.Helper()
	for len(s.acts) > 0 && !s.acts[0].at.After(to) {
		next := s.acts[0]
		s.acts = s.acts[1:]
		s.Clock.Set(next.at)
		if err := next.do(); err != nil {
			s.T.Fatalf("at %v: %v", next.at, err)
		}
	}
	s.Clock.Set(to)
	s.must(s.X.Releases.OpenDue(s.T.Context()))
	generation, err := s.DB.Generation(s.T.Context())
	s.must(err)
	if generation == s.generation {
		return
	}
	s.generation, s.known, s.view = generation, map[string]policy.Recipient{}, map[exchange.ReleaseID]release.View{}
	for _, i := range s.items {
		v, err := s.X.Releases.Read(s.T.Context(), s.Operator, i.Release)
		s.must(err)
		s.view[i.Release] = v
	}
}

// opened is when an artifact was given to an audience, as the plan says that
// its operator reads: by the first open wave with its class since it was handed in.
func (s *scene) opened(i *item, a exchange.Audience) (at time.Time) {
	for _, w := range s.view[i.Release].Waves {
		if w.State != exchange.WaveOpen || w.Audience != a || w.OpenedAt.Before(i.SubmittedAt) {
			continue
		}
		for _, c := range w.Classes {
			if c == i.Class && (at.IsZero() || w.OpenedAt.Before(at)) {
				at = w.OpenedAt
			}
		}
	}
	return at
}

// facts are those of an item for an audience, gathered apart from delivery.
func (s *scene) facts(i *item, a exchange.Audience) policy.Item {
	v := s.view[i.Release]
	return policy.Item{
		Program: testkit.Program, State: v.State, Class: i.Class, Handling: i.Handling, Required: 1,
		OpenedAt: s.opened(i, a), PublicAt: s.opened(i, exchange.PublicAudience), ReleasedAt: v.PublicAt,
	}
}

// decide is the decision on an artifact, and on each of its objects.
func (s *scene) decide(r policy.Recipient, i *item) (whole policy.Decision, complete bool, objects []policy.Decision) {
	facts, now := s.facts(i, r.Audience), s.Clock.Now()
	for _, o := range i.objects {
		part := facts
		part.Held, part.Handling.TLP = o.held, max(part.Handling.TLP, o.tlp)
		objects = append(objects, policy.Decide(r, part, now))
	}
	if r.Owner {
		return policy.Decide(r, facts, now), true, objects
	}
	whole, complete = policy.Container(policy.Decide(r, facts, now), objects...)
	return whole, complete, objects
}

// versions answers which versions of one object the recipient may have.
func (s *scene) versions(r policy.Recipient, id string) map[time.Time]bool {
	out := map[time.Time]bool{}
	for _, i := range s.items {
		if !slices.ContainsFunc(i.objects, func(o object) bool { return o.id == id }) {
			continue
		}
		_, _, ds := s.decide(r, i)
		for n, d := range ds {
			if o := i.objects[n]; o.id == id && d.Allowed() {
				out[o.version] = true
			}
		}
	}
	return out
}

// mayRead answers which objects the recipient may have, each with its versions.
func (s *scene) mayRead(r policy.Recipient) map[string]map[time.Time]bool {
	out := map[string]map[time.Time]bool{}
	for _, i := range s.items {
		_, _, ds := s.decide(r, i)
		for n, d := range ds {
			if d.Allowed() {
				o := i.objects[n]
				if out[o.id] == nil {
					out[o.id] = map[time.Time]bool{}
				}
				out[o.id][o.version] = true
			}
		}
	}
	return out
}

// reader is somebody who reads, with the credentials that they use.
type reader struct {
	name    string
	org     exchange.OrgID
	person  exchange.PersonID // empty for a machine
	ceiling exchange.TLP
	owner   bool
	actor   exchange.Actor // anonymous: nobody signed in
	secret  string         // of the token
	session string         // of the browser
	ends    time.Time      // of the session
}

// readers are everyone who might read something in the scene.
func (s *scene) readers() []*reader {
	s.T.Helper()
	var out []*reader
	token := func(name string, org exchange.OrgID, person string, machine bool, ceiling exchange.TLP) {
		out = append(out, s.tokenOf(name, org, person, machine, ceiling))
	}
	browser := func(a exchange.Actor) {
		out = append(out, &reader{name: a.Name + " in the browser", org: a.Org, person: a.Person, owner: a.Org == testkit.Owner, actor: a})
	}
	for _, org := range servertest.Members {
		token(string(org)+"'s machine", org, "analyst", true, 0)
		browser(s.Reader(org))
	}
	token("EarlyA's machine up to GREEN", servertest.EarlyA, "analyst", true, exchange.TLPGreen)
	token("EarlyA's machine up to AMBER", servertest.EarlyA, "analyst", true, exchange.TLPAmber)
	token("EarlyA's person by API", servertest.EarlyA, "analyst", false, 0)
	token("an outsider's machine", servertest.Outsider, "analyst", true, 0)
	browser(s.Reader(servertest.Outsider))
	token("the operator's token", testkit.Owner, "operator", false, 0)
	browser(s.Operator)
	out = append(out, &reader{name: "everyone", actor: exchange.Public()})
	return out
}

// tokenOf issues a token that lasts beyond the scene.
func (s *scene) tokenOf(name string, org exchange.OrgID, person string, machine bool, ceiling exchange.TLP) *reader {
	s.T.Helper()
	verbs := []exchange.Verb{exchange.VerbRead}
	if org == testkit.Owner {
		verbs = append(verbs, exchange.VerbOperate)
	}
	secret, t, err := s.X.Members.IssueToken(s.T.Context(), exchange.System(), membership.TokenRequest{
		Person: testkit.Person(org, person).ID, Name: name, Machine: machine, Ceiling: ceiling, TTL: 300 * 24 * time.Hour, Verbs: verbs,
	})
	s.must(err)
	r := &reader{name: name, org: org, person: t.Person, ceiling: ceiling, owner: org == testkit.Owner, secret: secret}
	r.actor = exchange.Actor{
		Person: t.Person, Token: t.ID, Org: org, Name: t.Name, Roles: []exchange.Role{exchange.RoleAnalyst},
		Verbs: t.Verbs, Ceiling: ceiling, Machine: machine, Channel: exchange.ChannelAPI,
	}
	if r.owner {
		r.actor.Roles = s.Operator.Roles
	}
	if machine {
		r.person = ""
	}
	return r
}

// storeOf is the store as testkit.Put wants it.
func storeOf(w *servertest.World) testkit.Store { return sqlstore.For[testkit.Tx](w.DB) }

// reads are the facts about a reader on a channel.
func (s *scene) reads(r *reader, channel exchange.Channel) policy.Recipient {
	key := r.name + " " + string(channel)
	p, ok := s.known[key]
	if !ok {
		p = r.facts(s, channel)
		s.known[key] = p
	}
	return p
}

// facts are those of the reader on a channel, gathered apart from delivery.
func (r *reader) facts(s *scene, channel exchange.Channel) policy.Recipient {
	if r.actor.Anonymous() {
		return policy.Recipient{Anonymous: true, MayRead: true, Channel: exchange.ChannelPublic}
	}
	p := policy.Recipient{Org: r.org, Person: r.person, Owner: r.owner, Ceiling: r.ceiling, MayRead: true, Channel: channel}
	m, err := s.X.Members.Member(s.T.Context(), s.Operator, testkit.Program, r.org)
	if exchange.KindOf(err) == exchange.NotFound {
		return p
	}
	s.must(err)
	o, err := s.X.Members.Organisation(s.T.Context(), s.Admin, r.org)
	s.must(err)
	p.Member, p.Audience, p.Accepted = m.State == exchange.MemberActive, m.Audience, m.Accepted
	p.Suspended = m.State == exchange.MemberSuspended || !o.SuspendedAt.IsZero()
	p.Client, p.Jurisdictions = o.ClientOf != "", o.Jurisdictions
	if m.Audience.Compelled {
		p.DeniedClasses = []exchange.ContentClass{exchange.PoC, exchange.ReproSteps}
	}
	return p
}

// as is the reader's actor on a channel.
func (r *reader) as(channel exchange.Channel) exchange.Actor {
	a := r.actor
	if !a.Anonymous() {
		a.Channel = channel
	}
	return a
}

// inputOf describes a text for a release.
func inputOf(id exchange.ReleaseID) submission.Input {
	return submission.Input{Release: id, Class: exchange.Summary, Filename: "text.md"}
}
