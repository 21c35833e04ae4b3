package marking_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/marking"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
)

func id(n string) string {
	return "marking-definition--" + strings.Repeat("0", 8-len(n)) + n + "-1111-4111-8111-111111111111"
}

// words is a dictionary of definitions, by id.
func words(t testing.TB, defs map[string]string) *marking.Dictionary {
	t.Helper()
	d := &marking.Dictionary{}
	for id, members := range defs {
		if !d.Define(id, []byte(definition(members)), now) {
			t.Fatal("the dictionary is full")
		}
	}
	return d
}

var meanings = map[string]string{
	id("a"): `,"definition_type":"statement","definition":{"statement":"one"}`,
	id("b"): `,"extensions":{"` + pap + `":{"pap":"red"}}`,
	id("c"): `,"extensions":{"` + iep + `":{"iep_id":"p","iep_version":2,"tlp":"green","permitted_actions":"externally-visible-direct-actions","attribution":"must"}}`,
	id("d"): `,"extensions":{"` + iep + `":{"iep_id":"q","iep_version":2,"tlp":"green","attribution":"must-not"}}`,
	id("e"): `,"extensions":{"` + marking.Extension + `":{"sectors":["energy"],"tlp":"TLP:GREEN"}}`,
	id("f"): `,"extensions":{"` + acs + `":{}}`,
}

const (
	tlp1Amber = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
	tlp1White = "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9"
	tlp1Red   = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
)

func classOf(t testing.TB, o stix.Object) (exchange.HandlingClass, []marking.Open) {
	t.Helper()
	var m marking.Marks
	m.Read(&o)
	return m.Class(words(t, meanings).Of)
}

