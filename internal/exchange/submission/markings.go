package submission

import (
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/stix"
)

const (
	maxClasses = 4096   // different combinations of markings in one artifact
	maxLabels  = 10_000 // marking definitions of an artifact that define a TLP label
)

// markings interns the markings of a bundle's objects into few handling
// classes. A class is known by the strictest label among the well-known TLP
// markings and by the other references; what those mean may stand later in the
// bundle, so it is decided at the end.
type markings struct {
	base    exchange.TLP // no object is below it
	classes []class
	byKey   map[string]int
	labels  map[string]exchange.TLP // that other marking definitions define
	ids     int                     // classes that have their number
	full    bool
	key     []byte
	refs    []string
}

type class struct {
	id      int64
	tlp     exchange.TLP
	refs    []string // sorted
	objects int
}

func newMarkings(base exchange.TLP) *markings {
	return &markings{base: base, byKey: map[string]int{}, labels: map[string]exchange.TLP{}}
}

// define notes that a marking definition carries a TLP label.
func (m *markings) define(id string, l exchange.TLP) {
	if l == exchange.TLPUnset {
		return
	}
	if len(m.labels) >= maxLabels {
		m.full = true
		return
	}
	m.labels[id] = max(m.labels[id], l)
}

// class is the index of the class for these references.
func (m *markings) class(whole, granular []string) int {
	var label exchange.TLP
	label, m.refs = stix.Joined(m.base, whole, granular, m.refs)
	m.key = append(m.key[:0], byte(label))
	for _, ref := range m.refs {
		m.key = append(append(m.key, ' '), ref...)
	}
	if i, ok := m.byKey[string(m.key)]; ok {
		return i
	}
	if len(m.classes) >= maxClasses {
		m.full = true // the bundle is refused at its end
		return 0
	}
	m.classes = append(m.classes, class{tlp: label, refs: slices.Clone(m.refs)})
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

// resolve joins each class with what its references mean. One that nobody has
// defined holds its objects until a steward has looked: what is not understood
// is not given out.
func (m *markings) resolve(unresolved map[string]bool) (out []exchange.HandlingClass, held int) {
	for _, c := range m.classes {
		h := exchange.HandlingClass{ID: c.id, TLP: c.tlp, Markings: strings.Join(c.refs, " ")}
		for _, ref := range c.refs {
			h.TLP = max(h.TLP, m.labels[ref])
			h.Held = h.Held || unresolved[ref]
		}
		if h.Held {
			held += c.objects
		}
		out = append(out, h)
	}
	return out, held
}
