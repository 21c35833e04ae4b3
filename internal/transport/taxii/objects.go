package taxii

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// asked is a request for a page of a collection that the reader may read.
type asked struct {
	call
	in      delivery.Collection
	program exchange.ProgramID
	id      string // of the one object that it is about; "": none
	at      scope
	q       query
}

// asks reads a request at an endpoint with these match fields. below is what
// tells the addresses below one object apart; where there is no object it is "".
func (s *server) asks(r call, f fields, below string) (asked, error) {
	c, err := s.readable(r)
	if err != nil {
		return asked{}, err
	}
	a := asked{call: r, in: c, program: c.Program, id: r.PathValue("object"), at: scope{collection: c.ID}}
	if a.id != "" {
		a.at.object = a.id + below
	}
	if a.q, err = parseQuery(r.URL.RawQuery, f, a.at); err != nil {
		return asked{}, err
	}
	if !plain(a.id) || len(a.id) > maxValue {
		return asked{}, exchange.Missing()
	}
	return a, nil
}

// ask is the query for the delivery room.
func (a asked) ask() delivery.Query {
	q := a.q.delivery()
	if a.id != "" {
		q.IDs = []string{a.id} // the cursor has it in its scope
	}
	return q
}

// objects is §5.4, GET {api-root}/collections/{id}/objects/.
func (s *server) objects(w http.ResponseWriter, r call) error {
	a, err := s.asks(r, fields{id: true, typ: true, version: true}, "")
	if err != nil {
		return err
	}
	found, err := s.writePage(w, a)
	if err != nil || found {
		return err
	}
	s.observe(a, 0, 0, false)
	return writeEmpty(w)
}

// object is §5.6, GET {api-root}/collections/{id}/objects/{object-id}/. Its
// filters are added_after, limit, next, version and spec_version. An object of
// which the reader has no version does not exist: 404. Where filters leave
// none of its versions, the envelope is empty.
func (s *server) object(w http.ResponseWriter, r call) error {
	a, err := s.asks(r, fields{version: true}, "")
	if err != nil {
		return err
	}
	found, err := s.writePage(w, a)
	switch {
	case err != nil || found:
		return err
	case !a.q.narrowed():
		return exchange.Missing()
	}
	return s.emptyIfExists(w, a)
}

// manifest is §5.3, GET {api-root}/collections/{id}/manifest/: the same
// filters as objects, and what is known about each object instead of it.
func (s *server) manifest(w http.ResponseWriter, r call) error {
	a, err := s.asks(r, fields{id: true, typ: true, version: true}, "")
	if err != nil {
		return err
	}
	if a.q.nothing() {
		return writeEmpty(w)
	}
	entries, more, err := s.Source.Manifest(r.Context(), r.actor, a.program, a.ask())
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		s.observe(a, 0, 0, false)
		return writeEmpty(w)
	}
	s.observe(a, len(entries), entries[len(entries)-1].Added, more)
	return a.writeList(w, "objects", entries, more, appendRecord)
}

// versions is §5.8, GET …/objects/{object-id}/versions/: every version of the
// object in the reader's view, in the order in which they came into it, so
// that a client can page with added_after or next. An object of which the
// reader has no version does not exist: 404.
func (s *server) versions(w http.ResponseWriter, r call) error {
	a, err := s.asks(r, fields{}, "/versions")
	if err != nil {
		return err
	}
	if a.q.nothing() {
		return s.emptyIfExists(w, a)
	}
	a.q.versions.All = true
	entries, more, err := s.Source.Manifest(r.Context(), r.actor, a.program, a.ask())
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return s.emptyIfExists(w, a)
	}
	return a.writeList(w, "versions", entries, more, func(b []byte, e delivery.Entry) ([]byte, error) {
		return append(appendVersion(append(b, '"'), e.VersionAt()), '"'), nil
	})
}

// emptyIfExists answers with the empty envelope, or with exchange.Missing when
// the reader has no version of the object.
func (s *server) emptyIfExists(w http.ResponseWriter, a asked) error {
	all := delivery.Query{Limit: 1, IDs: []string{a.id}, Versions: delivery.Versions{All: true}}
	entries, _, err := s.Source.Manifest(a.Context(), a.actor, a.program, all)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return exchange.Missing()
	}
	return writeEmpty(w)
}

// writePage answers with the page that the query asks for. found is false, and
// nothing is written, when no object matches.
func (s *server) writePage(w http.ResponseWriter, a asked) (found bool, err error) {
	if a.q.nothing() {
		return false, nil
	}
	if a.Method == http.MethodHead {
		return s.writeHead(w, a)
	}
	q := a.ask()
	q.Bare = true
	held, tag := false, ""
	if a.Header["If-None-Match"] != nil { // the page that the client has is not given to it again
		q.Held = func(p *delivery.Page) bool {
			f := a.form(p)
			tag, held = f.tag, httpkit.Matches(a.Request, f.tag)
			return held
		}
	}
	page, err := s.Source.PageOf(a.Context(), a.actor, a.in, q)
	if err != nil || page.Len == 0 {
		return false, err
	}
	dates(w.Header(), page.First, page.Last)
	if held {
		s.observe(a, 0, page.Last, page.More)
		notModified(w, tag)
		return true, nil
	}
	s.observe(a, page.Len, page.Last, page.More)
	return true, s.writeEnvelope(w, a, page)
}

// writeHead answers HEAD. It asks for the manifest, because a page that nobody
// is given must not be recorded as given.
func (s *server) writeHead(w http.ResponseWriter, a asked) (found bool, err error) {
	entries, _, err := s.Source.Manifest(a.Context(), a.actor, a.program, a.ask())
	if err != nil || len(entries) == 0 {
		return false, err
	}
	dates(w.Header(), entries[0].Added, entries[len(entries)-1].Added)
	w.Header()["Content-Type"] = jsonType
	w.WriteHeader(http.StatusOK)
	return true, nil
}

// writeList answers with one item for each entry, in a list of that name.
func (a asked) writeList(w http.ResponseWriter, name string, entries []delivery.Entry, more bool,
	item func(b []byte, e delivery.Entry) ([]byte, error),
) error {
	b := []byte(opening(name, a.following(entries[len(entries)-1].Added, more)))
	for i, e := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = item(b, e); err != nil {
			return err
		}
	}
	dates(w.Header(), entries[0].Added, entries[len(entries)-1].Added)
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

// following returns the cursor behind the last entry's date, or "" when there is no
// more.
func (a asked) following(last int64, more bool) string {
	if !more {
		return ""
	}
	return encodeCursor(a.q, last, a.at)
}
