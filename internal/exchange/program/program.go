// Package program keeps charters: why information is shared, with whom, by
// which rules, and how the result is measured. Nothing can be shared outside a
// program, and a program without an outcome and a measure cannot be opened.
package program

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// Stored is a program as it is kept: its charter, and how often that changed.
type Stored struct {
	ID        exchange.ProgramID
	Owner     exchange.OrgID
	Charter   exchange.Charter
	Revision  int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	Record(e exchange.Event) (seq int64, err error)
	BumpGeneration() error                         // verdicts taken before this transaction no longer hold
	Program(id exchange.ProgramID) (Stored, error) // exchange.NotFound
	Programs() ([]Stored, error)                   // by id
	PutProgram(p Stored) error
	Member(program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error) // exchange.NotFound
	Organisation(id exchange.OrgID) (exchange.Organisation, error)
	HiddenMembers(program exchange.ProgramID) (map[exchange.OrgID]bool, error)
	HasBasis(id exchange.BasisID) (bool, error) // the register of legal bases has it
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// Config is what the room is built from. Place recomputes every member's
// audience under a charter, inside the caller's transaction (membership does it).
type Config struct {
	Store Store
	Place func(tx Tx, c exchange.Charter) ([]exchange.Move, error)
}

// Service is the room.
type Service struct{ c Config }

// New returns the room.
func New(c Config) *Service { return &Service{c} }

// TestResult is what became of one test of a charter's policies.
type TestResult = policy.TestResult

// Applied is the result of applying a charter.
type Applied struct {
	Program  exchange.ProgramID
	Created  bool
	DryRun   bool
	Revision int64
	Changes  []exchange.Change // what differs from the charter in force
	Moves    []exchange.Move   // members that change cohort
	Tests    []TestResult      // of the charter's policies; all passed
}
