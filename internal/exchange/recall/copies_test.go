package recall_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// copied is a world in which a part of one object is for one person, and a
// relationship refers to that object.
type copied struct {
	*world
	cut, plain, edge servertest.Thing
	variants         []string // that EarlyA's machine was given: of cut and of edge
	named            exchange.Actor
}

func newCopied(t *testing.T) copied {
	c := copied{world: &world{World: servertest.New(t)}}
	of := func(typ string, n int, more string) servertest.Thing {
		return servertest.Thing{ID: stixtest.ID(typ, 700, n), More: more}
	}
	c.cut = of("malware", 1, `"name":"cut","is_family":false,"description":"CANARY"`)
	c.cut.Grains = map[exchange.TLP][]string{exchange.TLPRed: {"description"}}
	c.plain = of("malware", 2, `"name":"plain","is_family":false`)
	c.edge = of("relationship", 3, `"relationship_type":"related-to","source_ref":"`+c.cut.ID+`","target_ref":"`+c.plain.ID+`"`)
	c.named = c.Reader(servertest.EarlyB)
	c.release = c.Draft("Red part", t0)
	c.guidance = c.Submit(c.release.ID, exchange.DetectionGuidance, "graph.json", servertest.Graph(7, c.cut, c.plain, c.edge),
		servertest.Label(exchange.TLPAmber), func(in *submission.Input) { in.Handling.Persons = []exchange.PersonID{c.named.Person} })
	c.Grain(c.guidance, c.cut, c.plain, c.edge)
	c.Arm(c.release.ID)
	c.Clock.Set(early)
	for _, o := range c.poll(servertest.EarlyA, delivery.Query{}) {
		if strings.Contains(o.raw, c.cut.ID) || strings.Contains(o.raw, "CANARY") {
			t.Fatalf("EarlyA is given what is withheld: %s", o.raw)
		}
		if (strings.HasPrefix(o.ID, "malware--") || strings.HasPrefix(o.ID, "relationship--")) && o.ID != c.plain.ID {
			c.variants = append(c.variants, o.ID)
		}
	}
	slices.Sort(c.variants)
	if len(c.variants) != 2 {
		t.Fatalf("EarlyA was given the copies %q", c.variants)
	}
	return c
}

// revoked are the identifiers that the organisation's machine is told are revoked.
func (c copied) revoked(org exchange.OrgID) (out []string) {
	for _, o := range c.poll(org, delivery.Query{}) {
		if o.Revoked {
			out = append(out, o.ID)
		}
	}
	slices.Sort(out)
	return out
}

// asks has the organisation's machine and its person ask for what has an identifier.
func (c copied) asks(t *testing.T, org exchange.OrgID, want map[string]exchange.Kind) {
	t.Helper()
	for id, kind := range want {
		for _, who := range []exchange.Actor{c.Machine(org), c.Reader(org)} {
			if who.Machine {
				who.Channel = exchange.ChannelAPI
			}
			_, err := c.X.Delivery.Object(t.Context(), who, testkit.Program, id)
			if exchange.KindOf(err) != kind {
				t.Errorf("%s (machine: %v) asks for %s: %v, not %q", org, who.Machine, id, err, kind)
			}
		}
	}
}

// Who was given a redacted copy is told that the copy is revoked, and does not
// learn under which identifier the object itself was shared.
func TestRecallOfWhatSomeHoldRedacted(t *testing.T) {
	c := newCopied(t)
	c.poll(servertest.EarlyB, delivery.Query{}) // the machine of who may have all, in the browser
	if _, err := c.X.Delivery.Object(t.Context(), c.named, testkit.Program, c.cut.ID); err != nil {
		t.Fatalf("the named person: %v", err)
	}
	p := c.issue(c.Operator, recall.Act{Kind: recall.Recalled, Artifact: c.guidance.ID})
	if p.Losing() != 2 {
		t.Fatalf("%d lose it", p.Losing())
	}
	want := append([]string{c.plain.ID}, c.variants...)
	slices.Sort(want)
	for _, org := range []exchange.OrgID{servertest.EarlyA, servertest.EarlyB} {
		if got := c.revoked(org); !slices.Equal(got, want) {
			t.Errorf("%s is told that %q are revoked, want %q", org, got, want)
		}
	}
	all := c.poll(servertest.EarlyA, delivery.Query{Versions: delivery.Versions{All: true}})
	for _, o := range all {
		if strings.Contains(o.raw, c.cut.ID) || strings.Contains(o.raw, c.edge.ID) {
			t.Errorf("EarlyA learns of an original: %s", o.raw)
		}
	}
	kinds := map[string]exchange.Kind{c.cut.ID: exchange.NotFound, c.edge.ID: exchange.NotFound, c.plain.ID: exchange.Gone}
	for _, id := range c.variants {
		kinds[id] = exchange.Gone
	}
	c.asks(t, servertest.EarlyA, kinds)
	for id := range kinds {
		kinds[id] = exchange.NotFound
	}
	c.asks(t, servertest.Standard, kinds)
	if _, err := c.X.Delivery.Object(t.Context(), c.named, testkit.Program, c.cut.ID); exchange.KindOf(err) != exchange.Gone {
		t.Errorf("the named person asks for what it had: %v", err)
	}
}

// The same where one object is taken back: neither the notice nor the act names
// the object as whoever holds a copy does not know it.
func TestRecallOfAnObjectThatSomeHoldRedacted(t *testing.T) {
	c := newCopied(t)
	copyOfCut := c.variants[slices.IndexFunc(c.variants, func(id string) bool { return strings.HasPrefix(id, "malware--") })]
	p := c.issue(c.Operator, recall.Act{Kind: recall.Recalled, Program: testkit.Program, Object: c.cut.ID})
	if p.Losing() != 1 {
		t.Fatalf("%d lose it", p.Losing())
	}
	if got := c.revoked(servertest.EarlyA); !slices.Equal(got, []string{copyOfCut}) {
		t.Errorf("EarlyA is told that %q are revoked, want %q", got, copyOfCut)
	}
	for _, text := range c.notices(servertest.EarlyA, exchange.EventRecalled) {
		if strings.Contains(text, c.cut.ID) || !strings.Contains(text, copyOfCut) {
			t.Errorf("the notice: %s", text)
		}
	}
	v, err := c.X.Recalls.Read(t.Context(), c.Reader(servertest.EarlyA), p.ID)
	if err != nil || v.Object != copyOfCut || strings.Contains(v.Title, c.cut.ID) {
		t.Errorf("the act is shown as of %q, %q, %v", v.Object, v.Title, err)
	}
	c.asks(t, servertest.EarlyA, map[string]exchange.Kind{c.cut.ID: exchange.NotFound, copyOfCut: exchange.Gone})
	if got := c.revoked(servertest.EarlyB); len(got) != 0 {
		t.Errorf("who fetched nothing is told that %q are revoked", got)
	}
}
