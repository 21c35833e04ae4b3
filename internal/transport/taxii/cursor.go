package taxii

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
)

// A cursor (the value of next, §3.5) is the query that continues another one:
// its position and its filters, with a checksum over them and their scope.
//
// The checksum recognises what was altered, cut, or given out for another
// collection. It is no signature, and needs no secret that would have to
// outlive a restart and be shared between nodes: who forges a cursor gets what
// added_after and match would have given, under the same decision.

// cursorSum is the length of the checksum in bytes.
const cursorSum = 9

// maxCursor bounds what is decoded: a thousand ids at their longest usual form.
const maxCursor = 100 << 10

var errCursor = malformed("next is no value that this collection gave")

var encoding = base64.RawURLEncoding.Strict()

// encodeCursor returns the cursor behind the object added at after.
func encodeCursor(q query, after int64, at scope) string {
	var room [256]byte
	b := strconv.AppendInt(room[:cursorSum], after, 10)
	b = strconv.AppendInt(append(b, '\n'), int64(q.limit), 10) // \n occurs in no value: plain sees to that
	b = appendList(append(b, '\n'), q.ids)
	b = appendList(append(b, '\n'), q.types)
	b = append(append(b, '\n'), q.version...)
	b = append(append(b, '\n'), q.specs...)
	sum := checksum(b[cursorSum:], at)
	copy(b, sum[:])
	var coded [256]byte
	return string(encoding.AppendEncode(coded[:0], b))
}

func appendList(b []byte, values []string) []byte {
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return b
}

// decodeCursor returns the query that the cursor carries.
func decodeCursor(cursor string, f fields, at scope) (query, error) {
	bad := errCursor
	// base64 skips line breaks; two spellings of one cursor would be one too many.
	if len(cursor) > maxCursor || strings.ContainsAny(cursor, "\r\n") {
		return query{}, bad
	}
	b, err := encoding.DecodeString(cursor)
	if err != nil || len(b) < cursorSum {
		return query{}, bad
	}
	body := b[cursorSum:]
	if checksum(body, at) != [cursorSum]byte(b) {
		return query{}, bad
	}
	parts := strings.Split(string(body), "\n")
	if len(parts) != 6 {
		return query{}, bad
	}
	q := query{}
	if q.after, err = strconv.ParseInt(parts[0], 10, 64); err != nil || q.after < 0 {
		return query{}, bad
	}
	var ignored string
	names := [...]string{"limit", "match[id]", "match[type]", "match[version]", "match[spec_version]"}
	for i, name := range names {
		if parts[i+1] == "" {
			continue
		}
		read := q.parameter(name, f, &ignored)
		if read == nil || read(parts[i+1]) != nil {
			return query{}, bad
		}
	}
	return q, nil
}

func checksum(body []byte, at scope) (sum [cursorSum]byte) {
	var room [512]byte
	b := append(room[:0], "forewarn taxii next 1\n"...)
	b = append(append(b, at.collection...), '\n')
	b = append(append(b, at.object...), "\n\n"...)
	whole := sha256.Sum256(append(b, body...))
	return [cursorSum]byte(whole[:])
}
