package postgres

import "strings"

// rewrite replaces each ?N by $N. A question mark inside a literal, a quoted
// name or a comment, and one without a number, stays.
func rewrite(stmt string) string {
	var out strings.Builder
	out.Grow(len(stmt))
	for i := 0; i < len(stmt); {
		if n := opaque(stmt[i:]); n > 0 {
			out.WriteString(stmt[i : i+n])
			i += n
			continue
		}
		c := stmt[i]
		if c == '?' && i+1 < len(stmt) && '1' <= stmt[i+1] && stmt[i+1] <= '9' {
			c = '$'
		}
		out.WriteByte(c)
		i++
	}
	return out.String()
}

// opaque is the length of the literal, quoted name or comment that s begins
// with, or 0. One that does not end takes the rest: the engine will say so. A
// doubled quote reads as the end of one literal and the begin of the next.
func opaque(s string) int {
	switch {
	case s[0] == '\'' || s[0] == '"':
		return through(s, 1, s[:1])
	case strings.HasPrefix(s, "--"):
		return through(s, 2, "\n")
	case strings.HasPrefix(s, "/*"):
		return through(s, 2, "*/")
	}
	return 0
}

func through(s string, from int, end string) int {
	if n := strings.Index(s[from:], end); n >= 0 {
		return from + n + len(end)
	}
	return len(s)
}
