package verify

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	testOrigin  = "exchange.example/log"
	testProgram = "early-warning"
)

var testDay = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// testSigner is an Ed25519 signer of a log, the same for the same name and seed.
func testSigner(t testing.TB, name string, seed byte) (note.Signer, string) {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	key, err := note.NewEd25519VerifierKey(name, private.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	typed := append([]byte{1}, private.Seed()...)
	signer, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, keyHash(name, append([]byte{1}, private.Public().(ed25519.PublicKey)...)), base64.StdEncoding.EncodeToString(typed)))
	if err != nil {
		t.Fatal(err)
	}
	return signer, key
}

func testWitness(t testing.TB, name string, seed byte) (*WitnessSigner, string) {
	t.Helper()
	s, key, err := NewWitnessSigner(name, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)), func() time.Time { return testDay })
	if err != nil {
		t.Fatal(err)
	}
	return s, key
}

// testLog is a log in memory: its entries, and every file that it publishes.
type testLog struct {
	t       testing.TB
	signer  note.Signer
	key     string
	hashes  []tlog.Hash
	entries [][]byte
	files   map[string][]byte
}

func newTestLog(t testing.TB) *testLog {
	l := &testLog{t: t, files: map[string][]byte{}}
	l.signer, l.key = testSigner(t, testOrigin, 1)
	return l
}

func (l *testLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = l.hashes[x]
	}
	return out, nil
}

func (l *testLog) add(entries ...[]byte) {
	for _, e := range entries {
		more, err := tlog.StoredHashes(int64(len(l.entries)), e, l)
		if err != nil {
			l.t.Fatal(err)
		}
		l.hashes = append(l.hashes, more...)
		l.entries = append(l.entries, e)
	}
}

func (l *testLog) size() int64 { return int64(len(l.entries)) }

func (l *testLog) root(size int64) tlog.Hash {
	h, err := tlog.TreeHash(size, l)
	if err != nil {
		l.t.Fatal(err)
	}
	if size == 0 {
		return sha256.Sum256(nil)
	}
	return h
}

func (l *testLog) checkpoint(size int64, more ...note.Signer) []byte {
	text := Checkpoint{Origin: l.signer.Name(), Size: size, Root: l.root(size)}.Text()
	b, err := note.Sign(&note.Note{Text: text}, append([]note.Signer{l.signer}, more...)...)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

// publish writes the checkpoint, the tiles and the bundles of the present size.
func (l *testLog) publish(more ...note.Signer) {
	size := l.size()
	l.files["checkpoint"] = l.checkpoint(size, more...)
	for _, tile := range tlog.NewTiles(tileHeight, 0, size) {
		b, err := tlog.ReadTileData(tile, l)
		if err != nil {
			l.t.Fatal(err)
		}
		l.files[TilePath(tile.L, tile.N, tile.W)] = b
		if tile.L == 0 {
			from := tile.N * TileWidth
			l.files[TilePath(EntriesLevel, tile.N, tile.W)] = AppendEntries(nil, l.entries[from:from+int64(tile.W)])
		}
	}
}

func (l *testLog) read(path string) ([]byte, error) {
	b, ok := l.files[path]
	if !ok {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return bytes.Clone(b), nil
}

func testSalt(i int64) (s [SaltSize]byte) {
	h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("salt"), uint64(i)))
	copy(s[:], h[:])
	return s
}

// testEvent is event number n of the test's program.
func testEvent(n int64) []byte {
	kind := []string{"page.serve", "release.approve", "object.serve", "feedback.give"}[n%4]
	return fmt.Appendf(nil, `{"actor_org":"acme","actor_token":"tok_c3v5kq2x7mzt4a6e","at":%q,"channel":"taxii","d_charter":%d,"kind":%q,"number":%d,"program":%q,"release":"rel_7mzt4a6ec3v5kq2x","subject":["a<b & c","é"],"v":1}`,
		testDay.Add(time.Duration(n)*time.Minute).Format(timeForm), 1+n/200, kind, n, testProgram)
}

// fillTest adds size entries, of which every step-th is an event of the program,
// and answers those.
func (l *testLog) fillTest(size, step int64) (events []BundleEntry) {
	for i := range size {
		if i%step != 0 {
			l.add(append([]byte{1}, bytes.Repeat([]byte{byte(i)}, 32)...))
			continue
		}
		o := Opening{Event: testEvent(int64(len(events)) + 1), Salt: testSalt(i)}
		entry, err := o.Entry()
		if err != nil {
			l.t.Fatal(err)
		}
		l.add(entry)
		events = append(events, BundleEntry{Index: i, Seq: i + 1, Opening: o})
	}
	return events
}

func (l *testLog) receipt(e BundleEntry, size int64, more ...note.Signer) Receipt {
	proof, err := tlog.ProveRecord(size, e.Index, l)
	if err != nil {
		l.t.Fatal(err)
	}
	return Receipt{Opening: e.Opening, Index: e.Index, Proof: proof, Checkpoint: l.checkpoint(size, more...)}
}

func (l *testLog) bundle(events []BundleEntry, change func(*BundleOptions)) ([]byte, error) {
	o := BundleOptions{
		Program: testProgram, Checkpoint: l.files["checkpoint"], Keys: []string{l.key}, Read: l.read,
		Charters: []Charter{{1, "toml", []byte("title = \"one\"\n")}, {2, "toml", []byte("title = \"two\"\n")}},
	}
	if change != nil {
		change(&o)
	}
	var b bytes.Buffer
	w, err := NewBundleWriter(&b, o)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if err := w.Add(e); err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return b.Bytes(), err
}
