package sequencer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/forewarn-exchange/forewarn/internal/ledger"
)

// Options is what a sequencer is opened with.
type Options struct {
	Store  Store
	Folder string // of all logs, a folder for each; it is made
	Origin string // of a log that is made now
	Shared bool   // other nodes may use the store
	Node   string // names this one in the head; empty: a random name
	Now    func() time.Time
	Log    *slog.Logger // nil: nothing is logged
}

// Sequencer carries events into the log. It is safe for concurrent use.
type Sequencer struct {
	o Options

	mu      sync.Mutex
	current *open
	older   map[int]*ledger.Log // closed logs that were asked for
	infos   []Info              // all logs, by number
	err     error               // why it has stopped
	held    int                 // calls of Hold that have not ended
	closed  bool

	nudged chan struct{}
	cancel context.CancelFunc
	ended  chan struct{} // closed when the carrier has ended
}

// open is the log that is written. The fields below are guarded by Sequencer.mu.
type open struct {
	Info
	log    *ledger.Log
	over   context.Context // ends when another log, or the same one opened anew, takes its place
	end    context.CancelFunc
	handed int64 // events up to here were put
	away   bool  // it was closed: only what belongs in it is put
	cut    bool  // it has stopped because the store was away
	told   *frontier
}

// Open opens the current log, makes one where there is none, compares it with the
// store, and carries what is missing. A store that is behind its log is a
// *RolledBack, one that holds something else a *Diverged: nothing is changed then.
func Open(ctx context.Context, o Options) (*Sequencer, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Node == "" {
		var b [8]byte
		rand.Read(b[:])
		o.Node = hex.EncodeToString(b[:])
	}
	q := &Sequencer{o: o, older: map[int]*ledger.Log{}, nudged: make(chan struct{}, 1), ended: make(chan struct{})}
	if err := os.MkdirAll(o.Folder, 0o750); err != nil {
		return nil, fmt.Errorf("making the folder of the ledger: %w", err)
	}
	if err := q.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the ledger: %w", err), q.release())
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	q.cancel = cancel
	go q.run(run)
	return q, nil
}

func (q *Sequencer) start(ctx context.Context) error {
	s, err := q.logs(ctx)
	if err != nil {
		return err
	}
	if err := q.noneBeyond(s.infos[len(s.infos)-1], s.last); err != nil {
		return err
	}
	q.infos = s.infos
	i := q.where(s)
	if err := q.begin(ctx, s.infos[i], s.keys[i]); err != nil {
		return err
	}
	if i == len(s.infos)-1 {
		if err := q.compare(ctx, q.current, s.last); err != nil {
			return err
		}
	}
	return q.carry(ctx)
}

// where answers with which log to begin: the last one of which there is a folder,
// because the end of it may be missing there; where there is none, the first one
// that can be made.
func (q *Sequencer) where(s stood) int {
	for i := len(s.infos) - 1; i >= 0; i-- {
		if _, err := os.Stat(q.dir(s.infos[i].Number)); err == nil && s.signs(i) {
			return i
		}
	}
	for i := range s.infos {
		if s.signs(i) {
			return i
		}
	}
	return len(s.infos) - 1
}

// stood is what the store says of the logs.
type stood struct {
	infos []Info
	keys  [][]Key // of each
	last  int64   // event
}

// signs reports whether a log has a key that can sign.
func (s stood) signs(i int) bool {
	all, err := signers(s.keys[i])
	return err == nil && len(all) > 0
}

// logs reads what the store says, and enters the first log where there is none.
func (q *Sequencer) logs(ctx context.Context) (s stood, err error) {
	read := func(tx Tx) (err error) {
		s = stood{}
		if s.last, err = tx.LastEvent(); err != nil {
			return err
		}
		if s.infos, err = tx.Logs(); err != nil {
			return err
		}
		for _, l := range s.infos {
			keys, err := tx.LogKeys(l.Number)
			if err != nil {
				return err
			}
			s.keys = append(s.keys, keys)
		}
		return nil
	}
	if err := q.o.Store.View(ctx, read); err != nil || len(s.infos) > 0 {
		return s, err
	}
	first := Info{Number: 1, Origin: q.o.Origin, Opened: q.o.Now()}
	if err := q.noneBeyond(Info{}, s.last); err != nil {
		return s, err
	}
	return s, q.o.Store.Update(ctx, func(tx Tx) error {
		if err := read(tx); err != nil || len(s.infos) > 0 { // another node was quicker
			return err
		}
		k, err := NewKey(first)
		if err != nil {
			return err
		}
		s.infos, s.keys = []Info{first}, [][]Key{{k}}
		return errors.Join(tx.PutLog(first), tx.PutLogKey(k))
	})
}

// noneBeyond refuses a folder that holds logs which the store does not know.
func (q *Sequencer) noneBeyond(last Info, events int64) error {
	all, err := os.ReadDir(q.o.Folder)
	if err != nil {
		return fmt.Errorf("reading the folder of the ledger: %w", err)
	}
	for _, e := range all {
		if n, err := strconv.Atoi(e.Name()); err == nil && e.IsDir() && n > last.Number {
			return &RolledBack{Log: n, Logged: -1, Stored: events}
		}
	}
	return nil
}

func (q *Sequencer) dir(number int) string { return filepath.Join(q.o.Folder, strconv.Itoa(number)) }

// begin opens a log as the current one.
func (q *Sequencer) begin(ctx context.Context, info Info, keys []Key) error {
	signers, err := signers(keys)
	if err != nil {
		return err
	}
	c := &open{Info: info}
	c.over, c.end = context.WithCancel(context.WithoutCancel(ctx))
	o := ledger.Options{Origin: info.Origin, Signers: signers, Now: q.o.Now, Log: q.o.Log}
	if q.o.Shared {
		o.Publish = func(ctx context.Context, size int64, checkpoint []byte) error {
			return q.publish(ctx, c, size, checkpoint)
		}
	}
	l, err := ledger.Open(q.dir(info.Number), o)
	if err != nil {
		return err
	}
	c.log, c.handed = l, info.Base+l.Size()
	if q.o.Shared {
		if err := q.join(ctx, c); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.current = c
	return nil
}

// signers are those of the keys that still sign.
func signers(keys []Key) (all []note.Signer, err error) {
	for _, k := range keys {
		if k.Until >= 0 || k.Private == "" {
			continue
		}
		s, err := note.NewSigner(k.Private)
		if err != nil {
			return nil, fmt.Errorf("the key %.80q of the ledger: %w", k.Public, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// NewKey makes a key of a log.
func NewKey(l Info) (Key, error) {
	private, public, err := note.GenerateKey(rand.Reader, l.Origin)
	if err != nil {
		return Key{}, fmt.Errorf("making a key of the log %s: %w", l.Origin, err)
	}
	return Key{Log: l.Number, Private: private, Public: public, Until: -1}, nil
}

// Close carries what was handed over, and closes the files. The store's writer has
// ended before.
func (q *Sequencer) Close() error {
	q.mu.Lock()
	again := q.closed
	q.closed = true
	q.mu.Unlock()
	if again {
		return nil
	}
	q.cancel()
	<-q.ended
	return q.release()
}

func (q *Sequencer) release() error {
	q.mu.Lock()
	c, older := q.current, q.older
	q.older = nil
	q.mu.Unlock()
	var errs []error
	if c != nil {
		errs = append(errs, c.log.Close())
		c.end()
	}
	for _, l := range older {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
