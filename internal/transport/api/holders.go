package api

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	room "github.com/forewarn-exchange/forewarn/internal/exchange/record"
)

type (
	inHolders struct {
		Artifact string `path:"artifact" maxLength:"64"`
		Paging
	}
	inObjectHolders struct {
		InProgram
		Object string `path:"object" maxLength:"256" doc:"STIX identifier"`
		Paging
	}
	holders struct {
		Program       string    `json:"program"`
		Named         bool      `json:"named" doc:"the caller is an originator or runs the program, and is told of each copy"`
		Versions      []version `json:"versions" doc:"the artifacts that it is, oldest first"`
		Items         []copied  `json:"items" doc:"copies, newest first; none for other members"`
		Unnamed       []copied  `json:"unnamed,omitempty" doc:"copies of hidden members, for originators: that they have it and when, not who they are; with the first page only, at most 1000"`
		MembersSee    string    `json:"members_see,omitempty" doc:"what members see of each other: nothing, counts or names"`
		Others        string    `json:"others,omitempty" doc:"for members: how many other organisations have it, such as 7 or fewer than 5"`
		Organisations []string  `json:"organisations,omitempty" doc:"for members, where they see names"`
	}
	version struct {
		Artifact    string    `json:"artifact"`
		Title       string    `json:"title,omitempty"`
		SHA256      string    `json:"sha256,omitempty"`
		Supersedes  string    `json:"supersedes,omitempty"`
		SubmittedAt time.Time `json:"submitted_at,omitzero"`
		Journal     bool      `json:"journal,omitempty" doc:"what one organisation writes, object after object: a copy is of some of it"`
	}
	copied struct {
		Organisation     string    `json:"organisation,omitempty" doc:"absent for a member that is not named"`
		OrganisationName string    `json:"organisation_name,omitempty"`
		Client           string    `json:"client,omitempty" doc:"token or person; absent: offered, and as far as is recorded not taken"`
		ClientName       string    `json:"client_name,omitempty" doc:"name of the token, or login of the person"`
		Person           bool      `json:"person,omitempty"`
		Artifact         string    `json:"artifact"`
		Offered          time.Time `json:"offered_at,omitzero"`
		Delivered        time.Time `json:"delivered_at,omitzero"`
		Downloaded       time.Time `json:"downloaded_at,omitzero"`
		Opened           time.Time `json:"opened_at,omitzero"`
		Acknowledged     time.Time `json:"acknowledged_at,omitzero"`
	}
)

// artifactHolders answers who has an artifact, in each of its versions.
func (s *server) artifactHolders(ctx context.Context, a exchange.Actor, in *inHolders) (*answer[holders], error) {
	return s.holders(ctx, a, "", in.Artifact, in.Paging, "/artifacts/"+in.Artifact+"/holders")
}

func (s *server) objectHolders(ctx context.Context, a exchange.Actor, in *inObjectHolders) (*answer[holders], error) {
	path := "/programs/" + in.Program + "/objects/" + url.PathEscape(in.Object) + "/holders"
	return s.holders(ctx, a, exchange.ProgramID(in.Program), in.Object, in.Paging, path)
}

func (s *server) holders(ctx context.Context, a exchange.Actor, program exchange.ProgramID, item string, p Paging, path string) (*answer[holders], error) {
	after, err := copyAt(p)
	if err != nil {
		return nil, err
	}
	h, err := s.Record.Holders(ctx, a, program, item, after, p.Limit)
	if err != nil {
		return nil, err
	}
	page := replyPage(h.Copies, p, path, nil, func(c room.Copy) string {
		at := room.PlaceOf(c)
		return strings.Join([]string{
			strconv.FormatInt(at.Last.UnixMicro(), 10), strconv.FormatInt(at.Number, 10), string(at.Org), at.Client,
		}, "\x1f")
	}, wireCopy)
	out := reply(holders{
		Program: string(h.Program), Named: h.Named, Items: page.Body.Items, Others: h.Count, Organisations: some(h.Orgs),
		MembersSee: h.See, Unnamed: wires(h.Unnamed, wireCopy),
		Versions: wires(h.Versions, func(v room.Version) version {
			return version{string(v.Artifact), v.Title, v.SHA256, string(v.Supersedes), utc(v.At), v.Journal}
		}),
	})
	out.Link = page.Link
	return out, nil
}

