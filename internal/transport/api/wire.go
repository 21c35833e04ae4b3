package api

import (
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
)

// The wire types: what stands in JSON, in snake_case, with times in RFC 3339
// and UTC. A field that is absent was empty.
type (
	list[T any] struct {
		Items []T `json:"items" nullable:"false"`
	}
	handling struct {
		TLP              string    `json:"tlp,omitempty" doc:"TLP 2.0 label" example:"TLP:AMBER"`
		PAP              string    `json:"pap,omitempty" doc:"Permissible Actions Protocol level" example:"PAP:GREEN"`
		Organisations    []string  `json:"organisations,omitempty" doc:"when these, groups or sectors are not empty, they alone receive it"`
		Groups           []string  `json:"groups,omitempty" doc:"sharing groups of the charter"`
		Sectors          []string  `json:"sectors,omitempty"`
		Purposes         []string  `json:"purposes,omitempty" doc:"when not empty, it is read for these alone"`
		Persons          []string  `json:"persons,omitempty" doc:"the named persons of TLP:RED"`
		NotOrganisations []string  `json:"not_organisations,omitempty" doc:"never given to these"`
		NotCohorts       []string  `json:"not_cohorts,omitempty"`
		NotHats          []string  `json:"not_hats,omitempty"`
		NotIn            []string  `json:"not_in,omitempty" doc:"never given in these jurisdictions (ISO 3166-1 alpha-2)"`
		From             time.Time `json:"from,omitzero"`
		ExpiresAt        time.Time `json:"expires_at,omitzero"`
		Statement        string    `json:"statement,omitempty"`
		Actions          string    `json:"permitted_actions,omitempty" doc:"IEP 2.0"`
		Encrypt          string    `json:"encrypt_in_transit,omitempty" doc:"IEP 2.0: may or must"`
		Notify           string    `json:"affected_party_notifications,omitempty" doc:"IEP 2.0: may or must-not"`
		Resale           string    `json:"unmodified_resale,omitempty" doc:"IEP 2.0: may or must-not"`
		Attribution      string    `json:"attribution,omitempty" doc:"IEP 2.0: may, must or must-not"`
		References       []string  `json:"references,omitempty" doc:"the policies behind it"`
	}
	organisation struct {
		ID            string    `json:"id"`
		Name          string    `json:"name"`
		Kind          string    `json:"kind,omitempty"`
		Hats          []string  `json:"hats,omitempty"`
		Sectors       []string  `json:"sectors,omitempty"`
		Jurisdictions []string  `json:"jurisdictions,omitempty"`
		Regions       []string  `json:"regions,omitempty"`
		Products      []string  `json:"products,omitempty"`
		Customers     int64     `json:"customers,omitempty"`
		ClientOf      string    `json:"client_of,omitempty"`
		State         string    `json:"state" enum:"active,suspended"`
		CreatedAt     time.Time `json:"created_at,omitzero"`
		SuspendedAt   time.Time `json:"suspended_at,omitzero"`
		SuspendReason string    `json:"suspend_reason,omitempty"`
		Revision      int64     `json:"revision" doc:"the ETag of the organisation"`
	}
	jurisdiction struct {
		Code      string    `json:"code"`
		Compelled bool      `json:"compelled" doc:"firms there must report vulnerabilities to the state"`
		Within    string    `json:"within,omitempty" example:"48h"`
		Source    string    `json:"source,omitempty" doc:"the instrument of law"`
		ValidFrom time.Time `json:"valid_from,omitzero"`
	}
	person struct {
		ID           string    `json:"id"`
		Organisation string    `json:"organisation"`
		Login        string    `json:"login"`
		Name         string    `json:"name,omitempty"`
		Email        string    `json:"email,omitempty"`
		Roles        []string  `json:"roles" nullable:"false"`
		TimeZone     string    `json:"time_zone,omitempty"`
		State        string    `json:"state" enum:"active,suspended"`
		CreatedAt    time.Time `json:"created_at,omitzero"`
		SuspendedAt  time.Time `json:"suspended_at,omitzero"`
	}
	token struct {
		ID           string    `json:"id" doc:"the public prefix of the token"`
		Person       string    `json:"person"`
		Organisation string    `json:"organisation"`
		Name         string    `json:"name"`
		Verbs        []string  `json:"verbs" nullable:"false"`
		Program      string    `json:"program,omitempty" doc:"absent: every program"`
		TLPCeiling   string    `json:"tlp_ceiling,omitempty"`
		Machine      bool      `json:"machine,omitempty" doc:"a service account: no named individual reads with it"`
		Hat          string    `json:"hat,omitempty" doc:"in which it acts; absent: in all of the organisation's"`
		Purpose      string    `json:"purpose,omitempty" doc:"for which it reads"`
		State        string    `json:"state" enum:"active,expired,revoked"`
		CreatedAt    time.Time `json:"created_at,omitzero"`
		ExpiresAt    time.Time `json:"expires_at,omitzero"`
		RevokedAt    time.Time `json:"revoked_at,omitzero"`
		LastUsedAt   time.Time `json:"last_used_at,omitzero"`
	}
	member struct {
		Program         string    `json:"program"`
		Organisation    string    `json:"organisation"`
		State           string    `json:"state" enum:"active,suspended,left"`
		Cohort          string    `json:"cohort,omitempty" doc:"absent: no cohort's rule matches"`
		Compelled       bool      `json:"compelled,omitempty" doc:"under a compelled-disclosure duty"`
		JoinedAt        time.Time `json:"joined_at,omitzero"`
		Since           time.Time `json:"since,omitzero" doc:"in this state and cohort since"`
		Reason          string    `json:"reason,omitempty"`
		AcceptedVersion int       `json:"accepted_version" doc:"newest agreement version accepted; 0: none"`
		AcceptedAt      time.Time `json:"accepted_at,omitzero"`
		Hidden          bool      `json:"hidden,omitempty" doc:"other members do not learn of it"`
	}
	artifact struct {
		ID          string    `json:"id"`
		Release     string    `json:"release"`
		Program     string    `json:"program"`
		Class       string    `json:"class"`
		Kind        string    `json:"kind"`
		Title       string    `json:"title,omitempty"`
		Filename    string    `json:"filename"`
		MediaType   string    `json:"media_type,omitempty"`
		TLP         string    `json:"tlp,omitempty" doc:"the label in force now"`
		PAP         string    `json:"pap,omitempty"`
		Handling    *handling `json:"handling,omitempty"`
		SHA256      string    `json:"sha256"`
		Size        int64     `json:"size"`
		Objects     int64     `json:"objects,omitempty" doc:"STIX objects in it"`
		Originator  string    `json:"originator,omitempty" doc:"source-…: a name that stands for one that must not be named"`
		Source      string    `json:"source,omitempty" doc:"to operators and originators: the name under which others see the originator"`
		SubmittedBy string    `json:"submitted_by,omitempty"`
		SubmittedAt time.Time `json:"submitted_at,omitzero"`
		Supersedes  string    `json:"supersedes,omitempty"`
		Superseded  bool      `json:"superseded,omitempty"`
		RemovedAt   time.Time `json:"removed_at,omitzero"`
		OpenedAt    time.Time `json:"opened_at,omitzero" doc:"when it entered this reader's view"`
		Obligations []string  `json:"obligations,omitempty"`
		Statement   string    `json:"statement,omitempty" doc:"further conditions of the originator"`
		ExpiresAt   time.Time `json:"expires_at,omitzero" doc:"from then on nobody receives it"`
		Partial     bool      `json:"partial,omitempty" doc:"some of its objects are withheld: the bytes as a whole are not given"`
		ContentURL  string    `json:"content_url,omitempty"`
	}
	notice struct {
		ID      string    `json:"id"`
		Program string    `json:"program,omitempty"`
		Release string    `json:"release,omitempty"`
		Kind    string    `json:"kind"`
		At      time.Time `json:"at,omitzero"`
		Text    string    `json:"text"`
		ReadAt  time.Time `json:"read_at,omitzero"`
	}
	collection struct {
		ID       string `json:"id"`
		Program  string `json:"program"`
		Title    string `json:"title"`
		CanRead  bool   `json:"can_read"`
		CanWrite bool   `json:"can_write"`
	}
)

