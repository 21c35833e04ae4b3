package httpkit

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
)

// Options of Wrap. The zero value works.
type Options struct {
	Log *slog.Logger // nil: no log
	// Secure says that callers come over https, also when a proxy in front
	// ends TLS. It decides on HSTS and on the form of cookies.
	Secure bool
	// Data says that nothing but data is answered: see DataOnly.
	Data bool
}

// Wrap is the outermost handler: it gives each request an id (header
// X-Request-Id, never taken from the caller), sets the headers that every
// answer carries, turns a panic into a 500 and writes the access log.
func Wrap(next http.Handler, o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		t := &trace{Context: r.Context(), ResponseWriter: w, began: began, id: requestID(), secure: o.Secure || r.TLS != nil}
		h := w.Header()
		if o.Data {
			dataHeaders(h, t.secure)
		} else {
			baseHeaders(h, t.secure)
		}
		t.ids[0] = t.id
		h["X-Request-Id"] = t.ids[:]
		// The mux notes the pattern on the request that it is given, so the
		// copy that goes in is the one to ask afterwards.
		inner := r.WithContext(t)
		defer func() {
			aborted := recovered(recover(), t, inner, o.Log, WriteProblem)
			t.access(o.Log, inner, time.Since(began))
			if aborted {
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(t, inner)
	})
}

type traceKey struct{}

// trace is the writer of one answer, the context of its request, and what is
// known of both.
type trace struct {
	context.Context
	http.ResponseWriter
	began  time.Time
	id     string
	ids    [1]string // the header's value
	secure bool
	status int // 0: nothing written yet
	bytes  int64
	acts   *record.Acts // of the caller; nil: nobody is known
}

// Value answers for the trace itself.
func (t *trace) Value(key any) any {
	if key == (traceKey{}) {
		return t
	}
	return t.Context.Value(key)
}

// requestID is a random identifier. It tells requests apart and opens nothing,
// so it does not wait for the system's random numbers.
func requestID() string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	b := [...]byte{'r', 'e', 'q', '_', 19: 0}
	for half := 4; half < len(b); half += 8 {
		n := rand.Uint64()
		for i := range 8 {
			b[half+i] = letters[n>>(5*i)%32]
		}
	}
	return string(b[:])
}

func traceOf(ctx context.Context) *trace {
	t, _ := ctx.Value(traceKey{}).(*trace)
	return t
}

// RequestID returns the id of the request that ctx belongs to, or "" outside
// Wrap.
func RequestID(ctx context.Context) string {
	if t := traceOf(ctx); t != nil {
		return t.id
	}
	return ""
}

// secure reports whether the caller came over https.
func secure(r *http.Request) bool {
	if t := traceOf(r.Context()); t != nil {
		return t.secure
	}
	return r.TLS != nil
}

func (t *trace) WriteHeader(status int) {
	if t.status == 0 && status >= 200 {
		t.name(t.Header(), status)
		if t.status = status; status == http.StatusNotFound {
			Pace(t.Context, t.began, MissingPace) // what is withheld and what does not exist take as long
		}
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *trace) Write(p []byte) (int, error) {
	t.begin()
	n, err := t.ResponseWriter.Write(p)
	t.bytes += int64(n)
	return n, err
}

// begin notes that the answer begins without a status.
func (t *trace) begin() {
	if t.status == 0 {
		t.status = http.StatusOK
		t.name(t.Header(), t.status)
	}
}

// ReadFrom keeps sendfile possible for bytes that come from a file.
func (t *trace) ReadFrom(src io.Reader) (int64, error) {
	t.begin()
	n, err := io.Copy(t.ResponseWriter, src)
	t.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (t *trace) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *trace) access(log *slog.Logger, r *http.Request, took time.Duration) {
	if !log.Enabled(r.Context(), slog.LevelInfo) {
		return
	}
	log.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("req", t.id),
		slog.String("method", method(r.Method)),
		slog.String("route", cmp.Or(r.Pattern, "none")),
		slog.Int("status", cmp.Or(t.status, http.StatusOK)),
		slog.Int64("bytes", t.bytes),
		slog.Duration("took", took))
}

// method keeps free text that a caller can choose out of the log.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// recovered deals with what recover() gave. It answers 500 in the interface's
// form, or reports true when the answer has begun and only cutting the
// connection can tell the reader that it is not whole.
func recovered(fault any, w http.ResponseWriter, r *http.Request, log *slog.Logger, write FailureWriter) (abort bool) {
	if fault == nil {
		return false
	}
	if fault == http.ErrAbortHandler {
		return true
	}
	// The text of a panic may hold content, except the runtime's own.
	what := slog.String("panic", "value withheld")
	if e, ok := fault.(runtime.Error); ok {
		what = slog.String("panic", e.Error())
	}
	log.ErrorContext(r.Context(), "a handler panicked", slog.String("req", RequestID(r.Context())),
		slog.String("route", r.Pattern), what, slog.String("stack", string(debug.Stack())))
	if begun(w) {
		return true
	}
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "ETag", "Last-Modified"} {
		w.Header().Del(name)
	}
	f := internalFailure
	f.RequestID = RequestID(r.Context())
	write(w, r, f)
	return false
}

// begun reports whether a part of the answer has been written.
func begun(w http.ResponseWriter) bool {
	for {
		switch v := w.(type) {
		case *trace:
			return v.status != 0
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return false
		}
	}
}
