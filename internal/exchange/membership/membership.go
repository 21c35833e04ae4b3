package membership

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	Record(e exchange.Event) (seq int64, err error)
	BumpGeneration() error
	Organisations
	People
	Members
}

// Organisations is the register of organisations and jurisdictions.
type Organisations interface {
	Organisation(id exchange.OrgID) (exchange.Organisation, error) // exchange.NotFound
	ListOrganisations(after exchange.OrgID, limit int) ([]exchange.Organisation, error)
	PutOrganisation(o exchange.Organisation) error
	Jurisdictions() ([]exchange.Jurisdiction, error)
	PutJurisdiction(j exchange.Jurisdiction) error
}

// People is the register of persons and their credentials.
type People interface {
	Person(id exchange.PersonID) (exchange.Person, error)
	PersonByLogin(login string) (exchange.Person, error)
	ListPeople(org exchange.OrgID) ([]exchange.Person, error)
	PutPerson(p exchange.Person) error
	Token(id exchange.TokenID) (exchange.Token, error)
	ListTokens(org exchange.OrgID) ([]exchange.Token, error)
	PutToken(t exchange.Token, hash []byte) error // hash nil: only RevokedAt is stored anew
	PutLink(l Link) error
	EndSessions(person exchange.PersonID) (int, error) // empties the person's browser sessions and links
}

// Members is who belongs to which program.
type Members interface {
	Charter(program exchange.ProgramID) (exchange.Charter, error) // exchange.NotFound
	Charters() ([]exchange.Charter, error)
	Member(program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error)
	// ListMembers lists members in every state by organisation; limit 0: all.
	ListMembers(program exchange.ProgramID, after exchange.OrgID, limit int) ([]exchange.Member, error)
	MembershipsOf(org exchange.OrgID) ([]exchange.Member, error)
	PutMember(m exchange.Member) error // state, audience, dates; not acceptances
	PutAcceptance(a exchange.Acceptance) error
	Acceptance(program exchange.ProgramID, org exchange.OrgID, version int) (exchange.Acceptance, error)
	// Resubscribe ends the organisation's present subscriptions and begins one
	// to the audience's feed. What that feed already holds and the audience it
	// leaves was not given enters its view now, through a feed of its own. The
	// zero audience has a feed in which nothing stands.
	Resubscribe(program exchange.ProgramID, org exchange.OrgID, to exchange.Audience) error
}

// Link is a sign-in link; of its code only the SHA-256 is kept.
type Link struct {
	Hash      []byte
	Person    exchange.PersonID
	Reusable  bool
	ExpiresAt time.Time
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Config is what the room is built from.
type Config struct {
	Store Store
	// Entitled is called, in the transaction of the act, with the members that
	// the act may have entitled to what their audiences were given before. It may
	// be nil.
	Entitled func(tx Tx, c exchange.Charter, orgs []exchange.OrgID) error
}

// Service is the room.
type Service struct{ c Config }

// New returns the room.
func New(c Config) *Service { return &Service{c} }
