package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// checking is one call of Check.
type checking struct {
	*Log
	ctx   context.Context
	k     *known // up to where is checked
	found func(path string, index int64, err error)
	tree  *edge    // of the entries so far
	at    position // behind the record that was read last
	lost  bool     // what the next record or segment follows is not known
	hints map[string]position

	marked int64           // up to here the file tiles says that tiles are complete
	holes  map[uint32]bool // segments in which something was passed over
}

// Check reads everything in the folder again: the journal, its entries and all
// checkpoints, tiles, bundles, and the small files. found is told of each file
// that is not what was written, with the index of the first entry concerned, or -1
// where none is: damage to a checkpoint leaves the entries whole. What is appended
// meanwhile is not looked at. An error of Check itself says that it did not finish.
func (l *Log) Check(ctx context.Context, found func(path string, index int64, err error)) error {
	c := &checking{Log: l, ctx: ctx, found: found, tree: &edge{}, hints: map[string]position{}, holes: map[uint32]bool{}}
	if err := c.small(); err != nil {
		return err
	}
	c.k = l.known.Load()
	l.journal.mu.Lock()
	segments := slices.Clone(l.journal.segments)
	l.journal.mu.Unlock()
	for i, s := range segments {
		if s.number > c.k.at.segment {
			break
		}
		next := c.k.size
		if i+1 < len(segments) && s.number < c.k.at.segment {
			next = segments[i+1].first
		}
		if err := c.segment(s, next); err != nil {
			return err
		}
	}
	for name, p := range c.hints {
		ahead := p.segment > c.k.at.segment || p.segment == c.k.at.segment && p.offset > c.k.at.offset
		if !c.holes[p.segment] && (!ahead || c.quiet() && (!c.o.ReadOnly || !c.written())) {
			found(name, -1, errors.New("names a place in the journal where no record ends"))
		}
	}
	if c.tree.size == c.k.size && c.tree.root() != c.k.root {
		found("journal", -1, errors.New("the entries are not those under the newest checkpoint"))
	}
	return c.strangers()
}

// small looks at the small files.
func (c *checking) small() error {
	b, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil || !bytes.Equal(b, identity(c.origin)) {
		c.found("log", -1, errors.Join(err, errors.New("does not say which log the folder holds")))
	}
	for _, name := range []string{"head", "tiles"} {
		p, err := c.position(name)
		switch {
		case errors.Is(err, fs.ErrNotExist) && name == "tiles": // none was full yet
		case err != nil:
			c.found(name, -1, err)
		default:
			c.hints[name] = p
		}
		if err == nil && name == "tiles" {
			c.marked = p.size
		}
	}
	return nil
}

// position reads the file head or tiles. It may be met while it is written.
func (c *checking) position(name string) (p position, err error) {
	for range 3 {
		var b []byte
		if b, err = os.ReadFile(filepath.Join(c.dir, name)); err != nil {
			return p, err
		}
		if p, err = parsePosition(b); err == nil {
			return p, nil
		}
	}
	return p, err
}

// segment reads a segment, after which the log has the size next.
func (c *checking) segment(s *segment, next int64) error {
	path := "journal/" + segmentName(s.number)
	f, err := os.Open(s.path)
	if err != nil {
		c.found(path, c.tree.size, err)
		c.lost, c.holes[s.number] = true, true
		return c.fill(next)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	stop := info.Size()
	if s.number == c.k.at.segment {
		stop = min(stop, c.k.at.offset)
	}
	w := &window{f: f, stop: stop}
	b, err := w.peek(segmentHead)
	if err != nil {
		return err
	}
	w.at = segmentHead
	start, err := parseSegmentStart(b)
	if err == nil && (start.number != s.number || start.first != c.tree.size || s.number > 1 && !c.lost && start.prev != c.at.prev) {
		err = errors.New("the segment does not follow the one before")
	}
	c.at.segment = s.number
	if err != nil {
		c.found(path, -1, err)
		w.at, w.stop = 0, info.Size()
		if _, err := c.resume(w, path); err != nil {
			return err
		}
	} else {
		c.at.prev, c.lost = start.prev, false
	}
	c.at.offset, c.at.size = w.at, c.tree.size
	c.tick()
	for c.tree.size < next || w.at < w.stop {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if w.at >= w.stop {
			c.found(path, c.tree.size, fmt.Errorf("ends before entry %d", c.tree.size))
			c.lost, c.holes[s.number] = true, true
			return c.fill(next)
		}
		if err := c.next(w, path, next); err != nil {
			return err
		}
	}
	if s.number == c.k.at.segment && c.quiet() {
		return c.behind(f, path, info.Size())
	}
	return nil
}

// behind looks at what stands behind the end of the journal: nothing but zeros.
func (c *checking) behind(f *os.File, path string, size int64) error {
	from := c.k.at.offset
	b := make([]byte, max(0, min(size-from, 2*mostRoom)))
	if _, err := f.ReadAt(b, from); err != nil {
		return err
	}
	if b = bytes.TrimRight(b, "\x00"); (len(b) > 0 || size-from > 2*mostRoom) && c.quiet() && !c.growing(f) {
		c.found(path, -1, errors.New("something stands behind the newest checkpoint"))
	}
	return nil
}

// quiet reports whether nothing was appended since Check began, nor is being, nor
// failed to be.
func (c *checking) quiet() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flight == nil && c.known.Load() == c.k && (c.stopped == nil || errors.Is(c.stopped, ErrClosed))
}

