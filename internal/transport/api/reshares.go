package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/reshare"
)

type (
	// ReshareBody is a question to the originators of an item.
	ReshareBody struct {
		Program  string          `json:"program,omitempty" maxLength:"64" doc:"needed for a STIX object"`
		Item     string          `json:"item" minLength:"1" maxLength:"256" doc:"an artifact, or a STIX object of the program, that the caller holds"`
		Kind     string          `json:"kind,omitempty" enum:"reshare,loosen" doc:"absent: reshare"`
		To       []string        `json:"to,omitempty" maxItems:"100" doc:"organisations by their short names; whether they exist is not said"`
		Outside  []string        `json:"outside,omitempty" maxItems:"100" doc:"whom the exchange does not know, in words"`
		Why      string          `json:"why" minLength:"1" maxLength:"10000"`
		Until    time.Time       `json:"until,omitzero" doc:"end of the permission; absent: as long as the charter permits"`
		Handling *ReshareLoosens `json:"handling,omitempty" doc:"of loosen"`
	}
	// ReshareLoosens is the looser handling that is asked for; what it leaves out stays.
	ReshareLoosens struct {
		TLP           string   `json:"tlp,omitempty" maxLength:"32"`
		PAP           string   `json:"pap,omitempty" maxLength:"32"`
		Organisations []string `json:"organisations,omitempty" maxItems:"1000" doc:"in place of every allow-list"`
		Drop          []string `json:"drop,omitempty" maxItems:"32" doc:"restrictions to take away: organisations, persons, purposes, not_organisations, not_cohorts, not_hats, not_in, from, expires, statement, actions, encrypt, notify, resale, attribution"`
	}
	// ReshareReply is what an originator says.
	ReshareReply struct {
		Yes       bool      `json:"yes"`
		Condition string    `json:"condition,omitempty" maxLength:"4000" doc:"under which the yes holds"`
		Until     time.Time `json:"until,omitzero" doc:"an earlier end of the permission"`
	}
	reshareAnswer struct {
		Organisation string    `json:"organisation,omitempty" doc:"absent: an originator that is not named"`
		Person       string    `json:"person,omitempty"`
		At           time.Time `json:"at"`
		Yes          bool      `json:"yes"`
		Condition    string    `json:"condition,omitempty"`
		Until        time.Time `json:"until,omitzero"`
	}
	reshare struct {
		ID           string          `json:"id"`
		Program      string          `json:"program"`
		Item         string          `json:"item"`
		Artifact     string          `json:"artifact,omitempty"`
		Title        string          `json:"title"`
		TLP          string          `json:"tlp" doc:"effective when it was asked"`
		Kind         string          `json:"kind"`
		Organisation string          `json:"organisation" doc:"that asks"`
		Person       string          `json:"person,omitempty"`
		To           []string        `json:"to,omitempty"`
		Outside      []string        `json:"outside,omitempty"`
		Handling     *ReshareLoosens `json:"handling,omitempty" doc:"of loosen: the label asked for"`
		Why          string          `json:"why"`
		AskedAt      time.Time       `json:"asked_at"`
		AnswerBy     time.Time       `json:"answer_by" doc:"without every answer by then it is a no"`
		DecidedAt    time.Time       `json:"decided_at,omitzero"`
		RevokedAt    time.Time       `json:"revoked_at,omitzero"`
		Until        time.Time       `json:"until,omitzero" doc:"as asked"`
		End          time.Time       `json:"end,omitzero" doc:"of the permission: the earliest that anybody named"`
		State        string          `json:"state" enum:"open,granted,conditional,refused,lapsed,withdrawn,revoked"`
		InForce      bool            `json:"in_force"`
		Conditions   []string        `json:"conditions,omitempty"`
		Originators  []string        `json:"originators,omitempty" doc:"those that the caller may know"`
		Waiting      int             `json:"waiting" doc:"originators that have not answered"`
		Answers      []reshareAnswer `json:"answers"`
		MayAnswer    bool            `json:"may_answer" doc:"the caller may answer now"`
	}
	answerTimes struct {
		Answers       int     `json:"answers"`
		Lapsed        int     `json:"lapsed" doc:"requests that were not answered in time"`
		MedianSeconds float64 `json:"median_seconds"`
		P90Seconds    float64 `json:"p90_seconds"`
	}
	kin struct {
		ID       string `json:"id"`
		Title    string `json:"title,omitempty"`
		Relation string `json:"relation,omitempty"`
		Recalled bool   `json:"recalled,omitempty"`
	}
	lineage struct {
		Artifact    string   `json:"artifact"`
		Relation    string   `json:"relation,omitempty"`
		Originators []string `json:"originators" doc:"those that the caller may know, without whose consent the handling is not loosened"`
		Parents     []kin    `json:"parents" doc:"what it was made from, as far as the caller may know"`
		Children    []kin    `json:"children" doc:"what was made from it, likewise"`
	}
	inAsk struct{ Body ReshareBody }
	// InReshare names a request.
	InReshare struct {
		Reshare string `path:"reshare" maxLength:"64"`
	}
	inReply struct {
		InReshare
		Body ReshareReply
	}
	inReshares struct {
		Paging
		Program string `query:"program" maxLength:"64" doc:"all of a program that the caller runs; absent: those that the caller's organisation takes part in"`
		Open    bool   `query:"open" doc:"only those that wait for an answer"`
	}
)

