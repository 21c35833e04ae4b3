package api

import (
	"context"
	"strconv"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/recall"
)

type (
	InRecall struct {
		Recall string `path:"recall" maxLength:"64"`
	}
	inIssueRecall struct {
		DryRun bool `query:"dry_run" doc:"Answer what would happen, and change nothing."`
		Body   struct {
			Kind        string    `json:"kind" enum:"recall,supersede,narrow,expire"`
			Artifact    string    `json:"artifact,omitempty" maxLength:"64" doc:"what is taken back; or program and object"`
			Program     string    `json:"program,omitempty" maxLength:"63"`
			Object      string    `json:"object,omitempty" maxLength:"400" doc:"a STIX identifier: every version of it that the caller may take back"`
			Replacement string    `json:"replacement,omitempty" maxLength:"64" doc:"of supersede: the artifact that takes its place"`
			Handling    *handling `json:"handling,omitempty" doc:"of narrow: what becomes stricter; what is absent stays as it is"`
			At          time.Time `json:"at,omitempty" doc:"of expire; absent: now"`
			Reason      string    `json:"reason" minLength:"1" maxLength:"16000" doc:"told to those who hold it"`
			Message     string    `json:"message,omitempty" maxLength:"16000" doc:"further words to them"`
		}
	}
	inAnswerRecall struct {
		InRecall
		Body struct {
			Answer string `json:"answer" enum:"deleted,never-imported,kept" doc:"what the organisation did; kept is for a legal reason, which the note gives"`
			Note   string `json:"note,omitempty" maxLength:"16000"`
		}
	}
	recallHolder struct {
		Organisation string    `json:"organisation,omitempty" doc:"absent where the charter keeps the names of members from each other"`
		Name         string    `json:"name,omitempty"`
		Near         string    `json:"near" enum:"offered,opened,delivered,downloaded" doc:"how near it came; offered alone: nothing was fetched"`
		Since        time.Time `json:"since,omitzero"`
		Loses        bool      `json:"loses" doc:"it is asked to delete what it holds"`
		Tombstones   bool      `json:"tombstones,omitempty" doc:"its machines are given the objects revoked"`
		ReadAt       time.Time `json:"read_at,omitzero" doc:"when it read the notice"`
		PushedAt     time.Time `json:"pushed_at,omitzero" doc:"when a webhook of it took the notice"`
		TakenAt      time.Time `json:"taken_at,omitzero" doc:"when a machine of it took the tombstones"`
		PolledAt     time.Time `json:"polled_at,omitzero" doc:"when a connected machine of it asked last"`
		RemindedAt   time.Time `json:"reminded_at,omitzero"`
		Answer       string    `json:"answer,omitempty" enum:"deleted,never-imported,kept" doc:"absent: silent"`
		Note         string    `json:"note,omitempty"`
		AnsweredBy   string    `json:"answered_by,omitempty"`
		AnsweredAt   time.Time `json:"answered_at,omitzero"`
	}
	recalled struct {
		ID           string         `json:"id,omitempty" doc:"absent of a dry run"`
		Kind         string         `json:"kind" enum:"recall,supersede,narrow,expire"`
		Side         string         `json:"side,omitempty" enum:"issuer,runs,holder" doc:"from where the caller looks at it"`
		Program      string         `json:"program"`
		Artifact     string         `json:"artifact"`
		Object       string         `json:"object,omitempty"`
		Title        string         `json:"title"`
		TLP          string         `json:"tlp,omitempty"`
		By           string         `json:"by,omitempty" doc:"the organisation that did it; absent: the clock, or not told to holders"`
		At           time.Time      `json:"at,omitzero"`
		EffectiveAt  time.Time      `json:"effective_at,omitzero" doc:"from when on it is not given"`
		Reason       string         `json:"reason"`
		Message      string         `json:"message,omitempty"`
		Replacement  string         `json:"replacement,omitempty"`
		Handling     *handling      `json:"handling,omitempty" doc:"after narrow and expire"`
		Objects      int64          `json:"objects,omitempty" doc:"STIX objects that it takes back"`
		Losing       *int           `json:"losing,omitempty" doc:"organisations that are asked to delete it"`
		Held         *int           `json:"held,omitempty" doc:"organisations that were given something of it"`
		Offered      *int           `json:"offered,omitempty" doc:"organisations that were offered it and fetched nothing"`
		Acknowledged *int           `json:"acknowledged,omitempty" doc:"of those that are asked"`
		Asked        bool           `json:"asked" doc:"the caller's organisation is asked, and has not answered"`
		Mine         *recallHolder  `json:"mine,omitempty" doc:"the caller's own line"`
		Holders      []recallHolder `json:"holders,omitempty"`
	}
	reminded struct {
		Reminded int `json:"reminded" doc:"organisations that were told once more"`
	}
)

func wireRecallHolder(h recall.Holder) recallHolder {
	return recallHolder{
		Organisation: string(h.Org), Name: h.Name, Near: string(h.Near), Since: utc(h.Since), Loses: h.Loses, Tombstones: h.Tombs,
		ReadAt: utc(h.ReadAt), PushedAt: utc(h.PushedAt), TakenAt: utc(h.TakenAt), PolledAt: utc(h.PolledAt), RemindedAt: utc(h.RemindedAt),
		Answer: string(h.Answer), Note: h.Note, AnsweredBy: string(h.By), AnsweredAt: utc(h.At),
	}
}

