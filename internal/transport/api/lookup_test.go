package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// TestLookup holds that values are looked up by JSON and by lines, without an
// Idempotency-Key, and that what is withheld answers like what is unknown.
func TestLookup(t *testing.T) {
	d := open(t)
	t0 := testkit.Start.AddDate(0, 0, 30)
	r := d.Draft("Look up", t0)
	op := d.as(t, testkit.Owner, exchange.VerbOperate, exchange.VerbRead)
	op.want(201, "POST", "/releases/"+string(r.ID)+"/artifacts?class=detection-guidance&filename=a.json", bundle)
	d.Arm(r.ID)
	body := map[string]any{"values": []string{"A", "", "unknown.example", "b"}}
	member := d.as(t, servertest.EarlyA)
	nothing := member.want(200, "POST", "/lookup", map[string]any{"values": []string{"x", "", "unknown.example", "y"}}, "Idempotency-Key", "")
	withheld := member.want(200, "POST", "/lookup", body, "Idempotency-Key", "")
	if d := cmp.Diff(nothing.body, withheld.body); d != "" {
		t.Errorf("withheld differs from unknown: %s", d)
	}
	type found struct {
		Asked, Known, Unknown int
		Complete              bool
		Results               []struct {
			Index      int
			Normalised string
			Matches    []struct{ How, Value, Object, TLP, Release string }
		}
		Errors []struct {
			Index   int
			Message string
		}
	}
	read := func(r reply) (f found) {
		t.Helper()
		if err := json.Unmarshal([]byte(r.body), &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	d.Clock.Set(t0.Add(-24 * time.Hour))
	member = d.as(t, servertest.EarlyA)
	for name, got := range map[string]found{
		"JSON":  read(member.want(200, "POST", "/lookup", body)),
		"lines": read(member.want(200, "POST", "/lookup", "A\r\n\nunknown.example\nb\n", "Content-Type", "text/plain; charset=utf-8")),
	} {
		if got.Asked != 4 || got.Known != 2 || got.Unknown != 1 || !got.Complete || len(got.Results) != 2 || len(got.Errors) != 1 {
			t.Fatalf("%s: %+v", name, got)
		}
		m := got.Results[1]
		if m.Index != 3 || m.Normalised != "b" || len(m.Matches) != 1 || m.Matches[0].How != "exact" ||
			m.Matches[0].Object != "indicator--4f1d2e4c-5b6a-4c7d-8e9f-0a1b2c3d4e5f" || m.Matches[0].TLP == "" || m.Matches[0].Release != string(r.ID) {
			t.Errorf("%s: %+v", name, m)
		}
		if got.Errors[0].Index != 1 {
			t.Errorf("%s: %+v", name, got.Errors)
		}
	}
	late := d.as(t, servertest.Late)
	if got := read(late.want(200, "POST", "/lookup", body)); got.Known != 0 {
		t.Errorf("a later cohort is told %+v", got)
	}
	for in, status := range map[string]int{
		`{"values":"a"}`: 422, `{"values":[1]}`: 422, `{"values":["a",{}]}`: 422, `{"values":["a"`: 422, `{"values":["a"],"x":1}`: 422, `[]`: 422,
		`{"values":["a"]} {}`: 422, `{}`: 422, `{"values":[]}`: 422, ``: 422, `{"values":["` + "\xff" + `"]}`: 422,
		`{"values":["\u0041"]}`:                                 200,
		`{"values":[` + strings.Repeat(`"",`, 100_000) + `""]}`: 413,
		`{"values":["` + strings.Repeat("a", 8<<20) + `"]}`:     413,
	} {
		got := member.call("POST", "/lookup", in, "Content-Type", "application/json")
		if got.status != status {
			t.Errorf("%.40s: %d, want %d: %.200s", in, got.status, status, got.body)
		}
		if status == 200 && read(got).Known != 1 {
			t.Errorf("an escaped value: %s", got.body)
		}
	}
	member.want(415, "POST", "/lookup", "a", "Content-Type", "application/xml")
	caller{t, d.url, "", &d.keys}.want(401, "POST", "/lookup", body)
}
