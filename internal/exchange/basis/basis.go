// Package basis keeps the register of legal bases: which instrument of which
// jurisdiction covers sharing from when until when, and since when that can be
// known. Laws lapse, are revived and are extended retroactively, so whether a
// share was covered depends on its instant and on what was known then (CON-L1).
//
// The register only grows. A line says for one period that a basis is in force,
// or that it is not; of the lines that cover an instant and are known, the one
// known last holds. Each share keeps how its program's bases stood as known at
// its instant. What the register learns later about that instant is read beside
// it, with its date; nothing that was kept is ever written again.
//
// The room states facts with their sources. It never refuses a share, and it
// does not say what follows from a fact in law.
package basis

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Line is one line of the register.
type Line struct {
	Number       int64 // in the register, from 1
	Basis        exchange.BasisID
	Jurisdiction string // ISO 3166-1 alpha-2, or EU
	Instrument   string
	InForce      bool      // what the line says of its period
	From, To     time.Time // the period, without To; zero To: open
	KnownFrom    time.Time // since when this can be known
	EnteredAt    time.Time
	Conditions   string
	Source       string
	By           exchange.PersonID
}

// Covers reports whether the instant is in the line's period.
func (l Line) Covers(t time.Time) bool {
	return !t.Before(l.From) && (l.To.IsZero() || t.Before(l.To))
}

// Standing is how a basis stands at an instant.
type Standing struct {
	Basis   exchange.BasisID
	At      time.Time
	InForce bool
	// Line decides; where no known line covers the instant, it is the one whose
	// period ended last before it, else the one that begins next; its number is 0
	// where nothing is known of the basis.
	Line   Line
	Covers bool // Line covers the instant
}

// Judge is how a basis stands at the instant t, as it is known at the instant
// known. lines are those of the basis, in the order of the register.
func Judge(id exchange.BasisID, lines []Line, t, known time.Time) Standing {
	s := Standing{Basis: id, At: t}
	var ended, next Line
	for _, l := range lines {
		switch {
		case l.KnownFrom.After(known):
		case l.Covers(t):
			if !s.Covers || !l.KnownFrom.Before(s.Line.KnownFrom) {
				s.Line, s.Covers, s.InForce = l, true, l.InForce
			}
		case !l.InForce:
		case l.From.After(t):
			if next.Number == 0 || l.From.Before(next.From) {
				next = l
			}
		case ended.Number == 0 || l.To.After(ended.To):
			ended = l
		}
	}
	if !s.Covers {
		if s.Line = ended; ended.Number == 0 {
			s.Line = next
		}
	}
	return s
}

// Share is how one basis stood for one share, as it was known then.
type Share struct {
	Event    int64 // the share's
	Artifact exchange.ArtifactID
	Program  exchange.ProgramID
	Org      exchange.OrgID // who shared
	Standing Standing       // as it was kept
	Entered  int64          // the last line of the basis that the register had then
	// Later are the lines that cover the instant of the share and were entered or
	// became known after it, oldest first. Only reading fills it.
	Later []Line
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	Record(e exchange.Event) (seq int64, err error)
	Charter(program exchange.ProgramID) (exchange.Charter, error)
	Charters() ([]exchange.Charter, error)
	Member(program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error) // exchange.NotFound
	Artifact(id exchange.ArtifactID) (exchange.Artifact, error)                     // exchange.NotFound
	Register
}

// Register is where lines and shares are kept. Nothing of it is ever changed.
type Register interface {
	// BasisLines lists the lines of a basis, or with the empty id of all, in the
	// order of the register.
	BasisLines(id exchange.BasisID) ([]Line, error)
	AddBasisLine(l Line) (number int64, err error)
	KeepShare(s Share) error
	// Shares lists what was kept, by event and basis.
	Shares(f Filter) ([]Share, error)
}

// Filter says which shares are listed: those of an artifact, or those of an
// organisation in a program; after an event, of at most Limit events.
type Filter struct {
	Artifact exchange.ArtifactID
	Program  exchange.ProgramID
	Org      exchange.OrgID
	After    int64
	Limit    int
}

// Config is what the room is built from.
type Config struct{ Store Store }

// Service is the room. Its methods may be called by many goroutines.
type Service struct{ c Config }

// New returns the room.
func New(c Config) *Service { return &Service{c} }

// Keep notes, in the transaction of a share, how the bases that the charter
// names stand as known now.
func Keep(tx Tx, c exchange.Charter, a exchange.Artifact, event int64) error {
	for _, id := range c.LegalBasis {
		lines, err := tx.BasisLines(id)
		if err != nil {
			return err
		}
		s := Share{
			Event: event, Artifact: a.ID, Program: c.ID, Org: a.Originator, Standing: Judge(id, lines, tx.Now(), tx.Now()),
		}
		if len(lines) > 0 {
			s.Entered = lines[len(lines)-1].Number
		}
		if err := tx.KeepShare(s); err != nil {
			return err
		}
	}
	return nil
}

// Warning says, where the basis is not in force, that it is not and what is
// known of it; else nothing.
func (s Standing) Warning() string {
	if s.InForce {
		return ""
	}
	l, what := s.Line, "nothing is known of it"
	switch {
	case l.Number == 0:
	case s.Covers:
		what = "the register says so for " + period(l)
	case l.From.After(s.At):
		what = "it is known from " + day(l.From) + " on"
	default:
		what = "the last period that is known ended on " + day(l.To)
	}
	return string(s.Basis) + " is not in force as known on " + day(s.At) + ": " + what
}

func period(l Line) string {
	if l.To.IsZero() {
		return "all time from " + day(l.From) + " on"
	}
	return day(l.From) + " to " + day(l.To)
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006") }
