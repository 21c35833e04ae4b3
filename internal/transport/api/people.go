package api

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
)

type (
	InOrganisation struct {
		Organisation string `path:"organisation" maxLength:"63"`
	}
	OrganisationBody struct {
		Name          string   `json:"name" minLength:"1" maxLength:"200"`
		Kind          string   `json:"kind" minLength:"1" maxLength:"64" doc:"kind of actor, such as security-vendor, operator, cert"`
		Hats          []string `json:"hats,omitempty" maxItems:"64"`
		Sectors       []string `json:"sectors,omitempty" maxItems:"64"`
		Jurisdictions []string `json:"jurisdictions,omitempty" maxItems:"64" doc:"ISO 3166-1 alpha-2"`
		Regions       []string `json:"regions,omitempty" maxItems:"64"`
		Products      []string `json:"products,omitempty" maxItems:"256" doc:"what it can protect with; none: it makes no protections"`
		Customers     int64    `json:"customers,omitempty" minimum:"0" doc:"weight in coverage measures"`
		ClientOf      string   `json:"client_of,omitempty" maxLength:"63"`
	}
	newOrganisation struct {
		ID string `json:"id" maxLength:"63" doc:"1 to 63 lower-case letters, digits and inner hyphens"`
		OrganisationBody
	}
)

func (b OrganisationBody) organisation(id string) exchange.Organisation {
	return exchange.Organisation{
		ID: exchange.OrgID(id), Name: b.Name, Kind: b.Kind, Hats: b.Hats, Sectors: b.Sectors,
		Jurisdictions: b.Jurisdictions, Regions: b.Regions, Products: b.Products,
		Customers: b.Customers, ClientOf: exchange.OrgID(b.ClientOf),
	}
}

func (s *server) listOrganisations(ctx context.Context, a exchange.Actor, in *Paging) (*answer[list[organisation]], error) {
	after, err := in.key()
	if err != nil {
		return nil, err
	}
	items, err := s.Members.ListOrganisations(ctx, a, exchange.OrgID(after), in.Limit)
	if err != nil {
		return nil, err
	}
	return replyPage(items, *in, "/organisations", nil, func(o exchange.Organisation) string { return string(o.ID) }, wireOrganisation), nil
}

type inNewOrganisation struct{ Body newOrganisation }

func (s *server) addOrganisation(ctx context.Context, a exchange.Actor, in *inNewOrganisation) (*answer[organisation], error) {
	o, err := s.Members.AddOrganisation(ctx, a, in.Body.organisation(in.Body.ID))
	if err != nil {
		return nil, err
	}
	out := reply(wireOrganisation(o))
	out.ETag, out.Location = etag(o.Revision), prefix+"/organisations/"+string(o.ID)
	return out, nil
}

type inReadOrganisation struct {
	InOrganisation
	NoneMatching
}

func (s *server) readOrganisation(ctx context.Context, a exchange.Actor, in *inReadOrganisation) (*answer[organisation], error) {
	o, err := s.Members.Organisation(ctx, a, exchange.OrgID(in.Organisation))
	if err != nil {
		return nil, err
	}
	tag := etag(o.Revision)
	if err := in.unless(tag); err != nil {
		return nil, err
	}
	out := reply(wireOrganisation(o))
	out.ETag = tag
	return out, nil
}

type inChangeOrganisation struct {
	InOrganisation
	Matching
	Body OrganisationBody
}

func (s *server) changeOrganisation(ctx context.Context, a exchange.Actor, in *inChangeOrganisation) (*answer[organisation], error) {
	revision, err := in.version()
	if err != nil {
		return nil, err
	}
	o, err := s.Members.ChangeOrganisation(ctx, a, in.Body.organisation(in.Organisation), revision)
	if exchange.KindOf(err) == exchange.Precondition {
		if now, readErr := s.Members.Organisation(ctx, a, exchange.OrgID(in.Organisation)); readErr == nil {
			return nil, changed(etag(now.Revision))
		}
	}
	return replyOrganisation(o, err)
}

func replyOrganisation(o exchange.Organisation, err error) (*answer[organisation], error) {
	if err != nil {
		return nil, err
	}
	out := reply(wireOrganisation(o))
	out.ETag = etag(o.Revision)
	return out, nil
}

