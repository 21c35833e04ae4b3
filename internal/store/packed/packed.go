// Package packed holds what feeds need to know of a run of STIX objects in one
// string of bytes, so that a page costs the store a row or two instead of a
// hundred, and a submission a row for every hundred objects.
//
// A block is
//
//	version (1 byte: 1) · number of entries n (2) · number of types (1)
//	each type: length (1) · name
//	n records of 38 bytes: position (4) · flags (1) · type (1) · class (8) ·
//	    version (8) · offset (8) · length (4) · end of the identifier (4)
//	identifiers, one after the other
//
// with numbers little-endian. An identifier of the form type--UUID, UUID in
// lower case, is kept as the 16 bytes of the UUID.
package packed

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Most is how many entries a block holds at most.
const Most = 128

// Entry is what a block holds of one object.
type Entry struct {
	Position  int64 // in the artifact; ascending in the block, below 2^32
	Class     int64
	Version   int64 // Unix microseconds; 0: none
	Offset    int64 // of the bytes, in the artifact's blob
	Length    int64 // of the bytes, below 2^32
	Contested bool  // another object has the same identifier
	Removed   bool  // taken out: nobody is given it
	Type      string
	ID        string
}

const (
	layout     = 1
	record     = 38
	flagUUID   = 1
	flagShared = 2
	flagGone   = 4
)

// Pack writes entries, at least one and at most Most, as a block.
func Pack(es []Entry) ([]byte, error) {
	if len(es) == 0 || len(es) > Most {
		return nil, fmt.Errorf("packing %d objects: a block holds 1 to %d", len(es), Most)
	}
	b := make([]byte, 4, 64+len(es)*(record+16))
	b[0] = layout
	binary.LittleEndian.PutUint16(b[1:], uint16(len(es)))
	types := map[string]byte{}
	for i := range es {
		t := es[i].Type
		if _, ok := types[t]; ok {
			continue
		}
		if len(t) > 255 || len(types) > 254 {
			return nil, errors.New("packing objects: a type does not fit")
		}
		types[t] = byte(len(types))
		b = append(append(b, byte(len(t))), t...)
	}
	b[3] = byte(len(types))
	base := len(b)
	b = append(b, make([]byte, len(es)*record)...)
	ids := len(b)
	for i := range es {
		e := &es[i]
		if e.Position < 0 || e.Position >= 1<<32 || e.Length < 0 || e.Length >= 1<<32 || e.Offset < 0 {
			return nil, errors.New("packing objects: a number does not fit")
		}
		var flags byte
		if e.Contested {
			flags |= flagShared
		}
		if e.Removed {
			flags |= flagGone
		}
		if uuid, ok := uuidOf(e.ID, e.Type); ok {
			flags |= flagUUID
			b = append(b, uuid[:]...)
		} else {
			b = append(b, e.ID...)
		}
		r := b[base+i*record:]
		binary.LittleEndian.PutUint32(r, uint32(e.Position))
		r[4], r[5] = flags, types[e.Type]
		binary.LittleEndian.PutUint64(r[6:], uint64(e.Class))
		binary.LittleEndian.PutUint64(r[14:], uint64(e.Version))
		binary.LittleEndian.PutUint64(r[22:], uint64(e.Offset))
		binary.LittleEndian.PutUint32(r[30:], uint32(e.Length))
		binary.LittleEndian.PutUint32(r[34:], uint32(len(b)-ids))
	}
	return b, nil
}

// uuidOf takes an identifier apart that is made of its type and a UUID in the
// form in which it is written back.
func uuidOf(id, typ string) (u [16]byte, ok bool) {
	s, ok := strings.CutPrefix(id, typ)
	if !ok || len(s) != 38 || s[:2] != "--" || s[10] != '-' || s[15] != '-' || s[20] != '-' || s[25] != '-' {
		return u, false
	}
	var digits [32]byte
	n := 0
	for i := 2; i < len(s); i++ {
		c := s[i]
		if i == 10 || i == 15 || i == 20 || i == 25 {
			continue
		}
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return u, false
		}
		digits[n] = c
		n++
	}
	_, err := hex.Decode(u[:], digits[:])
	return u, err == nil
}

