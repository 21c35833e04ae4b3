package delivery_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// forest makes graphs at random. Each text in them is a canary, and secret says
// which of them only the named person may have.
type forest struct {
	*rand.Rand
	n      int
	ids    []string // of what may be referred to
	secret map[string]bool
	all    map[string][]byte // what the first of equal readers has
}

// kinds are the properties of what is made: T stands for a text, R for one
// reference, L for a list of them.
var kinds = []struct{ typ, more string }{
	{"indicator", `"name":T,"description":T,"pattern":"[domain-name:value = 'example.com']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","labels":[T,T]`},
	{"malware", `"name":T,"description":T,"is_family":true,"aliases":[T,T,T],"external_references":[{"source_name":T,"description":T},{"source_name":T,"url":"https://example.com/","external_id":T}]`},
	{"relationship", `"relationship_type":"related-to","description":T,"source_ref":R,"target_ref":R`},
	{"sighting", `"description":T,"sighting_of_ref":R`},
	{"report", `"name":T,"description":T,"published":"2026-01-01T00:00:00Z","object_refs":L`},
	{"note", `"abstract":T,"content":T,"authors":[T,T],"object_refs":L`},
	{"grouping", `"name":T,"context":"suspicious-activity","object_refs":L`},
	{"opinion", `"explanation":T,"opinion":"agree","object_refs":L`},
}

// canaries is the object's own properties, and the selectors of its texts and references.
func (f *forest) canaries(more string) (text string, at map[string]string) {
	var out strings.Builder
	for i, c := range more {
		bare := i+1 == len(more) || strings.ContainsRune(",]}", rune(more[i+1]))
		ref := func() string { return `"` + f.ids[f.IntN(len(f.ids))] + `"` }
		switch {
		case c == 'T' && bare:
			f.n++
			fmt.Fprintf(&out, `"canary%06dx"`, f.n)
		case c == 'R' && bare:
			to := ref()
			for strings.HasPrefix(to, `"relationship`) || strings.HasPrefix(to, `"sighting`) { // STIX 2.1 §5.1, §5.2
				to = ref()
			}
			out.WriteString(to)
		case c == 'L' && bare:
			var all []string
			for range 1 + f.IntN(4) {
				all = append(all, ref())
			}
			slices.Sort(all)
			out.WriteString("[" + strings.Join(slices.Compact(all), ",") + "]")
		default:
			out.WriteRune(c)
		}
	}
	var v any
	if err := json.Unmarshal([]byte("{"+out.String()+"}"), &v); err != nil {
		panic(err)
	}
	at = map[string]string{}
	walk(v, "", at)
	return out.String(), at
}

// walk lists the selectors of a value with the text of what each selects.
func walk(v any, path string, at map[string]string) {
	if path != "" {
		b, _ := json.Marshal(v)
		at[path] = string(b)
	}
	below := func(name string, v any) {
		if path != "" {
			name = path + "." + name
		}
		walk(v, name, at)
	}
	switch v := v.(type) {
	case map[string]any:
		for name, v := range v {
			below(name, v)
		}
	case []any:
		for i, v := range v {
			below(fmt.Sprintf("[%d]", i), v)
		}
	}
}

func words(text string) (out []string) {
	for rest := text; ; {
		i := strings.Index(rest, "canary")
		if i < 0 {
			return out
		}
		out = append(out, rest[i:i+len("canary000000x")])
		rest = rest[i+1:]
	}
}

func (f *forest) graph(n int) []servertest.Thing {
	things := make([]servertest.Thing, n)
	of := make([]int, n)
	for i := range things {
		f.n++
		of[i] = f.IntN(len(kinds))
		if i < 2 {
			of[i] = i
		}
		things[i].ID = stixtest.ID(kinds[of[i]].typ, 900, f.n)
		f.ids = append(f.ids, things[i].ID)
	}
	for i := range things {
		t := &things[i]
		text, at := f.canaries(kinds[of[i]].more)
		t.More = text
		if f.IntN(6) == 0 {
			t.Label = exchange.TLPRed
			f.secret[t.ID] = true
			for _, w := range words(text) {
				f.secret[w] = true
			}
			continue
		}
		t.Grains = map[exchange.TLP][]string{}
		for range f.IntN(3) {
			paths := slices.Sorted(maps.Keys(at))
			p := paths[f.IntN(len(paths))]
			l := []exchange.TLP{exchange.TLPGreen, exchange.TLPRed}[f.IntN(2)]
			if slices.Contains(t.Grains[l], p) {
				continue
			}
			t.Grains[l] = append(t.Grains[l], p)
			if l == exchange.TLPRed {
				for _, w := range words(at[p]) {
					f.secret[w] = true
				}
			}
		}
	}
	return things
}

