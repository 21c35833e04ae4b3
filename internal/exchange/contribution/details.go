package contribution

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/google/uuid"
)

// details are the lists of a status.
type details struct{ successes, failures []Detail }

// The lists are kept as one entry after the other: a byte of these flags, the
// version as a varint, and what the flags say. Ids of 36 bytes after their type
// take 16, and what is as it was in the entry before takes nothing.
const (
	ofFailure   = 1 << iota
	withUUID    // the id is a type, "--" and a UUID in lower case
	sameType    // with a UUID: the type is that of the entry before
	withMessage // not empty
	sameMessage // not empty and that of the entry before
	allFlags    = 1<<iota - 1
)

const maxPackedType = 255 // longer ones are kept as they are

// pack writes the lists.
func (d *details) pack() []byte {
	b := make([]byte, 0, 64+32*(len(d.successes)+len(d.failures)))
	typ, message := "", ""
	for i, list := range [2][]Detail{d.successes, d.failures} {
		for _, e := range list {
			flags := byte(i)
			t, u, short := divide(e.ID)
			if short {
				flags |= withUUID
				if t == typ {
					flags |= sameType
				}
			}
			if e.Message != "" {
				flags |= withMessage
				if e.Message == message {
					flags = flags&^withMessage | sameMessage
				}
			}
			b = binary.AppendVarint(append(b, flags), e.Version)
			switch {
			case !short:
				b = appendText(b, e.ID)
			case flags&sameType == 0:
				typ = t
				b = append(appendText(b, t), u[:]...)
			default:
				b = append(b, u[:]...)
			}
			if flags&withMessage != 0 {
				message = e.Message
				b = appendText(b, message)
			}
		}
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// divide takes an id apart of which join makes the same again.
func divide(id string) (typ string, u uuid.UUID, ok bool) {
	at := len(id) - 36
	if at < 2 || at-2 > maxPackedType || id[at-2:at] != "--" {
		return "", u, false
	}
	for i := at; i < len(id); i++ {
		if 'A' <= id[i] && id[i] <= 'F' {
			return "", u, false
		}
	}
	u, err := uuid.Parse(id[at:])
	return id[:at-2], u, err == nil
}

var errPacked = errors.New("reading a status: it is damaged")

// unpack reads what pack wrote.
func unpack(b []byte) (d details, err error) {
	typ, message := "", ""
	r := unpacker{b: b, ok: true}
	for len(r.b) > 0 && r.ok {
		flags := r.take(1)
		e := Detail{Version: r.varint()}
		if !r.ok || flags[0] > allFlags {
			return d, errPacked
		}
		if flags[0]&withUUID != 0 {
			if flags[0]&sameType == 0 {
				typ = r.text()
			}
			var u uuid.UUID
			copy(u[:], r.take(16))
			e.ID = typ + "--" + u.String()
		} else {
			e.ID = r.text()
		}
		switch flags[0] & (withMessage | sameMessage) {
		case withMessage:
			message = r.text()
			e.Message = message
		case sameMessage:
			e.Message = message
		}
		list := &d.successes
		if flags[0]&ofFailure != 0 {
			list = &d.failures
		}
		*list = append(*list, e)
	}
	if !r.ok || len(typ) > maxPackedType {
		return details{}, errPacked
	}
	d.successes, d.failures = slices.Clip(d.successes), slices.Clip(d.failures)
	return d, nil
}

// unpacker reads from b while it is ok.
type unpacker struct {
	b  []byte
	ok bool
}

func (r *unpacker) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.ok = false
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *unpacker) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.ok = false
	}
	r.take(n)
	return v
}

func (r *unpacker) text() string {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > uint64(len(r.b)) {
		r.ok = false
		return ""
	}
	r.take(n)
	return string(r.take(int(v)))
}
