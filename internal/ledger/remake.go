package ledger

import (
	"os"
	"path/filepath"

	"github.com/forewarn-exchange/forewarn/internal/durable"
	"golang.org/x/mod/sumdb/tlog"
)

// remakeTile makes a full tile again: the lowest from the journal, any other from
// the tiles below. It must have the root that the tile above says; otherwise the
// answer is why.
func (l *Log) remakeTile(k *known, level int, n int64, want tlog.Hash, why error) (*tile, error) {
	t := new(tile)
	var root tlog.Hash
	if level == 0 {
		b, err := l.fromJournal(k, n)
		if err != nil {
			return nil, why
		}
		for i := range int64(tileWidth) {
			var e []byte
			if e, b, err = nextEntry(b); err != nil {
				return nil, why
			}
			root, _ = t.put(i, leafHash(e))
		}
	} else {
		for i := range int64(tileWidth) {
			h, err := l.rootFromFile(level-1, n*tileWidth+i)
			if err != nil {
				return nil, why
			}
			root, _ = t.put(i, h)
		}
	}
	if root != want {
		return nil, why
	}
	return t, l.mend(filled{level: level, n: n, tile: t}, why)
}

// rootFromFile answers the root of a tile as its file has it. Whether it is right
// shows in what it is put into.
func (l *Log) rootFromFile(level int, n int64) (tlog.Hash, error) {
	b, err := os.ReadFile(l.path(level, n))
	if err != nil || len(b) != tileBytes {
		return tlog.Hash{}, damage(-1, "%s cannot be read", tilePath(level, n, 0))
	}
	_, root := readTile(b)
	return root, nil
}

// remakeBundle makes a full bundle again from the journal.
func (l *Log) remakeBundle(k *known, n int64, why error) ([]byte, error) {
	b, err := l.fromJournal(k, n)
	if err != nil || l.agreesWithLeaves(k, n, b) != nil {
		return nil, why
	}
	return b, l.mend(filled{level: bundleLevel, n: n, bundle: b}, why)
}

// fromJournal answers the entries of a full bundle from the journal.
func (l *Log) fromJournal(k *known, n int64) ([]byte, error) {
	var out []byte
	next, end := n*tileWidth, (n+1)*tileWidth
	for next < end {
		path, from, stop, err := l.journal.find(next+1, k.at)
		if err != nil {
			return nil, err
		}
		before := next
		if out, next, err = collect(path, from, stop, out, next, end); err != nil {
			return nil, err
		}
		if next == before {
			return nil, damage(next, "the journal does not have entry %d", next)
		}
	}
	return out, nil
}

// collect appends to out the entries from next to end that are in one segment.
func collect(path string, from mark, stop int64, out []byte, next, end int64) ([]byte, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	for w := (&window{f: f, at: from.offset, stop: stop}); w.at < stop && next < end; {
		r, err := w.next()
		if err != nil {
			return nil, 0, err
		}
		i := r.first
		for rest := r.entries; len(rest) > 0 && next < end; i++ {
			var e []byte
			if e, rest, err = nextEntry(rest); err != nil {
				return nil, 0, err
			}
			if i == next {
				out, next = appendEntry(out, e), next+1
			}
		}
	}
	return out, next, nil
}

// mend writes a file again that was missing or damaged.
func (l *Log) mend(x filled, why error) error {
	l.o.Log.Warn("a file of the ledger was made again", "origin", l.origin, "file", tilePath(x.level, x.n, 0), "why", why)
	if l.o.ReadOnly {
		return nil
	}
	l.files.mending.Lock()
	defer l.files.mending.Unlock()
	path := l.path(x.level, x.n)
	if err := makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	return durable.Replace(path, x.bytes(), 0o640)
}
