package demo

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/core"
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/membership"
	"github.com/forewarn-exchange/forewarn/internal/exchange/release"
	"github.com/forewarn-exchange/forewarn/internal/exchange/submission"
	"github.com/forewarn-exchange/forewarn/internal/server"
)

// tokenLife is for how long the demonstration's tokens and sign-in links last.
const tokenLife = membership.MaxTokenTTL

// story writes the demonstration's history into an empty exchange, through the
// services that everybody uses.
type story struct {
	s      *server.Server
	d      dates
	agenda agenda
	staff  map[string]*somebody // by account
	cast   []*somebody          // as in members
}

// somebody is a person with a token.
type somebody struct {
	member member // the zero value for the staff
	person exchange.Person
	token  exchange.Token
	secret string
	cohort exchange.Audience
}

// web is the person in a browser.
func (p *somebody) web() exchange.Actor {
	return exchange.Actor{
		Person: p.person.ID, Org: p.person.Org, Name: p.person.Login, Roles: p.person.Roles,
		Channel: exchange.ChannelWeb, Zone: p.person.TimeZone,
	}
}

// machine is the person's token on a channel.
func (p *somebody) machine(channel exchange.Channel) exchange.Actor {
	a := p.web()
	a.Token, a.Name, a.Verbs, a.Machine, a.Channel = p.token.ID, p.token.Name, p.token.Verbs, p.token.Machine, channel
	return a
}

// issue are the tokens of the demonstration: those of members who sign for
// their organisation and of the staff may do what the person may.
var issue = membership.TokenRequest{Name: "demonstration", Verbs: []exchange.Verb{exchange.VerbOperate, exchange.VerbRead, exchange.VerbFeedback, exchange.VerbSubmit}, TTL: tokenLife}

// begin registers organisations and people, opens the program and lets the
// members join and sign.
func (t *story) begin() {
	at := t.d.start
	t.organisations(at)
	at = at.Add(time.Minute)
	t.agenda.add(at, "opening the program", func(ctx context.Context, x *core.Exchange) error {
		_, err := x.Programs.Apply(ctx, exchange.System(), t.d.charter(), false)
		return err
	})
	for _, p := range t.staff {
		t.enrol(at, p)
	}
	for i, p := range t.cast {
		at := at
		if p.member.standing == newcomer {
			at = t.d.now.Add(-48 * time.Hour)
		}
		t.enrol(at, p)
		t.agenda.add(at.Add(2*time.Minute), "joining", func(ctx context.Context, x *core.Exchange) error {
			m, err := x.Members.Join(ctx, t.operator(), Program, p.person.Org)
			p.cohort = m.Audience
			return err
		})
		if p.member.standing == unsigned {
			continue
		}
		// They sign over the next day and a half.
		t.agenda.add(at.Add(time.Duration(3+i%4*12)*time.Hour), "signing", func(ctx context.Context, x *core.Exchange) error {
			_, err := x.Members.Accept(ctx, p.web(), Program, 1)
			return err
		})
		if p.member.standing == suspended {
			t.agenda.add(t.d.closed.Add(15*24*time.Hour), "suspending a member", func(ctx context.Context, x *core.Exchange) error {
				_, err := x.Members.SuspendMember(ctx, t.operator(), Program, p.person.Org, "an audit of the use of our texts is open")
				return err
			})
		}
	}
}

func (t *story) organisations(at time.Time) {
	all := []exchange.Organisation{{
		ID: Owner, Name: "Example PSIRT", Kind: "originator", Hats: []string{"vendor"}, Sectors: []string{"it"},
		Jurisdictions: []string{"DE"}, Regions: []string{"eu"},
	}}
	for _, m := range members {
		all = append(all, m.organisation())
	}
	for _, o := range all {
		t.agenda.add(at, "adding "+string(o.ID), func(ctx context.Context, x *core.Exchange) error {
			_, err := x.Members.AddOrganisation(ctx, exchange.System(), o)
			return err
		})
	}
	for _, j := range register {
		j.ValidFrom = t.d.start.AddDate(-1, 0, 0)
		t.agenda.add(at, "entering a jurisdiction", func(ctx context.Context, x *core.Exchange) error {
			return x.Members.SetJurisdiction(ctx, exchange.System(), j)
		})
	}
}

