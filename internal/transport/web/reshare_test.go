package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// TestReshare asks, answers and revokes in the browser, without scripts, and
// shows what each reader finds: who asks, the originator, the recipient, and
// a third member.
func TestReshare(t *testing.T) {
	s := newSite(t)
	t0 := testkit.Start.AddDate(0, 0, 30)
	r := s.Draft("Passing on", t0)
	sealed := s.Submit(r.ID, exchange.PoC, "sealed.md", strings.NewReader("# Sealed original\n"))
	guide := s.Submit(r.ID, exchange.DetectionGuidance, "guide.md", strings.NewReader("# Guide\n\nsecret-7f3a\n"), func(in *submission.Input) {
		in.DerivedFrom, in.Relation = []string{string(sealed.ID)}, "tear-line"
	})
	s.Arm(r.ID)
	s.Clock.Set(t0.AddDate(0, 0, -3))
	path := "/artifacts/" + string(guide.ID)

	browser := chrome(t)
	ana := s.signIn(browser, servertest.EarlyA, "analyst")
	ana.scripts(false)
	ana.navigate(s.url + "/reshares")
	ana.shows("will be here")
	ana.navigate(s.url + path)
	ana.shows("Lineage", "tear-line", "Sealed original")
	ana.click("Ask to re-share")
	ana.scripts(true)
	ana.set("ask-to", string(servertest.Standard))
	ana.set("ask-outside", "our MSSP customer X")
	ana.set("ask-why", "it is being attacked")
	ana.click("Ask the originators")
	ana.shows("The originators were asked", "open", "our MSSP customer X", "1 originator still to answer")
	ana.accessible(axe(t), "request")
	request := strings.TrimPrefix(regexp.MustCompile(`/reshares/rsh_[a-z2-7]{16}`).FindString(eval[string](ana, "location.pathname")), s.url)

	third, recipient := s.client(t, servertest.Compelled, "analyst"), s.client(t, servertest.Standard, "analyst")
	strip := regexp.MustCompile(`req_[a-z2-7]+|nonce="[^"]*"`)
	same := func(c *client, path, unknown string) {
		t.Helper()
		status, body := c.get(path)
		_, missing := c.get(unknown)
		if status != http.StatusNotFound || strip.ReplaceAllString(body, "") != strip.ReplaceAllString(missing, "") {
			t.Errorf("%s is told apart from what does not exist: %d", path, status)
		}
	}
	for _, c := range []*client{third, recipient} {
		same(c, request, "/reshares/rsh_aaaaaaaaaaaaaaaa")
		same(c, path, "/artifacts/art_aaaaaaaaaaaaaaaa")
		same(c, "/reshares/new?item="+string(guide.ID), "/reshares/new?item=art_aaaaaaaaaaaaaaaa")
	}

	op := s.signIn(browser, testkit.Owner, "operator")
	op.navigate(s.url + "/reshares")
	op.shows("Waiting for your answer", "Guide")
	op.accessible(axe(t), "inbox")
	op.click("Guide")
	op.shows("it is being attacked")
	op.set("ask-condition", "Name nobody")
	op.click("Yes")
	op.shows("Your answer was recorded", "conditional", "Name nobody")

	ana.navigate(s.url + path)
	ana.shows("May be passed on by", "Name nobody", "our MSSP customer X")
	asker := s.client(t, servertest.EarlyA, "analyst")
	if status, body := asker.get(request + "/copy"); status != http.StatusOK || !strings.Contains(body, "Name nobody") || strings.Contains(body, "secret-7f3a") {
		t.Errorf("the permission: %d %s", status, body)
	}
	if status, body := recipient.get(path); status != http.StatusOK || !strings.Contains(body, "secret-7f3a") || strings.Contains(body, "Sealed original") || strings.Contains(body, string(sealed.ID)) {
		t.Errorf("the recipient: %d\n%s", status, words(body))
	}
	same(recipient, "/artifacts/"+string(sealed.ID), "/artifacts/art_aaaaaaaaaaaaaaaa")
	for _, c := range []*client{third} {
		same(c, path, "/artifacts/art_aaaaaaaaaaaaaaaa")
	}
	for _, c := range []*client{third, recipient, asker} {
		if status, _ := c.post(request + "/revoke"); status == http.StatusOK || status == http.StatusSeeOther {
			t.Errorf("somebody else revoked it: %d", status)
		}
	}
	op.click("Revoke what was granted")
	op.shows("What was granted has ended", "revoked")
	same(recipient, path, "/artifacts/art_aaaaaaaaaaaaaaaa")
	for _, b := range []*tab{ana, op} {
		b.unrefused("re-share")
	}
	if status, body := asker.post("/reshares", "item", string(guide.ID), "kind", "reshare", "why", " ", "to", "kept-name"); status != http.StatusUnprocessableEntity || !strings.Contains(body, `value="kept-name"`) {
		t.Errorf("a request without a reason: %d; what was typed must stay", status)
	}
	if _, body := s.client(t, testkit.Owner, "operator").get("/reshares?program=" + string(testkit.Program)); !strings.Contains(body, "Originators answered 1 time") {
		t.Error("how long originators take is not shown")
	}
	if status, _ := asker.get("/reshares?program=" + string(testkit.Program)); status != http.StatusNotFound {
		t.Errorf("a member reads all requests of a program: %d", status)
	}
}
