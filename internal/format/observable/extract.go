package observable

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/forewarn-exchange/forewarn/internal/format/pattern"
)

// Most is how many values of one object are found; further ones are not.
const Most = 4096

// barren are the types of objects that hold no values of their own.
var barren = map[string]bool{
	"relationship": true, "sighting": true, "note": true, "opinion": true, "report": true, "grouping": true, "observed-data": true,
	"marking-definition": true, "language-content": true, "extension-definition": true, "identity": true, "location": true,
	"course-of-action": true, "network-traffic": true,
}

// Bears reports whether objects of the type can hold values.
func Bears(typ string) bool { return !barren[typ] }

// named are the properties that hold names and numbers by which an object of
// the type is known. The values of every type are in value and hashes.
var named = map[string][]string{
	"file": {"name"}, "directory": {"path"}, "mutex": {"name"}, "windows-registry-key": {"key"}, "software": {"name", "cpe"},
	"autonomous-system": {"number"}, "user-account": {"user_id", "account_login"}, "x509-certificate": {"serial_number"},
	"email-message": {"message_id", "subject"}, "process": {"command_line"}, "artifact": {"url"},
	"vulnerability": {"name", "external_id"}, "attack-pattern": {"name", "aliases", "external_id"},
	"malware": {"name", "aliases", "external_id"}, "tool": {"name", "aliases", "external_id"},
	"threat-actor": {"name", "aliases"}, "intrusion-set": {"name", "aliases", "external_id"},
	"campaign": {"name", "aliases"}, "infrastructure": {"name", "aliases"},
}

// Extractor finds the values of STIX objects. It keeps its buffers, and is for
// one goroutine.
type Extractor struct {
	in       bytes.Reader
	dec      *jsontext.Decoder
	typ      string
	pattern  string
	language string
	texts    []text
	out      []Value
	known    map[Value]struct{} // what is in out, once that is long
}

type text struct{ property, value string }

// NewExtractor returns an extractor.
func NewExtractor() *Extractor {
	x := &Extractor{known: map[Value]struct{}{}}
	x.dec = jsontext.NewDecoder(&x.in)
	return x
}

// Extract lists the values of one object, each once: those of a cyber-observable
// object, those that an indicator's STIX pattern looks for, and the names of
// what has some. The slice holds until the next call. Bytes that are no JSON
// object are an error.
func (x *Extractor) Extract(raw []byte) ([]Value, error) {
	x.typ, x.pattern, x.language = "", "", ""
	x.texts, x.out = x.texts[:0], x.out[:0]
	x.in.Reset(raw)
	x.dec.Reset(&x.in)
	if err := x.read(); err != nil {
		return nil, fmt.Errorf("reading the values of an object: %w", err)
	}
	properties := named[x.typ]
	for _, t := range x.texts {
		switch {
		case t.property == "value" || t.property == "hashes":
			x.add(t.value, false)
		case slices.Contains(properties, t.property):
			x.add(t.value, t.property != "url")
		}
	}
	if x.typ == "indicator" && x.language == "stix" {
		for _, o := range pattern.Values(x.pattern) {
			if o.ObjectType == "autonomous-system" && o.Path == "number" {
				o.Value = "AS" + o.Value
			}
			x.add(o.Value, !plain(o.Path))
		}
	}
	return x.out, nil
}

// plain reports whether what stands at the path is what it looks like, and not
// a name that may look like something else.
func plain(path string) bool {
	return path == "value" || path == "url" || strings.HasSuffix(path, ".value") || strings.HasPrefix(path, "hashes.") || strings.Contains(path, ".hashes.")
}

// add takes a value up. A name is text, whatever it looks like.
func (x *Extractor) add(s string, name bool) {
	v, err := Parse(s)
	if err != nil || len(x.out) >= Most {
		return
	}
	if name {
		v.Kind = Text
	}
	const few = 32
	switch n := len(x.out); {
	case n < few:
		if slices.Contains(x.out, v) {
			return
		}
	case n == few:
		clear(x.known)
		for _, o := range x.out {
			x.known[o] = struct{}{}
		}
		fallthrough
	default:
		if _, again := x.known[v]; again {
			return
		}
		x.known[v] = struct{}{}
	}
	x.out = append(x.out, v)
}

