// Package demo writes the demonstration into an empty exchange: an invented
// vendor's response team with a program of forty invented members in four
// cohorts, and three monthly releases, one closed with outcomes, one on the
// clock, one draft; and three small programs in which members write, and in
// which originators keep a hand on what they wrote.
//
// The history is not put into tables: a clock that begins seven weeks ago is
// moved from act to act, and each act goes through the service that everybody
// uses, so that events, exposures and outcomes are as they would be.
package demo

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/delivery"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// Ready is what one needs to know to use the demonstration. Its JSON form is
// the file of `forewarn demo --ready`.
type Ready struct {
	URL         string             `json:"url"`     // of the exchange, without a trailing slash
	TAXII       string             `json:"taxii"`   // of the API root
	Program     exchange.ProgramID `json:"program"` // the one that has releases
	Accounts    []Account          `json:"accounts"`
	Collections []Collection       `json:"collections"` // of every program, that of Program first
	Member      Rights             `json:"taxii_member"`
}

// Account is one person of the demonstration. User and Password work for HTTP
// Basic, Token as a bearer token, SignIn in a browser, as often as one likes.
type Account struct {
	Name         string            `json:"name"`
	Role         string            `json:"role"` // operator, approver, auditor, admin or member
	Organisation exchange.OrgID    `json:"organisation"`
	Cohort       exchange.CohortID `json:"cohort"` // empty for those who are no members
	User         string            `json:"user"`
	Password     string            `json:"password"`
	Token        string            `json:"token"`
	SignIn       string            `json:"sign_in"`
	Note         string            `json:"note,omitempty"` // what is special about it
}

// Collection is one TAXII collection and who may use it, by account name.
type Collection struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Readable []string `json:"readable_by"`
	Writable []string `json:"writable_by"`
}

// Account answers the account with the name.
func (r Ready) Account(name string) (Account, bool) {
	for _, a := range r.Accounts {
		if a.Name == name {
			return a, true
		}
	}
	return Account{}, false
}

// Seed writes the demonstration into an empty exchange whose clock is clock, and
// hands the clock over to the present. The exchange's URL stands in the answer.
func Seed(ctx context.Context, s *server.Server, clock *Clock) (Ready, error) {
	t := &story{s: s, d: plan(clock.real()), staff: map[string]*somebody{}}
	for _, p := range staff {
		t.staff[p.account] = &somebody{person: exchange.Person{
			Org: Owner, Login: login(p.name, string(Owner)), Name: p.name, Email: login(p.name, string(Owner)) + ".example",
			Roles: []exchange.Role{p.role}, TimeZone: zone,
		}}
	}
	for _, m := range members {
		where := split(m.where)
		t.cast = append(t.cast, &somebody{member: m, person: exchange.Person{
			Org: exchange.OrgID(m.id), Login: login(m.person, m.id), Name: m.person, Email: login(m.person, m.id) + ".example",
			Roles: []exchange.Role{exchange.RoleSignatory, exchange.RoleAnalyst}, TimeZone: zones[where[0]],
		}})
	}
	if err := t.tell(ctx, clock); err != nil {
		return Ready{}, fmt.Errorf("writing the demonstration: %w", err)
	}
	clock.golive()
	return t.ready(ctx)
}

// tell writes the story as an agenda and runs it. Who reacts when follows from
// the cohort that the charter's rules give a member.
func (t *story) tell(ctx context.Context, clock *Clock) error {
	charter, err := exchange.ParseCharter(t.d.charter())
	if err != nil {
		return err
	}
	t.begin()
	t.gather()
	all := func(exchange.ContentClass) bool { return true }
	closed := &edition{t0: t.d.closed, weaknesses: weaknesses[0]}
	t.write(closed, t.d.cal.AddDays(closed.t0, -18), all)
	t.approve(closed, t.d.cal.AddDays(closed.t0, -17))
	running := &edition{t0: t.d.clock, weaknesses: weaknesses[1]}
	t.write(running, t.d.cal.AddDays(running.t0, -17), all)
	t.approve(running, t.d.cal.AddDays(running.t0, -16))
	for _, e := range []*edition{closed, running} {
		first := t.waves(e, charter)
		for _, p := range t.cast {
			if id, _, ok := charter.CohortOf(t.attributes(p)); ok && p.member.standing == "" {
				t.react(e, p, first[id])
			}
		}
	}
	t.agenda.add(t.d.cal.AddDays(closed.t0, 19), "closing a release", func(ctx context.Context, x *core.Exchange) error {
		_, err := x.Releases.Close(ctx, t.operator(), closed.id, release.Change{Reason: "three weeks have passed; the outcome is final"})
		return err
	})
	draft := &edition{t0: t.d.draft, weaknesses: weaknesses[2]}
	t.write(draft, t.d.now.Add(-26*time.Hour), func(c exchange.ContentClass) bool {
		return c != exchange.PoC && c != exchange.ReproSteps
	})
	t.tearLine(draft, t.d.now.Add(-20*time.Hour))
	return t.agenda.run(ctx, t.s.Exchange, clock, t.d.now)
}

