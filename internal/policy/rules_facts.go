package policy

import (
	"slices"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// reader answers for the recipients of one view.
type reader struct {
	set *Ruleset

	mu    sync.Mutex
	r     Recipient // whom the rest is about
	ready bool
	kept  []rule // what is left of the policies for this recipient
	needs bool   // some policy permits reading, so one must
	known cedar.EntityMap
	query cedar.Request
	memo  map[itemKey]ruling
}

// itemKey is all that policies can know of an item.
type itemKey struct {
	class       exchange.ContentClass
	tlp         exchange.TLP
	pap         exchange.PAP
	originators string
}

const maxItems = 2_048 // kept rulings of one reader

// Read reports whether the policies let the recipient read the item: none
// forbids it and, where the charter has any that permits reading, one does.
func (m *reader) Read(r *Recipient, i *Item) (allowed bool, why string) {
	if m.set.broken {
		return false, "the program's policies are not understood"
	}
	k := itemKey{i.Class, i.Handling.TLP, i.Handling.PAP, ofOrgs(i.Originators)}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ready || !alike(&m.r, r) {
		m.begin(r)
	}
	out, known := m.memo[k]
	if !known {
		out = m.ask(i)
		if len(m.memo) >= maxItems {
			clear(m.memo)
		}
		m.memo[k] = out
	}
	switch {
	case out.forbidden:
		return false, "forbidden by " + out.by
	case out.permitted:
		return true, "permitted by " + out.by
	case m.needs:
		return false, "no policy permits it"
	}
	return true, "no policy forbids it"
}

func (m *reader) begin(r *Recipient) {
	m.r, m.ready = *r, true // the values: whoever asks keeps theirs
	m.memo = map[itemKey]ruling{}
	m.about(r)
	m.kept = partly(m.set.read, m.known, m.query)
}

// about says who asks, in Cedar's terms.
func (m *reader) about(r *Recipient) {
	m.needs = slices.ContainsFunc(m.set.read, rule.permits)
	org := principal(r)
	m.known = cedar.EntityMap{org.UID: org}
	m.query = cedar.Request{Principal: org.UID, Action: actionRead, Context: cedar.NewRecord(cedar.RecordMap{
		"channel": cedar.String(r.Channel), "hat": cedar.String(r.Hat), "purpose": cedar.String(r.Purpose),
	})}
}

func (m *reader) ask(i *Item) ruling {
	e := resource(i)
	q := m.query
	q.Resource = e.UID
	m.known[e.UID] = e
	return ask(m.kept, m.known, q)
}

// alike reports whether policies cannot tell the recipients apart.
func alike(a, b *Recipient) bool {
	x, y := &a.Attributes, &b.Attributes
	return a.Org == b.Org && a.Channel == b.Channel && a.Hat == b.Hat && a.Purpose == b.Purpose && a.Client == b.Client &&
		a.Audience == b.Audience && x.Kind == y.Kind && x.CompelledDisclosure == y.CompelledDisclosure &&
		slices.Equal(a.Programs, b.Programs) && slices.Equal(a.Groups, b.Groups) && slices.Equal(a.Jurisdictions, b.Jurisdictions) &&
		slices.Equal(x.Jurisdictions, y.Jurisdictions) && slices.Equal(x.Hats, y.Hats) && slices.Equal(x.Sectors, y.Sectors) &&
		slices.Equal(x.Regions, y.Regions) && slices.Equal(x.Products, y.Products)
}

// principal is the recipient as policies see it.
func principal(r *Recipient) cedar.Entity {
	a := &r.Attributes
	hats := a.Hats
	if r.Hat != "" {
		hats = []string{r.Hat}
	}
	jurisdictions := r.Jurisdictions
	if len(jurisdictions) == 0 {
		jurisdictions = a.Jurisdictions
	}
	programs := make([]cedar.Value, len(r.Programs))
	for i, p := range r.Programs {
		programs[i] = cedar.NewEntityUID("Program", cedar.String(p))
	}
	return entity("Org", string(r.Org), cedar.RecordMap{
		"id": cedar.String(r.Org), "kind": cedar.String(a.Kind),
		"hats": set(hats), "sectors": set(a.Sectors), "jurisdictions": set(jurisdictions),
		"regions": set(a.Regions), "products": set(a.Products),
		"compelled": cedar.Boolean(a.CompelledDisclosure || r.Audience.Compelled), "client": cedar.Boolean(r.Client),
		"cohort": cedar.String(r.Audience.Cohort), "groups": set(r.Groups), "programs": cedar.NewSet(programs...),
	})
}

// resource is the item as policies see it: its label as it is marked, whatever
// holds until it is public.
func resource(i *Item) cedar.Entity {
	return entity("Item", "item", cedar.RecordMap{
		"class": cedar.String(i.Class), "tlp": cedar.Long(i.Handling.TLP), "label": cedar.String(i.Handling.TLP.String()),
		"pap": cedar.Long(i.Handling.PAP), "originators": set(i.Originators),
	})
}

func entity(kind cedar.EntityType, id string, attributes cedar.RecordMap) cedar.Entity {
	return cedar.Entity{UID: cedar.NewEntityUID(kind, cedar.String(id)), Attributes: cedar.NewRecord(attributes)}
}

func set[T ~string](values []T) cedar.Set {
	all := make([]cedar.Value, len(values))
	for i, v := range values {
		all[i] = cedar.String(v)
	}
	return cedar.NewSet(all...)
}

func ofOrgs(ids []exchange.OrgID) string {
	switch len(ids) {
	case 0:
		return ""
	case 1:
		return string(ids[0])
	}
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = string(id)
	}
	return strings.Join(all, "\n")
}