// Explained is the reason of an act. (Types that are embedded are exported: huma
// sees no others.)
type Explained struct {
	Reason string `json:"reason" minLength:"1" maxLength:"2000" doc:"why; it is recorded"`
}

type inSuspendOrganisation struct {
	InOrganisation
	Body Explained
}

func (s *server) suspendOrganisation(ctx context.Context, a exchange.Actor, in *inSuspendOrganisation) (*answer[organisation], error) {
	return replyOrganisation(s.Members.SuspendOrganisation(ctx, a, exchange.OrgID(in.Organisation), in.Body.Reason))
}

func (s *server) resumeOrganisation(ctx context.Context, a exchange.Actor, in *InOrganisation) (*answer[organisation], error) {
	return replyOrganisation(s.Members.ResumeOrganisation(ctx, a, exchange.OrgID(in.Organisation)))
}

func (s *server) listJurisdictions(ctx context.Context, a exchange.Actor, _ *none) (*answer[list[jurisdiction]], error) {
	items, err := s.Members.Jurisdictions(ctx, a)
	if err != nil {
		return nil, err
	}
	return replyList(items, wireJurisdiction), nil
}

type inJurisdiction struct {
	Code string `path:"code" minLength:"2" maxLength:"2" doc:"ISO 3166-1 alpha-2, upper case"`
	Body struct {
		Compelled bool      `json:"compelled" doc:"firms there must report vulnerabilities to the state"`
		Within    string    `json:"within,omitempty" maxLength:"64"`
		Source    string    `json:"source" minLength:"1" maxLength:"1000" doc:"the instrument of law"`
		ValidFrom time.Time `json:"valid_from,omitzero"`
	}
}

func (s *server) setJurisdiction(ctx context.Context, a exchange.Actor, in *inJurisdiction) (*answer[jurisdiction], error) {
	j := exchange.Jurisdiction{
		Code: in.Code, Compelled: in.Body.Compelled, Within: in.Body.Within,
		Source: in.Body.Source, ValidFrom: in.Body.ValidFrom,
	}
	if err := s.Members.SetJurisdiction(ctx, a, j); err != nil {
		return nil, err
	}
	return reply(wireJurisdiction(j)), nil
}

func (s *server) listPeople(ctx context.Context, a exchange.Actor, in *InOrganisation) (*answer[list[person]], error) {
	items, err := s.Members.People(ctx, a, exchange.OrgID(in.Organisation))
	if err != nil {
		return nil, err
	}
	return replyList(items, wirePerson), nil
}

type inNewPerson struct {
	InOrganisation
	Body struct {
		Login    string   `json:"login" minLength:"1" maxLength:"128"`
		Name     string   `json:"name" minLength:"1" maxLength:"200"`
		Email    string   `json:"email,omitempty" maxLength:"254"`
		Roles    []string `json:"roles" minItems:"1" maxItems:"6" enum:"admin,operator,approver,signatory,analyst,auditor"`
		TimeZone string   `json:"time_zone,omitempty" maxLength:"64" doc:"IANA name; empty: UTC"`
	}
}

func (s *server) addPerson(ctx context.Context, a exchange.Actor, in *inNewPerson) (*answer[person], error) {
	p := exchange.Person{
		Org: exchange.OrgID(in.Organisation), Login: in.Body.Login, Name: in.Body.Name,
		Email: in.Body.Email, TimeZone: in.Body.TimeZone, Roles: as[exchange.Role](in.Body.Roles),
	}
	return replyPerson(s.Members.AddPerson(ctx, a, p))
}

// as turns plain texts into a list of a distinct string type.
func as[T ~string](in []string) []T {
	if len(in) == 0 {
		return nil
	}
	out := make([]T, 0, len(in))
	for _, v := range in {
		out = append(out, T(v))
	}
	return out
}

