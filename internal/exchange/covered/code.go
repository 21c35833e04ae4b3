// Package covered says which objects a disclosure gave, in a few bytes, and
// remembers which ones a reader has been given.
//
// Objects are named by their numbers, artifact and position. What is written beside
// an event is not part of it: the event states the Merkle root over what was given,
// and from these bytes the leaves are made again, when somebody asks for a proof.
package covered

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// positions masks the position in its artifact out of an object's number.
const positions = 1<<24 - 1

// Most is how many objects one list names at most.
const Most = 1 << 20

// Run is objects that follow each other in an artifact, given one after the other,
// or one redacted copy of an object.
type Run struct {
	First int64 // number of the first object
	N     int64 // how many; 1 for a copy
	Copy  *Copy // nil: as they are
}

// Copy is what an object's redacted copy bears that the object does not.
type Copy struct {
	UUID    [16]byte // of its identifier; the type is the object's
	Version Version
	Micros  int64    // for At
	Hash    [32]byte // for Content
}

// Version says where a copy's version comes from.
type Version uint64

// The versions of copies.
const (
	Same    Version = iota // the object's
	At                     // an instant of its own
	Content                // the hash of the copy's bytes
)

// List is what a disclosure gave, in order.
type List struct {
	Runs  []Run
	Named bool // the objects were named, as in a manifest, and not given
}

// Add appends one object. Neighbours come into one run.
func (l *List) Add(object int64, c *Copy) {
	if n := len(l.Runs); n > 0 && c == nil {
		if r := &l.Runs[n-1]; r.Copy == nil && r.First+r.N == object && r.First>>24 == object>>24 {
			r.N++
			return
		}
	}
	l.Runs = append(l.Runs, Run{object, 1, c})
}

// The first byte says what the list is.
const (
	given = 1
	named = 2
)

// What follows a varint's value, in its two low bits.
const (
	ofArtifact = iota // the value is the number of the artifact of what follows
	ofRun             // … how many objects follow each other, less one; then where they begin
	ofCopy            // … where it stands; then the UUID, and the version
)

// Encode writes the list:
//
//	1 (objects given) or 2 (named), then items, each led by a varint v:
//	v%4 = 0: from here on artifact v/4, and the next position is 0
//	v%4 = 1: v/4+1 objects; a signed varint says how far they begin after the next position
//	v%4 = 2: one copy, v/4 (as a signed varint) after the next position; its UUID; a varint
//	         0 (the object's version), 1 and a signed varint (an instant), 2 and 32 bytes (a hash)
//
// Varints are those of encoding/binary.
func (l List) Encode() []byte {
	b := make([]byte, 1, 16)
	if b[0] = given; l.Named {
		b[0] = named
	}
	artifact, next := int64(0), int64(0)
	for _, r := range l.Runs {
		if a := r.First >> 24; a != artifact || len(b) == 1 {
			artifact, next = a, 0
			b = binary.AppendUvarint(b, uint64(a)<<2+ofArtifact)
		}
		step := r.First&positions - next
		next += step + r.N
		if r.Copy == nil {
			b = binary.AppendUvarint(b, uint64(r.N-1)<<2+ofRun)
			b = binary.AppendVarint(b, step)
			continue
		}
		b = binary.AppendUvarint(b, zigzag(step)<<2+ofCopy)
		b = append(b, r.Copy.UUID[:]...)
		switch b = binary.AppendUvarint(b, uint64(r.Copy.Version)); r.Copy.Version {
		case At:
			b = binary.AppendVarint(b, r.Copy.Micros)
		case Content:
			b = append(b, r.Copy.Hash[:]...)
		}
	}
	return b
}

func zigzag(n int64) uint64 { return uint64(n<<1) ^ uint64(n>>63) }

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

var errCut = errors.New("reading which objects were given: cut off")

// Decode reads what Encode wrote.
func Decode(b []byte) (List, error) {
	if len(b) == 0 || b[0] != given && b[0] != named {
		return List{}, errors.New("reading which objects were given: of an unknown form")
	}
	d := decoder{rest: b[1:], artifact: -1}
	l := List{Named: b[0] == named}
	for n := int64(0); len(d.rest) > 0; {
		r, ok := d.item()
		if d.err != nil {
			return List{}, d.err
		}
		if !ok {
			continue
		}
		if n += r.N; n > Most {
			return List{}, fmt.Errorf("reading which objects were given: more than %d", Most)
		}
		l.Runs = append(l.Runs, r)
	}
	return l, nil
}

type decoder struct {
	rest           []byte
	artifact, next int64
	err            error
}

// item reads an item; false: it says of which artifact the next ones are.
func (d *decoder) item() (r Run, ok bool) {
	v := d.uvarint()
	value := v >> 2
	switch v & 3 {
	case ofArtifact:
		if d.artifact, d.next = int64(value), 0; value > 1<<38 {
			d.fail("an artifact's number is too large")
		}
		return Run{}, false
	case ofRun:
		if r.N = int64(value) + 1; value >= Most {
			d.fail("too many objects follow each other")
		}
		d.place(&r, d.varint())
	case ofCopy:
		r.N, r.Copy = 1, &Copy{}
		d.place(&r, unzigzag(value))
		copy(r.Copy.UUID[:], d.bytes(16))
		switch r.Copy.Version = Version(d.uvarint()); r.Copy.Version {
		case Same:
		case At:
			r.Copy.Micros = d.varint()
		case Content:
			copy(r.Copy.Hash[:], d.bytes(32))
		default:
			d.fail("a version is of an unknown kind")
		}
	default:
		d.fail("an item is of an unknown kind")
	}
	return r, true
}

// place says where a run begins.
func (d *decoder) place(r *Run, step int64) {
	if step < -positions || step > positions || d.next+step < 0 || d.next+step+r.N > positions+1 || d.artifact < 0 {
		d.fail("a position is outside of the artifact")
		return
	}
	r.First = d.artifact<<24 | (d.next + step)
	d.next += step + r.N
}

func (d *decoder) fail(why string) {
	if d.err == nil {
		d.err = errors.New("reading which objects were given: " + why)
	}
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.rest, d.err = nil, errCut
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 { return unzigzag(d.uvarint()) }

func (d *decoder) bytes(n int) []byte {
	if len(d.rest) < n {
		d.rest, d.err = nil, errCut
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}
