package stix

import "bytes"

// validType reports whether b may be the type of an object: 3 to 250 of a–z,
// 0–9 and hyphen, the first a letter, no two hyphens in a row, as those part a
// type from a UUID (STIX 2.1 §3.1, §11.2.1).
func validType(b []byte) bool {
	if len(b) < 3 || len(b) > 250 || b[0] < 'a' || b[0] > 'z' || b[len(b)-1] == '-' {
		return false
	}
	for i, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '-' && b[i-1] != '-':
		default:
			return false
		}
	}
	return true
}

// splitID takes apart an identifier of the form type--UUID (STIX 2.1 §2.9).
func splitID(b []byte) (typ []byte, ok bool) {
	n := len(b) - len("--") - 36
	if n < 3 || b[n] != '-' || b[n+1] != '-' || !validUUID(b[n+2:]) || !validType(b[:n]) {
		return nil, false
	}
	return b[:n], true
}

// validUUID reports whether b is a UUID of the RFC 4122 variant in hexadecimal,
// of a version that RFC 4122 or its successor RFC 9562 defines.
func validUUID(b []byte) bool {
	if len(b) != 36 || b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return false
	}
	digits := byte(1)
	for _, c := range b {
		digits &= uuidByte[c]
	}
	if digits == 0 || bytes.Count(b, []byte{'-'}) != 4 {
		return false
	}
	if b[14] < '1' || b[14] > '8' {
		return false
	}
	switch b[19] {
	case '8', '9', 'a', 'b', 'A', 'B':
		return true
	}
	return false
}

// uuidByte is 1 for what a UUID is written with.
var uuidByte = func() (t [256]byte) {
	for _, c := range []byte("-0123456789abcdefABCDEF") {
		t[c] = 1
	}
	return t
}()
