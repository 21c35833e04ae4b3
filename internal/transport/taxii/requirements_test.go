package taxii_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/taxii"
)

// TestRequirements holds testdata/requirements.tsv together with what checks
// it. A line is a section of TAXII 2.1, the level, the requirement in our words,
// and where it is held: titles of conversations, "go" and the name of a test,
// joined by " | ", or "n/a: " and why a server cannot break it.
func TestRequirements(t *testing.T) {
	known := map[string]int{}
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^=== (.*)$`).FindAllStringSubmatch(string(text), -1) {
			known[m[1]]++
		}
	}
	conversations := len(known)
	for title, n := range known {
		if n > 1 {
			t.Errorf("%d conversations are called %q", n, title)
		}
	}
	sources, _ := filepath.Glob("*_test.go")
	for _, file := range sources {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			known["go "+m[1]]++
		}
	}
	text, err := os.ReadFile("testdata/requirements.tsv")
	if err != nil {
		t.Fatal(err)
	}
	levels := []string{"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"}
	count, said := map[string]int{}, map[string]bool{}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		parts := strings.Split(line, "\t")
		if len(parts) != 4 || !strings.HasPrefix(parts[0], "§") || !slices.Contains(levels, parts[1]) || parts[2] == "" {
			t.Errorf("line %d cannot be read: %s", i+1, line)
			continue
		}
		if key := parts[0] + parts[2]; said[key] {
			t.Errorf("line %d says what another one says", i+1)
		} else {
			said[key] = true
		}
		if reason, none := strings.CutPrefix(parts[3], "n/a: "); none {
			if count["not applicable"]++; reason == "" {
				t.Errorf("line %d: not applicable, without a reason", i+1)
			}
			continue
		}
		for where := range strings.SplitSeq(parts[3], " | ") {
			if known[where] == 0 {
				t.Errorf("line %d: nothing is called %q", i+1, where)
			}
		}
		count[strings.TrimSuffix(parts[1], " NOT")]++
	}
	t.Logf("%d MUST, %d SHOULD and %d MAY of TAXII 2.1 are held by %d conversations and by tests; %d do not apply",
		count["MUST"], count["SHOULD"], count["MAY"], conversations, count["not applicable"])
	if count["MUST"] < 100 || count["SHOULD"] < 15 {
		t.Errorf("fewer than there were: %v", count)
	}
}

// §3.8: names of properties.
func TestPropertyNames(t *testing.T) {
	w := newWorld(t)
	good := regexp.MustCompile(`^(id|[a-z0-9_]{3,250})$`)
	var check func(path string, v any)
	check = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				if !good.MatchString(name) {
					t.Errorf("%s: the property %q", path, name)
				}
				check(path, inner)
			}
		case []any:
			for _, inner := range v {
				check(path, inner)
			}
		}
	}
	for _, path := range []string{
		"/taxii2/", "/taxii2/api/", "/taxii2/api/collections/", w.vars["c"] + "/", w.vars["c"] + "/manifest/?limit=2", w.vars["c"] + "/objects/?limit=2",
		w.vars["c"] + "/objects/" + w.vars["ind"] + "/versions/", w.vars["x"] + "/", w.vars["c"] + "/objects/?limit=0",
	} {
		var body any
		w.must(json.NewDecoder(w.ask("GET", path, "reader").Body).Decode(&body))
		check(path, body)
	}
}

// §4.1.1: behind plain http an API root cannot be named by its address.
func TestDiscoveryWithoutTLS(t *testing.T) {
	w := newWorld(t)
	w.web = httpkit.Wrap(taxii.New(taxii.Config{
		Source: w.x.Delivery, Contributions: w.x.Contributions, Authn: w.authn, Name: "Example", URL: "http://127.0.0.1:8080",
	}), httpkit.Options{})
	var body struct {
		Default  string   `json:"default"`
		APIRoots []string `json:"api_roots"`
	}
	w.must(json.NewDecoder(w.ask("GET", "/taxii2/", "reader").Body).Decode(&body))
	if body.Default != taxii.Root || !slices.Equal(body.APIRoots, []string{taxii.Root}) {
		t.Errorf("%+v", body)
	}
}

// §8.2.2: TLS 1.2 and 1.3 are spoken, nothing earlier.
func TestTLS(t *testing.T) {
	w := newWorld(t)
	s := httptest.NewUnstartedServer(nil)
	s.Config = httpkit.Server(w.web, slog.New(slog.DiscardHandler))
	s.StartTLS()
	defer s.Close()
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		client := s.Client()
		transport := client.Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.MinVersion, transport.TLSClientConfig.MaxVersion = version, version
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/taxii2/", nil)
		w.must(err)
		r.Header.Set("Authorization", "Bearer "+w.tokens["reader"])
		resp, err := transport.RoundTrip(r)
		if (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			resp.Body.Close()
		}
		transport.CloseIdleConnections()
	}
}

// RFC 9110 §10.1.1: who waits for 100 (Continue) is answered before the body
// goes over the wire.
func TestExpectContinue(t *testing.T) {
	w := newWorld(t)
	s := httptest.NewServer(w.web)
	defer s.Close()
	for account, want := range map[string]int{"watcher": 403, "reader": 404, "": 401} {
		body := &counted{Reader: bytes.NewReader(make([]byte, 1<<20))}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+w.vars["w"]+"/objects/", body)
		w.must(err)
		r.ContentLength = 1 << 20
		r.Header.Set("Expect", "100-continue")
		r.Header.Set("Content-Type", "application/taxii+json;version=2.1")
		r.Header.Set("Authorization", "Bearer "+w.tokens[account])
		transport := s.Client().Transport.(*http.Transport).Clone()
		transport.ExpectContinueTimeout = 1 << 40 // for as long as the test runs
		resp, err := transport.RoundTrip(r)
		w.must(err)
		resp.Body.Close()
		if resp.StatusCode != want || body.n > 0 {
			t.Errorf("%q: %d, want %d; %d bytes of the body were sent", account, resp.StatusCode, want, body.n)
		}
		transport.CloseIdleConnections()
	}
}

type counted struct {
	*bytes.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}
