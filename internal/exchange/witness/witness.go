// Package witness keeps those informed who watch over the ledger for a program,
// and says whether they agree: it shows each new checkpoint to the witnesses that
// charters name, takes in what they cosign, and keeps what contradicts. Where a
// charter says so, nothing is released while its witnesses do not agree.
//
// A witness never learns what an entry stands for, and needs no account: what it
// says is signed. What speaks against the exchange is recorded like any other act,
// and stays when it has been resolved.
package witness

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Tx is what this room needs kept, in one transaction.
type Tx interface {
	Now() time.Time
	Record(e exchange.Event) (seq int64, err error)
	Notify(orgs []exchange.OrgID, n exchange.Notice) error
	Charter(program exchange.ProgramID) (exchange.Charter, error)
	Charters() ([]exchange.Charter, error)
	Member(program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error) // exchange.NotFound
	EventTime(seq int64) (time.Time, error)                                         // exchange.NotFound
	States
	Disagreements
}

// States is where it is kept what each witness cosigned.
type States interface {
	WitnessStates(log int) ([]State, error) // by key
	PutWitnessState(log int, s State) error
	// PutCosignature keeps a signature, and the checkpoint that it is for as the log
	// signed it; one that is kept already stays.
	PutCosignature(log int, c Cosignature, checkpoint []byte) error
	CosignedFrom(log int, size int64, limit int) ([]Cosigned, error) // of at least this size, the smallest first
	NewestCosigned(log, limit int) ([]Cosigned, error)               // the largest first
}

// Disagreements is where it is kept what speaks against the ledger.
type Disagreements interface {
	Disagreement(id int64) (Disagreement, error)                                 // exchange.NotFound
	DisagreementsOf(program exchange.ProgramID, log int) ([]Disagreement, error) // the newest first
	// PutDisagreement stores a new one (ID 0), which gets an ID, or how an old one was
	// resolved.
	PutDisagreement(d *Disagreement) error
}

// Store runs functions in a read snapshot or in one write transaction.
type Store interface {
	View(ctx context.Context, fn func(Tx) error) error
	Update(ctx context.Context, fn func(Tx) error) error
}

// State is what is known of one witness and one log.
type State struct {
	Key      string
	Listed   time.Time // since when a charter names it
	Size     int64     // of the newest checkpoint that it cosigned
	Signed   time.Time // when, by its own clock
	Seen     time.Time // when that came here; zero: never
	Failure  string    // why it gave nothing the last time: a short name; empty: it did
	FailedAt time.Time
}

// Cosignature is one signature of a witness for one checkpoint.
type Cosignature struct {
	Size int64
	Key  string
	Line string // as it stands in a note, with its line feed
	At   time.Time
}

// Cosigned is a checkpoint with what witnesses signed beneath it.
type Cosigned struct {
	Size       int64
	Checkpoint []byte // as the log signed it
	Signatures []Cosignature
}

// Kind is how a witness and the ledger differ.
type Kind string

// The kinds.
const (
	Fork    Kind = "fork"    // another root of the same size, signed by the log: proof
	Ahead   Kind = "ahead"   // the witness saw more entries than there are
	Refused Kind = "refused" // the witness does not accept that the log goes on from what it saw
)

// Disagreement is what speaks against the ledger, for one program.
type Disagreement struct {
	ID         int64
	Program    exchange.ProgramID
	Log        int
	Key        string // of the witness; empty: somebody showed two checkpoints that the log signed
	Name       string // of the witness, in the charter
	Kind       Kind
	Size       int64  // at which they differ
	Root       string // of theirs at this size, in base 64; empty: not known
	Ours       []byte // signed checkpoint
	Theirs     []byte // signed checkpoint; empty: there is the witness's word alone
	At         time.Time
	ResolvedAt time.Time
	ResolvedBy exchange.PersonID
	Reason     string
}

// Open reports whether nobody has resolved it.
func (d Disagreement) Open() bool { return d.ResolvedAt.IsZero() }

// Log is the ledger's present log.
type Log interface {
	Origin() string
	Size() int64
	Checkpoint() []byte
	CheckpointFor(size int64) ([]byte, error)
	Root(size int64) (tlog.Hash, error)
	Consistency(from, to int64) (tlog.TreeProof, error)
}

// Ledger is the present log, with what the store knows of it.
type Ledger struct {
	Log    Log
	Number int
	Base   int64 // entry i is the event with the number Base + i + 1
}

// LogKey is a public key of a log: name+hash+base64.
type LogKey struct {
	Public string
	Until  int64 // the last size that it signed; -1: it still signs
}

// Outcome is what became of asking a witness.
type Outcome int

// The outcomes (C2SP tlog-witness, add-checkpoint).
const (
	Failed      Outcome = iota // no answer that means anything
	Signed                     // 200: Answer.Body holds signatures
	OtherSize                  // 409: the witness goes by Answer.Size, or has another root at the size it was asked for
	Contradicts                // 422: the log does not go on from what it saw
	UnknownKey                 // 403
	UnknownLog                 // 404
)

// Answer is what a witness answered to add-checkpoint.
type Answer struct {
	Outcome Outcome
	Size    int64
	Body    []byte
	Failure string // a short name of what failed
}

// Asker asks a witness at an address to add a checkpoint.
type Asker interface {
	AddCheckpoint(ctx context.Context, url string, body []byte) Answer
}

// Config is what the room is built from.
type Config struct {
	Store Store
	// Current answers the present log. It is called inside of transactions, too, and
	// reads nothing from the store.
	Current func() (Ledger, error)
	// Keys answers the public keys of a log, those that it no longer uses, too.
	Keys func(ctx context.Context, log int) ([]LogKey, error)
	// Settle waits until this process's log has what the store has.
	Settle func(ctx context.Context) error
	Asker  Asker // nil: no witness is asked; they come by themselves
	Every  time.Duration
	Now    func() time.Time
	Log    *slog.Logger
	Resume func() // called when releases may go on; it must not wait
}

// DefaultInterval is how often witnesses are shown what is new.
const DefaultInterval = 10 * time.Second

// Service is the room.
type Service struct {
	c       Config
	kick    chan struct{}
	started chan struct{} // closed after the first round

	mu     sync.Mutex
	pauses map[string]pause // witnesses that do not answer, by key
	ahead  map[string]claim // what is not known to be here yet, by witness
	stops  map[exchange.ProgramID]string
}

// New returns the room.
func New(c Config) *Service {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Every == 0 {
		c.Every = DefaultInterval
	}
	if c.Resume == nil {
		c.Resume = func() {}
	}
	return &Service{
		c: c, kick: make(chan struct{}, 1), started: make(chan struct{}),
		pauses: map[string]pause{}, ahead: map[string]claim{}, stops: map[exchange.ProgramID]string{},
	}
}
