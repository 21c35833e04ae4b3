package exchange

import (
	"strings"
	"unicode/utf8"
)

// Storable reports whether every store keeps the text as it is: PostgreSQL
// takes neither NUL nor what is not UTF-8.
func Storable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
