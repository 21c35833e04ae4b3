package stix20

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

const (
	head = `"created":"2017-04-06T19:58:16.000Z","modified":"2017-04-06T19:58:16.000Z"`
	uid  = "--0f6de9a1-2b6c-4b61-9a4c-2f7f3bb1d1b"
)

func bundleOf(objects ...string) string {
	return `{"type":"bundle","id":"bundle--44af6c39-c09b-49c5-9de2-394224b04982","spec_version":"2.0","objects":[` + strings.Join(objects, ",") + `]}`
}

func lift(t *testing.T, in string) (objects []map[string]any, changes []string, report Report) {
	t.Helper()
	var out bytes.Buffer
	report, err := Lift(strings.NewReader(in), &out, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b struct {
		Version any `json:"spec_version"`
		Objects []map[string]any
	}
	if err := json.Unmarshal(out.Bytes(), &b); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	if b.Version != nil {
		t.Error("the bundle still has a spec_version")
	}
	for _, c := range report.Changes[1:] { // after that of the bundle
		changes = append(changes, c.Path+": "+c.Message)
	}
	sum, err := stix.Scan(bytes.NewReader(out.Bytes()), stix.Options{}, nil)
	if err != nil || sum.ProblemCount > 0 {
		t.Errorf("what was lifted is no STIX 2.1: %v, %+v", err, sum.Problems)
	}
	return b.Objects, changes, report
}

func TestLiftObjects(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     map[string]any // of the lifted object
		gone     []string
		changes  []string
	}{
		{
			"indicator", `{"type":"indicator","id":"indicator` + uid + `1",` + head + `,"labels":["malicious-activity","mine"],"pattern":"[file:name = 'a']","valid_from":"2017-04-06T19:58:16Z"}`,
			map[string]any{
				"spec_version": "2.1", "indicator_types": []any{"malicious-activity"}, "labels": []any{"mine"},
				"pattern_type": "stix", "pattern_version": "2.0", "pattern": "[file:name = 'a']",
			},
			nil,
			[]string{
				"$.objects[0].spec_version: added: 2.1", "$.objects[0].labels: 1 of 2 moved to indicator_types",
				"$.objects[0].pattern_type: added: stix, the only language of patterns in STIX 2.0",
				"$.objects[0].pattern_version: added: 2.0",
			},
		},
		{
			"malware", `{"type":"malware","id":"malware` + uid + `2",` + head + `,"labels":["trojan","worm"],"name":"A"}`,
			map[string]any{"malware_types": []any{"trojan", "worm"}, "is_family": true, "name": "A"},
			[]string{"labels"},
			[]string{
				"$.objects[0].spec_version: added: 2.1", "$.objects[0].labels: 2 of 2 moved to malware_types",
				"$.objects[0].is_family: added: true; STIX 2.0 does not say, and requires a name, which a family has",
			},
		},
		{
			"identity", `{"type":"identity","id":"identity` + uid + `3",` + head + `,"labels":["buyer"],"name":"A","identity_class":"organization"}`,
			map[string]any{"roles": []any{"buyer"}},
			[]string{"labels"},
			[]string{"$.objects[0].spec_version: added: 2.1", "$.objects[0].labels: 1 of 1 moved to roles"},
		},
		{
			"custom stays", `{"type":"tool","id":"tool` + uid + `4",` + head + `,"labels":["own"],"name":"A","x_acme_score":1.50,"external_references":[{"source_name":"s","url":"https://example.org/","hashes":{"ssdeep":"3:a:b"}}]}`,
			map[string]any{
				"labels": []any{"own"}, "x_acme_score": 1.5,
				"external_references": []any{map[string]any{"source_name": "s", "url": "https://example.org/", "hashes": map[string]any{"SSDEEP": "3:a:b"}}},
			},
			[]string{"tool_types"},
			[]string{"$.objects[0].spec_version: added: 2.1", "$.objects[0].external_references: ssdeep is written SSDEEP"},
		},
		{
			"marking", `{"type":"marking-definition","id":"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da","created":"2017-01-20T00:00:00.000Z","definition_type":"tlp","definition":{"tlp":"green"}}`,
			map[string]any{"spec_version": "2.1", "definition": map[string]any{"tlp": "green"}},
			nil,
			[]string{"$.objects[0].spec_version: added: 2.1"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			objects, changes, _ := lift(t, bundleOf(c.in))
			if len(objects) != 1 {
				t.Fatalf("%d objects", len(objects))
			}
			for name, want := range c.want {
				if d := cmp.Diff(want, objects[0][name]); d != "" {
					t.Errorf("%s: %s", name, d)
				}
			}
			for _, name := range c.gone {
				if v, ok := objects[0][name]; ok {
					t.Errorf("%s is still there: %v", name, v)
				}
			}
			if d := cmp.Diff(c.changes, changes); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestLiftObservables(t *testing.T) {
	objects, changes, report := lift(t, bundleOf(`{"type":"observed-data","id":"observed-data`+uid+`5",`+head+`,
		"first_observed":"2017-04-06T19:58:16Z","last_observed":"2017-04-06T19:58:16Z","number_observed":1,"objects":{
		"0":{"type":"file","name":"a.exe","created":"2016-12-21T19:00:00Z","hashes":{"ssdeep":"3:a:b"},"is_encrypted":true,"parent_directory_ref":"1",
			"extensions":{"archive-ext":{"contains_refs":["2"],"version":"5"}}},
		"1":{"type":"directory","path":"/tmp","accessed":"2016-12-21T20:00:00Z"},
		"2":{"type":"file","name":"b"},
		"3":{"type":"process","pid":7,"name":"a.exe","arguments":["-v"],"created":"2016-12-21T21:00:00Z","binary_ref":"0"},
		"4":{"type":"x-own-thing","x_to_ref":"3"}}}`))
	if len(objects) != 6 || report.Observables != 5 || report.Objects != 1 {
		t.Fatalf("%d objects, %+v", len(objects), report)
	}
	by := map[string]map[string]any{}
	for _, o := range objects {
		by[fmt.Sprint(o["type"], o["name"])] = o
		if o["spec_version"] != "2.1" || !strings.HasPrefix(fmt.Sprint(o["id"]), fmt.Sprint(o["type"])+"--") {
			t.Errorf("%v", o)
		}
	}
	file, inner, folder, process := by["filea.exe"], by["fileb"], by["directory<nil>"], by["process<nil>"]
	own, parent := by["x-own-thing<nil>"], by["observed-data<nil>"]
	refs := []any{file["id"], folder["id"], inner["id"], process["id"], own["id"]}
	if d := cmp.Diff(refs, parent["object_refs"]); d != "" || parent["objects"] != nil {
		t.Error(d, parent["objects"])
	}
	for _, pair := range [][2]any{
		{file["parent_directory_ref"], folder["id"]},
		{process["image_ref"], file["id"]},
		{own["x_to_ref"], process["id"]},
		{file["ctime"], "2016-12-21T19:00:00Z"},
		{folder["atime"], "2016-12-21T20:00:00Z"},
		{process["created_time"], "2016-12-21T21:00:00Z"},
		{file["x_stix20_is_encrypted"], true},
		{process["x_stix20_name"], "a.exe"},
		{fmt.Sprint(process["x_stix20_arguments"]), "[-v]"},
		{fmt.Sprint(file["hashes"]), "map[SSDEEP:3:a:b]"},
		{fmt.Sprint(file["extensions"]), fmt.Sprintf("map[archive-ext:map[contains_refs:[%s] x_stix20_version:5]]", inner["id"])},
		{file["created"], nil},
		{process["name"], nil},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%v, want %v", pair[0], pair[1])
		}
	}
	for _, want := range []string{
		`$.objects[0].objects: 5 observables became objects of their own, named in object_refs`,
		`$.objects[0].objects["3"].binary_ref: became image_ref`,
		`$.objects[0].objects["3"].name: STIX 2.1 has no such property: kept as x_stix20_name`,
	} {
		if !strings.Contains(strings.Join(changes, "\n"), want) {
			t.Errorf("%q is not among the changes:\n%s", want, strings.Join(changes, "\n"))
		}
	}
	again, _, _ := lift(t, bundleOf(`{"type":"observed-data","id":"observed-data`+uid+`5",`+head+`,"first_observed":"2017-04-06T19:58:16Z","last_observed":"2017-04-06T19:58:16Z","number_observed":1,
		"objects":{"1":{"type":"directory","path":"/tmp","accessed":"2016-12-21T20:00:00Z"}}}`))
	if again[0]["id"] != folder["id"] {
		t.Error("the same observable at the same place has another identifier")
	}
}

// Observables of one identifier that say different things both stay.
func TestLiftSameObservable(t *testing.T) {
	observed := func(n int, objects string) string {
		return fmt.Sprintf(`{"type":"observed-data","id":"observed-data%s%d",%s,"first_observed":"2017-04-06T19:58:16Z","last_observed":"2017-04-06T19:58:16Z","number_observed":1,"objects":{%s}}`, uid, n, head, objects)
	}
	in := bundleOf(
		observed(1, `"0":{"type":"domain-name","value":"example.org"}`),
		observed(2, `"0":{"type":"domain-name","value":"example.org"}`),
		observed(3, `"0":{"type":"domain-name","value":"example.org","resolves_to_refs":["1"]},"1":{"type":"ipv4-addr","value":"192.0.2.1"}`),
		observed(4, `"0":{"type":"x-a-ring","next_ref":"1"},"1":{"type":"x-a-ring","next_ref":"0"}`),
	)
	var out bytes.Buffer
	report, err := Lift(strings.NewReader(in), &out, Options{ID: stix.NewChecker(stix.Options{}).ObservableID})
	if err != nil || report.Observables != 5 {
		t.Fatalf("%+v, %v", report, err)
	}
	sum, err := stix.Scan(bytes.NewReader(out.Bytes()), stix.Options{}, nil)
	if err != nil || sum.ProblemCount > 0 || sum.Types["domain-name"] != 2 || sum.Types["x-a-ring"] != 2 {
		t.Errorf("%v, %+v", err, sum)
	}
}

func TestLiftRefuses(t *testing.T) {
	for _, c := range []struct{ in, path, text string }{
		{``, "$.objects[0]", "ends"},
		{`[]`, "$", "one JSON object"},
		{`{"type":"bundle","objects":[{"a":1,"a":2}]}`, "$.objects[0]", "twice"},
		{`{"type":"bundle","objects":[{}`, "$.objects[0]", "line = 1"},
		{`{"type":"bundle","objects":[]} x`, "$", "follows"},
		{`{"objects":[{"x":"` + strings.Repeat("a", 17<<20) + `"}]}`, "$.objects[0]", "larger"},
	} {
		_, err := Lift(strings.NewReader(c.in), io.Discard, Options{})
		var e *exchange.Error
		if exchange.KindOf(err) != exchange.Invalid || !errors.As(err, &e) || len(e.Problems) != 1 {
			t.Errorf("%.40q: %v", c.in, err)
			continue
		}
		if p := e.Problems[0]; p.Path != c.path || !strings.Contains(p.Message, c.text) {
			t.Errorf("%.40q: %+v", c.in, p)
		}
	}
}

func TestIs20(t *testing.T) {
	for in, want := range map[string]bool{
		bundleOf(): true,
		`{"type":"bundle","objects":[{"type":"identity","id":"x"}]}`:                              true,
		`{"type":"bundle","objects":[{"type":"ipv4-addr"},{"type":"tool","spec_version":"2.1"}]}`: false,
		`{"type":"bundle","objects":[{"type":"ipv4-addr"}]}`:                                      false,
		`{"type":"bundle","objects":[{"type":"ipv4-addr"}],"spec_version":"2.0"}`:                 true,
		`{"type":"bundle","objects":[{"type":"tool","spec_version":"2.0"}]}`:                      true,
		`{"document":{"category":"csaf_base"}}`:                                                   false,
		`# text`:                                                                                  false,
		``:                                                                                        false,
		`{"objects":[1]}`:                                                                         false,
	} {
		if Is20(strings.NewReader(in)) != want {
			t.Errorf("%s: %v", in, !want)
		}
	}
}

// Whatever comes in, what is lifted is JSON, and the same again.
func FuzzLift(f *testing.F) {
	f.Add([]byte(bundleOf(`{"type":"observed-data","id":"a","objects":{"0":{"type":"file","a_ref":"1","b":[{"c_refs":["0"]}]},"1":{"type":"x"}}}`)))
	f.Add([]byte(bundleOf(`{"type":"indicator","labels":["benign"]}`, `7`, `{"hashes":{}}`)))
	f.Fuzz(func(t *testing.T, in []byte) {
		var a, b bytes.Buffer
		_, err := Lift(bytes.NewReader(in), &a, Options{})
		if err != nil {
			if exchange.KindOf(err) != exchange.Invalid {
				t.Fatal(err)
			}
			return
		}
		if !json.Valid(a.Bytes()) {
			t.Fatalf("no JSON: %q", a.Bytes())
		}
		if _, err := Lift(bytes.NewReader(in), &b, Options{}); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Fatalf("not the same again: %v", err)
		}
		Is20(bytes.NewReader(in))
	})
}
