package verify

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// bundleReader reads the files of a bundle in their order. What is wrong is a
// *Failure; all else is that the bundle could not be read.
type bundleReader struct {
	archive
	keys, witnesses []string
	tiles           tiles
	report          BundleReport
	charters        map[int64]*charterUse
	group           int64 // the tile whose entries were read last
	given           *at   // the tile read last, until something beneath it is read
	last            BundleEvent
	total           int64
}

type at struct {
	level int
	n     int64
}

func (b *bundleReader) all() error {
	name, err := b.head()
	if err != nil {
		return err
	}
	for ; name != "end.json"; name, err = b.file() {
		if err != nil {
			return err
		}
		switch {
		case strings.HasPrefix(name, "tile/"):
			err = b.tile(name)
		case strings.HasPrefix(name, "entries/"):
			err = b.entries(name)
		default:
			err = failure("the file %.80q does not belong into a bundle, or not there", name)
		}
		if err != nil {
			return err
		}
	}
	return b.end()
}

// file is the name of the next file.
func (b *bundleReader) file() (string, error) {
	name, _, err := b.next()
	if err == io.EOF {
		return "", failure("the bundle is cut off: end.json is not there")
	}
	return name, err
}

// whole reads a file that must come next.
func (b *bundleReader) whole(want string, most int64) ([]byte, error) {
	name, err := b.file()
	if err != nil {
		return nil, err
	}
	if name != want {
		return nil, failure("%s is missing: %.80q stands in its place", want, name)
	}
	return b.body(most)
}

// head reads what stands before the events, and answers the name of the file that
// follows.
func (b *bundleReader) head() (string, error) {
	text, err := b.whole("manifest.json", 64<<10)
	if err != nil {
		return "", err
	}
	m, err := parseManifest(text)
	if err != nil {
		return "", err
	}
	signed, err := b.whole("checkpoint", MaxCheckpoint)
	if err != nil {
		return "", err
	}
	keys, err := b.whole("keys", 1<<20)
	if err != nil {
		return "", err
	}
	name, err := b.file()
	if err != nil {
		return "", err
	}
	trusted := b.keys
	if name == "statements" {
		if trusted, err = b.statements(m); err != nil {
			return "", err
		}
		if name, err = b.file(); err != nil {
			return "", err
		}
	}
	s, err := OpenCheckpoint(signed, trusted, b.witnesses)
	if err != nil {
		return "", err
	}
	if s.Origin != m.Origin || s.Size != m.Size {
		return "", failure("the manifest names the log %.80q with %d entries, the checkpoint %.80q with %d", m.Origin, m.Size, s.Origin, s.Size)
	}
	b.report.Manifest, b.report.Checkpoint = m, s
	if err := b.named(keys); err != nil {
		return "", err
	}
	for ; strings.HasPrefix(name, "charters/"); name, err = b.file() {
		if err == nil {
			err = b.charterFile(name)
		}
		if err != nil {
			return "", err
		}
	}
	if err != nil {
		return "", err
	}
	b.tiles = tiles{size: s.Size, root: s.Root}
	for _, level := range b.tiles.edges() {
		n := s.Size >> (tileHeight * (level + 1))
		if want := TilePath(level, n, TileWidthAt(s.Size, level, n)); name != want {
			return "", failure("%s is missing: %.80q stands in its place", want, name)
		}
		tile, err := b.body(TileWidth * tlog.HashSize)
		if err != nil {
			return "", err
		}
		if err := b.tiles.putEdge(level, tile); err != nil {
			return "", err
		}
		if name, err = b.file(); err != nil {
			return "", err
		}
	}
	return name, b.tiles.checkRoot()
}

func parseManifest(text []byte) (Manifest, error) {
	var j manifestJSON
	bad := failure("manifest.json is not the manifest of a bundle of the form %q", BundleFormat)
	if json.Unmarshal(text, &j) != nil || j.Format != BundleFormat {
		return Manifest{}, bad
	}
	m := Manifest{Program: j.Program, Origin: j.Origin, Size: j.Size}
	for _, x := range []struct {
		text string
		to   *time.Time
	}{{j.From, &m.From}, {j.To, &m.To}} {
		var err error
		if x.text != "" {
			*x.to, err = time.Parse(timeForm, x.text)
		}
		if err != nil {
			return Manifest{}, bad
		}
	}
	if !bytes.Equal(m.encode(), text) {
		return Manifest{}, bad
	}
	return m, nil
}

