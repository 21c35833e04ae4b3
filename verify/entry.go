package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
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

// Part is one member of an event, or one element of a member that is an array:
// the name is then that of the member and the index, as in "subject[0]". Value is
// canonical JSON (RFC 8785).
type Part struct {
	Name  string
	Salt  [SaltSize]byte // of this part alone
	Value []byte
}

// Commit is the SHA-256 of the part's salt, its name, a zero byte, and its value.
func (p Part) Commit() Commitment {
	b := make([]byte, 0, 128)
	b = append(b, p.Salt[:]...)
	b = append(b, p.Name...)
	b = append(b, 0)
	return sha256.Sum256(append(b, p.Value...))
}

// partSalt is the salt of one part: the first half of the SHA-256 of the event's
// salt and the part's name.
func partSalt(salt [SaltSize]byte, name string) (s [SaltSize]byte) {
	h := sha256.Sum256(append(salt[:], name...))
	copy(s[:], h[:])
	return s
}

// Parts takes an event apart. event is a JSON object in canonical form.
func Parts(event []byte, salt [SaltSize]byte) ([]Part, error) {
	var parts []Part
	add := func(name string, value []byte) {
		parts = append(parts, Part{Name: name, Salt: partSalt(salt, name), Value: value})
	}
	err := members(event, func(name string, value []byte) error {
		if len(value) == 0 || value[0] != '[' {
			add(name, value)
			return nil
		}
		var all []json.RawMessage
		if err := json.Unmarshal(value, &all); err != nil {
			return err
		}
		for i, v := range all {
			add(name+"["+strconv.Itoa(i)+"]", v)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("taking an event apart: %w", err)
	}
	return parts, nil
}

// members calls fn for each member of a JSON object, in order, with the value's
// own bytes.
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

// Entry is the ledger's entry for an event: the version, and the SHA-256 of
// "forewarn event v1\n" and the commitments to its parts, filled up to a multiple
// of 16 and sorted by their bytes. What fills up is the commitment to parts named
// "#0", "#1" and so on, without a value.
func Entry(event []byte, salt [SaltSize]byte) ([]byte, error) {
	parts, err := Parts(event, salt)
	if err != nil {
		return nil, err
	}
	return EntryOf(commitments(parts, salt)), nil
}

func commitments(parts []Part, salt [SaltSize]byte) []Commitment {
	all := make([]Commitment, 0, len(parts)+padTo)
	for _, p := range parts {
		all = append(all, p.Commit())
	}
	for i := 0; len(all) == 0 || len(all)%padTo != 0; i++ {
		name := "#" + strconv.Itoa(i)
		all = append(all, Part{Name: name, Salt: partSalt(salt, name)}.Commit())
	}
	return all
}

// EntryOf is the entry of commitments in any order; they are sorted in place.
func EntryOf(all []Commitment) []byte {
	slices.SortFunc(all, func(a, b Commitment) int { return bytes.Compare(a[:], b[:]) })
	h := sha256.New()
	io.WriteString(h, "forewarn event v1\n")
	for i := range all {
		h.Write(all[i][:])
	}
	return h.Sum([]byte{entryVersion})
}

// Opening shows what an entry of the ledger stands for: the whole event and its
// salt, or some of its parts and the commitments to the others.
type Opening struct {
	Event  []byte         // the whole event, canonical JSON; nil when parts are shown
	Salt   [SaltSize]byte // of the whole event
	Parts  []Part         // those shown
	Hidden []Commitment   // to those kept back
}

// Entry is the entry that the opening opens.
func (o Opening) Entry() ([]byte, error) {
	if o.Event != nil {
		return Entry(o.Event, o.Salt)
	}
	all := slices.Clone(o.Hidden)
	for _, p := range o.Parts {
		all = append(all, p.Commit())
	}
	if len(all) == 0 {
		return nil, errors.New("the opening shows nothing")
	}
	return EntryOf(all), nil
}

// Show opens of a whole opening only the parts for which show is true.
func (o Opening) Show(show func(name string) bool) (Opening, error) {
	if o.Event == nil {
		return Opening{}, errors.New("only a whole opening can be cut down")
	}
	parts, err := Parts(o.Event, o.Salt)
	if err != nil {
		return Opening{}, err
	}
	var out Opening
	all := commitments(parts, o.Salt)
	for i := range all {
		if i < len(parts) && show(parts[i].Name) {
			out.Parts = append(out.Parts, parts[i])
			continue
		}
		out.Hidden = append(out.Hidden, all[i])
	}
	slices.SortFunc(out.Hidden, func(a, b Commitment) int { return bytes.Compare(a[:], b[:]) })
	return out, nil
}

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
	for _, c := range o.Hidden {
		j.Hidden = append(j.Hidden, b64.EncodeToString(c[:]))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(j)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// UnmarshalJSON reads an opening.
func (o *Opening) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var j openingJSON
	if err := d.Decode(&j); err != nil {
		return fmt.Errorf("reading an opening: %w", err)
	}
	*o = Opening{}
	if (j.Event != nil) == (j.Parts != nil || j.Hidden != nil) {
		return errors.New("an opening shows either an event or parts of it")
	}
	if j.Event != nil {
		o.Event = slices.Clone(j.Event)
		return unbase(o.Salt[:], j.Salt, "salt")
	}
	for i, p := range j.Parts {
		part := Part{Name: p.Name, Value: slices.Clone(p.Value)}
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
		o.Hidden = append(o.Hidden, c)
	}
	return nil
}

func unbase(to []byte, text, path string) error {
	b, err := b64.DecodeString(text)
	if err != nil || len(b) != len(to) {
		return fmt.Errorf("%s: not %d bytes in base 64 without padding", path, len(to))
	}
	copy(to, b)
	return nil
}
