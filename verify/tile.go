package verify

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// TileWidth is how many hashes, or entries, a whole tile holds (C2SP tlog-tiles).
const TileWidth = 256

const (
	tileHeight = 8 // TileWidth is 1<<tileHeight
	treeLevels = 8 // of tiles: enough for 1<<63 entries
)

// EntriesLevel stands for bundles of entries where a level of tiles is asked for.
const EntriesLevel = -1

// TilePath is where a log has a tile: "tile/0/x001/067", or, when it holds fewer
// than 256 hashes, "tile/0/x001/067.p/112". Of EntriesLevel it is a bundle of
// entries: "tile/entries/x001/067" (C2SP tlog-tiles).
func TilePath(level int, n int64, width int) string {
	path := tlog.Tile{H: tileHeight, L: level, N: n, W: width}.Path()
	if level == EntriesLevel {
		return "tile/entries/" + strings.TrimPrefix(path, "tile/8/data/")
	}
	return "tile/" + strings.TrimPrefix(path, "tile/8/")
}

// ParseTilePath reads what TilePath writes.
func ParseTilePath(path string) (level int, n int64, width int, err error) {
	rest, ok := strings.CutPrefix(path, "tile/entries/")
	if ok {
		rest = "tile/8/data/" + rest
	} else if rest, ok = strings.CutPrefix(path, "tile/"); ok {
		rest = "tile/8/" + rest
	}
	t, err := tlog.ParseTilePath(rest)
	if err != nil || !ok || t.L >= treeLevels || TilePath(t.L, t.N, t.W) != path {
		return 0, 0, 0, fmt.Errorf("%.80q is not the path of a tile", path)
	}
	return t.L, t.N, t.W, nil
}

// TileWidthAt is how many hashes tile n of a level has in a tree of that size; 0
// when there is none.
func TileWidthAt(size int64, level int, n int64) int {
	w := size>>(tileHeight*max(level, 0)) - n<<tileHeight
	return int(min(max(w, 0), TileWidth))
}

// tiles holds the tiles of one tree against each other: a whole tile against the
// tile above it, and those at the right edge, which are not whole, against the
// root. It keeps one tile of each level and the edge, whatever the size.
type tiles struct {
	size  int64
	root  tlog.Hash
	edge  [treeLevels][]byte
	inner [treeLevels]innerTile
	fetch func(level int, n int64, width int) ([]byte, error) // nil: tiles are handed in by put
}

// innerTile is a whole tile.
type innerTile struct {
	n int64
	b []byte
}

// isEdge reports whether a tile is the one that is not whole.
func (t *tiles) isEdge(level int, n int64) bool { return n == t.size>>(tileHeight*(level+1)) }

// edges are the levels that have a tile at the right edge.
func (t *tiles) edges() (levels []int) {
	for level := range treeLevels {
		if TileWidthAt(t.size, level, t.size>>(tileHeight*(level+1))) > 0 {
			levels = append(levels, level)
		}
	}
	return levels
}

// open fetches the right edge and compares it with the root.
func (t *tiles) open() error {
	for _, level := range t.edges() {
		n := t.size >> (tileHeight * (level + 1))
		width := TileWidthAt(t.size, level, n)
		b, err := t.fetch(level, n, width)
		if err != nil {
			return err
		}
		if err := t.putEdge(level, b); err != nil {
			return err
		}
	}
	return t.checkRoot()
}

func (t *tiles) putEdge(level int, b []byte) error {
	n := t.size >> (tileHeight * (level + 1))
	width := TileWidthAt(t.size, level, n)
	if len(b) != width*tlog.HashSize {
		return tileFailure(level, n, width)
	}
	t.edge[level] = b
	return nil
}

// checkRoot compares the right edge with the root of the tree.
func (t *tiles) checkRoot() error {
	root, some := tlog.Hash(sha256.Sum256(nil)), false
	for _, b := range t.edge {
		for w := len(b) / tlog.HashSize; w > 0; w &= w - 1 { // complete trees, the smallest first
			h := treeHash(b[(w-w&-w)*tlog.HashSize : w*tlog.HashSize])
			if some {
				h = tlog.NodeHash(h, root)
			}
			root, some = h, true
		}
	}
	if root != t.root {
		return failure("the tiles at the right edge of the log are not those of the checkpoint's %d entries", t.size)
	}
	return nil
}

// put takes a whole tile in. The one above it must have been taken in before.
func (t *tiles) put(level int, n int64, b []byte) error {
	above, ok := t.above(level, n)
	if !ok {
		return failure("%s stands before the tile above it", TilePath(level, n, TileWidth))
	}
	if len(b) != TileWidth*tlog.HashSize || treeHash(b) != above {
		return tileFailure(level, n, TileWidth)
	}
	t.inner[level] = innerTile{n, b}
	return nil
}

