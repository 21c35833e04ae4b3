package exchange

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Storable reports whether every store keeps the text as it is: PostgreSQL
// takes neither NUL nor what is not UTF-8.
func Storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// Plain reports whether the text is one line of UTF-8 without control
// characters.
func Plain(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

// clip shortens foreign text for a message and drops what is not printable.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}
