package csaf_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/csaf"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

func check(t *testing.T, in string) (csaf.Doc, []exchange.Problem) {
	t.Helper()
	doc, ps, err := csaf.Check(strings.NewReader(in))
	if err != nil {
		t.Fatal(err)
	}
	return doc, ps
}

const advisory = `{
 "document": {
  "category": "csaf_security_advisory", "csaf_version": "2.0",
  "distribution": {"text": "TLP:AMBER+STRICT, members only", "tlp": {"label": "AMBER", "url": "https://www.first.org/tlp/"}},
  "notes": [{"category": "legal_disclaimer", "text": "as is"}, {"category": "summary", "text": "Two faults."}, {"category": "summary", "text": "More."}],
  "publisher": {"category": "vendor", "name": "Example Vendor", "namespace": "https://vendor.example"},
  "title": "Gateway: two faults",
  "tracking": {
   "current_release_date": "2026-02-03T04:05:06.5+01:00", "id": "EV-2026-1", "initial_release_date": "2026-02-01T00:00:00Z",
   "revision_history": [{"date": "2026-02-01T00:00:00Z", "number": "1.0.0", "summary": "first"}],
   "status": "final", "version": "1.0.0"
  }
 },
 "product_tree": {},
 "vulnerabilities": [{"cve": "CVE-2026-12345"}, {"title": "no id yet"}, {"cve": "CVE-2026-0001"}, {"cve": "CVE-2026-12345"}]
}`

func TestCheck(t *testing.T) {
	doc, ps := check(t, advisory)
	want := csaf.Doc{Title: "Gateway: two faults", TLP: exchange.TLPAmberStrict}
	if diff := cmp.Diff(want, doc); diff != "" || len(ps) > 0 {
		t.Errorf("%+v (-want +got)\n%s", ps, diff)
	}
	doc, ps = check(t, strings.Replace(advisory, `"distribution": {"text": "TLP:AMBER+STRICT, members only", "tlp": {"label": "AMBER", "url": "https://www.first.org/tlp/"}},`, "", 1))
	if doc.TLP != exchange.TLPUnset || len(ps) > 0 {
		t.Errorf("without a label the document is %v, %+v; want none", doc.TLP, ps)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ old, now, want string }{
		{`"csaf_version": "2.0"`, `"csaf_version": "2.1"`, "csaf.value $.document.csaf_version"},
		{`"csaf_version": "2.0"`, `"csaf_version": 2.0`, "csaf.type $.document.csaf_version"},
		{`"category": "csaf_security_advisory", `, ``, "csaf.required $.document.category"},
		{`"csaf_security_advisory"`, `" csaf_vex"`, "csaf.value $.document.category"},
		{`"category": "vendor", `, `"category": "press", `, "csaf.value $.document.publisher.category"},
		{`"name": "Example Vendor"`, `"nom": "Example Vendor"`, "csaf.required $.document.publisher.name"},
		{`"https://vendor.example"`, `"vendor"`, "csaf.value $.document.publisher.namespace"},
		{`"Gateway: two faults"`, `""`, "csaf.value $.document.title"},
		{`"title": "Gateway: two faults",`, ``, "csaf.required $.document.title"},
		{`"label": "AMBER", `, ``, "csaf.required $.document.distribution.tlp.label"},
		{`"label": "AMBER"`, `"label": "CLEAR"`, "csaf.value $.document.distribution.tlp.label"},
		{`"id": "EV-2026-1", `, ``, "csaf.required $.document.tracking.id"},
		{`"2026-02-03T04:05:06.5+01:00"`, `"2026-02-03"`, "csaf.value $.document.tracking.current_release_date"},
		{`"initial_release_date": "2026-02-01T00:00:00Z",`, ``, "csaf.required $.document.tracking.initial_release_date"},
		{`[{"date": "2026-02-01T00:00:00Z", "number": "1.0.0", "summary": "first"}]`, `[]`, "csaf.value $.document.tracking.revision_history"},
		{`"number": "1.0.0", `, ``, "csaf.required $.document.tracking.revision_history[0].number"},
		{`"status": "final"`, `"status": "Final"`, "csaf.value $.document.tracking.status"},
		{`"version": "1.0.0"`, `"version": "01"`, "csaf.value $.document.tracking.version"},
		{`"text": "as is"`, `"text": 7`, "csaf.type $.document.notes[0].text"},
		{`"product_tree": {}`, `"product_tree": []`, "csaf.type $.product_tree"},
		{`"CVE-2026-0001"`, `"CVE-26-1"`, "csaf.value $.vulnerabilities[2].cve"},
		{`{"title": "no id yet"}`, `"no id yet"`, "csaf.type $.vulnerabilities[1]"},
		{`"status": "final", "version": "1.0.0"`, `"state": "final"`, "csaf.required $.document.tracking.status, csaf.required $.document.tracking.version"},
		{"\n}", "\n} {}", "csaf.trailing $"},
		{`"status": "final"`, `"status": "final", "status": "final"`, "csaf.syntax $.document.tracking"},
	} {
		if !strings.Contains(advisory, c.old) {
			t.Fatalf("the advisory has no %s", c.old)
		}
		in := advisory
		if i := strings.LastIndex(in, c.old); c.old == "\n}" {
			in = in[:i] + c.now
		} else {
			in = strings.Replace(in, c.old, c.now, 1)
		}
		_, ps := check(t, in)
		var got []string
		for _, p := range ps {
			got = append(got, p.Code+" "+p.Path)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %+v\nwant %s", c.now, ps, c.want)
		}
	}
	for in, want := range map[string]string{
		"": "csaf.syntax $", "[]": "csaf.type $", "{}": "csaf.required $.document", `{"document":7}`: "csaf.type $.document",
		`{"document":{`: "csaf.syntax $.document", "{\"a\":\"\xff\"}": "csaf.syntax $",
	} {
		_, ps := check(t, in)
		if len(ps) == 0 || ps[0].Code+" "+ps[0].Path != want {
			t.Errorf("%q: %+v, want %s", in, ps, want)
		}
	}
}

