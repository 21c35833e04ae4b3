package witness

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits of the interface.
const (
	perAddress   = 5  // requests per second and address
	burst        = 20 // at once
	maxAddresses = 4096
	atOnce       = 32 // requests
)

// Handler answers POST /add-checkpoint (C2SP tlog-witness), and on GET / says
// whose key it signs with.
func (w *Witness) Handler() http.Handler {
	mux := http.NewServeMux()
	s := &service{w: w, slots: make(chan struct{}, atOnce), seen: map[string]*rate.Limiter{}}
	mux.HandleFunc("POST /add-checkpoint", s.add)
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) {
		text(rw, http.StatusOK, "a witness of transparency logs: "+w.key+"\n")
	})
	return mux
}

// Server is an HTTP server with the bounds that a witness in the open needs.
func (w *Witness) Server() *http.Server {
	return &http.Server{
		Handler: w.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 20 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
}

type service struct {
	w     *Witness
	slots chan struct{}

	mu   sync.Mutex
	seen map[string]*rate.Limiter
}

// allows reports whether the address may ask once more now. When too many
// addresses ask, all of them are forgotten: memory stays bounded.
func (s *service) allows(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.seen[host]
	if l == nil {
		if len(s.seen) >= maxAddresses {
			clear(s.seen)
		}
		l = rate.NewLimiter(perAddress, burst)
		s.seen[host] = l
	}
	return l.Allow()
}

func (s *service) add(rw http.ResponseWriter, r *http.Request) {
	if !s.allows(r) {
		rw.Header().Set("Retry-After", "1")
		text(rw, http.StatusTooManyRequests, "too many requests\n")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, MaxBody))
	if err != nil {
		text(rw, http.StatusBadRequest, "the request is too large, or was cut off\n")
		return
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-r.Context().Done():
		return
	}
	lines, err := s.w.AddCheckpoint(body)
	var refused *Refusal
	switch {
	case err == nil:
		text(rw, http.StatusOK, string(lines))
	case errors.As(err, &refused) && refused.Status == http.StatusConflict:
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(rw, strconv.FormatInt(refused.Size, 10)+"\n")
	case errors.As(err, &refused):
		text(rw, refused.Status, refused.Text+"\n")
	default:
		s.w.o.Log.Error("adding a checkpoint", "err", err)
		text(rw, http.StatusInternalServerError, "the witness cannot keep what it would sign\n")
	}
}

func text(rw http.ResponseWriter, status int, body string) {
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	rw.WriteHeader(status)
	_, _ = io.WriteString(rw, body)
}
