package observable

import "strings"

const (
	maxPattern     = 1 << 20 // bytes
	maxComparisons = Most
)

// Comparisons lists the comparisons of a STIX pattern with constants by =, IN
// and ISSUBSET that are not negated. It is a reader of tokens and not of the
// grammar of STIX 2.1 §9: it takes whatever stands between quotation marks after
// `type:path operator`, so it finds at least what a full parser does in a valid
// pattern, and a broken pattern yields what could be read.
func Comparisons(pattern string) []Observable {
	if len(pattern) > maxPattern {
		return nil
	}
	s := scanner{in: pattern}
	var out []Observable
	for t := s.next(); t != ""; t = s.next() {
		typ, path, ok := objectPath(t)
		if !ok {
			continue
		}
		op := s.next()
		if strings.EqualFold(op, "NOT") {
			continue
		}
		switch {
		case op == "=" || op == "==" || strings.EqualFold(op, "ISSUBSET"):
			if v, ok := constant(s.next()); ok {
				out = append(out, Observable{typ, path, v})
			}
		case strings.EqualFold(op, "IN"):
			if s.next() != "(" {
				continue
			}
			for t = s.next(); t != "" && t != ")" && len(out) < maxComparisons; t = s.next() {
				if v, ok := constant(t); ok {
					out = append(out, Observable{typ, path, v})
				}
			}
		}
		if len(out) >= maxComparisons {
			break
		}
	}
	return out
}

// objectPath takes `file:hashes.'SHA-256'` apart.
func objectPath(t string) (typ, path string, ok bool) {
	if t[0] == '\'' {
		return "", "", false
	}
	typ, path, ok = strings.Cut(t, ":")
	return typ, path, ok && typ != "" && path != ""
}

// constant is the text of a constant: of a string without its quotation marks
// and escapes, of a number as it stands.
func constant(t string) (string, bool) {
	if t == "" {
		return "", false
	}
	if t[0] >= '0' && t[0] <= '9' {
		return t, true
	}
	if len(t) < 2 || t[0] != '\'' || t[len(t)-1] != '\'' {
		return "", false
	}
	t = t[1 : len(t)-1]
	if strings.IndexByte(t, '\\') < 0 {
		return t, true
	}
	b := make([]byte, 0, len(t))
	for i := 0; i < len(t); i++ {
		if t[i] == '\\' && i+1 < len(t) {
			i++
		}
		b = append(b, t[i])
	}
	return string(b), true
}

// scanner splits a pattern into strings, words with what belongs to a path, and
// signs.
type scanner struct {
	in string
	at int
}

// next is the next token; "" at the end.
func (s *scanner) next() string {
	for s.at < len(s.in) && strings.IndexByte(" \t\r\n\f\v", s.in[s.at]) >= 0 {
		s.at++
	}
	start := s.at
	if start == len(s.in) {
		return ""
	}
	switch c := s.in[start]; {
	case c == '\'':
		s.quoted()
	case c == '=' || c == '!' || c == '<' || c == '>':
		for s.at < len(s.in) && strings.IndexByte("=!<>", s.in[s.at]) >= 0 {
			s.at++
		}
	case word(c):
		s.word()
	default:
		s.at++
	}
	return s.in[start:s.at]
}

// quoted moves behind a string that begins here.
func (s *scanner) quoted() {
	for s.at++; s.at < len(s.in); s.at++ {
		switch s.in[s.at] {
		case '\\':
			s.at++
		case '\'':
			s.at++
			return
		}
	}
	s.at = len(s.in)
}

// word moves behind a word; in a path, strings and indexes belong to it.
func (s *scanner) word() {
	path := false
	for s.at < len(s.in) {
		switch c := s.in[s.at]; {
		case c == ':':
			path = true
			s.at++
		case word(c):
			s.at++
		case path && c == '\'' && (s.in[s.at-1] == '.' || s.in[s.at-1] == ':'):
			s.quoted()
		case path && c == '[':
			end := strings.IndexByte(s.in[s.at:], ']')
			if end < 0 {
				s.at = len(s.in)
				return
			}
			s.at += end + 1
		default:
			return
		}
	}
}

func word(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c >= 0x80
}
