package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/lookup"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

type inObjects struct {
	InProgram
	AddedAfter time.Time `query:"added_after" doc:"Only what entered the caller's view after this instant."`
	Cursor     string    `query:"cursor" maxLength:"64" doc:"The next of the page before; it wins over added_after."`
	Limit      int       `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Types      []string  `query:"type" maxItems:"64" doc:"Only objects of these STIX types."`
	IDs        []string  `query:"id" maxItems:"1000" doc:"Only objects with these STIX identifiers."`
	Versions   string    `query:"versions" enum:"last,first,all" default:"last"`
}

func (in *inObjects) query() (delivery.Query, error) {
	q := delivery.Query{Limit: in.Limit, Types: in.Types, IDs: in.IDs}
	switch in.Versions {
	case "all":
		q.Versions.All = true
	case "first":
		q.Versions.First = true
	}
	if !in.AddedAfter.IsZero() {
		q.After = in.AddedAfter.UnixMicro()
	}
	if in.Cursor != "" {
		n, err := Paging{After: in.Cursor}.number()
		if err != nil {
			return q, noCursor("query.cursor")
		}
		q.After = n
	}
	return q, nil
}

// entry is one object of a page: its place and its version. The object itself
// stands at the same index of objects.
type entry struct {
	Type      string `json:"type"`
	Version   string `json:"version" format:"date-time"`
	DateAdded string `json:"date_added" format:"date-time" doc:"when it entered the caller's view; unique and increasing"`
}

// objectsPage describes what listObjects writes; nothing is made of it.
type objectsPage struct {
	More    bool              `json:"more"`
	Next    string            `json:"next,omitempty" doc:"the cursor to ask with next time, also when there is no more yet"`
	Entries []entry           `json:"entries"`
	Objects []json.RawMessage `json:"objects" doc:"the STIX objects, byte for byte as submitted, in the order of entries"`
}

func micro(n int64) string { return time.UnixMicro(n).UTC().Format(exchange.TimeFormat) }

// listObjects streams a page: the objects are copied from where they are kept,
// not parsed and not written anew.
func (s *server) listObjects(ctx context.Context, a exchange.Actor, in *inObjects) (*huma.StreamResponse, error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	p, err := s.Delivery.Page(ctx, a, exchange.ProgramID(in.Program), q)
	if err != nil {
		return nil, err
	}
	head := objectsHead(p, q.After)
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer p.Close()
		_, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(head)
		if err := p.WriteObjects(w); err != nil {
			panic(http.ErrAbortHandler) // a cut connection, not a page that looks whole
		}
		_, _ = w.Write([]byte("]}\n"))
	}}, nil
}

func objectsHead(p *delivery.Page, after int64) []byte {
	head := struct {
		More    bool    `json:"more"`
		Next    string  `json:"next,omitempty"`
		Entries []entry `json:"entries"`
	}{More: p.More, Entries: make([]entry, 0, len(p.Entries))}
	for _, e := range p.Entries {
		head.Entries = append(head.Entries, entry{e.Type, micro(e.VersionAt()), micro(e.Added)})
		after = e.Added
	}
	if after > 0 {
		head.Next = cursor(strconv.FormatInt(after, 10))
	}
	b := mustJSON(head)
	return append(b[:len(b)-1], `,"objects":[`...)
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // a wire type of this package
		panic(err)
	}
	return b
}

type (
	count struct {
		Count  int64 `json:"count"`
		Capped bool  `json:"capped,omitempty" doc:"there are more than count"`
	}
	inObject struct {
		InProgram
		Object string `path:"object" maxLength:"256" doc:"STIX identifier"`
	}
	// object describes what readObject writes.
	object struct {
		ID        string          `json:"id"`
		Type      string          `json:"type"`
		Version   string          `json:"version,omitempty" format:"date-time"`
		DateAdded string          `json:"date_added,omitempty" format:"date-time"`
		TLP       string          `json:"tlp,omitempty"`
		Release   string          `json:"release"`
		Title     string          `json:"title" doc:"of the release"`
		T0        time.Time       `json:"t0,omitzero"`
		PublicAt  time.Time       `json:"public_at,omitzero"`
		Artifact  string          `json:"artifact"`
		Duties    []string        `json:"obligations,omitempty"`
		Object    json.RawMessage `json:"object" doc:"byte for byte as submitted"`
	}
	outObject struct {
		ContentType string `header:"Content-Type"`
		Body        []byte
	}
)

const countCap = 10_000

func (s *server) countObjects(ctx context.Context, a exchange.Actor, in *InProgram) (*answer[count], error) {
	n, err := s.Delivery.Count(ctx, a, exchange.ProgramID(in.Program))
	if err != nil {
		return nil, err
	}
	return reply(count{min(n, countCap), n > countCap}), nil
}

func (s *server) readObject(ctx context.Context, a exchange.Actor, in *inObject) (*outObject, error) {
	v, err := s.Delivery.Object(ctx, a, exchange.ProgramID(in.Program), in.Object)
	if err != nil {
		return nil, err
	}
	o := object{
		ID: v.Object.ID, Type: v.Object.Type, TLP: v.TLP.String(), Release: string(v.Release), Title: v.Title,
		T0: utc(v.T0), PublicAt: utc(v.PublicAt), Artifact: string(v.Artifact.ID), Duties: v.Decision.Obligations,
	}
	if v.Object.Version != 0 {
		o.Version = micro(v.Object.Version)
	}
	if v.Added != 0 {
		o.DateAdded = micro(v.Added)
	}
	// encoding/json would compact the object; its bytes must stay as they are.
	b, ok := bytes.CutSuffix(mustJSON(o), []byte("null}"))
	if !ok {
		panic("api: the object is the last member of its answer")
	}
	return &outObject{"application/json", append(append(b, v.Raw...), "}\n"...)}, nil
}

type (
	inSearch struct {
		InProgram
		Text  string `query:"q" required:"true" minLength:"1" maxLength:"200"`
		Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	}
	hit struct {
		Kind    string `json:"kind" enum:"object,artifact,release"`
		ID      string `json:"id"`
		Title   string `json:"title,omitempty"`
		Release string `json:"release,omitempty"`
	}
)

func (s *server) search(ctx context.Context, a exchange.Actor, in *inSearch) (*answer[list[hit]], error) {
	hits, err := s.Delivery.Search(ctx, a, exchange.ProgramID(in.Program), in.Text, in.Limit)
	if err != nil {
		return nil, err
	}
	return replyList(hits, func(h delivery.Hit) hit { return hit{h.Kind, h.ID, h.Title, string(h.Release)} }), nil
}

type (
	inWhy struct {
		InProgram
		Object string    `query:"object" required:"true" maxLength:"256" doc:"STIX identifier, or an artifact's"`
		For    string    `query:"for" required:"true" maxLength:"128" doc:"organisation, or login of a person"`
		At     time.Time `query:"at" doc:"absent: now"`
	}
	why struct {
		Item         string    `json:"item"`
		Artifact     string    `json:"artifact,omitempty"`
		Class        string    `json:"class,omitempty"`
		Organisation string    `json:"organisation"`
		Audience     string    `json:"audience,omitempty"`
		At           time.Time `json:"at"`
		Verdict      string    `json:"verdict" doc:"ALLOW, DENY, NOT_YET, NEEDS_CONSENT, HOLD"`
		Code         string    `json:"code,omitempty"`
		TLP          string    `json:"tlp,omitempty"`
		Until        time.Time `json:"until,omitzero" doc:"the next instant at which the clock alone can change it"`
		Steps        []step    `json:"steps"`
		Obligations  []string  `json:"obligations,omitempty"`
	}
	step struct {
		Rule string `json:"rule"`
		Pass bool   `json:"pass"`
		Text string `json:"text"`
	}
)

func (s *server) why(ctx context.Context, a exchange.Actor, in *inWhy) (*answer[why], error) {
	at := in.At.Truncate(time.Microsecond)
	if at.IsZero() {
		at = s.Now()
	}
	got, err := s.Delivery.Why(ctx, a, exchange.ProgramID(in.Program), in.Object, in.For, at)
	if err != nil {
		return nil, err
	}
	d := got.Decision
	out := why{
		Item: got.Item, Artifact: string(got.Artifact.ID), Class: string(got.Artifact.Class),
		Organisation: string(got.Recipient), Audience: got.Audience.String(), At: utc(got.At),
		Verdict: d.Verdict.String(), Code: d.Code, TLP: d.TLP.String(), Until: utc(d.Until),
		Steps: []step{}, Obligations: d.Obligations,
	}
	for _, s := range d.Steps {
		out.Steps = append(out.Steps, step(s))
	}
	return reply(out), nil
}

type inNotices struct {
	Paging
	Before time.Time `query:"before" doc:"Only notices before this instant."`
}

func (s *server) listNotices(ctx context.Context, a exchange.Actor, in *inNotices) (*answer[list[notice]], error) {
	before := in.Before
	if in.After != "" {
		n, err := in.number()
		if err != nil {
			return nil, err
		}
		before = time.UnixMicro(n)
	}
	items, err := s.Delivery.Notices(ctx, a, before, in.Limit)
	if err != nil {
		return nil, err
	}
	return replyPage(items, in.Paging, "/notices", nil, func(n exchange.Notice) string {
		return strconv.FormatInt(n.At.UnixMicro(), 10)
	}, wireNotice), nil
}

type inNotice struct {
	Notice string `path:"notice" maxLength:"64"`
}

func (s *server) readNotice(ctx context.Context, a exchange.Actor, in *inNotice) (*none, error) {
	return nil, s.Delivery.MarkRead(ctx, a, exchange.NoticeID(in.Notice))
}

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
		Release    string    `json:"release"`
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
