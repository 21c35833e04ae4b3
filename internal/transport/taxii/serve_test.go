package taxii_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
)

// Over a connection: the length is announced, and the body keeps to it.
func TestOverAConnection(t *testing.T) {
	w := newWorld(t)
	s := httptest.NewServer(w.web)
	defer s.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+w.vars["c"]+"/objects/?match[version]=all", nil)
	w.must(err)
	r.Header.Set("Authorization", "Bearer "+w.tokens["reader"])
	r.Header.Set("Accept-Encoding", "identity") // else the client undoes a coding unasked
	resp, err := s.Client().Do(r)
	w.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	w.must(err)
	if got := resp.Header.Get("Content-Length"); got != strconv.Itoa(len(body)) {
		t.Errorf("Content-Length %q of %d bytes", got, len(body))
	}
	var envelope struct{ Objects []json.RawMessage }
	if err := json.Unmarshal(body, &envelope); err != nil || len(envelope.Objects) != 7 {
		t.Errorf("%d objects, %v", len(envelope.Objects), err)
	}
}

// When its moment comes an object enters the reader's collection behind
// whatever cursor the reader has.
func TestEmbargoOpens(t *testing.T) {
	w := newWorld(t)
	objects := func() (ids []string, last string) {
		resp := w.ask("GET", w.vars["c"]+"/objects/?added_after="+last, "reader")
		if last == "" {
			resp = w.ask("GET", w.vars["c"]+"/objects/", "reader")
		}
		var envelope struct {
			Objects []struct{ ID, Name string }
		}
		w.must(json.NewDecoder(resp.Body).Decode(&envelope))
		for _, o := range envelope.Objects {
			ids = append(ids, o.ID)
		}
		for key, values := range resp.Header {
			if strings.EqualFold(key, "X-TAXII-Date-Added-Last") {
				last = values[0]
			}
		}
		return ids, last
	}
	before, last := objects()
	if len(before) != 6 || strings.Contains(strings.Join(before, " "), w.vars["hid"]) {
		t.Fatalf("before: %v", before)
	}
	w.clock.Set(time.Date(2027, time.July, 14, 14, 59, 59, 0, time.UTC))
	resp := w.ask("GET", w.vars["c"]+"/objects/?added_after="+last, "reader")
	if body, _ := io.ReadAll(resp.Body); strings.TrimSpace(string(body)) != "{}" {
		t.Errorf("a second before: %s", body)
	}
	w.clock.Advance(time.Second)
	resp = w.ask("GET", w.vars["c"]+"/objects/?added_after="+last, "reader")
	body, _ := io.ReadAll(resp.Body)
	if !strings.Contains(string(body), w.vars["hid"]) || !strings.Contains(string(body), "seeded embargoed version") {
		t.Errorf("at its moment: %s", body)
	}
	after, _ := objects()
	if len(after) != 7 { // the tool, and the indicator's new version in the place of the old one
		t.Errorf("afterwards: %v", after)
	}
}

// Content that a reader is given is recorded; what only looks is not.
func TestWhatIsRecorded(t *testing.T) {
	w := newWorld(t)
	served := func() (n int) {
		w.must(w.x.Delivery.Flush(t.Context())) // what repeats is summed up first
		events, err := w.x.Record.Events(t.Context(), exchange.System(), record.EventFilter{Program: "early-warning", Limit: 1000})
		w.must(err)
		for _, e := range events {
			if e.Kind == exchange.EventPageServed && e.Org == "org-reader" {
				n++
			}
		}
		return n
	}
	for _, path := range []string{"/", "/objects/?limit=0", "/objects/?added_after=2099-01-01T00:00:00Z", "/objects/" + w.vars["nil"] + "/"} {
		w.ask("GET", w.vars["c"]+path, "reader")
	}
	w.ask("POST", w.vars["c"]+"/objects/", "reader")
	if n := served(); n != 0 {
		t.Errorf("%d pages recorded of which none was given", n)
	}
	w.ask("GET", w.vars["c"]+"/objects/?limit=2", "reader")
	w.ask("GET", w.vars["c"]+"/objects/"+w.vars["ind"]+"/", "reader")
	if n := served(); n != 2 {
		t.Errorf("%d pages recorded, 2 were given", n)
	}
}

// Suspending a member cuts this channel at once, and for nobody else.
func TestSuspension(t *testing.T) {
	w := newWorld(t)
	ask := func(account string) int { return w.ask("GET", w.vars["c"]+"/objects/", account).StatusCode }
	if a, b := ask("reader"), ask("second"); a != 200 || b != 200 {
		t.Fatalf("before: %d, %d", a, b)
	}
	_, err := w.x.Members.SuspendMember(t.Context(), exchange.System(), "early-warning", "org-reader", "test")
	w.must(err)
	if a, b := ask("reader"), ask("second"); a != 404 || b != 200 {
		t.Errorf("the member suspended: %d, another: %d", a, b)
	}
	_, err = w.x.Members.SuspendOrganisation(t.Context(), exchange.System(), "org-reader", "test")
	w.must(err)
	if a, b := ask("reader"), ask("second"); a != 401 || b != 200 {
		t.Errorf("the organisation suspended: %d, another: %d", a, b)
	}
}

// Several readers page at the same time and each gets everything once.
func TestConcurrentWalks(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			next, seen := "", map[string]int{}
			for range 10 {
				resp := w.ask("GET", w.vars["c"]+"/objects/?limit=1&match[version]=all&next="+next, "second")
				var envelope struct {
					More    bool
					Next    string
					Objects []struct{ ID, Modified string }
				}
				if err := json.NewDecoder(resp.Body).Decode(&envelope); err != nil {
					t.Error(err)
					return
				}
				for _, o := range envelope.Objects {
					seen[o.ID+o.Modified]++
				}
				if envelope.More != (envelope.Next != "") {
					t.Errorf("more %v, next %q", envelope.More, envelope.Next)
				}
				if next = envelope.Next; next == "" {
					break
				}
			}
			if len(seen) != 7 {
				t.Errorf("%d of 7 versions: %v", len(seen), seen)
			}
			for what, n := range seen {
				if n != 1 {
					t.Errorf("%s came %d times", what, n)
				}
			}
		})
	}
	wg.Wait()
}
