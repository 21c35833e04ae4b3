package stix_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

const bundleID = "bundle--0f4f6c1e-1f6c-4d5e-8a55-6c7f1f0f9a01"

func bundle(objects ...string) string {
	return `{"type":"bundle","id":"` + bundleID + `","objects":[` + strings.Join(objects, ",") + "]}"
}

// rulesAt are rule and path of each problem.
func rulesAt(ps []exchange.Problem) string {
	var s []string
	for _, p := range ps {
		s = append(s, p.Code+" "+p.Path)
	}
	return strings.Join(s, ", ")
}

func TestScanAttack(t *testing.T) {
	for file, want := range map[string]int{"ics-attack-18.1.json": 1826, "mobile-attack-17.1.json": 2148} {
		objects, sum := scan(t, readData(t, "attack", file), stix.Options{})
		if sum.ProblemCount > 0 || sum.Objects != want || len(objects) != want {
			t.Errorf("%s: %d objects, %d passed on, %d problems %v; want %d and none", file, sum.Objects, len(objects), sum.ProblemCount, sum.Problems, want)
		}
		if len(sum.UnresolvedMarkings) > 0 || sum.UnresolvedMore {
			t.Errorf("%s: unresolved markings %v", file, sum.UnresolvedMarkings)
		}
		if sum.Types["attack-pattern"] == 0 || sum.Types["marking-definition"] != 1 {
			t.Errorf("%s: types %v", file, sum.Types)
		}
		for _, o := range objects {
			if o.Duplicate || o.Version == 0 || o.ID == "" {
				t.Errorf("%s: object %d: %q, version %d, duplicate %v", file, o.Index, o.ID, o.Version, o.Duplicate)
			}
		}
	}
}

// The examples of the standard's authors, granular markings among them.
func TestScanExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testkit.Data(t, "stix-examples"), "*.json"))
	if err != nil || len(files) != 11 {
		t.Fatalf("%d examples, %v; want 11", len(files), err)
	}
	for _, file := range files {
		in, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		objects, sum := scan(t, in, stix.Options{})
		if sum.ProblemCount > 0 || len(objects) == 0 || len(objects) != sum.Objects {
			t.Errorf("%s: %d of %d objects, %+v", filepath.Base(file), len(objects), sum.Objects, sum.Problems)
		}
		if len(sum.UnresolvedMarkings) > 0 {
			t.Errorf("%s: unresolved %v", filepath.Base(file), sum.UnresolvedMarkings)
		}
	}
}