func TestPosition(t *testing.T) {
	for in, want := range map[string]string{
		"{\n \"document\": {\n  \"title\": ?}}":        "line = 3 column = 12",
		"{\n\n\"x\":[1,\n2,,3]}":                       "line = 4 column = 3",
		"{\"document\":\n{\"title\":\"a\",\n\"title\"": "line = 3 column = 1",
		"\xEF\xBB\xBF{}":                               "byte order mark",
	} {
		for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			_, ps, err := csaf.Check(r)
			if err != nil || len(ps) == 0 || !strings.Contains(ps[len(ps)-1].Message, want) {
				t.Errorf("%q: %v %+v, want %s", in, err, ps, want)
			}
		}
	}
}

func TestMessagesEchoNoContent(t *testing.T) {
	const secret = "s3cr3t"
	for _, in := range []string{
		strings.ReplaceAll(advisory, `"vendor"`, `"`+secret+`"`), strings.ReplaceAll(advisory, "CVE-2026-0001", secret),
		strings.Replace(advisory, `"final"`, `"final" "`+secret+`"`, 1), strings.Replace(advisory, `"final"`, `"final", "`+secret+`":1,"`+secret+`":2`, 1),
		strings.ReplaceAll(advisory, "2026-02-01T00:00:00Z", secret), advisory + secret,
	} {
		_, ps := check(t, in)
		if len(ps) == 0 {
			t.Errorf("accepted: %s", in)
		}
		for _, p := range ps {
			if strings.Contains(p.Path+p.Message, secret) {
				t.Errorf("shows content: %+v", p)
			}
		}
	}
}

// endless gives spaces after a start.
type endless struct {
	start io.Reader
	n     int64
}

func (e *endless) Read(p []byte) (int, error) {
	if n, _ := e.start.Read(p); n > 0 {
		return n, nil
	}
	for i := range p {
		p[i] = '1'
	}
	e.n += int64(len(p))
	return len(p), nil
}

func TestSizeAndReadError(t *testing.T) {
	src := &endless{start: strings.NewReader(`{"document": {"category": "a", "x": [1`)}
	_, ps, err := csaf.Check(src)
	if err != nil || len(ps) != 1 || ps[0].Code != csaf.RuleSize || src.n > csaf.MaxSize+1 {
		t.Errorf("an endless document: %v %+v after %d bytes", err, ps, src.n)
	}
	broken := errors.New("connection lost")
	for _, n := range []int{0, 10, 500, len(advisory)} {
		_, ps, err := csaf.Check(io.MultiReader(strings.NewReader(advisory[:n]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) || len(ps) > 0 {
			t.Errorf("reading breaks after %d bytes: %v %+v", n, err, ps)
		}
	}
}

func TestCISA(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testkit.Data(t, "cisa-csaf"), "*.json"))
	if err != nil || len(files) != 300 {
		t.Fatalf("%d advisories, %v; want 300", len(files), err)
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, ps, err := csaf.Check(f)
		f.Close()
		if err != nil || len(ps) > 0 {
			t.Errorf("%s: %v %+v", filepath.Base(file), err, ps)
		}
		if doc.Title == "" || doc.TLP != exchange.TLPClear {
			t.Errorf("%s: %+v", filepath.Base(file), doc)
		}
	}
}

// Every document of the standard's corpus that is valid is accepted. Most of
// the others break rules that are not checked yet.
func TestOASISCorpus(t *testing.T) {
	dir := testkit.Data(t, "csaf-2.0-tests", "test", "validator", "data")
	b, err := os.ReadFile(filepath.Join(dir, "testcases.json"))
	if err != nil {
		t.Fatal(err)
	}
	type document struct {
		Name  string
		Valid bool
	}
	var cases struct {
		Tests []struct{ Failures, Valid []document }
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	accepted, refused := 0, []string{}
	for _, test := range cases.Tests {
		for _, d := range slices.Concat(test.Failures, test.Valid) {
			f, err := os.Open(filepath.Join(dir, d.Name))
			if err != nil {
				t.Fatal(err)
			}
			_, ps, err := csaf.Check(f)
			f.Close()
			switch {
			case err != nil:
				t.Errorf("%s: %v", d.Name, err)
			case d.Valid && len(ps) > 0:
				t.Errorf("%s is valid and refused: %+v", d.Name, ps)
			case d.Valid:
				accepted++
			case len(ps) > 0:
				refused = append(refused, d.Name)
			}
		}
	}
	if accepted < 150 {
		t.Errorf("%d valid documents accepted, want at least 150", accepted)
	}
	t.Logf("%d accepted, refused: %v", accepted, refused)
}

func FuzzCheck(f *testing.F) {
	f.Add(advisory)
	f.Add(`{"document":{"notes":[{}],"tracking":{"version":"1"}},"vulnerabilities":[{"cve":"CVE-2026-1234"}]}`)
	f.Add("{\"document\": [\n")
	f.Fuzz(func(t *testing.T, in string) {
		doc, ps, err := csaf.Check(strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		if len(ps) == 0 && (!json.Valid([]byte(in)) || doc.Title == "") {
			t.Fatalf("accepted: %+v", doc)
		}
		doc2, ps2, err := csaf.Check(iotest.HalfReader(strings.NewReader(in)))
		if diff := cmp.Diff(doc, doc2) + cmp.Diff(ps, ps2); diff != "" || err != nil {
			t.Fatalf("the result depends on the reads: %v\n%s", err, diff)
		}
	})
}