// enrol registers a person, and their token a minute later.
func (t *story) enrol(at time.Time, p *somebody) {
	t.agenda.add(at, "adding "+p.person.Login, func(ctx context.Context, x *core.Exchange) (err error) {
		p.person, err = x.Members.AddPerson(ctx, exchange.System(), p.person)
		return err
	})
	t.agenda.add(at.Add(time.Minute), "issuing a token", func(ctx context.Context, x *core.Exchange) (err error) {
		r := issue
		r.Person = p.person.ID
		p.secret, p.token, err = x.Members.IssueToken(ctx, exchange.System(), r)
		return err
	})
}

func (t *story) operator() exchange.Actor { return t.staff["operator"].web() }

// edition is one release of the story.
type edition struct {
	id         exchange.ReleaseID
	rootCause  exchange.ArtifactID
	revision   int64
	t0         time.Time
	weaknesses []weakness
}

func (e *edition) title() string {
	year, week := e.t0.ISOWeek()
	w := e.weaknesses[0]
	return fmt.Sprintf("Patch day %d-W%02d: %s and %d more", year, week, w.product, len(e.weaknesses)-1)
}

func (e *edition) message() string {
	w := e.weaknesses[0]
	return fmt.Sprintf("The most urgent case is **%s**: who uses it can %s. It shows as %s.\n\nPlease tell us when your protection is ready, and what you would need to be faster.\n",
		w.id(e.t0.Year()), w.effect, w.sign)
}

// write lets the operator write a release at a moment.
func (t *story) write(e *edition, at time.Time, classes func(exchange.ContentClass) bool) {
	t.agenda.add(at, "creating a release", func(ctx context.Context, x *core.Exchange) error {
		r, err := x.Releases.Create(ctx, t.operator(), release.Draft{
			Program: Program, Title: e.title(), Message: e.message(), T0: e.t0,
		})
		e.id = r.ID
		return err
	})
	for _, p := range parts(e.weaknesses, e.t0, at) {
		if !classes(p.class) {
			continue
		}
		t.agenda.add(at.Add(time.Hour), "handing in "+p.filename, func(ctx context.Context, x *core.Exchange) error {
			in := submission.Input{Release: e.id, Class: p.class, Kind: p.kind, Title: p.title, Filename: p.filename, MediaType: p.media}
			if p.public {
				in.Handling = exchange.Handling{TLP: exchange.TLPClear, PAP: exchange.PAPClear}
			}
			done, err := x.Submissions.Submit(ctx, t.operator(), in, bytes.NewReader(p.body))
			if p.class == exchange.RootCause {
				e.rootCause = done.Artifact.ID
			}
			return err
		})
	}
}

// approve sends a release to the approvers, and two of them approve it.
func (t *story) approve(e *edition, at time.Time) {
	t.agenda.add(at, "sending a release", func(ctx context.Context, x *core.Exchange) error {
		r, err := x.Releases.Send(ctx, t.operator(), e.id, 0)
		e.revision = r.Revision
		return err
	})
	for i, account := range []string{"approver", "approver-2"} {
		t.agenda.add(at.Add(time.Duration(i+1)*2*time.Hour), "approving a release", func(ctx context.Context, x *core.Exchange) error {
			_, err := x.Releases.Approve(ctx, t.staff[account].web(), e.id, e.revision)
			return err
		})
	}
}

// waves opens the waves of a release, each at its own moment, and answers when
// each cohort's first one is.
func (t *story) waves(e *edition, c exchange.Charter) map[exchange.CohortID]time.Time {
	first := map[exchange.CohortID]time.Time{}
	opened := map[time.Time]bool{}
	for _, w := range exchange.Group(exchange.Schedule(c.Plan(e.t0), c)) {
		if at, ok := first[w.Audience.Cohort]; !ok || w.At.Before(at) {
			first[w.Audience.Cohort] = w.At
		}
		if !opened[w.At] {
			opened[w.At] = true
			t.agenda.add(w.At, "opening a wave", func(ctx context.Context, x *core.Exchange) error { return x.Releases.OpenDue(ctx) })
		}
	}
	return first
}
