package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"sync"

	"github.com/forewarn-exchange/forewarn/internal/durable"
)

// segmentSize is the size at which a segment of the journal ends.
const segmentSize = 64 << 20

// journal is the files that groups are appended to.
type journal struct {
	dir  string
	max  int64 // size at which a segment ends
	file *os.File
	at   position // where the next record goes; its size is that of the log
	room int64    // up to where the file has zeros, which records are written over
	more int64    // by how much that grew last

	mu       sync.Mutex
	segments []*segment // in order; the last is written
}

// segment is one file of the journal.
type segment struct {
	segmentStart
	path string

	mu    sync.Mutex
	marks []mark // every markEvery bytes or so, where a record begins
	end   int64  // of what marks tell
}

// mark is where a record begins.
type mark struct {
	offset, first int64
}

const markEvery = 64 << 10

// openJournal reads the heads of the segments in a folder.
func openJournal(dir string) (*journal, error) {
	j := &journal{dir: dir, max: segmentSize}
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		number, err := strconv.ParseUint(name.Name(), 10, 32)
		if err != nil || name.Name() != segmentName(uint32(number)) {
			continue // a temporary name; Check tells of others
		}
		s := &segment{path: filepath.Join(dir, name.Name()), end: segmentHead}
		s.segmentStart, err = readSegmentStart(s.path)
		if err != nil {
			return nil, damage(-1, "journal/%s: %v", name.Name(), err)
		}
		j.segments = append(j.segments, s)
		if want := uint32(len(j.segments)); s.number != want || uint64(want) != number {
			return nil, damage(-1, "journal/%s: segment %d stands where %d belongs: one is missing", name.Name(), s.number, want)
		}
	}
	return j, nil
}

func segmentName(number uint32) string { return fmt.Sprintf("%08d", number) }

func readSegmentStart(path string) (segmentStart, error) {
	f, err := os.Open(path)
	if err != nil {
		return segmentStart{}, err
	}
	defer f.Close()
	b := make([]byte, segmentHead)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return segmentStart{}, err
	}
	return parseSegmentStart(b[:n])
}

