package submission

import (
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/marking"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

const (
	maxClasses    = 4096     // different combinations of markings in one artifact
	maxClassBytes = 32 << 20 // of their references and selectors
)

// markings interns the markings of a bundle's objects into few handling
// classes, apart from the artifact's own handling, which may change later. What the references mean may stand later in the bundle, so it is
// decided at the end.
type markings struct {
	classes []class
	byKey   map[string]int
	bytes   int
	words   marking.Dictionary
	ids     int // classes that have their number
	full    bool
	key     []byte
	of      marking.Marks // of the object at hand
}

type class struct {
	id      int64
	marks   marking.Marks
	objects int
}

func newMarkings() *markings {
	return &markings{byKey: map[string]int{}}
}

// class is the index of the class for the object's markings.
func (m *markings) class(o *stix.Object) int {
	m.of.Read(o)
	m.key = m.of.AppendKey(m.key[:0])
	if i, ok := m.byKey[string(m.key)]; ok {
		return i
	}
	if m.bytes += len(m.key); len(m.classes) >= maxClasses || m.bytes > maxClassBytes {
		m.full = true // the bundle is refused at its end
		return 0
	}
	m.classes = append(m.classes, class{marks: m.of.Clone()})
	m.byKey[string(m.key)] = len(m.classes) - 1
	return len(m.classes) - 1
}

// unnumbered is how many classes have no number yet.
func (m *markings) unnumbered() int { return len(m.classes) - m.ids }

// id is the number of a class, where the unnumbered ones begin at next.
func (m *markings) id(i int, next int64) int64 {
	if i < m.ids {
		return m.classes[i].id
	}
	return next + int64(i-m.ids)
}

// number keeps the numbers that id answered.
func (m *markings) number(next int64) {
	for i := m.ids; i < len(m.classes); i++ {
		m.classes[i].id = next + int64(i-m.ids)
	}
	m.ids = len(m.classes)
}

func (m *markings) count(i int) { m.classes[i].objects++ }

// refs are the markings in use beyond the well-known ones, sorted.
func (m *markings) refs() []string {
	var all []string
	for _, c := range m.classes {
		all = append(all, c.marks.All()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// staged is what the last transaction adds to a staged artifact.
type staged struct {
	number  int64
	classes []exchange.HandlingClass
	open    []exchange.HeldMarking // what is held until those who run the program have looked
	held    int                    // objects that are held
	parts   int                    // objects of which parts are
}

// resolve joins each class with what its references mean. One that is not
// understood holds its objects, or their parts, until a steward has looked: what
// is not understood is not given out.
func (m *markings) resolve(into *staged) {
	for _, c := range m.classes {
		h, open := c.marks.Class(m.words.Of)
		h.ID = c.id
		into.classes = append(into.classes, h)
		for _, o := range open {
			into.open = append(into.open, exchange.HeldMarking{Ref: o.Ref, Class: c.id, Whole: o.Whole, Objects: int64(c.objects)})
		}
		switch {
		case h.Held:
			into.held += c.objects
		case len(open) > 0:
			into.parts += c.objects
		}
	}
}