// The parts of a charter.
type (
	charter struct {
		ID                  string        `json:"id"`
		Title               string        `json:"title"`
		Outcome             string        `json:"outcome,omitempty"`
		Owner               string        `json:"owner"`
		Beneficiaries       []string      `json:"beneficiaries,omitempty"`
		InformationTypes    []string      `json:"information_types,omitempty"`
		OutOfScope          []string      `json:"out_of_scope,omitempty"`
		ReviewDate          string        `json:"review_date,omitempty" format:"date"`
		SunsetDate          string        `json:"sunset_date,omitempty" format:"date"`
		ReadOnly            bool          `json:"read_only" doc:"past its sunset: nothing new is shared"`
		TimeZone            string        `json:"time_zone,omitempty"`
		ContentClasses      []string      `json:"content_classes,omitempty"`
		Cohorts             []cohort      `json:"cohorts,omitempty"`
		Rules               []rule        `json:"rules,omitempty"`
		Measures            []promise     `json:"measures,omitempty"`
		Agreement           agreement     `json:"agreement"`
		Handling            handling      `json:"handling"`
		CompelledDisclosure compelledRule `json:"compelled_disclosure"`
		Approvals           approvalRule  `json:"approvals"`
		MembersSee          string        `json:"members_see,omitempty"`
		CountFloor          int           `json:"count_floor,omitempty" doc:"counts of members below it are shown to members as fewer than it"`
		LegalBasis          []string      `json:"legal_basis,omitempty" doc:"ids in the register of legal bases"`
		Contributions       contributors  `json:"contributions,omitzero"`
		Revision            int64         `json:"revision,omitempty"`
		CreatedAt           time.Time     `json:"created_at,omitzero"`
		UpdatedAt           time.Time     `json:"updated_at,omitzero"`
	}
	contributors struct {
		From []string `json:"from,omitempty" doc:"cohorts whose members write objects into the program's collection"`
		To   []string `json:"to,omitempty" doc:"cohorts whose members read what was written"`
	}
	cohort struct {
		ID         string `json:"id"`
		Title      string `json:"title,omitempty"`
		Default    bool   `json:"default,omitempty"`
		MaxMembers int    `json:"max_members,omitempty"`
		Rule       string `json:"rule" doc:"which members belong to it, in words"`
	}
	rule struct {
		Class  string `json:"class" maxLength:"64" example:"detection-guidance"`
		Cohort string `json:"cohort" maxLength:"64" example:"validate"`
		At     string `json:"at" maxLength:"64" example:"T0-5bd@18:00"`
	}
	promise struct {
		ID     string `json:"id"`
		Target string `json:"target,omitempty"`
		By     string `json:"by,omitempty" format:"date"`
		Lead   bool   `json:"lead,omitempty"`
	}
	agreement struct {
		Version     int      `json:"version"`
		Title       string   `json:"title,omitempty"`
		Effective   string   `json:"effective,omitempty" format:"date"`
		Obligations []string `json:"obligations,omitempty"`
		Text        string   `json:"text,omitempty" doc:"Markdown"`
		Accepted    int      `json:"accepted_version,omitempty" doc:"newest version that the caller's organisation accepted"`
	}
	compelledRule struct {
		Deny   []string `json:"deny,omitempty"`
		Others string   `json:"others,omitempty"`
	}
	approvalRule struct {
		Default   int      `json:"default"`
		TwoPerson []string `json:"two_person,omitempty"`
	}
)

