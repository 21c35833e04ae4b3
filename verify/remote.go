package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Fetch reads a public file of a log by its path beneath the log's address, such as
// "checkpoint" or "tile/0/x001/067". A file that is not there is fs.ErrNotExist.
type Fetch func(ctx context.Context, path string) ([]byte, error)

// State is what who watches a log keeps from one look to the next.
type State struct {
	Origin     string   `json:"origin"`
	Keys       []string `json:"keys"`       // those that count now
	Checkpoint string   `json:"checkpoint"` // the newest that was seen, signed
}

// Watch says how a log is looked at.
type Watch struct {
	Fetch     Fetch
	Keys      []string // of the log, trusted from elsewhere
	Witnesses []string // whose cosignatures count
	Quorum    int      // how many of them must have signed
	Full      bool     // read every entry, too
	// Progress is told how many entries were read; nil: nobody asks.
	Progress func(done, all int64)
}

// WatchReport says what was seen of a log. What it holds was verified.
type WatchReport struct {
	Checkpoint Signed  // the newest
	Last       int64   // how many entries the log had when it was last looked at; -1: this is the first time
	Cosigned   *Signed // the newest that enough witnesses signed; nil when none was asked for
	Keys       []KeySpan
	Closed     bool
	Successor  *Successor // of a closed log, when it names one
	Entries    int64      // how many were read
}

// Check looks at the log: that its newest checkpoint is signed, that it goes on from
// what was seen last, and that enough witnesses saw the same. What does not hold is a
// *Failure; every other error means that it could not be found out. The state is for
// the next look; of a log that failed it is the last one. last is nil the first time.
func (w Watch) Check(ctx context.Context, last *State) (State, WatchReport, error) {
	c := watching{Watch: w, ctx: ctx, report: WatchReport{Last: -1}}
	next, err := c.check(last)
	if err != nil && last != nil {
		next = *last
	}
	return next, c.report, err
}

type watching struct {
	Watch
	ctx     context.Context
	report  WatchReport
	history History
}

func (w *watching) check(last *State) (State, error) {
	keys := unique(w.Keys)
	var was Checkpoint
	if last != nil {
		keys = unique(append(keys, last.Keys...))
	}
	if len(keys) == 0 {
		return State{}, errors.New("no key of the log is given")
	}
	v, err := note.NewVerifier(keys[0])
	if err != nil {
		return State{}, fmt.Errorf("the key %.80q is not of the form name+hash+base64", keys[0])
	}
	origin := v.Name()
	if last != nil {
		if last.Origin != origin {
			return State{}, fmt.Errorf("what was kept is of the log %.80q, and the key of %.80q", last.Origin, origin)
		}
		if was, err = uncheckedCheckpoint([]byte(last.Checkpoint)); err != nil {
			return State{}, fmt.Errorf("what was kept of the log: %w", err)
		}
		w.report.Last = was.Size
	}
	if err := w.follow(origin, keys); err != nil {
		return State{}, err
	}
	signed, err := w.Fetch(w.ctx, "checkpoint")
	if err != nil {
		return State{}, fmt.Errorf("fetching the checkpoint: %w", err)
	}
	now, err := w.open(signed)
	if err != nil {
		return State{}, err
	}
	if now.Origin != origin {
		return State{}, failure("the checkpoint is of the log %.80q, not of %.80q", now.Origin, origin)
	}
	if last != nil {
		if err := w.goesOn(was, now.Checkpoint); err != nil {
			return State{}, err
		}
	}
	if err := w.history.CheckClosed(now.Checkpoint); err != nil {
		return State{}, err
	}
	w.report.Checkpoint = now
	w.report.Closed, w.report.Successor = w.history.Closed != nil, w.history.Successor
	if err := w.witnessed(now); err != nil {
		return State{}, err
	}
	if w.Full {
		if err := w.everything(now.Checkpoint); err != nil {
			return State{}, err
		}
	}
	return State{Origin: origin, Keys: w.history.now(), Checkpoint: string(signed)}, nil
}

// follow reads what the log says of its keys and its end.
func (w *watching) follow(origin string, keys []string) error {
	var all struct {
		Statements []string `json:"statements"`
	}
	b, err := w.Fetch(w.ctx, "statements")
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("fetching the statements: %w", err)
	default:
		if err := json.Unmarshal(b, &all); err != nil {
			return failure("the statements of the log are not the JSON that they should be: %v", err)
		}
	}
	statements := make([][]byte, len(all.Statements))
	for i, s := range all.Statements {
		statements[i] = []byte(s)
	}
	w.history, err = Trace(origin, keys, statements)
	w.report.Keys = w.history.Keys
	return err
}

