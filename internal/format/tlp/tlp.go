// Package tlp holds the labels of the Traffic Light Protocol 2.0 (FIRST,
// August 2022), their order, and how STIX and CSAF write them.
package tlp

import (
	"errors"
	"strings"
)

// Label is one TLP 2.0 label. Labels are ordered from the widest to the
// narrowest audience, so the stricter of two is the greater one. The numbers
// may be stored.
type Label uint8

// The labels. Unset means that nothing was said; it is never the same as Clear.
const (
	Unset Label = iota
	Clear
	Green
	Amber
	AmberStrict
	Red
)

// ErrLabel says that a text is no TLP label.
var ErrLabel = errors.New("no TLP label; the labels are TLP:CLEAR, TLP:GREEN, TLP:AMBER, TLP:AMBER+STRICT, TLP:RED")

var names = [...]string{"", "TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"}

// Labels are all labels, widest first.
var Labels = [...]Label{Clear, Green, Amber, AmberStrict, Red}

// Parse reads a label in any case, with or without "TLP:". WHITE of TLP 1 is
// Clear; RED of TLP 1 stays Red, as it may never be loosened. Anything else,
// the empty text included, is ErrLabel: TLP allows no spaces and no other words.
func Parse(s string) (Label, error) {
	if len(s) >= 4 && strings.EqualFold(s[:4], "TLP:") {
		s = s[4:]
	}
	for i := range len(s) {
		if s[i] >= 0x80 { // EqualFold would take U+017F for an S
			return Unset, ErrLabel
		}
	}
	for _, l := range Labels {
		if strings.EqualFold(s, names[l][len("TLP:"):]) {
			return l, nil
		}
	}
	if strings.EqualFold(s, "WHITE") {
		return Clear, nil
	}
	return Unset, ErrLabel
}

// String is the label as TLP writes it, such as "TLP:AMBER+STRICT"; Unset is "".
func (l Label) String() string {
	if int(l) < len(names) {
		return names[l]
	}
	return "TLP:RED" // a value from elsewhere is never shown as something wider
}

// Valid reports whether l is one of the five labels.
func (l Label) Valid() bool { return l >= Clear && l <= Red }

// Max is the strictest of the labels; Unset when there is none.
func Max(labels ...Label) Label {
	var m Label
	for _, l := range labels {
		m = max(m, l)
	}
	return m
}

// CSAF20 is the label as CSAF 2.0 writes it in
// /document/distribution/tlp/label (enum WHITE, GREEN, AMBER, RED; §3.2.1.5.2),
// and what has to stand in /document/distribution/text besides: CSAF 2.0 has no
// value for AMBER+STRICT. Both are "" for Unset.
func (l Label) CSAF20() (label, text string) {
	switch l {
	case Unset:
		return "", ""
	case Clear:
		return "WHITE", ""
	case AmberStrict:
		return "AMBER", "TLP:AMBER+STRICT"
	default:
		return strings.TrimPrefix(l.String(), "TLP:"), ""
	}
}

// FromCSAF reads what CSAF20 writes, and the labels of CSAF 2.1. A text that
// starts with a stricter label wins over the label.
func FromCSAF(label, text string) (Label, error) {
	l, err := Parse(label)
	if err != nil {
		return Unset, err
	}
	if strings.HasPrefix(text, names[AmberStrict]) {
		l = Max(l, AmberStrict)
	}
	return l, nil
}
