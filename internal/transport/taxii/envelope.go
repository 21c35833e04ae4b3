package taxii

import (
	"net/http"
	"strconv"

	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

// jsonType is shared between answers.
var jsonType = []string{mediaType}

// emptyEnvelope answers where nothing matches: §3.7, "an empty response with
// no objects property inside the envelope", and §2, "empty lists are
// prohibited". There are no dates either to put into the headers of §3.2;
// clients take an empty value for a fault.
var emptyEnvelope = []byte("{}\n")

func writeEmpty(w http.ResponseWriter) error { return send(w, emptyEnvelope) }

// dates sets the headers of §3.2. The names are written as the standard has
// them.
func dates(h http.Header, first, last int64) {
	h["X-TAXII-Date-Added-First"] = []string{timestamp(first)}
	h["X-TAXII-Date-Added-Last"] = []string{timestamp(last)}
}

// opening begins an envelope (§3.7), manifest (§5.3.1) or list of versions
// (§5.8.1) up to its list. next is there exactly when more is true: clients
// that page without it loop for ever. The standard lists next for envelopes
// alone, yet takes it as a parameter at all four endpoints; a property beyond
// the listed ones is allowed (§7.1).
func opening(list, next string) string {
	if next == "" {
		return `{"more":false,"` + list + `":[`
	}
	return `{"more":true,"next":"` + next + `","` + list + `":[` // base64url needs no escaping
}

const closing = "]}\n"

// keptPages bounds the compressed pages that are kept, in bytes.
const keptPages = 64 << 20

// writeEnvelope sends a page as it was read: the objects are neither decoded nor
// written anew. The length is known beforehand, so a page that breaks off half-way
// cannot be taken for a whole one.
//
// The entity tag tells pages apart by which bytes they are made of. A client that
// says it has the page is answered 304, with the headers of §3.2.
func (s *server) writeEnvelope(w http.ResponseWriter, r *http.Request, page *delivery.Page, next string) error {
	defer page.Close()
	head := opening("objects", next)
	size := int64(len(head)+len(closing)) + page.Size()
	coding, required, err := httpkit.CodingOf(r)
	if err != nil {
		return err
	}
	if size < httpkit.SmallestCoded && !required {
		coding = httpkit.Identity
	}
	mark := page.Mark(head, closing)
	tag := entityTag(mark, coding)
	h := w.Header()
	h["Etag"] = []string{tag}
	if httpkit.Matches(r, tag) {
		h["Vary"] = []string{"Accept-Encoding"}
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h["Content-Type"] = jsonType
	httpkit.SetCoding(h, coding, int(size))
	if coding != httpkit.Identity {
		body := s.coded.Body(httpkit.CodedKey{Mark: mark, Coding: coding}, func() []byte { return page.Between(head, closing) })
		httpkit.SetCoding(h, coding, len(body))
		_, _ = w.Write(body) // the reader has gone: nobody is left to tell
		return nil
	}
	if err := page.WriteBetween(w, head, closing); err != nil {
		panic(http.ErrAbortHandler) // the connection failed: nobody is left to tell
	}
	return nil
}

// entityTag is a strong one: each coding of a page has its own (RFC 9110 §8.8.3.3).
func entityTag(mark [2]uint64, coding httpkit.Coding) string {
	b := make([]byte, 0, 48)
	b = append(b, '"')
	b = strconv.AppendUint(b, mark[0], 36)
	b = strconv.AppendUint(append(b, '.'), mark[1], 36)
	if coding != httpkit.Identity {
		b = append(append(b, '-'), coding...)
	}
	return string(append(b, '"'))
}

// send writes an answer that is there as a whole.
func send(w http.ResponseWriter, b []byte) error {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	_, _ = w.Write(b) // the reader has gone: nobody is left to tell
	return nil
}
