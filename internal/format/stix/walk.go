package stix

import (
	"bytes"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// The functions of this file walk JSON that the decoder has already accepted,
// so they need not validate again. That is what makes the second pass cheap: in
// valid JSON the end of a string is the next quote not preceded by an odd run
// of backslashes, and brackets outside strings always match. On other input
// they stop at the end of the bytes.

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// stringEnd is the index after the closing quote of the string that starts at i.
func stringEnd(b []byte, i int) int {
	start := i + 1
	for i = start; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n
		j := i
		for j > start && b[j-1] == '\\' {
			j--
		}
		if (i-j)%2 == 0 {
			return i + 1
		}
	}
}

// compositeEnd is the index after the object or array that starts at i, and how
// many levels it has.
func compositeEnd(b []byte, i int) (end, levels int) {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = stringEnd(b, i)
			continue
		case '{', '[':
			depth++
			levels = max(levels, depth)
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1, levels
			}
		}
		i++
	}
	return i, levels
}

// valueEnd is the index after the value that starts at i, and how many levels
// it has (none for a string, number or literal).
func valueEnd(b []byte, i int) (end, levels int) {
	switch b[i] {
	case '"':
		return stringEnd(b, i), 0
	case '{', '[':
		return compositeEnd(b, i)
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			return i, 0
		}
		i++
	}
	return i, 0
}

// cursor steps through the members of an object or the elements of an array.
type cursor struct {
	b      []byte
	i      int
	levels int // deepest nesting seen below this value
}

// inside starts a cursor at the first member or element of v.
func inside(v []byte) cursor { return cursor{b: v, i: 1} }

// element is the next value; false at the end.
func (c *cursor) element() ([]byte, bool) {
	i := skipSpace(c.b, c.i)
	if i < len(c.b) && c.b[i] == ',' {
		i = skipSpace(c.b, i+1)
	}
	if i >= len(c.b) || c.b[i] == ']' || c.b[i] == '}' {
		return nil, false
	}
	end, levels := valueEnd(c.b, i)
	c.levels = max(c.levels, levels)
	c.i = end
	return c.b[i:end:end], true
}

// member is the next name, in its quotes, and value; false at the end.
func (c *cursor) member() (name, value []byte, ok bool) {
	if name, ok = c.element(); !ok {
		return nil, nil, false
	}
	i := skipSpace(c.b, c.i)
	if i >= len(c.b) || c.b[i] != ':' {
		return nil, nil, false
	}
	c.i = i + 1
	value, ok = c.element()
	return name, value, ok
}

// pairs are the names, unquoted and valid until the next one, and the values
// of the object v.
func (c *checker) pairs(v []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		cur := inside(v)
		for {
			name, value, ok := cur.member()
			if !ok {
				return
			}
			if name, c.name = unquote(name, c.name); !yield(name, value) {
				return
			}
		}
	}
}

// unquote is the text of a JSON string. Where it has escapes it is written to
// buf, whose new state comes back.
func unquote(s, buf []byte) (text, newBuf []byte) {
	if len(s) < 2 {
		return nil, buf
	}
	if bytes.IndexByte(s, '\\') < 0 {
		return s[1 : len(s)-1], buf
	}
	buf, err := jsontext.AppendUnquote(buf[:0], s)
	if err != nil {
		return nil, buf[:0]
	}
	return buf, buf
}

func isString(v []byte) bool { return len(v) > 0 && v[0] == '"' }
func isObject(v []byte) bool { return len(v) > 0 && v[0] == '{' }
func isArray(v []byte) bool  { return len(v) > 0 && v[0] == '[' }
func isNumber(v []byte) bool {
	return len(v) > 0 && (v[0] == '-' || (v[0] >= '0' && v[0] <= '9'))
}

func isInteger(v []byte) bool {
	return isNumber(v) && !bytes.ContainsAny(v, ".eE")
}

func isBool(v []byte) bool {
	return string(v) == "true" || string(v) == "false"
}