func (x *Extractor) read() error {
	if x.dec.PeekKind() != '{' {
		return fmt.Errorf("not an object")
	}
	if _, err := x.dec.ReadToken(); err != nil {
		return err
	}
	for x.dec.PeekKind() == '"' {
		name, err := x.dec.ReadToken()
		if err != nil {
			return err
		}
		if err := x.property(name.String()); err != nil {
			return err
		}
	}
	_, err := x.dec.ReadToken()
	return err
}

func (x *Extractor) property(name string) error {
	switch name {
	case "type":
		return x.text(&x.typ)
	case "pattern":
		return x.text(&x.pattern)
	case "pattern_type":
		return x.text(&x.language)
	case "value", "name", "path", "key", "cpe", "user_id", "account_login", "serial_number", "message_id", "subject", "command_line", "url":
		var s string
		err := x.text(&s)
		if s != "" {
			x.texts = append(x.texts, text{name, s})
		}
		return err
	case "number":
		if x.dec.PeekKind() != '0' {
			return x.dec.SkipValue()
		}
		t, err := x.dec.ReadToken()
		if err == nil {
			if n, err := strconv.ParseUint(t.String(), 10, 32); err == nil {
				x.texts = append(x.texts, text{name, "AS" + strconv.FormatUint(n, 10)})
			}
		}
		return err
	case "hashes", "aliases":
		return x.strings(name)
	case "external_references":
		return x.references()
	}
	return x.dec.SkipValue()
}

// text reads a string; another kind of value is passed over.
func (x *Extractor) text(into *string) error {
	if x.dec.PeekKind() != '"' {
		return x.dec.SkipValue()
	}
	t, err := x.dec.ReadToken()
	if err == nil {
		*into = t.String()
	}
	return err
}

// strings reads the strings of a list, or the values of a dictionary.
func (x *Extractor) strings(name string) error {
	open := x.dec.PeekKind()
	if open != '{' && open != '[' {
		return x.dec.SkipValue()
	}
	if _, err := x.dec.ReadToken(); err != nil {
		return err
	}
	for {
		switch x.dec.PeekKind() {
		case '}', ']':
			_, err := x.dec.ReadToken()
			return err
		case 0:
			_, err := x.dec.ReadToken()
			return err
		}
		if open == '{' {
			if _, err := x.dec.ReadToken(); err != nil {
				return err
			}
		}
		var s string
		if err := x.text(&s); err != nil {
			return err
		}
		if s != "" && len(x.texts) < Most {
			x.texts = append(x.texts, text{name, s})
		}
	}
}

// references reads the identifiers by which others know the object, such as a
// CVE number.
func (x *Extractor) references() error {
	if x.dec.PeekKind() != '[' {
		return x.dec.SkipValue()
	}
	if _, err := x.dec.ReadToken(); err != nil {
		return err
	}
	for x.dec.PeekKind() == '{' {
		if _, err := x.dec.ReadToken(); err != nil {
			return err
		}
		for x.dec.PeekKind() == '"' {
			name, err := x.dec.ReadToken()
			if err != nil {
				return err
			}
			if name.String() != "external_id" {
				if err := x.dec.SkipValue(); err != nil {
					return err
				}
				continue
			}
			var s string
			if err := x.text(&s); err != nil {
				return err
			}
			if s != "" && len(x.texts) < Most {
				x.texts = append(x.texts, text{"external_id", s})
			}
		}
		if _, err := x.dec.ReadToken(); err != nil {
			return err
		}
	}
	for x.dec.PeekKind() != ']' {
		if err := x.dec.SkipValue(); err != nil {
			return err
		}
	}
	_, err := x.dec.ReadToken()
	return err
}
