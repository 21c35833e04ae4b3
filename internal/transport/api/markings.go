package api

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Dimensions are those of IEP 2.0, in a query.
type Dimensions struct {
	Actions     string `query:"permitted_actions" maxLength:"64" doc:"IEP 2.0, such as internally-visible-actions"`
	Encrypt     string `query:"encrypt_in_transit" maxLength:"16" doc:"may or must"`
	Notify      string `query:"affected_party_notifications" maxLength:"16" doc:"may or must-not"`
	Resale      string `query:"unmodified_resale" maxLength:"16" doc:"may or must-not"`
	Attribution string `query:"attribution" maxLength:"16" doc:"may, must or must-not"`
}

// Policy is a handling in a query: of a submission, or of a simulation, where
// what is absent stays as it is.
type Policy struct {
	TLP        string    `query:"tlp" maxLength:"32" doc:"absent: the program's default"`
	PAP        string    `query:"pap" maxLength:"32" doc:"absent: the program's default"`
	Persons    []string  `query:"person" maxItems:"1000" doc:"the named persons of TLP:RED, by login or identifier"`
	Only       []string  `query:"organisation" maxItems:"1000" doc:"when given, these organisations alone receive it"`
	Groups     []string  `query:"group" maxItems:"100" doc:"organisations of these groups of the charter, too"`
	Sectors    []string  `query:"sector" maxItems:"100" doc:"organisations of these sectors, too"`
	Purposes   []string  `query:"purpose" maxItems:"100" doc:"when given, it is read for these purposes alone"`
	NotOrgs    []string  `query:"not_organisation" maxItems:"1000"`
	NotCohorts []string  `query:"not_cohort" maxItems:"100"`
	NotHats    []string  `query:"not_hat" maxItems:"100" doc:"nobody who acts in one of these roles"`
	NotIn      []string  `query:"not_in" maxItems:"300" doc:"excluded jurisdictions (ISO 3166-1 alpha-2)"`
	From       time.Time `query:"from" doc:"nobody receives it before; absent: the plan alone says when"`
	Expires    time.Time `query:"expires" doc:"in the future: from then on nobody receives it; absent: never"`
	Statement  string    `query:"statement" maxLength:"4000"`
	References []string  `query:"reference" maxItems:"20" doc:"the policies behind it, such as iep:UUID"`
	Dimensions
}

// handling reads what was said; undone says in a problem what was not done.
func (p Policy) handling(undone string) (exchange.Handling, error) {
	h := exchange.Handling{
		Persons: as[exchange.PersonID](p.Persons), Organisations: as[exchange.OrgID](p.Only),
		Groups: as[exchange.GroupID](p.Groups), Sectors: p.Sectors, Purposes: p.Purposes,
		NotOrgs: as[exchange.OrgID](p.NotOrgs), NotCohorts: as[exchange.CohortID](p.NotCohorts), NotHats: p.NotHats,
		NotIn: p.NotIn, Statement: p.Statement, References: p.References, From: p.From, Expires: p.Expires,
	}
	if ps := levels(&h, "query.", p.TLP, p.PAP, p.Dimensions); len(ps) > 0 {
		return h, exchange.InvalidWith("the handling was not understood; "+undone, ps)
	}
	return h, nil
}

// levels reads the words of a handling and lists those that are none.
func levels(h *exchange.Handling, path, tlp, pap string, d Dimensions) (ps []exchange.Problem) {
	note := func(name string, err error) {
		if err != nil {
			ps = append(ps, exchange.Problem{Path: path + name, Message: publicText(err)})
		}
	}
	var err error
	h.TLP, err = exchange.ParseTLP(tlp)
	note("tlp", err)
	h.PAP, err = exchange.ParsePAP(pap)
	note("pap", err)
	h.Actions, err = exchange.ParseActions(d.Actions)
	note("permitted_actions", err)
	h.Encrypt, err = exchange.ParseDuty(d.Encrypt, exchange.MustEncrypt)
	note("encrypt_in_transit", err)
	h.Notify, err = exchange.ParseDuty(d.Notify, exchange.MustNotNotify)
	note("affected_party_notifications", err)
	h.Resale, err = exchange.ParseDuty(d.Resale, exchange.MustNotResell)
	note("unmodified_resale", err)
	h.Attribution, err = exchange.ParseAttribution(d.Attribution)
	note("attribution", err)
	return ps
}

type (
	heldIn struct {
		Ref      string    `json:"ref" doc:"the marking that nobody understands"`
		Artifact string    `json:"artifact"`
		Title    string    `json:"title"`
		Release  string    `json:"release,omitempty" doc:"absent: members wrote it"`
		Objects  int64     `json:"objects" doc:"that it holds"`
		Parts    int64     `json:"parts" doc:"objects of which it holds parts"`
		Since    time.Time `json:"since"`
	}
	resolution struct {
		Ref      string    `json:"ref"`
		Handling handling  `json:"handling"`
		Reason   string    `json:"reason"`
		By       string    `json:"by,omitempty"`
		At       time.Time `json:"at"`
	}
	heldQueue struct {
		Held     []heldIn     `json:"held" nullable:"false"`
		Resolved []resolution `json:"resolved" nullable:"false" doc:"what was said before"`
	}
)

// listHeld is what waits for those who run a program, because a marking of it is
// not understood.
func (s *server) listHeld(ctx context.Context, a exchange.Actor, in *InProgram) (*answer[heldQueue], error) {
	q, err := s.Submissions.Held(ctx, a, exchange.ProgramID(in.Program))
	if err != nil {
		return nil, err
	}
	out := heldQueue{Held: []heldIn{}, Resolved: []resolution{}}
	for _, h := range q.Held {
		out.Held = append(out.Held, heldIn{h.Ref, string(h.Artifact), h.Title, string(h.Release), h.Objects, h.Parts, utc(h.Since)})
	}
	for _, r := range q.Resolved {
		out.Resolved = append(out.Resolved, resolution{r.Ref, wireHandling(r.Handling), r.Reason, string(r.By), utc(r.At)})
	}
	return reply(out), nil
}

type inResolve struct {
	InProgram
	Body struct {
		Ref       string `json:"ref" maxLength:"100" doc:"the id of the marking-definition"`
		TLP       string `json:"tlp" maxLength:"32" doc:"the label that it stands for"`
		PAP       string `json:"pap,omitempty" maxLength:"32"`
		Statement string `json:"statement,omitempty" maxLength:"4000"`
		Reason    string `json:"reason" maxLength:"1000" doc:"how it is known what the marking asks"`
	}
}

type resolved struct {
	Ref     string `json:"ref"`
	Objects int64  `json:"objects" doc:"that it holds no longer, in whole or in part"`
}

// resolveMarking says what a marking asks that nobody understands.
func (s *server) resolveMarking(ctx context.Context, a exchange.Actor, in *inResolve) (*answer[resolved], error) {
	h := exchange.Handling{Statement: in.Body.Statement}
	if ps := levels(&h, "body.", in.Body.TLP, in.Body.PAP, Dimensions{}); len(ps) > 0 {
		return nil, exchange.InvalidWith("it was not understood what the marking asks; nothing was changed", ps)
	}
	n, err := s.Submissions.ResolveMarking(ctx, a, exchange.ProgramID(in.Program), in.Body.Ref, h, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return reply(resolved{in.Body.Ref, n}), nil
}
