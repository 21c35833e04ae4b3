package ledger

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles are 8 levels of the tree high and 256 hashes wide (C2SP tlog-tiles).
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	tileBytes  = tileWidth * tlog.HashSize
	tileLevels = 8 // of tiles: as many as sizes of 63 bits need
)

// tile holds the hashes of a tile and those above them, to below its root: level
// r of it has 256>>r hashes. A slot is written once, before the size that needs
// it is made known, and read afterwards; so readers need no lock.
type tile [2*tileWidth - 2]tlog.Hash

// slot is where hash n of level r of a tile stands.
func slot(r int, n int64) int64 { return 2*tileWidth - 2*tileWidth>>r + n }

// put sets hash n of the lowest level, and what follows from it. When the tile is
// full with it, it answers its root.
func (t *tile) put(n int64, h tlog.Hash) (root tlog.Hash, full bool) {
	t[n] = h
	for r := 0; n&1 == 1; r++ {
		h = tlog.NodeHash(t[slot(r, n-1)], h)
		if n >>= 1; r == tileHeight-1 {
			return h, true
		}
		t[slot(r+1, n)] = h
	}
	return tlog.Hash{}, false
}

// bytes is the tile as it is served, width hashes wide.
func (t *tile) bytes(width int) []byte {
	b := make([]byte, 0, width*tlog.HashSize)
	for i := range width {
		b = append(b, t[i][:]...)
	}
	return b
}

// readTile is the full tile that was written as b, and its root.
func readTile(b []byte) (*tile, tlog.Hash) {
	var t tile
	var root tlog.Hash
	for i := range int64(tileWidth) {
		root, _ = t.put(i, tlog.Hash(b[i*tlog.HashSize:]))
	}
	return &t, root
}

// leafHash is tlog.RecordHash without allocations.
func leafHash(entry []byte) tlog.Hash {
	var room [1 + 255]byte
	b := append(room[:1], entry...)
	return sha256.Sum256(b)
}

// emptyRoot is the root of the log without entries.
var emptyRoot = tlog.Hash(sha256.Sum256(nil))

// edge is the right edge of the tree: what is needed to append to it, and to
// answer for the tiles that are not full.
type edge struct {
	size   int64
	tiles  [tileLevels]*tile // the tile of each level that is not full; nil: not begun
	bundle []byte            // the entries of the bundle that is not full
}

// filled is a tile or a bundle that became full.
type filled struct {
	level  int // bundleLevel: a bundle
	n      int64
	tile   *tile
	bundle []byte
}

// bundleLevel is the level of bundles, where tiles and bundles are named alike.
const bundleLevel = -1

// add appends an entry, and to full what became full with it. A full tile's root
// stands in the level above before the tile is answered.
func (e *edge) add(entry []byte, full []filled) []filled {
	if e.bundle == nil {
		e.bundle = make([]byte, 0, tileWidth*(2+33))
	}
	e.bundle = appendEntry(e.bundle, entry)
	n := e.size
	if n%tileWidth == tileWidth-1 {
		full = append(full, filled{level: bundleLevel, n: n / tileWidth, bundle: e.bundle})
		e.bundle = nil
	}
	e.size++
	return e.put(0, n, leafHash(entry), full)
}

// put sets hash n of a level of tiles.
func (e *edge) put(level int, n int64, h tlog.Hash, full []filled) []filled {
	for ; ; level++ {
		if e.tiles[level] == nil {
			e.tiles[level] = new(tile)
		}
		t := e.tiles[level]
		root, done := t.put(n%tileWidth, h)
		if !done {
			return full
		}
		full = append(full, filled{level: level, n: n / tileWidth, tile: t})
		e.tiles[level] = nil
		n, h = n/tileWidth, root
	}
}

// root is the root of the whole tree.
func (e *edge) root() tlog.Hash {
	if e.size == 0 {
		return emptyRoot
	}
	// The complete subtrees of which the tree consists, from the right.
	var h tlog.Hash
	begun := false
	for level := 0; level < 63; level++ {
		if e.size>>level&1 == 0 {
			continue
		}
		n := e.size>>level - 1
		t, r := e.tiles[level/tileHeight], level%tileHeight
		left := t[slot(r, n&(tileWidth>>r-1))]
		if !begun {
			h, begun = left, true
			continue
		}
		h = tlog.NodeHash(left, h)
	}
	return h
}
