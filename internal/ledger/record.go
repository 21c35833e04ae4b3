package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// A record of the journal is one group. Numbers are big-endian.
//
//	 0  "FwL1"
//	 4  length of the record in bytes, uint32
//	 8  index of the first entry, uint64
//	16  number of entries, uint32; 0 where only a checkpoint was signed
//	20  length of the entries in bytes, uint32
//	24  sum of the record before
//	40  entries, each behind its length as uint16
//	    the signed checkpoint over all entries so far
//	    sum: the first 16 bytes of the SHA-256 of all that precedes
const (
	recordMagic   = "FwL1"
	recordHead    = 40
	maxEntry      = 1<<16 - 1
	maxEntries    = 1 << 20  // bytes of entries of a record
	maxCheckpoint = 64 << 10 // as verify.MaxCheckpoint
	maxRecord     = recordHead + maxEntries + maxCheckpoint + sumSize
)

const sumSize = 16

// sum tells whether bytes are what was written. It is no defence against who can
// write the folder; checkpoints are.
type sum [sumSize]byte

func sumOf(b []byte) (s sum) {
	h := sha256.Sum256(b)
	copy(s[:], h[:])
	return s
}

// record is one group, as it was read: entries and checkpoint are parts of what it
// was read from.
type record struct {
	first      int64
	count      int
	prev, sum  sum
	entries    []byte
	checkpoint []byte
	length     int // of the whole
}

// end is the size of the log after the record.
func (r record) end() int64 { return r.first + int64(r.count) }

// seal makes a record of buf, which holds recordHead bytes of no account and the
// entries.
func seal(buf []byte, first int64, count int, prev sum, checkpoint []byte) ([]byte, sum) {
	entries := len(buf) - recordHead
	buf = append(buf, checkpoint...)
	copy(buf, recordMagic)
	binary.BigEndian.PutUint32(buf[4:], uint32(len(buf)+sumSize))
	binary.BigEndian.PutUint64(buf[8:], uint64(first))
	binary.BigEndian.PutUint32(buf[16:], uint32(count))
	binary.BigEndian.PutUint32(buf[20:], uint32(entries))
	copy(buf[24:], prev[:])
	s := sumOf(buf)
	return append(buf, s[:]...), s
}

var (
	errShort = errors.New("the record is cut off")
	errSum   = errors.New("the record is not what was written")
)

// parseHead reads the lengths of the record that b begins with.
func parseHead(b []byte) (record, error) {
	if len(b) < recordHead {
		return record{}, errShort
	}
	length, entries := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[20:])
	first, count := binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:])
	rest := int64(length) - recordHead - sumSize - int64(entries)
	if string(b[:4]) != recordMagic || entries > maxEntries || rest < 0 || rest > maxCheckpoint ||
		first > 1<<62 || int64(count)*2 > int64(entries) {
		return record{}, errSum
	}
	r := record{first: int64(first), count: int(count), length: int(length)}
	copy(r.prev[:], b[24:])
	return r, nil
}

// parseRecord reads the record that b begins with.
func parseRecord(b []byte) (record, error) {
	r, err := parseHead(b)
	if err != nil {
		return record{}, err
	}
	if len(b) < r.length {
		return record{}, errShort
	}
	body := r.length - sumSize
	r.sum = sum(b[body:r.length])
	if sumOf(b[:body]) != r.sum {
		return record{}, errSum
	}
	split := recordHead + int(binary.BigEndian.Uint32(b[20:]))
	r.entries, r.checkpoint = b[recordHead:split:split], b[split:body:body]
	n, rest := 0, r.entries
	for ; len(rest) > 0; n++ {
		if _, rest, err = nextEntry(rest); err != nil {
			return record{}, err
		}
	}
	if n != r.count {
		return record{}, fmt.Errorf("the record holds %d entries and says %d", n, r.count)
	}
	return r, nil
}

// nextEntry takes the first entry off a bundle, or off the entries of a record.
func nextEntry(b []byte) (entry, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, errShort
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	if len(b) < n {
		return nil, nil, errShort
	}
	return b[2:n:n], b[n:], nil
}

// appendEntry appends an entry behind its length.
func appendEntry(b, entry []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(entry))), entry...)
}

// A segment is a file of the journal: 64 bytes of head, and records.
//
//	 0  "forewarn journal"
//	16  1, uint32
//	20  number of the segment, from 1, uint32
//	24  size of the log where it begins, uint64
//	32  sum of the record before
//	48  sum of these 48 bytes
const (
	segmentMagic = "forewarn journal"
	segmentHead  = 64
	segmentForm  = 1
)

type segmentStart struct {
	number uint32
	first  int64
	prev   sum
}

func (s segmentStart) bytes() []byte {
	b := append(make([]byte, 0, segmentHead), segmentMagic...)
	b = binary.BigEndian.AppendUint32(b, segmentForm)
	b = binary.BigEndian.AppendUint32(b, s.number)
	b = binary.BigEndian.AppendUint64(b, uint64(s.first))
	b = append(b, s.prev[:]...)
	own := sumOf(b)
	return append(b, own[:]...)
}

func parseSegmentStart(b []byte) (segmentStart, error) {
	if len(b) < segmentHead {
		return segmentStart{}, errors.New("the file is too short for a segment of the journal")
	}
	s := segmentStart{number: binary.BigEndian.Uint32(b[20:]), first: int64(binary.BigEndian.Uint64(b[24:])), prev: sum(b[32:48])}
	if s.first < 0 || !bytes.Equal(s.bytes(), b[:segmentHead]) {
		return segmentStart{}, errors.New("the head of the segment is not what was written")
	}
	return s, nil
}

// position is a place in the journal, between two records.
type position struct {
	segment uint32
	offset  int64
	size    int64 // of the log there
	prev    sum   // of the record before
}

const positionSize = 4 + 8 + 8 + sumSize + sumSize

// bytes is the position as the files head and tiles hold it.
func (p position) bytes() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, positionSize), p.segment)
	b = binary.BigEndian.AppendUint64(b, uint64(p.offset))
	b = binary.BigEndian.AppendUint64(b, uint64(p.size))
	b = append(b, p.prev[:]...)
	own := sumOf(b)
	return append(b, own[:]...)
}

func parsePosition(b []byte) (position, error) {
	if len(b) != positionSize {
		return position{}, fmt.Errorf("%d bytes, want %d", len(b), positionSize)
	}
	p := position{
		segment: binary.BigEndian.Uint32(b), offset: int64(binary.BigEndian.Uint64(b[4:])),
		size: int64(binary.BigEndian.Uint64(b[12:])), prev: sum(b[20:36]),
	}
	if !bytes.Equal(p.bytes(), b) || p.offset < segmentHead || p.size < 0 {
		return position{}, errors.New("not what was written")
	}
	return p, nil
}
