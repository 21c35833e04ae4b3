package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/lookup"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

const (
	maxLookup       = 8 << 20 // of the body of a look-up
	maxLookupFaults = 1000    // told one by one
)

// asking reports whether a POST only asks: it changes nothing, so it needs no
// Idempotency-Key, and its answer must not outlive the right to it.
func asking(path string) bool { return path == prefix+"/lookup" }

// inLookup is a look-up, whose body this package reads itself.
type inLookup struct {
	r *http.Request
	w http.ResponseWriter
}

// Resolve takes hold of the body.
func (in *inLookup) Resolve(ctx huma.Context) []error {
	in.r, in.w = humago.Unwrap(ctx)
	return nil
}

// lookups adds the look-up. Its body is described once it is registered: huma
// would read and check what it knows of, which takes longer than the look-up.
func (s *server) lookups() registration {
	add := on("POST /lookup", "lookup", "Look values up", s.lookup, func(op *huma.Operation) {
		op.Description = "Which of the values stand in STIX objects that the caller may see, and in which. It changes nothing, apart from the record that the objects told of were delivered."
		op.Parameters = nil
		op.Errors = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType}
	})
	return func(s *server, api huma.API) {
		add(s, api)
		api.OpenAPI().Paths["/lookup"].Post.RequestBody = lookupBody()
	}
}

func lookupBody() *huma.RequestBody {
	list := &huma.Schema{
		Type: "array", MaxItems: new(room.MaxValues), Items: &huma.Schema{Type: "string"},
		Description: "addresses, networks, domain names, URLs, hashes, e-mail addresses, names; defanged or not; at most 4096 bytes each",
	}
	return &huma.RequestBody{
		Required: true, Description: "at most 100,000 values in at most 8 MiB",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{
				Type: "object", Required: []string{"values"}, AdditionalProperties: false, Properties: map[string]*huma.Schema{"values": list},
			}},
			"text/plain": {Schema: &huma.Schema{Type: "string", Description: "one value on each line"}},
		},
	}
}

type (
	lookupAnswer struct {
		Asked    int           `json:"asked" doc:"values in the request"`
		Next     int           `json:"next,omitempty" doc:"values from this index on were not looked up, because the answer would be too large: ask for them again"`
		Known    int           `json:"known" doc:"values with a match"`
		Unknown  int           `json:"unknown" doc:"values without one"`
		Complete bool          `json:"complete" doc:"false: objects that were submitted are still being indexed, and more may be known soon"`
		Results  []lookedUp    `json:"results" doc:"the values with a match, by index"`
		Errors   []lookupFault `json:"errors,omitempty" doc:"values that could not be looked up, the first thousand"`
		Faulty   int           `json:"errors_total,omitempty"`
	}
	lookedUp struct {
		Index      int     `json:"index" doc:"among the values of the request, from 0"`
		Value      string  `json:"value" doc:"as it was asked"`
		Normalised string  `json:"normalised" doc:"the form in which it was compared"`
		Kind       string  `json:"kind" enum:"text,ipv4,ipv6,network,domain,url,email,mac,md5,sha-1,sha-224,sha-256,sha-384,sha-512"`
		Capped     bool    `json:"capped,omitempty" doc:"there may be more matches than these"`
		Matches    []match `json:"matches" doc:"the closest first, and of those the newest; at most a hundred"`
	}
	match struct {
		How        string    `json:"how" enum:"exact,network,within,parent,host" doc:"network: the object's network holds the value; within: the object's value lies in the network asked for; parent: the object's domain is above the name; host: the object's value is the host of the URL"`
		Value      string    `json:"value" doc:"of the object"`
		Object     string    `json:"object" doc:"STIX identifier"`
		Type       string    `json:"type"`
		Name       string    `json:"name,omitempty"`
		Program    string    `json:"program"`
		Release    string    `json:"release,omitempty" doc:"absent: a member wrote it"`
		Title      string    `json:"title" doc:"of the release"`
		Artifact   string    `json:"artifact"`
		TLP        string    `json:"tlp,omitempty"`
		DateAdded  string    `json:"date_added,omitempty" format:"date-time" doc:"when it entered the caller's view"`
		ValidFrom  time.Time `json:"valid_from,omitzero"`
		ValidUntil time.Time `json:"valid_until,omitzero"`
		Revoked    bool      `json:"revoked,omitempty"`
	}
	lookupFault struct {
		Index   int    `json:"index"`
		Message string `json:"message"`
	}
)

