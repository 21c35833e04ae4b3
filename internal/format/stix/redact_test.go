package stix_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/format/pattern"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/spec"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

const (
	exchangeID = "identity--0a0a0a0a-1b1b-4c2c-8d3d-4e4e4e4e4e4e"
	fileID     = "file--2b0e8f0c-55f1-4b52-8d3c-5f6f0f3a9d12"
	otherFile  = "file--2b0e8f0c-55f1-4b52-8d3c-5f6f0f3a9d13"
)

// members are an object without its id, which the cases do not spell out.
func members(tb testing.TB, raw []byte) string {
	tb.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		tb.Fatalf("%v in %s", err, raw)
	}
	i := bytes.Index(raw, m["id"])
	return string(raw[:i]) + "ID" + string(raw[i+len(m["id"]):])
}

func withoutID(tb testing.TB, object string) string { return members(tb, []byte(object)) }

func TestRedact(t *testing.T) {
	hide := func(ids ...string) func(string) (string, bool) {
		return func(id string) (string, bool) { return id, !slices.Contains(ids, id) }
	}
	fileRef, otherRef := `"`+fileID+`"`, `"`+otherFile+`"`
	mark := `{"marking_ref":"` + markRef + `","selectors":[`
	for _, c := range []struct {
		name, in string
		r        stix.Redaction
		want     string // "" for dropped
		why      string
	}{
		{
			name: "a property", in: sdo("malware", `"is_family":true, "name":"n" ,"description":"d\u0065\"}"`), r: stix.Redaction{Fields: []string{"description"}},
			want: sdo("malware", `"is_family":true, "name":"n"`),
		},
		{
			name: "a property by an escaped name", in: sdo("malware", `"is_family":false,"d\u0065scription":"secret"`), r: stix.Redaction{Fields: []string{"description"}},
			want: sdo("malware", `"is_family":false`),
		},
		{
			name: "items, all by their first place", in: sdo("malware", `"is_family":false,"aliases":["a","b","c"]`), r: stix.Redaction{Fields: []string{"aliases.[0]", "aliases.[1]"}},
			want: sdo("malware", `"is_family":false,"aliases":["c"]`),
		},
		{
			name: "an emptied list", in: sdo("malware", `"is_family":false,"aliases":["a","b"]`), r: stix.Redaction{Fields: []string{"aliases.[0]", "aliases.[1]"}},
			want: sdo("malware", `"is_family":false`),
		},
		{name: "a list", in: sdo("malware", `"is_family":false,"aliases":["a","b"]`), r: stix.Redaction{Fields: []string{"aliases"}}, want: sdo("malware", `"is_family":false`)},
		{name: "nothing there", in: sdo("malware", `"is_family":false`), r: stix.Redaction{Fields: []string{"aliases.[7]", "x.y.[0]"}}, want: sdo("malware", `"is_family":false`)},
		{name: "a required property", in: sdo("identity", named), r: stix.Redaction{Fields: []string{"name"}}, why: "name"},
		{name: "a pattern", in: sdo("indicator", `"pattern":"[a:b=1]","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"`), r: stix.Redaction{Fields: []string{"pattern"}}, why: "pattern"},
		{name: "modified", in: sdo("identity", named), r: stix.Redaction{Fields: []string{"modified"}}, why: "modified"},
		{name: "the name of a family", in: sdo("malware", `"is_family":true,"name":"n"`), r: stix.Redaction{Fields: []string{"name"}}, why: "name"},
		{name: "the name of no family", in: sdo("malware", `"is_family":false,"name":"n"`), r: stix.Redaction{Fields: []string{"name"}}, want: sdo("malware", `"is_family":false`)},
		{
			name: "one of a pair", in: sdo("location", `"region":"europe","latitude":1,"longitude":2,"precision":3`), r: stix.Redaction{Fields: []string{"longitude"}},
			want: sdo("location", `"region":"europe"`),
		},
		{name: "the last choice", in: sdo("location", `"latitude":1,"longitude":2`), r: stix.Redaction{Fields: []string{"longitude"}}, why: "latitude and longitude"},
		{
			name: "part of an embedded object", in: sdo("identity", named+`,"external_references":[{"source_name":"a","url":"http://a.example/"},{"source_name":"b","external_id":"1"}]`),
			r: stix.Redaction{Fields: []string{"external_references.[0].source_name"}}, want: sdo("identity", named+`,"external_references":[{"source_name":"b","external_id":"1"}]`),
		},
		{
			name: "a key of a dictionary", in: sco("file", `"name":"n","hashes":{"MD5":"d41d8cd98f00b204e9800998ecf8427e","SHA-1":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}`),
			r: stix.Redaction{Fields: []string{"hashes.MD5"}}, want: sco("file", `"name":"n","hashes":{"SHA-1":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}`),
		},
		{
			name: "an extension that needs what falls", in: sco("file", `"name":"n","extensions":{"archive-ext":{"contains_refs":[`+fileRef+`],"comment":"c"}}`),
			r: stix.Redaction{Ref: hide(fileID)}, want: sco("file", `"name":"n"`),
		},
		{
			name: "a reference in a list", in: sdo("note", `"content":"c","object_refs":[`+fileRef+`, `+otherRef+`]`), r: stix.Redaction{Ref: hide(fileID)},
			want: sdo("note", `"content":"c","object_refs":[ `+otherRef+`]`),
		},
		{name: "all references", in: sdo("note", `"content":"c","object_refs":[`+fileRef+`]`), r: stix.Redaction{Ref: hide(fileID)}, why: "object_refs"},
		{
			name: "a reference of a custom property", in: sdo("identity", named+`,"x_a":{"b":[{"c_ref":`+fileRef+`,"d":1}]}`), r: stix.Redaction{Ref: hide(fileID)},
			want: sdo("identity", named+`,"x_a":{"b":[{"d":1}]}`),
		},
		{
			name: "a renamed reference", in: sdo("identity", named+`,"x_a_ref":`+fileRef), r: stix.Redaction{Ref: func(string) (string, bool) { return otherFile, true }},
			want: sdo("identity", named+`,"x_a_ref":`+otherRef),
		},
		{
			name: "observed data without observables", in: sdo("observed-data", `"first_observed":"2026-01-01T00:00:00Z","last_observed":"2026-01-01T00:00:00Z","number_observed":1,"object_refs":[`+fileRef+`,"relationship--`+uuid+`"]`),
			r: stix.Redaction{Ref: hide(fileID)}, why: "object_refs",
		},
		{
			name: "granular markings shrink and follow", in: sdo("malware", `"is_family":false,"description":"d","aliases":["a","b","c"],"granular_markings":[`+mark+`"description"]},`+mark+`"aliases.[0]","aliases.[2]"]}]`),
			r: stix.Redaction{Fields: []string{"description", "aliases.[0]"}}, want: sdo("malware", `"is_family":false,"aliases":["b","c"],"granular_markings":[`+mark+`"aliases.[1]"]}]`),
		},
		{
			name: "granular markings go", in: sdo("malware", `"is_family":false,"description":"d","granular_markings":[`+mark+`"description"]}]`),
			r: stix.Redaction{Fields: []string{"description"}}, want: sdo("malware", `"is_family":false`),
		},
		{name: "the creator is withheld", in: sdo("identity", `"created_by_ref":`+ref+`,`+named), r: stix.Redaction{Fields: []string{"created_by_ref"}}, want: sdo("identity", named)},
		{
			name: "the creator is another", in: sdo("identity", `"created_by_ref":`+ref+`,"description":"d",`+named), r: stix.Redaction{Fields: []string{"description"}, By: exchangeID},
			want: sdo("identity", `"created_by_ref":"`+exchangeID+`",`+named),
		},
		{
			name: "the creator is withheld and another", in: sdo("identity", `"created_by_ref":`+ref+`,`+named), r: stix.Redaction{Fields: []string{"created_by_ref"}, By: exchangeID},
			want: sdo("identity", `"created_by_ref":"`+exchangeID+`",`+named),
		},
		{
			name: "there was no creator", in: sdo("identity", named+`,"description":"d"`), r: stix.Redaction{Fields: []string{"description"}, By: exchangeID},
			want: sdo("identity", named+`,"created_by_ref":"`+exchangeID+`"`),
		},
		{name: "an observable has no creator", in: sco("file", `"name":"n","size":1`), r: stix.Redaction{Fields: []string{"size"}, By: exchangeID}, want: sco("file", `"name":"n"`)},
		{
			name: "a container", in: sdo("observed-data", `"first_observed":"2026-01-01T00:00:00Z","last_observed":"2026-01-01T00:00:00Z","number_observed":1,"objects":{"0":{"type":"ipv4-addr","value":"1.1.1.1"},"1":{"type":"domain-name","value":"a.example","resolves_to_refs":["0"]}}`),
			r:    stix.Redaction{Fields: []string{"objects.0"}},
			want: sdo("observed-data", `"first_observed":"2026-01-01T00:00:00Z","last_observed":"2026-01-01T00:00:00Z","number_observed":1,"objects":{"1":{"type":"domain-name","value":"a.example"}}`),
		},
		{name: "a marking definition", in: stixtest.MarkingObject(2), r: stix.Redaction{Fields: []string{"name"}}, why: "a marking-definition is given whole or not at all"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := stix.Redact([]byte(c.in), c.r)
			if err != nil {
				t.Fatal(err)
			}
			if c.why != "" {
				if !got.Dropped || got.Why != c.why || got.Raw != nil {
					t.Errorf("dropped %v, why %q, %s", got.Dropped, got.Why, got.Raw)
				}
				return
			}
			if got.Dropped {
				t.Fatalf("dropped: %s", got.Why)
			}
			if diff := cmp.Diff(withoutID(t, c.want), members(t, got.Raw)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			same := string(got.Raw) == c.in
			if o, _ := stix.ParseObject([]byte(c.in)); got.Changed == same || (got.ID == o.ID) != same {
				t.Errorf("changed %v, id %s of %s", got.Changed, got.ID, o.ID)
			}
			if r := stix.NewChecker(stix.Options{}).Check(got.Raw); r.ProblemCount > 0 || r.Object.ID != got.ID {
				t.Errorf("%v, id %s, says %s", r.Problems, r.Object.ID, got.ID)
			}
		})
	}
}