func TestScanBundle(t *testing.T) {
	a := sdo("identity", `"name":"a"`)
	id := `"id":"` + bundleID + `"`
	for _, c := range []struct {
		name, input string
		opt         stix.Options
		objects     int
		want        string
	}{
		{"bundle", bundle(a), stix.Options{}, 1, ""},
		{"objects first", `{"objects":[` + a + `],` + id + `,"type":"bundle"}`, stix.Options{}, 1, ""},
		{"no objects", `{"type":"bundle",` + id + `}`, stix.Options{}, 0, ""},
		{"empty objects", bundle(), stix.Options{}, 0, "stix.bundle $.objects"},
		{"other members", `{"type":"bundle",` + id + `,"spec_version":"2.1","x_more":{"a":[1]},"objects":[` + a + `]}`, stix.Options{}, 1, ""},
		{"escaped names", `{"ty\u0070e":"bundl\u0065",` + id + `,"object\u0073":[` + a + `]}`, stix.Options{}, 1, ""},
		{"no type", `{` + id + `}`, stix.Options{}, 0, "stix.bundle $.type"},
		{"other type", `{"type":"report",` + id + `}`, stix.Options{}, 0, "stix.bundle $.type"},
		{"no id", `{"type":"bundle"}`, stix.Options{}, 0, "stix.bundle $.id"},
		{"other id", `{"type":"bundle","id":` + ref + `}`, stix.Options{}, 0, "stix.bundle $.id"},
		{"numbers", `{"type":1,"id":2,"objects":3}`, stix.Options{}, 0, "stix.bundle $.objects, stix.bundle $.type, stix.bundle $.id"},
		{"STIX 2.0", `{"type":"bundle",` + id + `,"spec_version":"2.0","objects":[` + a + `]}`, stix.Options{}, 1, "stix.spec-version $.spec_version"},
		{"array", `[` + a + `]`, stix.Options{}, 0, "stix.bundle $"},
		{"one object", a, stix.Options{}, 0, "stix.bundle $.type, stix.bundle $.id"},
		{"not an object", bundle("7", a, "[]"), stix.Options{}, 1, "stix.object $.objects[0], stix.object $.objects[2]"},
		{"trailing", bundle(a) + "x", stix.Options{}, 1, "stix.trailing $"},
		{"two bundles", bundle(a) + bundle(a), stix.Options{}, 1, "stix.trailing $"},
		{"trailing space", bundle(a) + "\r\n\t ", stix.Options{}, 1, ""},
		{"name twice", `{"type":"bundle",` + id + `,` + id + `}`, stix.Options{}, 0, "stix.syntax $"},
		{"name twice inside", bundle(a, `{"a":1,"\u0061":2}`), stix.Options{}, 1, "stix.syntax $.objects[1]"},
		{"empty", "", stix.Options{}, 0, "stix.syntax $"},
		{"cut", bundle(a)[:100], stix.Options{}, 0, "stix.syntax $.objects[0]"},
		{"missing comma", `{"type":"bundle",` + id + `,"objects":[` + a + a + `]}`, stix.Options{}, 1, "stix.syntax $.objects[1]"},
		{"bad UTF-8", bundle("{\"a\":\"\xff\"}"), stix.Options{}, 0, "stix.syntax $.objects[0]"},
		{"half a surrogate", bundle(`{"a":"\ud800"}`), stix.Options{}, 0, "stix.syntax $.objects[0]"},
		{"very deep", bundle(strings.Repeat("[", 20_000)), stix.Options{}, 0, "stix.syntax $.objects[0]"},
		{"deep member", `{"type":"bundle",` + id + `,"x":` + strings.Repeat("[", 65) + strings.Repeat("]", 65) + `}`, stix.Options{}, 0, "stix.depth $"},
		{"depth option", bundle(`{"a":{"b":{}}}`), stix.Options{MaxDepth: 2}, 0, "stix.depth $.objects[0]"},
		{"size at the limit", bundle(a), stix.Options{MaxObject: len(a)}, 1, ""},
		{"size over the limit", bundle(a, a), stix.Options{MaxObject: len(a) - 1}, 0, "stix.size $.objects[0]"},
		{"too much space", `{"type":"bundle",` + strings.Repeat(" ", 5000) + id + `}`, stix.Options{MaxObject: 1000}, 0, "stix.size $"},
		{"too many members", `{` + strings.TrimSuffix(strings.Join(numbered(300), ","), ",") + `}`, stix.Options{}, 0, "stix.bundle $"},
		{"objects alone", `{"objects":[` + a + `]}`, stix.Options{}, 1, "stix.bundle $.type, stix.bundle $.id"},
	} {
		for _, reader := range []io.Reader{strings.NewReader(c.input), iotest.OneByteReader(strings.NewReader(c.input))} {
			objects, sum := scanFrom(t, reader, []byte(c.input), c.opt)
			if got := rulesAt(sum.Problems); got != c.want || len(objects) != c.objects {
				t.Errorf("%s: %d objects, problems %q %+v; want %d, %q", c.name, len(objects), got, sum.Problems, c.objects, c.want)
			}
		}
	}
}

func numbered(n int) (s []string) {
	for i := range n {
		s = append(s, fmt.Sprintf(`"m%d":0`, i))
	}
	return s
}

func TestScanPosition(t *testing.T) {
	good := sdo("identity", `"name":"a"`)
	for _, c := range []struct{ name, input, want string }{
		{"first line", `{"type":bundle}`, "line = 1 column = 9"},
		{"between objects", "{\n \"objects\": [\n" + good + "\n\n  @]}", "line = 5 column = 3"},
		{"inside an object", "{\n\"objects\":[\r\n  " + good + ",\n  {\n   \"a\": tru }]}", "line = 5 column = 12"},
		{"far in", "{\"objects\":[\n" + strings.Repeat(good+",\n", 500) + "\n ?", "line = 503 column = 2"},
		{"after the end", bundle(good) + "\n\n  x", "line = 3 column = 3"},
		{"too large", "{\"objects\":[\n" + good + ",\n  {\"a\":\"" + strings.Repeat("b", 2000) + `"}]}`, "line = 3 column = 3"},
		{"at the end", "{\"type\":\"bundle\"\n", "line = 2 column = 1"},
		{"byte order mark", "\xEF\xBB\xBF{}", "byte order mark"},
	} {
		for _, reader := range []io.Reader{strings.NewReader(c.input), iotest.OneByteReader(strings.NewReader(c.input))} {
			_, sum := scanFrom(t, reader, []byte(c.input), stix.Options{MaxObject: 1000})
			if len(sum.Problems) == 0 || !strings.Contains(sum.Problems[len(sum.Problems)-1].Message, c.want) {
				t.Errorf("%s: %+v; want %s", c.name, sum.Problems, c.want)
			}
			if c.name != "after the end" && !sum.Stopped {
				t.Errorf("%s: the summary does not say that the scan stopped", c.name)
			}
		}
	}
}

