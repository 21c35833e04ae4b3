package pattern

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

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
