package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The entry is what the documentation says, worked out a second time.
func TestEntryByHand(t *testing.T) {
	salt := testSalt(7)
	event := `{"at":"2026-03-01T08:00:00.000000Z","n":-5,"none":[],"ok":true,"subject":["a","b<"],"v":1}`
	half := func(b []byte) []byte { h := sha256.Sum256(b); return h[:16] }
	var all []string
	add := func(name, value string) {
		own := half(append(salt[:], name...))
		h := sha256.Sum256(append(append(own, name...), append([]byte{0}, value...)...))
		all = append(all, string(h[:]))
	}
	for _, p := range [][2]string{
		{"at", `"2026-03-01T08:00:00.000000Z"`}, {"n", "-5"}, {"none", "[]"}, {"ok", "true"}, {"subject[0]", `"a"`}, {"subject[1]", `"b<"`}, {"v", "1"},
	} {
		add(p[0], p[1])
	}
	for i := 0; len(all) < 16; i++ {
		add("#"+strconv.Itoa(i), "")
	}
	slices.Sort(all)
	h := sha256.Sum256([]byte("forewarn event v1\n" + strings.Join(all, "")))
	want := append([]byte{1}, h[:]...)
	got, err := Entry([]byte(event), salt)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v; want %x", got, err, want)
	}
}

// The same event has one entry, whoever wrote its JSON; another event has another.
func TestEntryForms(t *testing.T) {
	salt := testSalt(1)
	entry := func(event string) string {
		b, err := Entry([]byte(event), salt)
		if err != nil {
			t.Fatalf("%s: %v", event, err)
		}
		return string(b)
	}
	const event = `{"a":"<&>é😀\n","b":["x","y"],"c":{"e":1,"f":[true,null]},"n":12}`
	for _, same := range []string{
		event,
		`{"a":"\u003c\u0026\u003e\u00e9\ud83d\ude00\u000a","b":["x","y"],"c":{"e":1,"f":[true,null]},"n":12}`,
		`{"n":12,"c":{"f":[true,null],"e":1},"b":["x","y"],"a":"<&>é😀\n"}`,
		" {\n\t\"a\" : \"<&>é😀\\n\" , \"b\":[ \"x\", \"y\" ],\"c\":{\"e\":1.0,\"f\":[true,null]},\"n\":1.2e1}\n",
		`{"a":"<&>é😀\n","b":["x","\u0079"],"c":{"e":1,"f":[true,null]},"n":12}`,
	} {
		if entry(same) != entry(event) {
			t.Errorf("%s has another entry", same)
		}
	}
	for _, other := range []string{
		`{"a":"<&>é😀\n","b":["y","x"],"c":{"e":1,"f":[true,null]},"n":12}`,
		`{"a":"<&>é😀\n","b":["x","y"],"c":{"e":1,"f":[true,null]}}`,
		`{"a":"<&>é😀\n","b":["x","y"],"c":{"e":1,"f":[true,null]},"d":[],"n":12}`,
		`{"a":"<&>é😀\n","b":["x","y"],"c":{"e":1,"f":[null,true]},"n":12}`,
		`{"a":"<&>é😀\n","b":["x","y"],"c":{"e":1,"f":[true,null]},"n":"12"}`,
		`{}`,
	} {
		if entry(other) == entry(event) {
			t.Errorf("%s has the same entry", other)
		}
	}
}

