// Package webhook tells receivers that something waits for them: a collection
// has new objects, or a notice came. A message says that there is something and
// where to fetch it, never what it is: no content, no titles, no identifiers of
// objects.
//
// A webhook is a credential turned round. It acts as the person who made it,
// narrowed to reading one program, under the ceiling of the token it was made
// with, and it ends with that token. Whether there is something new is asked of
// the same view that gives TAXII pages, so nothing is announced before its wave
// and nothing to who is suspended.
//
// States of a webhook: active, paused (by its people), disabled (by the
// exchange: the receiver said 410 Gone, or nothing arrived for days). States of
// a delivery: pending, sent, failed, cancelled. At most one delivery of
// collection.changed is pending for a webhook. The cursor moves only when a
// message was taken, so every message names a place from which nothing is
// missed; a message may come twice, with the same id.
package webhook

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// ID names a webhook, such as hook_c3v5kq2x7mzt4a6e.
type ID string

// State is where a webhook stands.
type State string

// The states of a webhook.
const (
	Active   State = "active"
	Paused   State = "paused"
	Disabled State = "disabled"
)

// Webhook is one receiver of messages.
type Webhook struct {
	ID           ID
	Org          exchange.OrgID
	Person       exchange.PersonID
	Token        exchange.TokenID // with which it was made, and with which it ends; empty: in the browser
	Program      exchange.ProgramID
	URL          string
	State        State
	Reason       string // why it is disabled
	Notices      bool   // notices of the program are announced, too
	Ceiling      exchange.TLP
	Machine      bool
	Hat          string // in which it acts, as the credential did with which it was made
	Purpose      string
	Keys         []Key // the newest first
	Cursor       int64 // date_added up to which was announced and taken, Unix microseconds
	NoticeCursor int64 // the last event whose notice was queued
	CreatedAt    time.Time
	ExpiresAt    time.Time
	FailingSince time.Time // zero: the last attempt was taken
}

// Actor is whom the webhook acts as.
func (w Webhook) Actor(p exchange.Person) exchange.Actor {
	return exchange.Actor{
		Person: w.Person, Token: exchange.TokenID(w.ID), Org: w.Org, Name: p.Login, Roles: p.Roles,
		Verbs: []exchange.Verb{exchange.VerbRead}, Program: w.Program, Ceiling: w.Ceiling,
		Channel: exchange.ChannelTAXII, Machine: w.Machine, Zone: p.TimeZone, Hat: w.Hat, Purpose: w.Purpose,
	}
}

// The kinds of messages.
const (
	KindChanged = "collection.changed"
	KindNotice  = "notice"
	KindTest    = "webhook.test"
)

// DeliveryState is where a message stands.
type DeliveryState string

// The states of a delivery.
const (
	Pending   DeliveryState = "pending"
	Sent      DeliveryState = "sent"      // answered with 2xx
	Failed    DeliveryState = "failed"    // given up
	Cancelled DeliveryState = "cancelled" // nothing waits any more, or a replay took its place
)

// Delivery is one message to one webhook, and what became of it last.
type Delivery struct {
	Number   int64  // order of queueing
	ID       string // the header webhook-id: the same in every attempt
	Webhook  ID
	Kind     string
	Subject  exchange.NoticeID // of a notice
	After    int64             // collection.changed: from where to fetch, exclusive, Unix microseconds
	Last     int64             // up to where was known when it was queued
	Count    int               // so many objects between; with More at least
	More     bool
	QueuedAt time.Time
	State    DeliveryState
	Attempts int
	NextAt   time.Time // of the next attempt, while pending
	SentAt   time.Time // of the last attempt
	Status   int       // of its answer; 0: none came
	Latency  time.Duration
	Error    string // class of its failure; never what a receiver said
}

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	Record(e exchange.Event) (seq int64, err error)
	Notify(orgs []exchange.OrgID, n exchange.Notice) error
	Person(id exchange.PersonID) (exchange.Person, error)
	Organisation(id exchange.OrgID) (exchange.Organisation, error)
	Token(id exchange.TokenID) (exchange.Token, error)
	Hooks
	Deliveries
}

