package api

import (
	"context"
	"strconv"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/transport/httpkit"
)

type (
	InRelease struct {
		Release string `path:"release" maxLength:"64"`
	}
	release struct {
		ID              string     `json:"id"`
		View            string     `json:"view" enum:"operator,member" doc:"operator: the whole plan; member: what the reader holds"`
		Program         string     `json:"program"`
		Title           string     `json:"title"`
		Message         string     `json:"message,omitempty" doc:"Markdown"`
		State           string     `json:"state" doc:"operator: draft, waiting, armed, releasing, public, closed, withdrawn, contained; member: embargoed, public, closed, contained"`
		T0              time.Time  `json:"t0,omitzero" doc:"the public release"`
		PublicAt        time.Time  `json:"public_at,omitzero"`
		TLP             string     `json:"tlp,omitempty" doc:"member: the strictest label among the items"`
		Rules           []rule     `json:"rules,omitempty"`
		Revision        int64      `json:"revision,omitempty" doc:"grows with every edit; approvals are for one revision"`
		Version         int64      `json:"version,omitempty" doc:"grows with every change; the ETag"`
		Author          string     `json:"author,omitempty"`
		AuthorLogin     string     `json:"author_login,omitempty"`
		Approvals       []approval `json:"approvals,omitempty"`
		ApprovalsNeeded int        `json:"approvals_needed,omitempty"`
		IncompleteFixOf string     `json:"incomplete_fix_of,omitempty"`
		SupersededBy    string     `json:"superseded_by,omitempty"`
		NotCovering     time.Time  `json:"not_covering_since,omitzero" doc:"since when the fix is known to be incomplete: a protection built on this guidance may not cover"`
		CreatedAt       time.Time  `json:"created_at,omitzero"`
		UpdatedAt       time.Time  `json:"updated_at,omitzero"`
		ClosedAt        time.Time  `json:"closed_at,omitzero"`
		FirstOfferedAt  time.Time  `json:"first_offered_at,omitzero"`
		Reason          string     `json:"reason,omitempty" doc:"of the last change of plan"`
		Artifacts       []artifact `json:"artifacts,omitempty"`
		Waves           []wave     `json:"waves,omitempty"`

		Objects    *previewCount   `json:"objects,omitempty" doc:"of a preview"`
		ObjectList []objectPreview `json:"object_list,omitempty" doc:"of a preview: what the member will see, then what it will not; of each the first 1,000"`
	}
	approval struct {
		Person   string    `json:"person"`
		Login    string    `json:"login,omitempty"`
		Revision int64     `json:"revision"`
		At       time.Time `json:"at"`
		Valid    bool      `json:"valid" doc:"for the current revision"`
	}
	wave struct {
		Audience    string      `json:"audience" doc:"a cohort, with !compelled after it for members under a disclosure duty"`
		Title       string      `json:"title,omitempty"`
		At          time.Time   `json:"at,omitzero"`
		State       string      `json:"state" doc:"scheduled, held, killed, open"`
		OpenedAt    time.Time   `json:"opened_at,omitzero"`
		LateSeconds float64     `json:"late_seconds,omitempty"`
		Classes     []string    `json:"classes"`
		Objects     int64       `json:"objects,omitempty"`
		Past        bool        `json:"past,omitempty" doc:"its moment has passed: it opens at once"`
		Artifacts   []artifact  `json:"artifacts,omitempty"`
		Recipients  []recipient `json:"recipients,omitempty"`
	}
	recipient struct {
		Organisation    string    `json:"organisation"`
		Name            string    `json:"name,omitempty"`
		State           string    `json:"state"`
		Suspended       bool      `json:"suspended,omitempty"`
		AcceptedVersion int       `json:"accepted_version"`
		Since           time.Time `json:"since,omitzero" doc:"in this cohort since"`
		People          []string  `json:"people,omitempty"`
		TimeZone        string    `json:"time_zone,omitempty"`
	}
	holder struct {
		Organisation string    `json:"organisation"`
		Name         string    `json:"name,omitempty"`
		Audience     string    `json:"audience,omitempty"`
		Artifacts    []string  `json:"artifacts"`
		Since        time.Time `json:"since,omitzero"`
		Fetched      bool      `json:"fetched" doc:"at least one client has fetched something"`
	}
	warning struct {
		Code     string    `json:"code"`
		Text     string    `json:"text"`
		Audience string    `json:"audience,omitempty"`
		At       time.Time `json:"at,omitzero"`
	}
	preview struct {
		Release         release         `json:"release"`
		Waves           []wave          `json:"waves"`
		Warnings        []warning       `json:"warnings" doc:"unusual: weekend, holiday, new member, missing agreement"`
		Blocks          []httpkit.Fault `json:"blocks" doc:"what keeps it from being sent or armed"`
		ApprovalsNeeded int             `json:"approvals_needed"`
		Approvals       []approval      `json:"approvals"`
		Holders         []holder        `json:"holders" doc:"who already holds what"`
	}
)