// texts turns a list of distinct string types into plain strings.
func texts[T ~string](in []T) []string {
	out := make([]string, 0, len(in))
	for _, v := range in {
		out = append(out, string(v))
	}
	return out
}

// some is texts, with nil for an empty list.
func some[T ~string](in []T) []string {
	if len(in) == 0 {
		return nil
	}
	return texts(in)
}

func wires[T, W any](in []T, wire func(T) W) []W {
	out := make([]W, 0, len(in))
	for _, v := range in {
		out = append(out, wire(v))
	}
	return out
}

// utc is t in UTC; zero, which most answers leave out, for a year that JSON
// cannot write: one such instant must not make a whole list unreadable.
func utc(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

func stateOf(suspended time.Time) string {
	if suspended.IsZero() {
		return "active"
	}
	return "suspended"
}

func dateText(d exchange.Date) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

func wireHandling(h exchange.Handling) handling {
	return handling{
		TLP: h.TLP.String(), PAP: h.PAP.String(),
		Organisations: some(h.Organisations), Persons: some(h.Persons),
		Groups: some(h.Groups), Sectors: h.Sectors, Purposes: h.Purposes,
		NotOrganisations: some(h.NotOrgs), NotCohorts: some(h.NotCohorts), NotHats: h.NotHats, NotIn: some(h.NotIn),
		From: utc(h.From), ExpiresAt: utc(h.Expires), Statement: h.Statement,
		Actions: h.Actions.String(), Encrypt: h.Encrypt.Word(exchange.MustEncrypt), Notify: h.Notify.Word(exchange.MustNotNotify),
		Resale: h.Resale.Word(exchange.MustNotResell), Attribution: h.Attribution.String(), References: h.References,
	}
}

func wireOrganisation(o exchange.Organisation) organisation {
	return organisation{
		ID: string(o.ID), Name: o.Name, Kind: o.Kind, Hats: o.Hats, Sectors: o.Sectors,
		Jurisdictions: o.Jurisdictions, Regions: o.Regions, Products: o.Products,
		Customers: o.Customers, ClientOf: string(o.ClientOf), State: stateOf(o.SuspendedAt),
		CreatedAt: utc(o.CreatedAt), SuspendedAt: utc(o.SuspendedAt),
		SuspendReason: o.SuspendReason, Revision: o.Revision,
	}
}

func wireJurisdiction(j exchange.Jurisdiction) jurisdiction {
	return jurisdiction{j.Code, j.Compelled, j.Within, j.Source, utc(j.ValidFrom)}
}

func wirePerson(p exchange.Person) person {
	return person{
		ID: string(p.ID), Organisation: string(p.Org), Login: p.Login, Name: p.Name, Email: p.Email,
		Roles: texts(p.Roles), TimeZone: p.TimeZone, State: stateOf(p.SuspendedAt),
		CreatedAt: utc(p.CreatedAt), SuspendedAt: utc(p.SuspendedAt),
	}
}

func wireToken(t exchange.Token, now time.Time) token {
	state := "active"
	switch {
	case !t.RevokedAt.IsZero():
		state = "revoked"
	case !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt):
		state = "expired"
	}
	return token{
		ID: string(t.ID), Person: string(t.Person), Organisation: string(t.Org), Name: t.Name,
		Verbs: texts(t.Verbs), Program: string(t.Program), TLPCeiling: t.Ceiling.String(), Machine: t.Machine, State: state,
		Hat: t.Hat, Purpose: t.Purpose,
		CreatedAt: utc(t.CreatedAt), ExpiresAt: utc(t.ExpiresAt),
		RevokedAt: utc(t.RevokedAt), LastUsedAt: utc(t.LastUsed),
	}
}

