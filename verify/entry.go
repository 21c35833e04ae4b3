package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SaltSize is the length of an event's salt in bytes.
const SaltSize = 16

// EntrySize is the length of an entry of the ledger in bytes: a version and a
// commitment.
const EntrySize = 1 + sha256.Size

// entryVersion is the first byte of every entry.
const entryVersion = 1

// padTo is the multiple to which commitments are filled up, so that the number of
// parts that an opening keeps back says little.
const padTo = 16

// Commitment is what stands in the ledger for one part of an event.
type Commitment [sha256.Size]byte

// Part is one member of an event, or one element of a member that is an array with
// elements: the name is then that of the member and the index, as in "subject[0]".
// Value is canonical JSON (RFC 8785).
type Part struct {
	Name  string
	Salt  [SaltSize]byte // of this part alone
	Value []byte
}

// Commit is the SHA-256 of the part's salt, its name, a zero byte, and its value.
func (p Part) Commit() Commitment {
	b := make([]byte, 0, 256)
	b = append(b, p.Salt[:]...)
	b = append(b, p.Name...)
	b = append(b, 0)
	return sha256.Sum256(append(b, p.Value...))
}

// appendName is the name of a part: that of a member, and of an element its index.
func appendName(b, member []byte, index int) []byte {
	b = append(b, member...)
	if index >= 0 {
		b = append(b, '[')
		b = strconv.AppendInt(b, int64(index), 10)
		b = append(b, ']')
	}
	return b
}

// partSalt is the salt of one part: the first half of the SHA-256 of the event's
// salt and the part's name.
func partSalt(salt [SaltSize]byte, name []byte) [SaltSize]byte {
	b := make([]byte, 0, 128)
	b = append(append(b, salt[:]...), name...)
	h := sha256.Sum256(b)
	return [SaltSize]byte(h[:SaltSize])
}

// Parts takes an event apart. event is a JSON object that Canonical accepts.
func Parts(event []byte, salt [SaltSize]byte) ([]Part, error) {
	event, err := Canonical(event)
	if err != nil {
		return nil, fmt.Errorf("taking an event apart: %w", err)
	}
	var parts []Part
	scanObject(event, func(member []byte, index int, value []byte) {
		name := appendName(nil, member, index)
		parts = append(parts, Part{Name: string(name), Salt: partSalt(salt, name), Value: value})
	})
	return parts, nil
}

// Entry is the ledger's entry for an event: the version, and the SHA-256 of
// "forewarn event v1\n" and the commitments to its parts, filled up to a multiple
// of 16 and sorted by their bytes. What fills up is the commitment to parts named
// "#0", "#1" and so on, without a value. The same event written in another way,
// such as with more characters escaped, has the same entry.
func Entry(event []byte, salt [SaltSize]byte) ([]byte, error) {
	var room [2 * padTo]Commitment
	all := room[:0]
	var text [512]byte
	if !scanObject(event, func(member []byte, index int, value []byte) {
		all = append(all, commit(text[:0], salt, member, index, value))
	}) {
		parts, err := Parts(event, salt)
		if err != nil {
			return nil, err
		}
		return EntryOf(commitments(parts, salt)), nil
	}
	return EntryOf(fill(all, salt)), nil
}

// commit is the commitment to a part of an event with that salt. b is room.
func commit(b []byte, salt [SaltSize]byte, member []byte, index int, value []byte) Commitment {
	b = appendName(append(b, salt[:]...), member, index)
	own := sha256.Sum256(b)
	copy(b, own[:SaltSize])
	b = append(b, 0)
	return sha256.Sum256(append(b, value...))
}

// fill adds commitments to nothing up to a multiple of 16.
func fill(all []Commitment, salt [SaltSize]byte) []Commitment {
	var text [64]byte
	for i := 0; len(all) == 0 || len(all)%padTo != 0; i++ {
		name := strconv.AppendInt(append(make([]byte, 0, 8), '#'), int64(i), 10)
		all = append(all, commit(text[:0], salt, name, -1, nil))
	}
	return all
}

func commitments(parts []Part, salt [SaltSize]byte) []Commitment {
	all := make([]Commitment, 0, len(parts)+padTo)
	for _, p := range parts {
		all = append(all, p.Commit())
	}
	return fill(all, salt)
}

// EntryOf is the entry of commitments in any order; they are sorted in place.
func EntryOf(all []Commitment) []byte {
	slices.SortFunc(all, compareCommitments)
	text := make([]byte, 0, 1280)
	text = append(text, "forewarn event v1\n"...)
	for i := range all {
		text = append(text, all[i][:]...)
	}
	h := sha256.Sum256(text)
	return append(append(make([]byte, 0, EntrySize), entryVersion), h[:]...)
}

// Opening shows what an entry of the ledger stands for: the whole event and its
// salt, or some of its parts and the commitments to the others.
type Opening struct {
	Event  []byte         // the whole event, canonical JSON; nil when parts are shown
	Salt   [SaltSize]byte // of the whole event
	Parts  []Part         // those shown
	Hidden []Commitment   // to those kept back
}

// Entry is the entry that the opening opens. Of a part that is shown the value is
// canonical JSON; none is shown twice.
func (o Opening) Entry() ([]byte, error) {
	if o.Event != nil {
		return Entry(o.Event, o.Salt)
	}
	if n := len(o.Parts) + len(o.Hidden); len(o.Parts) == 0 || n%padTo != 0 {
		return nil, fmt.Errorf("the opening shows %d parts and hides %d: it shows one at least, and both are a multiple of %d", len(o.Parts), len(o.Hidden), padTo)
	}
	all := slices.Clone(o.Hidden)
	seen := make(map[string]bool, len(o.Parts))
	for _, p := range o.Parts {
		if !partName(p.Name) || seen[p.Name] || scanValue(p.Value, 0, 1) != len(p.Value) {
			return nil, fmt.Errorf("the part %.40q stands twice, or is not a part of an event in canonical form", p.Name)
		}
		seen[p.Name] = true
		all = append(all, p.Commit())
	}
	return EntryOf(all), nil
}

