package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects of an event may stand in one another.
const maxDepth = 32

// Canonical is a JSON object in canonical form (RFC 8785): members sorted, no white
// space, nothing escaped without need. What is canonical already is answered as it
// is. Events hold integers alone, so that a number with a fraction is an error, as
// are a member that stands twice and a name that would have to be escaped. Names of
// the outer object hold none of [, ] and #, which name parts.
func Canonical(object []byte) ([]byte, error) {
	if scanObject(object, nil) {
		return object, nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	out, err := rewrite(d, t, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more follows the JSON object")
	}
	if !scanObject(out, nil) {
		return nil, errors.New("a member has no name, or one that holds [, ] or #")
	}
	return out, nil
}

// canonicalValue is any JSON value in canonical form.
func canonicalValue(value []byte) ([]byte, error) {
	if len(value) > 0 && scanValue(value, 0, 1) == len(value) {
		return value, nil
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	out, err := rewrite(d, t, 1)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more follows the JSON value")
	}
	return out, nil
}

// rewrite is the value that begins with t, in canonical form.
func rewrite(d *json.Decoder, t json.Token, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d arrays and objects stand in one another", maxDepth)
	}
	switch t := t.(type) {
	case nil:
		return []byte("null"), nil
	case bool:
		return strconv.AppendBool(nil, t), nil
	case string:
		return appendString(nil, t), nil
	case json.Number:
		return integer(t.String())
	case json.Delim:
		if t == '[' {
			return rewriteArray(d, depth)
		}
		return rewriteObject(d, depth)
	}
	return nil, fmt.Errorf("%v does not belong there", t)
}

func rewriteArray(d *json.Decoder, depth int) ([]byte, error) {
	out := []byte{'['}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := rewrite(d, t, depth+1)
		if err != nil {
			return nil, err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, v...)
	}
	_, err := d.Token()
	return append(out, ']'), err
}

func rewriteObject(d *json.Decoder, depth int) ([]byte, error) {
	type member struct {
		name  string
		value []byte
	}
	var all []member
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		if t, err = d.Token(); err != nil {
			return nil, err
		}
		v, err := rewrite(d, t, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, member{name, v})
	}
	slices.SortFunc(all, func(a, b member) int { return compareNames([]byte(a.name), []byte(b.name)) })
	out := []byte{'{'}
	for i, m := range all {
		if i > 0 && m.name == all[i-1].name {
			return nil, fmt.Errorf("the member %.40q stands twice", m.name)
		}
		if i > 0 {
			out = append(out, ',')
		}
		name := appendString(nil, m.name)
		if bytes.IndexByte(name, '\\') >= 0 {
			return nil, fmt.Errorf("the name of the member %.40q would have to be escaped", m.name)
		}
		out = append(append(out, name...), ':')
		out = append(out, m.value...)
	}
	_, err := d.Token()
	return append(out, '}'), err
}