func wireMember(m exchange.Member) member {
	return member{
		Program: string(m.Program), Organisation: string(m.Org), State: string(m.State),
		Cohort: string(m.Audience.Cohort), Compelled: m.Audience.Compelled,
		JoinedAt: utc(m.JoinedAt), Since: utc(m.Since), Reason: m.Reason,
		AcceptedVersion: m.Accepted, AcceptedAt: utc(m.AcceptedAt), Hidden: m.Hidden,
	}
}

// wireArtifact is an artifact as those who run its program see it.
func wireArtifact(a exchange.Artifact) artifact {
	h := wireHandling(a.Handling)
	return artifact{
		ID: string(a.ID), Release: string(a.Release), Program: string(a.Program), Class: string(a.Class),
		Kind: string(a.Kind), Title: a.Title, Filename: a.Filename, MediaType: a.MediaType,
		TLP: a.Handling.TLP.String(), PAP: a.Handling.PAP.String(), Handling: &h,
		SHA256: a.SHA256, Size: a.Size, Objects: a.Objects, Originator: string(a.Originator),
		SubmittedBy: string(a.SubmittedBy), SubmittedAt: utc(a.SubmittedAt),
		Supersedes: string(a.Supersedes), RemovedAt: utc(a.RemovedAt), Statement: a.Handling.Statement, ExpiresAt: utc(a.Handling.Expires),
		ContentURL: prefix + "/artifacts/" + string(a.ID) + "/content",
	}
}