// statements reads how later keys of the log follow from those that are trusted.
func (b *bundleReader) statements(m Manifest) ([]string, error) {
	text, err := b.body(32 << 20)
	if err != nil {
		return nil, err
	}
	var j statementsJSON
	if json.Unmarshal(text, &j) != nil || !bytes.Equal(line(j), text) {
		return nil, failure("statements is not a list of statements of the log")
	}
	signed := make([][]byte, len(j.Statements))
	for i, s := range j.Statements {
		signed[i] = []byte(s)
	}
	h, err := Trace(m.Origin, b.keys, signed)
	return h.KeysFor(m.Size), err
}

// named takes in the keys that the bundle names.
func (b *bundleReader) named(text []byte) error {
	var keys, witnesses []string
	for l := range strings.Lines(string(text)) {
		if k, ok := strings.CutPrefix(l, "log "); ok {
			keys = append(keys, strings.TrimSuffix(k, "\n"))
		} else if k, ok := strings.CutPrefix(l, "witness "); ok {
			witnesses = append(witnesses, strings.TrimSuffix(k, "\n"))
		}
	}
	if !bytes.Equal(encodeKeys(keys, witnesses), text) {
		return failure(`keys is not a list of keys: "log " or "witness " and the key, a line each`)
	}
	b.report.Keys = append(keys, witnesses...)
	return nil
}

func (b *bundleReader) charterFile(name string) error {
	version, form, _ := strings.Cut(strings.TrimPrefix(name, "charters/"), ".")
	v, err := strconv.ParseInt(version, 10, 64)
	if err != nil || (Charter{Version: v, Form: form}).path() != name || form != "toml" && form != "json" {
		return failure("the file %.80q is not a version of the charter", name)
	}
	newest := int64(-1)
	for _, c := range b.charters {
		newest = max(newest, c.Version)
	}
	if v <= newest || len(b.charters) >= mostCharters {
		return failure("%s stands twice, or in the wrong place, or there are more than %d versions", name, mostCharters)
	}
	text, err := b.body(maxFile)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	b.charters[v] = &charterUse{CharterUse: CharterUse{Version: v, Digest: b64.EncodeToString(sum[:])}}
	return nil
}

// tile reads a whole tile that stands above entries.
func (b *bundleReader) tile(name string) error {
	level, n, width, err := ParseTilePath(name)
	if err != nil || level == EntriesLevel || width != TileWidth {
		return failure("the file %.80q does not belong into a bundle, or not there", name)
	}
	in := b.tiles.inner[level]
	if in.b != nil && in.n >= n || n<<(tileHeight*level) <= b.group && level == 0 {
		return failure("%s stands twice, or in the wrong place", name)
	}
	if err := b.beneath(level, n, name); err != nil {
		return err
	}
	body, err := b.body(TileWidth * tlog.HashSize)
	if err != nil {
		return err
	}
	b.given = &at{level, n}
	return b.tiles.put(level, n, body)
}

// beneath reports whether what is read lies beneath the tile that was read last.
func (b *bundleReader) beneath(level int, n int64, name string) error {
	if g := b.given; g != nil && (g.level != level+1 || g.n != n>>tileHeight) {
		return failure("%.80q does not belong after %s, beneath which nothing stands", name, TilePath(g.level, g.n, TileWidth))
	}
	b.given = nil
	return nil
}

