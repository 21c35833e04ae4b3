package web_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

var hookID = regexp.MustCompile(`hook_[a-z2-7]{16}`)

// TestWebhookPages adds a webhook, sees what became of its messages, and acts on
// it, by forms; others find nothing.
func TestWebhookPages(t *testing.T) {
	w := servertest.New(t, servertest.AllowLoopback)
	s := &site{w, w.Serve()}
	status := http.StatusTeapot
	in := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer in.Close()
	c := s.client(t, servertest.EarlyA, "analyst")
	if _, body := c.get("/organisations/" + string(servertest.EarlyA)); !strings.Contains(body, `href="/webhooks"`) {
		t.Error("the organisation's page does not lead to its webhooks")
	}
	if status, body := c.post("/webhooks", "url", "https://u:secret@example.com/", "program", string(testkit.Program), "algorithm", "hmac-sha256"); status != http.StatusUnprocessableEntity ||
		!strings.Contains(body, "user or a password") || !strings.Contains(body, `href="#hook-url"`) {
		t.Errorf("an address with a password: %d\n%s", status, words(body))
	}
	made := c.does("/webhooks", "shown only now", "url", in.URL+"/<b>in", "program", string(testkit.Program), "algorithm", "hmac-sha256")
	path := "/webhooks/" + hookID.FindString(made)
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=&#;]+`).FindString(made)
	if secret == "" {
		t.Fatalf("no secret: %s", words(made))
	}
	for _, p := range []string{"/webhooks", path} {
		if status, body := c.get(p); status != http.StatusOK || strings.Contains(body, "whsec_") || strings.Contains(body, "<b>in") || !strings.Contains(body, "&lt;b&gt;in") {
			t.Errorf("%s: %d, a secret, or markup:\n%s", p, status, words(body))
		}
	}
	round := func() {
		t.Helper()
		if err := w.X.Webhooks.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c.does(path+"/test", "is on its way")
	round()
	if _, body := c.get(path); !strings.Contains(body, "418") || !strings.Contains(body, "Send again") || !strings.Contains(body, "failed") {
		t.Errorf("what the receiver answered is not told:\n%s", words(body))
	}
	status = http.StatusOK
	_, body := c.get(path)
	c.does(path+"/again", "on its way again", "delivery", regexp.MustCompile(`msg_[a-z2-7]{16}`).FindString(body))
	round()
	if _, body := c.get(path); !strings.Contains(body, "200") || !strings.Contains(body, "</span> sent") {
		t.Errorf("what was taken is not told:\n%s", words(body))
	}
	c.does(path+"/replay", "announced anew", "since", "2027-05-01 00:00")
	if status, body := c.post(path+"/replay", "since", "soon"); status != http.StatusUnprocessableEntity || !strings.Contains(body, `value="soon"`) {
		t.Errorf("a replay since no moment: %d", status)
	}
	c.does(path+"/pause", "until you resume it")
	if status, _ := c.post(path + "/test"); status != http.StatusConflict {
		t.Errorf("a test of a paused one: %d", status)
	}
	c.does(path+"/resume", "goes on")
	if body := c.does(path+"/rotate", "shown only now"); strings.Contains(body, secret) {
		t.Error("the new key is the old one")
	}
	other := s.client(t, servertest.EarlyB, "analyst")
	for _, act := range []string{"", "/test", "/again", "/replay", "/pause", "/resume", "/rotate", "/remove"} {
		ask := func(p string) int {
			if act == "" {
				status, _ := other.get(p)
				return status
			}
			status, _ := other.post(p+act, "since", "2027-05-01 00:00", "delivery", "msg_x")
			return status
		}
		if got := ask(path); got != http.StatusNotFound || got != ask("/webhooks/hook_aaaaaaaaaaaaaaaa") {
			t.Errorf("another member, %q: %d", act, got)
		}
	}
	if _, body := other.get("/webhooks"); hookID.MatchString(body) {
		t.Error("another member sees it")
	}
	c.does(path+"/remove", "was removed")
	if status, _ := c.get(path); status != http.StatusNotFound {
		t.Errorf("removed: %d", status)
	}
}
