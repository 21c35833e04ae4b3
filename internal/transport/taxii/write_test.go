package taxii

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/contribution"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

func TestTakes(t *testing.T) {
	for contentType, want := range map[string]bool{
		"application/taxii+json;version=2.1":                  true,
		"application/taxii+json; version=2.1":                 true,
		"application/taxii+json":                              true,
		`APPLICATION/TAXII+JSON ; Version="2.1"`:              true,
		"application/taxii+json;version=2.1;charset=utf-8":    true,
		`application/taxii+json;version=2.1; charset="UTF-8"`: true,
		"application/stix+json;version=2.1":                   true,
		"application/stix+json":                               true,
		"application/taxii+json;version=2.0":                  false,
		"application/taxii+json;version=":                     false,
		"application/stix+json;version=2.0":                   false,
		"application/taxii+json;version=2.1;charset=latin1":   false,
		"application/json":                                    false,
		"application/*":                                       false,
		"text/plain":                                          false,
		"":                                                    false,
	} {
		if got := takes([]string{contentType}); got != want {
			t.Errorf("Content-Type: %s: %v, want %v", contentType, got, want)
		}
	}
	if takes(nil) || takes([]string{mediaType, mediaType}) {
		t.Error("no Content-Type, or two, were taken")
	}
}

// status is what an error is answered with.
func status(err error) int { return httpkit.FailureOf(err).Status }

// A body of any size is read within the limit and no byte beyond it, coded or
// not, and what ended the reading is told whatever the reader made of it.
func TestBody(t *testing.T) {
	squeeze := func(b []byte) (gz, zs []byte) {
		var out bytes.Buffer
		g := gzip.NewWriter(&out)
		_, _ = g.Write(b)
		_ = g.Close()
		z, _ := zstd.NewWriter(nil)
		return out.Bytes(), z.EncodeAll(b, nil)
	}
	small := []byte(`{"objects":[]}`)
	gz, zs := squeeze(small)
	bomb, zbomb := squeeze(make([]byte, maxContentLength+1))
	t.Logf("%d bytes by gzip in %d, by zstd in %d", maxContentLength+1, len(bomb), len(zbomb))
	tests := []struct {
		name, coding string
		body         []byte
		want         string // what is read
		size         int64  // of what is read, where that is not listed
		status       int    // of the fault; 0: none
	}{
		{"plain", "", small, string(small), 0, 0},
		{"identity", "identity", small, string(small), 0, 0},
		{"gzip", "gzip", gz, string(small), 0, 0},
		{"x-gzip in capitals", "X-GZIP", gz, string(small), 0, 0},
		{"zstd", "zstd", zs, string(small), 0, 0},
		{"two members of gzip", "gzip", append(append([]byte{}, gz...), gz...), string(small) + string(small), 0, 0},
		{"gzip cut off", "gzip", gz[:len(gz)-3], string(small), 0, 400},
		{"zstd cut off", "zstd", zs[:len(zs)-3], "", 0, 400},
		{"zstd that is none", "zstd", small, "", 0, 400},
		{"gzip with rubbish behind it", "gzip", append(append([]byte{}, gz...), small...), string(small), 0, 400},
		{"gzip of too much", "gzip", bomb, "", maxContentLength, 413},
		{"zstd of too much", "zstd", zbomb, "", maxContentLength, 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(tt.body))
			r.Header.Set("Content-Encoding", tt.coding)
			b, err := open(httptest.NewRecorder(), r)
			if err != nil {
				t.Fatal(err)
			}
			defer b.release()
			var got bytes.Buffer
			var n int64
			if tt.size > 0 {
				n, err = io.Copy(io.Discard, b)
			} else {
				n, err = io.Copy(&got, b)
			}
			if n != max(tt.size, int64(len(tt.want))) || tt.size == 0 && got.String() != tt.want {
				t.Errorf("read %d bytes: %.100q", n, got.String())
			}
			if (err != nil) != (tt.status != 0) {
				t.Fatalf("%v", err)
			}
			if err == nil {
				return
			}
			// Whoever read it said something of their own.
			if got := status(b.fault(t.Context(), exchange.Fail(exchange.Invalid, "no envelope"))); got != tt.status {
				t.Errorf("answered with %d, want %d", got, tt.status)
			}
			if _, again := b.Read(make([]byte, 1)); again == nil {
				t.Error("it can be read on behind its fault")
			}
		})
	}
}

