package taxii

import (
	"net/http"
	"strconv"

	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
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

// writeEnvelope sends a page as it was read: the objects are neither decoded
// nor copied. The length is known beforehand, so a page that breaks off half-way
// cannot be taken for a whole one.
func writeEnvelope(w http.ResponseWriter, page *delivery.Page, next string) error {
	defer page.Close()
	head := opening("objects", next)
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.FormatInt(int64(len(head)+len(closing))+page.Size(), 10)}
	if err := page.WriteBetween(w, head, closing); err != nil {
		panic(http.ErrAbortHandler) // the connection failed: nobody is left to tell
	}
	return nil
}

// send writes an answer that is there as a whole.
func send(w http.ResponseWriter, b []byte) error {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	_, _ = w.Write(b) // the reader has gone: nobody is left to tell
	return nil
}
