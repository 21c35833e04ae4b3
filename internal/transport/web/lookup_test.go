package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

var noNonce = regexp.MustCompile(`nonce="[^"]*"`)

// What is withheld gives the page that the unknown gives, apart from the values
// as they were typed; what is given is linked; the anonymous sign in.
func TestLookup(t *testing.T) {
	s := newSite(t)
	t0 := testkit.Start.AddDate(0, 0, 30)
	r := s.Draft("Look up", t0)
	s.Submit(r.ID, exchange.DetectionGuidance, "g.json", servertest.Marked(9, ""))
	s.Arm(r.ID)
	const value, other = "marked-9-0[.]example", "marked-9-1[.]example"
	early := s.client(t, servertest.EarlyA, "analyst")
	ask := func(c *client, v string) string {
		t.Helper()
		status, text := c.post("/lookup", "values", v+"\nmore.example")
		if status != http.StatusOK {
			t.Fatalf("%d: %s", status, text)
		}
		return text
	}
	plain := func(text, v string) string {
		return strings.ReplaceAll(noNonce.ReplaceAllString(text, ""), v, "VALUE")
	}
	withheld := ask(early, value)
	if plain(withheld, value) != plain(ask(early, other), other) || !strings.Contains(withheld, "0 of 2 values known") {
		t.Errorf("withheld differs from unknown: %s", withheld)
	}
	s.Clock.Set(t0)
	early, outside := s.client(t, servertest.EarlyA, "analyst"), s.client(t, servertest.Outsider, "analyst")
	given := ask(early, value)
	for _, part := range []string{"1 of 2 values known", "/objects/" + servertest.MarkedID(9, 0), "/releases/" + string(r.ID), "Marked 9-0"} {
		if !strings.Contains(given, part) {
			t.Errorf("%q is not on the page", part)
		}
	}
	if text := ask(outside, value); strings.Contains(text, "Marked 9-0") || strings.Contains(text, string(r.ID)) {
		t.Errorf("an outsider sees %s", text)
	}
	for _, values := range []string{"", " \n ", strings.Repeat("a\n", 1001)} {
		if status, text := early.post("/lookup", "values", values); status != http.StatusUnprocessableEntity {
			t.Errorf("%d: %.200s", status, text)
		}
	}
	if _, text := early.get("/lookup"); !strings.Contains(text, `name="values"`) {
		t.Error("the form is missing")
	}
	nobody := &client{t, s.url, &http.Client{}}
	if _, text := nobody.get("/lookup"); strings.Contains(text, `name="values"`) {
		t.Error("nobody is asked to sign in")
	}
}
