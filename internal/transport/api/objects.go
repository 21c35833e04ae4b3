package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
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
		Maker     string          `json:"originator,omitempty" doc:"source-…: a name that stands for one that must not be named"`
		Source    string          `json:"source,omitempty" doc:"to operators and originators: the name under which others see the originator"`
		Redacted  bool            `json:"redacted,omitempty" doc:"a copy, under an identifier of its own: parts of the original are withheld from the caller"`
		CopyAsked string          `json:"copy_asked,omitempty" doc:"the identifier that was asked for, of a redacted copy which others have of this object"`
		Object    json.RawMessage `json:"object" doc:"byte for byte as submitted; of a copy, without what is withheld"`
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
		Maker: string(v.Artifact.Originator), Source: string(v.Source),
		Redacted: v.Redacted, CopyAsked: v.CopyAsked,
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

		Hat     string `query:"hat" maxLength:"63" doc:"in which the recipient acts; absent: in all of the organisation's"`
		Purpose string `query:"purpose" maxLength:"63" doc:"for which the recipient reads; absent: none is named"`
	}
	why struct {
		Item         string    `json:"item"`
		Artifact     string    `json:"artifact,omitempty"`
		Class        string    `json:"class,omitempty"`
		Organisation string    `json:"organisation"`
		Audience     string    `json:"audience,omitempty"`
		At           time.Time `json:"at"`
		Verdict      string    `json:"verdict" doc:"ALLOW, ALLOW_REDACTED, DENY, NOT_YET, NEEDS_CONSENT, HOLD"`
		Code         string    `json:"code,omitempty"`
		TLP          string    `json:"tlp,omitempty"`
		Until        time.Time `json:"until,omitzero" doc:"the next instant at which the clock alone can change it"`
		Steps        []step    `json:"steps"`
		Obligations  []string  `json:"obligations,omitempty"`
		Fields       []string  `json:"fields,omitempty" doc:"of ALLOW_REDACTED: selectors of the parts that are withheld"`
		Limited      bool      `json:"limited,omitempty" doc:"for the originator: what the handling and the plan give a member in good standing; nothing of the member itself"`
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
	got, err := s.Delivery.Why(ctx, a, exchange.ProgramID(in.Program), in.Object, delivery.As(in.For, in.Hat, in.Purpose), at)
	if err != nil {
		return nil, err
	}
	d := got.Decision
	out := why{
		Item: got.Item, Artifact: string(got.Artifact.ID), Class: string(got.Artifact.Class),
		Organisation: string(got.Recipient), Audience: got.Audience.String(), At: utc(got.At),
		Verdict: d.Verdict.String(), Code: d.Code, TLP: d.TLP.String(), Until: utc(d.Until),
		Steps: []step{}, Obligations: d.Obligations, Fields: d.Fields, Limited: got.Limited,
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
