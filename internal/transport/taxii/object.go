package taxii

import (
	"net/http"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
)

// object is §5.6, GET {api-root}/collections/{id}/objects/{object-id}/. Its
// filters are added_after, limit, next, version and spec_version. An object of
// which the reader has no version does not exist: 404. Where filters leave
// none of its versions, the envelope is empty.
func (s *server) object(w http.ResponseWriter, r call) error {
	c, err := s.readable(r)
	if err != nil {
		return err
	}
	id := r.PathValue("object")
	at := scope{collection: c.ID, object: id}
	q, err := parseQuery(r.URL.RawQuery, fields{version: true}, at)
	if err != nil {
		return err
	}
	if !plain(id) || len(id) > maxValue {
		return exchange.Missing()
	}
	if !q.nothing() {
		found, err := s.writePage(w, r, c, q, at)
		if err != nil || found {
			return err
		}
		if !q.narrowed() {
			return exchange.Missing()
		}
	}
	if err := s.exists(r, c, id); err != nil {
		return err
	}
	return writeEmpty(w)
}

// exists returns exchange.Missing when the reader has no version of the object.
func (s *server) exists(r call, c delivery.Collection, id string) error {
	entries, _, err := s.Source.Versions(r.Context(), r.actor, c.Program, id,
		delivery.Query{Limit: 1, Versions: delivery.Versions{All: true}})
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return exchange.Missing()
	}
	return nil
}

// deleteObject is §5.7, DELETE …/objects/{object-id}/. Where can_write is
// false the table of §5.7 asks for 403 when the collection can be read and 404
// when it cannot; whether the object exists does not matter.
func (s *server) deleteObject(_ http.ResponseWriter, r call) error {
	c, err := s.known(r)
	if err != nil {
		return err
	}
	if !c.CanRead {
		return exchange.Missing()
	}
	return exchange.Fail(exchange.Denied, "objects of this collection cannot be deleted")
}
