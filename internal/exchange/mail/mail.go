// Package mail tells people by mail that a notice waits for them. A message says
// that there is something and where to read it, never what it is: mail is read on
// the way and kept for years.
//
// Every active person of an organisation who has an address is told of each
// notice to it, unless they may not see it, or have read it meanwhile. What waits
// for one person goes into one message, and a person gets one message in a
// while, however much happens; a recall does not wait for that.
//
// States of an entry: pending, sent, cancelled (it was read, or is not the
// person's to see), failed (given up after three days). A message that was taken
// by the mail server and not noted, because the process ended between the two, is
// sent a second time.
package mail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// State is where an entry stands.
type State string

// The states.
const (
	Pending   State = "pending"
	Sent      State = "sent"
	Cancelled State = "cancelled"
	Failed    State = "failed"
)

// Entry is one notice that one person is to be told of.
type Entry struct {
	Notice   exchange.NoticeID
	Person   exchange.PersonID
	Kind     exchange.EventKind
	State    State
	Attempts int
	QueuedAt time.Time
	NextAt   time.Time // of the next attempt, while pending
	SentAt   time.Time
}

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	// MailCursor is the last event whose notices were queued; -1: none ever were.
	MailCursor() (int64, error)
	SetMailCursor(event int64) error
	LastNotice() (event int64, err error) // the last event that has notices; 0: none
	// NoticesAfter lists notices of later events, in the order of the events,
	// those of one event together: as many events as fit about limit.
	NoticesAfter(event int64, limit int) ([]exchange.Notice, error)
	Person(id exchange.PersonID) (exchange.Person, error)
	ListPeople(org exchange.OrgID) ([]exchange.Person, error)
	Organisation(id exchange.OrgID) (exchange.Organisation, error)
	Queue
}

// Queue is where entries are kept, one for each notice and person.
type Queue interface {
	PutMail(e Entry) error                                // new, or in place of the old one
	DueMail(now time.Time, limit int) ([]Entry, error)    // pending ones, by person
	LastMail(person exchange.PersonID) (time.Time, error) // when one was last sent; zero: never
	MailOf(notice exchange.NoticeID) ([]Entry, error)     // by person
	PurgeMail(before time.Time) error                     // what ended and was queued before
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Message is one mail.
type Message struct {
	To      string
	Subject string
	Text    string
}

// ErrRefused says that the mail server refuses the address for good.
var ErrRefused = errors.New("the mail server refuses the address")

// Sender hands a message to a mail server. It returns ErrRefused where another
// attempt is useless.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// Config is what the room is built from.
type Config struct {
	Store  Store
	Sender Sender // nil: nothing is sent, and nothing is queued
	// Shows returns a notice to the actor's organisation that the actor may see.
	Shows func(ctx context.Context, a exchange.Actor, id exchange.NoticeID) (exchange.Notice, error)
	Now   func() time.Time
	Log   *slog.Logger
	Name  string        // of the exchange
	URL   func() string // its address, without a trailing slash
}

// Service is the room.
type Service struct{ c Config }

// New returns the room.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{c}
}

const (
	atOnce = 500             // notices queued in one transaction, and entries sent in one round
	pause  = 5 * time.Minute // between two messages to one person
	kept   = 30 * 24 * time.Hour
)

// tries are the pauses between attempts.
var tries = []time.Duration{
	time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 24 * time.Hour,
}

// urgent are the kinds of notices that do not wait for the pause.
var urgent = []exchange.EventKind{exchange.EventRecalled, exchange.EventReleaseWithdrawn, exchange.EventReleaseContained}

// Round queues what is new and sends what is due. The server calls it every few
// seconds; several nodes may.
func (s *Service) Round(ctx context.Context) error {
	if s.c.Sender == nil {
		return nil
	}
	if err := s.queue(ctx); err != nil {
		return err
	}
	return s.send(ctx)
}

// queue makes an entry for each person of each organisation that was told
// something. When mail is first turned on, nobody is told of what is long past.
func (s *Service) queue(ctx context.Context) error {
	for more := true; more; {
		more = false
		err := s.c.Store.Update(ctx, func(tx Tx) error {
			cursor, err := tx.MailCursor()
			if err != nil {
				return err
			}
			if cursor < 0 {
				if cursor, err = tx.LastNotice(); err != nil {
					return err
				}
				return tx.SetMailCursor(cursor)
			}
			all, err := tx.NoticesAfter(cursor, atOnce)
			if err != nil || len(all) == 0 {
				return err
			}
			more = len(all) >= atOnce
			people := map[exchange.OrgID][]exchange.Person{}
			for _, n := range all {
				if err := enqueue(tx, n, people); err != nil {
					return err
				}
			}
			return tx.SetMailCursor(all[len(all)-1].Event)
		})
		if err != nil {
			return fmt.Errorf("queueing mail: %w", err)
		}
	}
	return nil
}

