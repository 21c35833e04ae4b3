package webhook_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
	"github.com/forewarn-exchange/forewarn/internal/server/servertest"
	"github.com/forewarn-exchange/forewarn/internal/testkit"
)

// A receiver that does not answer holds few places, and keeps nobody else
// waiting.
func TestSlowReceiverKeepsNobodyWaiting(t *testing.T) {
	s := newScene(t)
	var mu sync.Mutex
	var now, most int
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		<-release
		mu.Lock()
		now--
		mu.Unlock()
	}))
	defer slow.Close()
	a := s.Reader(servertest.EarlyA)
	for i := range 12 {
		w, err := s.X.Webhooks.Add(t.Context(), a, webhook.Request{Program: testkit.Program, URL: fmt.Sprintf("%s/%d", slow.URL, i)})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := s.X.Webhooks.Test(t.Context(), a, w.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	quick, hook := s.add(servertest.EarlyB)
	if _, err := s.X.Webhooks.Test(t.Context(), s.Reader(servertest.EarlyB), hook.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.X.Webhooks.Send(t.Context()); err != nil {
		t.Fatal(err)
	}
	for s.status(servertest.EarlyB, hook.ID).Waiting > 0 && t.Context().Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	if ms := quick.take(t); len(ms) != 1 {
		t.Errorf("the other receiver got %v", ms)
	}
	close(release)
	s.X.Webhooks.Wait()
	for range 12 {
		s.round()
	}
	if most > 4 {
		t.Errorf("%d messages to one host at once", most)
	}
	all, err := s.X.Webhooks.List(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		if w.Waiting != 0 {
			t.Errorf("%s: %d still wait", w.URL, w.Waiting)
		}
	}
}

func TestAtMostSoMany(t *testing.T) {
	s := newScene(t)
	a := s.Reader(servertest.EarlyA)
	q := webhook.Request{Program: testkit.Program, URL: "https://example.com/"}
	for i := range webhook.MaxPerOrganisation {
		if _, err := s.X.Webhooks.Add(t.Context(), a, q); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if _, err := s.X.Webhooks.Add(t.Context(), a, q); err == nil {
		t.Error("one too many")
	}
	if _, err := s.X.Webhooks.Add(t.Context(), s.Reader(servertest.EarlyB), q); err != nil {
		t.Errorf("another organisation: %v", err)
	}
}