type (
	InPerson struct {
		Person string `path:"person" maxLength:"64"`
	}
	inChangePerson struct {
		InPerson
		Matching
		Body struct {
			Name     string   `json:"name" minLength:"1" maxLength:"200"`
			Email    string   `json:"email,omitempty" maxLength:"254"`
			Roles    []string `json:"roles" minItems:"1" maxItems:"6" enum:"admin,operator,approver,signatory,analyst,auditor"`
			TimeZone string   `json:"time_zone,omitempty" maxLength:"64"`
		}
	}
	inLink struct {
		InPerson
		Body struct {
			Seconds int64 `json:"valid_for_seconds,omitempty" minimum:"1" maximum:"259200" doc:"absent: 15 minutes"`
		}
	}
	link struct {
		Code      string    `json:"code" doc:"shown once; of it only a hash is kept"`
		URL       string    `json:"url"`
		ExpiresAt time.Time `json:"expires_at"`
	}
)

func replyPerson(p exchange.Person, err error) (*answer[person], error) {
	if err != nil {
		return nil, err
	}
	out := reply(wirePerson(p))
	out.ETag = etag(p.Revision)
	return out, nil
}

func (s *server) readPerson(ctx context.Context, a exchange.Actor, in *InPerson) (*answer[person], error) {
	return replyPerson(s.Members.Person(ctx, a, exchange.PersonID(in.Person)))
}

func (s *server) changePerson(ctx context.Context, a exchange.Actor, in *inChangePerson) (*answer[person], error) {
	revision, err := in.version()
	if err != nil {
		return nil, err
	}
	p, err := s.Members.Person(ctx, a, exchange.PersonID(in.Person))
	if err != nil {
		return nil, err
	}
	p.Name, p.Email, p.TimeZone = in.Body.Name, in.Body.Email, in.Body.TimeZone
	p.Roles = as[exchange.Role](in.Body.Roles)
	now, err := s.Members.ChangePerson(ctx, a, p, revision)
	if exchange.KindOf(err) == exchange.Precondition {
		return nil, changed(etag(p.Revision))
	}
	return replyPerson(now, err)
}

func (s *server) suspendPerson(ctx context.Context, a exchange.Actor, in *InPerson) (*none, error) {
	return nil, s.Members.SuspendPerson(ctx, a, exchange.PersonID(in.Person))
}

func (s *server) resumePerson(ctx context.Context, a exchange.Actor, in *InPerson) (*none, error) {
	return nil, s.Members.ResumePerson(ctx, a, exchange.PersonID(in.Person))
}

const linkLife = 15 * time.Minute

func (s *server) issueLink(ctx context.Context, a exchange.Actor, in *inLink) (*answer[link], error) {
	life := linkLife
	if in.Body.Seconds > 0 {
		life = time.Duration(in.Body.Seconds) * time.Second
	}
	code, err := s.Members.IssueLink(ctx, a, exchange.PersonID(in.Person), false, life)
	if err != nil {
		return nil, err
	}
	return reply(link{code, s.SignInURL(code), utc(s.Now().Add(life))}), nil
}

func (s *server) listTokens(ctx context.Context, a exchange.Actor, in *InOrganisation) (*answer[list[token]], error) {
	items, err := s.Members.Tokens(ctx, a, exchange.OrgID(in.Organisation))
	if err != nil {
		return nil, err
	}
	now := s.Now()
	return replyList(items, func(t exchange.Token) token { return wireToken(t, now) }), nil
}

type (
	inToken struct {
		Body struct {
			Person     string   `json:"person" minLength:"1" maxLength:"128" doc:"identifier of the person that the token acts for"`
			Name       string   `json:"name" minLength:"1" maxLength:"128"`
			Verbs      []string `json:"verbs" minItems:"1" maxItems:"4" enum:"read,feedback,submit,operate"`
			Program    string   `json:"program,omitempty" maxLength:"63" doc:"absent: every program"`
			TLPCeiling string   `json:"tlp_ceiling,omitempty" maxLength:"32"`
			Days       int      `json:"valid_for_days,omitempty" minimum:"1" maximum:"365" doc:"absent: 90"`
			Machine    bool     `json:"machine,omitempty" doc:"a service account: no named individual reads with it"`
			Hat        string   `json:"hat,omitempty" maxLength:"63" doc:"of the organisation's hats, in which it acts; absent: in all of them"`
			Purpose    string   `json:"purpose,omitempty" maxLength:"63" doc:"for which it reads; absent: none is named"`
		}
	}
	issued struct {
		Secret string `json:"secret" doc:"the whole token, shown once; of it only a hash is kept"`
		Token  token  `json:"token"`
	}
)