func TestBodyRefused(t *testing.T) {
	for _, tt := range []struct {
		name, coding string
		length       int64
		status       int
	}{
		{"announced too large", "", maxContentLength + 1, 413},
		{"as large as promised", "", maxContentLength, 0},
		{"another coding", "br", 3, 415},
		{"coded twice", "gzip, zstd", 3, 415},
		{"gzip that is none", "gzip", 3, 400},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}\n"))
		r.ContentLength = tt.length
		r.Header.Set("Content-Encoding", tt.coding)
		w := httptest.NewRecorder()
		b, err := open(w, r)
		if err == nil {
			b.release()
		}
		if (err != nil) != (tt.status != 0) || err != nil && status(err) != tt.status {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := w.Header().Get("Accept-Encoding") != ""; got != (tt.status == 415) {
			t.Errorf("%s: Accept-Encoding %v", tt.name, got)
		}
	}
	b := &body{r: iotestErr{}, left: 10, release: func() {}}
	_, _ = b.Read(make([]byte, 1))
	if got := status(b.fault(t.Context(), errors.New("reading: broken"))); got != 400 {
		t.Errorf("a body that ended early: %d", got)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if got := status(b.fault(gone, errors.New("reading: broken"))); got != 499 {
		t.Errorf("a client that went: %d", got)
	}
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestUnreadable(t *testing.T) {
	problem := func(code string) error {
		return exchange.InvalidWith("nothing was added", []exchange.Problem{{Path: "$", Code: code, Message: "a bracket is missing"}})
	}
	for _, tt := range []struct {
		err  error
		want int
	}{
		{problem("stix.syntax"), 400},
		{problem("stix.trailing"), 400},
		{problem("stix.bundle"), 422},
		{exchange.Fail(exchange.Invalid, "no envelope"), 422},
		{exchange.Fail(exchange.Exhausted, "too many objects"), 413},
		{exchange.Fail(exchange.Denied, "no"), 403},
		{exchange.Missing(), 404},
		{exchange.Fail(exchange.Unavailable, "later"), 503},
	} {
		if got := status((&body{head: []byte("{")}).unreadable(tt.err)); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.err, got, tt.want)
		}
	}
	if got := httpkit.FailureOf((&body{head: []byte("{")}).unreadable(problem("stix.syntax"))).Detail; got != "nothing was added: $: a bracket is missing" {
		t.Errorf("told: %s", got)
	}
}

func TestBegins(t *testing.T) {
	for text, want := range map[string]bool{
		`{"objects":`: true, `  [`: true, `"a text"`: true, `null`: true, `-1`: true,
		``: false, `   `: false, `no JSON`: false, `}`: false, `"a text`: false, "\xef\xbb\xbf{": false, `<html>`: false,
	} {
		b := &body{r: strings.NewReader(text), left: maxContentLength}
		_, _ = io.Copy(io.Discard, b)
		if got := b.begins(); got != want {
			t.Errorf("%q: %v", text, got)
		}
		if got := status(b.unreadable(exchange.Fail(exchange.Invalid, "no envelope"))); (got == 422) != want {
			t.Errorf("%q is answered with %d", text, got)
		}
	}
	long := &body{r: strings.NewReader(`"` + strings.Repeat("x", 1000)), left: maxContentLength}
	_, _ = io.Copy(io.Discard, long)
	if len(long.head) != maxHead || !long.begins() {
		t.Errorf("a long text: %d bytes, %v", len(long.head), long.begins())
	}
}

