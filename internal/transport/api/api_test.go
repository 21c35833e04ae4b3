package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// caller is one client of the interface.
type caller struct {
	t     *testing.T
	url   string
	token string
	keys  *int
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil {
		t.Fatalf("not a JSON object (%v): %s", err, r.body)
	}
	return m
}

func (r reply) text(t *testing.T, key string) string {
	t.Helper()
	s, _ := r.json(t)[key].(string)
	return s
}

// call sends a request. A POST gets a key of its own unless headers give one;
// "Idempotency-Key", "" sends none.
func (c caller) call(method, path string, body any, headers ...string) reply {
	c.t.Helper()
	var in io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case string:
		in, kind = strings.NewReader(b), "application/octet-stream"
	case []byte:
		in, kind = bytes.NewReader(b), "application/octet-stream"
	default:
		text, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+"/api/v1"+path, in)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", kind)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if method == http.MethodPost {
		*c.keys++
		r.Header.Set("Idempotency-Key", fmt.Sprintf("key-%d", *c.keys))
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, string(text)}
}

func (c caller) want(status int, method, path string, body any, headers ...string) reply {
	c.t.Helper()
	r := c.call(method, path, body, headers...)
	if r.status != status {
		c.t.Fatalf("%s %s answered %d, want %d: %s", method, path, r.status, status, r.body)
	}
	return r
}

type desk struct {
	*servertest.World
	url  string
	keys int
}

func open(t *testing.T) *desk {
	w := servertest.New(t)
	return &desk{World: w, url: w.Serve()}
}

func (d *desk) as(t *testing.T, org exchange.OrgID, verbs ...exchange.Verb) caller {
	t.Helper()
	return caller{t, d.url, d.Token(org, verbs...), &d.keys}
}

