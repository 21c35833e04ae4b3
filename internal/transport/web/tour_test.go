package web_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/config"
	"github.com/forewarn-exchange/forewarn/internal/demo"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// tuesday is when the demonstration is told.
var tuesday = time.Date(2026, time.November, 24, 9, 30, 0, 0, time.UTC)

// demonstration is an exchange with the demonstration program, and its address.
func demonstration(t *testing.T) (*server.Server, demo.Ready) {
	t.Helper()
	clock := demo.NewClock(func() time.Time { return tuesday })
	s, err := server.Open(t.Context(), server.Options{Data: t.TempDir(), Config: config.Default(), Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewUnstartedServer(nil)
	s.SetURL("http://" + h.Listener.Addr().String())
	r, err := demo.Seed(t.Context(), s, clock)
	if err != nil {
		t.Fatal(err)
	}
	h.Config.Handler = s.Handler()
	h.Start()
	t.Cleanup(func() { h.Close(); _ = s.Close() })
	return s, r
}

// stops are the pages of one visitor.
type stops struct {
	account string // empty: nobody signs in
	paths   []string
}

// itinerary lists every page of the demonstration, for each kind of visitor.
func itinerary(t *testing.T, s *server.Server, r demo.Ready) []stops {
	t.Helper()
	p := "/programs/" + string(demo.Program)
	rs, err := s.Exchange.Releases.List(t.Context(), exchange.System(), demo.Program)
	if err != nil {
		t.Fatal(err)
	}
	staff := []string{"/", "/programs", p, p + "/outcome", p + "/releases", p + "/releases/new", p + "/objects", p + "/held", "/releases", "/organisations", "/connections", "/webhooks", "/notices", "/acting", "/help/keys", "/ledger", "/ledger/evidence", "/nowhere"}
	var public string
	for _, rel := range rs {
		staff = append(staff, "/releases/"+string(rel.ID))
		if !rel.PublicAt.IsZero() {
			public = "/public/releases/" + string(rel.ID)
		}
	}
	early, _ := r.Account("early")
	org := "/organisations/" + string(early.Organisation)
	staff = append(staff, org, org+"/suspend")
	actor, err := s.Authn.Bearer(t.Context(), early.Token, exchange.ChannelAPI)
	if err != nil {
		t.Fatal(err)
	}
	member := []string{"/", "/programs", p, p + "/outcome", p + "/releases", p + "/objects", p + "/objects?q=spool", org, "/connections", "/notices", "/acting", "/ledger", "/nowhere"}
	given, err := s.Exchange.Delivery.Releases(context.WithoutCancel(t.Context()), actor, demo.Program)
	if err != nil || len(given) == 0 {
		t.Fatal(given, err)
	}
	for _, g := range given {
		member = append(member, "/releases/"+string(g.ID), "/artifacts/"+string(g.Items[0].Artifact.ID))
	}
	staff = append(staff, "/releases/"+string(given[0].ID)+"/as?org="+string(early.Organisation), "/artifacts/"+string(given[0].Items[0].Artifact.ID))
	es, _, err := s.Exchange.Delivery.Manifest(t.Context(), actor, demo.Program, delivery.Query{Limit: 200})
	if err != nil || len(es) == 0 {
		t.Fatal(es, err)
	}
	seen := map[string]bool{}
	why := p + "/why?for=" + string(early.Organisation) + "&item="
	staff = append(staff, p+"/why", why+es[0].ID, p+"/objects/"+es[0].ID+"/holders", "/artifacts/"+string(given[0].Items[0].Artifact.ID)+"/holders",
		"/releases/"+string(given[0].ID)+"/as/"+string(early.Organisation))
	member = append(member, p+"/why", why+es[0].ID, p+"/objects/"+es[0].ID+"/holders")
	for _, e := range es {
		if !seen[e.Type] && (e.Type == "indicator" || e.Type == "relationship") {
			seen[e.Type] = true
			member = append(member, p+"/objects/"+e.ID)
			staff = append(staff, p+"/objects/"+e.ID)
		}
	}
	return []stops{
		{"", []string{"/sign-in", "/sign-in?code=wrong", "/public", public, "/ledger", "/nowhere", "/help/keys"}},
		{"operator", staff},
		{"approver", []string{"/", "/releases/" + string(rs[0].ID)}},
		{"auditor", []string{"/", p, p + "/objects", "/releases/" + string(rs[0].ID), org}},
		{"early", append(member, "/programs/"+string(demo.Community), "/programs/"+string(demo.Community)+"/objects", "/programs/"+string(demo.DropBox)+"/objects")},
		{"at-release", []string{"/", p + "/objects"}},
	}
}

// TestTour opens every page of the demonstration for every kind of visitor: axe
// finds nothing in light and dark, wide and narrow, the content policy refuses
// nothing, and no page is a fault that should not be one.
func TestTour(t *testing.T) {
	source := axe(t)
	browser := chrome(t)
	s, r := demonstration(t)
	only := os.Getenv("FOREWARN_TEST_FIXTURE")
	for _, stop := range itinerary(t, s, r) {
		b := open(t, browser)
		if stop.account != "" {
			a, ok := r.Account(stop.account)
			if !ok {
				t.Fatalf("no account %s", stop.account)
			}
			b.navigate(a.SignIn)
			if got := eval[string](b, "location.pathname"); got != "/" {
				t.Fatalf("%s is led to %s by the link", stop.account, got)
			}
		}
		for n, path := range stop.paths {
			name := fmt.Sprintf("%s-%02d%s", stop.account, n, strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(path))
			if !strings.HasPrefix(name, only) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				b.t = t
				b.look(1280, "light")
				b.navigate(s.Exchange.URL + path)
				for _, width := range []int64{1280, 320} {
					for _, scheme := range []string{"light", "dark"} {
						b.look(width, scheme)
						if h1 := eval[string](b, `document.querySelector("h1")?.textContent ?? ""`); (h1 == "Not found") != (path == "/nowhere") || h1 == "Internal error" || h1 == "" {
							t.Fatalf("%s is headed %q", path, h1)
						}
						b.accessible(source, fmt.Sprintf("%s %s %d", path, scheme, width))
						b.unrefused(path)
						if width == 1280 == (scheme == "light") {
							b.shot(fmt.Sprintf("%s-%d", name, width))
						}
					}
				}
			})
		}
	}
}
