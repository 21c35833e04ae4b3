package pattern

import (
	"strings"
	"unicode/utf8"
)

// token is what the lexer tells apart.
type token uint8

const (
	tokEnd token = iota
	tokWord
	tokKeyword
	tokString
	tokHex
	tokBase64
	tokTime
	tokInteger
	tokFloat
	tokPunct    // one of ( ) [ ] : . , * and the comparison signs
	tokBad      // a character that begins nothing
	tokUnclosed // a string or comment without its end
)

// keywords are in capitals and no identifiers; true and false in small letters.
var keywords = map[string]bool{
	"AND": true, "OR": true, "NOT": true, "FOLLOWEDBY": true, "LIKE": true, "MATCHES": true, "ISSUPERSET": true,
	"ISSUBSET": true, "EXISTS": true, "LAST": true, "IN": true, "START": true, "STOP": true, "SECONDS": true,
	"true": true, "false": true, "WITHIN": true, "REPEATS": true, "TIMES": true,
}

// lexer cuts a pattern into tokens. It holds the present one.
type lexer struct {
	src   string
	pos   int // where the next token is looked for
	start int // the present token is src[start:end]
	end   int
	tok   token
	text  string // src[start:end]
}

// next goes on to the next token.
func (l *lexer) next() {
	if !l.skip() {
		l.set(tokUnclosed, len(l.src))
		return
	}
	if l.pos >= len(l.src) {
		l.set(tokEnd, l.pos)
		return
	}
	c := l.src[l.pos]
	switch {
	case isLetter(c):
		l.word()
	case c == '\'':
		l.quoted(tokString, l.pos+1)
	case isDigit(c), c == '+', c == '-', c == '.' && l.pos+1 < len(l.src) && isDigit(l.src[l.pos+1]):
		l.number()
	case strings.IndexByte("()[]:,.*", c) >= 0:
		l.set(tokPunct, l.pos+1)
	case strings.IndexByte("=!<>", c) >= 0:
		n := 1
		if l.pos+1 < len(l.src) {
			switch l.src[l.pos : l.pos+2] {
			case "==", "!=", "<=", ">=", "<>":
				n = 2
			}
		}
		if c == '!' && n == 1 {
			l.set(tokBad, l.pos+1)
			return
		}
		l.set(tokPunct, l.pos+n)
	default:
		_, n := utf8.DecodeRuneInString(l.src[l.pos:])
		l.set(tokBad, l.pos+n)
	}
}

func (l *lexer) set(t token, end int) {
	l.tok, l.start, l.end, l.pos = t, l.pos, end, end
	l.text = l.src[l.start:end]
}

// skip passes white space and comments; it is false at a comment without end,
// and stands then at its beginning.
func (l *lexer) skip() bool {
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		switch c := rest[0]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			l.pos++
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return false
			}
			l.pos += 2 + end + 2
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexAny(rest, "\r\n")
			if end < 0 {
				end = len(rest)
			}
			l.pos += end
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(rest)
			if !isSpace(r) {
				return true
			}
			l.pos += n
		default:
			return true
		}
	}
	return true
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// isSpace reports the white space of the grammar beyond ASCII.
func isSpace(r rune) bool {
	switch r {
	case 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200a
}

// word reads an identifier, a keyword, or a constant with a prefix. A hyphen
// belongs to it; where none may stand, the parser says so.
func (l *lexer) word() {
	end := l.pos + 1
	for end < len(l.src) && (isLetter(l.src[end]) || isDigit(l.src[end]) || l.src[end] == '-') {
		end++
	}
	if end == l.pos+1 && end < len(l.src) && l.src[end] == '\'' {
		switch l.src[l.pos] {
		case 'h':
			l.quoted(tokHex, end+1)
			return
		case 'b':
			l.quoted(tokBase64, end+1)
			return
		case 't':
			l.quoted(tokTime, end+1)
			return
		}
	}
	if c := l.src[l.pos]; (c < 'a' || c == 't' || c == 'f') && keywords[l.src[l.pos:end]] {
		l.set(tokKeyword, end)
		return
	}
	l.set(tokWord, end)
}

// quoted reads up to the closing quote; the text begins at from.
func (l *lexer) quoted(t token, from int) {
	for i := from; ; {
		n := strings.IndexAny(l.src[i:], `'\`)
		if n < 0 {
			l.set(tokUnclosed, len(l.src))
			return
		}
		i += n
		if l.src[i] == '\'' {
			l.set(t, i+1)
			return
		}
		i += 2
		if i > len(l.src) {
			l.set(tokUnclosed, len(l.src))
			return
		}
	}
}

// number reads an integer or a float: [+-]? (0 | [1-9][0-9]*) or [+-]? [0-9]* . [0-9]+.
func (l *lexer) number() {
	end := l.pos
	if c := l.src[end]; c == '+' || c == '-' {
		end++
	}
	digits := end
	for end < len(l.src) && isDigit(l.src[end]) {
		end++
	}
	if end+1 < len(l.src) && l.src[end] == '.' && isDigit(l.src[end+1]) {
		for end++; end < len(l.src) && isDigit(l.src[end]); end++ {
			continue
		}
		l.set(tokFloat, end)
		return
	}
	if end == digits || end > digits+1 && l.src[digits] == '0' || end < len(l.src) && isLetter(l.src[end]) {
		l.set(tokBad, max(end, l.pos+1))
		return
	}
	l.set(tokInteger, end)
}