// colleague signs in as a named person of the owner.
func (d *desk) colleague(t *testing.T, name string) caller {
	t.Helper()
	secret, _, err := d.X.Members.IssueToken(t.Context(), exchange.System(), membership.TokenRequest{
		Person: testkit.Person(testkit.Owner, name).ID, Name: name, Verbs: []exchange.Verb{exchange.VerbOperate}, TTL: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return caller{t, d.url, secret, &d.keys}
}

const bundle = `{"type":"bundle","id":"bundle--7a3b5c1e-6a0f-4d3e-9a51-0c8e7a1b2c3d","objects":[
 {"type":"indicator", "spec_version":"2.1","id":"indicator--3f1d2e4c-5b6a-4c7d-8e9f-0a1b2c3d4e5f","created":"2027-05-01T00:00:00.000Z","modified":"2027-05-01T00:00:00.000Z","pattern":"[file:name = 'a']","pattern_type":"stix","valid_from":"2027-05-01T00:00:00Z","x_odd":  1e2},
 {"type":"indicator","spec_version":"2.1","id":"indicator--4f1d2e4c-5b6a-4c7d-8e9f-0a1b2c3d4e5f","created":"2027-05-02T00:00:00.000Z","modified":"2027-05-02T00:00:00.000Z","pattern":"[file:name = 'b']","pattern_type":"stix","valid_from":"2027-05-02T00:00:00Z"}
]}`

// object is the first object of the bundle, byte for byte.
var object = bundle[strings.Index(bundle, `{"type":"indicator", `) : strings.Index(bundle, "1e2}")+4]

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// TestRelease is a release through the interface, from the draft to a member.
func TestRelease(t *testing.T) {
	d := open(t)
	op, member := d.as(t, testkit.Owner, exchange.VerbOperate), d.as(t, servertest.EarlyA)
	t0 := testkit.Start.AddDate(0, 0, 30)
	made := op.want(201, "POST", "/programs/"+string(testkit.Program)+"/releases", map[string]any{"title": "CVE-2027-1", "t0": t0})
	id, path := made.text(t, "id"), "/releases/"+made.text(t, "id")
	if got := made.header.Get("Location"); got != "/api/v1"+path {
		t.Errorf("Location is %q, want %q", got, "/api/v1"+path)
	}

	up := op.want(201, "POST", path+"/artifacts?class=detection-guidance&filename=guidance.json", bundle, "Content-Digest", digestOf(bundle))
	if n := up.json(t)["artifact"].(map[string]any)["objects"]; n != 2.0 {
		t.Errorf("the receipt counts %v objects, want 2", n)
	}
	again := op.want(200, "POST", path+"/artifacts?class=detection-guidance&filename=guidance.json", bundle)
	if again.json(t)["duplicate"] != true {
		t.Errorf("the same submission was not known again: %s", again.body)
	}

	tag := op.want(200, "GET", path, nil).header.Get("ETag")
	op.want(304, "GET", path, nil, "If-None-Match", tag)
	if r := op.want(428, "PATCH", path, map[string]any{"title": "x"}); r.text(t, "type") != "/problems/precondition-required" {
		t.Errorf("428 says %s", r.body)
	}
	stale := op.want(412, "PATCH", path, map[string]any{"title": "x"}, "If-Match", `"1"`)
	if stale.header.Get("ETag") != tag {
		t.Errorf("412 carries ETag %q, want the present one %q", stale.header.Get("ETag"), tag)
	}
	edited := op.want(200, "PATCH", path, map[string]any{"title": "CVE-2027-1, edited"}, "If-Match", tag)
	if edited.text(t, "title") != "CVE-2027-1, edited" || edited.header.Get("ETag") == tag {
		t.Errorf("the edit answered %s with ETag %s", edited.body, edited.header.Get("ETag"))
	}
	op.want(428, "POST", path+"/send", nil)
	op.want(412, "POST", path+"/send", nil, "If-Match", tag)

	pre := op.want(200, "GET", path+"/preview", nil).json(t)
	if len(pre["waves"].([]any)) == 0 || len(pre["blocks"].([]any)) != 0 {
		t.Fatalf("the preview shows no waves, or blocks: %v", pre)
	}
	sent := op.want(200, "POST", path+"/send", nil, "If-Match", "*").json(t)
	a := d.colleague(t, "approver-a")
	member.want(404, "POST", path+"/approve", map[string]any{"revision": sent["revision"]})
	armed := a.want(200, "POST", path+"/approve", map[string]any{"revision": sent["revision"]})
	if s := armed.text(t, "state"); s != "armed" {
		t.Fatalf("after the approval the release is %q", s)
	}

	objects := "/programs/" + string(testkit.Program) + "/objects"
	if got := member.want(200, "GET", objects, nil).body; strings.Contains(got, "indicator") {
		t.Fatalf("before its wave a member sees %s", got)
	}
	d.Clock.Set(t0.AddDate(0, 0, -1))
	member = d.as(t, servertest.EarlyA) // the old token has expired
	var page struct {
		More    bool              `json:"more"`
		Next    string            `json:"next"`
		Objects []json.RawMessage `json:"objects"`
		Entries []map[string]string
	}
	first := member.want(200, "GET", objects+"?limit=1", nil)
	if err := json.Unmarshal([]byte(first.body), &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Objects) != 1 || !page.More || string(page.Objects[0]) != object {
		t.Fatalf("the first page is %s, want the first object byte for byte", first.body)
	}
	second := member.want(200, "GET", objects+"?limit=1&cursor="+page.Next, nil)
	if strings.Contains(second.body, "indicator--3f1d") || !strings.Contains(second.body, "indicator--4f1d") || !strings.Contains(second.body, `"more":false`) {
		t.Errorf("the second page is %s", second.body)
	}
	one := member.want(200, "GET", objects+"/indicator--3f1d2e4c-5b6a-4c7d-8e9f-0a1b2c3d4e5f", nil)
	if !strings.HasSuffix(one.body, `"object":`+object+"}\n") || !json.Valid([]byte(one.body)) {
		t.Errorf("the object is answered as %s, want its bytes as submitted at the end", one.body)
	}
	if n := member.want(200, "GET", objects+"/count", nil).json(t)["count"]; n != 2.0 {
		t.Errorf("the member counts %v objects, want 2", n)
	}
	list := member.want(200, "GET", "/programs/"+string(testkit.Program)+"/releases", nil)
	if !strings.Contains(list.body, id) || !strings.Contains(list.body, `"view":"member"`) {
		t.Errorf("the member's list is %s", list.body)
	}
	for _, hidden := range []string{"waves", "approvals", "rules", "submitted_by", "revision"} {
		if strings.Contains(list.body, `"`+hidden+`"`) {
			t.Errorf("the member's list tells %q: %s", hidden, list.body)
		}
	}
}

// TestWithheld compares, address by address, what is withheld from a member
// with what does not exist: nothing but the request id may differ.
func TestWithheld(t *testing.T) {
	d := open(t)
	r := d.Draft("Withheld", testkit.Start.AddDate(0, 0, 60))
	guidance, poc, _ := d.Package(r.ID, 3)
	d.Arm(r.ID)
	const unknown = "abcdefghijklmnop"
	prog := "/programs/" + string(testkit.Program)
	var stix string
	for _, o := range d.objects(t, guidance.ID) {
		stix = o
	}
	pairs := []struct{ method, held, none string }{
		{"GET", "/releases/" + string(r.ID), "/releases/rel_" + unknown},
		{"GET", "/releases/" + string(r.ID) + "/preview", "/releases/rel_" + unknown + "/preview"},
		{"GET", "/releases/" + string(r.ID) + "/waves", "/releases/rel_" + unknown + "/waves"},
		{"GET", "/releases/" + string(r.ID) + "/holders", "/releases/rel_" + unknown + "/holders"},
		{"GET", "/releases/" + string(r.ID) + "/exposure", "/releases/rel_" + unknown + "/exposure"},
		{"GET", "/releases/" + string(r.ID) + "/artifacts", "/releases/rel_" + unknown + "/artifacts"},
		{"GET", "/releases/" + string(r.ID) + "/feedback", "/releases/rel_" + unknown + "/feedback"},
		{"GET", "/releases/" + string(r.ID) + "/outcome", "/releases/rel_" + unknown + "/outcome"},
		{"GET", "/releases/" + string(r.ID) + "/preview-as/" + string(servertest.EarlyA), "/releases/rel_" + unknown + "/preview-as/" + string(servertest.EarlyA)},
		{"GET", "/artifacts/" + string(poc.ID), "/artifacts/art_" + unknown},
		{"GET", "/artifacts/" + string(poc.ID) + "/content", "/artifacts/art_" + unknown + "/content"},
		{"GET", prog + "/objects/" + stix, prog + "/objects/" + stix[:len(stix)-4] + "ffff"},
		{"GET", prog + "/why?for=edr-a&object=" + stix, prog + "/why?for=edr-a&object=" + stix[:len(stix)-4] + "ffff"},
		{"DELETE", "/artifacts/" + string(poc.ID), "/artifacts/art_" + unknown},
		{"PATCH", "/releases/" + string(r.ID), "/releases/rel_" + unknown},
		{"POST", "/releases/" + string(r.ID) + "/send", "/releases/rel_" + unknown + "/send"},
		{"POST", "/releases/" + string(r.ID) + "/withdraw", "/releases/rel_" + unknown + "/withdraw"},
		{"POST", "/releases/" + string(r.ID) + "/move", "/releases/rel_" + unknown + "/move"},
		{"POST", "/releases/" + string(r.ID) + "/feedback", "/releases/rel_" + unknown + "/feedback"},
	}
	bodies := map[string]any{
		"/withdraw": map[string]any{"reason": "x"}, "/feedback": map[string]any{"kind": "acknowledged"},
		"/move": map[string]any{"reason": "x", "t0": testkit.Start},
	}
	for _, org := range []exchange.OrgID{servertest.EarlyA, servertest.Compelled, servertest.Unsigned, servertest.Outsider} {
		c := d.as(t, org, exchange.VerbRead, exchange.VerbFeedback, exchange.VerbOperate)
		for _, p := range pairs {
			t.Run(fmt.Sprintf("%s %s %s", org, p.method, p.none), func(t *testing.T) {
				var body any
				for suffix, b := range bodies {
					if p.method == "POST" && strings.HasSuffix(p.held, suffix) {
						body = b
					}
				}
				if p.method == "PATCH" {
					body = map[string]any{"title": "x"}
				}
				held, none := c.call(p.method, p.held, body, "If-Match", "*"), c.call(p.method, p.none, body, "If-Match", "*")
				if held.status != 404 {
					t.Errorf("what is withheld answers %d: %s", held.status, held.body)
				}
				if diff := cmp.Diff(plain(t, none), plain(t, held)); diff != "" {
					t.Errorf("what is withheld differs from what does not exist:\n%s", diff)
				}
			})
		}
	}
	// The same addresses do exist for those who run the program.
	op := d.as(t, testkit.Owner, exchange.VerbOperate)
	for _, p := range pairs {
		if p.method == "GET" && !strings.Contains(p.held, "/content") {
			if got := op.call("GET", p.held, nil); got.status != 200 {
				t.Errorf("the operator gets %d for %s: %s", got.status, p.held, got.body)
			}
		}
	}
}

// objects are the identifiers of an artifact's STIX objects.
func (d *desk) objects(t *testing.T, id exchange.ArtifactID) []string {
	t.Helper()
	all, err := d.X.Delivery.Objects(t.Context(), d.Operator, id, 0, 10)
	if err != nil || len(all) == 0 {
		t.Fatalf("the artifact has no objects: %v", err)
	}
	var ids []string
	for _, o := range all {
		ids = append(ids, o.ID)
	}
	return ids
}

// plain is an answer without what must differ between any two.
func plain(t *testing.T, r reply) any {
	t.Helper()
	h := maps.Clone(r.header)
	delete(h, "X-Request-Id")
	delete(h, "Date")
	m := r.json(t)
	delete(m, "instance")
	return []any{r.status, h, m}
}

// TestIdempotency repeats requests with one key.
func TestIdempotency(t *testing.T) {
	d := open(t)
	op := d.as(t, testkit.Owner, exchange.VerbOperate)
	path := "/programs/" + string(testkit.Program) + "/releases"
	body := map[string]any{"title": "Once", "t0": testkit.Start.AddDate(0, 1, 0)}
	op.want(400, "POST", path, body, "Idempotency-Key", "")
	first := op.want(201, "POST", path, body, "Idempotency-Key", "one")
	second := op.want(201, "POST", path, body, "Idempotency-Key", "one")
	if second.body != first.body || second.header.Get("Idempotency-Replayed") != "true" ||
		second.header.Get("ETag") != first.header.Get("ETag") || second.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("the repetition answered %v %s, want what was answered first, %s", second.header, second.body, first.body)
	}
	if r := op.want(422, "POST", path, map[string]any{"title": "Twice"}, "Idempotency-Key", "one"); strings.Contains(r.body, first.text(t, "id")) {
		t.Errorf("another request was told of the first: %s", r.body)
	}
	list := op.want(200, "GET", path, nil)
	if n := strings.Count(list.body, `"title":"Once"`); n != 1 {
		t.Errorf("%d releases were made, want 1", n)
	}
	// A refusal is not kept: it is answered by what holds when it is repeated.
	op.want(422, "POST", path, map[string]any{"title": ""}, "Idempotency-Key", "two")
	op.want(201, "POST", path, body, "Idempotency-Key", "two")
	// Another client's key is another key.
	other := d.colleague(t, "operator")
	if r := other.want(201, "POST", path, body, "Idempotency-Key", "one"); r.text(t, "id") == first.text(t, "id") {
		t.Error("a key of one client answered for another")
	}

	// At once: it is done once, and whoever comes in between is told to wait.
	replies := make([]reply, 8)
	var all sync.WaitGroup
	for i := range replies {
		mine := op
		mine.keys = new(int)
		all.Go(func() {
			replies[i] = mine.call("POST", path, map[string]any{"title": "At once", "t0": testkit.Start.AddDate(0, 1, 0)}, "Idempotency-Key", "race")
		})
	}
	all.Wait()
	for _, r := range replies {
		if r.status != 201 && r.status != 409 {
			t.Errorf("one of several at once was answered %d: %s", r.status, r.body)
		}
	}
	if n := strings.Count(op.want(200, "GET", path, nil).body, `"title":"At once"`); n != 1 {
		t.Errorf("%d releases were made at once, want 1", n)
	}

	artifacts := "/releases/" + first.text(t, "id") + "/artifacts?class=summary&filename=a.md"
	op.want(201, "POST", artifacts, "# A\n", "Idempotency-Key", "up", "Content-Digest", digestOf("# A\n"))
	op.want(201, "POST", artifacts, "# A\n", "Idempotency-Key", "up", "Content-Digest", digestOf("# A\n"))
	op.want(422, "POST", artifacts, "# B\n", "Idempotency-Key", "up", "Content-Digest", digestOf("# B\n"))

	admin := d.colleague(t, "admin")
	ask := map[string]any{"person": testkit.Person(testkit.Owner, "operator").ID, "name": "ci", "verbs": []string{"read"}}
	secret := admin.want(201, "POST", "/tokens", ask, "Idempotency-Key", "secret").text(t, "secret")
	if r := admin.want(409, "POST", "/tokens", ask, "Idempotency-Key", "secret"); secret == "" || strings.Contains(r.body, secret) {
		t.Errorf("the repetition of a token's issue answered %s", r.body)
	}
}

// TestSubmissionRefused hands in what must not be stored.
func TestSubmissionRefused(t *testing.T) {
	d := open(t)
	op := d.as(t, testkit.Owner, exchange.VerbOperate)
	r := d.Draft("Refused", testkit.Start.AddDate(0, 1, 0))
	path := "/releases/" + string(r.ID) + "/artifacts?class=detection-guidance&filename="
	const marker = "not-to-be-echoed"
	bad := strings.Replace(strings.Replace(bundle, `"2027-05-01T00:00:00.000Z","modified"`, `"`+marker+`","modified"`, 1), `"pattern_type":"stix","valid_from":"2027-05-02T00:00:00Z"`, `"valid_from":"2027-05-02T00:00:00Z"`, 1)
	refused := op.want(422, "POST", path+"bad.json", bad)
	paths := []string{}
	for _, e := range refused.json(t)["errors"].([]any) {
		paths = append(paths, e.(map[string]any)["path"].(string))
	}
	if !slices.Contains(paths, "$.objects[0].created") || !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, "$.objects[1]") }) {
		t.Errorf("the faults are at %v, want both objects by their JSON paths", paths)
	}
	if strings.Contains(refused.body, marker) {
		t.Errorf("the answer holds a value that was sent: %s", refused.body)
	}
	op.want(422, "POST", path+"wrong.json", bundle, "Content-Digest", digestOf("something else"))
	op.want(400, "POST", path+"odd.json", bundle, "Content-Digest", "sha-256=:x:")
	op.want(422, "POST", "/releases/"+string(r.ID)+"/artifacts?class="+marker+"&filename=a.md", "# A\n")
	op.want(422, "POST", path+"red.md&tlp="+marker, "# A\n")
	if got := op.want(200, "GET", "/releases/"+string(r.ID)+"/artifacts", nil).body; got != "{\"items\":[]}\n" {
		t.Errorf("something was stored: %s", got)
	}
	d.as(t, servertest.EarlyA, exchange.VerbSubmit).want(404, "POST", path+"a.json", bundle)
}

