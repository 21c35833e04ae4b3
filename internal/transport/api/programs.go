package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
)

type (
	InProgram struct {
		Program string `path:"program" maxLength:"63"`
	}
	caller struct {
		Person       string       `json:"person,omitempty"`
		Token        string       `json:"token,omitempty"`
		Organisation string       `json:"organisation,omitempty"`
		Name         string       `json:"name"`
		Roles        []string     `json:"roles"`
		Verbs        []string     `json:"verbs,omitempty" doc:"of the token; absent: no limit beyond the roles"`
		Program      string       `json:"program,omitempty" doc:"the one program of the token"`
		TLPCeiling   string       `json:"tlp_ceiling,omitempty"`
		Machine      bool         `json:"machine,omitempty"`
		Hat          string       `json:"hat,omitempty" doc:"in which the caller acts; absent: in all of the organisation's"`
		Purpose      string       `json:"purpose,omitempty" doc:"for which the caller reads"`
		TimeZone     string       `json:"time_zone,omitempty"`
		Memberships  []member     `json:"memberships"`
		Collections  []collection `json:"collections"`
	}
)

func (s *server) me(ctx context.Context, a exchange.Actor, _ *none) (*answer[caller], error) {
	out := caller{
		Person: string(a.Person), Token: string(a.Token), Organisation: string(a.Org), Name: a.Name,
		Roles: texts(a.Roles), Verbs: some(a.Verbs), Program: string(a.Program), TLPCeiling: a.Ceiling.String(),
		Machine: a.Machine, Hat: a.Hat, Purpose: a.Purpose, TimeZone: a.Zone, Memberships: []member{}, Collections: []collection{},
	}
	members, err := s.Members.Memberships(ctx, a)
	if err != nil {
		return nil, err
	}
	out.Memberships = wires(members, wireMember)
	collections, err := s.Delivery.Collections(ctx, a)
	if err != nil {
		return nil, err
	}
	out.Collections = wires(collections, wireCollection)
	return reply(out), nil
}

func (s *server) listPrograms(ctx context.Context, a exchange.Actor, in *Paging) (*answer[list[charter]], error) {
	all, err := s.Programs.List(ctx, a)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	return replyCut(all, *in, "/programs", func(p program.Stored) string { return string(p.ID) },
		func(p program.Stored) charter { return wireProgram(p, now) })
}

type inRead struct {
	InProgram
	NoneMatching
}

func (s *server) readProgram(ctx context.Context, a exchange.Actor, in *inRead) (*answer[charter], error) {
	c, revision, err := s.Programs.Charter(ctx, a, exchange.ProgramID(in.Program))
	if err != nil {
		return nil, err
	}
	tag := etag(revision)
	if err := in.unless(tag); err != nil {
		return nil, err
	}
	out := reply(wireCharter(c, revision, s.Now()))
	out.ETag = tag
	return out, nil
}

// document is a charter as TOML.
type document struct {
	ETag        string `header:"ETag"`
	ContentType string `header:"Content-Type"`
	Body        []byte
}

const charterType = "application/toml"

func (s *server) exportCharter(ctx context.Context, a exchange.Actor, in *inRead) (*document, error) {
	_, revision, err := s.Programs.Charter(ctx, a, exchange.ProgramID(in.Program))
	if err != nil {
		return nil, err
	}
	tag := etag(revision)
	if err := in.unless(tag); err != nil {
		return nil, err
	}
	text, err := s.Programs.Export(ctx, a, exchange.ProgramID(in.Program))
	if err != nil {
		return nil, err
	}
	return &document{ETag: tag, ContentType: charterType + "; charset=utf-8", Body: text}, nil
}

type (
	inCharter struct {
		InProgram
		IfMatch string `header:"If-Match" maxLength:"128" doc:"The ETag of the charter in force, or *. Required unless the program is new or dry_run is set."`
		DryRun  bool   `query:"dry_run" doc:"Answer what would change, and change nothing."`
		RawBody []byte `contentType:"application/toml" required:"true"`
	}
	applied struct {
		Program  string       `json:"program"`
		Created  bool         `json:"created"`
		DryRun   bool         `json:"dry_run"`
		Revision int64        `json:"revision,omitempty"`
		Changes  []difference `json:"changes" doc:"what differs from the charter in force"`
		Moves    []move       `json:"moves" doc:"members that change cohort"`
		Tests    []ruleTest   `json:"tests,omitempty" doc:"tests of the charter's policies; all have passed"`
		Effect   *simulation  `json:"simulation,omitempty" doc:"of a dry run on a program that is open: who would gain and who would lose"`
	}
	ruleTest struct {
		Name   string `json:"name"`
		Action string `json:"action" enum:"read,enter"`
		Expect string `json:"expect" enum:"permit,forbid"`
		Why    string `json:"why" doc:"by which policy"`
	}
	difference struct {
		Path string `json:"path"`
		Old  string `json:"old,omitempty"`
		New  string `json:"new,omitempty"`
	}
	move struct {
		Organisation string `json:"organisation"`
		From         string `json:"from,omitempty" doc:"absent: no cohort"`
		To           string `json:"to,omitempty" doc:"absent: no cohort"`
	}
)

