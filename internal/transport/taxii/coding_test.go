package taxii_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const lastHeader = "X-TAXII-Date-Added-Last" // as the standard writes it, and as it is sent

// A page, a manifest and a list of versions have the same bytes in each coding, and
// whoever has a page is told so.
func TestCodings(t *testing.T) {
	w := newWorld(t)
	ask := func(path string, headers ...string) (*http.Response, []byte) {
		t.Helper()
		r := httptest.NewRequest("GET", w.vars["c"]+path, nil)
		r.Header.Set("Authorization", "Bearer "+w.tokens["reader"])
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		rec := httptest.NewRecorder()
		w.web.ServeHTTP(rec, r)
		body, err := io.ReadAll(rec.Result().Body)
		w.must(err)
		return rec.Result(), body
	}
	for _, path := range []string{"/objects/?match[version]=all", "/objects/?limit=3", "/manifest/"} {
		plain, want := ask(path)
		if plain.StatusCode != 200 || plain.Header.Get("Content-Encoding") != "" || len(want) < 500 {
			t.Fatalf("%s: %s %v %s", path, plain.Status, plain.Header, want)
		}
		tags := map[string]bool{plain.Header.Get("ETag"): true}
		for _, coding := range []string{"gzip", "zstd"} {
			for range 2 { // made, then kept
				resp, body := ask(path, "Accept-Encoding", coding+", identity;q=0")
				if resp.Header.Get("Content-Encoding") != coding || resp.Header.Get("Vary") != "Accept-Encoding" ||
					resp.Header.Get("Content-Length") != strconv.Itoa(len(body)) {
					t.Errorf("%s: %v", path, resp.Header)
				}
				var r io.Reader = bytes.NewReader(body)
				var err error
				if coding == "gzip" {
					r, err = gzip.NewReader(r)
				} else {
					r, err = zstd.NewReader(r)
				}
				w.must(err)
				got, err := io.ReadAll(r)
				w.must(err)
				if !bytes.Equal(got, want) {
					t.Errorf("%s in %s is %s", path, coding, got)
				}
				tags[resp.Header.Get("ETag")] = true
			}
		}
		if path == "/manifest/" {
			continue
		}
		if len(tags) != 3 || tags[""] {
			t.Errorf("%s: entity tags %v", path, tags)
		}
		resp, body := ask(path, "If-None-Match", `"other", `+plain.Header.Get("ETag"))
		if resp.StatusCode != http.StatusNotModified || len(body) > 0 || resp.Header.Get("ETag") != plain.Header.Get("ETag") ||
			len(map[string][]string(resp.Header)[lastHeader]) != 1 || resp.Header.Get("Content-Type") != "" {
			t.Errorf("%s for who has it: %s %v %s", path, resp.Status, resp.Header, body)
		}
		if resp, body := ask(path, "If-None-Match", "*"); resp.StatusCode != 200 || !bytes.Equal(body, want) {
			t.Errorf("%s for who has something: %s", path, resp.Status)
		}
	}
	one, _ := ask("/objects/?limit=1")
	two, _ := ask("/objects/?limit=2")
	if a, b := one.Header.Get("ETag"), two.Header.Get("ETag"); a == b {
		t.Errorf("two pages have the entity tag %s", a)
	}
	if resp, body := ask("/objects/", "Accept-Encoding", "identity;q=0, br"); resp.StatusCode != http.StatusNotAcceptable {
		t.Errorf("without any coding: %s %s", resp.Status, body)
	}
	if resp, body := ask("/objects/?added_after=2099-01-01T00:00:00Z", "Accept-Encoding", "gzip"); string(body) != "{}\n" || resp.Header.Get("ETag") != "" {
		t.Errorf("nothing new: %v %s", resp.Header, body)
	}
}