// TestNoEcho sends values to every place that checks one.
func TestNoEcho(t *testing.T) {
	d := open(t)
	op := d.as(t, testkit.Owner, exchange.VerbOperate)
	const marker = "s3cr3t-marker"
	prog := "/programs/" + string(testkit.Program)
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"GET", prog + "/objects?limit=" + marker, nil},
		{"GET", prog + "/objects?added_after=" + marker, nil},
		{"GET", prog + "/objects?cursor=" + marker, nil},
		{"GET", prog + "/objects?" + marker + "=1", nil},
		{"GET", "/organisations?after=" + marker, nil},
		{"POST", prog + "/releases", map[string]any{"title": "x", "t0": marker}},
		{"POST", prog + "/releases", map[string]any{"title": "x", "unknown": marker}},
		{"POST", prog + "/releases", map[string]any{"title": 1, "message": marker, "t0": 1}},
		{"POST", prog + "/releases", marker + "{"},
		{"POST", "/organisations/example-psirt/people", map[string]any{"login": "x", "roles": []string{marker}}},
		{"POST", "/tokens", map[string]any{"person": "x", "name": "x", "verbs": []string{marker}}},
		{"PUT", prog + "/charter", `title = ` + marker},
	} {
		r := op.call(c.method, c.path, c.body, "If-Match", "*", "Content-Type", map[bool]string{true: "application/toml", false: "application/json"}[c.method == "PUT"])
		if r.status < 400 || r.status >= 500 {
			t.Errorf("%s %s answered %d: %s", c.method, c.path, r.status, r.body)
		}
		if strings.Contains(r.body, marker) && !strings.Contains(c.path, "?"+marker) {
			t.Errorf("%s %s echoes the value: %s", c.method, c.path, r.body)
		}
		if r.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s answers %q", c.method, c.path, r.header.Get("Content-Type"))
		}
	}
}