// begin opens a further segment at the end of the journal.
func (j *journal) begin() error {
	start := segmentStart{number: uint32(len(j.segments)) + 1, first: j.at.size, prev: j.at.prev}
	path := filepath.Join(j.dir, segmentName(start.number))
	if err := durable.Replace(path, start.bytes(), 0o640); err != nil {
		return fmt.Errorf("beginning a segment of the journal: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("beginning a segment of the journal: %w", err)
	}
	if j.file != nil {
		j.file.Close()
	}
	j.file = f
	j.at.segment, j.at.offset, j.room = start.number, segmentHead, segmentHead
	j.mu.Lock()
	j.segments = append(j.segments, &segment{segmentStart: start, path: path, end: segmentHead})
	j.mu.Unlock()
	return nil
}

// Records are written over zeros, because a sync is quicker where the file does not
// become longer. The zeros grow with the journal, between these limits.
const (
	leastRoom = 16 << 10
	mostRoom  = 1 << 20
)

// append writes a record and makes it durable: one write, one sync.
func (j *journal) append(rec []byte, end int64, s sum) error {
	if j.at.offset > segmentHead && j.at.offset+int64(len(rec)) > j.max {
		if err := j.trim(); err != nil {
			return fmt.Errorf("ending a segment of the journal: %w", err)
		}
		if err := j.begin(); err != nil {
			return err
		}
	}
	if err := j.write(rec); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	last := j.segments[len(j.segments)-1]
	last.note(j.at.offset, j.at.size, int64(len(rec)))
	j.at = position{segment: j.at.segment, offset: j.at.offset + int64(len(rec)), size: end, prev: s}
	return nil
}

func (j *journal) write(rec []byte) error {
	if _, err := j.file.WriteAt(rec, j.at.offset); err != nil {
		return err
	}
	if end := j.at.offset + int64(len(rec)); end > j.room {
		j.more = min(max(2*j.more, leastRoom), mostRoom)
		if _, err := j.file.WriteAt(make([]byte, j.more), end); err != nil {
			return err
		}
		j.room = end + j.more
		return j.file.Sync()
	}
	return syncData(j.file)
}

// trim takes the zeros off the end of the journal, durably: only the last segment
// may have them.
func (j *journal) trim() error {
	j.room = j.at.offset
	return errors.Join(j.file.Truncate(j.at.offset), j.file.Sync())
}

// note remembers where a record begins, if it follows what is remembered.
func (s *segment) note(offset, first, length int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != offset {
		return // scan reads it when it is asked for
	}
	if len(s.marks) == 0 || offset-s.marks[len(s.marks)-1].offset >= markEvery {
		s.marks = append(s.marks, mark{offset, first})
	}
	s.end = offset + length
}

// stop answers where segment i ends: at the head of the next, or, where it is the
// last, at what was made known.
func (j *journal) stop(i int, known position) int64 {
	if j.segments[i].number == known.segment {
		return known.offset
	}
	info, err := os.Stat(j.segments[i].path)
	if err != nil {
		return segmentHead
	}
	return info.Size()
}

// find answers a place at or before the first record that ends at size or beyond,
// and where its segment ends.
func (j *journal) find(size int64, known position) (path string, from mark, stop int64, err error) {
	j.mu.Lock()
	segments := slices.Clone(j.segments)
	j.mu.Unlock()
	// The last segment that begins below size, or the first one.
	i := max(0, sort.Search(len(segments), func(i int) bool { return segments[i].first >= size })-1)
	s := segments[i]
	stop = j.stop(i, known)
	if err := s.scan(stop); err != nil {
		return "", mark{}, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := max(0, sort.Search(len(s.marks), func(k int) bool { return s.marks[k].first >= size })-1)
	if len(s.marks) == 0 {
		return s.path, mark{segmentHead, s.first}, stop, nil
	}
	return s.path, s.marks[k], stop, nil
}

// scan reads the heads of the records up to stop that are not remembered yet.
func (s *segment) scan(stop int64) error {
	s.mu.Lock()
	from := s.end
	s.mu.Unlock()
	if from >= stop {
		return nil
	}
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := &window{f: f, at: from, stop: stop}
	for w.at < stop {
		b, err := w.peek(recordHead)
		if err != nil {
			return err
		}
		r, err := parseHead(b)
		if err != nil {
			return damage(-1, "journal/%s, byte %d: %v", segmentName(s.number), w.at, err)
		}
		s.note(w.at, r.first, int64(r.length))
		w.at += int64(r.length)
	}
	return nil
}

// window reads a file in pieces.
type window struct {
	f        io.ReaderAt
	at, stop int64
	buf      []byte
	from     int64 // what buf begins with
}

// peek answers the next n bytes, or what there is to the end.
func (w *window) peek(n int) ([]byte, error) {
	n = int(min(int64(n), w.stop-w.at))
	if w.at < w.from || w.at+int64(n) > w.from+int64(len(w.buf)) {
		size := int(min(int64(max(n, 1<<18)), w.stop-w.at))
		if cap(w.buf) < size {
			w.buf = make([]byte, size)
		}
		w.buf, w.from = w.buf[:size], w.at
		if got, err := w.f.ReadAt(w.buf, w.at); err != nil && got < size {
			w.buf = w.buf[:got]
			if !errors.Is(err, io.EOF) {
				return nil, err
			}
			return w.buf[:min(n, got)], nil
		}
	}
	return w.buf[w.at-w.from:][:n], nil
}

// next reads the record that the window stands at, and goes behind it. What it
// answers holds until the next call.
func (w *window) next() (record, error) {
	b, err := w.peek(recordHead)
	if err != nil {
		return record{}, err
	}
	r, err := parseHead(b)
	if err != nil {
		return record{}, err
	}
	if b, err = w.peek(r.length); err != nil {
		return record{}, err
	}
	if r, err = parseRecord(b); err != nil {
		return record{}, err
	}
	w.at += int64(r.length)
	return r, nil
}
