package httpkit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// serve answers one request through Wrap and an Adapter, and returns the log.
func serve(t *testing.T, r *http.Request, h httpkit.Handler) (*http.Response, string) {
	t.Helper()
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	mux := http.NewServeMux()
	mux.Handle("/things/{thing}", httpkit.Adapter{Log: log}.Handler(h))
	w := httptest.NewRecorder()
	httpkit.Wrap(mux, httpkit.Options{Log: log}).ServeHTTP(w, r)
	return w.Result(), out.String()
}

func problem(t *testing.T, resp *http.Response) map[string]any {
	t.Helper()
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	var body map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return body
}

func TestKindsAsProblems(t *testing.T) {
	inner := errors.New("row 7 of table secrets")
	wrap := func(k exchange.Kind) error {
		return fmt.Errorf("doing: %w", &exchange.Error{Kind: k, Public: "what happened", Err: inner})
	}
	tests := []struct {
		err    error
		status int
		slug   string
		detail string
	}{
		{wrap(exchange.NotFound), 404, "not-found", "not found"},
		{exchange.Missing(), 404, "not-found", "not found"},
		{wrap(exchange.Denied), 403, "denied", "what happened"},
		{wrap(exchange.Invalid), 422, "invalid", "what happened"},
		{wrap(exchange.Conflict), 409, "conflict", "what happened"},
		{wrap(exchange.Embargoed), 403, "embargoed", "what happened"},
		{wrap(exchange.Gone), 410, "gone", "what happened"},
		{wrap(exchange.Exhausted), 413, "too-large", "what happened"},
		{wrap(exchange.Unavailable), 503, "unavailable", "what happened"},
		{wrap(exchange.Unsigned), 401, "sign-in-required", "what happened"},
		{wrap(exchange.Precondition), 412, "precondition-failed", "what happened"},
		{inner, 500, "internal", "the server could not answer; give the request id to the operator"},
		{httpkit.Fail(http.StatusNotAcceptable, "not so"), 406, "not-acceptable", "not so"},
		{fmt.Errorf("reading: %w", &http.MaxBytesError{Limit: 9}), 413, "too-large", "the request is larger than 9 bytes"},
		{fmt.Errorf("waiting: %w", context.DeadlineExceeded), 503, "unavailable", "the answer took too long; try again"},
	}
	for _, test := range tests {
		t.Run(test.slug, func(t *testing.T) {
			resp, log := serve(t, httptest.NewRequest("GET", "/things/x", nil), func(http.ResponseWriter, *http.Request) error { return test.err })
			got := problem(t, resp)
			want := map[string]any{
				"type": "/problems/" + test.slug, "title": got["title"], "status": float64(test.status),
				"detail": test.detail, "instance": resp.Header.Get("X-Request-Id"),
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if resp.StatusCode != test.status {
				t.Errorf("status %d, want %d", resp.StatusCode, test.status)
			}
			if logged := strings.Contains(log, "a request failed"); logged != (test.status >= 500) {
				t.Errorf("logged as failed: %v, with status %d", logged, test.status)
			}
			if challenged := len(resp.Header["Www-Authenticate"]) > 0; challenged != (test.status == 401) {
				t.Errorf("WWW-Authenticate with status %d: %v", test.status, challenged)
			}
			if wait, later := resp.Header.Get("Retry-After"), exchange.KindOf(test.err) == exchange.Unavailable; later != (wait == "10") {
				t.Errorf("Retry-After %q", wait)
			}
		})
	}
}

// Every kind has one problem, and every slug is one path segment.
func TestCatalogue(t *testing.T) {
	slugs := map[string]bool{}
	kinds := map[exchange.Kind]int{}
	for _, p := range httpkit.Problems() {
		if slugs[p.Slug] || strings.Trim(p.Slug, "abcdefghijklmnopqrstuvwxyz-") != "" || p.Title == "" || p.Text == "" {
			t.Errorf("problem %+v", p)
		}
		slugs[p.Slug] = true
		kinds[p.Kind]++
	}
	for _, k := range []exchange.Kind{
		exchange.NotFound, exchange.Denied, exchange.Invalid, exchange.Conflict, exchange.Embargoed, exchange.Gone,
		exchange.Exhausted, exchange.Unavailable, exchange.Unsigned, exchange.Precondition,
	} {
		if kinds[k] != 1 {
			t.Errorf("%d problems for kind %q", kinds[k], k)
		}
	}
}

func TestProblemLists(t *testing.T) {
	err := &exchange.Error{Kind: exchange.Invalid, Public: "two of three", Total: 3, Problems: []exchange.Problem{
		{Path: "$.objects[0].id", Code: "stix.id", Section: "STIX 2.1 §2.9", Message: "is missing"},
		{Path: "$.objects[1].type", Message: "is missing"},
	}}
	resp, _ := serve(t, httptest.NewRequest("POST", "/things/x", nil), func(http.ResponseWriter, *http.Request) error { return err })
	got := problem(t, resp)
	want := []any{
		map[string]any{"path": "$.objects[0].id", "code": "stix.id", "section": "STIX 2.1 §2.9", "message": "is missing"},
		map[string]any{"path": "$.objects[1].type", "message": "is missing"},
	}
	if diff := cmp.Diff(want, got["errors"]); diff != "" {
		t.Error(diff)
	}
	if got["total"] != 3.0 {
		t.Errorf("total %v", got["total"])
	}
}

// What is not found answers with the same bytes whatever the room said of it.
func TestWithheldIsNotFound(t *testing.T) {
	answer := func(err error) string {
		resp, _ := serve(t, httptest.NewRequest("GET", "/things/x", nil), func(http.ResponseWriter, *http.Request) error { return err })
		body, _ := io.ReadAll(resp.Body)
		id := resp.Header.Get("X-Request-Id")
		resp.Header.Del("X-Request-Id")
		return fmt.Sprint(resp.StatusCode, resp.Header, strings.ReplaceAll(string(body), id, ""))
	}
	withheld := answer(exchange.Fail(exchange.NotFound, "wave 3 of release 7 has not opened"))
	unknown := answer(exchange.Missing())
	if withheld != unknown {
		t.Errorf("withheld: %s\nunknown:  %s", withheld, unknown)
	}
}

func TestLogHoldsNoContent(t *testing.T) {
	r := httptest.NewRequest("GET", "/things/indicator--seeded-path?match=seeded-query", strings.NewReader("seeded-body"))
	r.Header.Set("Authorization", "Bearer seeded-secret")
	r.Header.Set("User-Agent", "seeded-agent")
	r.Header.Set("X-Request-Id", "seeded-id")
	r.RemoteAddr = "192.0.2.77:1234"
	resp, log := serve(t, r, func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.WriteString(w, "seeded-answer")
		return err
	})
	id := resp.Header.Get("X-Request-Id")
	for _, want := range []string{"msg=request", "req=" + id, "method=GET", "route=/things/{thing}", "status=200", "bytes=13", "took="} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q: %s", want, log)
		}
	}
	for _, not := range []string{"seeded", "192.0.2.77"} {
		if strings.Contains(log, not) {
			t.Errorf("the log holds %q: %s", not, log)
		}
	}
	if !exchange.HasIDPrefix(id, "req") {
		t.Errorf("request id %q", id)
	}
}