// TestContent gives bytes in ranges, and nothing to those who may not.
func TestContent(t *testing.T) {
	d := open(t)
	r := d.Draft("Bytes", testkit.Start.AddDate(0, 0, 20))
	_, poc, summary := d.Package(r.ID, 2)
	d.Arm(r.ID)
	d.Clock.Set(r.Plan.T0.Add(time.Hour))
	if err := d.X.Releases.OpenDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := d.as(t, servertest.Late)
	path := "/artifacts/" + string(summary.ID) + "/content"
	whole := c.want(200, "GET", path, nil)
	if got := digestOf(whole.body); got != "sha-256=:"+base64Hex(t, summary.SHA256)+":" || whole.header.Get("ETag") != `"`+summary.SHA256+`"` {
		t.Errorf("the bytes have the digest %s and ETag %s, want %s", got, whole.header.Get("ETag"), summary.SHA256)
	}
	if got := c.want(206, "GET", path, nil, "Range", "bytes=2-8"); got.body != whole.body[2:9] {
		t.Errorf("bytes 2-8 are %q, want %q", got.body, whole.body[2:9])
	}
	c.want(304, "GET", path, nil, "If-None-Match", `"`+summary.SHA256+`"`)
	if whole.header.Get("Content-Disposition") == "" || strings.Contains(whole.header.Get("Content-Type"), "html") {
		t.Errorf("the bytes could run in a browser: %v", whole.header)
	}
	d.as(t, servertest.Compelled).want(404, "GET", "/artifacts/"+string(poc.ID)+"/content", nil)
}