// attributes are what the charter's rules look at.
func (t *story) attributes(p *somebody) exchange.Attributes {
	o := p.member.organisation()
	return exchange.Attributes{
		Organisation: o.ID, Kind: o.Kind, Hats: o.Hats, Sectors: o.Sectors, Jurisdictions: o.Jurisdictions,
		Regions: o.Regions, Products: o.Products, JoinedAt: t.d.start, Now: t.d.now,
	}
}

// HandIn hands a STIX bundle in to the newest draft of the demonstration's
// program, as detection guidance. A bundle that is in it already stays one.
func HandIn(ctx context.Context, s *server.Server, r Ready, name string, content io.Reader) error {
	operator, _ := r.Account("operator")
	actor, err := s.Authn.Bearer(ctx, operator.Token, exchange.ChannelAPI)
	if err != nil {
		return err
	}
	all, err := s.Exchange.Releases.List(ctx, actor, Program)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(r exchange.Release) bool { return r.State == exchange.ReleaseDraft })
	if i < 0 {
		return exchange.Fail(exchange.Conflict, "the demonstration has no draft any more; %s was not handed in", name)
	}
	_, err = s.Exchange.Submissions.Submit(ctx, actor, submission.Input{
		Release: all[i].ID, Class: exchange.DetectionGuidance, Kind: exchange.ArtifactSTIX, Filename: name,
	}, content)
	if err != nil {
		return fmt.Errorf("handing in %s: %w", name, err)
	}
	return nil
}

// Example is an artifact that some members hold and others do not yet; where
// there is none any more, an artifact of the newest release, or "".
func Example(ctx context.Context, s *server.Server) (id string, err error) {
	all, err := s.Exchange.Releases.List(ctx, exchange.System(), Program)
	if err != nil {
		return "", err
	}
	for _, r := range all {
		v, err := s.Exchange.Releases.Read(ctx, exchange.System(), r.ID)
		if err != nil {
			return "", err
		}
		i := slices.IndexFunc(v.Artifacts, func(a exchange.Artifact) bool {
			return a.Class == exchange.DetectionGuidance && a.RemovedAt.IsZero()
		})
		if i >= 0 && (id == "" || r.State == exchange.ReleaseReleasing) {
			id = string(v.Artifacts[i].ID)
		}
	}
	return id, nil
}

// collections are the programs as TAXII collections, and which accounts read
// each at present.
func collections(ctx context.Context, s *server.Server, accounts []Account) ([]Collection, error) {
	all, err := s.Exchange.Programs.List(ctx, exchange.System())
	if err != nil {
		return nil, err
	}
	out := []Collection{}
	for _, p := range all {
		out = append(out, Collection{ID: delivery.CollectionID(p.ID), Title: p.Charter.Title, Readable: []string{}, Writable: []string{}})
	}
	for _, a := range accounts {
		actor, err := s.Authn.Bearer(ctx, a.Token, exchange.ChannelTAXII)
		if exchange.KindOf(err) == exchange.Unsigned {
			continue // suspended since
		}
		if err != nil {
			return nil, err
		}
		seen, err := s.Exchange.Delivery.Collections(ctx, actor)
		if err != nil {
			return nil, err
		}
		for i := range out {
			for _, c := range seen {
				if c.ID == out[i].ID && c.CanRead {
					out[i].Readable = append(out[i].Readable, a.Name)
				}
				if c.ID == out[i].ID && c.CanWrite {
					out[i].Writable = append(out[i].Writable, a.Name)
				}
			}
		}
	}
	return out, nil
}
