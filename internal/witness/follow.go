package witness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Fetch reads one resource below the address of a log, such as "checkpoint" or
// "tile/0/000" (C2SP tlog-tiles). What is not there is fs.ErrNotExist.
type Fetch func(ctx context.Context, path string) ([]byte, error)

// Split says that a log shows a history that does not go on from what the
// witness saw. Both checkpoints are signed by the log and kept.
type Split struct {
	Origin      string
	Seen, Shown int64  // sizes
	Newest      []byte // what the witness saw: signed by the log and the witness
	Shorter     bool   // which a cache that gives something old can do, once
	How         string
}

func (s *Split) Error() string {
	return fmt.Sprintf("the log %s shows a history of %d entries that differs from the one of %d entries that this witness saw: %s",
		s.Origin, s.Shown, s.Seen, s.How)
}

// Follow fetches the newest checkpoint of a log, makes sure from the log's own
// tiles that it goes on from the newest that the witness cosigned, and cosigns
// it. It answers the cosigned checkpoint; a history that differs is a *Split.
func (w *Witness) Follow(ctx context.Context, origin string, fetch Fetch) (Seen, error) {
	checkpoint, err := fetch(ctx, "checkpoint")
	if err != nil {
		return Seen{}, fmt.Errorf("fetching the checkpoint: %w", err)
	}
	h, c, signed, err := w.open(checkpoint)
	if err != nil {
		return Seen{}, fmt.Errorf("the checkpoint of %s: %w", origin, err)
	}
	if c.Origin != origin {
		return Seen{}, fmt.Errorf("what is fetched is the log %.80q, not %.80q", c.Origin, origin)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := h.newest
	split := &Split{Origin: origin, Seen: seen.Size, Shown: c.Size, Newest: seen.Signed}
	if c.Size < seen.Size {
		split.How, split.Shorter = "it is shorter", true
		w.accuse(h, signed, c, false, split.How)
		return Seen{}, split
	}
	var proof tlog.TreeProof
	if seen.Size > 0 && c.Size > seen.Size {
		tree := tlog.Tree{N: c.Size, Hash: c.Root}
		proof, err = tlog.ProveTree(c.Size, seen.Size, tlog.TileHashReader(tree, &tiles{ctx, fetch}))
		if err != nil {
			return Seen{}, fmt.Errorf("reading the tiles of %s: %w", origin, err)
		}
	}
	_, err = w.extend(h, c, signed, proof, true)
	var refused *Refusal
	if errors.As(err, &refused) && (refused.Status == http.StatusConflict || refused.Status == http.StatusUnprocessableEntity) {
		split.How = refused.Text
		return Seen{}, split
	}
	return h.newest, err
}

// tiles reads the tiles of a log. What it reads is verified by tlog.
type tiles struct {
	ctx   context.Context
	fetch Fetch
}

const tileHeight = 8

// Height is the height of a tile.
func (t *tiles) Height() int { return tileHeight }

// SaveTiles keeps nothing.
func (t *tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles fetches tiles one after the other. Where a partial tile is gone, the
// whole one has taken its place.
func (t *tiles) ReadTiles(want []tlog.Tile) (out [][]byte, err error) {
	for _, tile := range want {
		b, err := t.fetch(t.ctx, pathOf(tile))
		if errors.Is(err, fs.ErrNotExist) && tile.W < 1<<tileHeight {
			whole := tile
			whole.W = 1 << tileHeight
			b, err = t.fetch(t.ctx, pathOf(whole))
		}
		if err != nil {
			return nil, fmt.Errorf("fetching %s: %w", pathOf(tile), err)
		}
		if len(b) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s is cut off", pathOf(tile))
		}
		out = append(out, b[:tile.W*tlog.HashSize])
	}
	return out, nil
}

// pathOf is the path of a tile (C2SP tlog-tiles), which does not name the height.
func pathOf(t tlog.Tile) string {
	return strings.Replace(t.Path(), fmt.Sprintf("tile/%d/", tileHeight), "tile/", 1)
}
