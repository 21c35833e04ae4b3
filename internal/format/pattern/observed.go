package pattern

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// MatchOptions bound the reading of observations and the evaluation. The zero
// value takes the defaults.
type MatchOptions struct {
	MaxSteps  int // elementary steps of one evaluation; default 50,000,000
	MaxDepth  int // nesting within one object; default 64
	MaxValues int // JSON values in all objects; default 10,000,000
}

func (o MatchOptions) withDefaults() MatchOptions {
	if o.MaxSteps <= 0 {
		o.MaxSteps = 50_000_000
	}
	if o.MaxDepth <= 0 {
		o.MaxDepth = 64
	}
	if o.MaxValues <= 0 {
		o.MaxValues = 10_000_000
	}
	return o
}

// Observation is what one observed-data object says (STIX 2.1 §4.14).
type Observation struct {
	ID             string
	FirstObserved  time.Time
	LastObserved   time.Time
	NumberObserved int // 0 counts as 1

	// Objects are the cyber-observable objects that were observed, each a JSON
	// object with type and id.
	Objects [][]byte
	// Related are further objects, which references reach but which are not
	// observed themselves.
	Related [][]byte
	// Inline is the deprecated property objects: a JSON object of objects, whose
	// names are what their references name.
	Inline []byte
}

// Observed is observations that were read for Matcher.Match. It is not changed
// afterwards, and may be used by several goroutines.
type Observed struct {
	all []observed
	opt MatchOptions
}

type observed struct {
	id          string
	first, last int64 // Unix microseconds
	number      int64
	roots       []*value
	byID        map[string]*value // what references reach
}

// valueKind is the kind of a JSON value.
type valueKind uint8

const (
	valueNull valueKind = iota
	valueString
	valueNumber
	valueBool
	valueList
	valueObject
)

// value is a JSON value.
type value struct {
	kind   valueKind
	str    string
	number constant
	yes    bool
	list   []*value
	keys   map[string]*value
	raw    []byte // of an object: its bytes, where the reader keeps them
}

// ReadObservations reads observations for matching. Objects that are not JSON
// objects, and limits, are errors.
func ReadObservations(list []Observation, opt MatchOptions) (*Observed, error) {
	opt = opt.withDefaults()
	out := &Observed{opt: opt}
	r := &reader{opt: opt}
	shared := map[*byte]*value{} // objects of several observations, read once
	object := func(raw []byte) (*value, error) {
		if len(raw) == 0 {
			return nil, errors.New("an empty object")
		}
		if v := shared[&raw[0]]; v != nil {
			return v, nil
		}
		v, err := r.read(raw)
		if err == nil && v.kind != valueObject {
			err = errors.New("not a JSON object")
		}
		shared[&raw[0]] = v
		return v, err
	}
	for i, o := range list {
		seen := observed{
			id: o.ID, first: o.FirstObserved.UnixMicro(), last: o.LastObserved.UnixMicro(),
			number: int64(max(o.NumberObserved, 1)), byID: map[string]*value{},
		}
		if seen.last < seen.first {
			return nil, fmt.Errorf("observation %d: last_observed is before first_observed", i)
		}
		for j, raw := range append(o.Objects[:len(o.Objects):len(o.Objects)], o.Related...) {
			v, err := object(raw)
			if err != nil {
				return nil, fmt.Errorf("observation %d, object %d: %w", i, j, err)
			}
			if id := v.keys["id"]; id != nil && id.kind == valueString {
				seen.byID[id.str] = v
			}
			if j < len(o.Objects) {
				seen.roots = append(seen.roots, v)
			}
		}
		if len(o.Inline) > 0 {
			v, err := object(o.Inline)
			if err != nil {
				return nil, fmt.Errorf("observation %d, objects: %w", i, err)
			}
			for _, name := range slices.Sorted(maps.Keys(v.keys)) {
				if v := v.keys[name]; v.kind == valueObject {
					seen.byID[name] = v
					seen.roots = append(seen.roots, v)
				}
			}
		}
		out.all = append(out.all, seen)
	}
	return out, nil
}

// reader reads JSON into values, within its limits.
type reader struct {
	opt     MatchOptions
	values  int
	keepRaw bool
	source  []byte
}

func (r *reader) read(raw []byte) (*value, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw[:len(raw):len(raw)]))
	r.source = raw
	v, err := r.value(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more after the end of the JSON value")
	}
	return v, nil
}

func (r *reader) value(d *jsontext.Decoder, depth int) (*value, error) {
	if depth > r.opt.MaxDepth {
		return nil, &limitError{fmt.Sprintf("an object nests deeper than %d", r.opt.MaxDepth)}
	}
	r.values++
	if r.values > r.opt.MaxValues {
		return nil, &limitError{fmt.Sprintf("the objects have more than %d values", r.opt.MaxValues)}
	}
	t, err := d.ReadToken()
	if err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	switch t.Kind() {
	case '"':
		return &value{kind: valueString, str: t.String()}, nil
	case '0':
		return &value{kind: valueNumber, number: parseNumber(t.String())}, nil
	case 't', 'f':
		return &value{kind: valueBool, yes: t.Kind() == 't'}, nil
	case '[':
		v := &value{kind: valueList}
		for d.PeekKind() != ']' {
			item, err := r.value(d, depth+1)
			if err != nil {
				return nil, err
			}
			v.list = append(v.list, item)
		}
		_, err := d.ReadToken()
		return v, err
	case '{':
		return r.object(d, depth)
	}
	return &value{kind: valueNull}, nil
}

