package httpkit_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

func TestRequestsPerCredential(t *testing.T) {
	now := time.Date(2027, 6, 1, 8, 0, 0, 0, time.UTC)
	limits := httpkit.NewLimits(2, func() time.Time { return now })
	h := limits.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), httpkit.WriteProblem)
	ask := func(credential string) (int, string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", credential)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Header().Get("Retry-After")
	}
	for i := range 4 {
		if code, _ := ask("Bearer a"); code != 200 {
			t.Fatalf("request %d: %d", i, code)
		}
	}
	if code, wait := ask("Bearer a"); code != 429 || wait != "1" {
		t.Errorf("beyond the burst: %d, Retry-After %q", code, wait)
	}
	if code, _ := ask("Bearer b"); code != 200 {
		t.Errorf("another credential: %d", code)
	}
	now = now.Add(time.Second)
	for i, want := range []int{200, 200, 429} {
		if code, _ := ask("Bearer a"); code != want {
			t.Errorf("a second later, request %d: %d, want %d", i, code, want)
		}
	}
}

func TestFailedSignIns(t *testing.T) {
	now := time.Date(2027, 6, 1, 8, 0, 0, 0, time.UTC)
	limits := httpkit.NewLimits(0, func() time.Time { return now })
	from := func(address string) *http.Request {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = address
		return r
	}
	for range 50 { // those that succeed are not counted
		if err := limits.SignIn(from("[2001:db8::1]:1")); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		limits.SignInFailed(from("[2001:db8::1]:1"))
		limits.SignInFailed(from("[2001:db8::2]:2"))
	}
	err := limits.SignIn(from("[2001:db8::3]:3"))
	if f := httpkit.FailureOf(err); err == nil || f.Status != 429 || f.RetryAfter.Round(time.Millisecond) != 6*time.Second {
		t.Errorf("an eleventh from the same network: %v, %+v", err, f)
	}
	if err := limits.SignIn(from("[2001:db8:0:1::1]:1")); err != nil {
		t.Errorf("another network: %v", err)
	}
	now = now.Add(6*time.Second + time.Millisecond)
	if err := limits.SignIn(from("[2001:db8::1]:1")); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

// More clients than are kept in memory must neither fail nor lock anyone out.
func TestManyClients(t *testing.T) {
	now := time.Date(2027, 6, 1, 8, 0, 0, 0, time.UTC)
	limits := httpkit.NewLimits(0.5, func() time.Time { return now })
	h := limits.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), httpkit.WriteProblem)
	for i := range 40_000 {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", strconv.Itoa(i))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Fatalf("client %d: %d", i, w.Code)
		}
	}
}

func TestNoLimits(t *testing.T) {
	var none *httpkit.Limits
	called := false
	none.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }), nil).ServeHTTP(nil, nil)
	none.SignInFailed(nil)
	if err := none.SignIn(nil); err != nil || !called {
		t.Errorf("no limits: %v, called %v", err, called)
	}
	for _, rate := range []float64{0, -1} {
		free := httpkit.NewLimits(rate, time.Now).Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }), httpkit.WriteProblem)
		for range 100 {
			w := httptest.NewRecorder()
			free.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			if w.Code != 204 {
				t.Fatalf("a rate of %v: %d", rate, w.Code)
			}
		}
	}
}