func TestScanDuplicates(t *testing.T) {
	v1 := sdo("identity", `"name":"a"`)
	v2 := strings.Replace(v1, "06.500Z", "07.000Z", 1)
	changed := sdo("identity", `"name":"b"`)
	objects, sum := scan(t, []byte(bundle(v1, v2, v1, changed, v2)), stix.Options{})
	var dup []bool
	for _, o := range objects {
		dup = append(dup, o.Duplicate)
	}
	if !slices.Equal(dup, []bool{false, false, true, true}) {
		t.Errorf("duplicates %v", dup)
	}
	if got := rulesAt(sum.Problems); got != "stix.duplicate $.objects[3]" || sum.Objects != 5 {
		t.Errorf("%d objects, %s", sum.Objects, got)
	}
	// A marking definition has no versions: its id alone has to be unique.
	m := `{"type":"marking-definition","spec_version":"2.1","id":"` + markRef + `","created":"2026-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"s"}}`
	_, sum = scan(t, []byte(bundle(m, strings.Replace(m, "2026", "2025", 1))), stix.Options{})
	if got := rulesAt(sum.Problems); got != "stix.duplicate $.objects[1]" {
		t.Errorf("a marking definition in two forms gives %q", got)
	}
}

func TestScanMarkings(t *testing.T) {
	statement := func(i int) string {
		return fmt.Sprintf("marking-definition--%08x-55f1-4b52-8d3c-5f6f0f3a9d11", i)
	}
	define := func(i int) string {
		return `{"type":"marking-definition","spec_version":"2.1","id":"` + statement(i) + `","created":"2026-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"s"}}`
	}
	use := func(refs ...string) string {
		return sdo("identity", `"name":"a","object_marking_refs":["`+strings.Join(refs, `","`)+`"],"granular_markings":[{"marking_ref":"`+statement(9)+`","selectors":["name"]}]`)
	}
	_, sum := scan(t, []byte(bundle(define(1), use(statement(1), statement(2), statement(3), stixtest.MarkingID(exchange.TLPRed), "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"), define(2))), stix.Options{})
	if diff := cmp.Diff([]string{statement(3), statement(9)}, sum.UnresolvedMarkings); diff != "" || sum.UnresolvedMore {
		t.Errorf("unresolved, more %v (-want +got)\n%s", sum.UnresolvedMore, diff)
	}
	// 12,000 markings used; then all but one are defined.
	var objects []string
	for i := 0; i < 12_000; i += 500 {
		var refs []string
		for j := range 500 {
			refs = append(refs, statement(i+j))
		}
		objects = append(objects, strings.Replace(use(refs...), uuid, fmt.Sprintf("%08x%s", i, uuid[8:]), 1))
	}
	_, sum = scan(t, []byte(bundle(objects...)), stix.Options{})
	if len(sum.UnresolvedMarkings) != 10_000 || !sum.UnresolvedMore || sum.ProblemCount > 0 {
		t.Errorf("%d unresolved, more %v, problems %v", len(sum.UnresolvedMarkings), sum.UnresolvedMore, sum.Problems)
	}
	var defined []string
	for i := range 12_000 {
		if i != 77 {
			defined = append(defined, define(i))
		}
	}
	_, sum = scan(t, []byte(bundle(append(defined, objects...)...)), stix.Options{})
	if !slices.Equal(sum.UnresolvedMarkings, []string{statement(77)}) || sum.UnresolvedMore {
		t.Errorf("defined first: unresolved %d, more %v", len(sum.UnresolvedMarkings), sum.UnresolvedMore)
	}
}

