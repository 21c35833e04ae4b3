package api_test

import (
	"net/http"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// HEAD gives nothing, so it is not answered and nothing is recorded as given.
func TestHeadGivesNothing(t *testing.T) {
	w := servertest.New(t)
	r := w.Draft("Heads", w.Clock.Now().AddDate(0, 0, 1))
	guidance, _, _ := w.Package(r.ID, 3)
	w.Arm(r.ID)
	w.Clock.Set(w.Clock.Now().AddDate(0, 0, 2))
	url, token := w.Serve(), w.Token(servertest.EarlyA)
	for _, path := range []string{"/api/v1/artifacts/" + string(guidance.ID) + "/content", "/api/v1/programs/early-warning/objects"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("HEAD %s answered %d", path, resp.StatusCode)
		}
	}
	es, err := w.X.Record.Events(t.Context(), w.Operator, record.EventFilter{Program: testkit.Program, Release: r.ID})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		if e.Kind == exchange.EventPageServed || e.Kind == exchange.EventArtifactDownloaded {
			t.Errorf("HEAD was recorded as %s", e.Kind)
		}
	}
}
