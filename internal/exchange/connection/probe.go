package connection

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// probed is how many objects a test poll shows of each collection.
const probed = 3

// maxProbed is how many collections a test poll asks.
const maxProbed = 20

// Object is one object of a collection, without its content.
type Object struct {
	Type  string
	ID    string
	Name  string // as the object says; empty: it has none
	TLP   exchange.TLP
	Added time.Time // date_added in the reader's view
}

// Result is what a test poll got.
type Result struct {
	At          time.Time
	Why         string // why nothing can be had at all; empty: see Collections
	Collections []Collected
}

// Collected is what a test poll got of one collection.
type Collected struct {
	Program exchange.ProgramID
	ID      string // of the collection
	Title   string
	Objects []Object
	More    bool
	Cursor  time.Time // the last date_added; zero: there was nothing
	Why     string    // why there is nothing; empty: there is
}

// Test polls as the connection does: the same reader, by TAXII, from the
// beginning, the first three objects of each collection. What it shows is
// given: it is recorded as delivered to the connection, in the ordinary way,
// and the test itself with the person who made it.
//
// Only people of the connection's own organisation may, with a credential as
// wide as its token: an administrator of the exchange sees connections, and no
// content. Errors: exchange.NotFound, Denied.
func (s *Service) Test(ctx context.Context, a exchange.Actor, id ID) (Result, error) {
	c, t, err := s.visible(ctx, a, id)
	if err != nil {
		return Result{}, err
	}
	switch {
	case a.Org != c.Org || !a.May(exchange.VerbRead) || a.Channel == exchange.ChannelSystem:
		return Result{}, exchange.Fail(exchange.Denied, "only people of the organisation poll as one of its machines; nothing was given")
	case a.Program != "" && a.Program != t.Program, a.Ceiling != exchange.TLPUnset && (t.Ceiling == exchange.TLPUnset || t.Ceiling > a.Ceiling):
		return Result{}, exchange.Fail(exchange.Denied, "the connection may read more than the credential with which you ask; nothing was given")
	}
	out := Result{At: s.c.Now()}
	reader, why, err := s.reader(ctx, t)
	if err != nil {
		return Result{}, err
	}
	if out.Why = why; why == "" {
		if err := s.collect(ctx, reader, t, &out); err != nil {
			return Result{}, err
		}
	}
	return out, s.tested(ctx, a, c, t, out)
}

// reader is the actor that requests with the token have on TAXII, or why such
// requests are refused.
func (s *Service) reader(ctx context.Context, t exchange.Token) (a exchange.Actor, why string, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		p, err := tx.Person(t.Person)
		if err != nil {
			return err
		}
		o, err := tx.Organisation(t.Org)
		if err != nil {
			return err
		}
		switch {
		case !t.RevokedAt.IsZero():
			why = "the token was revoked on " + stamp(t.RevokedAt)
		case !tx.Now().Before(t.ExpiresAt):
			why = "the token expired on " + stamp(t.ExpiresAt)
		case !p.SuspendedAt.IsZero():
			why = "the person whose token it is was suspended"
		case !o.SuspendedAt.IsZero():
			why = "the organisation is suspended"
		}
		a = exchange.Actor{
			Person: p.ID, Org: p.Org, Name: t.Name, Roles: p.Roles, Zone: p.TimeZone, Token: t.ID, Verbs: t.Verbs,
			Program: t.Program, Ceiling: t.Ceiling, Machine: t.Machine, Channel: exchange.ChannelTAXII,
			Hat: t.Hat, Purpose: t.Purpose,
		}
		return nil
	})
	return a, why, err
}

// collect asks each collection of the reader.
func (s *Service) collect(ctx context.Context, reader exchange.Actor, t exchange.Token, out *Result) error {
	programs, err := s.programs(ctx, t.Org, t.Program)
	if err != nil {
		return err
	}
	if len(programs) == 0 {
		out.Why = "the organisation is no member of a program that the token is for, so it has no collection"
		return nil
	}
	for _, p := range programs[:min(len(programs), maxProbed)] {
		got := Collected{Program: p.id, ID: s.c.Objects.CollectionID(p.id), Title: p.title}
		got.Objects, got.More, err = s.c.Objects.First(ctx, reader, p.id, probed)
		switch {
		case exchange.KindOf(err) == exchange.NotFound:
			got.Why = p.missing()
		case err != nil:
			return err
		case len(got.Objects) == 0:
			// The same for what is withheld and for what does not exist.
			got.Why = "the collection can be read, and holds nothing for you yet"
		default:
			got.Cursor = got.Objects[len(got.Objects)-1].Added
		}
		out.Collections = append(out.Collections, got)
	}
	return nil
}

// missing is why a member has no collection of a program.
func (p scope) missing() string {
	switch m := p.member; {
	case m.State == exchange.MemberSuspended:
		return "the organisation's membership is suspended"
	case m.State == exchange.MemberLeft:
		return "the organisation has left the program"
	case m.Accepted < p.latest:
		return "the agreement is not accepted: a signatory of the organisation has to accept the version in force"
	case m.Audience.Cohort == "":
		return "the organisation is in no cohort of the program: none of its rules fits; ask the operator"
	case p.dropBox:
		return "it is a drop box: your cohort writes into it and is given nothing of it"
	}
	return "there is no collection for this token"
}

func (s *Service) tested(ctx context.Context, a exchange.Actor, c Connection, t exchange.Token, r Result) error {
	objects := 0
	for _, got := range r.Collections {
		objects += len(got.Objects)
	}
	return s.c.Store.Update(ctx, func(tx Tx) error {
		_, err := tx.Record(exchange.Event{
			Kind: exchange.EventConnectionTested, Actor: a, Program: t.Program, Org: c.Org,
			Subject: []string{string(c.ID), string(c.Token)}, Detail: exchange.Detail{"objects": objects},
		})
		return err
	})
}