func enqueue(tx Tx, n exchange.Notice, people map[exchange.OrgID][]exchange.Person) error {
	who, known := people[n.Org]
	if !known {
		var err error
		if who, err = tx.ListPeople(n.Org); err != nil {
			return err
		}
		people[n.Org] = who
	}
	for _, p := range who {
		if p.Email == "" || !p.SuspendedAt.IsZero() {
			continue
		}
		e := Entry{Notice: n.ID, Person: p.ID, Kind: n.Kind, State: Pending, QueuedAt: tx.Now(), NextAt: tx.Now()}
		if !slices.Contains(urgent, n.Kind) {
			last, err := tx.LastMail(p.ID)
			if err != nil {
				return err
			}
			e.NextAt = exchange.Later(e.NextAt, last.Add(pause))
		}
		if err := tx.PutMail(e); err != nil {
			return err
		}
	}
	return nil
}

// send sends what is due, one message for each person. What fails for one keeps
// no other from being sent.
func (s *Service) send(ctx context.Context) error {
	var due []Entry
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		due, err = tx.DueMail(tx.Now(), atOnce)
		return err
	})
	if err != nil {
		return fmt.Errorf("listing mail: %w", err)
	}
	for len(due) > 0 {
		n := 1
		for n < len(due) && due[n].Person == due[0].Person {
			n++
		}
		if err := s.sendTo(ctx, due[:n]); err != nil {
			return err
		}
		due = due[n:]
	}
	return nil
}

// sendTo sends one message for all that is due to one person.
func (s *Service) sendTo(ctx context.Context, es []Entry) error {
	var p exchange.Person
	var o exchange.Organisation
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		if p, err = tx.Person(es[0].Person); err != nil {
			return err
		}
		o, err = tx.Organisation(p.Org)
		return err
	})
	if err != nil && exchange.KindOf(err) != exchange.NotFound {
		return err
	}
	gone := err != nil || p.Email == "" || !p.SuspendedAt.IsZero() || !o.SuspendedAt.IsZero()
	a := exchange.Actor{Person: p.ID, Org: p.Org, Name: p.Login, Roles: p.Roles, Channel: exchange.ChannelWeb, Zone: p.TimeZone}
	var wait []Entry
	for i := range es {
		ok, err := !gone, error(nil)
		if ok {
			ok, err = s.waits(ctx, a, es[i].Notice)
		}
		if err != nil {
			return err
		}
		if ok {
			wait = append(wait, es[i])
		} else if err := s.put(ctx, es[i:i+1], Cancelled); err != nil {
			return err
		}
	}
	if len(wait) == 0 {
		return nil
	}
	switch err := s.c.Sender.Send(ctx, s.message(p, wait)); {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrRefused):
		return s.put(ctx, wait, Failed)
	case err != nil:
		s.c.Log.Error("sending mail", "err", err, "attempt", wait[0].Attempts+1)
		return s.put(ctx, wait, Pending)
	}
	return s.put(ctx, wait, Sent)
}

// waits reports whether the person may see the notice and nobody of the
// organisation has read it.
func (s *Service) waits(ctx context.Context, a exchange.Actor, id exchange.NoticeID) (bool, error) {
	n, err := s.c.Shows(ctx, a, id)
	if exchange.KindOf(err) == exchange.NotFound {
		return false, nil
	}
	return err == nil && n.ReadAt.IsZero(), err
}

// put notes what became of entries. Pending is a failed attempt.
func (s *Service) put(ctx context.Context, es []Entry, as State) error {
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		for _, e := range es {
			e.State = as
			switch as {
			case Sent:
				e.Attempts, e.SentAt = e.Attempts+1, tx.Now()
			case Pending:
				if e.Attempts++; e.Attempts > len(tries) {
					e.State = Failed
				} else {
					e.NextAt = tx.Now().Add(tries[e.Attempts-1])
				}
			}
			if err := tx.PutMail(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting mail: %w", err)
	}
	return nil
}

// message is the mail to one person. It names no program, no release and no
// title.
func (s *Service) message(p exchange.Person, es []Entry) Message {
	var b strings.Builder
	what := "A notice waits for you"
	if len(es) > 1 {
		what = fmt.Sprintf("%d notices wait for you", len(es))
	}
	recalled := slices.ContainsFunc(es, func(e Entry) bool { return slices.Contains(urgent, e.Kind) })
	if recalled {
		what = "Something that you hold was recalled or stopped"
	}
	name := oneLine(cmp.Or(s.c.Name, "Forewarn"))
	fmt.Fprintf(&b, "%s on %s.\n\n", what, name)
	if recalled {
		b.WriteString("Please read at once what is asked of you.\n\n")
	}
	fmt.Fprintf(&b, "Read it here: %s/notices\n\n", s.c.URL())
	b.WriteString("This mail holds nothing of it on purpose. It goes to every person of your\norganisation who has an address on the exchange; whoever manages the\norganisation's people there can change that.\n")
	return Message{To: p.Email, Subject: "[" + name + "] " + what, Text: b.String()}
}

// oneLine keeps a name from adding headers.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// Told lists what became of the mail about a notice.
func (s *Service) Told(ctx context.Context, id exchange.NoticeID) (es []Entry, err error) {
	err = s.c.Store.View(ctx, func(tx Tx) error {
		es, err = tx.MailOf(id)
		return err
	})
	return es, err
}

// Purge forgets entries that ended a month ago.
func (s *Service) Purge(ctx context.Context) error {
	return s.c.Store.Update(ctx, func(tx Tx) error { return tx.PurgeMail(tx.Now().Add(-kept)) })
}
