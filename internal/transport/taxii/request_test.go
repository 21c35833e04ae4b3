package taxii_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// request makes a request of the lines of a conversation:
//
//	Name: value     a header; the value - leaves it out
//	< text          a line of the body
//	<< file         the body from testdata
//	+ gzip          coded, with its Content-Encoding; or zstd
//	+ cut 7         without its last bytes
//	+ pad 1000      with so many spaces behind it
//	+ chunked       without Content-Length
func (w *world) request(method, target string, lines ...string) *http.Request {
	w.t.Helper()
	var body bytes.Buffer
	pad, chunked := int64(0), false
	header := http.Header{"Accept": {"application/taxii+json;version=2.1"}}
	for _, line := range lines {
		text, isBody := strings.CutPrefix(line, "< ")
		file, isFile := strings.CutPrefix(line, "<< ")
		how, isHow := strings.CutPrefix(line, "+ ")
		switch {
		case isBody:
			body.WriteString(text + "\n")
		case isFile:
			b, err := os.ReadFile(filepath.Join("testdata", file))
			w.must(err)
			body.Write(b)
		case isHow:
			how, number, _ := strings.Cut(how, " ")
			n, _ := strconv.ParseInt(number, 10, 64)
			switch how {
			case "gzip", "zstd":
				coded := code(how, body.Bytes())
				body.Reset()
				body.Write(coded)
				header.Set("Content-Encoding", how)
			case "cut":
				body.Truncate(body.Len() - int(n))
			case "pad":
				pad = n
			case "chunked":
				chunked = true
			default:
				w.t.Fatalf("%s: cannot be read", line)
			}
		default:
			name, value, _ := strings.Cut(line, ": ")
			if value == "-" {
				header.Del(name)
				continue
			}
			header.Set(name, value)
		}
	}
	size := int64(body.Len()) + pad
	r := httptest.NewRequest(method, target, io.MultiReader(&body, io.LimitReader(spaces{}, pad)))
	if r.ContentLength = size; chunked {
		r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
	}
	if size == 0 {
		r.Body = http.NoBody
	}
	r.Header = header
	return r
}

func code(coding string, b []byte) []byte {
	var out bytes.Buffer
	if coding == "gzip" {
		z := gzip.NewWriter(&out)
		_, _ = z.Write(b)
		_ = z.Close()
		return out.Bytes()
	}
	z, _ := zstd.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}