func TestScanProblemCap(t *testing.T) {
	bad := make([]string, 500)
	for i := range bad {
		bad[i] = sdo("indicator", "")
	}
	objects, sum := scan(t, []byte(bundle(bad...)), stix.Options{MaxProblems: 7})
	if len(objects) != 0 || len(sum.Problems) != 7 || sum.ProblemCount != 1500 || sum.Objects != 500 {
		t.Errorf("%d objects passed, %d of %d problems", len(objects), len(sum.Problems), sum.ProblemCount)
	}
	p := sum.Problems[3]
	want := exchange.Problem{
		Path: "$.objects[1].pattern", Code: stix.RuleRequired,
		Section: "STIX 2.1 §4.7", Message: "pattern is required in indicator",
		Object: "indicator--" + uuid,
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Whatever is wrong, the messages show nothing of the content beyond a cut and
// escaped id, type or version.
func TestMessagesEchoNoContent(t *testing.T) {
	const secret = "s3cr3t-host"
	long := strings.Repeat("<script>\u202e", 60) + secret
	for _, in := range []string{
		bundle(sdo("identity", `"name":{"`+secret+`":1},"labels":"`+secret+`","description":"`+secret+`"`)),
		bundle(sdo("identity", `"name":"a","`+secret+`":1,"`+secret+`":2`)),
		bundle(sdo("identity", `"name":"`+secret+`" "`+secret+`"`)),
		bundle(`{"` + secret + `":{"` + secret + `":"\x` + secret + `"}}`),
		bundle(`{"type":"` + long + `","id":"` + long + `","spec_version":"` + long + `","created_by_ref":"` + long + `"}`),
		bundle(sdo("note", `"content":"`+secret+`","object_refs":["`+long+`"],"granular_markings":[{"marking_ref":"`+secret+`","selectors":["`+secret+`"]}]`)),
		bundle(sdo("indicator", `"pattern":"`+secret+`","pattern_type":"stix","valid_from":"`+secret+`"`)),
		bundle() + secret,
		`{"type":"` + secret + `","id":"` + secret + `","spec_version":"` + secret + `","` + secret + `":` + secret,
	} {
		_, sum := scan(t, []byte(in), stix.Options{})
		if sum.ProblemCount == 0 {
			t.Errorf("%s is accepted", in)
		}
		for _, p := range sum.Problems {
			text := p.Path + p.Message
			if strings.Contains(text, secret) || strings.Contains(text, "\u202e") || len(p.Message) > 250 {
				t.Errorf("%s\n\tshows %+v", in, p)
			}
		}
	}
}

func TestScanErrors(t *testing.T) {
	a := sdo("identity", `"name":"a"`)
	stop := errors.New("stop here")
	calls := 0
	sum, err := stix.Scan(strings.NewReader(bundle(a, sdo("tool", `"name":"t"`))), stix.Options{}, func(*stix.Object) error { calls++; return stop })
	if err != stop || calls != 1 || !sum.Stopped {
		t.Errorf("yield's error: %v after %d calls, stopped %v", err, calls, sum.Stopped)
	}
	broken := errors.New("connection lost")
	in := bundle(a)
	for _, cut := range []int{0, 50, len(in) - 2, len(in)} {
		r := io.MultiReader(strings.NewReader(in[:cut]), iotest.ErrReader(broken))
		sum, err := stix.Scan(r, stix.Options{}, func(*stix.Object) error { return nil })
		if !errors.Is(err, broken) || sum.ProblemCount != 0 || !sum.Stopped {
			t.Errorf("reading breaks after %d bytes: %v, %v, stopped %v", cut, err, sum.Problems, sum.Stopped)
		}
	}
}

func TestGenerated(t *testing.T) {
	for _, opt := range []stixtest.Options{{}, {TLP: exchange.TLPAmberStrict, Size: 600}, {Size: 5000}} {
		var b, again, other bytes.Buffer
		for seed, w := range map[uint64]*bytes.Buffer{1: &b, 2: &other} {
			if err := stixtest.Bundle(w, 1000, seed, opt); err != nil {
				t.Fatal(err)
			}
		}
		if err := stixtest.Bundle(&again, 1000, 1, opt); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), again.Bytes()) || bytes.Equal(b.Bytes(), other.Bytes()) {
			t.Error("the bytes do not follow from the seed")
		}
		objects, sum := scan(t, b.Bytes(), stix.Options{})
		if sum.ProblemCount > 0 || len(objects) != 1000 || len(sum.UnresolvedMarkings) > 0 {
			t.Fatalf("%d objects, problems %+v", len(objects), sum.Problems)
		}
		ids := make(map[string]bool)
		for i, o := range objects {
			ids[o.ID] = true
			if i > 1 && (o.ID != stixtest.ID(stixtest.Type(i, opt), 1, i) || (opt.TLP != 0) != (len(o.MarkingRefs) == 1)) {
				t.Errorf("object %d: %s, markings %v", i, o.ID, o.MarkingRefs)
			}
		}
		if len(ids) != 1000 {
			t.Errorf("%d different ids of 1000", len(ids))
		}
	}
}

// A million objects pass without the heap growing with them.
func TestScanMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("a gigabyte of input")
	}
	const n, limit = 1_000_000, 128 << 20
	var peak uint64
	count := 0
	var mem runtime.MemStats
	sum, err := stix.Scan(stixtest.Reader(n, 7, stixtest.Options{}), stix.Options{}, func(o *stix.Object) error {
		if count++; count%20_000 == 0 {
			runtime.ReadMemStats(&mem)
			peak = max(peak, mem.HeapInuse)
		}
		return nil
	})
	if err != nil || sum.ProblemCount > 0 || sum.Objects != n || count != n {
		t.Fatalf("%d objects, %d passed on, %v, %+v", sum.Objects, count, err, sum.Problems)
	}
	t.Logf("peak heap %d MiB", peak>>20)
	if peak > limit {
		t.Errorf("peak heap %d MiB, want at most %d", peak>>20, limit>>20)
	}
}