func TestRedactRefuses(t *testing.T) {
	good := sdo("identity", named+`,"x_a_ref":`+ref)
	for _, c := range []struct {
		in   string
		r    stix.Redaction
		want error
	}{
		{`[]`, stix.Redaction{Fields: []string{"a"}}, stix.ErrNotAnObject},
		{`{"type":"identity"}`, stix.Redaction{}, stix.ErrNotAnObject},
		{good + good, stix.Redaction{Fields: []string{"name"}}, stix.ErrNotAnObject},
		{strings.Replace(good, named, named+","+named, 1), stix.Redaction{Fields: []string{"name"}}, stix.ErrNotAnObject},
		{good, stix.Redaction{Fields: []string{""}}, stix.ErrSelector},
		{good, stix.Redaction{Fields: []string{"a..b"}}, stix.ErrSelector},
		{good, stix.Redaction{Fields: []string{"a.[01]"}}, stix.ErrSelector},
		{good, stix.Redaction{By: "malware--" + uuid}, stix.ErrIdentity},
		{good, stix.Redaction{Ref: func(string) (string, bool) { return "malware--" + uuid, true }}, stix.ErrIdentity},
	} {
		if got, err := stix.Redact([]byte(c.in), c.r); !errors.Is(err, c.want) || got.Raw != nil {
			t.Errorf("%v of %s: %v, %s", c.r.Fields, c.in, err, got.Raw)
		}
	}
}