func TestStatusResource(t *testing.T) {
	at := time.Date(2027, time.June, 9, 15, 0, 0, 7000, time.UTC)
	for _, tt := range []struct {
		name   string
		status contribution.Status
		want   string
	}{
		{
			"complete",
			contribution.Status{
				ID: "2d086da7-4bdc-4f91-900e-d77486753710", Complete: true, Requested: at, Total: 3, Success: 1, Failure: 2,
				Successes: []contribution.Detail{{ID: "tool--1", Version: 1_811_808_000_000_000}},
				Failures:  []contribution.Detail{{ID: "objects[1]", Message: "no type"}, {ID: "tool--2", Version: 1_811_808_000_000_000, Message: "no name"}},
			},
			`{"id":"2d086da7-4bdc-4f91-900e-d77486753710","status":"complete","request_timestamp":"2027-06-09T15:00:00.000007Z","total_count":3,` +
				`"success_count":1,"successes":[{"id":"tool--1","version":"2027-06-01T00:00:00.000Z"}],` +
				`"failure_count":2,"failures":[{"id":"objects[1]","version":"2027-06-09T15:00:00.000007Z","message":"no type"},{"id":"tool--2","version":"2027-06-01T00:00:00.000Z","message":"no name"}],` +
				`"pending_count":0}`,
		},
		{
			"pending, with more than it lists",
			contribution.Status{
				ID: "2d086da7-4bdc-4f91-900e-d77486753710", Requested: at, Total: 30_004, Success: 10_001, Failure: 2, Pending: 20_001,
				Successes: []contribution.Detail{{ID: "tool--1"}}, Failures: []contribution.Detail{{ID: "tool--2", Message: "no name"}}, Pendings: []contribution.Detail{{ID: "tool--3"}},
			},
			`{"id":"2d086da7-4bdc-4f91-900e-d77486753710","status":"pending","request_timestamp":"2027-06-09T15:00:00.000007Z","total_count":30004,` +
				`"success_count":10001,"failure_count":2,"pending_count":20001,` +
				`"x_forewarn_first_failures":[{"id":"tool--2","version":"2027-06-09T15:00:00.000007Z","message":"no name"}]}`,
		},
	} {
		got, err := json.Marshal(resourceOfStatus(tt.status))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestParseDelete(t *testing.T) {
	micro := micros("2027-06-01T00:00:00.000Z")
	tests := []struct {
		query string
		gone  string // of a first, second and third version, which go; "-": malformed
	}{
		{"", "123"},
		{"match[version]=all", "123"},
		{"match[version]=first", "1"},
		{"match[version]=last", "3"},
		{"match[version]=first,last", "13"},
		{"match[version]=2027-06-01T00:00:00.000Z", "2"},
		{"match[version]=2020-01-01T00:00:00Z", ""},
		{"match[spec_version]=2.1", "123"},
		{"page=2", "123"},
		{"match[version]=all,last", "-"},
		{"match[version]=", "-"},
		{"match[type]=tool", "-"},
		{"match[id]=x", "-"},
		{"added_after=2027-06-01T00:00:00Z", "-"},
		{"limit=1", "-"},
		{"next=", "-"},
		{"next=x", "-"},
		{"%zz", "-"},
	}
	for _, tt := range tests {
		q, err := parseDelete(tt.query, scope{collection: "c"})
		gone := "-"
		if err == nil {
			gone = ""
			for i, version := range []int64{micro - 1e6, micro, micro + 1e6} {
				if named(q.versions, version, i == 0, i == 2) {
					gone += string(rune('1' + i))
				}
			}
		}
		if gone != tt.gone || err != nil && status(err) != 400 {
			t.Errorf("%s: %s, %v; want %s", tt.query, gone, err, tt.gone)
		}
	}
	if q, err := parseDelete("match[spec_version]=2.0", scope{}); err != nil || !q.nothing() {
		t.Errorf("another specification: %+v, %v", q, err)
	}
	if named(delivery.Versions{}, 0, true, true) {
		t.Error("no filter at all names a version")
	}
}

// Whatever a DELETE is taken for, it names no version that match[version] of a
// page would not give.
func FuzzDelete(f *testing.F) {
	f.Add("match[version]=first,2027-06-01T00:00:00Z&match[spec_version]=2.1", int64(1_811_808_000_000_000))
	f.Add("match[version]=all&limit=1", int64(0))
	f.Add("", int64(-1))
	f.Fuzz(func(t *testing.T, raw string, version int64) {
		q, err := parseDelete(raw, here)
		if err != nil {
			if status(err) != 400 {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		page, err := parseQuery(raw, fields{version: true}, here)
		if err != nil {
			t.Fatalf("%q: taken for DELETE and not for a page: %v", raw, err)
		}
		if page.version != "" && named(q.versions, version, false, false) != named(page.versions, version, false, false) {
			t.Fatalf("%q: another version", raw)
		}
	})
}

func FuzzContentType(f *testing.F) {
	f.Add(mediaType)
	f.Add(`application/stix+json ; Version="2\.1"; charset="UTF-8"`)
	f.Add(`application/taxii+json;version="2.1`)
	f.Fuzz(func(t *testing.T, value string) {
		if takes([]string{value}) && takes([]string{value + `;version=2.0`}) && strings.Count(value, `"`) == 0 {
			t.Errorf("another version is taken: %q", value)
		}
	})
}
