package acceptance

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// Who only writes reads through no channel: neither what others wrote nor what
// it wrote itself, nor that there is any of it.
func TestDropBox(t *testing.T) {
	w := servertest.New(t)
	c := testkit.Charter()
	c.ContentClasses, c.Rules = nil, nil
	c.Contributions = exchange.Contributions{From: []exchange.CohortID{"early", "standard"}, To: []exchange.CohortID{"early"}}
	if _, err := w.X.Programs.Apply(t.Context(), w.Operator, c.TOML(), false); err != nil {
		t.Fatal(err)
	}
	const mark = "drop-box-content"
	object := `{"type":"indicator","spec_version":"2.1","id":"indicator--2f3a9f6e-3a1c-4a63-8a3a-0b8f2d9f1a11","created":"2027-05-02T00:00:00.000Z","modified":"2027-05-02T00:00:00.000Z","name":"` + mark + `","indicator_types":["malicious-activity"],"pattern":"[domain-name:value = 'drop.example']","pattern_type":"stix","valid_from":"2027-05-02T00:00:00Z"}`
	url := w.Serve()
	ask := func(org exchange.OrgID, method, path, body string) (int, string) {
		t.Helper()
		r, _ := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+w.Token(org, exchange.VerbRead, exchange.VerbSubmit, exchange.VerbOperate))
		if body != "" {
			r.Header.Set("Content-Type", "application/taxii+json;version=2.1")
			if strings.HasPrefix(path, "/api/") {
				r.Header.Set("Content-Type", "application/json")
			}
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	const root, api = "/taxii2/api/collections/early-warning/", "/api/v1/"
	if code, body := ask(servertest.Standard, "POST", root+"objects/", `{"objects":[`+object+`]}`); code != 202 || !strings.Contains(body, `"success_count":1`) {
		t.Fatalf("writing: %d %s", code, body)
	}
	id := "indicator--2f3a9f6e-3a1c-4a63-8a3a-0b8f2d9f1a11"
	for _, path := range []string{
		root + "objects/", root + "manifest/", root + "objects/" + id + "/", root + "objects/" + id + "/versions/",
		api + "programs/early-warning/objects/" + id, api + "programs/early-warning/search?q=" + id, api + "programs/early-warning/stream",
		api + "programs/early-warning/releases",
	} {
		code, body := ask(servertest.Standard, "GET", path, "")
		if strings.Contains(body, mark) || strings.Contains(body, `"`+id+`"`) || strings.Contains(path, "taxii") && code != 403 {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	for _, values := range []string{`{"values":["drop.example"]}`} {
		if _, body := ask(servertest.Standard, "POST", api+"lookup", values); strings.Contains(body, id) || strings.Contains(body, mark) {
			t.Errorf("look-up: %s", body)
		}
	}
	if _, err := w.X.Webhooks.Add(t.Context(), w.Reader(servertest.Standard), webhook.Request{Program: testkit.Program, URL: "https://hooks.example/x"}); exchange.KindOf(err) != exchange.NotFound {
		t.Errorf("a webhook for who cannot read: %v", err)
	}
	// Who may read does, at once, in every channel.
	for _, path := range []string{root + "objects/", root + "objects/" + id + "/", api + "programs/early-warning/objects/" + id, api + "programs/early-warning/search?q=" + id} {
		if code, body := ask(servertest.EarlyA, "GET", path, ""); code != 200 || !strings.Contains(body, id) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if code, body := ask(servertest.EarlyA, "POST", api+"lookup", `{"values":["drop.example"]}`); code != 200 || !strings.Contains(body, id) {
		t.Errorf("look-up: %d %s", code, body)
	}
	if code, _ := ask(servertest.Outsider, "GET", root, ""); code != 404 {
		t.Errorf("an outsider knows of the collection: %d", code)
	}
}