// The id of a copy depends on what is withheld and on the version, not on the
// order of the members or of the selectors; that of an observable says nothing
// of what is withheld.
func TestRedactID(t *testing.T) {
	id := func(in string, fields ...string) string {
		got, err := stix.Redact([]byte(in), stix.Redaction{Fields: fields})
		if err != nil || !got.Changed {
			t.Fatal(err, got)
		}
		return got.ID
	}
	a := `"is_family":false,"description":"d","aliases":["a","b"]`
	b := `"aliases":["a","b"],"description":"d","is_family":false`
	one := id(sdo("malware", a), "description", "aliases.[0]")
	for _, same := range []string{id(sdo("malware", b), "aliases.[0]", "description"), id(sdo("malware", a), "description", "aliases.[0]", "description", "name")} {
		if same != one {
			t.Errorf("%s and %s", one, same)
		}
	}
	for _, other := range []string{
		id(sdo("malware", a), "description"), id(sdo("malware", a), "description", "aliases.[1]"),
		id(strings.Replace(sdo("malware", a), `"modified":"2026-01-02`, `"modified":"2026-01-03`, 1), "description"),
	} {
		if other == one {
			t.Errorf("%s twice", other)
		}
	}
	const md5 = `"hashes":{"MD5":"d41d8cd98f00b204e9800998ecf8427e"}`
	k := stix.NewChecker(stix.Options{})
	file := func(name string) string {
		in := sco("file", `"name":"`+name+`",`+md5)
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(in), &m); err != nil {
			t.Fatal(err)
		}
		return strings.Replace(in, string(m["id"]), `"`+k.ObservableID([]byte(in))+`"`, 1)
	}
	if id(file("secret-1"), "name") != id(file("secret-2"), "name") {
		t.Error("the id of a copy tells which name was withheld")
	}
}

