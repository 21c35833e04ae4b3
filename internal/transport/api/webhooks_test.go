package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	outbound "github.com/forewarn-exchange/forewarn/internal/outbound/webhook"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// Webhooks through the interface, with the loop of the server running.
func TestWebhooks(t *testing.T) {
	w := servertest.New(t, servertest.AllowLoopback)
	d := &desk{World: w, url: w.Serve()}
	got := make(chan string, 16)
	var mu sync.Mutex
	var keys []string
	in := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		if err := outbound.Verify(r.Header, body, keys, w.Clock.Now()); err != nil {
			t.Error(err)
		}
		got <- string(body)
	}))
	defer in.Close()
	mu.Lock()
	c := d.as(t, servertest.EarlyA, exchange.VerbOperate)
	body := map[string]any{"program": testkit.Program, "url": in.URL + "/in"}
	made := c.want(201, "POST", "/webhooks", body, "Idempotency-Key", "the-same")
	secret, id := made.text(t, "secret"), made.json(t)["webhook"].(map[string]any)["id"].(string)
	keys = append(keys, secret)
	mu.Unlock()
	if !strings.HasPrefix(secret, "whsec_") {
		t.Fatalf("no secret: %s", made.body)
	}
	if again := c.want(409, "POST", "/webhooks", body, "Idempotency-Key", "the-same"); strings.Contains(again.body, secret) {
		t.Error("the secret is shown twice")
	}

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.X.Webhooks.Run(ctx, w.X.Pulse) }()
	go w.X.Pulse.Run(ctx)
	defer func() { stop(); <-done }()
	path := "/webhooks/" + id
	sent := c.want(201, "POST", path+"/test", nil).text(t, "id")
	if body := receive(t, got); !strings.Contains(body, `"type":"webhook.test"`) {
		t.Errorf("test: %s", body)
	}
	d.give("secret-title", 4, 9)
	if body := receive(t, got); !strings.Contains(body, `"count_hint":4`) || strings.Contains(body, "secret-title") {
		t.Errorf("changed: %s", body)
	}
	c.want(200, "POST", path+"/deliveries/"+sent+"/send", nil)
	receive(t, got)
	c.want(200, "POST", path+"/replay", map[string]any{"since": testkit.Start.Add(-time.Hour)})
	if body := receive(t, got); !strings.Contains(body, `"count_hint":4`) {
		t.Errorf("replayed: %s", body)
	}
	rotated := c.want(200, "POST", path+"/rotate", nil).text(t, "secret")
	if rotated == secret || !strings.HasPrefix(rotated, "whsec_") {
		t.Error("no new secret")
	}
	list := c.want(200, "GET", path+"/deliveries?limit=2", nil)
	if list.header.Get("Link") == "" || len(list.json(t)["items"].([]any)) != 2 {
		t.Errorf("%v %s", list.header, list.body)
	}
	if r := c.want(200, "POST", path+"/pause", nil); r.text(t, "state") != "paused" {
		t.Errorf("paused: %s", r.body)
	}
	c.want(409, "POST", path+"/test", nil)
	c.want(200, "POST", path+"/resume", nil)
	for _, r := range []reply{c.call("GET", "/webhooks", nil), c.call("GET", path, nil), list} {
		if r.status != 200 || strings.Contains(r.body, secret) || strings.Contains(r.body, rotated) {
			t.Errorf("%d, or a secret: %s", r.status, r.body)
		}
	}

	other := d.as(t, servertest.EarlyB, exchange.VerbOperate)
	unknown := other.call("GET", "/webhooks/hook_aaaaaaaaaaaaaaaa", nil)
	for _, act := range []string{"GET ", "DELETE ", "POST /pause", "POST /resume", "POST /rotate", "POST /test", "POST /replay", "GET /deliveries", "POST /deliveries/" + sent + "/send"} {
		method, rest, _ := strings.Cut(act, " ")
		var in any
		if rest == "/replay" {
			in = map[string]any{"since": testkit.Start}
		}
		if r := other.call(method, path+rest, in); r.status != 404 || r.text(t, "detail") != unknown.text(t, "detail") {
			t.Errorf("another organisation, %s: %d %s", act, r.status, r.body)
		}
	}
	if r := other.want(200, "GET", "/webhooks", nil); strings.Contains(r.body, "hook_") {
		t.Errorf("another organisation lists %s", r.body)
	}
	reader := d.as(t, servertest.EarlyA)
	reader.want(403, "POST", "/webhooks", body)
	reader.want(200, "GET", path, nil)
	c.want(422, "POST", "/webhooks", map[string]any{"program": testkit.Program, "url": "https://user:pw@example.com/"})
	c.want(404, "POST", "/webhooks", map[string]any{"program": "none", "url": in.URL})
	c.want(204, "DELETE", path, nil)
	c.want(404, "GET", path, nil)
}

func receive(t *testing.T, got chan string) string {
	t.Helper()
	select {
	case body := <-got:
		return body
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		return fmt.Sprint()
	}
}
