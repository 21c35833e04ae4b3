package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/forewarn-exchange/forewarn/verify"
)

// commitment is an entry of the size that the exchange writes.
func commitment(i int64) []byte {
	h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return append([]byte{1}, h[:]...)
}

// filledLog is a log of a size, not synced group by group.
func filledLog(b *testing.B, dir string, size int64) *Log {
	b.Helper()
	l := open(b, dir, options(b))
	const step = 20_000
	for n := int64(0); n < size; n += step {
		all := make([][]byte, min(step, size-n))
		for i := range all {
			all[i] = commitment(n + int64(i))
		}
		if err := l.Put(n, all); err != nil {
			b.Fatal(err)
		}
	}
	if err := l.Wait(b.Context(), size); err != nil {
		b.Fatal(err)
	}
	settle(l)
	return l
}

// BenchmarkOpen: how long a log of a million entries takes to open after its
// process was killed, and after it was closed.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	l := filledLog(b, dir, 1_000_000)
	killed := copyOf(b, dir)
	l.Close()
	for name, dir := range map[string]string{"killed": killed, "closed": dir} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				l, err := Open(dir, Options{ReadOnly: true})
				if err != nil {
					b.Fatal(err)
				}
				l.Close()
			}
		})
	}
	b.Run("bytes", func(b *testing.B) {
		var all int64
		for b.Loop() {
			all = folderSize(b, dir)
		}
		b.ReportMetric(float64(all)/1e6, "bytes/entry")
	})
	b.Run("check", func(b *testing.B) {
		l := open(b, dir, Options{ReadOnly: true})
		for b.Loop() {
			if err := l.Check(b.Context(), func(path string, i int64, err error) { b.Error(path, i, err) }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func folderSize(b *testing.B, dir string) (n int64) {
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		n += info.Size()
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkHundredMillion opens a log of 100,000,000 entries and more after a
// crash, and proves an entry in it. The log is simulated: its files are those that
// opening reads, the tiles along the right edge, with hashes that were drawn; of
// the journal there is the last segment, with 65,000 entries in as many groups.
func BenchmarkHundredMillion(b *testing.B) {
	dir := b.TempDir()
	const size, tail = 100_000_000 / 256 * 256, 65_000
	tiles := simulate(b, dir, size, tail)
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			l, err := Open(dir, Options{ReadOnly: true})
			if err != nil {
				b.Fatal(err)
			}
			l.Close()
		}
		b.ReportMetric(float64(tiles), "tiles-read")
	})
	b.Run("prove", func(b *testing.B) {
		l := open(b, dir, Options{ReadOnly: true})
		var p tlog.RecordProof
		for i := int64(0); b.Loop(); i++ {
			var err error
			if p, err = l.Inclusion(size+i%tail, l.Size()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(p)*tlog.HashSize), "bytes")
	})
}

func simulate(b *testing.B, dir string, size int64, tail int64) (tiles int) {
	b.Helper()
	r := rand.NewChaCha8([32]byte{1})
	l := &Log{dir: dir, origin: testOrigin, next: options(b).Signers, files: newFiles(dir)}
	e := &edge{size: size}
	for level := 1; level < tileLevels; level++ {
		first := size >> (tileHeight * (level + 1)) << tileHeight
		for n := first; n < size>>(tileHeight*level); n++ {
			raw := make([]byte, tileBytes)
			_, _ = r.Read(raw)
			t, root := readTile(raw)
			if err := l.files.write(filled{level: level - 1, n: n, tile: t}); err != nil {
				b.Fatal(err)
			}
			if e.tiles[level] == nil {
				e.tiles[level] = new(tile)
			}
			e.tiles[level].put(n-first, root)
			tiles++
		}
	}
	start := segmentStart{number: 1, first: size}
	journal := start.bytes()
	marker := position{segment: 1, offset: segmentHead, size: size}
	l.edge = e
	var prev sum
	for i := range tail {
		rec := appendEntry(make([]byte, recordHead), commitment(size+i))
		e.add(commitment(size+i), nil)
		text := verify.Checkpoint{Origin: testOrigin, Size: e.size, Root: e.root()}.Text()
		checkpoint := []byte(text + "\n— " + testOrigin + " " + string(make([]byte, 92)) + "\n") // not signed, as long
		if i == tail-1 {
			var err error
			if checkpoint, err = note.Sign(&note.Note{Text: text}, l.next...); err != nil {
				b.Fatal(err)
			}
		}
		rec, prev = seal(rec, size+i, 1, prev, checkpoint)
		journal = append(journal, rec...)
	}
	if err := os.MkdirAll(filepath.Join(dir, "journal"), 0o750); err != nil {
		b.Fatal(err)
	}
	write(b, filepath.Join(dir, "journal", segmentName(1)), journal)
	write(b, filepath.Join(dir, "log"), identity(testOrigin))
	write(b, filepath.Join(dir, "tiles"), marker.bytes())
	return tiles
}
