package stix20

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// record is a JSON object whose members keep their order and their bytes.
type record struct{ members []member }

type member struct {
	name  string
	value jsontext.Value
}

// parse reads an object; false for any other value. The bytes are copied: raw
// may be reused.
func parse(raw []byte) (*record, bool) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, false
	}
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	o := &record{}
	for d.PeekKind() == jsontext.KindString {
		name, err := d.ReadToken()
		if err != nil {
			return nil, false
		}
		m := member{name: name.String()}
		v, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		m.value = bytes.Clone(v)
		o.members = append(o.members, m)
	}
	return o, true
}

func (o *record) bytes() []byte {
	b := []byte{'{'}
	for i, m := range o.members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, quote(m.name)...), ':'), m.value...)
	}
	return append(b, '}')
}

func quote(s string) []byte {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil { // names come from valid JSON, where text is UTF-8
		return []byte(`""`)
	}
	return b
}

func (o *record) find(name string) int {
	return slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
}

func (o *record) has(name string) bool { return o.find(name) >= 0 }

func (o *record) value(name string) jsontext.Value {
	if i := o.find(name); i >= 0 {
		return o.members[i].value
	}
	return nil
}

// text is a member that is a string.
func (o *record) text(name string) (string, bool) { return text(o.value(name)) }

func text(v jsontext.Value) (string, bool) {
	if len(v) == 0 || v[0] != '"' {
		return "", false
	}
	b, err := jsontext.AppendUnquote(nil, v)
	return string(b), err == nil
}

// set replaces a member, or adds it at the end.
func (o *record) set(name string, v jsontext.Value) {
	if i := o.find(name); i >= 0 {
		o.members[i].value = v
		return
	}
	o.members = append(o.members, member{name, v})
}

// insert puts a member behind another one, where that stands.
func (o *record) insert(after, name string, v jsontext.Value) {
	o.members = slices.Insert(o.members, o.find(after)+1, member{name, v})
}

func (o *record) drop(name string) {
	o.members = slices.DeleteFunc(o.members, func(m member) bool { return m.name == name })
}

// rename gives a member another name, unless that is taken.
func (o *record) rename(from, to string) bool {
	i := o.find(from)
	if i < 0 || o.has(to) {
		return false
	}
	o.members[i].name = to
	return true
}

// list is a member that is a list of strings, nil for anything else.
func (o *record) list(name string) []string {
	v := o.value(name)
	if len(v) == 0 || v[0] != '[' {
		return nil
	}
	var out []string
	d := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := d.ReadToken(); err != nil {
		return nil
	}
	for d.PeekKind() == jsontext.KindString {
		t, err := d.ReadToken()
		if err != nil {
			return nil
		}
		out = append(out, t.String())
	}
	if d.PeekKind() != jsontext.KindEndArray {
		return nil
	}
	return out
}

func listOf(ss []string) jsontext.Value {
	b := []byte{'['}
	for i, s := range ss {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quote(s)...)
	}
	return append(b, ']')
}
