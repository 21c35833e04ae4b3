package taxii

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
)

// manifest is §5.3, GET {api-root}/collections/{id}/manifest/: the same
// filters as objects, and what is known about each object instead of it.
func (s *server) manifest(w http.ResponseWriter, r call) error {
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
	entries, more, err := s.Source.Manifest(r.Context(), r.actor, c.Program, q.delivery())
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return writeEmpty(w)
	}
	dates(w.Header(), entries)
	w.Header()["Content-Type"] = jsonType
	b := append([]byte(nil), opening("objects", following(q, entries, more, at))...)
	for i, e := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendRecord(b, e); err != nil {
			return err
		}
	}
	return send(w, append(b, closing...))
}

// appendRecord writes a manifest-record (§5.3.1).
func appendRecord(b []byte, e delivery.Entry) ([]byte, error) {
	b = append(b, `{"id":`...)
	b, err := jsontext.AppendQuote(b, e.ID)
	if err != nil {
		return nil, err
	}
	b = append(b, `,"date_added":"`...)
	b = appendTimestamp(b, e.Added)
	b = append(b, `","version":"`...)
	b = appendVersion(b, e.VersionAt())
	return append(b, `","media_type":"`+stixMediaType+`"}`...), nil
}

// following returns the cursor behind the last entry, or "" when there is no
// more.
func following(q query, entries []delivery.Entry, more bool, at scope) string {
	if !more {
		return ""
	}
	return encodeCursor(q, entries[len(entries)-1].Added, at)
}
