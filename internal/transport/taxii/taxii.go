// Package taxii is the exchange as TAXII 2.1 speaks it (OASIS Standard,
// 10 June 2021): one API root, in it one collection for each program that the
// reader may know of. Sections cited in this package are of that standard.
//
// A collection is known to whoever may read or write in it. Objects are added
// one by one, each by its own merit, and a status says what became of them;
// what a program's owner hands in as a release does not come this way.
//
// What is withheld is answered exactly as what does not exist. Everything
// requires credentials, discovery too, so a caller without them learns from no
// address whether it exists.
package taxii

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/authn"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/connection"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// Root is the path of the API root. It stands behind the exchange's own
// address; discovery at /taxii2/ names it.
const Root = "/taxii2/api/"

const (
	mediaType     = "application/taxii+json;version=2.1" // §1.6.8; clients compare it as it stands here
	stixMediaType = "application/stix+json;version=2.1"

	// maxContentLength is what the API root promises for request bodies
	// (§4.2.1): a larger one is answered with 413, and no smaller one for its size.
	maxContentLength = 100 << 20
)

// Config is what the interface is built from.
type Config struct {
	Source        *delivery.Service
	Contributions Contributions
	Authn         *authn.Service
	Log           *slog.Logger    // nil: no log
	Limits        *httpkit.Limits // nil: none
	Name          string          // of the exchange, for people
	URL           string          // external base address, without a trailing slash
	// Observe is told of polls and of requests that fail; nil: nobody is. It must
	// not wait.
	Observe func(ctx context.Context, p connection.Poll)
}

type server struct {
	Config
	adapter httpkit.Adapter
	coded   *httpkit.Coded
}

// New returns the handler of /taxii2 and everything below it.
func New(c Config) http.Handler {
	s := &server{Config: c, coded: httpkit.NewCoded(keptPages)}
	// The adapter does not limit bodies: open does, for the one endpoint that
	// reads one.
	s.adapter = httpkit.Adapter{Log: c.Log, Write: s.writeError, Body: -1}
	mux := http.NewServeMux()
	for _, route := range s.routes() {
		h := s.handler(route)
		mux.Handle(route.path+"{$}", h)
		// §3.1 has clients end the path in a slash. Several do not.
		mux.Handle(strings.TrimSuffix(route.path, "/"), h)
	}
	mux.Handle("/taxii2/", s.handler(route{get: nothing, post: nothing, delete: nothing}))
	return c.Limits.Handler(mux, s.writeError)
}

// call is one request whose caller is known.
type call struct {
	*http.Request
	actor exchange.Actor
}

type endpoint func(w http.ResponseWriter, r call) error

// route is one resource. An endpoint that is nil answers 405.
type route struct {
	path              string
	get, post, delete endpoint
	stix              bool // the endpoint's Accept header may also name STIX (§5.3)
}

// routes is the whole interface (§3.1).
func (s *server) routes() []route {
	const collection = Root + "collections/{collection}/"
	return []route{
		{path: "/taxii2/", get: s.discovery},
		{path: Root, get: s.apiRoot},
		{path: Root + "status/{status}/", get: s.status},
		{path: Root + "collections/", get: s.collections},
		{path: collection, get: s.collection},
		{path: collection + "manifest/", get: s.manifest, stix: true},
		{path: collection + "objects/", get: s.objects, post: s.addObjects},
		{path: collection + "objects/{object}/", get: s.object, delete: s.deleteObject},
		{path: collection + "objects/{object}/versions/", get: s.versions},
	}
}

// handler establishes the caller, then the form of the answer, then asks the
// endpoint: who has no credentials learns nothing from the other two.
func (s *server) handler(route route) http.Handler {
	allow := route.allow()
	return s.adapter.Handler(func(w http.ResponseWriter, r *http.Request) (err error) {
		httpkit.DataOnly(w.Header())
		actor, err := httpkit.Authenticate(s.Authn, r, exchange.ChannelTAXII)
		if err != nil {
			return err
		}
		r = r.WithContext(httpkit.NoteActs(r.Context(), actor))
		defer func() { s.observeFailure(r, actor, err) }()
		if !acceptable(r.Header["Accept"], route.stix) {
			return httpkit.Fail(http.StatusNotAcceptable, "answers are %s", mediaType)
		}
		act := route.endpoint(r.Method)
		if act == nil {
			w.Header()["Allow"] = []string{allow}
			return httpkit.Fail(http.StatusMethodNotAllowed, "the header Allow lists the methods of this address")
		}
		w, finish, err := httpkit.Compress(w, r)
		if err != nil {
			return err
		}
		defer finish()
		return act(w, call{r, actor})
	})
}

func (r route) endpoint(method string) endpoint {
	switch method {
	case http.MethodGet, http.MethodHead:
		return r.get
	case http.MethodPost:
		return r.post
	case http.MethodDelete:
		return r.delete
	}
	return nil
}

func (r route) allow() string {
	methods := []string{http.MethodGet, http.MethodHead}
	if r.post != nil {
		methods = append(methods, http.MethodPost)
	}
	if r.delete != nil {
		methods = append(methods, http.MethodDelete)
	}
	return strings.Join(methods, ", ")
}

// nothing is what stands at every other address.
func nothing(http.ResponseWriter, call) error { return exchange.Missing() }

// answer writes a resource other than an envelope.
func answer(w http.ResponseWriter, resource any) error {
	httpkit.WriteJSON(w, http.StatusOK, mediaType, resource)
	return nil
}

// known returns the collection that a request names, when the reader may know
// of it. It comes before anything else of the request is looked at, so that a
// malformed query tells no more than a good one.
func (s *server) known(r call) (delivery.Collection, error) {
	return s.Source.Collection(r.Context(), r.actor, r.PathValue("collection"))
}

// readable is known, and refuses with 403 what the reader may not read (§5.3,
// §5.4, §5.6, §5.8: 403 or 404).
func (s *server) readable(r call) (delivery.Collection, error) {
	c, err := s.known(r)
	if err != nil {
		return delivery.Collection{}, err
	}
	if !c.CanRead {
		return delivery.Collection{}, exchange.Fail(exchange.Denied, "this collection cannot be read with these credentials")
	}
	return c, nil
}