// object reads the members of an object whose opening brace was read.
func (r *reader) object(d *jsontext.Decoder, depth int) (*value, error) {
	v := &value{kind: valueObject, keys: map[string]*value{}}
	begin := d.InputOffset() - 1
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("reading JSON: %w", err)
		}
		key := name.String()
		if v.keys[key], err = r.value(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.ReadToken()
	if r.keepRaw && err == nil {
		v.raw = r.source[begin:d.InputOffset()]
	}
	return v, err
}

// parseNumber reads a JSON number: as an integer where it is written as one and
// fits, else as a float.
func parseNumber(s string) constant {
	if !strings.ContainsAny(s, ".eE") {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return constant{kind: kindInteger, i: i}
		}
	}
	f, _ := strconv.ParseFloat(s, 64) // out of range: infinity, which compares rightly
	return constant{kind: kindFloat, f: f}
}

// ObservationsIn reads the observed-data objects of a bundle (or of a JSON list
// of objects, or one observed-data alone), with the objects that their
// object_refs name and what those refer to, all in this document. Of several
// versions of an observed-data the last stands. A reference to what is not
// there is no error: what it would lead to does not exist for a pattern.
func ObservationsIn(document []byte, opt MatchOptions) ([]Observation, error) {
	opt = opt.withDefaults()
	r := &reader{opt: opt, keepRaw: true}
	top, err := r.read(document)
	if err != nil {
		return nil, err
	}
	list := []*value{top}
	switch {
	case top.kind == valueList:
		list = top.list
	case top.kind == valueObject && top.text("type") == "bundle":
		list = nil
		if objects := top.keys["objects"]; objects != nil {
			list = objects.list
		}
	}
	b := &bundle{byID: map[string]*value{}}
	var order []string
	for i, v := range list {
		if v.kind != valueObject {
			return nil, fmt.Errorf("objects[%d] is not a JSON object", i)
		}
		id := v.text("id")
		if v.text("type") == "observed-data" {
			if id == "" {
				return nil, fmt.Errorf("objects[%d]: an observed-data without an id", i)
			}
			if b.byID[id] == nil {
				order = append(order, id)
			}
		}
		b.byID[id] = v
	}
	out := make([]Observation, 0, len(order))
	for _, id := range order {
		o, err := b.observation(b.byID[id])
		if err != nil {
			return nil, fmt.Errorf("an observed-data: %w", err)
		}
		out = append(out, o)
	}
	return out, nil
}

type bundle struct{ byID map[string]*value }

// text is a member that is a string, or "".
func (v *value) text(key string) string {
	if m := v.keys[key]; m != nil && m.kind == valueString {
		return m.str
	}
	return ""
}

func (b *bundle) observation(v *value) (Observation, error) {
	o := Observation{ID: v.text("id")}
	for _, m := range []struct {
		key string
		to  *time.Time
	}{{"first_observed", &o.FirstObserved}, {"last_observed", &o.LastObserved}} {
		at, ok := parseInstant(v.text(m.key))
		if !ok {
			return o, fmt.Errorf("%s is not a timestamp (STIX 2.1 §4.14)", m.key)
		}
		us, _ := at.micros()
		*m.to = time.UnixMicro(us).UTC()
	}
	n := v.keys["number_observed"]
	if n == nil || n.kind != valueNumber || n.number.kind != kindInteger || n.number.i < 1 || n.number.i > 999_999_999 {
		return o, errors.New("number_observed is not an integer from 1 to 999,999,999 (STIX 2.1 §4.14)")
	}
	o.NumberObserved = int(n.number.i)
	if inline := v.keys["objects"]; inline != nil && inline.kind == valueObject && len(inline.keys) > 0 {
		o.Inline = inline.raw
	}
	seen := map[string]bool{}
	var queue []*value
	if refs := v.keys["object_refs"]; refs != nil {
		for _, ref := range refs.list {
			if target := b.byID[ref.str]; target != nil && !seen[ref.str] {
				seen[ref.str] = true
				o.Objects = append(o.Objects, target.raw)
				queue = append(queue, target)
			}
		}
	}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		next.references("", func(id string) {
			if target := b.byID[id]; target != nil && !seen[id] {
				seen[id] = true
				o.Related = append(o.Related, target.raw)
				queue = append(queue, target)
			}
		})
	}
	return o, nil
}

// references calls f for every id that a reference property names.
func (v *value) references(property string, f func(id string)) {
	switch v.kind {
	case valueString:
		if strings.HasSuffix(property, "_ref") || strings.HasSuffix(property, "_refs") {
			f(v.str)
		}
	case valueList:
		for _, item := range v.list {
			item.references(property, f)
		}
	case valueObject:
		for _, key := range slices.Sorted(maps.Keys(v.keys)) {
			v.keys[key].references(key, f)
		}
	}
}
