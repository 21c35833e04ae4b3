package stix_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/format/stix"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
)

// sown makes each text and number of an object one of its own, and adds
// properties that no standard names. What identifies the object stays.
type sown struct {
	*rand.Rand
	n int
}

var (
	sownWord  = regexp.MustCompile(`canary\d{8}x|81\d{7}`)
	sownID    = regexp.MustCompile(`^[a-z0-9-]+--[0-9a-f-]{36}$`)
	sownIDEnd = regexp.MustCompile(`_refs?$`)
)

func (s *sown) word() string { s.n++; return fmt.Sprintf("canary%08dx", s.n) }

func (s *sown) sow(name string, v any) any {
	switch name {
	case "id", "type", "spec_version", "created", "modified", "object_marking_refs", "granular_markings":
		return v
	}
	if sownIDEnd.MatchString(name) {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = s.sow(k, e)
		}
	case []any:
		for i, e := range v {
			v[i] = s.sow("", e)
		}
	case string:
		if sownID.MatchString(v) {
			return v
		}
		return s.word() + []string{"", `"\`, "ü\u2028", "."}[s.IntN(4)]
	case float64:
		s.n++
		return json.RawMessage(fmt.Sprint(810_000_000 + s.n%10_000_000))
	}
	return v
}

// grown is a custom property with values, lists and objects in it.
func (s *sown) grown(depth int) any {
	switch s.IntN(5 - min(depth, 3)) {
	case 0:
		return s.word()
	case 1:
		s.n++
		return json.RawMessage(fmt.Sprint(810_000_000 + s.n%10_000_000))
	case 2:
		out := []any{}
		for range 1 + s.IntN(3) {
			out = append(out, s.grown(depth+1))
		}
		return out
	}
	out := map[string]any{}
	for i := range 1 + s.IntN(3) {
		out[[]string{"a", "b.c", "x y", "ref"}[s.IntN(4)]+fmt.Sprint(i)] = s.grown(depth + 1)
	}
	return out
}

// object is one of the objects, sown, with the text below each selector.
func (s *sown) object(tb testing.TB, in string) (raw []byte, at map[string]string) {
	tb.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(in), &m); err != nil {
		tb.Fatal(err)
	}
	s.sow("", m)
	for i := range s.IntN(5) {
		m[fmt.Sprintf("x_grown_%d", i)] = s.grown(0)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		tb.Fatal(err)
	}
	if s.IntN(2) == 0 {
		var b bytes.Buffer
		if err := json.Indent(&b, raw, "", "\t"); err != nil {
			tb.Fatal(err)
		}
		raw = b.Bytes()
	}
	at = map[string]string{}
	belowEach(m, "", at)
	for _, name := range []string{"id", "type", "spec_version", "created", "modified"} {
		delete(at, name)
	}
	if len(m["id"].(string)) > 0 && s.IntN(4) == 0 { // granular markings name what they mark
		paths := slices.Sorted(maps.Keys(at))
		text := fmt.Sprintf(`,"granular_markings":[{"marking_ref":%q,"selectors":[%q,%q]}]}`, stixtest.MarkingID(2), paths[s.IntN(len(paths))], paths[s.IntN(len(paths))])
		if m["granular_markings"] == nil {
			raw = append(bytes.TrimSuffix(bytes.TrimRight(raw, "\n"), []byte("}")), text...)
		}
	}
	return raw, at
}

func belowEach(v any, path string, at map[string]string) {
	if path != "" {
		b, _ := json.Marshal(v)
		at[path] = string(b)
		path += "."
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			belowEach(e, path+k, at)
		}
	case []any:
		for i, e := range v {
			belowEach(e, fmt.Sprintf("%s[%d]", path, i), at)
		}
	}
}

// Whatever fields of whatever object are withheld: no text and no number of
// theirs is in the copy, in its identifier, or in why there is none; and the same
// object with other values in their place gives the same bytes, so nothing of
// the copy follows from them. No reference that is withheld is left.
func TestRedactLeavesNothing(t *testing.T) {
	cases := 60_000
	if testing.Short() {
		cases = 6_000
	}
	objects := slices.Sorted(maps.Keys(fullObjects(t)))
	s := &sown{Rand: rand.New(rand.NewPCG(9, 2026))}
	var calls, copies, dropped, values, refs int
	for calls < 2*cases {
		raw, at := s.object(t, objects[s.IntN(len(objects))])
		paths := slices.Sorted(maps.Keys(at))
		for range 8 {
			var fields []string
			gone := map[string]bool{}
			for range 1 + s.IntN(4) {
				p := paths[s.IntN(len(paths))]
				fields = append(fields, p)
				for _, w := range sownWord.FindAllString(at[p], -1) {
					gone[w] = true
				}
			}
			r := stix.Redaction{Fields: fields, By: []string{"", exchangeID}[s.IntN(2)]}
			hide := s.IntN(3) == 0
			hidden := map[string]bool{}
			if hide {
				r.Ref = func(id string) (string, bool) {
					if _, asked := hidden[id]; !asked {
						hidden[id] = s.IntN(2) == 0
					}
					return id, !hidden[id]
				}
			}
			got, err := stix.Redact(raw, r)
			if err != nil {
				t.Fatalf("%q of %s: %v", fields, raw, err)
			}
			other := sownWord.ReplaceAllFunc(raw, func(w []byte) []byte {
				if !gone[string(w)] {
					return w
				}
				if w[0] == '8' {
					return append([]byte("82"), w[2:]...)
				}
				return []byte("other text, longer than " + string(w[6:]))
			})
			again, err := stix.Redact(other, r)
			if err != nil || !bytes.Equal(got.Raw, again.Raw) || got.ID != again.ID || got.Dropped != again.Dropped || got.Why != again.Why {
				t.Fatalf("%q: the copy follows from what is withheld (%v)\n%s\n%s\n%s\n%s %s", fields, err, raw, got.Raw, again.Raw, got.Why, again.Why)
			}
			calls, values = calls+2, values+len(gone)
			if got.Dropped {
				dropped++
			} else {
				copies++
			}
			text := string(got.Raw) + got.ID + got.Why
			for _, w := range sownWord.FindAllString(text, -1) {
				if gone[w] {
					t.Fatalf("%q leaves %s\nof %s\nin %s %s", fields, w, raw, got.Raw, got.Why)
				}
			}
			for id, no := range hidden {
				if !no {
					continue
				}
				refs++
				if got.Raw != nil && strings.Count(text, id) > strings.Count(text, `"id":"`+id) && !elsewhere(raw, id) {
					t.Fatalf("%s is withheld\nof %s\nand in %s", id, raw, got.Raw)
				}
			}
		}
	}
	t.Logf("%d calls: %d copies, %d dropped, %d values and %d references withheld", calls, copies, dropped, values, refs)
	if copies < cases/4 || dropped < cases/20 || values < cases || refs < cases/100 {
		t.Error("the cases say little")
	}
}

// elsewhere reports whether an identifier stands where it is no reference: as a
// text, as a marking, or as who made the object.
func elsewhere(raw []byte, id string) bool {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return true
	}
	var look func(name string, v any) bool
	look = func(name string, v any) bool {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				if look(k, e) {
					return true
				}
			}
		case []any:
			for _, e := range v {
				if look(name, e) {
					return true
				}
			}
		case string:
			return v == id && (!sownIDEnd.MatchString(name) || name == "created_by_ref" || name == "object_marking_refs" || name == "marking_ref")
		}
		return false
	}
	return look("", v)
}