func wireReshare(v room.View) reshare {
	w := reshare{
		ID: string(v.ID), Program: string(v.Program), Item: v.Item(), Title: v.Title, TLP: v.TLP.String(), Kind: string(v.Kind),
		Organisation: string(v.By), Person: string(v.Person), To: names(v.To), Outside: v.Outside, Why: v.Why,
		AskedAt: utc(v.AskedAt), AnswerBy: utc(v.AnswerBy), DecidedAt: utc(v.DecidedAt), RevokedAt: utc(v.RevokedAt),
		Until: utc(v.Until), End: utc(v.End), State: string(v.State), InForce: v.InForce, Conditions: v.Conditions(),
		Originators: names(v.Owners), Waiting: v.Waiting, MayAnswer: v.Answer,
		Answers: wires(v.Answers, func(a room.Answer) reshareAnswer {
			return reshareAnswer{string(a.Org), string(a.Person), utc(a.At), a.Yes, a.Condition, utc(a.Until)}
		}),
	}
	if v.Object.ID == "" {
		w.Artifact = string(v.Artifact)
	}
	if v.Kind == room.Loosen {
		w.Handling = &ReshareLoosens{TLP: v.Wanted.TLP.String(), PAP: v.Wanted.PAP.String(), Organisations: names(v.Wanted.Organisations)}
	}
	return w
}

func names[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = string(s)
	}
	return out
}

func replyReshare(v room.View, err error) (*answer[reshare], error) {
	if err != nil {
		return nil, err
	}
	out := reply(wireReshare(v))
	out.Location = prefix + "/reshares/" + string(v.ID)
	return out, nil
}

func (s *server) ask(ctx context.Context, a exchange.Actor, in *inAsk) (*answer[reshare], error) {
	b := in.Body
	q := room.Question{
		Program: exchange.ProgramID(b.Program), Item: b.Item, Kind: room.Kind(b.Kind), To: as[exchange.OrgID](b.To), Outside: b.Outside,
		Why: b.Why, Until: b.Until,
	}
	if q.Kind == "" {
		q.Kind = room.Reshare
	}
	if h := b.Handling; h != nil {
		var err error
		var ps []exchange.Problem
		if q.Change.TLP, err = exchange.ParseTLP(h.TLP); err != nil {
			ps = append(ps, exchange.Problem{Path: "body.handling.tlp", Message: publicText(err)})
		}
		if q.Change.PAP, err = exchange.ParsePAP(h.PAP); err != nil {
			ps = append(ps, exchange.Problem{Path: "body.handling.pap", Message: publicText(err)})
		}
		if len(ps) > 0 {
			return nil, exchange.InvalidWith("the request was not understood; nothing was asked", ps)
		}
		q.Change.Organisations, q.Change.Drop = as[exchange.OrgID](h.Organisations), h.Drop
	}
	return replyReshare(s.Reshares.Ask(ctx, a, q))
}