func wireRelease(r exchange.Release) release {
	w := release{
		ID: string(r.ID), View: "operator", Program: string(r.Program), Title: r.Title, Message: r.Message,
		State: string(r.State), T0: utc(r.Plan.T0), PublicAt: utc(r.PublicAt), Rules: wires(r.Plan.Rules, wireRule),
		Revision: r.Revision, Version: r.Version, Author: string(r.Author), IncompleteFixOf: string(r.IncompleteFixOf),
		CreatedAt: utc(r.CreatedAt), UpdatedAt: utc(r.UpdatedAt), ClosedAt: utc(r.ClosedAt), Reason: r.Reason,
	}
	for _, a := range r.Approvals {
		w.Approvals = append(w.Approvals, approval{Person: string(a.Person), Revision: a.Revision, At: utc(a.At), Valid: a.Revision == r.Revision})
	}
	return w
}

func wireView(v room.View) release {
	w := wireRelease(v.Release)
	w.ApprovalsNeeded = v.Needed
	w.Artifacts = wires(v.Artifacts, wireArtifact)
	w.Waves = wires(v.Waves, wireWave)
	return w
}

func wireMemberRelease(m delivery.MemberRelease) release {
	return release{
		ID: string(m.ID), View: "member", Program: string(m.Program), Title: m.Title, Message: m.Message, State: m.State,
		T0: utc(m.T0), PublicAt: utc(m.PublicAt), TLP: m.TLP.String(), IncompleteFixOf: string(m.Incomplete),
		SupersededBy: string(m.Superseded), NotCovering: utc(m.NotCovering), FirstOfferedAt: utc(m.FirstOffered), Artifacts: wires(m.Items, wireItem),
	}
}

func wireWave(w exchange.WaveRecord) wave {
	return wave{
		Audience: w.Audience.String(), At: utc(w.At), State: string(w.State), OpenedAt: utc(w.OpenedAt),
		LateSeconds: w.Late.Seconds(), Classes: texts(w.Classes), Objects: w.Objects,
	}
}

func wirePreviewWave(w room.PreviewWave) wave {
	return wave{
		Audience: w.Audience.String(), Title: w.Title, At: utc(w.At), State: string(w.State), OpenedAt: utc(w.OpenedAt),
		Classes: texts(w.Classes), Past: w.Past, Artifacts: wires(w.Artifacts, wireArtifact), Recipients: wires(w.Recipients, wireRecipient),
	}
}

func wireRecipient(r room.Recipient) recipient {
	out := recipient{
		Organisation: string(r.Org), Name: r.Organisation.Name, State: string(r.State), Suspended: !r.Organisation.SuspendedAt.IsZero(),
		AcceptedVersion: r.Accepted, Since: utc(r.Since), TimeZone: r.Zone(),
	}
	for _, p := range r.People {
		out.People = append(out.People, p.Login)
	}
	return out
}

