package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

// hash answers hash n of a level of the tree.
func (l *Log) hash(k *known, level int, n int64) (tlog.Hash, error) {
	of, r := level/tileHeight, level%tileHeight
	number, at := n>>(tileHeight-r), slot(r, n&(tileWidth>>r-1))
	if number == k.size>>(tileHeight*(of+1)) {
		return k.edge.tiles[of][at], nil
	}
	t, err := l.tile(k, of, number)
	if err != nil {
		return tlog.Hash{}, err
	}
	return t[at], nil
}

// tile answers a full tile. What is read from its file is held against the tile
// above, and so against what is in memory. A file that is missing or damaged is
// made again.
func (l *Log) tile(k *known, level int, n int64) (*tile, error) {
	if x, ok := l.files.held(tileKey{level, n}); ok {
		return x.tile, nil
	}
	want, err := l.hash(k, tileHeight*(level+1), n)
	if err != nil {
		return nil, err
	}
	t, err := l.readTile(level, n, want)
	var f *verify.Failure
	if errors.As(err, &f) {
		t, err = l.remakeTile(k, level, n, want, err)
	}
	if err != nil {
		return nil, err
	}
	l.files.mu.Lock()
	defer l.files.mu.Unlock()
	l.files.keep(filled{level: level, n: n, tile: t})
	return t, nil
}

// readTile reads a full tile, which must have a root.
func (l *Log) readTile(level int, n int64, want tlog.Hash) (*tile, error) {
	first := n << (tileHeight * (level + 1))
	b, err := os.ReadFile(l.path(level, n))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damage(first, "%s is missing", tilePath(level, n, 0))
	}
	if err != nil {
		return nil, err
	}
	if len(b) == tileBytes {
		if t, root := readTile(b); root == want {
			return t, nil
		}
	}
	return nil, damage(first, "%s is not what was written", tilePath(level, n, 0))
}

// bundle answers a bundle, which may not be full. A file that is missing or damaged
// is made again.
func (l *Log) bundle(k *known, n int64) ([]byte, error) {
	if n == k.size/tileWidth {
		return k.edge.bundle, nil
	}
	if x, ok := l.files.held(tileKey{bundleLevel, n}); ok {
		return x.bundle, nil
	}
	b, err := os.ReadFile(l.path(bundleLevel, n))
	if errors.Is(err, fs.ErrNotExist) {
		err = damage(n*tileWidth, "%s is missing", tilePath(bundleLevel, n, 0))
	} else if err == nil {
		err = l.agreesWithLeaves(k, n, b)
	}
	var f *verify.Failure
	if errors.As(err, &f) {
		b, err = l.remakeBundle(k, n, err)
	}
	if err != nil {
		return nil, err
	}
	l.files.mu.Lock()
	defer l.files.mu.Unlock()
	l.files.keep(filled{level: bundleLevel, n: n, bundle: b})
	return b, nil
}

// agreesWithLeaves holds a full bundle against the tile over it.
func (l *Log) agreesWithLeaves(k *known, n int64, b []byte) error {
	for i := n * tileWidth; i < (n+1)*tileWidth; i++ {
		e, rest, err := nextEntry(b)
		if err != nil {
			return damage(i, "%s is cut off at entry %d", tilePath(bundleLevel, n, 0), i)
		}
		want, err := l.hash(k, 0, i)
		if err != nil {
			return err
		}
		if leafHash(e) != want {
			return damage(i, "%s: entry %d is not what was written", tilePath(bundleLevel, n, 0), i)
		}
		b = rest
	}
	if len(b) > 0 {
		return damage(-1, "%s is longer than its entries", tilePath(bundleLevel, n, 0))
	}
	return nil
}

// reader answers stored hashes to the functions of tlog.
func (l *Log) reader(k *known) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			level, n := tlog.SplitStoredHashIndex(x)
			h, err := l.hash(k, level, n)
			if err != nil {
				return nil, err
			}
			out[i] = h
		}
		return out, nil
	})
}

// within answers the state of the log, if it has a size.
func (l *Log) within(size int64) (*known, error) {
	k := l.known.Load()
	if size < 0 || size > k.size {
		return nil, fmt.Errorf("the log has %d entries, and %d are asked for", k.size, size)
	}
	return k, nil
}

