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

var emptyLength = []string{strconv.Itoa(len(emptyEnvelope))}

func writeEmpty(w http.ResponseWriter) error {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = emptyLength
	_, _ = w.Write(emptyEnvelope) // the reader has gone: nobody is left to tell
	return nil
}

// dates sets the headers of §3.2. The names are written as the standard has
// them.
func dates(h http.Header, first, last int64) {
	both := []string{timestamp(first), timestamp(last)}
	h["X-TAXII-Date-Added-First"] = both[:1:1]
	h["X-TAXII-Date-Added-Last"] = both[1:]
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

// form is how a page is sent: in which coding, behind which head, and under
// which entity tag. The tag tells pages apart by which bytes they are made of.
type form struct {
	head   string
	size   int // without coding
	coding httpkit.Coding
	mark   [2]uint64
	tag    string
}

func (a asked) form(page *delivery.Page) form {
	f := form{head: opening("objects", a.following(page.Last, page.More))}
	f.size = len(f.head) + len(closing) + int(page.Size())
	coding, required, _ := httpkit.CodingOf(a.Request) // who takes no coding has had his 406: Compress
	if f.size >= httpkit.SmallestCoded || required {
		f.coding = coding
	}
	f.mark = page.Mark(f.head, closing)
	f.tag = entityTag(f.mark, f.coding)
	return f
}

// notModified answers a client that says it has the page, with the headers of
// §3.2, which are set.
func notModified(w http.ResponseWriter, tag string) {
	h := w.Header()
	h["Etag"] = []string{tag}
	h["Vary"] = []string{"Accept-Encoding"}
	w.WriteHeader(http.StatusNotModified)
}

// writeEnvelope sends a page as it was read: the objects are neither decoded nor
// written anew. The length is known beforehand, so a page that breaks off half-way
// cannot be taken for a whole one.
func (s *server) writeEnvelope(w http.ResponseWriter, a asked, page *delivery.Page) error {
	defer page.Close()
	f := a.form(page)
	h := w.Header()
	h["Etag"] = []string{f.tag}
	h["Content-Type"] = jsonType
	httpkit.SetCoding(h, f.coding, f.size)
	if f.coding != httpkit.Identity {
		body := s.coded.Body(httpkit.CodedKey{Mark: f.mark, Coding: f.coding}, func() []byte { return page.Between(f.head, closing) })
		httpkit.SetCoding(h, f.coding, len(body))
		_, _ = w.Write(body) // the reader has gone: nobody is left to tell
		return nil
	}
	if err := page.WriteBetween(w, f.head, closing); err != nil {
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
