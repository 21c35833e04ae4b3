package delivery_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/policy"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// early is a moment after the early cohort's wave and before T0.
var early = time.Date(2027, time.July, 12, 16, 0, 0, 0, time.UTC)

func thing(typ string, n int, more string) servertest.Thing {
	return servertest.Thing{ID: stixtest.ID(typ, 500, n), More: more}
}

func indicatorOf(n int, secret string) servertest.Thing {
	return thing("indicator", n, fmt.Sprintf(`"name":"indicator %d","description":"description %s","pattern":"[domain-name:value = '%s.example']",`+
		`"pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"`, n, secret, strings.ToLower(secret)))
}

func malwareOf(n int, name string) servertest.Thing {
	return thing("malware", n, fmt.Sprintf(`"name":%q,"is_family":false`, name))
}

func relation(n int, from, to servertest.Thing) servertest.Thing {
	return thing("relationship", n, fmt.Sprintf(`"relationship_type":"related-to","source_ref":%q,"target_ref":%q`, from.ID, to.ID))
}

func reportOf(n int, members ...servertest.Thing) servertest.Thing {
	var ids []string
	for _, m := range members {
		ids = append(ids, m.ID)
	}
	return thing("report", n, fmt.Sprintf(`"name":"report %d","published":"2026-01-01T00:00:00Z","object_refs":["%s"]`, n, strings.Join(ids, `","`)))
}

// pageOf is all objects that an actor's collection shows, by identifier, as
// pages of the size give them.
func pageOf(t *testing.T, w *servertest.World, a exchange.Actor, limit int) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for after := int64(0); ; {
		p, err := w.X.Delivery.Page(t.Context(), a, testkit.Program, delivery.Query{After: after, Limit: limit})
		if err != nil {
			t.Fatal(err)
		}
		var list []json.RawMessage
		if err := json.Unmarshal(p.Between("[", "]"), &list); err != nil {
			t.Fatalf("a page is no JSON: %v", err)
		}
		if len(list) != p.Len {
			t.Errorf("%d objects on a page of %d", len(list), p.Len)
		}
		for _, raw := range list {
			var o struct{ ID string }
			if err := json.Unmarshal(raw, &o); err != nil || out[o.ID] != nil {
				t.Errorf("%s stands twice in the collection, %v", o.ID, err)
			}
			out[o.ID] = slices.Clone(raw)
		}
		after = p.Last
		more := p.More
		p.Close()
		if !more {
			return out
		}
	}
}

// redWorld is a release with what is withheld from all but one person.
type redWorld struct {
	*servertest.World
	art    exchange.Artifact
	things map[string]servertest.Thing
	whole  exchange.Actor // may have all of it
}

func newRedWorld(t *testing.T) redWorld {
	t.Helper()
	w := servertest.New(t)
	red := map[exchange.TLP][]string{exchange.TLPRed: {"description"}}
	x := redWorld{World: w, things: map[string]servertest.Thing{}, whole: w.Reader(servertest.EarlyB)}
	var all []servertest.Thing
	add := func(name string, th servertest.Thing) servertest.Thing {
		x.things[name] = th
		all = append(all, th)
		return th
	}
	cut := indicatorOf(1, "CANARYa")
	cut.Grains = red
	cut = add("cut", cut) // (a)
	gone := indicatorOf(2, "CANARYn")
	gone.Grains = map[exchange.TLP][]string{exchange.TLPRed: {"pattern", "description"}}
	gone = add("gone", gone) // (n)
	first, second := add("first", malwareOf(3, "first")), add("second", malwareOf(4, "second"))
	secret := malwareOf(5, "CANARYred")
	secret.Label = exchange.TLPRed
	secret = add("secret", secret)
	add("renamed", relation(6, cut, first))
	add("of gone", relation(7, gone, first))
	add("clear edge, red end", relation(8, first, secret))
	edge := relation(9, first, second)
	edge.Label = exchange.TLPRed
	edge.More += `,"description":"CANARYedge"`
	add("red edge, clear ends", edge)
	add("plain", relation(10, first, second))
	members := []servertest.Thing{secret}
	for i := range 9 {
		members = append(members, add(fmt.Sprint("member ", i), malwareOf(20+i, fmt.Sprint("member ", i))))
	}
	add("report", reportOf(11, members...)) // (l)
	add("report of red", reportOf(12, secret))
	add("report of copies", reportOf(13, cut, first, thing("malware", 999, "")))
	r := w.Draft("Red parts", t0)
	x.art = w.Submit(r.ID, exchange.DetectionGuidance, "graph.json", servertest.Graph(7, all...), servertest.Label(exchange.TLPAmber), func(in *submission.Input) {
		in.Handling.Persons = []exchange.PersonID{x.whole.Person}
	})
	w.Grain(x.art, all...)
	w.Arm(r.ID)
	w.Clock.Set(early)
	return x
}

