package acceptance

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// AT-06: 10,000 random readers, items and instants, over a scene with releases
// in every state and items under every handling. Whatever way the reader asks,
// the answer is that of the policy, taken from facts that the test gathers for
// itself from what operators read.
func TestAT06_EveryChannelAnswersAsThePolicyDecides(t *testing.T) {
	t.Parallel()
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	triples := 10_000
	if testing.Short() {
		triples = 2_000
	}
	s := newScene(t)
	c := &comparison{scene: s, site: serve(s.World), readers: s.readers(), rand: rand.New(rand.NewPCG(27, 7))}
	from, to := time.Date(2027, time.June, 26, 0, 0, 0, 0, time.UTC), july(24, 0)
	instants := make([]time.Time, triples)
	for i := range instants {
		instants[i] = from.Add(time.Duration(c.rand.Int64N(int64(to.Sub(from)))))
		if i%4 == 0 { // at the moments themselves, and a microsecond around them
			moments := []time.Time{july(1, 16), july(8, 16), july(12, 16), july(13, 16), july(14, 12), july(14, 16), t0, july(16, 9), july(19, 16), july(20, 16)}
			instants[i] = moments[c.rand.IntN(len(moments))].Add(time.Duration(c.rand.IntN(3)-1) * time.Microsecond)
		}
	}
	slices.SortFunc(instants, time.Time.Compare)
	for n := 0; n < len(instants); n += together {
		s.run(instants[n])
		var asked []func()
		for k, i := range c.rand.Perm(len(c.readers))[:together] {
			r := c.readers[i]
			for _, on := range []exchange.Channel{exchange.ChannelWeb, exchange.ChannelAPI, exchange.ChannelTAXII, exchange.ChannelPublic} {
				c.reads(r, on) // the facts, before they are asked for side by side
			}
			id, it := c.ids[c.rand.IntN(len(c.ids))], c.items[c.rand.IntN(len(c.items))]
			over := (n+k)%10 == 0 && !c.cutOff(r)
			asked = append(asked, func() {
				c.compare(r, rooms(), id, it)
				if over {
					c.compare(r, interfaces(), id, it)
				}
			})
		}
		var wg sync.WaitGroup
		for _, ask := range asked {
			wg.Go(ask)
		}
		wg.Wait()
		if n%100 == 0 {
			c.whole(c.readers[c.rand.IntN(len(c.readers))])
		}
		if t.Failed() {
			t.Fatalf("triple %d at %v", n, instants[n])
		}
	}
	t.Logf("%d answers compared on %d channels, %d of them ALLOW", c.answers, len(c.perChannel), c.allowed)
	for _, ch := range append(rooms(), interfaces()...) {
		if c.perChannel[ch.name] == 0 {
			t.Errorf("nothing was asked for by %s", ch.name)
		}
	}
	if c.allowed < c.answers/10 || c.allowed > c.answers*9/10 {
		t.Errorf("%d of %d answers allow: the scene tells little", c.allowed, c.answers)
	}
}

// together is how many readers ask at one instant, side by side.
const together = 4

// comparison asks the channels and the policy, and counts.
type comparison struct {
	*scene
	*site
	readers          []*reader
	rand             *rand.Rand
	mu               sync.Mutex
	answers, allowed int
	perChannel       map[string]int
}

// cutOff reports whether the reader's organisation is suspended: its credentials
// are then refused as a whole, which AT-14 is about.
func (c *comparison) cutOff(r *reader) bool {
	if r.org == "" {
		return false
	}
	o, err := c.X.Members.Organisation(c.T.Context(), c.Admin, r.org)
	c.must(err)
	return !o.SuspendedAt.IsZero()
}

func (c *comparison) note(channel channel, r *reader, what string, want, got bool, err error) {
	c.T.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers++
	if want {
		c.allowed++
	}
	if c.perChannel == nil {
		c.perChannel = map[string]int{}
	}
	c.perChannel[channel.name]++
	if err != nil || want != got {
		c.T.Errorf("%s, %s, %s: given %t, the policy says %t (%v)", r.name, channel.name, what, got, want, err)
	}
}