// Whatever parts of whatever objects are withheld: no text of them comes out, by
// any function of the room, and nothing refers to what is not there.
func TestNothingWithheldComesOut(t *testing.T) {
	w := servertest.New(t)
	named := w.Reader(servertest.EarlyB)
	for seed := range uint64(3) {
		f := &forest{Rand: rand.New(rand.NewPCG(seed, 4)), secret: map[string]bool{}, n: int(seed) * 100_000}
		r := w.Draft(fmt.Sprint("Forest ", seed), t0)
		var arts []exchange.Artifact
		for i := range 6 {
			things := f.graph(12 + f.IntN(20))
			a := w.Submit(r.ID, exchange.DetectionGuidance, fmt.Sprintf("g%d.json", i), servertest.Graph(1000*(seed+1)+uint64(i), things...),
				servertest.Label(exchange.TLPAmber), func(in *submission.Input) { in.Handling.Persons = []exchange.PersonID{named.Person} })
			w.Grain(a, things...)
			arts = append(arts, a)
		}
		w.Arm(r.ID)
		if w.Clock.Set(early); seed > 0 {
			w.Clock.Set(early.Add(time.Duration(seed) * time.Minute))
		}
		copies := map[string]string{}
		for _, a := range []exchange.Actor{w.Machine(servertest.EarlyA), w.Reader(servertest.EarlyA), w.Machine(servertest.Validator), w.Machine(servertest.EarlyB)} {
			f.look(t, w, a, arts, copies)
		}
		whole := pageOf(t, w, named, 1000)
		for _, id := range f.ids {
			if whole[id] == nil {
				t.Fatalf("seed %d: who may have all has not %s", seed, id)
			}
		}
	}
}

// look takes all that the room gives an actor, and looks for what is withheld.
// copies is what others were given under an identifier.
func (f *forest) look(t *testing.T, w *servertest.World, a exchange.Actor, arts []exchange.Artifact, copies map[string]string) {
	t.Helper()
	d := w.X.Delivery
	for _, i := range f.Perm(len(arts))[:f.IntN(len(arts))] { // what a reader has does not depend on where one begins
		if _, err := d.Objects(t.Context(), a, arts[i].ID, -1, 1000); err != nil {
			t.Fatal(err)
		}
	}
	seen := pageOf(t, w, a, 1+f.IntN(50))
	if f.all == nil {
		f.all = seen
	}
	if len(seen) != len(f.all) {
		t.Fatalf("%d objects, and another reader with the same rights has %d", len(seen), len(f.all))
	}
	leak := func(what, text string) {
		t.Helper()
		for _, s := range words(text) {
			if f.secret[s] {
				t.Fatalf("%s gives %s away: %s", what, s, text)
			}
		}
	}
	here := 0
	for id, raw := range seen {
		leak("a page", string(raw))
		if f.secret[id] {
			t.Fatalf("a page holds %s", id)
		}
		for _, ref := range servertest.Refs(raw) {
			if seen[ref] == nil {
				t.Fatalf("%s refers to %s, which is not there", id, ref)
			}
		}
		if before, known := copies[id]; known && before != string(raw) {
			t.Fatalf("two readers have %s with different bytes:\n%s\n%s", id, before, raw)
		}
		if f.all[id] == nil {
			t.Fatalf("another reader with the same rights does not have %s", id)
		}
		copies[id] = string(raw)
		if !slices.Contains(f.ids, id) {
			here++
		}
	}
	if here == 0 {
		t.Fatal("nothing is redacted")
	}
	all := ids(t, w, a)
	if len(all) != len(seen) {
		t.Errorf("%d in the manifest, %d in pages", len(all), len(seen))
	}
	leak("the manifest", fmt.Sprint(all))
	rs, err := d.Releases(t.Context(), a, testkit.Program)
	if err != nil {
		t.Fatal(err)
	}
	leak("the list of releases", fmt.Sprintf("%+v", rs))
	for _, art := range arts {
		objs, err := d.Objects(t.Context(), a, art.ID, -1, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objs {
			if seen[o.ID] == nil {
				t.Fatalf("%s is listed and not in a page", o.ID)
			}
		}
		_, err = d.Content(t.Context(), a, art.ID)
		missing(t, "the bytes of "+art.Filename, err)
	}
	for i, id := range f.ids {
		if i%7 != int(f.n%7) {
			continue // each is recorded
		}
		o, err := d.Object(t.Context(), a, testkit.Program, id)
		if err == nil && !bytes.Equal(o.Raw, seen[id]) || err != nil && (seen[id] != nil || exchange.KindOf(err) != exchange.NotFound) {
			t.Fatalf("%s by its identifier: %s, %v", id, o.Raw, err)
		}
		leak("an object", string(o.Raw)+fmt.Sprintf("%+v", o.Decision))
	}
	for id, raw := range seen {
		if f.IntN(7) > 0 {
			continue
		}
		o, err := d.Object(t.Context(), a, testkit.Program, id)
		if err != nil || !bytes.Equal(o.Raw, raw) {
			t.Fatalf("%s by its identifier: %v", id, err)
		}
		p, err := d.Page(t.Context(), a, testkit.Program, delivery.Query{Limit: 10, IDs: []string{id}, Versions: delivery.Versions{All: true}})
		if err != nil || string(p.Between("", "")) != string(raw) {
			t.Fatalf("%s by match[id]: %v", id, err)
		}
	}
}