// selectorsOf are all selectors of an object, by the standard's own rule.
func selectorsOf(tb testing.TB, raw []byte) (all []string) {
	tb.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		tb.Fatal(err)
	}
	var walk func(v any, path string)
	walk = func(v any, path string) {
		if path != "" {
			all = append(all, path)
			path += "."
		}
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				walk(e, path+k)
			}
		case []any:
			for i, e := range v {
				walk(e, fmt.Sprintf("%s[%d]", path, i))
			}
		}
	}
	walk(v, "")
	slices.Sort(all)
	return all
}

// stringsOf are the texts in a document, names apart, and how often each occurs.
func stringsOf(v any, into map[string]int) {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			stringsOf(e, into)
		}
	case []any:
		for _, e := range v {
			stringsOf(e, into)
		}
	case string:
		into[v]++
	}
}

// checkRedacted redacts each selector alone and some together, and asks that an
// object without problems stays one.
func checkRedacted(t *testing.T, raw []byte, most int) (copies, dropped int) {
	t.Helper()
	k := stix.NewChecker(stix.Options{})
	if k.Check(raw).ProblemCount > 0 {
		return 0, 0
	}
	all, rng := selectorsOf(t, raw), rand.New(rand.NewPCG(1, uint64(len(raw))))
	var sets [][]string
	for _, s := range all {
		sets = append(sets, []string{s})
	}
	rng.Shuffle(len(sets), func(i, j int) { sets[i], sets[j] = sets[j], sets[i] })
	sets = sets[:min(len(sets), most)]
	for range most {
		sets = append(sets, []string{all[rng.IntN(len(all))], all[rng.IntN(len(all))], all[rng.IntN(len(all))]})
	}
	for i, fields := range sets {
		r := stix.Redaction{Fields: fields, By: exchangeID}
		if i%3 == 0 {
			r.Ref = func(id string) (string, bool) { return id, len(id)%2 == 0 || id[len(id)-1] < '8' }
		}
		got, err := stix.Redact(raw, r)
		if err != nil {
			t.Fatalf("%q of %s: %v", fields, raw, err)
		}
		if got.Dropped {
			dropped++
			continue
		}
		copies++
		if rep := k.Check(got.Raw); rep.ProblemCount > 0 || rep.Object.ID != got.ID {
			t.Errorf("%q of\n%.2000s\ngives\n%.2000s\n%v", fields, raw, got.Raw, rep.Problems)
		}
		if again, _ := stix.Redact(raw, r); !bytes.Equal(again.Raw, got.Raw) {
			t.Errorf("%q of %.2000s gives two copies", fields, raw)
		}
		if !got.Changed && !bytes.Equal(got.Raw, raw) {
			t.Errorf("%q of %.2000s: not changed, and other bytes", fields, raw)
		}
	}
	return copies, dropped
}

