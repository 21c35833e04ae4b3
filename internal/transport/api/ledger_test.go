package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/taxii"
	"github.com/forewarn-exchange/forewarn/verify"
)

// Answers name the entries that their request recorded, also when they are repeated;
// what those who are no party get is the answer to a number that nobody has.
func TestAnswersNameTheirEntries(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Case", time.Date(2027, time.July, 15, 16, 0, 0, 0, time.UTC))
	art := w.Submit(r.ID, exchange.DetectionGuidance, "one.json", servertest.Bundle(3, 1))
	w.Arm(r.ID)
	w.Clock.Set(time.Date(2027, time.July, 12, 17, 0, 0, 0, time.UTC))
	base := w.Serve()
	as := func(org exchange.OrgID) caller {
		verbs := []exchange.Verb{exchange.VerbRead}
		if org == testkit.Owner {
			verbs = []exchange.Verb{exchange.VerbOperate}
		}
		return caller{t: t, url: base, token: w.Token(org, verbs...), keys: new(int)}
	}
	operator, member, other := as(testkit.Owner), as(servertest.EarlyA), as(servertest.EarlyB)

	body := map[string]any{"title": "Another", "t0": "2027-09-16T16:00:00Z"}
	path := "/programs/" + string(testkit.Program) + "/releases"
	first := operator.call("POST", path, body, "Idempotency-Key", "once")
	again := operator.call("POST", path, body, "Idempotency-Key", "once")
	entry := first.header.Get("Forewarn-Entry")
	if first.status != 201 || entry == "" || strings.Contains(entry, ",") || again.header.Get("Forewarn-Entry") != entry || again.header.Get("Idempotency-Replayed") == "" {
		t.Errorf("%d %v, repeated %d %v", first.status, first.header, again.status, again.header)
	}
	for _, res := range []reply{first, again} {
		if links := res.header.Values("Link"); len(links) != 1 || links[0] != "</api/v1/ledger/entries/"+entry+`/receipt>; rel="receipt"` {
			t.Errorf("links %q", links)
		}
	}
	if res := operator.call("GET", "/me", nil); res.header.Get("Forewarn-Entry") != "" {
		t.Errorf("what records nothing names %v", res.header)
	}
	if res := operator.call("POST", path, map[string]any{"title": ""}, "Idempotency-Key", "refused"); res.status < 400 || res.header.Get("Forewarn-Entry") != "" {
		t.Errorf("%d %v", res.status, res.header)
	}

	given := member.call("GET", "/artifacts/"+string(art.ID)+"/content", nil)
	entry = given.header.Get("Forewarn-Entry")
	if given.status != 200 || entry == "" {
		t.Fatalf("%d %v", given.status, given.header)
	}
	if res := as(servertest.Outsider).call("GET", "/artifacts/"+string(art.ID)+"/content", nil); res.status != 404 || res.header.Get("Forewarn-Entry") != "" {
		t.Errorf("%d %v", res.status, res.header)
	}

	page := taxiiPage(t, base, w.Token(servertest.EarlyB))
	if page.StatusCode != 200 || page.Header.Get("Forewarn-Entry") == "" {
		t.Errorf("TAXII: %d %v", page.StatusCode, page.Header)
	}

	receipt := member.call("GET", "/ledger/entries/"+entry+"/receipt", nil)
	parsed, err := verify.ParseReceipt([]byte(receipt.body))
	if err != nil {
		t.Fatal(err)
	}
	keys, _ := member.call("GET", "/ledger", nil).json(t)["keys"].([]any)
	if _, err := parsed.Verify([]string{keys[0].(string)}, nil); err != nil || !strings.Contains(string(parsed.Opening.Event), string(art.ID)) {
		t.Error(err)
	}
	if res := member.call("GET", "/ledger/entries/"+entry+"/receipt", nil, "If-None-Match", receipt.header.Get("ETag")); res.status != http.StatusNotModified {
		t.Errorf("%d", res.status)
	}
	if res := member.call("GET", "/ledger/entries/"+entry+"/receipt?format=proof", nil); !strings.HasPrefix(res.body, "c2sp.org/tlog-proof@v1\n") {
		t.Errorf("%d %s", res.status, res.body)
	}
	for _, suffix := range []string{"", "/receipt", "/objects/indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"} {
		res, none := other.call("GET", "/ledger/entries/"+entry+suffix, nil), other.call("GET", "/ledger/entries/99999999"+suffix, nil)
		same := strings.ReplaceAll(res.body, res.text(t, "instance"), none.text(t, "instance"))
		if res.status != 404 || none.status != 404 || same != none.body {
			t.Errorf("%s: %d %s, unknown: %d %s", suffix, res.status, res.body, none.status, none.body)
		}
	}
	if res := other.call("GET", "/ledger/entries?subject="+string(art.ID)+"&kind=artifact.download", nil); res.status != 200 || strings.Contains(res.body, entry) {
		t.Errorf("%d %s", res.status, res.body)
	}
	for _, bad := range []string{"/ledger/entries/0", "/ledger/entries/x", "/ledger/entries?limit=5000", "/ledger/entries?from=yesterday", "/ledger/entries/1/receipt?format=pdf"} {
		if res := operator.call("GET", bad, nil); res.status != 422 {
			t.Errorf("%s: %d %s", bad, res.status, res.body)
		}
	}
	if res := other.call("GET", "/programs/"+string(testkit.Program)+"/evidence", nil); res.status != 404 {
		t.Errorf("%d", res.status)
	}
	bundle := operator.call("GET", "/programs/"+string(testkit.Program)+"/evidence", nil)
	if _, err := verify.VerifyBundle(strings.NewReader(bundle.body), []string{keys[0].(string)}, nil); err != nil || bundle.header.Get("Content-Type") != "application/x-tar" {
		t.Errorf("%v %v", err, bundle.header)
	}
}

func taxiiPage(t *testing.T, base, token string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+taxii.Root+"collections/"+delivery.CollectionID(testkit.Program)+"/objects/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/taxii+json;version=2.1")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res
}
