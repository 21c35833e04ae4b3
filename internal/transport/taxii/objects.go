package taxii

import (
	"net/http"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
)

// objects is §5.4, GET {api-root}/collections/{id}/objects/.
func (s *server) objects(w http.ResponseWriter, r call) error {
	c, err := s.readable(r)
	if err != nil {
		return err
	}
	at := scope{collection: c.ID}
	q, err := parseQuery(r.URL.RawQuery, fields{id: true, typ: true, version: true}, at)
	if err != nil {
		return err
	}
	if q.nothing() {
		return writeEmpty(w)
	}
	found, err := s.writePage(w, r, c, q, at)
	if err != nil || found {
		return err
	}
	return writeEmpty(w)
}

// writePage answers with the page that the query asks for. found is false, and
// nothing is written, when no object matches.
func (s *server) writePage(w http.ResponseWriter, r call, c delivery.Collection, q query, at scope) (found bool, err error) {
	ask := q.delivery()
	if at.object != "" {
		ask.IDs = []string{at.object} // the cursor has it in its scope
	}
	if r.Method == http.MethodHead {
		return s.writeHead(w, r, c.Program, ask)
	}
	page, err := s.Source.Page(r.Context(), r.actor, c.Program, ask)
	if err != nil || len(page.Entries) == 0 {
		return false, err
	}
	dates(w.Header(), page.Entries)
	return true, writeEnvelope(w, page, following(q, page.Entries, page.More, at))
}

// writeHead answers HEAD. It asks for the manifest, because a page that nobody
// is given must not be recorded as given.
func (s *server) writeHead(w http.ResponseWriter, r call, program exchange.ProgramID, q delivery.Query) (found bool, err error) {
	entries, _, err := s.Source.Manifest(r.Context(), r.actor, program, q)
	if err != nil || len(entries) == 0 {
		return false, err
	}
	dates(w.Header(), entries)
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(http.StatusOK)
	return true, nil
}

// addObjects is §5.5, POST {api-root}/collections/{id}/objects/. No collection
// can be written to through TAXII in this version: 403 where the reader may
// know of it, else 404. The body is not read.
func (s *server) addObjects(_ http.ResponseWriter, r call) error {
	if _, err := s.known(r); err != nil {
		return err
	}
	return exchange.Fail(exchange.Denied, "this collection cannot be written to; hand in through the API")
}