func (x redWorld) id(name string) string { return x.things[name].ID }

// Vectors (a), (l) and (n) of the table of combination, a red edge between two
// visible ends, and a visible edge with a red end.
func TestRedactedView(t *testing.T) {
	x := newRedWorld(t)
	machine := x.Machine(servertest.EarlyA)
	seen := pageOf(t, x.World, machine, 100)
	for id, raw := range pageOf(t, x.World, machine, 1) {
		if string(seen[id]) != string(raw) {
			t.Errorf("%s differs with the size of the page", id)
		}
		delete(seen, id)
	}
	if len(seen) > 0 {
		t.Fatalf("%d objects are not there on small pages", len(seen))
	}
	seen = pageOf(t, x.World, machine, 100)
	copies := map[string]string{} // by name
	for _, raw := range seen {
		var o struct {
			ID, Type, Name string
			By             string   `json:"created_by_ref"`
			Source         string   `json:"source_ref"`
			Target         string   `json:"target_ref"`
			Refs           []string `json:"object_refs"`
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "CANARYred") || strings.Contains(string(raw), "CANARYedge") || strings.Contains(string(raw), "description CANARY") {
			t.Errorf("withheld text: %s", raw)
		}
		for _, ref := range servertest.Refs(raw) {
			if seen[ref] == nil && ref != stixtest.ID("malware", 500, 999) {
				t.Errorf("%s refers to %s, which the reader does not have", o.ID, ref)
			}
		}
		switch {
		case o.Name == "indicator 1":
			copies["cut"] = o.ID
		case o.Type == "relationship" && o.ID != x.id("plain"):
			copies["renamed"] = o.ID
		case o.Name == "report 11":
			copies["report"] = o.ID
			if len(o.Refs) != 9 {
				t.Errorf("the report names %d members, want 9", len(o.Refs))
			}
		case o.Name == "report 13":
			copies["report of copies"] = o.ID
		}
		if o.By != "" && o.Name != "" && !strings.HasPrefix(o.By, "identity--") {
			t.Errorf("%s is made by %q", o.ID, o.By)
		}
	}
	for _, name := range []string{"cut", "renamed", "report", "report of copies"} {
		if copies[name] == "" || copies[name] == x.id(name) {
			t.Errorf("%s: the copy is %q", name, copies[name])
		}
	}
	for _, name := range []string{"first", "second", "plain", "member 3"} {
		if seen[x.id(name)] == nil {
			t.Errorf("%s is not there", name)
		}
	}
	// 5 indicators and malware, 9 members, 2 relationships, 2 reports, and the markings
	if want := 3 + 9 + 2 + 2 + len(x.things); len(seen) != want {
		t.Errorf("%d objects, want %d", len(seen), want)
	}
	whole := pageOf(t, x.World, x.whole, 1000)
	if len(whole) != 2*len(x.things) {
		t.Errorf("who may have all sees %d objects, want %d", len(whole), 2*len(x.things))
	}
	for name := range x.things {
		if whole[x.id(name)] == nil {
			t.Errorf("who may have all does not see %s", name)
		}
	}
	x.everyWay(t, machine, seen, copies)
}