func (s *server) listReshares(ctx context.Context, a exchange.Actor, in *inReshares) (*answer[list[reshare]], error) {
	before, err := in.key()
	if err != nil {
		return nil, err
	}
	all, next, err := s.Reshares.List(ctx, a, room.Filter{
		Program: exchange.ProgramID(in.Program), Open: in.Open, Before: room.ID(before), Limit: min(in.Limit, 500),
	})
	if err != nil {
		return nil, err
	}
	out := replyList(all, wireReshare)
	if next != "" {
		filters := url.Values{}
		if in.Program != "" {
			filters.Set("program", in.Program)
		}
		if in.Open {
			filters.Set("open", "true")
		}
		out.Link = in.next("/reshares", filters, string(next))
	}
	return out, nil
}

func (s *server) readReshare(ctx context.Context, a exchange.Actor, in *InReshare) (*answer[reshare], error) {
	v, err := s.Reshares.Read(ctx, a, room.ID(in.Reshare))
	if err != nil {
		return nil, err
	}
	return reply(wireReshare(v)), nil
}

func (s *server) answerReshare(ctx context.Context, a exchange.Actor, in *inReply) (*answer[reshare], error) {
	return replyReshare(s.Reshares.Answer(ctx, a, room.ID(in.Reshare), room.Reply{
		Yes: in.Body.Yes, Condition: in.Body.Condition, Until: in.Body.Until,
	}))
}

func (s *server) withdrawReshare(ctx context.Context, a exchange.Actor, in *InReshare) (*answer[reshare], error) {
	return replyReshare(s.Reshares.Withdraw(ctx, a, room.ID(in.Reshare)))
}

func (s *server) revokeReshare(ctx context.Context, a exchange.Actor, in *InReshare) (*answer[reshare], error) {
	return replyReshare(s.Reshares.Revoke(ctx, a, room.ID(in.Reshare)))
}

// copyReshare gives what was granted with the permission on it.
func (s *server) copyReshare(ctx context.Context, a exchange.Actor, in *InReshare) (*huma.StreamResponse, error) {
	c, err := s.Reshares.Copy(ctx, a, room.ID(in.Reshare))
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humago.Unwrap(hc)
		w.Header().Set("Content-Type", c.MediaType)
		w.Header().Set("Content-Disposition", `attachment; filename="`+c.Filename+`"`)
		_, _ = w.Write(c.Body) // who has gone gets no more
	}}, nil
}

func copyAnswer(op *huma.Operation) {
	op.Responses = map[string]*huma.Response{"200": {
		Description: "a STIX bundle whose objects bear the permission as a marking, or, of what is not STIX, the permission as a file of its own",
		Content: map[string]*huma.MediaType{
			"application/stix+json;version=2.1": {Schema: &huma.Schema{Type: "object", AdditionalProperties: true}},
			"application/json":                  {Schema: &huma.Schema{Type: "object", AdditionalProperties: true}},
		},
	}}
	op.Errors = append(op.Errors, http.StatusConflict)
}

func (s *server) answerTimes(ctx context.Context, a exchange.Actor, in *InProgram) (*answer[answerTimes], error) {
	t, err := s.Reshares.AnswerTimes(ctx, a, exchange.ProgramID(in.Program))
	if err != nil {
		return nil, err
	}
	return reply(answerTimes{t.Answers, t.Lapsed, t.Median.Seconds(), t.P90.Seconds()}), nil
}

func (s *server) lineage(ctx context.Context, a exchange.Actor, in *inArtifactID) (*answer[lineage], error) {
	l, err := s.Reshares.Lineage(ctx, a, exchange.ArtifactID(in.Artifact))
	if err != nil {
		return nil, err
	}
	wire := func(k room.Kin) kin { return kin{k.ID, k.Title, k.Relation, k.Recalled} }
	return reply(lineage{
		Artifact: in.Artifact, Relation: l.Relation, Originators: names(l.Owners),
		Parents: wires(slices.Clone(l.Parents), wire), Children: wires(slices.Clone(l.Children), wire),
	}), nil
}