// entries reads the events beneath one tile.
func (b *bundleReader) entries(name string) error {
	_, n, _, err := ParseTilePath("tile/entries/" + strings.TrimSuffix(strings.TrimPrefix(name, "entries/"), ".jsonl"))
	if err != nil || entriesPath(n) != name || TileWidthAt(b.tiles.size, 0, n) == 0 {
		return failure("the file %.80q does not belong into a bundle", name)
	}
	if n <= b.group {
		return failure("%s stands twice, or in the wrong place", name)
	}
	if g := b.given; g != nil && g.level == 0 {
		if g.n != n {
			return failure("%s does not belong after %s", name, TilePath(0, g.n, TileWidth))
		}
		b.given = nil
	} else if err := b.beneath(0, n, name); err != nil {
		return err
	}
	b.group = n
	if b.left == 0 {
		return failure("%s is empty", name)
	}
	leaf, ok := b.tiles.held(0, n)
	above, some := b.tiles.above(0, n)
	if !ok && !some {
		return failure("%s stands without the tile above it", name)
	}
	lines := bufio.NewReader(&b.archive)
	for {
		text, err := readLine(lines, MaxOpening+64<<10)
		if err == io.EOF {
			return nil
		}
		var f *Failure
		if err != nil && !errors.As(err, &f) {
			return &Failure{What: fmt.Sprintf("%s: after place %d: %v", name, b.last.Index, err), Index: -1}
		}
		if err != nil {
			return err
		}
		if err := b.entry(text, n, leaf, above); err != nil {
			return err
		}
	}
}

// readLine reads a line of at most that many bytes.
func readLine(r *bufio.Reader, most int) ([]byte, error) {
	var text []byte
	for {
		b, err := r.ReadSlice('\n')
		text = append(text, b...)
		switch {
		case err == nil:
			return text, nil
		case len(text) > most:
			return nil, fmt.Errorf("a line is longer than %d bytes", most)
		case err == bufio.ErrBufferFull:
		case err == io.EOF && len(text) > 0:
			return nil, errors.New("the last line does not end")
		default:
			return nil, err
		}
	}
}

// entry checks one event. leaf is the tile that holds its hash; when it is nil, above
// is the hash of that tile.
func (b *bundleReader) entry(text []byte, n int64, leaf []byte, above tlog.Hash) error {
	l, err := parseEntryLine(text)
	if err != nil {
		return &Failure{What: fmt.Sprintf("%s: the entry after %d cannot be read: %v", entriesPath(n), b.last.Index, err), Index: l.Index}
	}
	if l.Index <= b.last.Index || l.Index>>tileHeight != n || l.Index >= b.tiles.size {
		return &Failure{What: fmt.Sprintf("%s: place %d stands twice, or in the wrong place", entriesPath(n), l.Index), Index: l.Index}
	}
	entry, err := l.opening.Entry()
	if err != nil {
		return &Failure{What: fmt.Sprintf("place %d: %v", l.Index, err), Index: l.Index}
	}
	h, i := tlog.RecordHash(entry), l.Index%TileWidth
	switch {
	case leaf != nil && (l.path != nil || h != tlog.Hash(leaf[i*tlog.HashSize:(i+1)*tlog.HashSize])):
		return entryFailure(l.Index)
	case leaf == nil && (len(l.path) != tileHeight || climb(h, i, l.path) != above):
		return entryFailure(l.Index)
	}
	return b.event(&l)
}

// end compares the counts.
func (b *bundleReader) end() error {
	if b.given != nil {
		return failure("nothing stands beneath %s", TilePath(b.given.level, b.given.n, TileWidth))
	}
	sum := hex.EncodeToString(b.before[:])
	text, err := b.body(4 << 10)
	if err != nil {
		return err
	}
	var j endJSON
	if json.Unmarshal(text, &j) != nil || !bytes.Equal(line(j), text) {
		return failure("end.json does not say how many entries there are, and the SHA-256 of the bundle")
	}
	if j.Entries != b.total {
		return failure("end.json says that there are %d entries; there are %d", j.Entries, b.total)
	}
	if j.SHA256 != sum {
		return failure("the bundle was changed after it was written: its SHA-256 is %s, and end.json says %.80q", sum, j.SHA256)
	}
	if name, _, err := b.next(); err == nil {
		return failure("the file %.80q stands after the end of the bundle", name)
	} else if err != io.EOF {
		return err
	}
	return nil
}
