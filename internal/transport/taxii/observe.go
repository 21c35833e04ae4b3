package taxii

import (
	"hash/maphash"
	"net/http"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/connection"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// observe tells of a poll that was answered: a page of objects or manifest
// records, or an empty one. It allocates nothing.
func (s *server) observe(a asked, n int, last int64, more bool) {
	if s.Observe == nil || a.Method != http.MethodGet {
		return
	}
	p := connection.Poll{
		Token: a.actor.Token, Program: a.program, Status: http.StatusOK,
		Asked: a.sameness(), After: a.q.after, Objects: n, Last: last, More: more,
	}
	s.Observe(a.Context(), p)
}

// observeFailure tells of a request with known credentials that failed.
func (s *server) observeFailure(r *http.Request, actor exchange.Actor, err error) {
	if s.Observe == nil || err == nil {
		return
	}
	f := httpkit.FailureOf(err)
	s.Observe(r.Context(), connection.Poll{
		Token: actor.Token, Request: httpkit.RequestID(r.Context()), Status: f.Status, Problem: f.Title + ": " + f.Detail,
	})
}

// seed makes the hashes of one process comparable; nobody outside sees them.
var seed = maphash.MakeSeed()

// sameness is the same for requests that differ in nothing but their position
// and page size.
func (a asked) sameness() uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	part := func(s string) {
		_, _ = h.WriteString(s)
		_ = h.WriteByte(0)
	}
	part(a.Pattern)
	part(string(a.program))
	part(a.id)
	for _, id := range a.q.ids {
		part(id)
	}
	part("")
	for _, typ := range a.q.types {
		part(typ)
	}
	part("")
	part(a.q.version)
	part(a.q.specs)
	return h.Sum64()
}
