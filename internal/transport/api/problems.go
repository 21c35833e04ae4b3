package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// problem is an answer that is not a success. It never holds a value that the
// caller sent.
type problem struct {
	httpkit.Details

	huma.StatusError `json:"-"` // says the status to huma
	headers          http.Header
}

// Error makes a problem an error that a handler can return.
func (p *problem) Error() string { return p.Title + ": " + p.Detail }

// ContentType is how huma asks for the media type.
func (p *problem) ContentType(string) string { return httpkit.ProblemType }

func problemOf(f httpkit.Failure) *problem {
	p := &problem{Details: f.Details(), headers: http.Header{}, StatusError: &huma.ErrorModel{Status: f.Status}}
	httpkit.FailureHeaders(p.headers, f)
	return p
}

// refusal turns an error of a room into a problem, and writes to the log what
// the caller may not read.
func (s *server) refusal(ctx context.Context, err error) error {
	var p *problem
	var done huma.StatusError
	switch {
	case errors.As(err, &p):
		p.Instance = httpkit.RequestID(ctx)
		return huma.ErrorWithHeaders(p, p.headers)
	case errors.As(err, &done):
		return err
	}
	p = problemOf(httpkit.Failed(ctx, s.log, err))
	return huma.ErrorWithHeaders(p, p.headers)
}

// newProblem is how huma reports what it finds itself: the place and the rule,
// not the value.
func newProblem(status int, msg string, errs ...error) huma.StatusError {
	if status == 0 { // huma asks for an example, to describe it
		return &problem{}
	}
	f := httpkit.FailureOf(httpkit.Fail(status, "%s", detail(status, msg)))
	for _, err := range errs {
		var d huma.ErrorDetailer
		if !errors.As(err, &d) || status >= http.StatusInternalServerError {
			continue
		}
		e := d.ErrorDetail()
		f.Errors = append(f.Errors, exchange.Problem{Path: place(e.Location), Message: ruleText(e.Message)})
	}
	return problemOf(f)
}

// place writes huma's location as a JSON path or as the name of a parameter.
func place(location string) string {
	if rest, ok := strings.CutPrefix(location, "body"); ok {
		return "$" + rest
	}
	return location
}

// ruleText keeps what huma says of the rule. A decoder's error can quote a piece of
// the input, so of those nothing but the fact is said.
func ruleText(msg string) string {
	switch {
	case strings.HasPrefix(msg, "expected"), strings.HasPrefix(msg, "required"), strings.HasPrefix(msg, "unknown"), strings.HasPrefix(msg, "unexpected property"):
		return msg
	case strings.HasPrefix(msg, "invalid character"), strings.HasPrefix(msg, "unexpected end"), strings.Contains(msg, "looking for"), strings.Contains(msg, "unmarshal"):
		return "not valid JSON"
	}
	return "the value cannot be read"
}

func detail(status int, msg string) string {
	switch status {
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		return "the request does not fit this operation; nothing was done"
	case http.StatusRequestEntityTooLarge:
		return fmt.Sprintf("the request is larger than %d bytes; nothing was done", maxBody)
	case http.StatusUnsupportedMediaType:
		return "this operation does not take that Content-Type; nothing was done"
	case http.StatusNotAcceptable:
		return "this operation gives application/json"
	case http.StatusInternalServerError:
		return "the server could not answer; give the request id to the operator"
	}
	return strings.ToLower(http.StatusText(status))
}

// changed is the answer to an If-Match that does not hold: it carries the ETag
// that does.
func changed(current string) error {
	p := problemOf(httpkit.FailureOf(exchange.Fail(exchange.Precondition, "it changed since you read it; nothing was done. Read it again and use its present ETag.")))
	if current != "" {
		p.headers.Set("ETag", current)
	}
	return p
}

// publicText is what of an error a caller may read.
func publicText(err error) string {
	var e *exchange.Error
	if errors.As(err, &e) {
		return e.Public
	}
	return "the value cannot be read"
}

// explain is the page of one type of problem, as plain text.
func explain(w http.ResponseWriter, r *http.Request) {
	slug := r.PathValue("slug")
	for _, p := range httpkit.Problems() {
		if p.Slug == slug {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("Cache-Control", "public, max-age=3600")
			_, _ = fmt.Fprintf(w, "%s\n\nstatus %d · type /problems/%s\n\n%s\n", p.Title, p.Status, p.Slug, p.Text)
			return
		}
	}
	fail(w, r, exchange.Missing())
}

// fail answers an error outside of huma.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	f := httpkit.FailureOf(err)
	f.RequestID = httpkit.RequestID(r.Context())
	httpkit.WriteProblem(w, r, f)
}

type actorKey struct{}

func actorOf(ctx context.Context) exchange.Actor {
	a, _ := ctx.Value(actorKey{}).(exchange.Actor)
	return a
}

// signedIn lets nobody pass without credentials, before anything is looked up:
// an address that does not exist answers 401 as well. Cookies count for
// nothing here, so no page elsewhere can act in a reader's name.
func signedIn(c Config, next http.Handler) http.Handler {
	return httpkit.Adapter{Log: c.Log, Body: -1}.Handler(func(w http.ResponseWriter, r *http.Request) error {
		a, err := httpkit.Authenticate(c.Authn, r, exchange.ChannelAPI)
		if err != nil {
			// Only who fails is slowed down: behind one address there are many,
			// and one suspended client must not shut the others out.
			if exchange.KindOf(err) == exchange.Unsigned {
				if wait := c.Limits.SignIn(r); wait != nil {
					return wait
				}
				c.Limits.SignInFailed(r)
			}
			return err
		}
		if r.Method == http.MethodHead {
			// A GET is recorded as giving; what gives nothing must not be.
			w.Header().Set("Allow", "GET")
			return httpkit.Fail(http.StatusMethodNotAllowed, "HEAD is not answered here: what is given is recorded, and HEAD gives nothing")
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(httpkit.NoteActs(r.Context(), a), actorKey{}, a)))
		return nil
	})
}
