package taxii_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/format/stix/stixtest"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
)

// reply is an answer with its body.
type reply struct {
	*http.Response
	body string
}

func polls(t *testing.T, w *servertest.World, org exchange.OrgID) func(path string, headers ...string) reply {
	url, token := w.Serve(), w.Token(org)
	return func(path string, headers ...string) reply {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/taxii2/api/collections/early-warning/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Accept", "application/taxii+json;version=2.1")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply{res, errorID.ReplaceAllString(string(b), "")}
	}
}

var errorID = regexp.MustCompile(`"error_id":"[^"]*",`)

// A machine that may have a part of an object has a copy under an identifier of
// its own, at every endpoint, and of the original nothing at any.
func TestRedactedOverTAXII(t *testing.T) {
	w := servertest.New(t)
	t0 := w.Clock.Now().Add(30 * 24 * time.Hour)
	r := w.Draft("Redacted", t0)
	cut := servertest.Thing{
		ID: stixtest.ID("indicator", 800, 1), Grains: map[exchange.TLP][]string{exchange.TLPRed: {"description"}},
		More: `"name":"half","description":"CANARY","pattern":"[domain-name:value = 'a.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"`,
	}
	red := servertest.Thing{ID: stixtest.ID("malware", 800, 2), Label: exchange.TLPRed, More: `"name":"CANARY","is_family":true`}
	edge := servertest.Thing{
		ID:   stixtest.ID("relationship", 800, 3),
		More: fmt.Sprintf(`"relationship_type":"indicates","source_ref":%q,"target_ref":%q`, cut.ID, red.ID),
	}
	things := []servertest.Thing{cut, red, edge}
	art := w.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Graph(8, things...), servertest.Label(exchange.TLPAmber), func(in *submission.Input) {
		in.Handling.Persons = []exchange.PersonID{w.Reader(servertest.EarlyB).Person}
	})
	w.Grain(art, things...)
	w.Arm(r.ID)
	w.Clock.Set(t0)
	get := polls(t, w, servertest.EarlyA)

	page := get("objects/?match[type]=indicator,malware,relationship")
	var got struct {
		More    bool
		Objects []json.RawMessage
	}
	if err := json.Unmarshal([]byte(page.body), &got); err != nil || len(got.Objects) != 1 || got.More {
		t.Fatalf("%v: %s", err, page.body)
	}
	var o struct{ ID, Modified string }
	if err := json.Unmarshal(got.Objects[0], &o); err != nil || o.ID == cut.ID || !strings.HasPrefix(o.ID, "indicator--") {
		t.Fatalf("the copy is %s, %v", got.Objects[0], err)
	}
	first, last := page.Header["X-Taxii-Date-Added-First"], page.Header["X-Taxii-Date-Added-Last"]
	if len(first) != 1 || fmt.Sprint(first) != fmt.Sprint(last) {
		t.Errorf("dates of one object: %v, %v", first, last)
	}
	var m struct {
		Objects []struct {
			ID, Version string
			Added       string `json:"date_added"`
		}
	}
	manifest := get("manifest/?match[type]=indicator,malware,relationship")
	if err := json.Unmarshal([]byte(manifest.body), &m); err != nil || len(m.Objects) != 1 || m.Objects[0].ID != o.ID || m.Objects[0].Added != first[0] {
		t.Errorf("manifest: %s %v", manifest.body, err)
	}
	versions := get("objects/" + o.ID + "/versions/")
	if versions.StatusCode != http.StatusOK || !strings.Contains(versions.body, o.Modified) {
		t.Errorf("versions: %d %s", versions.StatusCode, versions.body)
	}
	for _, path := range []string{"objects/" + o.ID + "/", "objects/?match[id]=" + o.ID, "objects/?match[type]=indicator"} {
		one := get(path)
		if one.StatusCode != http.StatusOK || !strings.Contains(one.body, string(got.Objects[0])) {
			t.Errorf("%s: %d %s", path, one.StatusCode, one.body)
		}
		tag := one.Header.Get("Etag")
		if again := get(path, "If-None-Match", tag); tag == "" || again.StatusCode != http.StatusNotModified || again.body != "" {
			t.Errorf("%s: %d for the tag %q", path, again.StatusCode, tag)
		}
	}
	// What is withheld answers as what does not exist: status, headers, body.
	none := func(path, id string) reply { return get(strings.ReplaceAll(path, "ID", id)) }
	for _, path := range []string{"objects/ID/", "objects/ID/versions/", "objects/?match[id]=ID", "manifest/?match[id]=ID", "objects/ID/?added_after=2026-01-01T00:00:00Z"} {
		for _, th := range things {
			typ, _, _ := strings.Cut(th.ID, "--")
			is, would := none(path, th.ID), none(path, stixtest.ID(typ, 801, 1))
			if is.StatusCode != would.StatusCode || is.body != would.body || len(is.Header) != len(would.Header) || is.Header.Get("Etag") != would.Header.Get("Etag") {
				t.Errorf("%s of %s: %d %s, and %d %s of what does not exist", path, th.ID, is.StatusCode, is.body, would.StatusCode, would.body)
			}
		}
	}
	for _, answer := range []reply{page, manifest, versions} {
		for _, secret := range []string{"CANARY", cut.ID, red.ID, edge.ID} {
			if strings.Contains(answer.body, secret) || strings.Contains(fmt.Sprint(answer.Header), secret) {
				t.Errorf("%s in %s", secret, answer.body)
			}
		}
	}
}
