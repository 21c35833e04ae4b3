package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// TestConnections connects a machine by the forms, from the empty page to its
// end, and shows that nobody else sees it.
func TestConnections(t *testing.T) {
	s := newSite(t)
	r := s.Draft(storyTitle, testkit.Start.AddDate(0, 0, 2))
	s.Package(r.ID, 5)
	s.Arm(r.ID)
	s.Clock.Set(testkit.Start.AddDate(0, 0, 1).Add(12 * time.Hour))
	if err := s.X.Releases.OpenDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := s.client(t, servertest.EarlyA, "analyst")
	if status, body := c.get("/connections"); status != http.StatusOK || !strings.Contains(body, "Connect the first one") {
		t.Errorf("the empty page: %d\n%s", status, words(body))
	}
	if status, body := c.post("/connections", "client", "curl", "name", "siem-prod", "days", "0x"); status != http.StatusOK || !strings.Contains(body, "shown only now") {
		t.Errorf("days that are no number stand for the usual ones: %d", status)
	}
	if status, body := c.post("/connections", "client", "netscape", "name", "kept", "days", "30"); status != http.StatusUnprocessableEntity || !strings.Contains(body, `value="kept"`) {
		t.Errorf("an unknown client: %d; what was typed must stay", status)
	}
	body := c.does("/connections", "shown only now", "client", "opencti", "name", "cti", "days", "10", "program", string(testkit.Program))
	secret := regexp.MustCompile(`fw_[a-z2-7]{12}_[a-z2-7]{52}`).FindString(body)
	m := regexp.MustCompile(`action="(/connections/con_[a-z2-7]{16})/test"`).FindStringSubmatch(body)
	if secret == "" || m == nil || !strings.Contains(body, "TAXII Collection") {
		t.Fatalf("the settings:\n%s", words(body))
	}
	path := m[1]
	for _, page := range []string{"/connections", path} {
		status, body := c.get(page)
		if status != http.StatusOK || strings.Contains(body, secret) || !strings.Contains(body, "cti") || !strings.Contains(body, "expires soon") {
			t.Errorf("%s: %d\n%s", page, status, words(body))
		}
	}
	body = c.does(path+"/test", "more follows")
	if strings.Count(body, "--") < 3 || strings.Contains(body, "pattern") || !strings.Contains(body, "TLP:AMBER&#43;STRICT") {
		t.Errorf("the test poll:\n%s", words(body))
	}

	other, unknown := s.client(t, servertest.EarlyB, "analyst"), "/connections/con_aaaaaaaaaaaaaaaa"
	strip := regexp.MustCompile(`req_[a-z2-7]+|nonce="[^"]*"`)
	for _, act := range []string{"", "/test", "/remove"} {
		do := func(path string) (int, string) {
			if act == "" {
				return other.get(path)
			}
			return other.post(path + act)
		}
		status, body := do(path)
		_, missing := do(unknown)
		if status != http.StatusNotFound || strip.ReplaceAllString(body, "") != strip.ReplaceAllString(missing, "") {
			t.Errorf("%q by another organisation: %d", act, status)
		}
	}
	if _, body := other.get("/connections"); strings.Contains(body, "cti") && strings.Contains(body, path) {
		t.Error("another organisation lists it")
	}
	if status, body := s.client(t, testkit.Owner, "admin").post(path + "/test"); status != http.StatusForbidden || strings.Contains(body, "--") && strings.Contains(body, "indicator--") {
		t.Errorf("the administrator polls as it: %d", status)
	}
	c.does(path+"/remove", "The connection was removed")
	if status, _ := c.get(path); status != http.StatusNotFound {
		t.Errorf("a removed connection: %d", status)
	}
	if _, err := s.Authn.Bearer(t.Context(), secret, exchange.ChannelTAXII); exchange.KindOf(err) != exchange.Unsigned {
		t.Errorf("its credential: %v", err)
	}
}

// TestConnectionInABrowser makes a connection and a test poll in Chromium, with
// axe on every page on the way.
func TestConnectionInABrowser(t *testing.T) {
	source := axe(t)
	browser := chrome(t)
	s := newSite(t)
	r := s.Draft(storyTitle, testkit.Start.AddDate(0, 0, 2))
	s.Package(r.ID, 5)
	s.Arm(r.ID)
	s.Clock.Set(testkit.Start.AddDate(0, 0, 1).Add(12 * time.Hour))
	b := s.signIn(browser, servertest.EarlyA, "analyst")
	look := func(heading string) {
		t.Helper()
		if h1 := eval[string](b, `document.querySelector("h1").textContent`); !strings.Contains(h1, heading) {
			t.Fatalf("the page is headed %q, want %q", h1, heading)
		}
		for _, width := range []int64{1280, 320} {
			b.look(width, "light")
			b.accessible(source, heading)
			b.unrefused(heading)
			b.shot(fmt.Sprintf("connection-%s-%d", strings.Fields(heading)[0], width))
		}
		b.look(1280, "light")
	}
	b.navigate(s.url + "/connections")
	look("Connections")
	b.set("cname", "siem-prod")
	b.press("Add the connection")
	look("Settings for OpenCTI")
	if block := eval[string](b, `document.querySelector("#block").value`); !strings.Contains(block, "TAXII server URL: \""+s.url+"/taxii2/api/\"\n") {
		t.Errorf("the block cannot be copied as it is:\n%s", block)
	}
	b.press("Test poll")
	look("Test poll of siem-prod")
	b.navigate(eval[string](b, `document.querySelector("main .acts a").href`))
	look("siem-prod")
	b.navigate(s.url + "/connections")
	look("Connections")
}