func TestRedactKeepsObjectsValid(t *testing.T) {
	copies, dropped := 0, 0
	for in := range fullObjects(t) {
		c, d := checkRedacted(t, []byte(in), 60)
		copies, dropped = copies+c, dropped+d
	}
	t.Logf("%d copies, %d dropped", copies, dropped)
	if copies < 1000 || dropped < 100 {
		t.Error("too few cases")
	}
}

func TestRedactRealBundles(t *testing.T) {
	root := testkit.Data(t, "stix-examples")
	copies, dropped := 0, 0
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".json") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, err = stix.Scan(bytes.NewReader(b), stix.Options{}, func(o *stix.Object) error {
			c, d := checkRedacted(t, bytes.Clone(o.Raw), 4)
			copies, dropped = copies+c, dropped+d
			return nil
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d copies, %d dropped", copies, dropped)
	if copies == 0 {
		t.Error("no copies")
	}
}

func FuzzRedact(f *testing.F) {
	for in := range fullObjects(f) {
		f.Add([]byte(in), "name", "description")
	}
	f.Add([]byte(sdo("malware", `"is_family":false,"aliases":["a","b","c"],"granular_markings":[{"marking_ref":"`+markRef+`","selectors":["aliases.[2]"]}]`)), "aliases.[0]", "granular_markings.[0].selectors")
	f.Add([]byte(sdo("x-a", `"":{"a.b":[[{"\u005fref":1}]]}`)), "a.b.[0].[0]", "[0]")
	f.Fuzz(func(t *testing.T, in []byte, one, two string) {
		before := bytes.Clone(in)
		r := stix.Redaction{Fields: []string{one, two}, By: exchangeID, Ref: func(id string) (string, bool) { return id, id[len(id)-1] < '9' }}
		got, err := stix.Redact(in, r)
		if !bytes.Equal(in, before) {
			t.Fatal("the input was changed")
		}
		if err != nil || got.Dropped || !got.Changed {
			return
		}
		var old, now any
		if err := json.Unmarshal(in, &old); err != nil {
			return // encoding/json reads less deep
		}
		if err := json.Unmarshal(got.Raw, &now); err != nil {
			t.Fatalf("%v in %s", err, got.Raw)
		}
		had, has := make(map[string]int), make(map[string]int)
		stringsOf(old, had)
		stringsOf(now, has)
		delete(has, exchangeID)
		delete(has, got.ID)
		// Selectors of markings may name new places; everything else was there as often.
		for text, n := range has {
			if n > had[text] && !strings.Contains(text, "[") {
				t.Fatalf("%q stands %d times, before %d\n%s\n%s", text, n, had[text], in, got.Raw)
			}
		}
		for _, id := range stix.Refs(got.Raw) {
			if id[len(id)-1] >= '9' && id != got.ID {
				t.Fatalf("%s is withheld and there\n%s", id, got.Raw)
			}
		}
		rest, err := stix.Redact(got.Raw, stix.Redaction{Ref: r.Ref, By: r.By})
		if err != nil || rest.Changed {
			t.Fatalf("the copy is not settled: %v %s\n%s", err, got.Raw, rest.Raw)
		}
	})
}

func TestRefs(t *testing.T) {
	in := sdo("identity", `"created_by_ref":`+ref+`,"object_marking_refs":["`+markRef+`"],"granular_markings":[{"marking_ref":"`+markRef+`","selectors":["name"]}],`+named+
		`,"x_a_ref":"`+fileID+`","x_b":{"c_refs":["`+otherFile+`","no id","`+fileID+`"],"created_by_ref":`+ref+`,"text":"`+fileID+`"},"d\u005frefs":["malware--`+uuid+`"]`)
	want := []string{fileID, otherFile, "identity--" + uuid, "malware--" + uuid}
	if diff := cmp.Diff(want, stix.Refs([]byte(in))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestSelfContained(t *testing.T) {
	note := func(id string) string { return sdo("note", `"content":"c","object_refs":["`+id+`"]`) }
	file := strings.Replace(sco("file", `"name":"n"`), uuid, fileID[6:], 1)
	o, _ := stix.ParseObject([]byte(file))
	for in, want := range map[string]bool{
		bundle(sdo("identity", named)):                                   true,
		bundle(note(o.ID), file):                                         true,
		bundle(file, note(o.ID)):                                         true,
		bundle(note(otherFile), file):                                    false,
		bundle(sdo("identity", named), sdo("identity", named+`,`+named)): false, // a problem
	} {
		if _, sum := scan(t, []byte(in), stix.Options{}); sum.SelfContained != want {
			t.Errorf("%v for %s, %v", sum.SelfContained, in, sum.Problems)
		}
	}
	var wide strings.Builder
	if err := stixtest.Bundle(&wide, 500, 1, stixtest.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, sum := scan(t, []byte(wide.String()), stix.Options{}); !sum.SelfContained {
		t.Error("a generated bundle refers to what is not in it")
	}
}

// A tombstone is valid, of every type that can have one, and says nothing.
func TestTombstone(t *testing.T) {
	k := stix.NewChecker(stix.Options{Pattern: pattern.Check})
	created := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	at := created.Add(time.Hour)
	types := 0
	for _, table := range spec.All {
		id := table.Name + "--" + uuid
		raw, err := stix.Tombstone(id, table.Name, created, at, exchangeID)
		if table.Class&(spec.SDO|spec.SRO) == 0 {
			if !errors.Is(err, stix.ErrNoTombstone) || raw != nil {
				t.Errorf("%s: %v", table.Name, err)
			}
			continue
		}
		types++
		r := k.Check(raw)
		if err != nil || r.ProblemCount > 0 || r.Object.ID != id || r.Object.Version != at.UnixMicro() {
			t.Errorf("%s: %v, %v\n%s", table.Name, err, r.Problems, raw)
		}
		var o struct {
			Created  time.Time `json:"created"`
			Revoked  bool      `json:"revoked"`
			By       string    `json:"created_by_ref"`
			Markings []string  `json:"object_marking_refs"`
		}
		if err := json.Unmarshal(raw, &o); err != nil || !o.Revoked || o.By != exchangeID || !o.Created.Equal(created) || o.Markings != nil {
			t.Errorf("%s: %v %+v", table.Name, err, o)
		}
	}
	if types < 20 {
		t.Errorf("%d types", types)
	}
	raw, err := stix.Tombstone("observed-data--"+uuid, "observed-data", created, at, exchangeID)
	if want := k.ObservableID([]byte(`{"type":"mutex","id":"mutex--` + uuid + `","name":"recalled"}`)); err != nil || !slices.Equal(stix.Refs(raw), []string{want}) {
		t.Errorf("%v, %v, want %s", err, stix.Refs(raw), want)
	}
	raw, err = stix.Tombstone("x-a--"+uuid, "x-a", created, at, exchangeID)
	want := `{"type":"x-a","spec_version":"2.1","id":"x-a--` + uuid + `","created":"2026-01-02T03:04:05.678900Z","modified":"2026-01-02T04:04:05.678900Z","revoked":true}`
	if err != nil || string(raw) != want || k.Check(raw).ProblemCount > 0 {
		t.Errorf("%v %s", err, raw)
	}
	for _, bad := range [][3]string{{"x", "x-a", exchangeID}, {"x-a--" + uuid, "x-b", exchangeID}, {"x-a--" + uuid, "x-a", fileID}} {
		if _, err := stix.Tombstone(bad[0], bad[1], created, at, bad[2]); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	if _, err := stix.Tombstone("tool--"+uuid, "tool", at, created, exchangeID); err == nil {
		t.Error("a tombstone older than its object is taken")
	}
}