// Root is the root of the tree of the first size entries.
func (l *Log) Root(size int64) (tlog.Hash, error) {
	k, err := l.within(size)
	switch {
	case err != nil:
		return tlog.Hash{}, err
	case size == 0:
		return emptyRoot, nil
	case size == k.size:
		return k.root, nil
	}
	return tlog.TreeHash(size, l.reader(k))
}

// Inclusion proves that an entry is in the tree of a size (RFC 6962 §2.1.1).
func (l *Log) Inclusion(index, size int64) (tlog.RecordProof, error) {
	k, err := l.within(size)
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= size {
		return nil, fmt.Errorf("entry %d is not among the first %d", index, size)
	}
	return tlog.ProveRecord(size, index, l.reader(k))
}

// Consistency proves that the tree of one size begins as a smaller one (RFC 6962
// §2.1.2). From size 0 the proof is empty.
func (l *Log) Consistency(from, to int64) (tlog.TreeProof, error) {
	k, err := l.within(to)
	if err != nil {
		return nil, err
	}
	if from < 0 || from > to {
		return nil, fmt.Errorf("a log of %d entries does not begin as one of %d", to, from)
	}
	if from == 0 || from == to {
		return tlog.TreeProof{}, nil
	}
	return tlog.ProveTree(to, from, l.reader(k))
}

// Entry is the entry at an index.
func (l *Log) Entry(index int64) ([]byte, error) {
	k, err := l.within(index + 1)
	if err != nil || index < 0 {
		return nil, fmt.Errorf("the log has no entry %d", index)
	}
	b, err := l.bundle(k, index/tileWidth)
	if err != nil {
		return nil, err
	}
	var e []byte
	for range index%tileWidth + 1 {
		if e, b, err = nextEntry(b); err != nil {
			return nil, damage(index, "entry %d cannot be read", index)
		}
	}
	return slices.Clone(e), nil
}

// CheckpointFor is the smallest checkpoint that covers size entries, as it was
// signed when it was the newest.
func (l *Log) CheckpointFor(size int64) ([]byte, error) {
	k, err := l.within(size)
	if err != nil {
		return nil, err
	}
	if size == k.size {
		return slices.Clone(k.checkpoint), nil
	}
	path, from, stop, err := l.journal.find(size, k.at)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w := &window{f: f, at: from.offset, stop: stop}
	for w.at < stop {
		b, err := w.peek(recordHead)
		if err != nil {
			return nil, err
		}
		r, err := parseHead(b)
		if err == nil && r.end() < size {
			w.at += int64(r.length)
			continue
		}
		if err == nil {
			r, err = w.next()
		}
		if err != nil {
			return nil, damage(-1, "the journal, byte %d of a segment: %v", w.at, err)
		}
		return slices.Clone(r.checkpoint), nil
	}
	return nil, damage(-1, "the journal has no checkpoint for size %d", size)
}

// File answers what is published under a path of C2SP tlog-tiles: "checkpoint",
// "tile/0/x001/067", "tile/entries/000.p/12". immutable: it will always be the
// same. What there is not is fs.ErrNotExist.
func (l *Log) File(path string) (b []byte, immutable bool, err error) {
	k := l.known.Load()
	if path == "checkpoint" {
		return slices.Clone(k.checkpoint), false, nil
	}
	level, n, width, err := parseTilePath(path)
	if err != nil {
		return nil, false, err
	}
	hashes := k.size >> (tileHeight * max(level, 0))
	have := int64(0)
	if n <= hashes>>tileHeight {
		have = min(tileWidth, hashes-n<<tileHeight)
	}
	if want := int64(width); have < want || want == 0 && have < tileWidth {
		return nil, false, fmt.Errorf("%w: %s is beyond the log's size", fs.ErrNotExist, path)
	}
	if width == 0 {
		width = tileWidth
	}
	if level == bundleLevel {
		b, err = l.bundle(k, n)
		if err != nil {
			return nil, false, err
		}
		rest := b
		for range width {
			if _, rest, err = nextEntry(rest); err != nil {
				return nil, false, damage(-1, "%s cannot be read", path)
			}
		}
		return slices.Clone(b[:len(b)-len(rest)]), true, nil
	}
	t := k.edge.tiles[min(level, tileLevels-1)]
	if n < hashes>>tileHeight {
		if t, err = l.tile(k, level, n); err != nil {
			return nil, false, err
		}
	}
	return t.bytes(width), true, nil
}
