package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/program"
	"github.com/forewarn-exchange/forewarn/internal/exchange/record"
	"github.com/forewarn-exchange/forewarn/internal/transport/web/page"
)

var actorKinds = []string{"security-vendor", "operator", "cert", "government", "researcher", "originator"}

const organisationPage = 100

func (s *site) organisations(v *visit) error {
	after := exchange.OrgID(v.r.URL.Query().Get("after"))
	all, err := s.Members.ListOrganisations(v.ctx(), v.a, after, organisationPage)
	if err != nil {
		return err
	}
	p := &page.Organisations{Frame: v.frame("Organisations"), Kinds: actorKinds, Add: v.a.Is(exchange.RoleAdmin) || v.a.Is(exchange.RoleOperator)}
	for _, o := range all {
		p.Lines = append(p.Lines, page.OrganisationLine{
			ID: string(o.ID), Name: o.Name, Href: "/organisations/" + string(o.ID), Kind: o.Kind, Sectors: o.Sectors, Jurisdictions: o.Jurisdictions, State: orgState(o),
		})
	}
	if len(all) == organisationPage {
		p.Next = "/organisations?after=" + string(all[len(all)-1].ID)
	}
	if v.faults != nil {
		p.Form = page.OrganisationForm{
			ID: v.form("id"), Name: v.form("name"), Kind: v.form("kind"), Hats: v.form("hats"), Sectors: v.form("sectors"),
			Jurisdictions: v.form("jurisdictions"), Regions: v.form("regions"), Products: v.form("products"), Customers: v.form("customers"),
		}
	}
	return v.show(p)
}

func orgState(o exchange.Organisation) page.State {
	if !o.SuspendedAt.IsZero() {
		return page.State{Text: "suspended", Kind: page.Danger}
	}
	return page.State{Text: "active", Kind: page.Ok}
}

func (s *site) addOrganisation(v *visit) error {
	o := exchange.Organisation{
		ID: exchange.OrgID(v.form("id")), Name: v.form("name"), Kind: v.form("kind"), Hats: v.list("hats"), Sectors: v.list("sectors"),
		Jurisdictions: v.list("jurisdictions"), Regions: v.list("regions"), Products: v.list("products"), Customers: v.number("customers"),
	}
	for i, j := range o.Jurisdictions {
		o.Jurisdictions[i] = strings.ToUpper(j)
	}
	if _, err := s.Members.AddOrganisation(v.ctx(), v.a, o); err != nil {
		return v.again(err, func() error { return s.organisations(v) })
	}
	return v.see("/organisations/" + string(o.ID) + "?done=org")
}

func (v *visit) orgID() exchange.OrgID { return exchange.OrgID(v.path("org")) }