func (s *server) lookup(ctx context.Context, a exchange.Actor, in *inLookup) (*answer[lookupAnswer], error) {
	values, err := in.values()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	got, err := s.Lookup.Ask(ctx, a, values)
	if err != nil {
		return nil, err
	}
	httpkit.Pace(ctx, start, httpkit.LookupPace(len(values)))
	out := lookupAnswer{
		Asked: len(values), Known: len(got.Known), Unknown: got.Next - len(got.Known) - len(got.Faults), Complete: got.Complete,
		Results: make([]lookedUp, len(got.Known)), Faulty: len(got.Faults),
	}
	if got.Next < len(values) {
		out.Next = got.Next
	}
	for i, k := range got.Known {
		out.Results[i] = lookedUp{
			Index: k.Index, Value: values[k.Index], Normalised: k.Value.Text, Kind: k.Value.Kind.String(), Capped: k.Capped,
			Matches: wires(k.Matches, wireMatch),
		}
	}
	for _, f := range got.Faults[:min(len(got.Faults), maxLookupFaults)] {
		out.Errors = append(out.Errors, lookupFault(f))
	}
	return reply(out), nil
}

func wireMatch(m room.Match) match {
	o := m.Object
	w := match{
		How: m.How.String(), Value: m.Value, Object: o.ID, Type: o.Type, Name: m.Name, Program: string(o.Program),
		Release: string(o.Release), Title: o.Title, Artifact: string(o.Artifact), TLP: o.TLP.String(),
		ValidFrom: utc(m.ValidFrom), ValidUntil: utc(m.ValidUntil), Revoked: m.Revoked,
	}
	if o.Added != 0 {
		w.DateAdded = micro(o.Added)
	}
	return w
}

// values reads the body: JSON, or lines of text.
func (in *inLookup) values() ([]string, error) {
	body := bytes.NewBuffer(make([]byte, 0, min(max(in.r.ContentLength, 512)+512, maxLookup+512)))
	if _, err := body.ReadFrom(http.MaxBytesReader(in.w, in.r.Body, maxLookup)); err != nil {
		return nil, fmt.Errorf("reading a look-up: %w", err)
	}
	media, _, _ := mime.ParseMediaType(in.r.Header.Get("Content-Type"))
	var values []string
	var err error
	switch media {
	case "application/json":
		values, err = valuesOfJSON(body.Bytes())
	case "text/plain":
		values = lines(body.String())
	default:
		return nil, httpkit.Fail(http.StatusUnsupportedMediaType, "a look-up is application/json or text/plain; nothing was looked up")
	}
	switch {
	case err != nil:
		return nil, err
	case len(values) == 0:
		return nil, exchange.Fail(exchange.Invalid, "there is no value to look up")
	case len(values) > room.MaxValues:
		return nil, httpkit.Fail(http.StatusRequestEntityTooLarge, "a look-up takes %d values at most; nothing was looked up", room.MaxValues)
	}
	return values, nil
}

// lines are the lines of a text. They share its memory.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	text = strings.TrimSuffix(text, "\n")
	out := make([]string, 0, strings.Count(text, "\n")+1)
	for line := range strings.SplitSeq(text, "\n") {
		if out = append(out, strings.TrimSuffix(line, "\r")); len(out) > room.MaxValues {
			break
		}
	}
	return out
}

// valuesOfJSON reads {"values": [string, …]}. Strings without escapes share the
// memory of one copy of the body.
func valuesOfJSON(body []byte) ([]string, error) {
	fault := func(path, format string, args ...any) ([]string, error) {
		return nil, exchange.InvalidWith("the request does not fit this operation; nothing was looked up",
			[]exchange.Problem{{Path: path, Message: fmt.Sprintf(format, args...)}})
	}
	text := string(body)
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return fault("$", "is no JSON object")
	}
	var values []string
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil || name.String() != "values" {
			return fault("$", "holds something else than values, once")
		}
		if t, err := dec.ReadToken(); err != nil || t.Kind() != '[' {
			return fault("$.values", "is no list")
		}
		values = make([]string, 0, 64)
		for dec.PeekKind() == '"' {
			raw, err := dec.ReadValue()
			if err != nil {
				return fault(fmt.Sprintf("$.values[%d]", len(values)), "is no JSON")
			}
			end := int(dec.InputOffset())
			v := text[end-len(raw)+1 : end-1]
			if bytes.IndexByte(raw, '\\') >= 0 {
				plain, err := jsontext.AppendUnquote(nil, raw)
				if err != nil {
					return fault(fmt.Sprintf("$.values[%d]", len(values)), "is no JSON")
				}
				v = string(plain)
			}
			if values = append(values, v); len(values) > room.MaxValues {
				return values, nil
			}
		}
		if t, err := dec.ReadToken(); err != nil || t.Kind() != ']' {
			return fault(fmt.Sprintf("$.values[%d]", len(values)), "is no string")
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return fault("$", "is no JSON")
	}
	if _, err := dec.ReadToken(); err != io.EOF { //nolint:errorlint // the decoder returns it as it is
		return fault("$", "is followed by something else")
	}
	if !utf8.ValidString(text) {
		return fault("$", "is not UTF-8 text")
	}
	return values, nil
}
