// Package testkit builds nouns for tests: a clock that stands still, a charter
// with four cohorts, organisations, people, and the actors that they are. It
// is imported by tests only, and knows no store: give Put the one of your test,
// as sqlstore.For[testkit.Tx](db).
package testkit

import (
	"context"
	_ "embed"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Start is where a new clock stands: a Tuesday, 1 June 2027, 08:00 UTC.
var Start = time.Date(2027, time.June, 1, 8, 0, 0, 0, time.UTC)

// Clock stands still until it is told otherwise.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at Start.
func NewClock() *Clock { return &Clock{now: Start} }

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set puts the clock to t.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// Advance moves the clock on by d and answers the new time.
func (c *Clock) Advance(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

//go:embed charter.toml
var charterTOML []byte

// Owner is the organisation that owns the program of Charter, and Program that
// program.
const (
	Owner   exchange.OrgID     = "example-psirt"
	Program exchange.ProgramID = "early-warning"
)

// CharterTOML is the text of Charter: a new copy each time.
func CharterTOML() []byte { return append([]byte(nil), charterTOML...) }

// Charter is a complete charter that holds from Start on for years. Its cohorts
// are validate (products include "validation"), early ("edr" or "ids"), standard
// (kind security-vendor) and at-release (everybody else); members under a duty
// of compelled disclosure never get poc and repro-steps.
func Charter() exchange.Charter {
	c, err := exchange.ParseCharter(charterTOML)
	if e, ok := errors.AsType[*exchange.Error](err); ok {
		panic(e.Problems) // a mistake in charter.toml
	}
	return c
}

// Offset is the moment that s names; it panics on a mistake in s.
func Offset(s string) exchange.Offset {
	o, err := exchange.ParseOffset(s)
	if err != nil {
		panic(err)
	}
	return o
}

// Organisation is a vendor of security products with the id; change sets what
// the test needs otherwise.
func Organisation(id exchange.OrgID, change ...func(*exchange.Organisation)) exchange.Organisation {
	o := exchange.Organisation{
		ID: id, Name: "Organisation " + string(id), Kind: "security-vendor",
		Sectors: []string{"it"}, Jurisdictions: []string{"DE"}, Regions: []string{"eu"},
		Products: []string{"av"}, Customers: 100, CreatedAt: Start, Revision: 1,
	}
	for _, f := range change {
		f(&o)
	}
	return o
}

// Person is somebody of the organisation: the login is name@org, and so is the
// e-mail address but for its domain.
func Person(org exchange.OrgID, name string, roles ...exchange.Role) exchange.Person {
	return exchange.Person{
		ID: exchange.PersonID("per_" + string(org) + "_" + name), Org: org, Login: name + "@" + string(org),
		Name: name, Email: name + "@" + string(org) + ".example", Roles: roles, CreatedAt: Start, Revision: 1,
	}
}

// Actor is the person in a browser session.
func Actor(p exchange.Person) exchange.Actor {
	return exchange.Actor{
		Person: p.ID, Org: p.Org, Name: p.Login, Roles: p.Roles, Channel: exchange.ChannelWeb, Zone: p.TimeZone,
	}
}

// Member is an active member since Start that has accepted version accepted of
// the agreement (0: none).
func Member(program exchange.ProgramID, org exchange.OrgID, to exchange.Audience, accepted int) exchange.Member {
	return exchange.Member{
		Program: program, Org: org, State: exchange.MemberActive, JoinedAt: Start, Since: Start,
		Audience: to, Accepted: accepted,
	}
}

// Tx is what Put needs of a store.
type Tx interface {
	Now() time.Time
	BumpGeneration() error
	PutOrganisation(o exchange.Organisation) error
	PutPerson(p exchange.Person) error
	PutJurisdiction(j exchange.Jurisdiction) error
	PutMember(m exchange.Member) error
	PutAcceptance(a exchange.Acceptance) error
	Resubscribe(program exchange.ProgramID, org exchange.OrgID, to exchange.Audience) error
}

// Store runs functions in one write transaction.
type Store interface {
	Update(ctx context.Context, fn func(Tx) error) error
}

// Put stores nouns as they are, past every rule and without events:
// exchange.Organisation, Person, Jurisdiction, Member (with its subscription
// and, when Accepted is not 0, the acceptance). Programs are stored by
// sqlstore's PutProgram or by the program room.
func Put(t testing.TB, s Store, nouns ...any) {
	t.Helper()
	err := s.Update(t.Context(), func(tx Tx) error {
		for _, n := range nouns {
			if err := put(t, tx, n); err != nil {
				return err
			}
		}
		return tx.BumpGeneration()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, tx Tx, noun any) error {
	switch n := noun.(type) {
	case exchange.Organisation:
		return tx.PutOrganisation(n)
	case exchange.Person:
		return tx.PutPerson(n)
	case exchange.Jurisdiction:
		return tx.PutJurisdiction(n)
	case exchange.Member:
		if err := tx.PutMember(n); err != nil {
			return err
		}
		if err := tx.Resubscribe(n.Program, n.Org, n.Audience); err != nil || n.Accepted == 0 {
			return err
		}
		return tx.PutAcceptance(exchange.Acceptance{
			Program: n.Program, Org: n.Org, Version: n.Accepted, Person: "per_signatory", At: tx.Now(),
		})
	}
	t.Errorf("testkit.Put does not know %T", noun)
	return nil
}
