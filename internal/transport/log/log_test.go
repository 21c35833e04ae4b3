package log_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	publiclog "github.com/forewarn-exchange/forewarn/internal/transport/log"
)

// folder is the public files of one log.
type folder map[string]string

func (f folder) File(path string) ([]byte, bool, error) {
	b, ok := f[path]
	if !ok {
		return nil, false, fs.ErrNotExist
	}
	return []byte(b), path != "checkpoint", nil
}

// two is an exchange with a closed log and the one that follows it.
type two struct{}

func (two) Files(_ context.Context, number int) (publiclog.Files, error) {
	switch number {
	case 1:
		return folder{"checkpoint": "first\n", "tile/0/000": strings.Repeat("h", 8192), "tile/entries/000": "entries", "journal": "secret"}, nil
	case 2:
		return folder{"checkpoint": "second\n", "tile/0/000.p/1": strings.Repeat("i", 32)}, nil
	}
	return nil, exchange.Missing()
}

func (two) Keys(_ context.Context, number int) ([]string, error) {
	if number > 2 {
		return nil, exchange.Missing()
	}
	return []string{"a+00000000+AA", "b+00000000+AA"}, nil
}

func (two) Statements(_ context.Context, number int) ([][]byte, error) {
	switch number {
	case 1:
		return [][]byte{[]byte("one\n\n— a <&>\n")}, nil
	case 2:
		return nil, nil
	}
	return nil, exchange.Missing()
}

func handler(limits *httpkit.Limits) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/log/", publiclog.New(publiclog.Config{Logs: two{}, Limits: limits}))
	return httpkit.Wrap(mux, httpkit.Options{})
}

func ask(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestFiles(t *testing.T) {
	h := handler(nil)
	const octets, text = "application/octet-stream", "text/plain; charset=utf-8"
	for path, want := range map[string]struct {
		media     string
		immutable bool
		body      string
	}{
		"/log/checkpoint":       {text, false, "first\n"},
		"/log/1/checkpoint":     {text, false, "first\n"},
		"/log/2/checkpoint":     {text, false, "second\n"},
		"/log/tile/0/000":       {octets, true, strings.Repeat("h", 8192)},
		"/log/2/tile/0/000.p/1": {octets, true, strings.Repeat("i", 32)},
		"/log/tile/entries/000": {octets, true, "entries"},
		"/log/key":              {text, false, "a+00000000+AA\nb+00000000+AA\n"},
	} {
		w := ask(h, "GET", path)
		if w.Code != 200 || w.Body.String() != want.body || w.Header().Get("Content-Type") != want.media {
			t.Errorf("%s: %d %s %.40q", path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if got := strings.Contains(w.Header().Get("Cache-Control"), "immutable"); got != want.immutable {
			t.Errorf("%s: Cache-Control %q", path, w.Header().Get("Cache-Control"))
		}
		if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, w.Header())
		}
		if head := ask(h, "HEAD", path); head.Code != 200 || head.Header().Get("Content-Length") != w.Header().Get("Content-Length") {
			t.Errorf("HEAD %s: %d %v", path, head.Code, head.Header())
		}
		if again := ask(h, "GET", path, "If-None-Match", w.Header().Get("ETag")); again.Code != 304 || again.Body.Len() != 0 {
			t.Errorf("%s again: %d", path, again.Code)
		}
	}
}

// TestNothingElse: whatever else is asked for gets the answer of what does not
// exist, the journal and other ways to write a path among it.
func TestNothingElse(t *testing.T) {
	h := handler(nil)
	for _, path := range []string{
		"/log/", "/log/journal", "/log/1/journal", "/log/3/checkpoint", "/log/3/key", "/log/3/statements", "/log/0/checkpoint", "/log/01/checkpoint",
		"/log/tile/0/001", "/log/tile/0/000.p/1", "/log/tile%2F0%2F000", "/log/tile/0/%30%30%30", "/log/checkpoint/", "/log/Checkpoint",
		"/log/cosigned", "/log/key/1", "/log/2/2/checkpoint", "/log/2", "/log/statements.json", "/log/%2e%2e/journal",
	} {
		w := ask(h, "GET", path)
		var d httpkit.Details
		if err := json.Unmarshal(w.Body.Bytes(), &d); w.Code != 404 || err != nil || d.Detail != "not found" || d.Type != "/problems/not-found" {
			t.Errorf("%s: %d %.80q", path, w.Code, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %q", path, w.Header().Get("Cache-Control"))
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		if w := ask(h, method, "/log/checkpoint"); w.Code != 405 || w.Header().Get("Allow") == "" {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

func TestStatementsAsJSON(t *testing.T) {
	for path, want := range map[string][]string{"/log/statements": {"one\n\n— a <&>\n"}, "/log/2/statements": {}} {
		w := ask(handler(nil), "GET", path)
		var got struct{ Statements []string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Statements == nil || len(got.Statements) != len(want) {
			t.Fatalf("%s: %q, %v", path, w.Body, err)
		}
		for i := range want {
			if got.Statements[i] != want[i] {
				t.Errorf("%s: %q", path, got.Statements[i])
			}
		}
	}
}

// TestLimitPerAddress: a made-up credential is no second client.
func TestLimitPerAddress(t *testing.T) {
	now := time.Date(2027, 6, 1, 8, 0, 0, 0, time.UTC)
	h := handler(httpkit.NewLimits(2, func() time.Time { return now }))
	for i := range 6 {
		w := ask(h, "GET", "/log/checkpoint", "Authorization", "Bearer "+strings.Repeat("x", i+1))
		if want := map[bool]int{true: 200, false: 429}[i < 4]; w.Code != want {
			t.Errorf("request %d: %d, want %d", i, w.Code, want)
		}
	}
}
