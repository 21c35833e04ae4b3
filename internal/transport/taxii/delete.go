package taxii

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
)

// deleteObject is §5.7, DELETE …/objects/{object-id}/. It needs both rights:
// who has one of them is answered with 403, whether or not the object exists,
// and who has neither with 404. Without match[version] the whole object goes,
// so that afterwards it is found no more, which is what §5.7 promises of a 200;
// with it, the versions that it names, and 404 when it names none that is there.
func (s *server) deleteObject(w http.ResponseWriter, r call) error {
	c, err := s.writable(r)
	if err != nil {
		return err
	}
	if !c.CanRead {
		return exchange.Fail(exchange.Denied, "objects of a collection that cannot be read cannot be deleted")
	}
	q, err := parseDelete(r.URL.RawQuery, scope{collection: c.ID})
	if err != nil {
		return err
	}
	id := r.PathValue("object")
	if !plain(id) || len(id) > maxValue || q.nothing() {
		return exchange.Missing()
	}
	found := false
	drop := func(version int64, oldest, newest bool) bool {
		takes := named(q.versions, version, oldest, newest)
		found = found || takes
		return takes
	}
	if err := s.Contributions.Remove(r.Context(), r.actor, c.Program, id, drop); err != nil {
		return err
	}
	if !found {
		return exchange.Missing()
	}
	return writeEmpty(w) // a body: some clients parse it
}

// named reports whether match[version] of a DELETE names a version.
func named(f delivery.Versions, version int64, oldest, newest bool) bool {
	return f.All || f.First && oldest || f.Last && newest || slices.Contains(f.At, version)
}

// parseDelete reads the filters of §5.7, version and spec_version. A parameter
// that narrows a page is refused: ignored, it would delete more than was meant.
func parseDelete(raw string, at scope) (query, error) {
	q, err := parseQuery(raw, fields{version: true}, at)
	if err != nil {
		return query{}, err
	}
	given, _ := url.ParseQuery(raw) // parseQuery has found no fault in it
	for _, name := range []string{"added_after", "limit", "next"} {
		if given.Has(name) {
			return query{}, malformed(name + " does not go with DELETE; nothing was deleted")
		}
	}
	if q.version == "" {
		q.versions.All = true
	}
	return q, nil
}
