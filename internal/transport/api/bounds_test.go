package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// TestUnstorable sends what no answer could hold. It is refused before anything
// is stored, so the lists in which it would stand stay readable.
func TestUnstorable(t *testing.T) {
	d := open(t)
	op := d.as(t, testkit.Owner, exchange.VerbOperate)
	r := d.Draft("Far", testkit.Start.AddDate(0, 1, 0))
	prog, of := "/programs/"+string(testkit.Program), "/releases/"+string(r.ID)
	const early, late = "0000-01-01T00:00:00+12:00", "9999-12-31T23:59:59-12:00" // years -1 and 10000 in UTC
	for _, c := range []struct {
		method, path string
		body         any
		at           string
	}{
		{"POST", prog + "/releases", map[string]any{"title": "x", "t0": late}, "$.t0"},
		{"PATCH", of, map[string]any{"t0": late}, "$.t0"},
		{"POST", of + "/move", map[string]any{"t0": late, "reason": "x"}, "$.t0"},
		{"POST", of + "/feedback", map[string]any{"kind": "protection", "product": "p", "type": "patch", "ready_at": early}, "$.ready_at"},
		{"POST", "/releases/rel_aaaaaaaaaaaaaaaa/feedback", map[string]any{"kind": "protection", "product": "p", "type": "patch", "ready_at": early}, "$.ready_at"},
		{"POST", of + "/feedback", map[string]any{"kind": "question", "text": "a\x00b"}, "$.text"},
		{"POST", of + "/feedback", map[string]any{"kind": "protection", "product": "p", "type": "patch", "regions": []string{"\x00"}}, "$.regions"},
		{"GET", prog + "/outcome?from=0000-01-01T00:00:00%2B12:00", nil, "query.from"},
		{"GET", prog + "/why?object=x&for=y&at=9999-12-31T23:59:59-12:00", nil, "query.at"},
		{"GET", "/releases/%00", nil, "path.release"},
	} {
		got := op.want(http.StatusUnprocessableEntity, c.method, c.path, c.body, "If-Match", "*")
		if !strings.Contains(got.body, `"path":"`+c.at+`"`) {
			t.Errorf("%s %s does not name %s: %s", c.method, c.path, c.at, got.body)
		}
	}
	if got := op.want(200, "GET", prog+"/releases", nil); strings.Count(got.body, `"id":`) != 1 {
		t.Errorf("something was stored: %s", got.body)
	}
	op.want(201, "POST", prog+"/releases", map[string]any{"title": "the last moment", "t0": "9999-12-31T23:59:59Z"})
}

// TestUnwritable has an instant in the record that JSON cannot write, from
// before it was refused: the list in which it stands is still given.
func TestUnwritable(t *testing.T) {
	d := open(t)
	op := d.as(t, testkit.Owner, exchange.VerbOperate)
	_, err := d.X.Releases.Create(t.Context(), exchange.System(), release.Draft{
		Program: testkit.Program, Title: "Beyond", T0: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Skipf("the room refuses it now: %v", err)
	}
	got := op.want(200, "GET", "/programs/"+string(testkit.Program)+"/releases", nil)
	if !strings.Contains(got.body, "Beyond") || strings.Contains(got.body, `"t0"`) {
		t.Errorf("the list is %s, want the release without its T0", got.body)
	}
}