// partName reports whether a part may have this name.
func partName(name string) bool {
	member, index, element := strings.Cut(name, "[")
	if element {
		digits, ended := strings.CutSuffix(index, "]")
		if n, err := strconv.ParseUint(digits, 10, 31); !ended || err != nil || strconv.FormatUint(n, 10) != digits {
			return false
		}
	}
	return scanString(appendString(nil, member), 0) == len(member)+2 && member != "" && !strings.ContainsAny(member, "]#")
}

// Member is the value of a member or part that the opening shows, as canonical JSON;
// nil when it does not.
func (o Opening) Member(name string) []byte {
	for _, p := range o.Parts {
		if p.Name == name && o.Event == nil {
			return p.Value
		}
	}
	if o.Event == nil {
		return nil
	}
	event, err := Canonical(o.Event)
	if err != nil {
		return nil
	}
	var found []byte
	scanObject(event, func(member []byte, index int, value []byte) {
		if len(member) <= len(name) && string(appendName(nil, member, index)) == name {
			found = value
		}
	})
	return found
}

// Show opens of an opening only the parts for which show is true.
func (o Opening) Show(show func(name string) bool) (Opening, error) {
	parts, hidden := o.Parts, o.Hidden
	if o.Event != nil {
		var err error
		if parts, err = Parts(o.Event, o.Salt); err != nil {
			return Opening{}, err
		}
		hidden = commitments(parts, o.Salt)[len(parts):]
	}
	out := Opening{Hidden: slices.Clone(hidden)}
	for _, p := range parts {
		if show(p.Name) {
			out.Parts = append(out.Parts, p)
		} else {
			out.Hidden = append(out.Hidden, p.Commit())
		}
	}
	slices.SortFunc(out.Hidden, compareCommitments)
	return out, nil
}

func compareCommitments(a, b Commitment) int { return bytes.Compare(a[:], b[:]) }

// openingJSON is an opening as it is written: {"salt":…,"event":{…}}, or
// {"parts":[{"name":…,"salt":…,"value":…}],"hidden":[…]}. Bytes are standard
// base 64 without padding.
type openingJSON struct {
	Salt   string          `json:"salt,omitempty"`
	Event  json.RawMessage `json:"event,omitempty"`
	Parts  []partJSON      `json:"parts,omitempty"`
	Hidden []string        `json:"hidden,omitempty"`
}

type partJSON struct {
	Name  string          `json:"name"`
	Salt  string          `json:"salt"`
	Value json.RawMessage `json:"value"`
}

var b64 = base64.RawStdEncoding.Strict()

// MarshalJSON writes the opening on one line, the event's bytes as they are.
func (o Opening) MarshalJSON() ([]byte, error) {
	j := openingJSON{Event: o.Event}
	if o.Event != nil {
		// Not through json.Marshal: it would escape <, > and &, and so change the event.
		b := append([]byte(`{"salt":"`), b64.EncodeToString(o.Salt[:])...)
		b = append(b, `","event":`...)
		b = append(b, o.Event...)
		return append(b, '}'), nil
	}
	for _, p := range o.Parts {
		j.Parts = append(j.Parts, partJSON{p.Name, b64.EncodeToString(p.Salt[:]), p.Value})
	}
	for _, c := range slices.SortedFunc(slices.Values(o.Hidden), compareCommitments) {
		j.Hidden = append(j.Hidden, b64.EncodeToString(c[:]))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(j)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// UnmarshalJSON reads an opening. The event, or the values of its parts, are then in
// canonical form, however they were written.
func (o *Opening) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return errors.New("an opening is a JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var j openingJSON
	if err := d.Decode(&j); err != nil {
		return fmt.Errorf("reading an opening: %w", err)
	}
	*o = Opening{}
	if (j.Event != nil) == (j.Parts != nil || j.Hidden != nil) || (j.Event == nil && j.Salt != "") {
		return errors.New("an opening shows either an event or parts of it")
	}
	if j.Event != nil {
		event, err := Canonical(slices.Clone(j.Event))
		if err != nil {
			return fmt.Errorf("event: %w", err)
		}
		o.Event = event
		return unbase(o.Salt[:], j.Salt, "salt")
	}
	for i, p := range j.Parts {
		value, err := canonicalValue(slices.Clone(p.Value))
		if err != nil {
			return fmt.Errorf("parts[%d].value: %w", i, err)
		}
		part := Part{Name: p.Name, Value: value}
		if err := unbase(part.Salt[:], p.Salt, fmt.Sprintf("parts[%d].salt", i)); err != nil {
			return err
		}
		o.Parts = append(o.Parts, part)
	}
	for i, h := range j.Hidden {
		var c Commitment
		if err := unbase(c[:], h, fmt.Sprintf("hidden[%d]", i)); err != nil {
			return err
		}
		if i > 0 && bytes.Compare(o.Hidden[i-1][:], c[:]) >= 0 {
			return fmt.Errorf("hidden[%d]: the commitments are not sorted", i)
		}
		o.Hidden = append(o.Hidden, c)
	}
	return nil
}

func unbase(to []byte, text, path string) error {
	b, err := b64.DecodeString(text)
	if err != nil || len(b) != len(to) || len(text) != b64.EncodedLen(len(to)) { // line ends are skipped otherwise
		return fmt.Errorf("%s: not %d bytes in base 64 without padding", path, len(to))
	}
	copy(to, b)
	return nil
}
