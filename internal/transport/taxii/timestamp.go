package taxii

import (
	"strings"
	"time"
)

// appendTimestamp writes Unix microseconds as a TAXII timestamp, always with
// six digits of fraction (§2).
func appendTimestamp(b []byte, micro int64) []byte {
	t := time.UnixMicro(micro).UTC()
	year, month, day := t.Date()
	if year < 1000 || year > 9999 {
		return t.AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	}
	hour, minute, second := t.Clock()
	b = append(padded(b, year, 4), '-')
	b = append(padded(b, int(month), 2), '-')
	b = append(padded(b, day, 2), 'T')
	b = append(padded(b, hour, 2), ':')
	b = append(padded(b, minute, 2), ':')
	b = append(padded(b, second, 2), '.')
	return append(padded(b, t.Nanosecond()/1000, 6), 'Z')
}

// padded writes n in so many digits.
func padded(b []byte, n, digits int) []byte {
	b = append(b, "000000"[:digits]...)
	for i := len(b) - 1; n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

func timestamp(micro int64) string {
	var room [40]byte
	return string(appendTimestamp(room[:0], micro))
}

// appendVersion writes Unix microseconds as a STIX timestamp: three digits of
// fraction, which is what created and modified are written in (STIX 2.1 §3.2),
// or six where three would lose something.
func appendVersion(b []byte, micro int64) []byte {
	b = appendTimestamp(b, micro)
	if micro%1000 == 0 {
		b = append(b[:len(b)-len("000Z")], 'Z')
	}
	return b
}

const shape = "dddd-dd-ddTdd:dd:dd"

// parseTimestamp reads YYYY-MM-DDTHH:MM:SS[.s…]Z with up to nine digits of
// fraction. §2 wants six of them; clients send none, three and six. Digits
// beyond the microsecond are cut, which changes no comparison with times in
// whole microseconds that are later than the one given.
func parseTimestamp(s string) (micro int64, ok bool) {
	if len(s) < len(shape)+1 || s[len(s)-1] != 'Z' {
		return 0, false
	}
	for i := range len(shape) {
		if shape[i] == 'd' != digit(s[i]) || shape[i] != 'd' && shape[i] != s[i] {
			return 0, false
		}
	}
	day, hour, minute, second := number(s[8:10]), number(s[11:13]), number(s[14:16]), number(s[17:19])
	t := time.Date(number(s[:4]), time.Month(number(s[5:7])), day, hour, minute, second, 0, time.UTC)
	if t.Month() != time.Month(number(s[5:7])) || t.Day() != day || hour > 23 || minute > 59 || second > 59 {
		return 0, false // no such month, day or time
	}
	fraction := s[len(shape) : len(s)-1]
	if fraction == "" {
		return t.UnixMicro(), true
	}
	digits, dotted := strings.CutPrefix(fraction, ".")
	if !dotted || digits == "" || len(digits) > 9 {
		return 0, false
	}
	part := int64(0)
	for i := range 6 {
		part *= 10
		if i < len(digits) {
			part += int64(digits[i] - '0')
		}
	}
	for i := range len(digits) {
		if !digit(digits[i]) {
			return 0, false
		}
	}
	return t.UnixMicro() + part, true
}

// number is the value of digits.
func number(s string) (n int) {
	for i := range len(s) {
		n = 10*n + int(s[i]-'0')
	}
	return n
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