func wireCopy(c room.Copy) copied {
	return copied{
		Organisation: string(c.Org), OrganisationName: c.OrgName, Client: c.Client, ClientName: c.ClientName, Person: c.Person,
		Artifact: string(c.Artifact), Offered: utc(c.Offered), Delivered: utc(c.Delivered), Downloaded: utc(c.Downloaded),
		Opened: utc(c.Opened), Acknowledged: utc(c.Acknowledged),
	}
}

func copyAt(p Paging) (room.Place, error) {
	key, err := p.key()
	if err != nil || key == "" {
		return room.Place{}, err
	}
	parts := strings.Split(key, "\x1f")
	if len(parts) == 4 {
		at, err1 := strconv.ParseInt(parts[0], 10, 64)
		number, err2 := strconv.ParseInt(parts[1], 10, 64)
		if err1 == nil && err2 == nil {
			return room.Place{Last: time.UnixMicro(at), Number: number, Org: exchange.OrgID(parts[2]), Client: parts[3]}, nil
		}
	}
	return room.Place{}, noCursor("query.after")
}

type (
	inSource struct {
		InProgram
		Source string `path:"source" maxLength:"64" example:"source-0a1b2c3d"`
	}
	source struct {
		Source       string `json:"source"`
		Organisation string `json:"organisation"`
	}
)

// readSource tells an operator who is shown under a name. It is recorded.
func (s *server) readSource(ctx context.Context, a exchange.Actor, in *inSource) (*answer[source], error) {
	org, err := s.Delivery.Source(ctx, a, exchange.ProgramID(in.Program), in.Source)
	if err != nil {
		return nil, err
	}
	return reply(source{in.Source, string(org)}), nil
}

type (
	inSimulate struct {
		Artifact string `path:"artifact" maxLength:"64"`
		Policy
	}
	simulation struct {
		Gained  int     `json:"gained" doc:"pairs of an organisation and an artifact that it would be given, or given more of"`
		Lost    int     `json:"lost" doc:"those that it would no longer be given, or given less of"`
		Other   int     `json:"refused_otherwise" doc:"those that would be refused as before, for another reason"`
		Same    int     `json:"unchanged"`
		Rows    []shift `json:"rows" doc:"who gains first"`
		More    int     `json:"more,omitempty" doc:"rows that are counted and not listed"`
		Unnamed int     `json:"unnamed,omitempty" doc:"counted, of organisations that the caller may not know of"`
		Left    int     `json:"not_looked_at,omitempty" doc:"the oldest artifacts: there were too many"`
	}
	shift struct {
		Organisation string `json:"organisation"`
		From         string `json:"from,omitempty" doc:"audience now"`
		To           string `json:"to,omitempty" doc:"audience then"`
		Effect       string `json:"effect" enum:"gains,loses,more,less,reason" doc:"reason: refused as before, for another reason"`
		Before       string `json:"before" doc:"verdict and code, for its most entitled person in the browser"`
		After        string `json:"after"`
		WasMachine   string `json:"before_machine" doc:"verdict and code, for its machines"`
		ThenMachine  string `json:"after_machine"`
		Artifact     string `json:"artifact"`
		Title        string `json:"title,omitempty"`
		Release      string `json:"release"`
	}
)

// simulateHandling answers who would gain and who would lose by another handling
// of an artifact. What is not given stays as it is; nothing is changed.
func (s *server) simulateHandling(ctx context.Context, a exchange.Actor, in *inSimulate) (*answer[simulation], error) {
	id := exchange.ArtifactID(in.Artifact)
	b, err := s.Delivery.Bearers(ctx, a, "", in.Artifact)
	if err != nil {
		return nil, err
	}
	if !b.All && !b.Own {
		return nil, exchange.Missing()
	}
	h, err := in.handling("nothing was simulated")
	if err != nil {
		return nil, err
	}
	if h, err = s.candidate(ctx, a, h, b); err != nil {
		return nil, err
	}
	got, err := s.Delivery.Simulate(ctx, a, b.Charter.ID, delivery.Candidate{
		Handlings: map[exchange.ArtifactID]exchange.Handling{id: changedHandling(b.Artifacts[0].Handling, h)},
	})
	if err != nil {
		return nil, err
	}
	return reply(*wireSimulation(got)), nil
}

