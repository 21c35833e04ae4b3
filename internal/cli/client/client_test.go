package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// server answers with one function and notes what it was asked.
func server(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &Client{URL: s.URL, Token: "fw_t", Wait: func(context.Context, time.Duration) error { return nil }}
}

func TestRetries(t *testing.T) {
	for _, c := range []struct {
		name     string
		method   string
		statuses []int
		want     int // tries
		err      int // status of the error; 0: none
	}{
		{"a busy server is asked again", "GET", []int{503, 429, 200}, 3, 0},
		{"a post is repeated with its key", "POST", []int{503, 200}, 2, 0},
		{"a patch is not repeated", "PATCH", []int{503, 200}, 1, 503},
		{"a refusal stands", "GET", []int{404, 200}, 1, 404},
		{"an end comes", "GET", []int{503, 503, 503, 503, 503}, tries, 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			var keys []string
			n := 0
			cl := server(t, func(w http.ResponseWriter, r *http.Request) {
				keys = append(keys, r.Header.Get("Idempotency-Key"))
				body, _ := io.ReadAll(r.Body)
				if r.Method != "GET" && string(body) != `{"a":1}` {
					t.Errorf("try %d carries the body %q", n, body)
				}
				w.WriteHeader(c.statuses[n])
				n++
			})
			r := Request{Method: c.method, Path: "/x"}
			if c.method != "GET" {
				r.JSON = map[string]int{"a": 1}
			}
			_, err := cl.Do(t.Context(), r)
			var p *Problem
			switch {
			case c.err == 0 && err != nil:
				t.Errorf("it failed: %v", err)
			case c.err != 0 && (!errors.As(err, &p) || p.Status != c.err):
				t.Errorf("the error is %v, want status %d", err, c.err)
			}
			if n != c.want {
				t.Errorf("%d tries, want %d", n, c.want)
			}
			if len(slices.Compact(keys)) != 1 || (c.method == "POST") != (keys[0] != "") {
				t.Errorf("the keys are %q", keys)
			}
		})
	}
}

// source is an exchange of two releases, whose answers a test can spoil.
type source struct {
	pages   []string          // bodies of the object pages, by cursor c0, c1 …
	content map[string]string // by artifact
	claimed map[string]string // SHA-256 by artifact, when it is not that of the content
	asked   []string
}

const (
	idA = "indicator--3f1d2e4c-5b6a-4c7d-8e9f-0a1b2c3d4e5f"
	idB = "indicator--4f1d2e4c-5b6a-4c7d-8e9f-0a1b2c3d4e5f"
)

func objects(more bool, next string, raws ...string) string {
	entries := make([]string, len(raws))
	for i := range raws {
		entries[i] = `{"type":"indicator","version":"2027-05-01T00:00:00.000000Z"}`
	}
	return fmt.Sprintf(`{"more":%v,"next":%q,"entries":[%s],"objects":[%s]}`, more, next, strings.Join(entries, ","), strings.Join(raws, ","))
}

func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, prefix)
	s.asked = append(s.asked, strings.TrimSuffix(path+" "+r.URL.Query().Get("cursor")+" "+r.Header.Get("Range"), "  "))
	id := strings.Split(strings.TrimPrefix(path, "/artifacts/"), "/")[0]
	switch {
	case path == "/programs/p/objects":
		n := 0
		if c := r.URL.Query().Get("cursor"); c != "" {
			_, _ = fmt.Sscanf(c, "c%d", &n)
		}
		if n >= len(s.pages) {
			_, _ = io.WriteString(w, objects(false, fmt.Sprintf("c%d", n)))
			return
		}
		_, _ = io.WriteString(w, s.pages[n])
	case path == "/programs/p/releases":
		_, _ = io.WriteString(w, `{"items":[{"id":"rel_a"}]}`)
	case path == "/releases/rel_a/artifacts":
		// Of the first some objects are withheld: it has no content.
		items := []string{`{"id":"art_bbbbbbbbbbbbbbbb","filename":"b.json","partial":true}`}
		for id, text := range s.content {
			sum := sha256.Sum256([]byte(text))
			claim := hex.EncodeToString(sum[:])
			if c := s.claimed[id]; c != "" {
				claim = c
			}
			items = append(items, fmt.Sprintf(`{"id":%q,"filename":"../../a/b.txt","sha256":%q,"size":%d}`, id, claim, len(text)))
		}
		_, _ = io.WriteString(w, `{"items":[`+strings.Join(items, ",")+`]}`)
	case s.content[id] != "":
		sum := sha256.Sum256([]byte(s.content[id]))
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(s.content[id]))
	default:
		w.WriteHeader(404)
	}
}

// tree is every file below a folder with its content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		if name != stateName {
			out[filepath.ToSlash(name)] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const artA = "art_aaaaaaaaaaaaaaaa"