func base64Hex(t *testing.T, s string) string {
	t.Helper()
	var b []byte
	if _, err := fmt.Sscanf(s, "%x", &b); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// TestSignIn answers strangers alike everywhere.
func TestSignIn(t *testing.T) {
	d := open(t)
	nobody := caller{t, d.url, "", &d.keys}
	for _, path := range []string{"/me", "/programs", "/no-such-thing", "/releases/rel_abcdefghijklmnop"} {
		r := nobody.want(401, "GET", path, nil)
		if len(r.header.Values("WWW-Authenticate")) == 0 || r.text(t, "type") != "/problems/sign-in-required" {
			t.Errorf("%s answers a stranger %v %s", path, r.header, r.body)
		}
	}
	nobody.want(401, "GET", "/me", nil, "Cookie", "fw="+strings.Repeat("a", 52))
	c := d.as(t, servertest.EarlyA)
	if c.want(200, "GET", "/me", nil).text(t, "organisation") != string(servertest.EarlyA) {
		t.Error("me is somebody else")
	}
	c.want(404, "GET", "/no-such-thing", nil)
	if _, err := d.X.Members.SuspendOrganisation(t.Context(), d.Admin, servertest.EarlyA, "a test"); err != nil {
		t.Fatal(err)
	}
	c.want(401, "GET", "/me", nil)
	doc, err := http.Get(d.url + "/api/v1/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	doc.Body.Close()
	if doc.StatusCode != 200 {
		t.Errorf("openapi.json answers %d", doc.StatusCode)
	}
	for _, slug := range []string{"not-found", "invalid", "embargoed", "precondition-required"} {
		res, err := http.Get(d.url + "/problems/" + slug)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("the problem %s is not explained: %d", slug, res.StatusCode)
		}
	}
}
