package stix

import "bytes"

// plainRefs is eachRef for an object in which names are written plainly and stand
// at their usual places; it looks only at what ends like the name of a reference.
// It returns false where that is not enough: eachRef has to be asked then, and do
// may have been called already.
func plainRefs(raw []byte, do func(id []byte) bool) bool {
	if spelled(raw) {
		return false
	}
	creators := 0
	for i := 0; ; {
		n := bytes.Index(raw[i:], []byte("_ref"))
		if n < 0 {
			return true
		}
		start := i + n
		i = start + len("_ref")
		if i < len(raw) && raw[i] == 's' {
			i++
		}
		// A quote that follows a letter ends a string, and before a colon a name.
		if i >= len(raw) || raw[i] != '"' {
			continue
		}
		at := skipSpace(raw, i+1)
		if at >= len(raw) || raw[at] != ':' {
			continue
		}
		switch stem := raw[:start]; {
		case bytes.HasSuffix(stem, []byte(`"object_marking`)) && raw[i-1] == 's':
			if escaped(stem, len(`"object_marking`)) {
				return false
			}
			continue
		case bytes.HasSuffix(stem, []byte(`"created_by`)) && raw[i-1] == 'f':
			// One is the creator, if the object itself has it.
			if creators++; creators > 1 || !atTop(stem[:start-len(`"created_by`)]) {
				return false
			}
			continue
		case bytes.HasSuffix(stem, []byte(`"marking`)):
			return false
		}
		at = skipSpace(raw, at+1)
		switch {
		case at >= len(raw):
			return false
		case raw[at] == '[':
			for at++; ; at++ {
				at = skipSpace(raw, at)
				if at < len(raw) && raw[at] == ']' {
					break
				}
				if at >= len(raw) || raw[at] != '"' {
					return false
				}
				end := stringEnd(raw, at)
				if !reference(raw[at:end], do) {
					return true
				}
				if at = skipSpace(raw, end); at >= len(raw) || raw[at] != ',' {
					break
				}
			}
			if at >= len(raw) || raw[at] != ']' {
				return false
			}
		case raw[at] == '"':
			end := stringEnd(raw, at)
			if !reference(raw[at:end], do) {
				return true
			}
			at = end
		}
		i = max(i, at)
	}
}

// reference calls do for a string that has the form of an identifier.
func reference(quoted []byte, do func(id []byte) bool) bool {
	if len(quoted) < 2 {
		return true
	}
	id := quoted[1 : len(quoted)-1] // an escape other than \u is in no identifier
	_, ok := splitID(id)
	return !ok || do(id)
}

// spelled reports whether a character of a name or of an identifier may be
// written as an escape.
func spelled(raw []byte) bool {
	for at := 0; ; at += 2 {
		n := bytes.IndexByte(raw[at:], '\\')
		if n < 0 {
			return false
		}
		at += n
		if at+4 >= len(raw) {
			return true
		}
		if raw[at+1] == 'u' && raw[at+2] == '0' && raw[at+3] == '0' && raw[at+4] >= '2' && raw[at+4] <= '7' {
			return true
		}
	}
}

// escaped reports whether the quote so many bytes before the end is escaped.
func escaped(b []byte, before int) bool {
	n := len(b) - before
	return n > 0 && b[n-1] == '\\'
}

// atTop reports whether what follows this beginning of an object is a member of
// the object itself.
func atTop(b []byte) bool {
	if len(b) == 0 || b[len(b)-1] == '\\' {
		return false
	}
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = stringEnd(b, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
	}
	return depth == 1
}
