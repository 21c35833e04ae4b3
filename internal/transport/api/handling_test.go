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

// TestHandling holds that the names of a handling are looked up, and that its
// expiry is taken, shown to operator and member, and kept.
func TestHandling(t *testing.T) {
	d := open(t)
	r := d.Draft("Handling", testkit.Start.AddDate(0, 0, 30))
	op := d.as(t, testkit.Owner, exchange.VerbOperate)
	post := func(status int, query string) reply {
		t.Helper()
		return op.want(status, "POST", "/releases/"+string(r.ID)+"/artifacts?class=detection-guidance&filename=a.json"+query, bundle)
	}
	bad := post(422, "&not_in=de,GER&not_organisation=edr-z&organisation=edr-a,edr-z&tlp=red&person=nobody@edr-a&expires=2027-06-01T08:00:00Z")
	var problem struct {
		Errors []struct {
			Path string `json:"path"`
		} `json:"errors"`
	}
	if err := json.Unmarshal([]byte(bad.body), &problem); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, e := range problem.Errors {
		paths = append(paths, e.Path)
	}
	want := []string{"handling.organisations[1]", "handling.not_organisations[0]", "handling.not_in[1]", "handling.persons[0]", "handling.expires"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("%s: %s", bad.body, diff)
	}
	post(422, "&expires=tomorrow")
	expires := testkit.Start.AddDate(0, 0, 29).Add(time.Hour)
	good := post(201, "&not_in=xb&expires="+expires.Format(time.RFC3339))
	var got struct {
		Artifact struct {
			ID       string         `json:"id"`
			Expires  time.Time      `json:"expires_at"`
			Handling map[string]any `json:"handling"`
		} `json:"artifact"`
	}
	if err := json.Unmarshal([]byte(good.body), &got); err != nil {
		t.Fatal(err)
	}
	if !got.Artifact.Expires.Equal(expires) || cmp.Diff([]any{"XB"}, got.Artifact.Handling["not_in"]) != "" {
		t.Errorf("%s", good.body)
	}
	d.Arm(r.ID)
	d.Clock.Set(testkit.Start.AddDate(0, 0, 29))
	member := d.as(t, servertest.EarlyA)
	if text := member.want(200, "GET", "/artifacts/"+got.Artifact.ID, nil).text(t, "expires_at"); text != expires.Format(time.RFC3339) {
		t.Errorf("a member sees %q", text)
	}
	d.Clock.Set(expires)
	member = d.as(t, servertest.EarlyA)
	member.want(404, "GET", "/artifacts/"+got.Artifact.ID, nil)
}

// TestMicroseconds holds that no time is shown finer than the stores keep it,
// and that a link for repeated use cannot be asked for.
func TestMicroseconds(t *testing.T) {
	d := open(t)
	r := d.Draft("Fine", testkit.Start.AddDate(0, 0, 30))
	guidance, _, _ := d.Package(r.ID, 1)
	d.Clock.Set(testkit.Start.Add(123456789 * time.Nanosecond))
	op, admin := d.as(t, testkit.Owner, exchange.VerbOperate), d.colleague(t, "admin")
	link := "/people/" + string(testkit.Person(servertest.EarlyA, "analyst").ID) + "/links"
	if got := admin.want(201, "POST", link, map[string]any{}).text(t, "expires_at"); got != "2027-06-01T08:15:00.123456Z" {
		t.Errorf("the link expires at %s", got)
	}
	if refused := admin.want(422, "POST", link, map[string]any{"reusable": true}); strings.Contains(refused.body, "code=") {
		t.Error(refused.body)
	}
	why := "/programs/" + string(testkit.Program) + "/why?for=edr-a&object=" + string(guidance.ID)
	if got := op.want(200, "GET", why, nil).text(t, "at"); got != "2027-06-01T08:00:00.123456Z" {
		t.Errorf("asked at %s", got)
	}
	if got := op.want(200, "GET", why+"&at=2027-06-02T08:00:00.123456789Z", nil).text(t, "at"); got != "2027-06-02T08:00:00.123456Z" {
		t.Errorf("asked for %s", got)
	}
}

// TestHiddenCounts holds that what few stand behind is absent for a member and
// marked as hidden, never 0; for who oversees the program it is there.
func TestHiddenCounts(t *testing.T) {
	d := open(t)
	r := d.Draft("Outcome", testkit.Start.AddDate(0, 0, 30))
	d.Package(r.ID, 1)
	d.Arm(r.ID)
	d.Clock.Set(testkit.Start.AddDate(0, 0, 31))
	if err := d.X.Releases.OpenDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := "/releases/" + string(r.ID) + "/outcome"
	type entry struct {
		ID     string `json:"id"`
		State  string `json:"state"`
		Count  *int   `json:"count"`
		N      *int   `json:"n"`
		Of     *int   `json:"of"`
		Hidden bool   `json:"hidden"`
		NoData bool   `json:"no_data"`
	}
	read := func(c caller) (out struct {
		Offered  *int    `json:"offered"`
		Answered *int    `json:"answered"`
		Hidden   bool    `json:"hidden"`
		Reached  []entry `json:"reached"`
		Measures []entry `json:"measures"`
		Cases    []struct {
			Offered *int `json:"offered"`
			Hidden  bool `json:"hidden"`
		} `json:"cases"`
	},
	) {
		t.Helper()
		if err := json.Unmarshal([]byte(c.want(200, "GET", path, nil).body), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	op := d.as(t, testkit.Owner, exchange.VerbOperate)
	give := "/releases/" + string(r.ID) + "/feedback"
	d.as(t, servertest.EarlyA).want(201, "POST", give, map[string]any{"kind": "acknowledged"})
	whole := read(op)
	if whole.Hidden || whole.Offered == nil || whole.Answered == nil || len(whole.Cases) != 1 || whole.Cases[0].Offered == nil || len(whole.Reached) == 0 {
		t.Errorf("the operator sees %+v", whole)
	}
	for _, s := range append(whole.Reached, whole.Measures...) {
		if s.Hidden || s.State != "" && s.ID == "" && s.Count == nil || s.ID != "" && (s.N == nil || s.Of == nil) {
			t.Errorf("the operator sees %+v", s)
		}
	}
	part := read(d.as(t, servertest.Late))
	if !part.Hidden || part.Offered != nil || part.Answered != nil || !part.Cases[0].Hidden || part.Cases[0].Offered != nil {
		t.Errorf("a member sees %+v", part)
	}
	for _, s := range part.Reached {
		if !s.Hidden || s.Count != nil {
			t.Errorf("a member sees %+v", s)
		}
	}
	for _, s := range part.Measures {
		if (s.Hidden || s.NoData) && (s.N != nil || s.Of != nil) {
			t.Errorf("a member sees %+v", s)
		}
	}
}