// wireItem is an artifact as its reader sees it: no recipients, no submitter,
// no earlier artifact that the reader may not hold.
func wireItem(i delivery.Item) artifact {
	a := i.Artifact
	w := artifact{
		ID: string(a.ID), Release: string(a.Release), Program: string(a.Program), Class: string(a.Class),
		Kind: string(a.Kind), Title: a.Title, Filename: a.Filename, MediaType: a.MediaType,
		TLP: i.TLP.String(), PAP: a.Handling.PAP.String(), SHA256: a.SHA256, Size: a.Size, Objects: a.Objects,
		Originator: string(a.Originator), Statement: a.Handling.Statement, ExpiresAt: utc(a.Handling.Expires), OpenedAt: utc(i.OpenedAt), Obligations: i.Obligations, Superseded: i.Superseded,
		Partial: i.Partial, Source: string(i.Source),
	}
	if !i.Partial {
		w.ContentURL = prefix + "/artifacts/" + string(a.ID) + "/content"
	}
	return w
}

func wireNotice(n exchange.Notice) notice {
	return notice{string(n.ID), string(n.Program), string(n.Release), string(n.Kind), utc(n.At), n.Text, utc(n.ReadAt)}
}

func wireCollection(c delivery.Collection) collection {
	return collection{c.ID, string(c.Program), c.Title, c.CanRead, c.CanWrite}
}

func wireRule(r exchange.PlanRule) rule {
	return rule{string(r.Class), string(r.Cohort), r.At.String()}
}

func wireAgreement(a exchange.Agreement) agreement {
	return agreement{
		Version: a.Version, Title: a.Title, Effective: dateText(a.Effective),
		Obligations: some(a.Obligations), Text: a.Text,
	}
}

func wireProgram(p program.Stored, now time.Time) charter {
	c := wireCharter(p.Charter, p.Revision, now)
	c.CreatedAt, c.UpdatedAt = utc(p.CreatedAt), utc(p.UpdatedAt)
	return c
}

func wireCharter(c exchange.Charter, revision int64, now time.Time) charter {
	w := charter{
		ID: string(c.ID), Title: c.Title, Outcome: c.Outcome, Owner: string(c.Owner),
		Beneficiaries: c.Beneficiaries, InformationTypes: c.InformationTypes, OutOfScope: c.OutOfScope,
		ReviewDate: dateText(c.Review), SunsetDate: dateText(c.Sunset), ReadOnly: c.ReadOnlyAt(now),
		TimeZone: c.Calendar.ZoneName, ContentClasses: some(c.ContentClasses),
		Rules: wires(c.Rules, wireRule), Agreement: wireAgreement(c.Agreement), Handling: wireHandling(c.Handling),
		CompelledDisclosure: compelledRule{some(c.CompelledDisclosure.Deny), c.CompelledDisclosure.Others},
		Approvals:           approvalRule{c.Approvals.Default, some(c.Approvals.TwoPerson)},
		CountFloor:          c.Visibility.Floor, LegalBasis: some(c.LegalBasis),
		MembersSee: c.Visibility.MembersSee, Revision: revision,
		Contributions: contributors{some(c.Contributions.From), some(c.Contributions.To)},
	}
	for _, co := range c.Cohorts {
		w.Cohorts = append(w.Cohorts, cohort{string(co.ID), co.Title, co.Default, co.MaxMembers, co.Words()})
	}
	for _, m := range c.Measures {
		w.Measures = append(w.Measures, promise{string(m.ID), m.Target.String(), dateText(m.By), m.Lead})
	}
	return w
}