// What is no event is an error, and no two events share an entry by their names.
func TestEntryRefuses(t *testing.T) {
	for _, c := range []struct{ event, want string }{
		{``, "EOF"},
		{`[1]`, "not a JSON object"},
		{`{"a":1}{}`, "more follows"},
		{`{"a":1,"a":2}`, `"a" stands twice`},
		{`{"a":1,"\u0061":2}`, `"a" stands twice`},
		{`{"a[0]":"x"}`, "holds [, ] or #"},
		{`{"#0":"x"}`, "holds [, ] or #"},
		{`{"":1}`, "has no name"},
		{`{"a\u0000b":1}`, "would have to be escaped"},
		{`{"a\"b":1}`, "would have to be escaped"},
		{`{"a":1.5}`, "no integer"},
		{`{"a":1e400}`, "no integer"},
		{`{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, "stand in one another"},
		{`{"a":tru}`, "invalid character"},
	} {
		if _, err := Entry([]byte(c.event), [SaltSize]byte{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40s: %v, want %q", c.event, err, c.want)
		}
	}
}

// Every way to cut an opening down opens the same entry, also when what is cut is cut
// again, and survives being written and read.
func TestShow(t *testing.T) {
	o := Opening{Event: testEvent(3), Salt: testSalt(3)}
	want, err := o.Entry()
	if err != nil {
		t.Fatal(err)
	}
	parts, err := Parts(o.Event, o.Salt)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		shown := map[string]bool{parts[r.IntN(len(parts))].Name: true}
		for _, p := range parts {
			if r.IntN(2) == 0 {
				shown[p.Name] = true
			}
		}
		cut, err := o.Show(func(name string) bool { return shown[name] })
		if err != nil || len(cut.Parts) != len(shown) || (len(cut.Parts)+len(cut.Hidden))%padTo != 0 {
			t.Fatalf("%v: %v", shown, err)
		}
		keep := cut.Parts[r.IntN(len(cut.Parts))].Name
		less, err := cut.Show(func(name string) bool { return name == keep })
		if err != nil || len(less.Parts) != 1 {
			t.Fatalf("cut again: %v", err)
		}
		for _, x := range []Opening{cut, less} {
			b, err := x.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			for name := range shown {
				if value := x.Member(name); value == nil && x.Event == nil && slices.ContainsFunc(x.Parts, func(p Part) bool { return p.Name == name }) {
					t.Errorf("%s is not shown", name)
				}
			}
			for _, p := range parts {
				if !shown[p.Name] && len(p.Value) > 4 && bytes.Contains(b, p.Value) {
					t.Errorf("%s is shown in %s", p.Name, b)
				}
			}
			var again Opening
			if err := json.Unmarshal(b, &again); err != nil {
				t.Fatal(err)
			}
			if got, err := again.Entry(); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("the entry of %s: %v", b, err)
			}
		}
	}
}

// An opening that went through another encoder still opens its entry.
func TestOpeningThroughOtherEncoders(t *testing.T) {
	whole := Opening{Event: testEvent(5), Salt: testSalt(5)}
	cut, err := whole.Show(func(name string) bool { return strings.HasPrefix(name, "subject") })
	if err != nil {
		t.Fatal(err)
	}
	want, err := whole.Entry()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Opening{whole, cut} {
		escaped, err := json.Marshal(struct{ Opening Opening }{o}) // escapes <, > and &
		if err != nil || !bytes.Contains(escaped, []byte(`\u003c`)) {
			t.Fatalf("%s, %v", escaped, err)
		}
		var any map[string]any
		if err := json.Unmarshal(escaped, &any); err != nil {
			t.Fatal(err)
		}
		indented, err := json.MarshalIndent(any, "", " ") // numbers as floats, members sorted
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{escaped, indented} {
			var again struct{ Opening Opening }
			if err := json.Unmarshal(b, &again); err != nil {
				t.Fatal(err)
			}
			if got, err := again.Opening.Entry(); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %v", b, err)
			}
		}
	}
}

// What is no opening is refused.
func TestOpeningRefuses(t *testing.T) {
	whole := Opening{Event: testEvent(5), Salt: testSalt(5)}
	for _, text := range []string{
		`null`, `{}`, `{"salt":"AAAAAAAAAAAAAAAAAAAAAA"}`, `{"event":{"a":1}}`, `{"event":{"a":1},"salt":"AA"}`, `{"event":3,"salt":"AAAAAAAAAAAAAAAAAAAAAA"}`,
		`{"event":{"a":1},"salt":"AAAAAAAAAAAAAAAAAAAAAB"}`, `{"event":{"a":1},"salt":"AAAAAAAAAAAAAAAAAAAAAA","x":1}`,
		`{"event":{"a":1},"salt":"AAAAAAAAAAAAAAAAAAAAAA","hidden":[]}`, `{"parts":[{"name":"a","salt":"AAAAAAAAAAAAAAAAAAAAAA","value":1}],"salt":"AA"}`,
	} {
		var o Opening
		if err := json.Unmarshal([]byte(text), &o); err == nil {
			if _, err := o.Entry(); err == nil {
				t.Errorf("%s was taken", text)
			}
		}
	}
	cut, err := whole.Show(func(name string) bool { return name == "kind" || name == "at" })
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Opening){
		"nothing shown":        func(o *Opening) { o.Hidden, o.Parts = append(o.Hidden, o.Parts[0].Commit(), o.Parts[1].Commit()), nil },
		"one part twice":       func(o *Opening) { o.Parts = append(o.Parts, o.Parts[0]); o.Hidden = o.Hidden[1:] },
		"one part too few":     func(o *Opening) { o.Hidden = o.Hidden[1:] },
		"a zero in a name":     func(o *Opening) { o.Parts[0].Name += "\x00" },
		"a part that fills up": func(o *Opening) { o.Parts[0] = Part{Name: "#0", Value: []byte("1")} },
		"no value":             func(o *Opening) { o.Parts[0].Value = nil },
		"white space":          func(o *Opening) { o.Parts[0].Value = append(o.Parts[0].Value, ' ') },
		"an index with zeros":  func(o *Opening) { o.Parts[0].Name = "subject[01]" },
	} {
		o := Opening{Parts: slices.Clone(cut.Parts), Hidden: slices.Clone(cut.Hidden)}
		change(&o)
		if _, err := o.Entry(); err == nil {
			t.Errorf("%s: the opening was taken", name)
		}
	}
	b, err := cut.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	first, second := b64.EncodeToString(cut.Hidden[0][:]), b64.EncodeToString(cut.Hidden[1][:])
	swapped := strings.NewReplacer(first, second, second, first).Replace(string(b))
	if err := json.Unmarshal([]byte(swapped), new(Opening)); err == nil || !strings.Contains(err.Error(), "not sorted") {
		t.Errorf("commitments in another order: %v", err)
	}
	if err := errors.Unwrap(json.Unmarshal([]byte(`{"salt":1}`), new(Opening))); err == nil {
		t.Error("a salt that is a number")
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x"],"b":{"c":null}}`, ` {"b":1.0,"a":"\u003c"}`, `{"a":"\u001f\b"}`, `{"é":1,"😀":2}`, `{"a":[],"b":{}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, event []byte) {
		one, err := Canonical(event)
		if err != nil {
			return
		}
		two, err := Canonical(one)
		if err != nil || !bytes.Equal(one, two) {
			t.Fatalf("%q is not canonical: %v", one, err)
		}
		if !json.Valid(one) || !json.Valid(event) {
			t.Fatalf("%q was taken", event)
		}
		salt := testSalt(1)
		a, err := Entry(event, salt)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := Parts(event, salt)
		if err != nil || !bytes.Equal(a, EntryOf(commitments(parts, salt))) {
			t.Fatalf("%q: the parts have another entry: %v", event, err)
		}
	})
}

func FuzzOpening(f *testing.F) {
	whole := Opening{Event: testEvent(5), Salt: testSalt(5)}
	cut, _ := whole.Show(func(name string) bool { return name == "kind" })
	for _, o := range []Opening{whole, cut} {
		b, _ := o.MarshalJSON()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var o Opening
		if json.Unmarshal(b, &o) != nil {
			return
		}
		entry, err := o.Entry()
		if err != nil {
			return
		}
		again, err := o.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var o2 Opening
		if err := json.Unmarshal(again, &o2); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if e, err := o2.Entry(); err != nil || !bytes.Equal(e, entry) {
			t.Fatalf("%s: %v", again, err)
		}
	})
}

func BenchmarkEntry(b *testing.B) {
	event, salt := testEvent(4), testSalt(4)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Entry(event, salt); err != nil {
			b.Fatal(err)
		}
	}
}