// applyCharter puts a charter in force. The rooms know no precondition for it,
// so If-Match is compared just before; two operators who apply within the same
// moment are told apart by their events.
func (s *server) applyCharter(ctx context.Context, a exchange.Actor, in *inCharter) (*answer[applied], error) {
	id := exchange.ProgramID(in.Program)
	if err := s.matchCharter(ctx, a, id, in); err != nil {
		return nil, err
	}
	if c, err := exchange.ParseCharter(in.RawBody); err == nil && c.ID != id {
		return nil, exchange.InvalidWith("the charter was not accepted; nothing was changed", []exchange.Problem{
			{Path: "id", Message: "the charter names another program than the address it was sent to"},
		})
	}
	r, err := s.Programs.Apply(ctx, a, in.RawBody, in.DryRun)
	if err != nil {
		return nil, err
	}
	out := reply(applied{
		Program: string(r.Program), Created: r.Created, DryRun: r.DryRun, Revision: r.Revision,
		Changes: wires(r.Changes, func(c exchange.Change) difference { return difference(c) }),
		Moves: wires(r.Moves, func(m exchange.Move) move {
			return move{string(m.Org), m.From.String(), m.To.String()}
		}),
		Tests: wires(r.Tests, func(t program.TestResult) ruleTest { return ruleTest{t.Name, t.Action, t.Expect, t.Why} }),
	})
	if !in.DryRun {
		out.ETag = etag(r.Revision)
		return out, nil
	}
	if len(r.Changes) > 0 && !r.Created {
		c, err := exchange.ParseCharter(in.RawBody)
		if err != nil {
			return nil, err
		}
		m, err := s.Delivery.Simulate(ctx, a, id, delivery.Candidate{Charter: &c})
		if err != nil {
			return nil, err
		}
		out.Body.Effect = wireSimulation(m)
	}
	return out, nil
}

func (s *server) matchCharter(ctx context.Context, a exchange.Actor, id exchange.ProgramID, in *inCharter) error {
	if in.DryRun {
		return nil
	}
	_, revision, err := s.Programs.Charter(ctx, a, id)
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return err
	}
	if err != nil {
		if in.IfMatch == "" {
			return nil // new, or not for the caller to know: Apply decides
		}
		revision = 0
	}
	want, err := Matching{in.IfMatch}.version()
	if err != nil {
		return err
	}
	if want != 0 && want != revision {
		return changed(etag(revision))
	}
	return nil
}

func charterBody(op *huma.Operation) {
	media := func() *huma.MediaType {
		return &huma.MediaType{Schema: &huma.Schema{Type: "string", Description: "the charter as TOML"}}
	}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		charterType: media(), "text/plain": media(),
	}}
	op.Errors = append(op.Errors, http.StatusPreconditionFailed, http.StatusPreconditionRequired)
}

func charterAnswer(op *huma.Operation) {
	op.Responses = map[string]*huma.Response{"200": {
		Description: "the charter as TOML",
		Content:     map[string]*huma.MediaType{charterType: {Schema: &huma.Schema{Type: "string"}}},
	}}
}

func (s *server) readAgreement(ctx context.Context, a exchange.Actor, in *InProgram) (*answer[agreement], error) {
	c, _, err := s.Programs.Charter(ctx, a, exchange.ProgramID(in.Program))
	if err != nil {
		return nil, err
	}
	out := wireAgreement(c.Agreement)
	if m, err := s.Members.Member(ctx, a, c.ID, a.Org); err == nil {
		out.Accepted = m.Accepted
	}
	return reply(out), nil
}

type inAcceptance struct {
	InProgram
	Body struct {
		Version int `json:"version" minimum:"1" doc:"the version that was read and is accepted for the caller's organisation"`
	}
}

type acceptance struct {
	Program      string `json:"program"`
	Organisation string `json:"organisation"`
	Version      int    `json:"version"`
	Person       string `json:"person"`
	At           string `json:"at" format:"date-time"`
}

func (s *server) acceptAgreement(ctx context.Context, a exchange.Actor, in *inAcceptance) (*answer[acceptance], error) {
	got, err := s.Members.Accept(ctx, a, exchange.ProgramID(in.Program), in.Body.Version)
	if err != nil {
		return nil, err
	}
	return reply(acceptance{
		string(got.Program), string(got.Org), got.Version, string(got.Person), got.At.UTC().Format(exchange.TimeFormat),
	}), nil
}