func (s *site) organisation(v *visit) error {
	o, err := s.Members.Organisation(v.ctx(), v.a, v.orgID())
	if err != nil {
		return err
	}
	p := &page.Organisation{
		Frame: v.frame(o.Name), Heading: o.Name, Kind: o.Kind, State: orgState(o), Base: "/organisations/" + string(o.ID),
		Facts: []page.Fact{
			{Name: "Id", Value: string(o.ID)},
			{Name: "Hats", Value: strings.Join(o.Hats, ", ")},
			{Name: "Sectors", Value: strings.Join(o.Sectors, ", ")},
			{Name: "Regions", Value: strings.Join(o.Regions, ", ")},
			{Name: "Products", Value: strings.Join(o.Products, ", ")},
			{Name: "Customers", Value: grouped(o.Customers)},
			{Name: "Client of", Value: string(o.ClientOf)},
			{Name: "Here since", Value: o.CreatedAt.UTC().Format(time.DateOnly)},
		},
	}
	if o.ID == v.a.Org {
		p.WebhooksHref = "/webhooks"
	}
	all, err := v.stored()
	if err != nil {
		return err
	}
	over := v.a.Is(exchange.RoleAdmin) || slices.ContainsFunc(all, func(p program.Stored) bool { return v.runs(p.Charter) })
	if over {
		p.Suspended = o.SuspendReason
		p.Manage = v.a.Is(exchange.RoleAdmin) || v.a.Is(exchange.RoleOperator)
		if p.Manage && o.SuspendedAt.IsZero() && o.ID != v.a.Org {
			p.SuspendHref = p.Base + "/suspend"
		}
	} else if v.a.Org == o.ID && v.a.Is(exchange.RoleSignatory) {
		p.Manage = true
	}
	for _, step := range []func() error{
		func() error { return v.duties(p, o) },
		func() error { return v.memberships(p, o, all) },
		func() error { return v.people(p, o, all) },
		func() error { return v.gave(p, o.ID, all) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return v.show(p)
}

// duties is each jurisdiction with what its law asks, as the register says.
func (v *visit) duties(p *page.Organisation, o exchange.Organisation) error {
	register, err := v.site.Members.Jurisdictions(v.ctx(), v.a)
	if err != nil && exchange.KindOf(err) != exchange.NotFound && exchange.KindOf(err) != exchange.Denied {
		return err
	}
	for _, code := range o.Jurisdictions {
		line := page.JurisdictionLine{Code: code, Duty: page.State{Text: "no duty on record", Kind: page.Plain}}
		for _, j := range register {
			if j.Code != code {
				continue
			}
			line.Within, line.Source = j.Within, j.Source
			if !j.ValidFrom.IsZero() {
				line.Since = j.ValidFrom.UTC().Format(time.DateOnly)
			}
			line.Duty = page.State{Text: "no duty to disclose to the state", Kind: page.Ok}
			if j.Compelled {
				line.Duty = page.State{Text: "must report vulnerabilities to the state", Kind: page.Warn}
			}
		}
		p.Jurisdictions = append(p.Jurisdictions, line)
	}
	return nil
}

// memberships are the programs that both the visitor and the organisation are in.
func (v *visit) memberships(p *page.Organisation, o exchange.Organisation, all []program.Stored) error {
	for _, st := range all {
		m, err := v.site.Members.Member(v.ctx(), v.a, st.ID, o.ID)
		if exchange.KindOf(err) == exchange.NotFound {
			if v.a.Operates(st.Owner) && st.Owner != o.ID {
				p.Joinable = append(p.Joinable, page.Option{Value: string(st.ID), Label: st.Charter.Title})
			}
			continue
		}
		if err != nil {
			return err
		}
		p.Programs = append(p.Programs, page.ProgramLine{
			Title: st.Charter.Title, Href: "/programs/" + string(st.ID), Cohort: string(m.Audience.Cohort), State: memberState(m, st.Charter),
			Joined: v.clock.At(m.JoinedAt), Accepted: accepted(m),
		})
	}
	return nil
}

func (v *visit) people(p *page.Organisation, o exchange.Organisation, all []program.Stored) error {
	people, err := v.site.Members.People(v.ctx(), v.a, o.ID)
	if exchange.KindOf(err) == exchange.NotFound {
		p.Manage = false // an auditor: people and credentials are not part of it
		v.ownToken(p, o, all)
		return nil
	}
	if err != nil {
		return err
	}
	names := map[exchange.PersonID]string{}
	for _, who := range people {
		names[who.ID] = who.Login
		line := page.PersonLine{ID: string(who.ID), Name: who.Name, Login: who.Login, Roles: list(who.Roles), Zone: zoneOf(who.TimeZone).String(), State: page.State{Text: "active", Kind: page.Ok}}
		if !who.SuspendedAt.IsZero() {
			line.State = page.State{Text: "suspended", Kind: page.Danger}
		} else {
			p.TokenPersons = append(p.TokenPersons, page.Option{Value: string(who.ID), Label: who.Login})
		}
		p.People = append(p.People, line)
	}
	tokens, err := v.site.Members.Tokens(v.ctx(), v.a, o.ID)
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return err
	}
	for _, t := range tokens {
		p.Tokens = append(p.Tokens, v.token(t, names))
	}
	if !p.Manage {
		v.ownToken(p, o, all)
		return nil
	}
	v.choices(p, all)
	return nil
}

// ownToken lets somebody who manages nobody issue a token to themself.
func (v *visit) ownToken(p *page.Organisation, o exchange.Organisation, all []program.Stored) {
	p.TokenPersons = nil
	if o.ID == v.a.Org && v.a.Person != "" {
		p.TokenPersons = []page.Option{{Value: string(v.a.Person), Label: v.a.Name}}
		v.choices(p, all)
	}
}

func (v *visit) token(t exchange.Token, names map[exchange.PersonID]string) page.TokenLine {
	line := page.TokenLine{
		ID: string(t.ID), Name: t.Name, Person: names[t.Person], Verbs: list(t.Verbs), Scope: "every program",
		Expires: v.clock.At(t.ExpiresAt), Used: v.clock.At(t.LastUsed), State: page.State{Text: "valid", Kind: page.Ok}, Revocable: true,
	}
	if t.Program != "" {
		line.Scope = string(t.Program)
	}
	if t.Ceiling != exchange.TLPUnset {
		line.Scope += ", up to " + t.Ceiling.String()
	}
	switch {
	case !t.RevokedAt.IsZero():
		line.State, line.Revocable = page.State{Text: "revoked", Kind: page.Plain}, false
	case !t.ExpiresAt.After(v.now):
		line.State, line.Revocable = page.State{Text: "expired", Kind: page.Danger}, false
	case t.ExpiresAt.Sub(v.now) < 14*24*time.Hour:
		line.State = page.State{Text: "expires soon", Kind: page.Warn}
	}
	return line
}

func (v *visit) choices(p *page.Organisation, all []program.Stored) {
	p.TokenPrograms = []page.Option{{Value: "", Label: "every program"}}
	for _, st := range all {
		p.TokenPrograms = append(p.TokenPrograms, page.Option{Value: string(st.ID), Label: st.Charter.Title})
	}
	p.Ceilings = []page.Option{{Value: "", Label: "no ceiling"}}
	for _, t := range []exchange.TLP{exchange.TLPGreen, exchange.TLPAmber, exchange.TLPAmberStrict} {
		p.Ceilings = append(p.Ceilings, page.Option{Value: t.String(), Label: t.String()})
	}
	for _, verb := range exchange.AllVerbs {
		p.Verbs = append(p.Verbs, page.Option{Value: string(verb), Label: string(verb), Selected: verb == exchange.VerbRead || verb == exchange.VerbFeedback})
	}
	for _, role := range exchange.AllRoles {
		p.Roles = append(p.Roles, page.Option{Value: string(role), Label: string(role), Selected: role == exchange.RoleAnalyst})
	}
}

const newestReleases = 12

// gave is what the organisation was given and what it said.
func (v *visit) gave(p *page.Organisation, org exchange.OrgID, all []program.Stored) error {
	hs, err := v.holdings(org, all)
	if err != nil {
		return err
	}
	for _, h := range hs {
		p.Holds = append(p.Holds, h.HoldLine)
		p.TLP = max(p.TLP, h.tlp)
		lines, err := v.said(h.id, h.Release, org)
		if err != nil {
			return err
		}
		p.Gave = append(p.Gave, lines...)
	}
	return nil
}

// holding is a release of which an organisation was given something.
type holding struct {
	page.HoldLine
	id  exchange.ReleaseID
	tlp exchange.TLP // of what the visitor may read of it
}

// holdings are what the organisation was given of the newest releases of the
// programs that the visitor runs; of the visitor's own organisation, what it may
// still read.
func (v *visit) holdings(org exchange.OrgID, all []program.Stored) (out []holding, err error) {
	for _, st := range all {
		var hs []holding
		switch {
		case v.runs(st.Charter):
			hs, err = v.recorded(org, st.ID)
		case v.a.Org == org:
			hs, err = v.readable(st.ID)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, hs...)
	}
	return out, nil
}

// recorded says of each release how near it came to the organisation, and when.
func (v *visit) recorded(org exchange.OrgID, id exchange.ProgramID) ([]holding, error) {
	order := []exchange.ExposureKind{
		exchange.ExposureOffered, exchange.ExposureServed, exchange.ExposureDownloaded, exchange.ExposureOpened, exchange.ExposureAcknowledged,
	}
	rs, err := v.site.Releases.List(v.ctx(), v.a, id)
	if err != nil {
		return nil, err
	}
	var out []holding
	for _, r := range rs[:min(len(rs), newestReleases)] {
		es, err := v.site.Record.Exposure(v.ctx(), v.a, record.ExposureFilter{Release: r.ID, Org: org})
		if err != nil {
			return nil, err
		}
		best, at := -1, time.Time{}
		for _, e := range es {
			if i := slices.Index(order, e.Kind); i > best {
				best, at = i, e.At
			}
		}
		if best >= 0 {
			out = append(out, holding{id: r.ID, HoldLine: page.HoldLine{Release: r.Title, Href: "/releases/" + string(r.ID), Kind: string(order[best]), At: v.clock.At(at)}})
		}
	}
	return out, nil
}

func (v *visit) readable(id exchange.ProgramID) ([]holding, error) {
	rs, err := v.site.Delivery.Releases(v.ctx(), v.a, id)
	if exchange.KindOf(err) == exchange.NotFound {
		return nil, nil
	}
	var out []holding
	for _, r := range rs[:min(len(rs), newestReleases)] {
		out = append(out, holding{id: r.ID, tlp: r.TLP, HoldLine: page.HoldLine{Release: r.Title, Href: "/releases/" + string(r.ID), Kind: "given", At: v.clock.At(r.FirstOffered)}})
	}
	return out, err
}

// suspendPage lists what a suspension stops before it does.
func (s *site) suspendPage(v *visit) error {
	o, err := s.Members.Organisation(v.ctx(), v.a, v.orgID())
	if err != nil {
		return err
	}
	base := "/organisations/" + string(o.ID)
	p := &page.Suspend{Frame: v.frame("Suspend " + o.Name), Heading: o.Name, Action: base + "/suspend", Back: base}
	people, err := s.Members.People(v.ctx(), v.a, o.ID)
	if err != nil {
		return err
	}
	tokens, err := s.Members.Tokens(v.ctx(), v.a, o.ID)
	if err != nil {
		return err
	}
	valid := 0
	for _, t := range tokens {
		if t.RevokedAt.IsZero() && t.ExpiresAt.After(v.now) {
			valid++
		}
	}
	p.Stops = []string{
		fmt.Sprintf("sign-in and open browser sessions of %s", page.Plural(len(people), "person")),
		fmt.Sprintf("%s of its machines", page.Plural(valid, "token")),
		"every wave that would open to it, in every program",
		"every download, feed and search, on every channel, within seconds",
	}
	all, err := v.stored()
	if err != nil {
		return err
	}
	hs, err := v.holdings(o.ID, all)
	for _, h := range hs {
		p.Holds = append(p.Holds, h.HoldLine)
	}
	if err != nil {
		return err
	}
	return v.show(p)
}

func (s *site) suspend(v *visit) error {
	if _, err := s.Members.SuspendOrganisation(v.ctx(), v.a, v.orgID(), v.form("reason")); err != nil {
		return v.again(err, func() error { return s.suspendPage(v) })
	}
	return v.see("/organisations/" + v.path("org") + "?done=suspended")
}

// onOrganisation ends an act on an organisation.
func (s *site) onOrganisation(v *visit, err error, code string) error {
	if err != nil {
		return v.again(err, func() error { return s.organisation(v) })
	}
	return v.see("/organisations/" + v.path("org") + "?done=" + code)
}

func (s *site) resume(v *visit) error {
	_, err := s.Members.ResumeOrganisation(v.ctx(), v.a, v.orgID())
	return s.onOrganisation(v, err, "org-resumed")
}

func (s *site) join(v *visit) error {
	_, err := s.Members.Join(v.ctx(), v.a, exchange.ProgramID(v.form("program")), v.orgID())
	return s.onOrganisation(v, err, "joined")
}

func (s *site) addPerson(v *visit) error {
	p := exchange.Person{Org: v.orgID(), Login: v.form("login"), Name: v.form("name"), Email: v.form("email"), TimeZone: v.form("zone")}
	for _, r := range v.r.PostForm["role"] {
		p.Roles = append(p.Roles, exchange.Role(r))
	}
	_, err := s.Members.AddPerson(v.ctx(), v.a, p)
	return s.onOrganisation(v, err, "person")
}

const linkLife = 24 * time.Hour

func (s *site) issueLink(v *visit) error {
	id := exchange.PersonID(v.form("person"))
	code, err := s.Members.IssueLink(v.ctx(), v.a, id, false, linkLife)
	if err != nil {
		return s.onOrganisation(v, err, "")
	}
	p := &page.Secret{
		Frame: v.frame("Sign-in link"), Heading: "Sign-in link", Text: "Give this link to the person, by a way that nobody else reads. It works once, within 24 hours.",
		Secret: s.SignInURL(code), Note: "It is shown only now.", Back: page.Link{Label: "Back to the organisation", Href: "/organisations/" + v.path("org")},
	}
	if who, err := s.Members.Person(v.ctx(), v.a, id); err == nil {
		p.Facts = []page.Fact{{Name: "For", Value: who.Name + ", " + who.Login}}
	}
	return v.show(p)
}

func (s *site) issueToken(v *visit) error {
	in := membership.TokenRequest{
		Person: exchange.PersonID(v.form("person")), Name: v.form("name"), Program: exchange.ProgramID(v.form("program")), Machine: true,
		TTL: time.Duration(min(max(v.number("days"), 0), 3650)) * 24 * time.Hour,
	}
	var err error
	if in.Ceiling, err = exchange.ParseTLP(v.form("ceiling")); err != nil {
		return s.onOrganisation(v, err, "")
	}
	for _, verb := range v.r.PostForm["verb"] {
		in.Verbs = append(in.Verbs, exchange.Verb(verb))
	}
	secret, t, err := s.Members.IssueToken(v.ctx(), v.a, in)
	if err != nil {
		return s.onOrganisation(v, err, "")
	}
	return v.show(&page.Secret{
		Frame: v.frame("Token"), Heading: "Token " + t.Name, Text: "Put it into the machine's configuration, as a bearer token or as the password of Basic.",
		Secret: secret, Note: "It is shown only now: of its secret part only a hash is kept.",
		Facts: []page.Fact{{Name: "Names itself", Value: string(t.ID)}, {Name: "May", Value: list(t.Verbs)}, {Name: "Expires", Value: instant(t.ExpiresAt) + " UTC"}},
		Back:  page.Link{Label: "Back to the organisation", Href: "/organisations/" + v.path("org")},
	})
}

func (s *site) revokeToken(v *visit) error {
	return s.onOrganisation(v, s.Members.RevokeToken(v.ctx(), v.a, exchange.TokenID(v.form("token"))), "revoked")
}
