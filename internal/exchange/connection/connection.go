package connection

import (
	"context"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// ID identifies a connection, such as con_c3v5kq2x7mzt4a6e.
type ID string

// Connection is one machine of an organisation.
type Connection struct {
	ID        ID
	Token     exchange.TokenID
	Org       exchange.OrgID
	Client    string // the id of one of Clients
	CreatedAt time.Time
	RemovedAt time.Time // zero: it is there
	Stats
}

// Stats is what is known of a connection's polls. Cursors are date_added values
// (TAXII 2.1 §3.4); zero times say that there was none.
type Stats struct {
	Polls       int64 // answered with success
	Objects     int64 // given in all of them
	LastObjects int64 // given in the newest round: a page and those that continue it
	LastAt      time.Time
	LastStatus  int           // HTTP status of the newest request
	LastAfter   time.Time     // the cursor that the newest poll asked with
	LastCursor  time.Time     // the last date_added that was given
	Usual       time.Duration // between rounds; 0: not known yet
	LoopAt      time.Time     // when it last asked the same again and again
	RestartAt   time.Time     // when it last began anew although more was to come
	SkipAt      time.Time     // when it last jumped over objects that were to come
}

// PollError is a request that was refused.
type PollError struct {
	At      time.Time
	Request string // the request id
	Status  int    // of HTTP
	Problem string // what the client was told
}

// KeptErrors is how many errors are kept of a connection.
const KeptErrors = 20

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	Record(e exchange.Event) (seq int64, err error)
	Facts
	Connections
}

// Facts is what is known of tokens and of those whom they belong to. Each
// answers exchange.NotFound for what does not exist.
type Facts interface {
	Token(id exchange.TokenID) (exchange.Token, error)
	Person(id exchange.PersonID) (exchange.Person, error)
	Organisation(id exchange.OrgID) (exchange.Organisation, error)
	Charter(program exchange.ProgramID) (exchange.Charter, error)
	Member(program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error)
	MembershipsOf(org exchange.OrgID) ([]exchange.Member, error)
}

// Connections is where connections are kept.
type Connections interface {
	AddConnection(c Connection) error
	RemoveConnection(id ID, at time.Time) error
	Connection(id ID) (Connection, error)                    // exchange.NotFound; removed ones included
	ConnectionOf(token exchange.TokenID) (Connection, error) // exchange.NotFound
	ConnectionsOf(org exchange.OrgID) ([]Connection, error)  // without removed ones, by id
	PutStats(id ID, s Stats) error                           //
	AddPollErrors(id ID, errs []PollError, keep int) error   // the newest stay
	PollErrors(id ID) ([]PollError, error)                   // newest first
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Request is a token to be issued.
type Request struct {
	Person  exchange.PersonID
	Name    string
	Verbs   []exchange.Verb
	Program exchange.ProgramID
	Ceiling exchange.TLP
	TTL     time.Duration
}

// Tokens issues, revokes and lists machine tokens, by the rules for tokens.
type Tokens interface {
	Issue(ctx context.Context, a exchange.Actor, r Request) (secret string, t exchange.Token, err error)
	Revoke(ctx context.Context, a exchange.Actor, id exchange.TokenID) error
	// Visible lists those of an organisation's tokens that the actor may see,
	// without secrets; exchange.NotFound to strangers.
	Visible(ctx context.Context, a exchange.Actor, org exchange.OrgID) ([]exchange.Token, error)
}

// Objects gives what a reader may have.
type Objects interface {
	// First gives the first objects of the reader's collection and whether there
	// are more. They are recorded as delivered. exchange.NotFound: the reader has
	// no such collection.
	First(ctx context.Context, a exchange.Actor, program exchange.ProgramID, limit int) (os []Object, more bool, err error)
	CollectionID(program exchange.ProgramID) string
}

// Config is what the room is built from.
type Config struct {
	Store   Store
	Tokens  Tokens
	Objects Objects
	Now     func() time.Time
	URL     func() string // external base address, without a trailing slash
}

// Service is the room. Its methods may be called by many goroutines.
type Service struct {
	c Config

	mu     sync.RWMutex
	meters map[exchange.TokenID]*meter

	flushing sync.Mutex
}

// New returns the room.
func New(c Config) *Service {
	return &Service{c: c, meters: map[exchange.TokenID]*meter{}}
}