// CohortOf is the cohort of a member with these attributes by the charter's
// rules and policies, and why; programs are those that count. A policy may
// forbid entry to any cohort; one that has by_policy is entered only where a
// policy permits it.
func CohortOf(c exchange.Charter, a exchange.Attributes, programs []exchange.ProgramID, client bool) (id exchange.CohortID, why []string, ok bool) {
	s := RulesOf(c)
	if s == nil {
		return c.CohortOf(a)
	}
	r := Recipient{Org: a.Organisation, Attributes: a, Client: client, Groups: c.GroupsOf(a.Organisation), Programs: programs}
	why = nil
	id, reasons, ok := c.CohortBy(a, func(co exchange.Cohort) bool {
		allowed, by := s.enters(&r, co)
		why = []string{by}
		return allowed
	})
	return id, append(reasons, why...), ok
}

// Stays reports whether the policies still let an organisation with these
// attributes and memberships into the cohort in which it was placed. Members
// are placed anew by acts, and by the clock from time to time; in between, what
// the clock alone ended holds no longer.
func Stays(c exchange.Charter, a exchange.Attributes, programs []exchange.ProgramID, cohort exchange.CohortID) bool {
	s := RulesOf(c)
	co, known := c.Cohort(cohort)
	if s == nil || !known {
		return true
	}
	r := Recipient{Org: a.Organisation, Attributes: a, Groups: c.GroupsOf(a.Organisation), Programs: programs}
	allowed, _ := s.enters(&r, co)
	return allowed
}

// enters asks the policies on entry.
func (s *Ruleset) enters(r *Recipient, co exchange.Cohort) (bool, string) {
	if s.broken {
		return false, "the program's policies are not understood"
	}
	org := principal(r)
	out := ask(s.enter, cedar.EntityMap{org.UID: org}, cedar.Request{
		Principal: org.UID, Action: actionEnter, Resource: cedar.NewEntityUID("Cohort", cedar.String(co.ID)), Context: cedar.NewRecord(nil),
	})
	switch {
	case out.forbidden:
		return false, "entry is forbidden by " + out.by
	case out.permitted:
		return true, "entry is permitted by " + out.by
	case co.ByPolicy:
		return false, "no policy permits entry"
	}
	return true, "no policy forbids entry"
}