// Block is a block to read from. It keeps the bytes that it was opened with.
type Block struct {
	body  []byte
	n     int
	types []string
	base  int // of the records
	ids   int
}

var errBroken = errors.New("a block of objects is damaged")

// Open reads a block's head. Every later read stays within the bytes.
func Open(body []byte) (*Block, error) {
	if len(body) < 4 || body[0] != layout {
		return nil, errBroken
	}
	b := &Block{body: body, n: int(binary.LittleEndian.Uint16(body[1:])), base: 4}
	types := int(body[3])
	if b.n == 0 || b.n > Most || types > Most {
		return nil, errBroken
	}
	b.types = make([]string, types)
	for i := range types {
		if b.base >= len(body) || b.base+1+int(body[b.base]) > len(body) {
			return nil, errBroken
		}
		end := b.base + 1 + int(body[b.base])
		b.types[i] = string(body[b.base+1 : end])
		b.base = end
	}
	b.ids = b.base + b.n*record
	if b.ids > len(body) {
		return nil, errBroken
	}
	return b, b.check(types)
}

func (b *Block) check(types int) error {
	last, end := int64(-1), 0
	for i := range b.n {
		r := b.at(i)
		p, e := int64(binary.LittleEndian.Uint32(r)), int(binary.LittleEndian.Uint32(r[34:]))
		if p <= last || e < end || b.ids+e > len(b.body) || int(r[5]) >= types || r[4]&flagUUID != 0 && e-end != 16 {
			return errBroken
		}
		last, end = p, e
	}
	return nil
}

func (b *Block) at(i int) []byte { return b.body[b.base+i*record : b.base+(i+1)*record] }

// Len is how many entries the block holds.
func (b *Block) Len() int { return b.n }

// Position is the position of entry i.
func (b *Block) Position(i int) int64 { return int64(binary.LittleEndian.Uint32(b.at(i))) }

// Entry reads entry i without its identifier.
func (b *Block) Entry(i int) Entry {
	r := b.at(i)
	return Entry{
		Position:  int64(binary.LittleEndian.Uint32(r)),
		Contested: r[4]&flagShared != 0,
		Removed:   r[4]&flagGone != 0,
		Type:      b.types[r[5]],
		Class:     int64(binary.LittleEndian.Uint64(r[6:])),
		Version:   int64(binary.LittleEndian.Uint64(r[14:])),
		Offset:    int64(binary.LittleEndian.Uint64(r[22:])),
		Length:    int64(binary.LittleEndian.Uint32(r[30:])),
	}
}

// ID reads the identifier of entry i.
func (b *Block) ID(i int) string {
	from := 0
	if i > 0 {
		from = int(binary.LittleEndian.Uint32(b.at(i - 1)[34:]))
	}
	r := b.at(i)
	raw := b.body[b.ids+from : b.ids+int(binary.LittleEndian.Uint32(r[34:]))]
	if r[4]&flagUUID == 0 {
		return string(raw)
	}
	typ := b.types[r[5]]
	out := make([]byte, 0, len(typ)+38)
	out = append(append(out, typ...), "--"...)
	for k, c := range raw {
		if k == 4 || k == 6 || k == 8 || k == 10 {
			out = append(out, '-')
		}
		out = hex.AppendEncode(out, []byte{c})
	}
	return string(out)
}

// Find is the index of the first entry at or after the position.
func (b *Block) Find(position int64) int {
	lo, hi := 0, b.n
	for lo < hi {
		mid := (lo + hi) / 2
		if b.Position(mid) < position {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Contest marks the entry at the position as contested, in the block's own
// bytes, and reports whether that changed them.
func (b *Block) Contest(position int64) bool { return b.mark(position, flagShared) }

// Remove marks the entry at the position as taken out, as Contest does.
func (b *Block) Remove(position int64) bool { return b.mark(position, flagGone) }

func (b *Block) mark(position int64, flag byte) bool {
	i := b.Find(position)
	if i == b.n || b.Position(i) != position || b.at(i)[4]&flag != 0 {
		return false
	}
	b.at(i)[4] |= flag
	return true
}

// Bytes is the block as it is kept.
func (b *Block) Bytes() []byte { return b.body }
