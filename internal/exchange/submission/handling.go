package submission

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// settled is the handling under which the submission is stored: what it leaves
// open filled in by the program, and every name in it one that exists. A name
// that nobody bears would exclude nobody, without a word, so it is a problem.
func settled(tx Tx, h exchange.Handling) (exchange.Handling, []exchange.Problem, error) {
	n := naming{tx: tx}
	h.Organisations = n.organisations("organisations", h.Organisations)
	h.NotOrgs = n.organisations("not_organisations", h.NotOrgs)
	h.NotIn = n.jurisdictions("not_in", h.NotIn)
	h.Persons = n.persons("persons", h.Persons)
	if !h.Expires.IsZero() {
		if h.Expires = h.Expires.UTC().Truncate(time.Microsecond); !h.Expires.After(tx.Now()) {
			n.add("expires", "not in the future: nobody would receive it")
		}
	}
	return h, n.problems, n.err
}

// naming collects what is wrong with the names in a handling.
type naming struct {
	tx       Tx
	problems []exchange.Problem
	err      error // of the store
}

func (n *naming) add(path, message string) {
	n.problems = append(n.problems, exchange.Problem{Path: "handling." + path, Message: message})
}

// known reports whether a read found its noun.
func (n *naming) known(err error) bool {
	if err != nil && exchange.KindOf(err) != exchange.NotFound && n.err == nil {
		n.err = fmt.Errorf("looking up a name of the handling: %w", err)
	}
	return err == nil
}

func (n *naming) organisations(field string, given []exchange.OrgID) (out []exchange.OrgID) {
	for i, id := range given {
		id = exchange.OrgID(strings.TrimSpace(string(id)))
		if _, err := n.tx.Organisation(id); !n.known(err) {
			n.add(fmt.Sprintf("%s[%d]", field, i), "there is no such organisation; write its short name")
		}
		out = appendNew(out, id)
	}
	return out
}

func (n *naming) jurisdictions(field string, given []string) (out []string) {
	for i, code := range given {
		code = strings.ToUpper(strings.TrimSpace(code))
		if !exchange.ValidCountry(code) {
			n.add(fmt.Sprintf("%s[%d]", field, i), "not a country code of two letters (ISO 3166-1)")
		}
		out = appendNew(out, code)
	}
	return out
}

// persons takes identifiers and logins, and answers identifiers.
func (n *naming) persons(field string, given []exchange.PersonID) (out []exchange.PersonID) {
	for i, name := range given {
		id, ok := n.person(strings.TrimSpace(string(name)))
		if !ok {
			n.add(fmt.Sprintf("%s[%d]", field, i), "there is no such person; write the login or the identifier")
		}
		out = appendNew(out, id)
	}
	return out
}

// person finds somebody by identifier, else by login. What has the form of an
// identifier is never a login: somebody could have chosen it to be taken for
// another.
func (n *naming) person(name string) (exchange.PersonID, bool) {
	p, err := n.tx.Person(exchange.PersonID(name))
	if !n.known(err) && !exchange.HasIDPrefix(name, "per") {
		p, err = n.tx.PersonByLogin(strings.ToLower(name))
	}
	if !n.known(err) {
		return exchange.PersonID(name), false
	}
	return p.ID, true
}

func appendNew[T comparable](list []T, v T) []T {
	if slices.Contains(list, v) {
		return list
	}
	return append(list, v)
}
