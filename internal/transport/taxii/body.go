package taxii

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/klauspost/compress/zstd"

	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// maxWindow is the largest zstd window that is kept for a body: what RFC 8878
// §3.1.1.1.2 asks every decoder to support.
const maxWindow = 8 << 20

// takes reports whether a body of this Content-Type can be added (§5.5): a
// TAXII 2.1 envelope, or STIX 2.1, which connectors name for the same body. A
// missing version means the latest, as it does in Accept (§1.6.8.2).
func takes(values []string) bool {
	if len(values) != 1 {
		return false
	}
	first, name := true, ""
	for field := range split(values[0], ';') {
		if first {
			name, first = strings.ToLower(field), false
			continue
		}
		key, value, _ := strings.Cut(field, "=")
		value = strings.ToLower(unquote(strings.TrimSpace(value)))
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "version":
			if value != "2.1" {
				return false
			}
		case "charset":
			if value != "utf-8" && value != "utf8" {
				return false
			}
		}
	}
	return name == "application/taxii+json" || name == "application/stix+json"
}

// body is what a request carries, without its content coding. It remembers
// what ended the reading: whoever reads it may tell that in words of its own.
type body struct {
	r       io.Reader
	left    int64  // bytes that may still come out of it
	head    []byte // its beginning, at most maxHead bytes
	coding  string
	release func()
	err     error // nil and io.EOF: it was whole so far
}

// open returns the body of a request. It takes at most maxContentLength bytes,
// as they come and as they are without their coding.
func open(w http.ResponseWriter, r *http.Request) (*body, error) {
	if r.ContentLength > maxContentLength {
		return nil, &http.MaxBytesError{Limit: maxContentLength}
	}
	coding := ""
	for _, value := range r.Header["Content-Encoding"] {
		for name := range split(value, ',') {
			switch name = strings.ToLower(name); {
			case name == "" || name == "identity":
			case coding == "" && (name == "gzip" || name == "x-gzip" || name == "zstd"):
				coding = name
			default:
				w.Header()["Accept-Encoding"] = []string{"gzip, zstd"} // RFC 9110 §15.5.16
				return nil, httpkit.Fail(http.StatusUnsupportedMediaType, "a body may be coded with gzip or zstd, once")
			}
		}
	}
	b := &body{r: http.MaxBytesReader(w, r.Body, maxContentLength), left: maxContentLength, coding: coding, release: func() {}}
	switch coding {
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(b.r)
		if err != nil {
			if b.err = err; err == io.EOF {
				b.err = io.ErrUnexpectedEOF // no header at all
			}
			return nil, b.fault(r.Context(), err)
		}
		b.r = z
	case "zstd":
		z, err := zstd.NewReader(b.r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("opening a zstd body: %w", err)
		}
		b.r, b.release = z, z.Close
	}
	return b, nil
}

// Read fills p, up to the limit.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), &http.MaxBytesError{Limit: maxContentLength}
	}
	b.left -= int64(n)
	b.head = append(b.head, p[:min(n, maxHead-len(b.head))]...)
	b.err = err
	return n, err
}

const maxHead = 512

// begins reports whether the body begins as JSON does.
func (b *body) begins() bool {
	_, err := jsontext.NewDecoder(bytes.NewReader(b.head)).ReadToken()
	return err == nil || len(b.head) == maxHead && errors.Is(err, io.ErrUnexpectedEOF)
}

// fault is the error to answer with: err, unless it only repeats that the body
// could not be read.
func (b *body) fault(ctx context.Context, err error) error {
	var large *http.MaxBytesError
	switch {
	case b.err == nil || b.err == io.EOF:
		return err
	case errors.As(b.err, &large):
		return b.err
	case ctx.Err() != nil:
		return ctx.Err()
	case b.coding != "":
		return malformed("the body is no whole " + b.coding + "; nothing was added")
	}
	return malformed("the body ended too early; nothing was added")
}
