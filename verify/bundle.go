package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// BundleFormat names the form of an evidence bundle.
const BundleFormat = "forewarn evidence bundle v1"

// Manifest says what a bundle is evidence of: the events of one program in one
// log, from a moment on and before another. A zero time is no limit.
type Manifest struct {
	Program string
	From    time.Time
	To      time.Time
	Origin  string // of the log
	Size    int64  // of the log, under the bundle's checkpoint
}

type manifestJSON struct {
	Format  string `json:"format"`
	Program string `json:"program"`
	From    string `json:"from,omitempty"`
	To      string `json:"to,omitempty"`
	Origin  string `json:"origin"`
	Size    int64  `json:"size"`
}

// timeForm is how events and manifests write instants.
const timeForm = "2006-01-02T15:04:05.000000Z"

func (m Manifest) encode() []byte {
	j := manifestJSON{Format: BundleFormat, Program: m.Program, Origin: m.Origin, Size: m.Size}
	if !m.From.IsZero() {
		j.From = m.From.UTC().Format(timeForm)
	}
	if !m.To.IsZero() {
		j.To = m.To.UTC().Format(timeForm)
	}
	return line(j)
}

// line is v as JSON on one line, nothing of it escaped without need.
func line(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // v is one of our own structs
	}
	return b.Bytes()
}

// BundleOptions is what a bundle needs besides the events.
type BundleOptions struct {
	Program  string
	From, To time.Time // zero: no limit

	Checkpoint []byte   // signed, with the cosignatures; all entries lie beneath it
	Keys       []string // of the log: whoever verifies compares them with those that they trust
	Witnesses  []string // keys whose cosignatures the checkpoint may carry
	Statements [][]byte // of the log, signed: how later keys follow from earlier ones

	Charters []Charter // the versions of the program's charter that were in force

	// Read reads a file of the log by its path, such as "tile/0/x001/067.p/112",
	// beneath the size of the checkpoint. What is not there is fs.ErrNotExist.
	Read func(path string) ([]byte, error)
}

// Charter is one version of a program's charter, as it was applied. Form is toml or
// json.
type Charter struct {
	Version int64
	Form    string
	Text    []byte
}

func (c Charter) path() string { return fmt.Sprintf("charters/%d.%s", c.Version, c.Form) }

// BundleEntry is one event of the program. Seq is its number in the exchange, from
// 1. The opening shows at least the parts number, program and at; events outside the
// period show nothing else, and stand in a bundle so that its row of numbers has
// ends: whoever writes a bundle adds the event before the first and the one after
// the last.
type BundleEntry struct {
	Index   int64
	Seq     int64
	Opening Opening
}

// pathsUpTo is the number of entries beneath one tile up to which each carries its
// own path instead: a path takes about 360 bytes, a tile 8,704.
const pathsUpTo = 24

// BundleWriter writes the evidence bundle of a program: a tar archive, the same
// bytes for the same events. It reads and checks what it writes: a bundle that would
// not verify is an error here.
//
// The files are, in this order: manifest.json; checkpoint; keys; statements, if
// there are any; charters/<version>.toml; the tiles at the right edge of the log, the
// lowest first; then for each tile of the lowest level beneath which an event lies:
// those tiles above it that did not stand before, the tile itself when many events
// lie beneath it, and entries/<number of the tile>.jsonl; and end.json, with the
// counts and the SHA-256 of all that stands before it. What is kept in memory is one
// tile of each level and the events beneath one of them.
type BundleWriter struct {
	out   io.Writer
	sum   hash.Hash
	tiles tiles
	given [treeLevels]int64 // the tile given last at each level
	group []groupEntry
	last  BundleEntry
	total int64
	err   error
}

type groupEntry struct {
	BundleEntry
	hash tlog.Hash
}

// NewBundleWriter begins a bundle. No clock is read and nothing is written but to w.
func NewBundleWriter(w io.Writer, o BundleOptions) (*BundleWriter, error) {
	s, err := OpenCheckpoint(o.Checkpoint, o.Keys, o.Witnesses)
	if err != nil {
		return nil, fmt.Errorf("the checkpoint of the bundle: %w", err)
	}
	b := &BundleWriter{sum: sha256.New(), last: BundleEntry{Index: -1}}
	b.out = io.MultiWriter(w, b.sum)
	b.tiles = tiles{size: s.Size, root: s.Root, fetch: func(level int, n int64, width int) ([]byte, error) {
		return readTile(o.Read, level, n, width)
	}}
	if err := b.tiles.open(); err != nil {
		return nil, fmt.Errorf("the tiles of the bundle: %w", err)
	}
	for i := range b.given {
		b.given[i] = -1
	}
	m := Manifest{Program: o.Program, From: o.From, To: o.To, Origin: s.Origin, Size: s.Size}
	b.file("manifest.json", m.encode())
	b.file("checkpoint", o.Checkpoint)
	b.file("keys", encodeKeys(o.Keys, o.Witnesses))
	if len(o.Statements) > 0 {
		b.file("statements", line(statementsJSON{texts(o.Statements)}))
	}
	charters := slices.Clone(o.Charters)
	slices.SortFunc(charters, func(x, y Charter) int { return int(x.Version - y.Version) })
	for _, c := range charters {
		b.file(c.path(), c.Text)
	}
	for _, level := range b.tiles.edges() {
		n := s.Size >> (tileHeight * (level + 1))
		b.file(TilePath(level, n, TileWidthAt(s.Size, level, n)), b.tiles.edge[level])
	}
	return b, b.err
}