func wireHolder(h room.Holder) holder {
	w := holder{
		Organisation: string(h.Org), Name: h.Name, Audience: h.Audience.String(),
		Artifacts: []string{}, Since: utc(h.Since), Fetched: h.Given,
	}
	for _, a := range h.Artifacts {
		w.Artifacts = append(w.Artifacts, string(a.ID))
	}
	return w
}

// parseRules reads the rules of a plan; every fault is reported at its path.
func parseRules(in []rule) ([]exchange.PlanRule, error) {
	var out []exchange.PlanRule
	var ps []exchange.Problem
	for i, r := range in {
		at, err := exchange.ParseOffset(r.At)
		if err != nil {
			ps = append(ps, exchange.Problem{Path: "$.rules[" + strconv.Itoa(i) + "].at", Message: publicText(err)})
		}
		out = append(out, exchange.PlanRule{Class: exchange.ContentClass(r.Class), Cohort: exchange.CohortID(r.Cohort), At: at})
	}
	if len(ps) > 0 {
		return nil, exchange.InvalidWith("the plan was not understood; nothing was changed", ps)
	}
	return out, nil
}

type inNewRelease struct {
	InProgram
	Body struct {
		Title   string    `json:"title" minLength:"1" maxLength:"300"`
		Message string    `json:"message,omitempty" maxLength:"100000" doc:"Markdown to the members who hold it"`
		T0      time.Time `json:"t0,omitzero" doc:"the public release"`
		Rules   []rule    `json:"rules,omitempty" maxItems:"1000" doc:"absent: the charter's defaults"`
	}
}

func (s *server) createRelease(ctx context.Context, a exchange.Actor, in *inNewRelease) (*answer[release], error) {
	rules, err := parseRules(in.Body.Rules)
	if err != nil {
		return nil, err
	}
	r, err := s.Releases.Create(ctx, a, room.Draft{
		Program: exchange.ProgramID(in.Program), Title: in.Body.Title, Message: in.Body.Message, T0: in.Body.T0, Rules: rules,
	})
	if err != nil {
		return nil, err
	}
	out := replyRelease(r)
	out.Location = prefix + "/releases/" + string(r.ID)
	return out, nil
}

func replyRelease(r exchange.Release) *answer[release] {
	out := reply(wireRelease(r))
	out.ETag = etag(r.Version)
	return out
}

type inReleases struct {
	InProgram
	Paging
}

// listReleases gives those who run the program its releases, and everybody
// else the releases of which they hold something, newest first.
func (s *server) listReleases(ctx context.Context, a exchange.Actor, in *inReleases) (*answer[list[release]], error) {
	program, path := exchange.ProgramID(in.Program), "/programs/"+in.Program+"/releases"
	own, err := s.Releases.List(ctx, a, program)
	if exchange.KindOf(err) == exchange.NotFound {
		held, err := s.Delivery.Releases(ctx, a, program)
		if err != nil {
			return nil, err
		}
		return replyCut(held, in.Paging, path, func(m delivery.MemberRelease) string { return string(m.ID) }, wireMemberRelease)
	}
	if err != nil {
		return nil, err
	}
	return replyCut(own, in.Paging, path, func(r exchange.Release) string { return string(r.ID) }, wireRelease)
}

type inReadRelease struct {
	InRelease
	NoneMatching
}

func (s *server) readRelease(ctx context.Context, a exchange.Actor, in *inReadRelease) (*answer[release], error) {
	id := exchange.ReleaseID(in.Release)
	v, err := s.Releases.Read(ctx, a, id)
	if exchange.KindOf(err) == exchange.NotFound {
		m, err := s.Delivery.Release(ctx, a, id)
		if err != nil {
			return nil, err
		}
		return reply(wireMemberRelease(m)), nil
	}
	if err != nil {
		return nil, err
	}
	tag := etag(v.Version)
	if err := in.unless(tag); err != nil {
		return nil, err
	}
	out := reply(wireView(v))
	out.ETag, out.Body.AuthorLogin = tag, s.login(ctx, a, v.Author)
	for i := range v.Approvals {
		out.Body.Approvals[i].Login = s.login(ctx, a, v.Approvals[i].Person)
	}
	return out, nil
}