// above is the hash of a whole tile, from the tile above it.
func (t *tiles) above(level int, n int64) (tlog.Hash, bool) {
	if level+1 >= treeLevels {
		return tlog.Hash{}, false
	}
	b, ok := t.held(level+1, n>>tileHeight)
	at := n & (TileWidth - 1) * tlog.HashSize
	if !ok || at+tlog.HashSize > int64(len(b)) {
		return tlog.Hash{}, false
	}
	return tlog.Hash(b[at : at+tlog.HashSize]), true
}

// held is a tile that was taken in and is still kept.
func (t *tiles) held(level int, n int64) ([]byte, bool) {
	if t.isEdge(level, n) {
		return t.edge[level], t.edge[level] != nil
	}
	in := t.inner[level]
	return in.b, in.b != nil && in.n == n
}

// at fetches a tile, and those above it as far as they are not kept.
func (t *tiles) at(level int, n int64) ([]byte, error) {
	if b, ok := t.held(level, n); ok {
		return b, nil
	}
	if TileWidthAt(t.size, level, n) == 0 {
		return nil, fmt.Errorf("the tree of %d entries has no %s", t.size, TilePath(level, n, TileWidth))
	}
	if _, err := t.at(level+1, n>>tileHeight); err != nil {
		return nil, err
	}
	b, err := t.fetch(level, n, TileWidth)
	if err != nil {
		return nil, err
	}
	if err := t.put(level, n, b); err != nil {
		return nil, err
	}
	return b, nil
}

func tileFailure(level int, n int64, width int) error {
	first := n << (tileHeight * (level + 1))
	return &Failure{
		What:  fmt.Sprintf("%s is not the tile of this log: it holds wrong hashes of the entries from %d on", TilePath(level, n, width), first),
		Index: first,
	}
}

// treeHash is the root of a complete tree over hashes that stand one after the
// other; their number is a power of 2.
func treeHash(b []byte) tlog.Hash {
	if len(b) == tlog.HashSize {
		return tlog.Hash(b)
	}
	var row [TileWidth * tlog.HashSize]byte
	n := copy(row[:], b)
	for ; n > tlog.HashSize; n /= 2 {
		for i := 0; i < n/2; i += tlog.HashSize {
			h := tlog.NodeHash(tlog.Hash(row[2*i:2*i+tlog.HashSize]), tlog.Hash(row[2*i+tlog.HashSize:2*i+2*tlog.HashSize]))
			copy(row[i:], h[:])
		}
	}
	return tlog.Hash(row[:tlog.HashSize])
}

// pathIn is the inclusion proof of hash i of a whole tile up to the tile's root.
func pathIn(tile []byte, i int64) []tlog.Hash {
	path := make([]tlog.Hash, 0, tileHeight)
	for width := int64(1); width < TileWidth; width *= 2 {
		beside := (i/width ^ 1) * width * tlog.HashSize
		path = append(path, treeHash(tile[beside:beside+width*tlog.HashSize]))
	}
	return path
}

// climb is the root of a whole tile of which hash i is h, by its path.
func climb(h tlog.Hash, i int64, path []tlog.Hash) tlog.Hash {
	for _, beside := range path {
		if i&1 == 0 {
			h = tlog.NodeHash(h, beside)
		} else {
			h = tlog.NodeHash(beside, h)
		}
		i >>= 1
	}
	return h
}

// readTile reads a tile or a bundle of entries by its path. What is not there any
// more because it has become whole is cut from the whole one.
func readTile(read func(path string) ([]byte, error), level int, n int64, width int) ([]byte, error) {
	b, err := read(TilePath(level, n, width))
	if err == nil || width == TileWidth || !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	whole, again := read(TilePath(level, n, TileWidth))
	if again != nil {
		return nil, err
	}
	if level != EntriesLevel {
		return whole[:min(len(whole), width*tlog.HashSize)], nil
	}
	all, again := ParseEntries(whole)
	if again != nil || len(all) < width {
		return nil, err
	}
	return AppendEntries(nil, all[:width]), nil
}

// ParseEntries reads a bundle of entries (C2SP tlog-tiles): each with its length in
// two bytes, big-endian, before it. With an error it answers those before it.
func ParseEntries(b []byte) ([][]byte, error) {
	var all [][]byte
	for len(b) > 0 {
		if len(b) < 2 || len(b) < 2+(int(b[0])<<8|int(b[1])) {
			return all, fmt.Errorf("the bundle of entries is cut off in its entry %d", len(all))
		}
		n := int(b[0])<<8 | int(b[1])
		if len(all) == TileWidth {
			return all, fmt.Errorf("the bundle holds more than %d entries", TileWidth)
		}
		all, b = append(all, b[2:2+n]), b[2+n:]
	}
	return all, nil
}

// AppendEntries writes entries as a bundle. None may be longer than 65,535 bytes.
func AppendEntries(b []byte, all [][]byte) []byte {
	for _, e := range all {
		b = append(b, byte(len(e)>>8), byte(len(e)))
		b = append(b, e...)
	}
	return b
}