func wireRecall(v recall.View) recalled {
	r := v.Recall
	out := recalled{
		ID: string(r.ID), Kind: string(r.Kind), Side: string(v.Side), Program: string(r.Program), Artifact: string(r.Artifact),
		Object: r.Object, Title: r.Title, TLP: r.TLP.String(), By: string(r.By), At: utc(r.At), EffectiveAt: utc(r.Effective),
		Reason: r.Reason, Message: r.Message, Replacement: string(r.Replacement), Objects: r.Objects,
	}
	if r.Kind == recall.Narrowed || r.Kind == recall.Expired {
		h := wireHandling(r.Handling)
		out.Handling = &h
	}
	if v.Mine != nil {
		mine := wireRecallHolder(*v.Mine)
		out.Mine, out.Asked = &mine, v.Mine.Asked()
		return out
	}
	losing, held, answered := v.Losing(), v.Held(), 0
	offered := len(v.Holders) - held
	out.Losing, out.Held, out.Offered, out.Acknowledged = &losing, &held, &offered, &answered
	for _, h := range v.Holders {
		if h.Answer != "" {
			answered++
		}
		out.Holders = append(out.Holders, wireRecallHolder(h))
	}
	return out
}

func replyRecall(v recall.View, err error) (*answer[recalled], error) {
	if err != nil {
		return nil, err
	}
	return reply(wireRecall(v)), nil
}

// narrower reads the handling of a narrowing.
func (h *handling) narrower() (exchange.Handling, []string, error) {
	if h == nil {
		return exchange.Handling{}, nil, nil
	}
	out := exchange.Handling{
		Organisations: as[exchange.OrgID](h.Organisations), NotOrgs: as[exchange.OrgID](h.NotOrganisations), NotIn: h.NotIn,
		Expires: h.ExpiresAt, Statement: h.Statement,
	}
	var ps []exchange.Problem
	var err error
	if out.TLP, err = exchange.ParseTLP(h.TLP); err != nil {
		ps = append(ps, exchange.Problem{Path: "$.handling.tlp", Message: publicText(err)})
	}
	if out.PAP, err = exchange.ParsePAP(h.PAP); err != nil {
		ps = append(ps, exchange.Problem{Path: "$.handling.pap", Message: publicText(err)})
	}
	if len(ps) > 0 {
		return out, nil, exchange.InvalidWith("the handling was not changed", ps)
	}
	return out, h.Persons, nil
}

func (s *server) issueRecall(ctx context.Context, a exchange.Actor, in *inIssueRecall) (*answer[recalled], error) {
	b := in.Body
	h, persons, err := b.Handling.narrower()
	if err != nil {
		return nil, err
	}
	act := recall.Act{
		Kind: recall.Kind(b.Kind), Artifact: exchange.ArtifactID(b.Artifact), Program: exchange.ProgramID(b.Program), Object: b.Object,
		Replacement: exchange.ArtifactID(b.Replacement), Handling: h, Persons: persons, At: b.At, Reason: b.Reason, Message: b.Message,
	}
	if in.DryRun {
		p, err := s.Recalls.Plan(ctx, a, act)
		return replyRecall(recall.View{Plan: p}, err)
	}
	p, err := s.Recalls.Issue(ctx, a, act)
	if err != nil {
		return nil, err
	}
	out, err := replyRecall(s.Recalls.Read(ctx, a, p.ID))
	if err == nil {
		out.Location = prefix + p.Path()
	}
	return out, err
}

func (s *server) listRecalls(ctx context.Context, a exchange.Actor, in *Paging) (*answer[list[recalled]], error) {
	before, err := in.number()
	if err != nil {
		return nil, err
	}
	f := recall.Filter{Limit: in.Limit}
	if before > 0 {
		f.Before = time.UnixMicro(before)
	}
	all, err := s.Recalls.List(ctx, a, f)
	if err != nil {
		return nil, err
	}
	return replyPage(all, *in, "/recalls", nil, func(v recall.View) string {
		return strconv.FormatInt(v.At.UnixMicro(), 10)
	}, func(v recall.View) recalled {
		out := wireRecall(v)
		out.Holders = nil
		return out
	}), nil
}

func (s *server) readRecall(ctx context.Context, a exchange.Actor, in *InRecall) (*answer[recalled], error) {
	return replyRecall(s.Recalls.Read(ctx, a, recall.ID(in.Recall)))
}

func (s *server) answerRecall(ctx context.Context, a exchange.Actor, in *inAnswerRecall) (*answer[recalled], error) {
	return replyRecall(s.Recalls.Acknowledge(ctx, a, recall.ID(in.Recall), recall.Answer(in.Body.Answer), in.Body.Note))
}

func (s *server) remindRecall(ctx context.Context, a exchange.Actor, in *InRecall) (*answer[reminded], error) {
	n, err := s.Recalls.Remind(ctx, a, recall.ID(in.Recall))
	if err != nil {
		return nil, err
	}
	return reply(reminded{n}), nil
}
