// Package feedback takes what recipients say back and computes the outcome of
// a program from recorded events, never from figures that somebody typed in.
package feedback

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	Record(e exchange.Event) (seq int64, err error)
	Charter(program exchange.ProgramID) (exchange.Charter, error)
	Member(program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error) // exchange.NotFound
	HiddenMembers(program exchange.ProgramID) (map[exchange.OrgID]bool, error)
	Release(id exchange.ReleaseID) (exchange.Release, error)
	ReleasesOf(program exchange.ProgramID) ([]exchange.Release, error)
	Answers
}

// Answers is where feedback and what preceded it is kept.
type Answers interface {
	// GivenTo reports whether the organisation was offered anything of the release.
	GivenTo(release exchange.ReleaseID, org exchange.OrgID) (bool, error)
	PutFeedback(f exchange.Feedback) error
	// Acknowledge writes an exposure like e for each artifact of e.Release that
	// e.Org was offered; of one artifact, client and kind the first stays.
	Acknowledge(e exchange.Exposure) error
	FeedbackOf(release exchange.ReleaseID) ([]exchange.Feedback, error) // by time
	// Reach returns, for each organisation that was offered anything of the
	// release, when it was first offered, delivered, opened and acknowledged, by
	// organisation.
	Reach(release exchange.ReleaseID) ([]Reach, error)
	// ToldIncomplete is when holders were told that the fix behind the release is
	// incomplete: the organisation, or any when it is empty. Zero: never.
	ToldIncomplete(release exchange.ReleaseID, org exchange.OrgID) (time.Time, error)
	// NamesOf answers the names of the organisations that gave feedback on the release.
	NamesOf(release exchange.ReleaseID) (map[exchange.OrgID]string, error)
}

// Reach is how near a release came to one organisation. Zero times: never.
type Reach struct {
	Org          exchange.OrgID
	Name         string
	Weight       int64 // customers, at least 1
	Capable      bool  // makes protections at all
	Offered      time.Time
	Delivered    time.Time // in a page, as an object, or as a file
	Opened       time.Time
	Acknowledged time.Time
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Config is what the room is built from. MaySee answers whether the actor holds
// anything of the release, by the one decision that every channel uses. Due
// opens the waves whose moment has come: an outcome at T0 knows that it is.
type Config struct {
	Store  Store
	Due    func(ctx context.Context) error
	MaySee func(ctx context.Context, actor exchange.Actor, release exchange.ReleaseID) error // exchange.NotFound
}

// Service is the room.
type Service struct{ c Config }

// New returns the room.
func New(c Config) *Service { return &Service{c} }
