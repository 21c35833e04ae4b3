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

var encoding = base64.RawURLEncoding.Strict()

// encodeCursor returns the cursor behind the object added at after.
func encodeCursor(q query, after int64, at scope) string {
	b := make([]byte, cursorSum, 128)
	b = strconv.AppendInt(b, after, 10)
	for _, field := range []string{
		strconv.Itoa(q.limit), strings.Join(q.ids, ","), strings.Join(q.types, ","), q.version, q.specs,
	} {
		b = append(b, '\n') // occurs in no value: plain sees to that
		b = append(b, field...)
	}
	copy(b, checksum(b[cursorSum:], at))
	return encoding.EncodeToString(b)
}

// decodeCursor returns the query that the cursor carries.
func decodeCursor(cursor string, f fields, at scope) (query, error) {
	bad := malformed("next is no value that this collection gave")
	// base64 skips line breaks; two spellings of one cursor would be one too many.
	if len(cursor) > maxCursor || strings.ContainsAny(cursor, "\r\n") {
		return query{}, bad
	}
	b, err := encoding.DecodeString(cursor)
	if err != nil || len(b) < cursorSum {
		return query{}, bad
	}
	body := b[cursorSum:]
	if string(checksum(body, at)) != string(b[:cursorSum]) {
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

func checksum(body []byte, at scope) []byte {
	b := make([]byte, 0, 256)
	for _, s := range []string{"forewarn taxii next 1", at.collection, at.object, ""} {
		b = append(append(b, s...), '\n')
	}
	sum := sha256.Sum256(append(b, body...))
	return sum[:cursorSum]
}