func TestPanic(t *testing.T) {
	for name, h := range map[string]httpkit.Handler{
		"ours":      func(w http.ResponseWriter, r *http.Request) error { panic("seeded content") },
		"runtime's": func(w http.ResponseWriter, r *http.Request) error { return []error{}[len(r.Method)] },
	} {
		t.Run(name, func(t *testing.T) {
			resp, log := serve(t, httptest.NewRequest("GET", "/things/x", nil), h)
			if got := problem(t, resp); got["status"] != 500.0 || got["instance"] != resp.Header.Get("X-Request-Id") {
				t.Errorf("problem %v", got)
			}
			if !strings.Contains(log, "a handler panicked") || !strings.Contains(log, resp.Header.Get("X-Request-Id")) {
				t.Errorf("log: %s", log)
			}
			if strings.Contains(log, "seeded content") {
				t.Errorf("the log holds the panic's text: %s", log)
			}
			if name == "runtime's" && !strings.Contains(log, "index out of range") {
				t.Errorf("the log lacks the runtime's text: %s", log)
			}
		})
	}
}

// An answer that breaks off must reach the reader as a cut connection.
func TestBrokenAnswer(t *testing.T) {
	h := httpkit.Wrap(httpkit.Adapter{}.Handler(func(w http.ResponseWriter, r *http.Request) error {
		_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
		return errors.New("the rest could not be read")
	}), httpkit.Options{})
	server := httptest.NewServer(h)
	defer server.Close()
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		return // cut before the headers went out: just as clear
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the answer looks whole")
	}
}

func TestHeaders(t *testing.T) {
	r := httptest.NewRequest("GET", "/things/x", nil)
	quiet := func(http.ResponseWriter, *http.Request) error { return nil }
	resp, _ := serve(t, r, quiet)
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY", "Strict-Transport-Security": "",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	w := httptest.NewRecorder()
	httpkit.Wrap(http.NotFoundHandler(), httpkit.Options{Secure: true}).ServeHTTP(w, r)
	if w.Header().Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS over https")
	}
	httpkit.PageHeaders(w.Header(), "abc")
	want := "default-src 'none'; script-src 'nonce-abc'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
	if policy := w.Header().Get("Content-Security-Policy"); policy != want {
		t.Errorf("the policy of pages is %q, want %q", policy, want)
	}
	// With no-referrer a browser sends "Origin: null" with our own forms.
	if got := w.Header().Get("Referrer-Policy"); got != "same-origin" {
		t.Errorf("the referrer policy of pages is %q", got)
	}
	httpkit.PageHeaders(w.Header(), "")
	if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'none';") {
		t.Errorf("policy without a nonce %q", policy)
	}
}

func TestBodyLimit(t *testing.T) {
	read := func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.ReadAll(r.Body)
		return err
	}
	for size, want := range map[int]int{httpkit.DefaultBody: 200, httpkit.DefaultBody + 1: 413} {
		resp, _ := serve(t, httptest.NewRequest("POST", "/things/x", bytes.NewReader(make([]byte, size))), read)
		if resp.StatusCode != want {
			t.Errorf("a body of %d bytes: %d, want %d", size, resp.StatusCode, want)
		}
	}
}