// login is that of a person whom the caller may know, else "".
func (s *server) login(ctx context.Context, a exchange.Actor, id exchange.PersonID) string {
	p, err := s.Members.Person(ctx, a, id)
	if err != nil {
		return ""
	}
	return p.Login
}

type inEditRelease struct {
	InRelease
	Matching
	Body struct {
		Title   *string    `json:"title,omitempty" maxLength:"300"`
		Message *string    `json:"message,omitempty" maxLength:"100000"`
		T0      *time.Time `json:"t0,omitempty"`
		Rules   *[]rule    `json:"rules,omitempty" maxItems:"1000"`
	}
}

// editRelease changes what is given; any edit voids the approvals.
func (s *server) editRelease(ctx context.Context, a exchange.Actor, in *inEditRelease) (*answer[release], error) {
	version, err := in.version()
	if err != nil {
		return nil, err
	}
	e := room.Edit{Title: in.Body.Title, Message: in.Body.Message, T0: in.Body.T0}
	if in.Body.Rules != nil {
		rules, err := parseRules(*in.Body.Rules)
		if err != nil {
			return nil, err
		}
		if rules == nil {
			rules = []exchange.PlanRule{}
		}
		e.Rules = &rules
	}
	id := exchange.ReleaseID(in.Release)
	r, err := s.Releases.Edit(ctx, a, id, e, version)
	if err != nil {
		return nil, s.stale(ctx, a, id, err)
	}
	return replyRelease(r), nil
}

// stale adds the ETag that holds to a failed precondition.
func (s *server) stale(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, err error) error {
	if exchange.KindOf(err) != exchange.Precondition {
		return err
	}
	v, readErr := s.Releases.Read(ctx, a, id)
	if readErr != nil {
		return err
	}
	return changed(etag(v.Version))
}

func (s *server) previewRelease(ctx context.Context, a exchange.Actor, in *InRelease) (*answer[preview], error) {
	p, err := s.Releases.Preview(ctx, a, exchange.ReleaseID(in.Release))
	if err != nil {
		return nil, err
	}
	out := reply(preview{
		Release: wireRelease(p.Release), Waves: wires(p.Waves, wirePreviewWave),
		Warnings: wires(p.Warnings, func(w exchange.Warning) warning {
			return warning{w.Code, w.Text, w.Audience.String(), utc(w.At)}
		}),
		Blocks: httpkit.Faults(p.Blocks), ApprovalsNeeded: p.Needed,
		Approvals: wires(p.Valid, func(v exchange.Approval) approval {
			return approval{string(v.Person), s.login(ctx, a, v.Person), v.Revision, utc(v.At), true}
		}),
		Holders: wires(p.Holders, wireHolder),
	})
	out.ETag = etag(p.Release.Version)
	return out, nil
}

type inPreviewAs struct {
	InRelease
	InOrganisation
}

// previewAs is the release as that member will see it.
func (s *server) previewAs(ctx context.Context, a exchange.Actor, in *inPreviewAs) (*answer[release], error) {
	m, err := s.Delivery.PreviewAs(ctx, a, exchange.ReleaseID(in.Release), exchange.OrgID(in.Organisation))
	if err != nil {
		return nil, err
	}
	return reply(wirePreviewAs(m)), nil
}

func (s *server) listWaves(ctx context.Context, a exchange.Actor, in *InRelease) (*answer[list[wave]], error) {
	v, err := s.Releases.Read(ctx, a, exchange.ReleaseID(in.Release))
	if err != nil {
		return nil, err
	}
	return replyList(v.Waves, wireWave), nil
}

func (s *server) listHolders(ctx context.Context, a exchange.Actor, in *InRelease) (*answer[list[holder]], error) {
	hs, err := s.Releases.Holders(ctx, a, exchange.ReleaseID(in.Release))
	if err != nil {
		return nil, err
	}
	return replyList(hs, wireHolder), nil
}
