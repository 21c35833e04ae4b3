package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/durable"
	"github.com/forewarn-exchange/forewarn/verify"
)

// recover brings the log to where its journal ends, and answers the newest
// checkpoint; nil where none was signed yet.
func (l *Log) recover() ([]byte, error) {
	head, err := l.readPosition("head")
	if err != nil {
		return nil, err
	}
	if len(l.journal.segments) == 0 {
		if head != nil {
			return nil, damage(0, "the journal is missing: %d entries were in it", head.size)
		}
		if l.o.ReadOnly {
			return nil, errors.New("the log has no journal yet")
		}
		l.edge = &edge{}
		if err := l.journal.begin(); err != nil {
			return nil, err
		}
		return nil, l.openHead()
	}
	last, err := l.replayFromTiles(head)
	if err != nil || l.o.ReadOnly {
		return last, err
	}
	return last, l.openHead()
}

// readPosition reads the file head or tiles; nil where there is none, or none that
// can be read: both are only hints, and Check tells of them.
func (l *Log) readPosition(name string) (*position, error) {
	b, err := os.ReadFile(filepath.Join(l.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := parsePosition(b)
	if err != nil {
		l.o.Log.Warn("a file of the ledger is damaged and is made again", "origin", l.origin, "file", name, "error", err)
		return nil, nil
	}
	return &p, nil
}

// openHead opens the file head, and writes into it where the journal ends.
func (l *Log) openHead() error {
	path := filepath.Join(l.dir, "head")
	b := l.journal.at.bytes()
	if err := durable.Replace(path, b, 0o640); err != nil {
		return err
	}
	var err error
	l.headAt, err = os.OpenFile(path, os.O_RDWR, 0)
	return err
}

// replayFromTiles replays the journal from the marker of tiles; where that does
// not lead to the newest checkpoint, from its beginning.
func (l *Log) replayFromTiles(head *position) ([]byte, error) {
	marker, err := l.readPosition("tiles")
	if err != nil {
		return nil, err
	}
	if marker != nil {
		if l.edge, err = l.edgeAt(marker.size); err == nil {
			var last []byte
			if last, err = l.replay(*marker, head); err == nil {
				l.files.marked = marker.size
				return last, nil
			}
		}
		if errors.As(err, new(journalDamage)) {
			return nil, err // it would be met from the beginning, too
		}
		l.o.Log.Warn("the ledger's tiles are made again from its journal", "origin", l.origin, "error", err)
		l.files = newFiles(l.dir)
	}
	l.edge = &edge{}
	return l.replay(position{segment: 1, offset: segmentHead}, head)
}

// edgeAt reads the right edge of the tree of a size, a multiple of 256, from the
// full tiles left of it.
func (l *Log) edgeAt(size int64) (*edge, error) {
	e := &edge{size: size}
	for level := 1; level < tileLevels; level++ {
		first := size >> (tileHeight * (level + 1)) << tileHeight
		for n := first; n < size>>(tileHeight*level); n++ {
			b, err := os.ReadFile(l.path(level-1, n))
			if err != nil {
				return nil, err
			}
			if len(b) != tileBytes {
				return nil, fmt.Errorf("%s has %d bytes", tilePath(level-1, n, 0), len(b))
			}
			_, root := readTile(b)
			if e.tiles[level] == nil {
				e.tiles[level] = new(tile)
			}
			e.tiles[level].put(n-first, root)
		}
	}
	return e, nil
}

func (l *Log) path(level int, n int64) string {
	return filepath.Join(l.dir, filepath.FromSlash(tilePath(level, n, 0)))
}

// replaying is one way through the journal.
type replaying struct {
	*Log
	head  *position // where the journal ended when somebody was last told
	at    position  // behind what was replayed
	begun bool      // a record was read
}

// replay appends to l.edge what the journal holds from a position on. from.size
// may be within the record there.
func (l *Log) replay(from position, head *position) ([]byte, error) {
	var last []byte
	p := &replaying{Log: l, head: head, at: from}
	for i, s := range l.journal.segments {
		if s.number < from.segment {
			continue
		}
		if s.number > from.segment {
			if s.first != l.edge.size || s.prev != p.at.prev {
				return nil, damage(l.edge.size, "journal/%s does not follow what is before it", segmentName(s.number))
			}
			p.at = position{segment: s.number, offset: segmentHead, size: s.first, prev: s.prev}
		}
		checkpoint, err := p.segment(s, i == len(l.journal.segments)-1)
		if err != nil {
			return nil, err
		}
		if checkpoint != nil {
			last = checkpoint
		}
	}
	l.journal.at = p.at
	if head != nil && (head.segment > p.at.segment || head.size > l.edge.size) {
		return nil, damage(l.edge.size, "the journal ends before entry %d, and %d entries were in it", l.edge.size, head.size)
	}
	if last == nil {
		if l.edge.size > 0 {
			return nil, errors.New("the marker of tiles is behind the end of the journal")
		}
		return nil, nil
	}
	return last, l.agrees(last)
}

// agrees holds a checkpoint against the tree that was replayed.
func (l *Log) agrees(checkpoint []byte) error {
	c, err := readCheckpoint(checkpoint)
	if err != nil {
		return damage(-1, "the newest checkpoint: %v", err)
	}
	if c.Origin != l.origin || c.Size != l.edge.size || c.Root != l.edge.root() {
		return damage(-1, "the newest checkpoint, of size %d, is not of the %d entries that the log holds", c.Size, l.edge.size)
	}
	return nil
}

func readCheckpoint(signed []byte) (verify.Checkpoint, error) {
	n, err := openNote(signed)
	if err != nil {
		return verify.Checkpoint{}, err
	}
	return verify.ParseCheckpoint(n.Text)
}

// segment replays one segment, to its end.
func (p *replaying) segment(s *segment, isLast bool) (last []byte, err error) {
	how := os.O_RDWR
	if p.o.ReadOnly {
		how = os.O_RDONLY
	}
	f, err := os.OpenFile(s.path, how, 0)
	if err != nil {
		return nil, err
	}
	keep := false
	defer func() {
		if !keep {
			f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	w := &window{f: f, at: p.at.offset, stop: info.Size()}
	var from int64 // where the last record begins
	for w.at < w.stop {
		r, err := w.next()
		if err == nil && !p.follows(r) {
			err = errors.New("the record does not follow the one before")
		}
		if err != nil {
			if err := p.torn(s, w, isLast, err); err != nil {
				return nil, err
			}
			break
		}
		if err := p.record(r); err != nil {
			return nil, err
		}
		p.begun = true
		last, from = slices.Clone(r.checkpoint), p.at.offset
		p.at = position{segment: s.number, offset: w.at, size: r.end(), prev: r.sum}
	}
	if !isLast || p.o.ReadOnly {
		return last, nil
	}
	keep, p.journal.file, p.journal.room = true, f, p.at.offset
	return last, rewrite(f, from, p.at.offset)
}

// follows reports whether a record goes on from what was replayed. The first one
// may begin before the marker from which it is replayed.
func (p *replaying) follows(r record) bool {
	if p.begun || p.at.size == 0 {
		return r.prev == p.at.prev && r.first == p.edge.size
	}
	return r.prev == p.at.prev && r.first <= p.edge.size && r.end() >= p.edge.size
}

// record appends the entries of a record that are not in the tree yet, and writes
// the files that become full.
func (p *replaying) record(r record) error {
	skip := p.edge.size - r.first
	var full []filled
	for rest := r.entries; len(rest) > 0; skip-- {
		e, more, err := nextEntry(rest)
		if err != nil {
			return err
		}
		if rest = more; skip <= 0 {
			full = p.edge.add(e, full)
		}
	}
	for _, x := range full {
		if p.o.ReadOnly {
			if b, err := os.ReadFile(p.path(x.level, x.n)); err != nil || !bytes.Equal(b, x.bytes()) {
				p.files.pending[tileKey{x.level, x.n}] = x
			}
			continue
		}
		if err := p.files.write(x); err != nil {
			return err
		}
		p.files.advance(x, p.at)
	}
	return nil
}

// torn cuts off zeros, and what was being written when the process ended: less than
// a record, behind everything that anybody was told of, with no record behind it. Anything
// else is damage.
func (p *replaying) torn(s *segment, w *window, isLast bool, why error) error {
	name := "journal/" + segmentName(s.number)
	bad := damage(p.edge.size, "%s, byte %d: entry %d cannot be read: %v", name, w.at, p.edge.size, why)
	if p.begun {
		bad = journalDamage{bad}
	}
	switch {
	case !isLast, !p.begun && w.at != segmentHead, p.head != nil && p.head.segment == s.number && p.head.offset > w.at:
		return bad
	}
	b := make([]byte, w.stop-w.at)
	if _, err := io.ReadFull(io.NewSectionReader(w.f, w.at, w.stop-w.at), b); err != nil {
		return err
	}
	n := len(bytes.TrimRight(b, "\x00"))
	if n > maxRecord {
		return bad
	}
	for i := 1; i < len(b); i++ {
		k := bytes.Index(b[i:], []byte(recordMagic))
		if k < 0 {
			break
		}
		if i += k; isRecord(b[i:]) {
			return bad
		}
	}
	if n > 0 {
		p.o.Log.Warn("an unfinished end of the ledger's journal is cut off", "origin", p.origin, "file", name, "size", p.edge.size, "bytes", n)
	}
	if p.o.ReadOnly {
		return nil
	}
	return os.Truncate(s.path, w.at)
}

// journalDamage is damage to the journal that does not come from where reading it
// began.
type journalDamage struct{ error }

func (d journalDamage) Unwrap() error { return d.error }

func isRecord(b []byte) bool {
	_, err := parseRecord(b)
	return err == nil
}

// rewrite writes the last record once more and syncs it. It may have been read
// from memory only: its sync may have failed, or not have been reached.
func rewrite(f *os.File, from, to int64) error {
	if from > 0 && from < to {
		b := make([]byte, to-from)
		if _, err := f.ReadAt(b, from); err != nil {
			return err
		}
		if _, err := f.WriteAt(b, from); err != nil {
			return err
		}
	}
	return f.Sync()
}
