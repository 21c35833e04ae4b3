package recall_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
)

// A client of TAXII polls, something is recalled, and it polls on.
func TestRecallByTAXII(t *testing.T) {
	w := newWorld(t, 5)
	url := w.Serve()
	get := func(org exchange.OrgID, query string) (status int, out struct{ Objects []object }) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/taxii2/api/collections/early-warning/objects/"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+w.Token(org))
		req.Header.Set("Accept", "application/taxii+json;version=2.1")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, out
	}
	if _, page := get(servertest.EarlyA, ""); len(page.Objects) != 5 || page.Objects[0].Revoked {
		t.Fatalf("before: %+v", page)
	}
	w.issue(w.Operator, recall.Act{Kind: recall.Recalled, Artifact: w.guidance.ID})
	for _, query := range []string{"", "?match[version]=all", "?added_after=" + w.Clock.Now().Add(-time.Second).Format(time.RFC3339)} {
		status, page := get(servertest.EarlyA, query)
		if status != http.StatusOK || len(page.Objects) == 0 {
			t.Errorf("%q: %d, %d objects", query, status, len(page.Objects))
		}
		for _, o := range page.Objects {
			if !o.Revoked {
				t.Errorf("%q: %s is not revoked", query, o.ID)
			}
		}
		if _, page := get(servertest.EarlyB, query); len(page.Objects) != 0 {
			t.Errorf("%q: EarlyB, which never polled, is given %d objects", query, len(page.Objects))
		}
	}
}
