package contribution_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// sco is an address with a property of its own.
func sco(n int, extra string) string {
	return fmt.Sprintf(`{"type":"ipv4-addr","spec_version":"2.1","id":"ipv4-addr--00000000-0000-4000-8000-%012d","value":"198.51.100.%d"%s}`, n, n, extra)
}

func definition(n int, label string) (id, object string) {
	id = fmt.Sprintf("marking-definition--00000000-0000-4000-8000-%012d", n)
	return id, fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z",`+
		`"extensions":{"extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d":{"extension_type":"property-extension","tlp_2_0":%q}}}`, id, label)
}

func both() []exchange.CohortID { return []exchange.CohortID{early, standard} }

func TestVersionsAndRepeats(t *testing.T) {
	w := newWorld(t, both(), both())
	a, other := w.writer(servertest.EarlyA), w.writer(servertest.EarlyB)
	first, second := indicator(1, v(1), ""), indicator(1, v(2), "")
	w.must(a, 1, 0, first)
	before := w.Dump()
	st := w.must(a, 1, 0, first)
	if st.Successes[0].Message == "" {
		t.Error("nothing says that it was there")
	}
	w.must(other, 1, 0, first) // somebody else's copy of the same bytes
	after := w.Dump()
	for _, table := range []string{"object_block", "object_index", "object_more", "feed_run", "event", "journal"} {
		if len(after[table]) != len(before[table]) {
			t.Errorf("repeating it wrote to %s", table)
		}
	}
	w.must(a, 1, 0, second)
	same(t, "the newest version", w.read(a), second)
	all, err := w.pages(a, delivery.Query{Limit: 10, Versions: delivery.Versions{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "all versions", all, first, second)
	st = w.must(a, 0, 1, indicator(1, v(2), `,"confidence":3`))
	if f := st.Failures[0]; f.ID != id(1) || !strings.Contains(f.Message, "later modified") {
		t.Errorf("other bytes: %+v", f)
	}
	st = w.must(other, 0, 1, indicator(1, v(3), ""))
	if f := st.Failures[0]; !strings.Contains(f.Message, "creator") {
		t.Errorf("another's object: %+v", f)
	}
	w.must(a, 1, 0, indicator(1, v(3), ""))
	// In one envelope: the same twice is one, and one version has one content.
	st, err = w.add(a, indicator(5, v(1), ""), indicator(5, v(1), ""), indicator(5, v(1), `,"confidence":3`), indicator(5, v(2), ""))
	if err != nil || st.Success != 3 || st.Failure != 1 {
		t.Errorf("in one envelope: %+v, %v", st, err)
	}
	same(t, "what is left of it", w.read(a), indicator(1, v(3), ""), indicator(5, v(2), ""))
}

// An object without versions is known by its bytes.
func TestWithoutVersions(t *testing.T) {
	w := newWorld(t, both(), both())
	a, b := w.writer(servertest.EarlyA), w.writer(servertest.EarlyB)
	w.must(a, 1, 0, sco(1, ""))
	w.must(a, 1, 0, sco(1, ""))
	w.must(b, 1, 0, sco(1, ""))
	st := w.must(a, 0, 1, sco(1, `,"x_seen":2`))
	if !strings.Contains(st.Failures[0].Message, "remove") {
		t.Errorf("%+v", st.Failures)
	}
	w.must(b, 1, 0, sco(1, `,"x_seen":2`)) // whoever derives the id arrives at the same one
	same(t, "the first stays", w.read(a), sco(1, ""))
}

// What the writer may not see never changes the answer: an object that is
// hidden from it, one that does not exist, and the writer's own are answered
// apart from each other only where the writer sees them.
func TestNoOracle(t *testing.T) {
	w := newWorld(t, []exchange.CohortID{early, standard}, []exchange.CohortID{early})
	reader, box := w.writer(servertest.EarlyA), w.writer(servertest.Standard)
	w.must(reader, 2, 0, indicator(1, v(2), ""), sco(1, ""))
	// A release that is planned for later is hidden, too.
	r := w.Draft("Later", testkit.Start.AddDate(0, 1, 0))
	w.Submit(r.ID, exchange.DetectionGuidance, "b.json", strings.NewReader(`{"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000001","objects":[`+indicator(2, v(2), "")+`]}`))
	for name, a := range map[string]exchange.Actor{"drop box": box, "a token that does not read": w.sensor(servertest.EarlyB)} {
		for _, o := range []string{indicator(1, v(2), `,"confidence":1`), indicator(1, v(3), ""), indicator(2, v(2), `,"confidence":1`), sco(1, `,"x_a":1`)} {
			st := w.must(a, 1, 0, o)
			if m := st.Successes[0].Message; m != "" {
				t.Errorf("%s learns %q", name, m)
			}
		}
	}
	same(t, "the drop box reads", w.read(box))
	_, err := w.X.Delivery.Object(t.Context(), w.Reader(servertest.Standard), testkit.Program, id(1))
	kind(t, "its own object", err, exchange.NotFound)
	// Its own are known to it all the same.
	st := w.must(box, 1, 1, indicator(1, v(3), ""), indicator(1, v(2), ""))
	if len(st.Failures) != 1 || !strings.Contains(st.Failures[0].Message, "later modified") || st.Successes[0].Message == "" {
		t.Errorf("its own: %+v", st)
	}
	// Those who read see the latest of all, and of one version the first.
	same(t, "who reads", w.read(reader), sco(1, ""), indicator(1, v(3), ""), indicator(2, v(2), `,"confidence":1`))
}

// Markings join the program's handling; one that is not defined holds the object.
func TestMarkings(t *testing.T) {
	w := newWorld(t, both(), both())
	a, b := w.writer(servertest.EarlyA), w.writer(servertest.EarlyB)
	marked := func(n int, ref string) string { return indicator(n, v(1), `,"object_marking_refs":["`+ref+`"]`) }
	const red = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
	ref, def := definition(7, "red")
	green, defGreen := definition(8, "green")
	nobody, _ := definition(9, "green")
	plain := indicator(1, v(1), "")
	st := w.must(a, 7, 0, plain, marked(2, red), marked(3, ref), marked(4, green), marked(5, nobody), def, defGreen)
	for _, d := range st.Successes {
		if held := strings.Contains(d.Message, "held"); held != (d.ID == id(5)) {
			t.Errorf("%+v", d)
		}
	}
	same(t, "a machine", w.read(b), plain, marked(4, green), def, defGreen)
	// What an earlier request defined holds for the next.
	w.must(b, 2, 0, marked(12, ref), marked(13, green))
	same(t, "later", w.read(b), plain, marked(4, green), def, defGreen, marked(13, green))
	o, err := w.X.Delivery.Object(t.Context(), w.Operator, testkit.Program, id(3))
	if err != nil || o.TLP != exchange.TLPRed {
		t.Errorf("who runs the program sees %v, %v", o.TLP, err)
	}
	kd := testkit.Charter().Handling.TLP
	if o, err = w.X.Delivery.Object(t.Context(), w.Operator, testkit.Program, id(4)); err != nil || o.TLP != kd {
		t.Errorf("the program's label %v, %v, want %v", o.TLP, err, kd)
	}
	if n := len(w.Dump()["handling_class"]); n != 7 { // of a: plain, red, ref, green, held; of b: ref, green
		t.Errorf("%d handling classes", n)
	}
}

// Faulty objects fail one by one; what is no envelope fails whole.
func TestFaults(t *testing.T) {
	w := newWorld(t, both(), both())
	a := w.writer(servertest.EarlyA)
	good := indicator(1, v(1), "")
	st := w.must(a, 1, 4, `{"type":"indicator","spec_version":"2.1","id":"`+id(2)+`"}`, good, `7`, `{"type":"tool"}`,
		strings.Replace(indicator(3, v(1), ""), `"created":"2026`, `"created":"20x6`, 1))
	for i, want := range []string{id(2), "objects[2]", "objects[3]", id(3)} {
		if f := st.Failures[i]; f.ID != want || f.Message == "" || !strings.Contains(f.Message, "$.objects[") {
			t.Errorf("failure %d: %+v, want that of %s", i, f, want)
		}
	}
	same(t, "what is read", w.read(a), good)
	for body, part := range map[string]string{
		`[]`: "", `7`: "", ``: "", `{"objects":7}`: "", indicator(9, v(1), ""): "",
		`{"objects":[` + indicator(8, v(1), "") + `,{"a":]}`: "line = 1 column", `{"objects":[` + indicator(8, v(1), "") + `]} x`: "line = 1",
		`{"objects":[` + indicator(8, v(1), ""): "ends",
	} {
		before := w.Dump()
		_, err := w.X.Contributions.Add(t.Context(), a, testkit.Program, strings.NewReader(body))
		kind(t, body, err, exchange.Invalid)
		if err != nil && !strings.Contains(fmt.Sprintf("%+v", problems(err)), part) {
			t.Errorf("%s: %v says not where", body, problems(err))
		}
		if len(w.Dump()["object_block"]) != len(before["object_block"]) {
			t.Errorf("%s: something was stored", body)
		}
	}
	for _, body := range []string{`{}`, `{"objects":[]}`, `{"more":true,"next":"x","objects":[]}`, `{"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000001"}`} {
		st, err := w.X.Contributions.Add(t.Context(), a, testkit.Program, strings.NewReader(body))
		if err != nil || st.Total != 0 || !st.Complete {
			t.Errorf("%s: %+v, %v", body, st, err)
		}
	}
	if st, err := w.X.Contributions.Add(t.Context(), a, testkit.Program, strings.NewReader(`{"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000001","objects":[`+indicator(4, v(1), "")+`]}`)); err != nil || st.Success != 1 {
		t.Errorf("a bundle: %+v, %v", st, err)
	}
}

// An indicator whose pattern breaks the grammar fails alone, and is told where.
func TestPatterns(t *testing.T) {
	w := newWorld(t, both(), both())
	a := w.writer(servertest.EarlyA)
	broken := strings.Replace(indicator(2, v(1), ""), "[domain-name:value = 'n2.example']", "[domain-name:value = 'n2.example'", 1)
	other := strings.Replace(indicator(4, v(1), ""), `"pattern_type":"stix"`, `"pattern_type":"sigma"`, 1)
	st := w.must(a, 3, 1, indicator(1, v(1), ""), broken, indicator(3, v(1), ""), other)
	f := st.Failures[0]
	if f.ID != id(2) || f.Version != v(1).UnixMicro() || !strings.Contains(f.Message, "$.objects[1].pattern") ||
		!strings.Contains(f.Message, "line 1, column 34") || strings.Contains(f.Message, "n2.example") {
		t.Errorf("told: %+v", f)
	}
	same(t, "what is read", w.read(a), indicator(1, v(1), ""), indicator(3, v(1), ""), other)
}

// New objects are stored without a look at what is there; where one of them is
// there after all, the answer is what it always is and nothing stands twice.
func TestKnownAmongNew(t *testing.T) {
	w := newWorld(t, both(), both())
	a, b := w.writer(servertest.EarlyA), w.writer(servertest.EarlyB)
	for i := range 4 {
		w.must(a, 5, 0, indicators(10*i, 10*i+4)...)
	}
	w.must(b, 2, 0, indicators(100, 101)...)
	objects := w.read(b)
	changed := indicator(2, v(1), `,"confidence":7`)
	st := w.must(a, 3, 2, indicator(50, v(1), ""), indicator(1, v(1), ""), changed, indicator(100, v(2), ""), indicator(51, v(1), ""))
	if st.Successes[1].ID != id(1) || st.Successes[1].Message == "" || st.Failures[0].ID != id(2) || st.Failures[1].ID != id(100) {
		t.Errorf("%+v", st)
	}
	w.must(a, 5, 0, indicators(60, 64)...)
	w.must(a, 2, 0, indicator(70, v(1), ""), indicator(70, v(2), ""))
	objects = append(append(objects, indicator(50, v(1), ""), indicator(51, v(1), "")), append(indicators(60, 64), indicator(70, v(2), ""))...)
	same(t, "all", w.read(b), objects...)
	if n := len(w.Dump()["object_index"]); n != len(objects) {
		t.Errorf("%d ids of %d", n, len(objects))
	}
	kept, err := w.X.Contributions.Status(t.Context(), a, st.ID)
	if err != nil || fmt.Sprint(kept) != fmt.Sprint(st) {
		t.Errorf("kept as %+v, %v, want %+v", kept, err, st)
	}
}

func problems(err error) []exchange.Problem {
	if e, ok := err.(*exchange.Error); ok {
		return e.Problems
	}
	return nil
}