// Hooks is where webhooks are kept. Reads answer exchange.NotFound for what
// does not exist.
type Hooks interface {
	Webhook(id ID) (Webhook, error)
	WebhooksOf(org exchange.OrgID) ([]Webhook, error)      // by id
	ActiveWebhooks(after ID, limit int) ([]Webhook, error) // by id
	PutWebhook(w Webhook) error                            // new, or what may change of an old one
	DropWebhook(id ID) error                               // and its deliveries
}

// Deliveries is where messages are kept.
type Deliveries interface {
	Delivery(webhook ID, id string) (Delivery, error)
	DeliveriesOf(webhook ID, before int64, limit int) ([]Delivery, error) // newest first; before 0: from the end
	PutDelivery(d *Delivery) error                                        // Number 0: new, and gets one
	// DueDeliveries lists of each active webhook the first pending delivery whose
	// moment has come, in the order in which they were queued.
	DueDeliveries(now time.Time, limit int) ([]Delivery, error)
	NextDelivery() (time.Time, error) // of active webhooks; zero: none
	// PendingOf counts what waits for the webhook; kind "": of every kind.
	PendingOf(webhook ID, kind string) (int, error)
	CancelPending(webhook ID, kind string) error
	PurgeDeliveries(before time.Time) error // what ended before
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// News is what waits in a view after a cursor.
type News struct {
	Last  int64 // date_added of the last object counted
	Count int
	More  bool // further ones follow
}

// Reads asks the delivery room with a webhook's actor.
type Reads interface {
	// Collection is the id of the program's collection, or exchange.NotFound for
	// whom it does not exist.
	Collection(ctx context.Context, a exchange.Actor, program exchange.ProgramID) (string, error)
	// News counts what the actor's collection holds after the cursor. That the
	// actor was told is recorded.
	News(ctx context.Context, a exchange.Actor, program exchange.ProgramID, after int64) (News, error)
	Notices(ctx context.Context, a exchange.Actor, before time.Time, limit int) ([]exchange.Notice, error)
}

// Message is one message as it goes out.
type Message struct {
	ID   string
	URL  string
	At   time.Time // of the attempt: webhook-timestamp
	Body []byte
	Keys []Key // every one signs
}

// Attempt is what came of sending a message.
type Attempt struct {
	Status     int // of the answer; 0: none
	Latency    time.Duration
	RetryAfter time.Duration
	Error      string // class: address, dns, connect, tls, timeout, redirect, status, answer, setup, ledger
}

// Sender sends a message once.
type Sender interface {
	Send(ctx context.Context, m Message) Attempt
}

// Config is what the room is built from.
type Config struct {
	Store  Store
	Reads  Reads
	Sender Sender
	// Objects is the address of a collection's objects.
	Objects func(collection string) string
	// Plain permits http: addresses, which then reach permitted networks alone.
	Plain  bool
	Now    func() time.Time
	Jitter func(time.Duration) time.Duration // nil: up to a tenth more
	Log    *slog.Logger
}

// Service is the room.
type Service struct {
	c    Config
	kick chan struct{}

	mu     sync.Mutex
	busy   map[ID]bool
	hosts  map[string]int
	orgs   map[exchange.OrgID]int
	todo   map[ID]bool // to be looked at
	flying sync.WaitGroup
}

// New returns the room.
func New(c Config) *Service {
	if c.Jitter == nil {
		c.Jitter = func(d time.Duration) time.Duration { return d + rand.N(d/10+1) }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return &Service{c: c, kick: make(chan struct{}, 1), busy: map[ID]bool{}, hosts: map[string]int{}, orgs: map[exchange.OrgID]int{}, todo: map[ID]bool{}}
}
