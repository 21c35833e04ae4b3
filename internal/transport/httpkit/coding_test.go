package httpkit_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

func TestCodingOf(t *testing.T) {
	for _, test := range []struct {
		accept   string
		want     httpkit.Coding
		required bool
		refused  bool
	}{
		{accept: "gzip", want: httpkit.Gzip},
		{accept: "GZIP", want: httpkit.Gzip},
		{accept: "x-gzip", want: httpkit.Gzip},
		{accept: "zstd", want: httpkit.Zstd},
		{accept: "gzip, deflate, br, zstd", want: httpkit.Zstd},
		{accept: "gzip;q=1.0, zstd;q=0.5", want: httpkit.Gzip},
		{accept: "gzip ; q=0.5, zstd;Q=0.6", want: httpkit.Zstd},
		{accept: "gzip;q=0"},
		{accept: "gzip;q=2"},
		{accept: "gzip;q=x"},
		{accept: "br"},
		{accept: ""},
		{accept: "*", want: httpkit.Zstd},
		{accept: "*;q=0.5, zstd;q=0", want: httpkit.Gzip},
		{accept: "identity, gzip;q=0.5"},
		{accept: "identity;q=0.5, gzip", want: httpkit.Gzip},
		{accept: "identity;q=0, gzip", want: httpkit.Gzip, required: true},
		{accept: "gzip, *;q=0", want: httpkit.Gzip, required: true},
		{accept: "identity;q=0", required: true, refused: true},
		{accept: "*;q=0", required: true, refused: true},
		{accept: "*;q=0, identity"},
		{accept: "br, identity;q=0", required: true, refused: true},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Accept-Encoding"] = []string{test.accept}
		c, required, err := httpkit.CodingOf(r)
		if c != test.want || required != test.required || (err != nil) != test.refused {
			t.Errorf("%q: %q, required %v, %v", test.accept, c, required, err)
		}
		if err != nil && httpkit.FailureOf(err).Status != http.StatusNotAcceptable {
			t.Errorf("%q is refused with %v", test.accept, err)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Accept-Encoding"] = []string{"br", "gzip"}
	if c, _, _ := httpkit.CodingOf(r); c != httpkit.Gzip {
		t.Errorf("of two headers: %q", c)
	}
	r.Header.Del("Accept-Encoding")
	if c, _, err := httpkit.CodingOf(r); c != httpkit.Identity || err != nil {
		t.Errorf("without the header: %q %v", c, err)
	}
}

func decoded(t *testing.T, coding string, body []byte) string {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "zstd":
		r, err = zstd.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is written whole is compressed from a kilobyte on; what is small, is no
// success, or comes in pieces stays as it is.
func TestCompress(t *testing.T) {
	long := strings.Repeat("a page of many words ", 100)
	for _, test := range []struct {
		accept, body string
		status       int
		pieces       bool
		want         string
	}{
		{accept: "gzip", body: long, want: "gzip"},
		{accept: "zstd", body: long, want: "zstd"},
		{accept: "", body: long},
		{accept: "gzip", body: "short"},
		{accept: "gzip, identity;q=0", body: "short", want: "gzip"},
		{accept: "gzip", body: long, status: 404},
		{accept: "gzip", body: long, pieces: true},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", test.accept)
		rec := httptest.NewRecorder()
		w, finish, err := httpkit.Compress(rec, r)
		if err != nil {
			t.Fatal(err)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(test.body)))
		if test.status != 0 {
			w.WriteHeader(test.status)
		} else {
			w.WriteHeader(http.StatusOK)
		}
		if test.pieces {
			_, _ = io.WriteString(w, test.body[:10])
			_, _ = io.WriteString(w, test.body[10:])
		} else if n, err := io.WriteString(w, test.body); n != len(test.body) || err != nil {
			t.Errorf("%+v: %d %v", test, n, err)
		}
		finish()
		h := rec.Result().Header
		if got := h.Get("Content-Encoding"); got != test.want {
			t.Errorf("%.40s for %q: coding %q, want %q", test.body, test.accept, got, test.want)
		}
		if h.Get("Content-Length") != strconv.Itoa(rec.Body.Len()) || (h.Get("Vary") != "") != (test.want != "") {
			t.Errorf("%q: %v of %d bytes", test.accept, h, rec.Body.Len())
		}
		if got := decoded(t, test.want, rec.Body.Bytes()); got != test.body {
			t.Errorf("%q: the body came back as %.40q", test.accept, got)
		}
	}
}

// The cache gives each answer once to the encoder while it is asked for, and stays
// within its bytes.
func TestCoded(t *testing.T) {
	c := httpkit.NewCoded(8 << 10)
	made := 0
	body := func(i uint64, coding httpkit.Coding) string {
		text := strings.Repeat(strconv.FormatUint(i, 10)+" ", 1000)
		got := decoded(t, string(coding), c.Body(httpkit.CodedKey{Mark: [2]uint64{i, 1}, Coding: coding}, func() []byte { made++; return []byte(text) }))
		if got != text {
			t.Fatalf("%d in %s is something else", i, coding)
		}
		return got
	}
	for range 10 {
		body(1, httpkit.Gzip)
		body(1, httpkit.Zstd)
	}
	if made != 2 {
		t.Errorf("%d answers were compressed, of two", made)
	}
	for i := range uint64(100) {
		body(i, httpkit.Gzip)
		body(1000, httpkit.Gzip) // asked for all the time
	}
	if made > 2+100+1 {
		t.Errorf("%d answers were compressed, of 103", made)
	}
	before := made
	if body(2, httpkit.Gzip); made == before {
		t.Error("an answer of long ago is still there")
	}
}

func TestMatches(t *testing.T) {
	for value, want := range map[string]bool{`"a"`: true, `W/"a"`: true, `"b", "a"`: true, `"b","c"`: false, "": false, "*": false, "a": false} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("If-None-Match", value)
		if got := httpkit.Matches(r, `"a"`); got != want {
			t.Errorf("%s: %v", value, got)
		}
	}
}
