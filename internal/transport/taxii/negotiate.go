package taxii

import (
	"strconv"
	"strings"
)

// acceptable reports whether the values of the header Accept admit a TAXII 2.1
// answer (§1.6.8, §3.1; RFC 9110 §12.5.1). Of the ranges that match, the most
// specific one decides, and q=0 refuses. No header, or an empty one, accepts
// everything. stix also takes application/stix+json for our answer: the
// manifest endpoint lists it among its Accept values (§5.3).
func acceptable(values []string, stix bool) bool {
	if len(values) == 1 && values[0] == mediaType {
		return true // what most clients send
	}
	best, weight, any := -1, 0.0, false
	for _, value := range values {
		for part := range split(value, ',') {
			if part == "" {
				continue
			}
			any = true
			fit, q := match(part, stix)
			if fit > best || fit == best && q > weight {
				best, weight = fit, q
			}
		}
	}
	return !any || best >= 0 && weight > 0
}

// match says how specifically a media range names our answer: 0 for */*, 1 for
// application/*, 2 for the type, 3 for the type with its version; -1 when it
// does not, or is no media range. q is its weight.
func match(part string, stix bool) (fit int, q float64) {
	fit, q = -1, 1
	version := ""
	first := true
	name := ""
	for field := range split(part, ';') {
		if first {
			name, first = strings.ToLower(field), false
			continue
		}
		key, value, _ := strings.Cut(field, "=")
		switch value = unquote(strings.TrimSpace(value)); strings.ToLower(strings.TrimSpace(key)) {
		case "version":
			version = value
		case "q":
			if q = quality(value); q < 0 {
				return -1, 0
			}
		}
	}
	switch {
	case name == "*/*":
		return 0, q
	case name == "application/*":
		return 1, q
	case name != "application/taxii+json" && (name != "application/stix+json" || !stix):
		return -1, 0
	case version == "":
		return 2, q
	case version == "2.1":
		return 3, q
	}
	return -1, 0
}

// quality reads a qvalue; -1 when it is none.
func quality(s string) float64 {
	q, err := strconv.ParseFloat(s, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return -1
	}
	return q
}

// split yields the parts of s between separators that stand outside quoted
// strings, without the space around them.
func split(s string, separator byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i < len(s); i++ {
			switch {
			case quoted && s[i] == '\\':
				i++
			case s[i] == '"':
				quoted = !quoted
			case s[i] == separator && !quoted:
				if !yield(strings.Trim(s[start:i], " \t")) {
					return
				}
				start = i + 1
			}
		}
		yield(strings.Trim(s[start:], " \t"))
	}
}

// unquote takes the quotes and escapes from a quoted string (RFC 9110 §5.6.4).
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
