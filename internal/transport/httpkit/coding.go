package httpkit

import (
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Coding is a content coding (RFC 9110 §8.4.1).
type Coding string

// The codings that answers are given in.
const (
	Identity Coding = ""
	Gzip     Coding = "gzip" // RFC 1952
	Zstd     Coding = "zstd" // RFC 8878
)

// SmallestCoded is the size in bytes from which answers are compressed.
const SmallestCoded = 1024

// CodingOf is the coding that the request prefers, of those that there are, by
// Accept-Encoding (RFC 9110 §12.5.3): the highest weight, zstd before gzip before
// none where weights are equal. Without the header it is Identity. required says
// that an answer without coding is refused; the error is a 406 when there is none
// that is not.
func CodingOf(r *http.Request) (c Coding, required bool, err error) {
	values := r.Header["Accept-Encoding"]
	if len(values) == 0 {
		return Identity, false, nil
	}
	weights := weighing{zstd: -1, gzip: -1, identity: -1, other: -1}
	for _, value := range values {
		for value != "" {
			var part string
			part, value, _ = strings.Cut(value, ",")
			weights.take(part)
		}
	}
	known := func(w float64) float64 {
		if w < 0 {
			return max(0, weights.other)
		}
		return w
	}
	z, g, i := known(weights.zstd), known(weights.gzip), weights.identity
	if required = i == 0 || i < 0 && weights.other == 0; required {
		i = 0
	}
	switch {
	case z > 0 && z >= g && z >= i:
		return Zstd, required, nil
	case g > 0 && g >= i:
		return Gzip, required, nil
	case required:
		return Identity, true, Fail(http.StatusNotAcceptable, "answers are given as they are, or in the codings zstd and gzip")
	}
	return Identity, false, nil
}

// weighing is what Accept-Encoding gives each coding; below zero: nothing.
type weighing struct{ zstd, gzip, identity, other float64 }

func (w *weighing) take(part string) {
	name, parameters, _ := strings.Cut(part, ";")
	q := 1.0
	if key, value, ok := strings.Cut(parameters, "="); ok && strings.EqualFold(strings.TrimSpace(key), "q") {
		var err error
		if q, err = strconv.ParseFloat(strings.TrimSpace(value), 64); err != nil || !(q >= 0 && q <= 1) {
			return // no weight: as if it were not there
		}
	}
	switch name = strings.TrimSpace(name); {
	case strings.EqualFold(name, "zstd"):
		w.zstd = q
	case strings.EqualFold(name, "gzip"), strings.EqualFold(name, "x-gzip"):
		w.gzip = q
	case strings.EqualFold(name, "identity"):
		w.identity = q
	case name == "*":
		w.other = q
	}
}

// Encode is the body in the coding.
func (c Coding) Encode(body []byte) []byte {
	switch c {
	case Zstd:
		return encoder().EncodeAll(body, make([]byte, 0, len(body)/3+64))
	case Gzip:
		b := slice(make([]byte, 0, len(body)/3+64))
		w, _ := gzips.Get().(*gzip.Writer)
		if w == nil {
			w, _ = gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level is one that there is
		} else {
			w.Reset(&b)
		}
		_, _ = w.Write(body) // to memory
		_ = w.Close()
		gzips.Put(w)
		return b
	}
	return body
}

type slice []byte

func (s *slice) Write(p []byte) (int, error) {
	*s = append(*s, p...)
	return len(p), nil
}

var gzips sync.Pool

// encoder is used by many goroutines at the same time.
var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constant
	}
	return e
})

// Coded is compressed answers, kept up to a number of bytes.
//
// They may be kept and shared because nothing of a request stands in them: no
// secret, no identity, nothing that the caller sent. What is compressed together
// is one page that its reader may see, so its length tells an onlooker of the
// connection no more than pages of that collection do.
type Coded struct {
	mu    sync.Mutex
	most  int64
	size  int64
	young map[CodedKey]*coded
	old   map[CodedKey]*coded
}

// CodedKey names bytes: equal keys mean equal bytes.
type CodedKey struct {
	Mark   [2]uint64
	Coding Coding
}

type coded struct {
	once sync.Once
	body []byte
}

// NewCoded returns an empty cache for so many bytes.
func NewCoded(bytes int64) *Coded { return &Coded{most: bytes / 2, young: map[CodedKey]*coded{}} }

// Body is the coded form of what plain gives. Callers who ask for the same at the
// same time wait for one of them.
func (c *Coded) Body(key CodedKey, plain func() []byte) []byte {
	c.mu.Lock()
	e := c.young[key]
	if e == nil {
		if e = c.old[key]; e == nil {
			e = &coded{}
		}
		c.young[key] = e
	}
	c.mu.Unlock()
	e.once.Do(func() {
		e.body = key.Coding.Encode(plain())
		c.mu.Lock()
		defer c.mu.Unlock()
		// What was not asked for since the cache was last half full goes.
		if c.size += int64(len(e.body)) + 256; c.size > c.most {
			c.old, c.young, c.size = c.young, map[CodedKey]*coded{}, 0
		}
	})
	return e.body
}

// Compress has an answer that is written whole, in one call of Write with its
// Content-Length set, compressed as the request prefers. finish is called when the
// handler has ended. The error is that of CodingOf.
func Compress(w http.ResponseWriter, r *http.Request) (out http.ResponseWriter, finish func(), err error) {
	coding, required, err := CodingOf(r)
	if err != nil || coding == Identity {
		return w, func() {}, err
	}
	c := &compressing{ResponseWriter: w, coding: coding, required: required}
	return c, c.finish, nil
}

type compressing struct {
	http.ResponseWriter
	coding   Coding
	required bool
	status   int // held back; 0: none
	begun    bool
}

// Unwrap lets http.ResponseController reach the connection.
func (c *compressing) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *compressing) WriteHeader(status int) {
	if c.begun || status != http.StatusOK {
		c.begun = true
		c.ResponseWriter.WriteHeader(status)
		return
	}
	c.status = status
}

func (c *compressing) finish() {
	if !c.begun && c.status != 0 {
		c.begun = true
		c.ResponseWriter.WriteHeader(c.status)
	}
}

func (c *compressing) Write(p []byte) (int, error) {
	if c.begun {
		return c.ResponseWriter.Write(p)
	}
	c.begun = true
	h := c.Header()
	whole := len(h["Content-Length"]) == 1 && h["Content-Length"][0] == strconv.Itoa(len(p))
	if whole && h["Content-Encoding"] == nil && (len(p) >= SmallestCoded || c.required) {
		body := c.coding.Encode(p)
		SetCoding(h, c.coding, len(body))
		_, err := c.ResponseWriter.Write(body)
		return len(p), err
	}
	return c.ResponseWriter.Write(p)
}

var vary = []string{"Accept-Encoding"}

// SetCoding sets the headers of an answer that exists in several codings and has
// so many bytes in this one.
func SetCoding(h http.Header, c Coding, size int) {
	h["Vary"] = vary
	h["Content-Length"] = []string{strconv.Itoa(size)}
	if c != Identity {
		h["Content-Encoding"] = []string{string(c)}
	}
}

// Matches reports whether If-None-Match names the entity tag (RFC 9110 §13.1.2),
// by weak comparison. "*" names none: who has nothing is to be given it.
func Matches(r *http.Request, tag string) bool {
	for _, value := range r.Header["If-None-Match"] {
		for value != "" {
			var part string
			part, value, _ = strings.Cut(value, ",")
			if strings.TrimPrefix(strings.TrimSpace(part), "W/") == tag {
				return true
			}
		}
	}
	return false
}
