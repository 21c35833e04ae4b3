package httpkit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// StatusError is a failure of the protocol, for which the exchange has no kind
// (400, 405, 406, 415, 428, 429).
type StatusError struct {
	Status     int
	Public     string
	RetryAfter time.Duration
}

func (e *StatusError) Error() string { return http.StatusText(e.Status) + ": " + e.Public }

// Fail returns a StatusError with a text that the caller may read. It must not
// hold what the caller sent: answers pass through logs of others.
func Fail(status int, format string, args ...any) error {
	return &StatusError{Status: status, Public: fmt.Sprintf(format, args...)}
}

// internalFailure answers whatever carries no kind.
var internalFailure = Failure{
	Problem: ofStatus(http.StatusInternalServerError),
	Detail:  "the server could not answer; give the request id to the operator",
}

// statusClientGone is what nginx logs when the caller went before the answer.
const statusClientGone = 499

// tryAgain is after how long it is worth asking again what cannot be answered now.
const tryAgain = 10 * time.Second

// FailureOf says how an error is answered. Only what the error holds as public
// enters: the inner error stays for the log.
func FailureOf(err error) Failure {
	var status *StatusError
	var large *http.MaxBytesError
	kind := exchange.KindOf(err)
	switch {
	case errors.As(err, &status):
		return Failure{Problem: ofStatus(status.Status), Detail: status.Public, RetryAfter: status.RetryAfter}
	case errors.As(err, &large):
		return Failure{Problem: ofStatus(http.StatusRequestEntityTooLarge), Detail: fmt.Sprintf("the request is larger than %d bytes", large.Limit)}
	case kind == "" && errors.Is(err, context.Canceled):
		return Failure{Problem: Problem{Slug: "internal", Status: statusClientGone, Title: "Client closed request"}}
	case kind == "" && errors.Is(err, context.DeadlineExceeded):
		return Failure{Problem: ofStatus(http.StatusServiceUnavailable), Detail: "the answer took too long; try again"}
	}
	p, known := ofKind(kind)
	if !known {
		return internalFailure
	}
	f := Failure{Problem: p}
	if kind == exchange.Unavailable {
		f.RetryAfter = tryAgain
	}
	if kind == exchange.NotFound {
		// One text, whatever the room said: a withheld item must not differ
		// from one that does not exist.
		f.Detail = "not found"
		return f
	}
	var e *exchange.Error
	if errors.As(err, &e) {
		f.Detail, f.Errors, f.Total = e.Public, e.Problems, e.Total
	}
	return f
}

// Handler answers a request, or says why it did not. After it has begun to
// write it may not return an error; it panics with http.ErrAbortHandler, so
// that the reader sees a cut connection and not a whole answer.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Adapter makes http.Handlers of Handlers. The zero value works.
type Adapter struct {
	Log   *slog.Logger
	Write FailureWriter // nil: WriteProblem
	Body  int64         // most bytes of a request's body; 0: DefaultBody; negative: the handler limits it
}

// DefaultBody is the most that a request may carry where nothing else is said.
const DefaultBody = 1 << 20

// Handler returns h as an http.Handler: its error is logged, when it is ours,
// or else told to the caller, never both (architecture §8, Errors).
func (a Adapter) Handler(h Handler) http.Handler {
	if a.Log == nil {
		a.Log = slog.New(slog.DiscardHandler)
	}
	if a.Write == nil {
		a.Write = WriteProblem
	}
	if a.Body == 0 {
		a.Body = DefaultBody
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.Body > 0 && r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(w, r.Body, a.Body)
		}
		defer func() {
			if fault := recover(); recovered(fault, w, r, a.Log, a.Write) {
				panic(http.ErrAbortHandler)
			}
		}()
		if err := h(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

func (a Adapter) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := Failed(r.Context(), a.Log, err)
	if begun(w) {
		panic(http.ErrAbortHandler)
	}
	a.Write(w, r, f)
}

// Failed is FailureOf for the request that ctx belongs to. A fault of ours goes
// to the log; its route stands in the access log under the same request id.
func Failed(ctx context.Context, log *slog.Logger, err error) Failure {
	f := FailureOf(err)
	f.RequestID = RequestID(ctx)
	if f.Status >= http.StatusInternalServerError {
		log.ErrorContext(ctx, "a request failed", slog.String("req", f.RequestID), slog.Int("status", f.Status), slog.String("err", err.Error()))
	}
	return f
}
