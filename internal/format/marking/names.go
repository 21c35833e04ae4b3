package marking

import (
	"reflect"
	"slices"
	"strings"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Names holds the names of a marking against what a program knows.
type Names struct {
	Charter      exchange.Charter
	Organisation func(id exchange.OrgID) (known bool, err error)
	Person       func(name string) (id exchange.PersonID, known bool, err error) // by identifier or login
}

// Settle is the meaning with the names that the program uses. A name in an
// allow-list of organisations or persons that nobody bears matches nobody, so it
// stays. One in an exclusion would exclude nobody, and a group that the charter
// does not have could be anybody: such a marking is not understood.
func (n Names) Settle(m Meaning) (Meaning, error) {
	h := &m.Handling
	for i, name := range h.Persons {
		id, known, err := n.Person(string(name))
		if err != nil {
			return m, err
		}
		if known {
			h.Persons = slices.Clone(h.Persons)
			h.Persons[i] = id
		}
	}
	for _, id := range h.NotOrgs {
		known, err := n.Organisation(id)
		if err != nil {
			return m, err
		}
		m.Held = m.Held || !known
	}
	for _, l := range h.AllowLists() {
		for _, id := range l.Groups {
			m.Held = m.Held || !slices.ContainsFunc(n.Charter.Groups, func(g exchange.SharingGroup) bool { return g.ID == id })
		}
	}
	for _, id := range h.NotCohorts {
		_, known := n.Charter.Cohort(id)
		m.Held = m.Held || !known
	}
	for i, code := range h.NotIn {
		if h.NotIn = slices.Clone(h.NotIn); !exchange.ValidCountry(strings.ToUpper(code)) {
			m.Held = true
		}
		h.NotIn[i] = strings.ToUpper(code)
	}
	*h = h.Join(exchange.Handling{}) // lists sorted, each name once
	return m, nil
}

func empty(h exchange.Handling) bool { return reflect.ValueOf(h).IsZero() }