// open opens a checkpoint with the keys that count at its size.
func (w *watching) open(signed []byte) (Signed, error) {
	c, err := uncheckedCheckpoint(signed)
	if err != nil {
		return Signed{}, err
	}
	keys := w.history.KeysFor(c.Size)
	if len(keys) == 0 {
		return Signed{}, failure("no key of the log counts at a size of %d entries", c.Size)
	}
	return OpenCheckpoint(signed, keys, w.Witnesses)
}

// uncheckedCheckpoint reads a signed checkpoint and no signature.
func uncheckedCheckpoint(signed []byte) (Checkpoint, error) {
	var unverified *note.UnverifiedNoteError
	if len(signed) > MaxCheckpoint {
		return Checkpoint{}, failure("larger than %d bytes: not a checkpoint", MaxCheckpoint)
	}
	if _, err := note.Open(signed, note.VerifierList()); !errors.As(err, &unverified) {
		return Checkpoint{}, failure("not a signed checkpoint")
	}
	c, err := ParseCheckpoint(unverified.Note.Text)
	if err != nil {
		return Checkpoint{}, failure("%v", err)
	}
	return c, nil
}

// goesOn compares the newest checkpoint with the one that was seen last.
func (w *watching) goesOn(was, now Checkpoint) error {
	if now.Size >= was.Size {
		return w.consistent(was, now)
	}
	err := w.consistent(now, was)
	var f *Failure
	switch {
	case err == nil:
		return failure("the log shows an old checkpoint again: of %d entries, when it had %d before", now.Size, was.Size)
	case errors.As(err, &f) && w.ctx.Err() == nil:
		return failure("the log shrank from %d entries to %d, and they are not those that it had before", was.Size, now.Size)
	case w.ctx.Err() != nil:
		return w.ctx.Err()
	}
	return failure("the log shrank from %d entries to %d: entries were taken out, or an old checkpoint is shown again", was.Size, now.Size)
}

// consistent proves from tiles that a log of the one checkpoint goes on to the other.
func (w *watching) consistent(old, now Checkpoint) error {
	if old.Size == now.Size {
		if old.Root != now.Root {
			return failure("the log shows two histories: two checkpoints of %d entries have different roots, %s and %s", now.Size, old.Root, now.Root)
		}
		return nil
	}
	if old.Size == 0 {
		return nil
	}
	source := &tileSource{ctx: w.ctx, fetch: w.Fetch}
	proof, err := tlog.ProveTree(now.Size, old.Size, tlog.TileHashReader(tlog.Tree{N: now.Size, Hash: now.Root}, source))
	if source.err != nil {
		return source.err
	}
	var wrong *Failure
	if errors.As(err, &wrong) {
		return wrong
	}
	if err != nil {
		return failure("the tiles of the log are not those of its checkpoint of %d entries (%v)", now.Size, err)
	}
	if tlog.CheckTree(proof, now.Size, now.Root, old.Size, old.Root) != nil {
		return failure("the log shows two histories: its %d entries are not the %d that it had before with others after them", now.Size, old.Size)
	}
	return nil
}

// witnessed looks for a checkpoint that enough witnesses signed.
func (w *watching) witnessed(now Signed) error {
	if w.Quorum <= 0 {
		if len(now.Witness) > 0 {
			w.report.Cosigned = &now
		}
		return nil
	}
	if now.Quorum(w.Quorum) == nil {
		w.report.Cosigned = &now
		return nil
	}
	signed, err := w.Fetch(w.ctx, "cosigned")
	if errors.Is(err, fs.ErrNotExist) {
		return now.Quorum(w.Quorum)
	}
	if err != nil {
		return fmt.Errorf("fetching the cosigned checkpoint: %w", err)
	}
	seen, err := w.open(signed)
	if err != nil {
		return err
	}
	if err := seen.Quorum(w.Quorum); err != nil {
		return err
	}
	if seen.Origin != now.Origin {
		return failure("the cosigned checkpoint is of the log %.80q, not of %.80q", seen.Origin, now.Origin)
	}
	// Witnesses may have signed since the newest checkpoint was read.
	old, later := seen.Checkpoint, now.Checkpoint
	if old.Size > later.Size {
		old, later = later, old
	}
	if err := w.consistent(old, later); err != nil {
		return err
	}
	w.report.Cosigned = &seen
	return nil
}