// everyWay asks for one object after the other by every way that takes an identifier.
func (x redWorld) everyWay(t *testing.T, a exchange.Actor, seen map[string][]byte, copies map[string]string) {
	t.Helper()
	d := x.X.Delivery
	manifest := ids(t, x.World, a)
	if len(manifest) != len(seen) {
		t.Errorf("%d in the manifest, %d in pages", len(manifest), len(seen))
	}
	for _, id := range manifest {
		if seen[id] == nil {
			t.Errorf("%s is in the manifest and not in pages", id)
		}
	}
	if n, err := d.Count(t.Context(), a, testkit.Program); err != nil || int(n) != len(seen) {
		t.Errorf("%d counted, %v, want %d", n, err, len(seen))
	}
	objs, err := d.Objects(t.Context(), a, x.art.ID, -1, 1000)
	if err != nil || len(objs) != len(seen) {
		t.Errorf("%d objects listed, %v, want %d", len(objs), err, len(seen))
	}
	for _, o := range objs {
		if seen[o.ID] == nil {
			t.Errorf("%s is listed and not in pages", o.ID)
		}
	}
	for name, th := range x.things {
		id := th.ID
		o, err := d.Object(t.Context(), a, testkit.Program, id)
		es, _, failed := d.Manifest(t.Context(), a, testkit.Program, delivery.Query{Limit: 10, IDs: []string{id}, Versions: delivery.Versions{All: true}})
		hits, lost := d.Search(t.Context(), a, testkit.Program, id, 10)
		if failed != nil || lost != nil {
			t.Fatal(failed, lost)
		}
		if raw := seen[id]; raw != nil {
			if err != nil || string(o.Raw) != string(raw) || o.Redacted || len(es) != 1 || len(hits) != 1 {
				t.Errorf("%s: %s %v, %d entries, %d hits", name, o.Raw, err, len(es), len(hits))
			}
			continue
		}
		if exchange.KindOf(err) != exchange.NotFound || len(es) != 0 || len(hits) != 0 {
			t.Errorf("%s is withheld: %v, %d entries, %d hits", name, err, len(es), len(hits))
		}
	}
	for name, id := range copies {
		o, err := d.Object(t.Context(), a, testkit.Program, id)
		if err != nil || !o.Redacted || o.CopyAsked != "" || o.Object.ID != id || string(o.Raw) != string(seen[id]) {
			t.Errorf("the copy of %s: %+v %v", name, o.Object, err)
		}
		if len(o.Decision.Fields) > 0 || slices.ContainsFunc(o.Decision.Steps, func(s policy.Step) bool { return strings.Contains(s.Text, "description") }) {
			t.Errorf("the reader is told what is withheld: %+v", o.Decision)
		}
		p, err := d.Page(t.Context(), a, testkit.Program, delivery.Query{Limit: 10, IDs: []string{id}})
		if err != nil || p.Len != 1 || string(p.Between("", "")) != string(seen[id]) {
			t.Errorf("the copy of %s by its identifier: %v", name, err)
		}
		if hits, err := d.Search(t.Context(), a, testkit.Program, id, 10); err != nil || len(hits) != 1 {
			t.Errorf("the copy of %s is not found: %v", name, err)
		}
		// Who may have the original is led to it; to its feed the copy is unknown.
		for _, other := range []exchange.Actor{x.whole, x.Operator} {
			o, err := d.Object(t.Context(), other, testkit.Program, id)
			if err != nil || o.Redacted || o.CopyAsked != id || o.Object.ID != x.id(name) {
				t.Errorf("%s asks for the copy of %s: %+v %v", other.Person, name, o.Object, err)
			}
		}
		es, _, err := d.Manifest(t.Context(), x.whole, testkit.Program, delivery.Query{Limit: 10, IDs: []string{id}})
		if err != nil || len(es) != 0 {
			t.Errorf("the copy of %s is in the view of who has the original", name)
		}
		_, err = d.Object(t.Context(), x.Machine(servertest.Outsider), testkit.Program, id)
		missing(t, "an outsider asking for a copy", err)
	}
	i, err := d.Artifact(t.Context(), a, x.art.ID)
	if err != nil || !i.Partial || i.Artifact.SHA256 != "" || i.Artifact.Objects != 0 {
		t.Errorf("the artifact: %+v %v", i, err)
	}
	_, err = d.Content(t.Context(), a, x.art.ID)
	missing(t, "the bytes as a whole", err)
	content, err := d.Content(t.Context(), x.whole, x.art.ID)
	if err != nil {
		t.Fatalf("who may have all: %v", err)
	}
	content.Close()
}
