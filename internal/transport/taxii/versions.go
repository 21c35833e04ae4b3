package taxii

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
)

// versions is §5.8, GET …/objects/{object-id}/versions/: every version of the
// object in the reader's view, in the order in which they came into it, so
// that a client can page with added_after or next. An object of which the
// reader has no version does not exist: 404.
func (s *server) versions(w http.ResponseWriter, r call) error {
	c, err := s.readable(r)
	if err != nil {
		return err
	}
	id := r.PathValue("object")
	at := scope{collection: c.ID, object: id + "/versions"}
	q, err := parseQuery(r.URL.RawQuery, fields{}, at)
	if err != nil {
		return err
	}
	if !plain(id) || len(id) > maxValue {
		return exchange.Missing()
	}
	q.versions = delivery.Versions{All: true}
	if q.nothing() {
		if err := s.exists(r, c, id); err != nil {
			return err
		}
		return writeEmpty(w)
	}
	entries, more, err := s.Source.Versions(r.Context(), r.actor, c.Program, id, q.delivery())
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		if err := s.exists(r, c, id); err != nil {
			return err
		}
		return writeEmpty(w)
	}
	slices.SortFunc(entries, func(a, b delivery.Entry) int { return cmp.Compare(a.Added, b.Added) })
	dates(w.Header(), entries)
	w.Header()["Content-Type"] = jsonType
	b := append([]byte(nil), opening("versions", following(q, entries, more, at))...)
	for i, e := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = appendVersion(b, e.VersionAt())
		b = append(b, '"')
	}
	return send(w, append(b, closing...))
}