// growing reports whether what is behind the newest checkpoint is a record that
// another process has appended since the log was opened for reading only. One that
// is being written gets a second.
func (c *checking) growing(f *os.File) bool {
	for range 20 {
		info, err := f.Stat()
		if err != nil || !c.o.ReadOnly {
			return false
		}
		b := make([]byte, min(info.Size()-c.k.at.offset, maxRecord))
		n, _ := f.ReadAt(b, c.k.at.offset)
		if r, err := parseRecord(b[:n]); err == nil {
			return r.prev == c.k.at.prev && r.first == c.k.size
		}
		select {
		case <-c.ctx.Done():
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
	return false
}

// next reads a record. One that is not what was written is told of, and passed
// over.
func (c *checking) next(w *window, path string, next int64) error {
	from := w.at
	r, err := w.next()
	if err == nil && r.first != c.tree.size {
		err = fmt.Errorf("begins with entry %d where entry %d belongs", r.first, c.tree.size)
	}
	if err == nil && r.prev != c.at.prev {
		err = errors.New("does not follow the record before")
	}
	if err != nil {
		var e *fs.PathError
		if errors.As(err, &e) {
			return err
		}
		return c.bad(w, path, next, fmt.Errorf("the record at byte %d: %w", from, err))
	}
	for rest := r.entries; len(rest) > 0; {
		var e []byte
		if e, rest, err = nextEntry(rest); err != nil {
			return err
		}
		if err := c.add(e); err != nil {
			return err
		}
	}
	c.at = position{segment: c.at.segment, offset: w.at, size: r.end(), prev: r.sum}
	c.tick()
	if err := c.checkpoint(r.checkpoint); err != nil {
		c.found(path, -1, fmt.Errorf("the checkpoint of size %d: %w", c.tree.size, err))
	}
	return nil
}

// tick ticks off hints that name the place between two records that is reached. That
// of tiles has a size within the record that follows.
func (c *checking) tick() {
	for name, p := range c.hints {
		if p.segment == c.at.segment && p.offset == c.at.offset && p.prev == c.at.prev && (p.size == c.at.size || name == "tiles") {
			delete(c.hints, name)
		}
	}
}

// checkpoint looks at a checkpoint of the entries so far.
func (c *checking) checkpoint(signed []byte) error {
	got, err := readCheckpoint(signed)
	if err != nil {
		return err
	}
	if got.Origin != c.origin || got.Size != c.tree.size || got.Root != c.tree.root() {
		return errors.New("is not of the entries before it")
	}
	if len(c.o.Verifiers) == 0 {
		return nil
	}
	_, err = note.Open(signed, note.VerifierList(c.o.Verifiers...))
	return err
}

// bad tells of a record that is not what was written, and goes on behind it with
// the entries as the bundles have them.
func (c *checking) bad(w *window, path string, next int64, why error) error {
	from := w.at
	r, err := c.resume(w, path)
	if err != nil {
		return err
	}
	if w.at < w.stop {
		next = r.first
	}
	// The entries that should be here, against the bytes that are.
	index := int64(-1)
	b := make([]byte, min(w.stop-from, maxRecord))
	n, _ := w.f.ReadAt(b, from)
	b = b[min(recordHead, n):n]
	for i := c.tree.size; i < next; i++ {
		e, err := c.entryOf(i)
		if err != nil {
			index = c.tree.size
			break
		}
		want := appendEntry(nil, e)
		if !bytes.HasPrefix(b, want) {
			index = i
			break
		}
		b = b[len(want):]
	}
	c.found(path, index, why)
	return c.fill(next)
}

// resume moves the window to the next whole record, or to its end.
func (c *checking) resume(w *window, path string) (record, error) {
	b := make([]byte, w.stop-w.at)
	if n, err := w.f.ReadAt(b, w.at); err != nil && n < len(b) {
		b = b[:n]
	}
	c.holes[c.at.segment] = true
	skip := 0
	if w.at > 0 {
		skip = 1
	}
	for i := skip; i < len(b); i++ {
		k := bytes.Index(b[i:], []byte(recordMagic))
		if k < 0 {
			break
		}
		i += k
		if r, err := parseRecord(b[i:]); err == nil && r.first >= c.tree.size {
			w.at += int64(i)
			c.at.prev, c.lost = r.prev, false
			return r, nil
		}
	}
	w.at, c.lost = w.stop, true
	return record{}, nil
}

// entryOf answers an entry as the bundles have it.
func (c *checking) entryOf(i int64) ([]byte, error) {
	b, err := c.bundle(c.k, i/tileWidth)
	if err != nil {
		return nil, err
	}
	var e []byte
	for range i%tileWidth + 1 {
		if e, b, err = nextEntry(b); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// fill goes on to a size with the entries as the bundles have them.
func (c *checking) fill(size int64) error {
	for c.tree.size < size {
		e, err := c.entryOf(c.tree.size)
		if err != nil {
			return fmt.Errorf("entry %d is neither in the journal nor in its bundle; nothing behind it was checked: %w", c.tree.size, err)
		}
		if err := c.add(e); err != nil {
			return err
		}
	}
	return nil
}

// add appends an entry to the tree, and looks at the files that it makes full.
func (c *checking) add(e []byte) error {
	for _, x := range c.tree.add(e, nil) {
		c.files.mu.Lock()
		_, waits := c.files.pending[tileKey{x.level, x.n}]
		c.files.mu.Unlock()
		if waits && !c.o.ReadOnly {
			continue
		}
		b, err := os.ReadFile(c.path(x.level, x.n))
		if waits && errors.Is(err, fs.ErrNotExist) && c.tree.size > c.marked {
			continue // the process that writes the log may be about to
		}
		name, first := tilePath(x.level, x.n, 0), x.n<<(tileHeight*(max(x.level, 0)+1))
		if errors.Is(err, fs.ErrNotExist) {
			c.found(name, first, errors.New("the file is missing"))
			continue
		}
		if err != nil {
			return err
		}
		if want := x.bytes(); !bytes.Equal(b, want) {
			c.found(name, x.differs(b, want), errors.New("the file is not what was written"))
		}
	}
	return nil
}

// differs answers the first entry that is concerned where b is not want.
func (x filled) differs(b, want []byte) int64 {
	at := 0
	for at < len(b) && at < len(want) && b[at] == want[at] {
		at++
	}
	if at == len(want) {
		return -1 // something is behind it
	}
	if x.level != bundleLevel {
		return (x.n*tileWidth + int64(at/tlog.HashSize)) << (tileHeight * x.level)
	}
	i := x.n * tileWidth
	for rest := want; ; i++ {
		e, more, err := nextEntry(rest)
		if err != nil || at < 2+len(e) {
			return i
		}
		at -= 2 + len(e)
		rest = more
	}
}

// strangers tells of files that do not belong into the folder.
func (c *checking) strangers() error {
	own := map[string]bool{"log": true, "head": true, "tiles": true, "frozen": true, "lock": true}
	return filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".tmp") {
			return err
		}
		name, err := filepath.Rel(c.dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if own[name] {
			return nil
		}
		if rest, ok := strings.CutPrefix(name, "journal/"); ok {
			c.journal.mu.Lock()
			defer c.journal.mu.Unlock()
			segments := c.journal.segments
			if slices.ContainsFunc(segments, func(s *segment) bool { return segmentName(s.number) == rest }) {
				return nil
			}
			// The writer may be about to begin the next one.
			if s, err := readSegmentStart(path); err == nil && c.locked != nil && rest == segmentName(s.number) && int(s.number) == len(segments)+1 {
				return nil
			}
		} else if level, n, width, err := parseTilePath(name); err == nil && width == 0 {
			// A group that is not told of yet, here or in another process, may have written it.
			if c.locked != nil || c.written() || n < c.k.size>>(tileHeight*(max(level, 0)+1)) {
				return nil
			}
		}
		c.found(name, -1, errors.New("the file does not belong here"))
		return nil
	})
}