// integer is a number as it is written in events.
func integer(text string) ([]byte, error) {
	if end := scanInteger([]byte(text), 0); end == len(text) {
		return []byte(text), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if n := int64(f); err == nil && float64(n) == f && n > -1<<53 && n < 1<<53 {
		return strconv.AppendInt(nil, n, 10), nil
	}
	return nil, fmt.Errorf("the number %.40s is no integer", text)
}

// appendString writes a string as RFC 8785 §3.2.2.2 has it.
func appendString(b []byte, s string) []byte {
	const short = "\b\f\n\r\t\"\\"
	b = append(b, '"')
	for i := range len(s) {
		c := s[i]
		switch k := strings.IndexByte(short, c); {
		case k >= 0:
			b = append(b, '\\', `bfnrt"\`[k])
		case c < 0x20:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// compareNames orders names by their UTF-16 code units (RFC 8785 §3.2.3).
func compareNames(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		if a[i] < utf8.RuneSelf || b[i] < utf8.RuneSelf {
			return int(a[i]) - int(b[i])
		}
		return slices.Compare(utf16.Encode([]rune(string(a))), utf16.Encode([]rune(string(b))))
	}
	return len(a) - len(b)
}

// scanObject reports whether b is a JSON object in canonical form, and calls fn for
// its parts, in order: for each member, or, of a member that is an array with
// elements, for each element with its index. The index is -1 for whole members.
func scanObject(b []byte, fn func(name []byte, index int, value []byte)) bool {
	if len(b) < 2 || b[0] != '{' {
		return false
	}
	if len(b) == 2 {
		return b[1] == '}'
	}
	var last []byte
	for i := 1; ; i++ {
		name, at := scanName(b, i, last)
		if at < 0 || len(name) == 0 || bytes.ContainsAny(name, "[]#") {
			return false
		}
		last, i = name, at
		end := scanValue(b, i, 1)
		if end < 0 || end >= len(b) {
			return false
		}
		if fn != nil {
			eachPart(name, b[i:end], fn)
		}
		i = end
		if b[i] != ',' {
			return b[i] == '}' && i == len(b)-1
		}
	}
}

// eachPart calls fn for a member, or for each element of it. value is canonical.
func eachPart(name, value []byte, fn func(name []byte, index int, value []byte)) {
	if value[0] != '[' || len(value) == 2 {
		fn(name, -1, value)
		return
	}
	for i, index := 1, 0; i < len(value); index++ {
		end := scanValue(value, i, 2)
		fn(name, index, value[i:end])
		i = end + 1
	}
}

// scanName reads the name of a member and the colon. It is -1 when they are not
// canonical, or the name does not come after the last one.
func scanName(b []byte, i int, last []byte) (name []byte, next int) {
	end := scanString(b, i)
	if end < 0 || end >= len(b) || b[end] != ':' {
		return nil, -1
	}
	name = b[i+1 : end-1]
	if bytes.IndexByte(name, '\\') >= 0 || last != nil && compareNames(last, name) >= 0 {
		return nil, -1
	}
	return name, end + 1
}

// scanValue is the end of the canonical value that begins at i, or -1.
func scanValue(b []byte, i, depth int) int {
	if i >= len(b) || depth > maxDepth {
		return -1
	}
	switch c := b[i]; {
	case c == '"':
		return scanString(b, i)
	case c == '-' || c >= '0' && c <= '9':
		return scanInteger(b, i)
	case c == '[':
		return scanList(b, i, depth, false)
	case c == '{':
		return scanList(b, i, depth, true)
	}
	for _, word := range []string{"true", "false", "null"} {
		if len(b)-i >= len(word) && string(b[i:i+len(word)]) == word {
			return i + len(word)
		}
	}
	return -1
}

// scanList is the end of an array or an object.
func scanList(b []byte, i, depth int, object bool) int {
	closing := byte(']')
	if object {
		closing = '}'
	}
	i++
	if i < len(b) && b[i] == closing {
		return i + 1
	}
	var last []byte
	for ; ; i++ {
		if object {
			name, at := scanName(b, i, last)
			if at < 0 {
				return -1
			}
			last, i = name[:len(name):len(name)], at
		}
		if i = scanValue(b, i, depth+1); i < 0 || i >= len(b) {
			return -1
		}
		if b[i] == closing {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
	}
}

func scanInteger(b []byte, i int) int {
	start := i
	if i < len(b) && b[i] == '-' {
		i++
	}
	first := i
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if i == first || b[first] == '0' && (i > first+1 || first > start) {
		return -1
	}
	return i
}

func scanString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	ascii := true
	start := i + 1
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			if !ascii && !utf8.Valid(b[start:i]) {
				return -1
			}
			return i + 1
		case c == '\\':
			if i++; i >= len(b) {
				return -1
			}
			if b[i] == 'u' {
				if !scanEscape(b, i+1) {
					return -1
				}
				i += 4
			} else if strings.IndexByte(`bfnrt"\`, b[i]) < 0 {
				return -1
			}
		case c < 0x20:
			return -1
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return -1
}

// scanEscape reports whether four digits name a control character that has no
// shorter escape, in lower case.
func scanEscape(b []byte, i int) bool {
	if len(b)-i < 4 || b[i] != '0' || b[i+1] != '0' || b[i+2] != '0' && b[i+2] != '1' {
		return false
	}
	low := strings.IndexByte("0123456789abcdef", b[i+3])
	return low >= 0 && strings.IndexByte("\b\f\n\r\t", b[i+2]<<4&0x10|byte(low)) < 0
}

// members calls fn for each member of any JSON object, in order, with the value's own
// bytes.
func members(object []byte, fn func(name string, value []byte) error) error {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil {
		return err
	} else if t != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if seen[name] {
			return fmt.Errorf("the member %.40q stands twice", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := fn(name, value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows the JSON object")
	}
	return nil
}
