// Package api is the HTTP API of the exchange, /api/v1: JSON in and out,
// described by OpenAPI 3.1 at /api/v1/openapi.json, errors as problem details
// (RFC 9457) whose types are explained under /problems/.
//
// Callers sign in with a bearer token or with Basic (login and token), never by
// a cookie. POST needs an Idempotency-Key, a change of something that has
// versions needs If-Match, lists are paged by a cursor in a Link header. What
// is withheld answers exactly as what does not exist.
package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/forewarn-exchange/forewarn/internal/authn"
	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
	"github.com/forewarn-exchange/forewarn/internal/transport/sse"
)

const (
	prefix  = "/api/v1"
	maxBody = 2 << 20 // of a JSON or charter body; artifacts are streamed
)

// Config is what the interface is built from.
type Config struct {
	Exchange    *core.Exchange
	Authn       *authn.Service
	Idempotency Idempotency
	Limits      *httpkit.Limits // nil: none
	Log         *slog.Logger
}

// server holds what the handlers need.
type server struct {
	*core.Exchange
	log   *slog.Logger
	slots sse.Slots
	// whoCalls establishes the caller of a request again.
	whoCalls func(r *http.Request) (exchange.Actor, error)
}

// New returns the handler of /api/v1/ and /problems/.
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{Exchange: c.Exchange, log: c.Log, whoCalls: func(r *http.Request) (exchange.Actor, error) {
		return httpkit.Authenticate(c.Authn, r, exchange.ChannelAPI)
	}}
	inner := http.NewServeMux()
	document := s.register(inner)
	inner.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fail(w, r, exchange.Missing()) })

	calls := (&once{store: c.Idempotency, log: c.Log, busy: map[string]struct{}{}}).wrap(inner)
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", c.Limits.Handler(signedIn(c, calls), httpkit.WriteProblem))
	mux.HandleFunc("GET "+prefix+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = w.Write(document)
	})
	mux.HandleFunc("GET /problems/{slug}", explain)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fail(w, r, exchange.Missing()) })
	return mux
}

// register adds every operation to the mux and returns the OpenAPI document.
func (s *server) register(mux *http.ServeMux) []byte {
	adoptErrors()
	config := huma.DefaultConfig("Forewarn", "1")
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil // no $schema in bodies, no Link to it
	config.RejectUnknownQueryParameters = true
	config.Info.Description = description
	config.Servers = []*huma.Server{{URL: prefix}}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "A machine token: Authorization: Bearer fw_…"},
		"basic":  {Type: "http", Scheme: "basic", Description: "The login of the token's person, and the token as the password."},
	}
	config.Security = []map[string][]string{{"bearer": {}}, {"basic": {}}}
	config.Tags = tags()
	api := humago.NewWithPrefix(mux, prefix, config)
	// These two are written by hand, so no operation brings their schemas in.
	config.Components.Schemas.Schema(reflect.TypeFor[objectsPage](), true, "")
	config.Components.Schemas.Schema(reflect.TypeFor[object](), true, "")
	for _, add := range s.routes() {
		add(s, api)
	}
	b, err := json.MarshalIndent(api.OpenAPI(), "", "  ")
	if err != nil { // the document is made of the types of this package alone
		panic(fmt.Errorf("writing the OpenAPI document: %w", err))
	}
	return append(b, '\n')
}

var adopt sync.Once

// adoptErrors makes huma answer with this package's problems. They never hold
// the value at fault, which huma's own do.
func adoptErrors() {
	adopt.Do(func() {
		huma.DefaultArrayNullable = false
		huma.NewError = newProblem
	})
}

// registration adds one operation.
type registration func(*server, huma.API)

// on describes an operation: "METHOD /path", its name, what it does, and the
// handler. Errors of the rooms become problems here, in one place.
func on[I, O any](pattern, id, summary string, fn func(context.Context, exchange.Actor, *I) (*O, error), more ...func(*huma.Operation)) registration {
	method, path, _ := strings.Cut(pattern, " ")
	op := huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, Tags: []string{tagOf(path)},
		MaxBodyBytes: maxBody, Errors: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound},
	}
	if method == http.MethodPost {
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: "Idempotency-Key", In: "header", Required: true,
			Description: "New for each act, the same for its repetitions; the answer is kept for 48 hours.",
			Schema:      &huma.Schema{Type: "string", MinLength: new(1), MaxLength: new(maxKey)},
		})
		op.Errors = append(op.Errors, http.StatusBadRequest, http.StatusConflict)
	}
	for _, change := range more {
		change(&op)
	}
	return func(s *server, api huma.API) {
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			err := unstorable(in)
			if err != nil {
				return nil, s.refusal(ctx, err)
			}
			out, err := fn(ctx, actorOf(ctx), in)
			if err != nil {
				return nil, s.refusal(ctx, err)
			}
			return out, nil
		})
	}
}

// created makes 201 the status of success.
func created(op *huma.Operation) { op.DefaultStatus = http.StatusCreated }

// conditional says that the operation needs If-Match.
func conditional(op *huma.Operation) {
	op.Errors = append(op.Errors, http.StatusPreconditionFailed, http.StatusPreconditionRequired)
}

// tagOf groups operations by the first noun of their path.
func tagOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if parts[0] == "programs" && len(parts) > 2 && parts[2] != "charter" {
		return parts[2]
	}
	return parts[0]
}

type none struct{}

// answer is the common form of an answer with a body.
type answer[T any] struct {
	ETag     string `header:"ETag"`
	Link     string `header:"Link"`
	Location string `header:"Location"`
	Body     T
}

func reply[T any](body T) *answer[T] { return &answer[T]{Body: body} }

func replyList[T, W any](in []T, wire func(T) W) *answer[list[W]] {
	return reply(list[W]{wires(in, wire)})
}