func TestPull(t *testing.T) {
	rawA, rawB := `{ "type":"indicator","id":"`+idA+`", "x":1e2}`, `{"type":"indicator","id":"`+idB+`"}`
	s := &source{
		pages:   []string{objects(true, "c1", rawA), objects(false, "c2", rawB)},
		content: map[string]string{artA: "the content of an artifact"},
	}
	c := server(t, s.ServeHTTP)
	dir := filepath.Join(t.TempDir(), "out")
	p := &Pull{Client: c, Program: "p", Dir: dir}
	got, err := p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"objects/indicator/" + idA + "/20270501T000000.000000Z.json": rawA,
		"objects/indicator/" + idB + "/20270501T000000.000000Z.json": rawB,
		"artifacts/" + artA + "/_.._a_b.txt":                         s.content[artA],
	}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("the folder holds (-want +got):\n%s", diff)
	}
	if got.Objects != 2 || got.Artifacts != 1 {
		t.Errorf("it reports %+v", got)
	}

	// Again: only what is new is asked for.
	s.asked, s.pages = nil, append(s.pages, objects(false, "c3", strings.Replace(rawB, "}", `,"n":1}`, 1)))
	got, err = p.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Objects != 1 || got.Artifacts != 0 {
		t.Errorf("the second run reports %+v, want 1 object", got)
	}
	for _, a := range s.asked {
		if strings.Contains(a, "/content") || a == "/programs/p/objects" || strings.Contains(a, " c1") {
			t.Errorf("the second run asked for %s", a)
		}
	}

	// Another program, or another exchange, does not mix into the folder.
	if _, err := (&Pull{Client: c, Program: "q", Dir: dir}).Run(t.Context()); err == nil {
		t.Error("a second program was pulled into the folder")
	}
	other := *c
	other.URL = "http://127.0.0.1:1"
	if _, err := (&Pull{Client: &other, Program: "p", Dir: dir}).Run(t.Context()); err == nil || strings.Contains(err.Error(), "reached") {
		t.Errorf("another exchange was asked for the same folder: %v", err)
	}
}

func TestPullRefusesWhatIsNotDescribed(t *testing.T) {
	good := `{"type":"indicator","id":"` + idA + `"}`
	for name, s := range map[string]*source{
		"another hash":                 {content: map[string]string{artA: "x"}, claimed: map[string]string{artA: strings.Repeat("0", 64)}},
		"an identifier that is a path": {pages: []string{objects(false, "c1", `{"type":"..","id":"../../../evil"}`)}},
		"a type of another object":     {pages: []string{objects(false, "c1", `{"type":"malware","id":"`+idA+`"}`)}},
		"entries that do not match":    {pages: []string{`{"more":false,"entries":[],"objects":[` + good + `]}`}},
		"half a page":                  {pages: []string{`{"more":false,"entries":[{"type":"indicator"`}},
		"an artifact that is a path":   {content: map[string]string{"../../evil": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "a", "b", "out")
			_, err := (&Pull{Client: server(t, s.ServeHTTP), Program: "p", Dir: dir}).Run(t.Context())
			if _, ok := errors.AsType[*Unverified](err); !ok {
				t.Errorf("the error is %v, want Unverified", err)
			}
			if got := tree(t, parent); len(got) > 0 && !slices.Equal([]string{"a/b/out/" + stateName}, keysOf(got)) {
				t.Errorf("files were kept: %v", keysOf(got))
			}
		})
	}
}

func keysOf(m map[string]string) []string {
	out := []string{}
	for k := range m {
		out = append(out, k)
	}
	return out
}

// TestDownloadGoesOn takes up a part, and begins afresh where the part is none.
func TestDownloadGoesOn(t *testing.T) {
	const text = "0123456789abcdef"
	sum := sha256.Sum256([]byte(text))
	for name, c := range map[string]struct {
		part    string
		asked   string
		refused bool
	}{
		"nothing yet":    {"", "", false},
		"the first half": {text[:8], "bytes=8-", false},
		"all of it":      {text, "bytes=16-", false},
		"too much":       {text + "!", "bytes=17-", false},
		"something else": {"????", "bytes=4-", true}, // found out by the hash, and not kept
	} {
		t.Run(name, func(t *testing.T) {
			var asked string
			cl := server(t, func(w http.ResponseWriter, r *http.Request) {
				if asked == "" {
					asked = r.Header.Get("Range")
				}
				w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
				http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
			})
			dir := t.TempDir()
			file := filepath.Join(dir, "f")
			if c.part != "" {
				if err := os.WriteFile(filepath.Join(dir, ".f.part"), []byte(c.part), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := cl.Download(t.Context(), "/artifacts/x/content", file, hex.EncodeToString(sum[:]), nil)
			if asked != c.asked {
				t.Errorf("it asked for %q, want %q", asked, c.asked)
			}
			got, readErr := os.ReadFile(file)
			if c.refused {
				if err == nil || readErr == nil {
					t.Errorf("bytes that are not the described ones were kept: %q, %v", got, err)
				}
				err = cl.Download(t.Context(), "/artifacts/x/content", file, hex.EncodeToString(sum[:]), nil)
				got, _ = os.ReadFile(file)
			}
			if err != nil || string(got) != text {
				t.Errorf("the file holds %q (%v), want %q", got, err, text)
			}
			if rest, _ := filepath.Glob(filepath.Join(dir, ".*")); len(rest) > 0 {
				t.Errorf("left over: %v", rest)
			}
		})
	}
}

func TestTidy(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".new-12", "objects/malware/x/.new-34", "objects/malware/x/1.json", ".new-notes", "artifacts/a/new-5", "artifacts/a/.f.part"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := (&Pull{Dir: dir}).tidy(); err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(maps.Keys(tree(t, dir)))
	want := []string{".new-notes", "artifacts/a/.f.part", "artifacts/a/new-5", "objects/malware/x/1.json"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}