// compare asks for an object and an artifact in every way that the reader has.
func (c *comparison) compare(r *reader, channels []channel, id string, i *item) {
	c.T.Helper()
	allowed := map[string]int{} // versions of the object, by facts
	for _, ch := range channels {
		if !ch.serves(r) || ch.plan && r.owner {
			continue
		}
		q := &question{scene: c.scene, site: c.site, ctx: c.T.Context(), r: r, on: ch.on}
		facts := c.reads(r, ch.on)
		if ch.feed {
			facts.Owner = false
		}
		if ch.object != nil {
			key := fmt.Sprint(ch.on, facts.Owner)
			want, known := allowed[key]
			if !known {
				want = len(c.versions(facts, id))
				allowed[key] = want
			}
			got, err := ch.object(q, id)
			c.note(ch, r, id, want > 0, got != 0, err)
			if got > 0 && got != want {
				c.T.Errorf("%s, %s, %s: %d versions, the policy allows %d", r.name, ch.name, id, got, want)
			}
		}
		if ch.artifact != nil {
			d, complete, _ := c.decide(facts, i)
			got, err := ch.artifact(q, i)
			c.note(ch, r, i.Filename+" "+d.Code, d.Allowed() && (complete || !ch.whole), got, err)
		}
	}
	c.why(r, id, i)
}

// why asks for the operator's explanation, which is about an organisation's
// machines and about people in the browser.
func (c *comparison) why(r *reader, id string, i *item) {
	c.T.Helper()
	recipient, on := string(r.org), exchange.ChannelTAXII
	if r.secret == "" {
		recipient, on = r.actor.Name, exchange.ChannelWeb
	} else if r.person != "" {
		return
	}
	if r.owner || r.ceiling != 0 || r.actor.Anonymous() {
		return
	}
	facts := c.reads(r, on)
	d, _, _ := c.decide(facts, i)
	for what, want := range map[string]bool{id: len(c.versions(facts, id)) > 0, string(i.ID): d.Allowed()} {
		w, err := c.X.Delivery.Why(c.T.Context(), c.Operator, testkit.Program, what, recipient, c.Clock.Now())
		c.note(channel{name: "why"}, r, what, want, w.Decision.Allowed(), err)
		if err == nil && want != w.Decision.Allowed() {
			c.T.Errorf("%s: %s %+v", what, w.Decision.Code, w.Decision.Steps)
		}
	}
}

// whole compares everything that a reader sees at once: the collection, the
// count of it, and what a search for nothing in particular brings.
func (c *comparison) whole(r *reader) {
	c.T.Helper()
	if r.secret == "" {
		return
	}
	facts := c.reads(r, exchange.ChannelTAXII)
	facts.Owner = false
	want := c.mayRead(facts)
	a, seen := r.as(exchange.ChannelTAXII), map[string]bool{}
	for q := (delivery.Query{Limit: 7}); ; {
		es, more, err := c.X.Delivery.Manifest(c.T.Context(), a, testkit.Program, q)
		es, _, err = hidden(es, err)
		c.must(err)
		for _, e := range es {
			seen[e.ID] = true
			q.After = e.Added
		}
		if !more {
			break
		}
	}
	for _, id := range c.ids {
		c.note(channel{name: "collection"}, r, id, len(want[id]) > 0, seen[id], nil)
	}
	n, _, err := hidden(c.X.Delivery.Count(c.T.Context(), a, testkit.Program))
	if err != nil || int(n) != len(want) || len(seen) != len(want) {
		c.T.Errorf("%s: count %d, collection of %d, the policy allows %d (%v)", r.name, n, len(seen), len(want), err)
	}
	on := c.reads(r, exchange.ChannelAPI)
	hits, _, err := hidden(c.X.Delivery.Search(c.T.Context(), r.as(exchange.ChannelAPI), testkit.Program, ".", 1000))
	c.must(err)
	for _, i := range c.items {
		if d, _, _ := c.decide(on, i); strings.Contains(i.Title, ".") {
			c.note(channel{name: "search for all"}, r, i.Filename, d.Allowed(), found(hits, "artifact", string(i.ID)), nil)
		}
	}
}