const tokenDays = 90

func (s *server) issueToken(ctx context.Context, a exchange.Actor, in *inToken) (*answer[issued], error) {
	ceiling, err := exchange.ParseTLP(in.Body.TLPCeiling)
	if err != nil {
		return nil, err
	}
	days := in.Body.Days
	if days == 0 {
		days = tokenDays
	}
	secret, t, err := s.Members.IssueToken(ctx, a, membership.TokenRequest{
		Person: exchange.PersonID(in.Body.Person), Name: in.Body.Name, Verbs: as[exchange.Verb](in.Body.Verbs),
		Program: exchange.ProgramID(in.Body.Program), Ceiling: ceiling,
		TTL: time.Duration(days) * 24 * time.Hour, Machine: in.Body.Machine, Hat: in.Body.Hat, Purpose: in.Body.Purpose,
	})
	if err != nil {
		return nil, err
	}
	return reply(issued{secret, wireToken(t, s.Now())}), nil
}

type inTokenID struct {
	Token string `path:"token" maxLength:"64"`
}

func (s *server) revokeToken(ctx context.Context, a exchange.Actor, in *inTokenID) (*none, error) {
	return nil, s.Members.RevokeToken(ctx, a, exchange.TokenID(in.Token))
}

type (
	inMembers struct {
		InProgram
		Paging
	}
	InMember struct {
		InProgram
		InOrganisation
	}
	inMemberReason struct {
		InMember
		Body Explained
	}
)

func (m InMember) ids() (exchange.ProgramID, exchange.OrgID) {
	return exchange.ProgramID(m.Program), exchange.OrgID(m.Organisation)
}

func (s *server) listMembers(ctx context.Context, a exchange.Actor, in *inMembers) (*answer[list[member]], error) {
	after, err := in.key()
	if err != nil {
		return nil, err
	}
	items, err := s.Members.Members(ctx, a, exchange.ProgramID(in.Program), exchange.OrgID(after), in.Limit)
	if err != nil {
		return nil, err
	}
	return replyPage(items, in.Paging, "/programs/"+in.Program+"/members", nil, func(m exchange.Member) string { return string(m.Org) }, wireMember), nil
}

func (s *server) readMember(ctx context.Context, a exchange.Actor, in *InMember) (*answer[member], error) {
	program, org := in.ids()
	return replyMember(s.Members.Member(ctx, a, program, org))
}

func replyMember(m exchange.Member, err error) (*answer[member], error) {
	if err != nil {
		return nil, err
	}
	return reply(wireMember(m)), nil
}

// joinProgram makes the organisation a member. It is a PUT: done twice it is
// done once.
func (s *server) joinProgram(ctx context.Context, a exchange.Actor, in *inJoin) (*answer[member], error) {
	program, org := in.ids()
	if in.Hidden {
		return replyMember(s.Members.JoinHidden(ctx, a, program, org))
	}
	return replyMember(s.Members.Join(ctx, a, program, org))
}

type inJoin struct {
	InMember
	Hidden bool `query:"hidden" doc:"other members never learn that it takes part"`
}

func (s *server) hideMember(ctx context.Context, a exchange.Actor, in *InMember) (*answer[member], error) {
	program, org := in.ids()
	return replyMember(s.Members.HideMember(ctx, a, program, org, true))
}

func (s *server) unhideMember(ctx context.Context, a exchange.Actor, in *InMember) (*answer[member], error) {
	program, org := in.ids()
	return replyMember(s.Members.HideMember(ctx, a, program, org, false))
}

func (s *server) suspendMember(ctx context.Context, a exchange.Actor, in *inMemberReason) (*answer[member], error) {
	program, org := in.ids()
	return replyMember(s.Members.SuspendMember(ctx, a, program, org, in.Body.Reason))
}

func (s *server) resumeMember(ctx context.Context, a exchange.Actor, in *InMember) (*answer[member], error) {
	program, org := in.ids()
	return replyMember(s.Members.ResumeMember(ctx, a, program, org))
}

func (s *server) leaveProgram(ctx context.Context, a exchange.Actor, in *inMemberReason) (*answer[member], error) {
	program, org := in.ids()
	return replyMember(s.Members.Leave(ctx, a, program, org, in.Body.Reason))
}