type statementsJSON struct {
	Statements []string `json:"statements"`
}

func texts(all [][]byte) []string {
	out := make([]string, len(all))
	for i, b := range all {
		out[i] = string(b)
	}
	return out
}

// encodeKeys writes a key to a line, "log " or "witness " before it.
func encodeKeys(keys, witnesses []string) []byte {
	var b strings.Builder
	for _, k := range keys {
		b.WriteString("log " + strings.TrimSpace(k) + "\n")
	}
	for _, k := range witnesses {
		b.WriteString("witness " + strings.TrimSpace(k) + "\n")
	}
	return []byte(b.String())
}

func (b *BundleWriter) file(name string, body []byte) {
	if b.err == nil {
		b.err = writeFile(b.out, name, body)
	}
}

// Add adds an event. Events come in the order of their indexes. An event whose
// opening is not that of its entry in the log is a *Failure that names the index.
func (b *BundleWriter) Add(e BundleEntry) error {
	if b.err != nil {
		return b.err
	}
	b.err = b.add(e)
	return b.err
}

func (b *BundleWriter) add(e BundleEntry) error {
	if e.Index <= b.last.Index || e.Index >= b.tiles.size {
		return fmt.Errorf("place %d does not come after %d, or is not among the %d of the checkpoint", e.Index, b.last.Index, b.tiles.size)
	}
	if b.total > 0 && e.Seq-e.Index != b.last.Seq-b.last.Index {
		return fmt.Errorf("place %d: event %d does not stand there when event %d is at place %d", e.Index, e.Seq, b.last.Seq, b.last.Index)
	}
	if len(b.group) > 0 && e.Index/TileWidth != b.group[0].Index/TileWidth {
		if err := b.flush(); err != nil {
			return err
		}
	}
	entry, err := e.Opening.Entry()
	if err != nil {
		return fmt.Errorf("place %d: %w", e.Index, err)
	}
	b.group = append(b.group, groupEntry{e, tlog.RecordHash(entry)})
	b.last = e
	b.total++
	return nil
}

// flush writes the events beneath one tile, and what proves them.
func (b *BundleWriter) flush() error {
	n := b.group[0].Index / TileWidth
	leaf, err := b.tiles.at(0, n)
	if err != nil {
		return err
	}
	for level := treeLevels - 1; level >= 0; level-- {
		m := n >> (tileHeight * level)
		if TileWidthAt(b.tiles.size, level, m) == 0 || b.tiles.isEdge(level, m) || b.given[level] == m {
			continue
		}
		if level == 0 && len(b.group) <= pathsUpTo {
			continue
		}
		tile, err := b.tiles.at(level, m)
		if err != nil {
			return err
		}
		b.file(TilePath(level, m, TileWidth), tile)
		b.given[level] = m
	}
	var lines []byte
	for _, e := range b.group {
		at := e.Index % TileWidth
		if e.hash != tlog.Hash(leaf[at*tlog.HashSize:(at+1)*tlog.HashSize]) {
			return entryFailure(e.Index)
		}
		l := entryLine{Index: e.Index, Seq: e.Seq, opening: e.Opening}
		if b.given[0] != n && !b.tiles.isEdge(0, n) {
			l.path = pathIn(leaf, at)
		}
		if lines, err = l.append(lines); err != nil {
			return err
		}
	}
	b.file(entriesPath(n), lines)
	b.group = b.group[:0]
	return b.err
}

func entryFailure(index int64) error {
	return &Failure{What: fmt.Sprintf("the entry at place %d of the log is not the event that is shown for it: the event was changed, or belongs to another entry", index), Index: index}
}

// entriesPath is where the events beneath tile n stand.
func entriesPath(n int64) string {
	return "entries/" + strings.TrimPrefix(TilePath(EntriesLevel, n, TileWidth), "tile/entries/") + ".jsonl"
}

// MaxOpening is the largest opening in a bundle, in bytes of JSON.
const MaxOpening = 1 << 20

// endJSON closes a bundle.
type endJSON struct {
	Entries int64  `json:"entries"`
	SHA256  string `json:"sha256"` // of all bytes before the header of end.json
}

// Close ends the bundle; it does not close what is written to. Without it the
// bundle is cut off, and does not verify.
func (b *BundleWriter) Close() error {
	if b.err != nil {
		return b.err
	}
	if len(b.group) > 0 {
		if b.err = b.flush(); b.err != nil {
			return b.err
		}
	}
	b.file("end.json", line(endJSON{b.total, hex.EncodeToString(b.sum.Sum(nil))}))
	if b.err == nil {
		_, b.err = b.out.Write(make([]byte, 2*blockSize))
	}
	if b.err != nil {
		return b.err
	}
	b.err = errors.New("the bundle is closed")
	return nil
}