// AT-06: what has no policy is not taken in, and nothing of it is kept.
func TestAT06_NothingIsTakenInWithoutAPolicy(t *testing.T) {
	w := servertest.New(t)
	// A program that gives no default.
	c := string(testkit.CharterTOML())
	c = strings.Replace(c, "tlp = \"TLP:AMBER+STRICT\"\npap = \"PAP:AMBER\"\n", "", 1)
	_, applied := w.X.Programs.Apply(t.Context(), w.Operator, []byte(c), false)
	r := w.Draft("Unmarked", t0)
	before := w.Dump()
	for name, h := range map[string]exchange.Handling{
		"nothing":            {},
		"label alone":        {TLP: exchange.TLPGreen},
		"policy alone":       {PAP: exchange.PAPGreen},
		"RED for nobody":     {TLP: exchange.TLPRed, PAP: exchange.PAPRed},
		"CLEAR for somebody": {TLP: exchange.TLPClear, PAP: exchange.PAPClear, Organisations: []exchange.OrgID{servertest.EarlyA}},
	} {
		if applied != nil && (name == "nothing" || strings.HasSuffix(name, "alone")) {
			continue // the charter itself is refused without a default
		}
		for file, body := range map[string]string{"g.json": "", "g.md": "# text\n"} {
			var err error
			in := submission.Input{Release: r.ID, Class: exchange.DetectionGuidance, Filename: file, Handling: h}
			if body == "" {
				_, err = w.X.Submissions.Submit(t.Context(), w.Operator, in, servertest.Bundle(2, 1))
			} else {
				_, err = w.X.Submissions.Submit(t.Context(), w.Operator, in, strings.NewReader(body))
			}
			if exchange.KindOf(err) != exchange.Invalid {
				t.Errorf("%s, %s: %v, want invalid", name, file, err)
			}
		}
	}
	after := w.Dump()
	for _, table := range []string{"artifact", "object_block", "handling_class", "event", "release"} {
		if len(before[table]) != len(after[table]) {
			t.Errorf("table %s: %d rows became %d", table, len(before[table]), len(after[table]))
		}
	}
	if applied != nil && exchange.KindOf(applied) != exchange.Invalid {
		t.Errorf("a charter without a default: %v", applied)
	}
	t.Logf("a charter without a default: %v", applied)
}

// AT-06: AMBER reaches a member's clients, AMBER+STRICT stays inside.
func TestAT06_StrictStaysInside(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("For clients", t0)
	amber := w.Submit(r.ID, exchange.DetectionGuidance, "amber.json", servertest.Marked(1, "", stixtest.MarkingID(exchange.TLPAmberStrict)), servertest.Label(exchange.TLPAmber))
	strict := w.Submit(r.ID, exchange.DetectionGuidance, "strict.json", servertest.Marked(2, "", stixtest.MarkingID(exchange.TLPAmber)), servertest.Label(exchange.TLPAmberStrict))
	w.Arm(r.ID)
	for _, at := range []time.Time{july(12, 16), t0.Add(time.Hour), t0.AddDate(1, 0, 0)} {
		w.Clock.Set(at)
		for org, want := range map[exchange.OrgID][]bool{
			servertest.Client: {true, false, false, false},
			servertest.EarlyA: {true, true, true, true},
		} {
			for n, id := range []string{servertest.MarkedID(1, 0), servertest.MarkedID(1, 1), servertest.MarkedID(2, 0), servertest.MarkedID(2, 1)} {
				_, ok, err := hidden(w.X.Delivery.Object(t.Context(), w.Machine(org), testkit.Program, id))
				if err != nil || ok != want[n] {
					t.Errorf("%v: %s reads %s: %t, want %t (%v)", at, org, id, ok, want[n], err)
				}
			}
		}
		rs, err := w.X.Delivery.Releases(t.Context(), w.Reader(servertest.Client), testkit.Program)
		if err != nil || !holds(rs, &item{Artifact: amber}) || holds(rs, &item{Artifact: strict}) {
			t.Errorf("%v: the client's releases: %+v %v", at, rs, err)
		}
		if _, err := w.X.Delivery.Content(t.Context(), w.Machine(servertest.Client), amber.ID); exchange.KindOf(err) != exchange.NotFound {
			t.Errorf("the client downloads a bundle with a strict object in it: %v", err)
		}
		notices, err := w.X.Delivery.Notices(t.Context(), w.Reader(servertest.Client), time.Time{}, 100)
		if err != nil || len(notices) != 1 {
			t.Errorf("the client was told %d times, want once, of what it may have: %v", len(notices), err)
		}
	}
}
