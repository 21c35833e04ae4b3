package reshare

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	format "github.com/forewarn-exchange/forewarn/internal/format/marking"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

const (
	malware      = "malware--00000000-0000-4000-8000-000000000001"
	indicator    = "indicator--00000000-0000-4000-8000-000000000002"
	relationship = "relationship--00000000-0000-4000-8000-000000000003"
	domain       = "domain-name--00000000-0000-5000-8000-000000000004"
	statement    = "marking-definition--00000000-0000-4000-8000-000000000005"
	elsewhere    = "malware--00000000-0000-4000-8000-000000000009"
)

func granted() Request {
	return Request{
		ID: "rsh_aaaaaaaaaaaaaaaa", Kind: Reshare, By: "a", To: []exchange.OrgID{"b"}, Owners: []exchange.OrgID{"o"}, TLP: exchange.TLPGreen,
		AskedAt: time.Date(2027, 6, 1, 8, 0, 0, 0, time.UTC), Until: time.Date(2027, 6, 3, 8, 0, 0, 0, time.UTC), State: Granted,
	}
}

func marked(t *testing.T, s *Service, r Request, h exchange.Handling) *marking {
	t.Helper()
	m, err := s.marking(r, h, "May be passed on.")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Copies refer to each other, to what is not copied as before, and are sound
// STIX; what has no creator gets none, and definitions of markings stay.
func TestBundle(t *testing.T) {
	const head = `"spec_version":"2.1","created":"2026-01-01T00:00:00.000Z","modified":"2026-02-01T00:00:00.000Z"`
	raws := [][]byte{
		[]byte(`{"type":"malware","id":"` + malware + `",` + head + `,"name":"M","is_family":false,"x_number":1.50,"object_marking_refs":["` + statement + `"],"granular_markings":[{"lang":"de","selectors":["name"]},{"marking_ref":"` + statement + `","selectors":["x_number"]}],"external_references":[{"source_name":"old","url":"https://a.example"}]}`),
		[]byte(`{"type":"indicator","id":"` + indicator + `",` + head + `,"pattern":"[domain-name:value = 'a.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","indicator_types":["benign"]}`),
		[]byte(`{"type":"relationship","id":"` + relationship + `",` + head + `,"relationship_type":"indicates","source_ref":"` + indicator + `","target_ref":"` + malware + `"}`),
		[]byte(`{"type":"domain-name","spec_version":"2.1","id":"` + domain + `","value":"a.example","resolves_to_refs":["` + domain + `"]}`),
		[]byte(`{"type":"marking-definition","spec_version":"2.1","id":"` + statement + `","created":"2026-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"Ours"}}`),
		[]byte(`{"type":"relationship","id":"relationship--00000000-0000-4000-8000-000000000006",` + head + `,"relationship_type":"related-to","source_ref":"` + malware + `","target_ref":"` + elsewhere + `"}`),
	}
	s := New(Config{Name: "Exchange", URL: "https://exchange.example"})
	asked := exchange.Handling{
		TLP: exchange.TLPAmber, PAP: exchange.PAPRed, Groups: []exchange.GroupID{"g"}, Statement: "Ours", NotIn: []string{"XA"},
		NotCohorts: []exchange.CohortID{"late"}, From: granted().AskedAt, Attribution: exchange.AttributionMustNot,
	}
	m := marked(t, s, granted(), asked)
	body, objs, err := m.bundle(raws, true)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := stix.Scan(bytes.NewReader(body), stix.Options{MaxProblems: 10}, func(*stix.Object) error { return nil })
	if err != nil || sum.ProblemCount > 0 || len(sum.UnresolvedMarkings) > 0 {
		t.Errorf("%v %+v\n%s", err, sum, body)
	}
	for _, o := range objs {
		var got struct{ ID, Type string }
		if err := json.Unmarshal(body[o.Offset:o.Offset+o.Length], &got); err != nil || got.ID != o.ID || got.Type != o.Type {
			t.Errorf("%v %+v is not at its place: %+v", err, o, got)
		}
	}
	text := string(body)
	for part, want := range map[string]int{
		malware: 0, indicator: 0, relationship: 0, domain: 0, elsewhere: 1,
		`"source_ref":"` + m.derived(indicator) + `"`: 1, `"target_ref":"` + m.derived(malware) + `"`: 1,
		`"resolves_to_refs":["` + m.derived(domain) + `"]`: 1,
		`"x_number":1.50`: 1, `"source_name":"old"`: 1, `"statement":"Ours"`: 1, `"statement":"May be passed on.\nOurs"`: 2,
		`"object_marking_refs":["` + m.id + `","` + tlpID(exchange.TLPGreen) + `"]`: 5, `"granular_markings":[{"lang":"de","selectors":["name"]}]`: 1,
		`"created_by_ref":"` + m.by + `"`: 5,
	} {
		if n := strings.Count(text, part); n != want {
			t.Errorf("%s stands %d times, want %d", part, n, want)
		}
	}
	k := stix.NewChecker(stix.Options{})
	for _, o := range objs {
		if got := k.Check(body[o.Offset : o.Offset+o.Length]); len(got.Problems) > 0 {
			t.Errorf("%s: %+v", o.ID, got.Problems)
		}
		if o.ID != m.id {
			continue
		}
		want := format.Meaning{Handling: exchange.Handling{
			TLP: exchange.TLPAmber, PAP: exchange.PAPRed, Organisations: []exchange.OrgID{"a", "b"}, Statement: "May be passed on.\nOurs",
			NotIn: []string{"XA"}, Expires: granted().Until, Attribution: exchange.AttributionMustNot,
		}}
		if diff := cmp.Diff(want, format.Of(body[o.Offset:o.Offset+o.Length], granted().AskedAt)); diff != "" {
			t.Errorf("the permission is understood otherwise (-want +got)\n%s", diff)
		}
	}
	again, _, err := marked(t, s, granted(), asked).bundle(raws, true)
	if err != nil || !bytes.Equal(again, body) {
		t.Error("the same copy is another each time")
	}
	other := granted()
	other.ID = "rsh_bbbbbbbbbbbbbbbb"
	if marked(t, s, other, asked).derived(malware) == m.derived(malware) {
		t.Error("the copies of two requests bear the same identifier")
	}
}

// Permission names nobody who stays unnamed.
func TestPermission(t *testing.T) {
	r := granted()
	r.Outside = []string{"our customer X"}
	r = r.with(Answer{Org: "o", Yes: true, Condition: "Name nobody.", Until: r.Until.Add(-time.Hour)})
	if r.State != Conditional {
		t.Error(r.State)
	}
	name := func(o exchange.OrgID) string { return "Org " + string(o) }
	want := "May be passed on by Org a to Org b and our customer X until 2027-06-03T07:00:00Z. On condition: Name nobody. Granted by Org o (rsh_aaaaaaaaaaaaaaaa)."
	if got := r.Permission(name); got != want {
		t.Errorf("%s", got)
	}
	r.Unnamed = true
	if got := r.Permission(name); strings.Contains(got, "Org o") || !strings.Contains(got, "Granted by its originators") {
		t.Errorf("%s", got)
	}
}

// Times: the median is the lower middle, the 90th percentile the nearest rank;
// what the asker says for itself counts as no answer.
func TestTimes(t *testing.T) {
	at := granted().AskedAt
	var all []Request
	for i := 1; i <= 10; i++ {
		r := granted()
		r.Answers = []Answer{{Org: "a", At: at}, {Org: "o", At: at.Add(time.Duration(i) * time.Hour)}}
		all = append(all, r)
	}
	late := granted()
	late.State, late.AnswerBy = Open, at.Add(time.Hour)
	want := Times{Answers: 10, Lapsed: 1, Median: 5 * time.Hour, P90: 9 * time.Hour}
	if got := times(append(all, late), at.Add(time.Hour)); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := times(nil, at); got != (Times{}) {
		t.Errorf("%+v", got)
	}
}

// FuzzCopied makes copies of whatever is stored: the bundle is JSON, and no
// original identifier of a copied object is left in an id.
func FuzzCopied(f *testing.F) {
	f.Add([]byte(`{"type":"indicator","id":"` + indicator + `","created":"2026-01-01T00:00:00.000Z","external_references":[{}],"a_ref":"` + indicator + `"}`))
	f.Add([]byte(`{"id":"` + domain + `","type":"domain-name","x":{"y_refs":["` + domain + `",[{"z_ref":1}]]}}`))
	f.Add([]byte(`{"external_references":7,"created":"x"}`))
	s := New(Config{Name: "Exchange", URL: "https://exchange.example"})
	f.Fuzz(func(t *testing.T, raw []byte) {
		body, objs, err := marked(t, s, granted(), exchange.Handling{}).bundle([][]byte{raw}, false)
		if err != nil {
			return
		}
		if !json.Valid(body) {
			t.Errorf("no JSON: %s", body)
		}
		for _, o := range objs {
			if !json.Valid(body[o.Offset : o.Offset+o.Length]) {
				t.Errorf("%+v is no JSON", o)
			}
		}
	})
}
