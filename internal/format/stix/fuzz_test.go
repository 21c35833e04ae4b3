package stix_test

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
)

// countingReader counts the bytes that a scan takes, which may not exceed the
// input: nothing is read twice.
type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func FuzzScan(f *testing.F) {
	a := sdo("identity", `"name":"a"`)
	for _, s := range []string{
		bundle(a, a, sdo("malware", `"is_family":true`), stixtest.MarkingObject(exchange.TLPRed)), `{"objects":[` + a + `]}`,
		"{\n\"type\":\"bundle\",\n\"objects\" : [ {}, [], 1 , \"\\u0000\" ] }", "{\"objects\":[{\"type\":\"\\ud83d\\ude00\\\\\"}]}",
		bundle(sdo("note", `"content":"\\\"","object_refs":[`+ref+`],"granular_markings":[{"lang":"e","selectors":["a"]}]`)),
		bundle(sdo("x-a", `"object_marking_refs":["`+markRef+`"],"n":[[{"a":-1.5e3}],true,null]`)) + "\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		opt := stix.Options{MaxObject: 4096, MaxProblems: 50}
		src := &countingReader{r: bytes.NewReader(in)}
		objects, sum := scanFrom(t, src, in, opt)
		if src.n > len(in) {
			t.Fatalf("%d bytes read of %d", src.n, len(in))
		}
		if sum.ProblemCount == 0 && (sum.Stopped || len(objects) != sum.Objects || !json.Valid(in)) {
			t.Fatalf("accepted: stopped %v, %d of %d objects, valid JSON %v", sum.Stopped, len(objects), sum.Objects, json.Valid(in))
		}
		if len(sum.Problems) > opt.MaxProblems || len(sum.Warnings) > 1000 || len(sum.Warnings) > sum.WarningCount {
			t.Fatalf("%d problems, %d of %d warnings", len(sum.Problems), len(sum.Warnings), sum.WarningCount)
		}
		total := 0
		for _, n := range sum.Types {
			total += n
		}
		if total > sum.Objects {
			t.Fatalf("%d types of %d objects", total, sum.Objects)
		}
		for _, o := range objects {
			o.Index, o.Duplicate = 0, false
			alone, ps := stix.ParseObject(o.Raw)
			o.Offset = alone.Offset
			if diff := cmp.Diff(o, alone); diff != "" || len(ps) > 0 {
				t.Fatalf("an accepted object reads otherwise alone: %v\n%s", ps, diff)
			}
		}
		// How the input is cut into reads does not matter.
		cut, sum2 := scanFrom(t, iotest.HalfReader(bytes.NewReader(in)), in, opt)
		if diff := cmp.Diff(sum, sum2); diff != "" {
			t.Fatalf("the summary depends on the reads\n%s", diff)
		}
		if len(cut) != len(objects) {
			t.Fatalf("%d objects, then %d", len(objects), len(cut))
		}
	})
}

func FuzzParseObject(f *testing.F) {
	for _, s := range []string{
		sdo("identity", `"name":"a"`), sco("process", `"pid":1`), stixtest.MarkingObject(exchange.TLPAmber), "[]", " {} ", `{"type":"a\u0000"}`,
	} {
		f.Add([]byte(s))
	}
	for name := range fullObjects(f) {
		f.Add([]byte(name))
	}
	reused := stix.NewChecker(stix.Options{})
	f.Fuzz(func(t *testing.T, in []byte) {
		o, ps := stix.ParseObject(in)
		// A checker that has seen other objects, among them this one, finds the same.
		for range 2 {
			r := reused.Check(in)
			again := *r.Object
			again.Granules, o.Granules = granules(again.Granules), granules(o.Granules)
			again.MarkingRefs, again.Granular = append([]string(nil), again.MarkingRefs...), append([]string(nil), again.Granular...)
			o.MarkingRefs, o.Granular = append([]string(nil), o.MarkingRefs...), append([]string(nil), o.Granular...)
			if diff := cmp.Diff(o, again) + cmp.Diff(ps, append([]exchange.Problem(nil), r.Problems...)); diff != "" || len(r.Warnings) > r.WarningCount {
				t.Fatalf("a reused checker finds something else\n%s", diff)
			}
		}
		if len(ps) > 0 {
			return
		}
		if !bytes.Equal(in[o.Offset:o.Offset+o.Length], o.Raw) || o.ID == "" || o.Type == "" {
			t.Fatalf("%+v", o)
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(o.Raw, &members); err != nil {
			t.Fatalf("accepted, and encoding/json says %v", err)
		}
		for name, want := range map[string]string{"type": o.Type, "id": o.ID} {
			var got string
			if err := json.Unmarshal(members[name], &got); err != nil || got != want {
				t.Fatalf("%s is %q, encoding/json reads %q, %v", name, want, got, err)
			}
		}
	})
}

// FuzzParseTime compares with the standard library, which reads a wider form.
func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-01-02T03:04:05.678Z", "0000-02-29T23:59:59Z", "2016-12-31T23:59:60Z", "2026-01-02T03:04:05,6Z"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := stix.ParseTime([]byte(s))
		want, err := time.Parse("2006-01-02T15:04:05Z", s)
		if len(s) > 18 && s[17:19] == "60" {
			return // the library knows no leap seconds
		}
		if ok && (err != nil || want.UnixMicro() != got) {
			t.Fatalf("%s is %d; the library says %v, %v", s, got, want.UnixMicro(), err)
		}
	})
}
