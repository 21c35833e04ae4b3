package policy

import "github.com/cedar-policy/cedar-go"

// PlainRead asks Cedar from the beginning, without anything worked out before.
func PlainRead(s *Ruleset, r *Recipient, i *Item) bool {
	m := &reader{set: s}
	m.about(r)
	e := resource(i)
	m.known[e.UID] = e
	out := ask(s.read, m.known, cedar.Request{Principal: m.query.Principal, Action: actionRead, Resource: e.UID, Context: m.query.Context})
	return !s.broken && !out.forbidden && (out.permitted || !m.needs)
}
