package marking

import (
	"reflect"
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

// Marks are the markings of one object.
type Marks struct {
	TLP   exchange.TLP // the strictest of the well-known markings of the whole
	Refs  []string     // the other markings of the whole, sorted, each once
	Parts []Part       // the granular ones, sorted, each once
}

// Part is one marking of the parts of an object that the selectors name.
type Part struct {
	Selectors []string // sorted, each once
	Ref       string   // also a well-known one
}

// Read takes the markings of an object into m, in the memory that m has. What
// order they stood in makes no difference.
func (m *Marks) Read(o *stix.Object) {
	m.TLP, m.Refs, m.Parts = exchange.TLPUnset, m.Refs[:0], m.Parts[:0]
	for _, ref := range o.MarkingRefs {
		if l, ok := stix.TLPOf(ref); ok {
			m.TLP = max(m.TLP, l)
		} else {
			m.Refs = append(m.Refs, ref)
		}
	}
	if len(m.Refs) > 1 {
		slices.Sort(m.Refs)
		m.Refs = slices.Compact(m.Refs)
	}
	for _, g := range o.Granules {
		sel := slices.Clone(g.Selectors)
		slices.Sort(sel)
		m.Parts = append(m.Parts, Part{slices.Compact(sel), g.Ref})
	}
	if len(m.Parts) > 1 {
		slices.SortFunc(m.Parts, Part.compare)
		m.Parts = slices.CompactFunc(m.Parts, func(a, b Part) bool { return a.compare(b) == 0 })
	}
}

func (p Part) compare(q Part) int {
	if c := slices.Compare(p.Selectors, q.Selectors); c != 0 {
		return c
	}
	return strings.Compare(p.Ref, q.Ref)
}

// Clone is a copy in memory of its own.
func (m Marks) Clone() Marks {
	m.Refs, m.Parts = slices.Clone(m.Refs), slices.Clone(m.Parts)
	return m
}

// Plain reports whether a label is all there is.
func (m Marks) Plain() bool { return len(m.Refs)+len(m.Parts) == 0 }

// AppendKey appends a text that two objects share when their markings are the
// same, and only then.
func (m Marks) AppendKey(b []byte) []byte {
	b = append(b, byte(m.TLP))
	for _, ref := range m.Refs {
		b = append(append(b, ' '), ref...)
	}
	for _, p := range m.Parts {
		b = append(append(b, '\n'), p.Ref...)
		for _, s := range p.Selectors {
			b = append(append(b, ' '), s...)
		}
	}
	return b
}

// All are the markings other than the well-known ones, of the whole and of parts,
// sorted, each once.
func (m Marks) All() []string {
	if len(m.Parts) == 0 {
		return m.Refs
	}
	out := slices.Clone(m.Refs)
	for _, p := range m.Parts {
		if _, known := stix.TLPOf(p.Ref); !known {
			out = append(out, p.Ref)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Open is a marking that is not understood.
type Open struct {
	Ref   string
	Whole bool // of whole objects; else only of parts
}

// Class is the handling class of objects that bear these markings, and which of
// them were not understood, sorted. meaning answers for all but the well-known
// ones; false: nobody defined it. What the objects' artifact asks is not part of
// the class, since it may change.
//
// A marking of the whole that is not understood holds the object, a granular one
// its parts. A granular marking that asks nothing beyond what the whole asks is
// left out: one that asks less loosens nothing.
func (m Marks) Class(meaning func(ref string) (Meaning, bool)) (c exchange.HandlingClass, open []Open) {
	c.TLP, c.Markings = m.TLP, strings.Join(m.All(), " ")
	for _, ref := range m.Refs {
		means, ok := meaning(ref)
		if !ok || means.Held {
			c.Held, open = true, append(open, Open{ref, true})
		}
		c.Handling = c.Handling.Join(means.Handling)
	}
	c.TLP, c.Handling.TLP = max(c.TLP, c.Handling.TLP), exchange.TLPUnset
	for _, p := range m.Parts {
		f := exchange.FieldHandling{Selectors: p.Selectors}
		if l, ok := stix.TLPOf(p.Ref); ok {
			f.Handling.TLP = l
		} else {
			means, ok := meaning(p.Ref)
			f.Handling, f.Held = means.Handling, !ok || means.Held
		}
		if f.Held {
			f.Handling = f.Handling.Join(exchange.Handling{References: []string{p.Ref}})
			if !slices.ContainsFunc(open, func(o Open) bool { return o.Ref == p.Ref }) {
				open = append(open, Open{p.Ref, false})
			}
		}
		if f.Held || !implied(c, f.Handling) {
			c.Fields = append(c.Fields, f)
		}
	}
	slices.SortFunc(open, func(a, b Open) int { return strings.Compare(a.Ref, b.Ref) })
	return c, open
}

// implied reports whether what the class asks of the whole leaves nothing for f
// to ask.
func implied(c exchange.HandlingClass, f exchange.Handling) bool {
	whole := c.Handling
	whole.TLP = c.TLP
	return reflect.DeepEqual(whole.Join(f), whole.Join(exchange.Handling{}))
}

// Resolve is the class when it has been said what ref asks. whole says that ref
// is a marking of the whole, held that another one still holds the whole.
func Resolve(c exchange.HandlingClass, ref string, h exchange.Handling, whole, held bool) exchange.HandlingClass {
	if c.Held = held; whole {
		c.Handling = c.Handling.Join(h)
		c.TLP, c.Handling.TLP = max(c.TLP, c.Handling.TLP), exchange.TLPUnset
	}
	fields := c.Fields
	c.Fields = nil
	for _, f := range fields {
		if f.Held && slices.Contains(f.Handling.References, ref) {
			f.Held, f.Handling = false, f.Handling.Join(h)
			f.Handling.References = without(f.Handling.References, ref)
			if implied(c, f.Handling) {
				continue
			}
		}
		c.Fields = append(c.Fields, f)
	}
	return c
}

func without(list []string, s string) []string {
	list = slices.DeleteFunc(slices.Clone(list), func(v string) bool { return v == s })
	if len(list) == 0 {
		return nil
	}
	return list
}