// everything reads all entries and holds them against the tree.
func (w *watching) everything(c Checkpoint) error {
	read := func(path string) ([]byte, error) { return w.Fetch(w.ctx, path) }
	tree := tiles{size: c.Size, root: c.Root, fetch: func(level int, n int64, width int) ([]byte, error) {
		return readTile(read, level, n, width)
	}}
	if err := tree.open(); err != nil {
		return err
	}
	for n := int64(0); n*TileWidth < c.Size; n++ {
		leaf, err := tree.at(0, n)
		if err != nil {
			return err
		}
		first, width := n*TileWidth, TileWidthAt(c.Size, 0, n)
		b, err := readTile(read, EntriesLevel, n, width)
		if err != nil {
			return fmt.Errorf("fetching the entries from %d on: %w", first, err)
		}
		all, err := ParseEntries(b)
		for i := range width {
			if i >= len(all) {
				return &Failure{What: fmt.Sprintf("the entry at place %d of the log is missing: %s ends before it", first+int64(i), TilePath(EntriesLevel, n, width)), Index: first + int64(i)}
			}
			if tlog.RecordHash(all[i]) != tlog.Hash(leaf[i*tlog.HashSize:(i+1)*tlog.HashSize]) {
				return &Failure{What: fmt.Sprintf("the entry at place %d of the log is not the one in the tree: it was changed after it was signed", first+int64(i)), Index: first + int64(i)}
			}
		}
		if err != nil || len(all) > width {
			return &Failure{What: fmt.Sprintf("more follows place %d in %s", first+int64(width)-1, TilePath(EntriesLevel, n, width)), Index: first + int64(width) - 1}
		}
		w.report.Entries += int64(width)
		if w.Progress != nil {
			w.Progress(w.report.Entries, c.Size)
		}
	}
	return nil
}

// tileSource gives tlog the tiles of a log. It keeps the first error of fetching, so
// that a tile that is wrong is told from one that could not be fetched.
type tileSource struct {
	ctx   context.Context
	fetch Fetch
	err   error
}

// Height is that of C2SP tlog-tiles.
func (s *tileSource) Height() int { return tileHeight }

// ReadTiles fetches tiles.
func (s *tileSource) ReadTiles(all []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(all))
	for i, t := range all {
		b, err := readTile(func(path string) ([]byte, error) { return s.fetch(s.ctx, path) }, t.L, t.N, t.W)
		if err != nil {
			s.err = fmt.Errorf("fetching %s: %w", TilePath(t.L, t.N, t.W), err)
			return nil, s.err
		}
		if len(b) != t.W*tlog.HashSize {
			return nil, tileFailure(t.L, t.N, t.W)
		}
		out[i] = b
	}
	return out, nil
}

// SaveTiles keeps nothing.
func (s *tileSource) SaveTiles([]tlog.Tile, [][]byte) {}

// ErrUndecided says that two checkpoints alone do not show whether both can be true.
var ErrUndecided = errors.New("checkpoints of different sizes show only together with the log's tiles whether both can be true")

// Split is a *Failure when two signed checkpoints of a log cannot both be true. With
// checkpoints of different sizes the tiles of the log decide; without fetch that is
// ErrUndecided.
func Split(ctx context.Context, a, b []byte, keys []string, fetch Fetch) error {
	var both [2]Signed
	for i, signed := range [][]byte{a, b} {
		s, err := OpenCheckpoint(signed, keys, nil)
		if err != nil {
			return fmt.Errorf("checkpoint %d: %w", i+1, err)
		}
		both[i] = s
	}
	if both[0].Origin != both[1].Origin {
		return fmt.Errorf("the checkpoints are of two logs: %.80q and %.80q", both[0].Origin, both[1].Origin)
	}
	old, now := both[0].Checkpoint, both[1].Checkpoint
	if old.Size > now.Size {
		old, now = now, old
	}
	if old.Size != now.Size && old.Size > 0 && fetch == nil {
		return ErrUndecided
	}
	w := watching{Watch: Watch{Fetch: fetch}, ctx: ctx}
	return w.consistent(old, now)
}

// KeysBeneath are the keys whose signature counts beneath a signed checkpoint, by the
// statements of its log: a receipt from before a key was retired holds for ever.
func KeysBeneath(signed []byte, keys []string, statements [][]byte) ([]string, error) {
	c, err := uncheckedCheckpoint(signed)
	if err != nil {
		return nil, err
	}
	h, err := Trace(c.Origin, keys, statements)
	return h.KeysFor(c.Size), err
}