// candidate resolves the names in a handling. One that nobody bears would change
// nothing, without a word.
func (s *server) candidate(ctx context.Context, a exchange.Actor, h exchange.Handling, b delivery.Bearers) (exchange.Handling, error) {
	var ps []exchange.Problem
	for i, p := range h.Persons {
		if exchange.HasIDPrefix(string(p), "per") {
			continue
		}
		who, err := s.Members.PersonByLogin(ctx, a, string(p))
		if err != nil {
			ps = append(ps, exchange.Problem{Path: fmt.Sprintf("query.person[%d]", i), Message: "there is no such person"})
		}
		h.Persons[i] = who.ID
	}
	for path, list := range map[string][]exchange.OrgID{"organisation": h.Organisations, "not_organisation": h.NotOrgs} {
		for i, o := range list {
			if _, err := s.Members.Organisation(ctx, a, o); b.All && err != nil {
				ps = append(ps, exchange.Problem{Path: fmt.Sprintf("query.%s[%d]", path, i), Message: "there is no such organisation"})
			}
		}
	}
	for i, id := range h.Groups {
		if !slices.ContainsFunc(b.Charter.Groups, func(g exchange.SharingGroup) bool { return g.ID == id }) {
			ps = append(ps, exchange.Problem{Path: fmt.Sprintf("query.group[%d]", i), Message: "the program's charter has no such group"})
		}
	}
	for i, id := range h.NotCohorts {
		if _, ok := b.Charter.Cohort(id); !ok {
			ps = append(ps, exchange.Problem{Path: fmt.Sprintf("query.not_cohort[%d]", i), Message: "the program's charter has no such cohort"})
		}
	}
	for i, c := range h.NotIn {
		if h.NotIn[i] = strings.ToUpper(c); !exchange.ValidCountry(h.NotIn[i]) {
			ps = append(ps, exchange.Problem{Path: fmt.Sprintf("query.not_in[%d]", i), Message: "not a country code of two letters (ISO 3166-1)"})
		}
	}
	if len(ps) > 0 {
		return h, exchange.InvalidWith("the handling was not understood; nothing was simulated", ps)
	}
	return h, nil
}

// changedHandling is the present handling with what was given in place of what it says.
func changedHandling(now, given exchange.Handling) exchange.Handling {
	next := given.Fill(now)
	next.Persons, next.Expires, next.From = now.Persons, now.Expires, now.From
	if len(given.Persons) > 0 {
		next.Persons = given.Persons
	}
	if !given.Expires.IsZero() {
		next.Expires = given.Expires.UTC().Truncate(time.Microsecond)
	}
	if !given.From.IsZero() {
		next.From = given.From.UTC().Truncate(time.Microsecond)
	}
	next.Also, next.References = now.Also, slices.Concat(now.References, given.References)
	return next
}

func wireSimulation(m delivery.Simulation) *simulation {
	return &simulation{
		Gained: m.Gained, Lost: m.Lost, Other: m.Other, Same: m.Same, More: m.More, Unnamed: m.Unnamed, Left: m.Left,
		Rows: wires(m.Rows, func(x delivery.Shift) shift {
			return shift{
				Organisation: string(x.Org), From: x.From.String(), To: x.To.String(), Effect: string(x.Effect),
				Before: x.Person[0].String(), After: x.Person[1].String(), WasMachine: x.Machine[0].String(), ThenMachine: x.Machine[1].String(),
				Artifact: string(x.Artifact), Title: x.Title, Release: string(x.Release),
			}
		}),
	}
}

type (
	previewCount struct {
		Whole    int64 `json:"whole"`
		Redacted int64 `json:"redacted" doc:"without some parts"`
		Withheld int64 `json:"withheld" doc:"of artifacts that it will hold"`
		Absent   int   `json:"artifacts_withheld" doc:"artifacts of the release that it will not see at all"`
	}
	objectPreview struct {
		ID       string   `json:"id"`
		As       string   `json:"as,omitempty" doc:"identifier under which the member will know it; absent: it is withheld"`
		Type     string   `json:"type"`
		Artifact string   `json:"artifact"`
		Verdict  string   `json:"verdict"`
		Code     string   `json:"code,omitempty"`
		Fields   []string `json:"fields,omitempty" doc:"selectors of the parts that are withheld"`
	}
)

func wirePreviewAs(m delivery.MemberPreview) release {
	out := wireMemberRelease(m.MemberRelease)
	out.Objects = &previewCount{m.Whole, m.Redacted, m.Withheld, m.Absent}
	out.ObjectList = wires(m.Objects, func(o delivery.ObjectPreview) objectPreview {
		return objectPreview{o.ID, o.As, o.Type, string(o.Artifact), o.Verdict.String(), o.Code, o.Fields}
	})
	return out
}