// The vectors of the combination table (docs/adr/0016-markings.md) that are
// about understanding: (c), (f), (h), (i), and labels of TLP 1.
func TestVectors(t *testing.T) {
	for name, c := range map[string]struct {
		refs []string
		want exchange.HandlingClass
	}{
		"c: AMBER of TLP 1 and AMBER+STRICT": {
			[]string{tlp1Amber, stixtest.MarkingID(exchange.TLPAmberStrict)}, exchange.HandlingClass{TLP: exchange.TLPAmberStrict},
		},
		"f: nobody defined it": {[]string{id("9")}, exchange.HandlingClass{Held: true, Markings: id("9")}},
		"f: nobody understands it": {
			[]string{id("f"), stixtest.MarkingID(exchange.TLPGreen)}, exchange.HandlingClass{TLP: exchange.TLPGreen, Held: true, Markings: id("f")},
		},
		"h: PAP:RED and direct actions": {
			[]string{id("c"), id("b")},
			exchange.HandlingClass{TLP: exchange.TLPGreen, Markings: id("b") + " " + id("c"), Handling: exchange.Handling{
				PAP: exchange.PAPRed, Actions: exchange.ActionsDirect, Attribution: exchange.AttributionMust, References: []string{"iep:p"},
			}},
		},
		"i: attribution must and must-not": {
			[]string{id("d"), id("c")},
			exchange.HandlingClass{TLP: exchange.TLPGreen, Markings: id("c") + " " + id("d"), Handling: exchange.Handling{
				Actions: exchange.ActionsDirect, Attribution: exchange.AttributionConflict, References: []string{"iep:p", "iep:q"},
			}},
		},
		"WHITE of TLP 1 is CLEAR": {[]string{tlp1White}, exchange.HandlingClass{TLP: exchange.TLPClear}},
		"RED of TLP 1 stays RED":  {[]string{tlp1Red, tlp1White}, exchange.HandlingClass{TLP: exchange.TLPRed}},
	} {
		got, _ := classOf(t, stix.Object{MarkingRefs: c.refs})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}

func TestParts(t *testing.T) {
	o := stix.Object{
		MarkingRefs: []string{stixtest.MarkingID(exchange.TLPAmber)},
		Granules: []stix.Granule{
			{Ref: stixtest.MarkingID(exchange.TLPRed), Selectors: []string{"name", "description", "name"}},
			{Ref: stixtest.MarkingID(exchange.TLPGreen), Selectors: []string{"labels"}}, // below the whole: nothing more is asked
			{Ref: id("9"), Selectors: []string{"pattern"}},
			{Ref: id("e"), Selectors: []string{"description"}},
			{Ref: stixtest.MarkingID(exchange.TLPRed), Selectors: []string{"description", "name"}}, // said already
		},
	}
	want := exchange.HandlingClass{TLP: exchange.TLPAmber, Markings: id("9") + " " + id("e"), Fields: []exchange.FieldHandling{
		{Selectors: []string{"description"}, Handling: exchange.Handling{TLP: exchange.TLPGreen, Sectors: []string{"energy"}}},
		{Selectors: []string{"description", "name"}, Handling: exchange.Handling{TLP: exchange.TLPRed}},
		{Selectors: []string{"pattern"}, Handling: exchange.Handling{References: []string{id("9")}}, Held: true},
	}}
	got, open := classOf(t, o)
	if diff := cmp.Diff(want, got) + cmp.Diff([]marking.Open{{Ref: id("9")}}, open); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// Of an object without a label every part is kept that has one: what the artifact
	// asks may become less.
	o.MarkingRefs = nil
	if got, _ = classOf(t, o); len(got.Fields) != 4 || got.TLP != exchange.TLPUnset {
		t.Errorf("without a label of the whole: %+v", got)
	}

	// Those who run the program say what it asks.
	resolved := marking.Resolve(want, id("9"), exchange.Handling{TLP: exchange.TLPRed}, false, false)
	if f := resolved.Fields[2]; f.Held || resolved.Held || f.Handling.TLP != exchange.TLPRed || f.Handling.References != nil {
		t.Errorf("resolved: %+v", f)
	}
	if less := marking.Resolve(want, id("9"), exchange.Handling{TLP: exchange.TLPGreen}, false, false); len(less.Fields) != 2 {
		t.Errorf("a part that asks no more than the whole is kept: %+v", less.Fields)
	}
	whole := marking.Resolve(exchange.HandlingClass{TLP: exchange.TLPGreen, Held: true}, id("9"), exchange.Handling{TLP: exchange.TLPClear, PAP: exchange.PAPRed}, true, true)
	if !whole.Held || whole.TLP != exchange.TLPGreen || whole.Handling.PAP != exchange.PAPRed {
		t.Errorf("one of two markings resolved: %+v", whole)
	}
}

// The order of markings, and of selectors, makes no difference, and neither does
// saying something twice.
func TestOrder(t *testing.T) {
	refs := []string{
		tlp1Amber, tlp1White, stixtest.MarkingID(exchange.TLPAmberStrict), id("9"), id("a"), id("b"), id("c"), id("d"), id("e"), id("f"),
	}
	fields := []string{"name", "description", "labels.[0]", "pattern"}
	r := rand.New(rand.NewPCG(4, 2))
	for range 500 {
		var o stix.Object
		for range 1 + r.IntN(4) {
			o.MarkingRefs = append(o.MarkingRefs, refs[r.IntN(len(refs))])
			o.Granules = append(o.Granules, stix.Granule{Ref: refs[r.IntN(len(refs))], Selectors: []string{fields[r.IntN(4)], fields[r.IntN(4)]}})
		}
		p := stix.Object{MarkingRefs: append(slices.Clone(o.MarkingRefs), o.MarkingRefs[0]), Granules: append(slices.Clone(o.Granules), o.Granules[0])}
		for i, g := range p.Granules {
			p.Granules[i].Selectors = []string{g.Selectors[1], g.Selectors[0], g.Selectors[1]}
		}
		r.Shuffle(len(p.MarkingRefs), func(i, j int) { p.MarkingRefs[i], p.MarkingRefs[j] = p.MarkingRefs[j], p.MarkingRefs[i] })
		r.Shuffle(len(p.Granules), func(i, j int) { p.Granules[i], p.Granules[j] = p.Granules[j], p.Granules[i] })
		var m, n marking.Marks
		m.Read(&o)
		n.Read(&p)
		if string(m.AppendKey(nil)) != string(n.AppendKey(nil)) {
			t.Fatalf("the keys differ: %v, %v", m, n)
		}
		a, openA := classOf(t, o)
		b, openB := classOf(t, p)
		if diff := cmp.Diff(a, b) + cmp.Diff(openA, openB); diff != "" {
			t.Fatalf("%v and %v differ\n%s", o, p, diff)
		}
		// More markings never ask less.
		o.MarkingRefs = append(o.MarkingRefs, refs[r.IntN(len(refs))])
		if c, _ := classOf(t, o); c.TLP < a.TLP || a.Held && !c.Held || c.Handling.PAP < a.Handling.PAP || c.Handling.Actions < a.Handling.Actions {
			t.Fatalf("another marking loosens %+v to %+v", a, c)
		}
	}
}

func TestDictionary(t *testing.T) {
	d := words(t, meanings)
	d.Define(id("a"), []byte(definition(`,"definition_type":"tlp","definition":{"tlp":"red"}`)), now)
	if m, ok := d.Of(id("a")); !ok || m.Handling.TLP != exchange.TLPRed || m.Handling.Statement != "one" {
		t.Errorf("defined twice: %+v", m)
	}
	d.Resolve(id("f"), exchange.Handling{TLP: exchange.TLPAmber})
	d.Resolve(id("9"), exchange.Handling{TLP: exchange.TLPAmber})
	d.Resolve(id("b"), exchange.Handling{TLP: exchange.TLPClear, Statement: "not asked"})
	for ref, want := range map[string]exchange.Handling{
		id("f"): {TLP: exchange.TLPAmber}, id("9"): {TLP: exchange.TLPAmber}, id("b"): {PAP: exchange.PAPRed},
	} {
		if m, ok := d.Of(ref); !ok || m.Held || !cmp.Equal(m.Handling, want) {
			t.Errorf("%s means %+v, want %+v", ref, m, want)
		}
	}
	large := []byte(definition(`,"name":"` + strings.Repeat("x", 1<<20) + `"`))
	n := 0
	for ; n < 100 && d.Define(id("1"), large, now); n++ {
		large[len(large)-3]++
	}
	if n == 0 || n == 100 {
		t.Errorf("%d MiB of definitions were taken", n)
	}
}

func BenchmarkRead(b *testing.B) {
	plain := stix.Object{MarkingRefs: []string{tlp1Amber}}
	granular := stix.Object{MarkingRefs: []string{tlp1Amber, id("a")}, Granules: []stix.Granule{{Ref: id("b"), Selectors: []string{"name", "description"}}}}
	for name, o := range map[string]*stix.Object{"plain": &plain, "granular": &granular} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var m marking.Marks
			var key []byte
			for b.Loop() {
				m.Read(o)
				key = m.AppendKey(key[:0])
			}
		})
	}
}
