package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// Idempotency keeps the answers to requests that carried an Idempotency-Key,
// for 48 hours: the digest of the request, and the status and body of the
// answer.
type Idempotency interface {
	Idempotent(ctx context.Context, client, key string) (request []byte, status int, body []byte, found bool, err error)
	PutIdempotent(ctx context.Context, client, key string, request []byte, status int, body []byte) error
}

const maxKey = 255

// once runs each POST under its Idempotency-Key at most once, as far as the
// answer was acknowledged: a repetition is given the answer that was stored.
// Only successes are kept. A request that was refused changed nothing, so to
// run it again is safe, and answers with what holds by then.
type once struct {
	store Idempotency
	log   *slog.Logger
	mu    sync.Mutex
	busy  map[string]struct{}
}

// streams are the paths whose body is not read before the handler runs: it may
// be of any size. Their request is its parameters and its Content-Digest.
func streams(path string) bool {
	return strings.HasPrefix(path, prefix+"/releases/") && strings.HasSuffix(path, "/artifacts")
}

// secrets are the paths whose answer holds a secret that is shown once. It is
// not kept, so a repetition is told that the first request was carried out.
func secrets(path string) bool {
	return path == prefix+"/tokens" || path == prefix+"/connections" || path == prefix+"/webhooks" ||
		strings.HasPrefix(path, prefix+"/webhooks/") && strings.HasSuffix(path, "/rotate") || strings.HasPrefix(path, prefix+"/people/") && strings.HasSuffix(path, "/links")
}

// polls are the paths at which a person polls as a machine: they change nothing,
// and their answer holds what the machine may have at that moment.
func polls(path string) bool {
	return strings.HasPrefix(path, prefix+"/connections/") && strings.HasSuffix(path, "/test")
}

func (o *once) wrap(next http.Handler) http.Handler {
	return httpkit.Adapter{Log: o.log, Body: -1}.Handler(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodPost || asking(r.URL.Path) {
			next.ServeHTTP(w, r)
			return nil
		}
		return o.serve(w, r, next)
	})
}

func (o *once) serve(w http.ResponseWriter, r *http.Request, next http.Handler) error {
	key := r.Header.Get("Idempotency-Key")
	if key == "" || len(key) > maxKey {
		return httpkit.Fail(http.StatusBadRequest,
			"every POST needs an Idempotency-Key of 1 to 255 characters, new for each act and the same for its repetitions; nothing was done")
	}
	if polls(r.URL.Path) { // done anew each time: what was given then may be withheld now
		next.ServeHTTP(w, r)
		return nil
	}
	if streams(r.URL.Path) && r.Header.Get("Content-Digest") == "" {
		// Nothing says whether these are the same bytes: they are handed in
		// again, and the same submission twice is one.
		next.ServeHTTP(w, r)
		return nil
	}
	sum, err := fingerprint(r)
	if err != nil {
		return err
	}
	client := actorOf(r.Context()).Client()
	if !o.begin(client, key) {
		return exchange.Fail(exchange.Conflict, "a request with this Idempotency-Key is in progress; repeat it when it has ended")
	}
	defer o.end(client, key)
	request, status, body, found, err := o.store.Idempotent(r.Context(), client, key)
	switch {
	case err != nil:
		return fmt.Errorf("looking for an earlier answer: %w", err)
	case found && !bytes.Equal(request, sum):
		return httpkit.Fail(http.StatusUnprocessableEntity,
			"this Idempotency-Key was used for another request; nothing was done. Use a new key for a new act.")
	case found:
		return replay(w, status, body)
	}
	rec := &recorder{ResponseWriter: w}
	next.ServeHTTP(rec, r)
	httpkit.NameEntries(r.Context(), rec.Header(), rec.status)
	if rec.status >= 200 && rec.status <= 299 {
		// The act is done: what fails from here on must not turn its answer into
		// an error, nor end with the connection.
		ctx := context.WithoutCancel(r.Context())
		if err := o.store.PutIdempotent(ctx, client, key, sum, rec.status, rec.envelope(secrets(r.URL.Path))); err != nil {
			o.log.ErrorContext(ctx, "keeping an answer for its repetition", "error", err)
		}
	}
	rec.send()
	return nil
}

func (o *once) begin(client, key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	k := client + "\x00" + key
	if _, taken := o.busy[k]; taken {
		return false
	}
	o.busy[k] = struct{}{}
	return true
}

func (o *once) end(client, key string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.busy, client+"\x00"+key)
}

// fingerprint is what makes two requests the same: method, target, type,
// precondition, and the body or what stands for it.
func fingerprint(r *http.Request) ([]byte, error) {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Content-Type"), r.Header.Get("If-Match")} {
		_, _ = io.WriteString(h, part+"\n")
	}
	if streams(r.URL.Path) {
		_, _ = io.WriteString(h, r.Header.Get("Content-Digest")+"\n"+strconv.FormatInt(r.ContentLength, 10))
		return h.Sum(nil), nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, exchange.Fail(exchange.Invalid, "the body of the request could not be read; nothing was done")
	}
	if len(body) > maxBody {
		return nil, &http.MaxBytesError{Limit: maxBody}
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_, _ = h.Write(body)
	return h.Sum(nil), nil
}

// envelope is the form in which an answer is stored: its body and the headers
// that belong to it.
type envelope struct {
	Header map[string]string `json:"h,omitempty"`
	Body   []byte            `json:"b,omitempty"`
	Secret bool              `json:"s,omitempty"` // the answer held a secret and was not kept
}

var keptHeaders = []string{"Content-Type", "ETag", "Location", httpkit.EntryHeader}

func replay(w http.ResponseWriter, status int, body []byte) error {
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("reading a kept answer: %w", err)
	}
	if e.Secret {
		return exchange.Fail(exchange.Conflict, "this request was carried out before; its answer held a secret, which is shown once and not kept. Issue another one with a new Idempotency-Key.")
	}
	for k, v := range e.Header {
		w.Header().Set(k, v)
	}
	if entries := e.Header[httpkit.EntryHeader]; entries != "" {
		httpkit.SetEntries(w.Header(), entries)
	}
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(status)
	_, _ = w.Write(e.Body)
	return nil
}

// recorder holds an answer back until it is kept. Answers to POST are small.
type recorder struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// Unwrap lets http.ResponseController reach the connection, for deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) send() {
	r.WriteHeader(http.StatusOK)
	r.ResponseWriter.WriteHeader(r.status)
	_, _ = r.ResponseWriter.Write(r.body.Bytes())
}

func (r *recorder) envelope(secret bool) []byte {
	e := envelope{Secret: secret}
	if !secret {
		e.Body, e.Header = r.body.Bytes(), map[string]string{}
		for _, k := range keptHeaders {
			if v := r.Header().Get(k); v != "" {
				e.Header[k] = v
			}
		}
	}
	b, err := json.Marshal(e)
	if err != nil { // maps of strings and bytes always marshal
		panic(err)
	}
	return b
}
