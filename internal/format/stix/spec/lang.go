package spec

import "strings"

// ValidLang reports whether b is a well-formed language tag of RFC 5646 §2.1.
// Whether its subtags are registered is not asked.
func ValidLang(b []byte) bool {
	if len(b) < 2 || len(b) > 100 {
		return false
	}
	if irregular[strings.ToLower(string(b))] {
		return true
	}
	t := tag{rest: b}
	t.next()
	if len(t.sub) == 1 {
		return (t.sub[0]|0x20) == 'x' && t.private()
	}
	if !allAlpha(t.sub) || len(t.sub) < 2 || len(t.sub) > 8 {
		return false
	}
	extended := len(t.sub) <= 3
	t.next()
	for range 3 { // extlang
		if !extended || len(t.sub) != 3 || !allAlpha(t.sub) {
			break
		}
		t.next()
	}
	if len(t.sub) == 4 && allAlpha(t.sub) { // script
		t.next()
	}
	if len(t.sub) == 2 && allAlpha(t.sub) || len(t.sub) == 3 && allDigits(t.sub) { // region
		t.next()
	}
	for len(t.sub) >= 5 || len(t.sub) == 4 && digit(t.sub[0]) { // variants
		if len(t.sub) > 8 || !allAlnum(t.sub) {
			return false
		}
		t.next()
	}
	for len(t.sub) == 1 && (t.sub[0]|0x20) != 'x' && allAlnum(t.sub) { // extensions
		n := 0
		for t.next(); len(t.sub) >= 2; t.next() {
			if len(t.sub) > 8 || !allAlnum(t.sub) {
				return false
			}
			n++
		}
		if n == 0 {
			return false
		}
	}
	if len(t.sub) == 1 && (t.sub[0]|0x20) == 'x' {
		return t.private()
	}
	return t.done && !t.empty
}

// irregular are the tags that RFC 5646 keeps and its rules do not cover.
var irregular = map[string]bool{
	"en-gb-oed": true, "i-ami": true, "i-bnn": true, "i-default": true, "i-enochian": true, "i-hak": true, "i-klingon": true, "i-lux": true,
	"i-mingo": true, "i-navajo": true, "i-pwn": true, "i-tao": true, "i-tay": true, "i-tsu": true, "sgn-be-fr": true, "sgn-be-nl": true, "sgn-ch-de": true,
}

// tag steps through the subtags. At the end sub is empty and done set; empty
// says that a subtag had no characters.
type tag struct {
	rest, sub   []byte
	done, empty bool
	last        bool
}

func (t *tag) next() {
	t.sub = nil
	if t.last || t.rest == nil {
		t.done = true
		return
	}
	i := 0
	for i < len(t.rest) && t.rest[i] != '-' {
		i++
	}
	t.sub = t.rest[:i]
	t.empty = t.empty || i == 0
	if i == len(t.rest) {
		t.last = true
	} else {
		t.rest = t.rest[i+1:]
	}
}

// private reads what follows x.
func (t *tag) private() bool {
	n := 0
	for t.next(); !t.done; t.next() {
		if len(t.sub) < 1 || len(t.sub) > 8 || !allAlnum(t.sub) {
			return false
		}
		n++
	}
	return n > 0
}

func allAlpha(b []byte) bool {
	for _, c := range b {
		if !alpha(c) {
			return false
		}
	}
	return true
}

func allAlnum(b []byte) bool {
	for _, c := range b {
		if !alpha(c) && !digit(c) {
			return false
		}
	}
	return true
}
