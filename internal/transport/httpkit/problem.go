package httpkit

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Problem is one type of problem: the address /problems/<Slug> names it for
// good, so neither a slug nor what it means ever changes.
type Problem struct {
	Slug   string
	Status int
	Kind   exchange.Kind // the kind that it answers; "": none
	Title  string        // the same in every answer of this type
	Text   string        // what it means and what to do, for its page
}

// problems is the one table from error kinds to statuses, and the catalogue.
var problems = []Problem{
	{"not-found", http.StatusNotFound, exchange.NotFound, "Not found", "There is no such thing, or none that you may know of: the two are answered alike."},
	{"denied", http.StatusForbidden, exchange.Denied, "Denied", "You may know of it and may not do this. Nothing was changed."},
	{"invalid", http.StatusUnprocessableEntity, exchange.Invalid, "Invalid input", "The input breaks a rule. Every fault is listed under errors with its place. Nothing was stored."},
	{"conflict", http.StatusConflict, exchange.Conflict, "Conflict", "The present state does not permit the act, or it changed meanwhile. Read it again."},
	{"embargoed", http.StatusForbidden, exchange.Embargoed, "Embargoed", "An obligation of the agreement forbids this before the public release."},
	{"gone", http.StatusGone, exchange.Gone, "Gone", "You had access to it and it was withdrawn."},
	{"too-large", http.StatusRequestEntityTooLarge, exchange.Exhausted, "Too large", "The request exceeds a limit of this server. Split it, or ask the operator for a higher limit."},
	{"unavailable", http.StatusServiceUnavailable, exchange.Unavailable, "Unavailable", "The server cannot answer at the moment. Try again later."},
	{"sign-in-required", http.StatusUnauthorized, exchange.Unsigned, "Sign-in required", "No valid credentials came with the request: missing, wrong, expired, revoked or suspended."},
	{"precondition-failed", http.StatusPreconditionFailed, exchange.Precondition, "Precondition failed", "The version named in If-Match is no longer the current one. Read it again."},
	{"malformed", http.StatusBadRequest, "", "Malformed request", "The request cannot be understood. The detail says which part."},
	{"method-not-allowed", http.StatusMethodNotAllowed, "", "Method not allowed", "The header Allow lists the methods of this address."},
	{"not-acceptable", http.StatusNotAcceptable, "", "Not acceptable", "None of the media types in the header Accept can be given here."},
	{"unsupported-media-type", http.StatusUnsupportedMediaType, "", "Unsupported media type", "The Content-Type of the request is not one that this address takes."},
	{"precondition-required", http.StatusPreconditionRequired, "", "Precondition required", "A change needs the header If-Match with the version that you read."},
	{"too-many-requests", http.StatusTooManyRequests, "", "Too many requests", "Wait as long as the header Retry-After says."},
	{"internal", http.StatusInternalServerError, "", "Internal error", "The server made a mistake. The operator finds it under the request id."},
}

// Problems lists every type of problem, for their pages.
func Problems() []Problem { return slices.Clone(problems) }

// ofKind returns the problem that answers a kind.
func ofKind(k exchange.Kind) (Problem, bool) {
	i := slices.IndexFunc(problems, func(p Problem) bool { return p.Kind == k })
	if i < 0 || k == "" {
		return Problem{}, false
	}
	return problems[i], true
}

// ofStatus returns the problem that answers a status which no kind stands for.
func ofStatus(status int) Problem {
	if i := slices.IndexFunc(problems, func(p Problem) bool { return p.Status == status }); i >= 0 {
		return problems[i]
	}
	return Problem{Slug: "malformed", Status: status, Title: http.StatusText(status)}
}

// Failure is an answer that is not a success, before it takes the form of an
// interface. Nothing in it comes from an inner error.
type Failure struct {
	Problem
	Detail     string // for this occurrence; may be empty
	Errors     []exchange.Problem
	Total      int // how many faults there were, when more than Errors lists
	RetryAfter time.Duration
	RequestID  string
}

// FailureWriter writes a failure in the form of an interface.
type FailureWriter func(w http.ResponseWriter, r *http.Request, f Failure)

// ProblemType is the media type of problem details (RFC 9457).
const ProblemType = "application/problem+json"

// Details are problem details (RFC 9457) with two extension members: type is
// the address of the problem's page on this server, instance the request id.
type Details struct {
	Type     string  `json:"type" doc:"address of the explanation of this type of problem" example:"/problems/not-found"`
	Title    string  `json:"title"`
	Status   int     `json:"status"`
	Detail   string  `json:"detail,omitempty" doc:"what happened, what was not done, the next step"`
	Instance string  `json:"instance,omitempty" doc:"the request id, also in X-Request-Id"`
	Errors   []Fault `json:"errors,omitempty" doc:"every fault of the input that was found, up to a cap"`
	Total    int     `json:"total,omitempty" doc:"how many faults there were, when errors lists fewer"`
}

// Fault is one fault in an input.
type Fault struct {
	Path    string `json:"path" example:"$.objects[3].id"`
	Code    string `json:"code,omitempty" doc:"short stable name of the rule"`
	Section string `json:"section,omitempty" doc:"paragraph of the standard"`
	Message string `json:"message"`
	Object  string `json:"object,omitempty" doc:"id of the STIX object"`
}

// Faults are problems as they stand in an answer.
func Faults(problems []exchange.Problem) []Fault {
	out := make([]Fault, 0, len(problems))
	for _, p := range problems {
		out = append(out, Fault(p))
	}
	return out
}

// Details are the problem details of a failure.
func (f Failure) Details() Details {
	d := Details{
		Type: "/problems/" + f.Slug, Title: f.Title, Status: f.Status, Detail: f.Detail, Instance: f.RequestID, Errors: Faults(f.Errors),
	}
	if f.Total > len(f.Errors) {
		d.Total = f.Total
	}
	return d
}

// WriteProblem answers with problem details.
func WriteProblem(w http.ResponseWriter, r *http.Request, f Failure) {
	FailureHeaders(w.Header(), f)
	WriteJSON(w, f.Status, ProblemType, f.Details())
}

// FailureHeaders sets the headers that a failure needs in any form:
// WWW-Authenticate on 401 (RFC 9110 §15.5.2), Retry-After where it is known.
func FailureHeaders(h http.Header, f Failure) {
	if f.Status == http.StatusUnauthorized {
		h["Www-Authenticate"] = challenges
	}
	if f.RetryAfter > 0 {
		seconds := max(1, (f.RetryAfter+time.Second-1)/time.Second)
		h["Retry-After"] = []string{strconv.Itoa(int(seconds))}
	}
}

// WriteJSON answers with v as JSON. v is a wire type of a transport, so that
// encoding it cannot fail.
func WriteJSON(w http.ResponseWriter, status int, contentType string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // a wire type that is no JSON: a fault of ours
	}
	h := w.Header()
	h["Content-Type"] = []string{contentType}
	h["Content-Length"] = []string{strconv.Itoa(len(body) + 1)}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the reader has gone: nobody is left to tell
}
