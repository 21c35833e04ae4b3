package submission

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/format/marking"
)

// settled is the handling under which the submission is stored: what it leaves
// open filled in by the program, and every name in it one that exists. A name
// that nobody bears would exclude nobody, without a word, so it is a problem.
func settled(tx Tx, c exchange.Charter, h exchange.Handling) (exchange.Handling, []exchange.Problem, error) {
	n := naming{tx: tx, charter: c}
	h.Organisations = n.organisations("organisations", h.Organisations)
	h.NotOrgs = n.organisations("not_organisations", h.NotOrgs)
	h.NotIn = n.jurisdictions("not_in", h.NotIn)
	h.Persons = n.persons("persons", h.Persons)
	h.Groups = n.groups("groups", h.Groups)
	h.Sectors = n.words("sectors", h.Sectors)
	h.Purposes = n.words("purposes", h.Purposes)
	h.NotCohorts = n.cohorts("not_cohorts", h.NotCohorts)
	h.NotHats = n.words("not_hats", h.NotHats)
	h.References = n.words("references", h.References)
	if !h.From.IsZero() {
		h.From = h.From.UTC().Truncate(time.Microsecond)
	}
	if len(h.Statement) > marking.MaxStatement || !exchange.Storable(h.Statement) {
		n.add("statement", "longer than 10000 bytes, or not UTF-8")
	}
	if !h.Expires.IsZero() {
		if h.Expires = h.Expires.UTC().Truncate(time.Microsecond); !h.Expires.After(tx.Now()) {
			n.add("expires", "not in the future: nobody would receive it")
		}
	}
	return h, n.problems, n.err
}

// naming collects what is wrong with the names in a handling.
type naming struct {
	tx       Register
	charter  exchange.Charter
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

func (n *naming) groups(field string, given []exchange.GroupID) (out []exchange.GroupID) {
	for i, id := range given {
		id = exchange.GroupID(strings.TrimSpace(string(id)))
		if !slices.ContainsFunc(n.charter.Groups, func(g exchange.SharingGroup) bool { return g.ID == id }) {
			n.add(fmt.Sprintf("%s[%d]", field, i), "the program's charter has no such group")
		}
		out = appendNew(out, id)
	}
	return out
}

func (n *naming) cohorts(field string, given []exchange.CohortID) (out []exchange.CohortID) {
	for i, id := range given {
		id = exchange.CohortID(strings.TrimSpace(string(id)))
		if _, known := n.charter.Cohort(id); !known {
			n.add(fmt.Sprintf("%s[%d]", field, i), "the program's charter has no such cohort")
		}
		out = appendNew(out, id)
	}
	return out
}

// words takes names that no register holds, such as sectors.
func (n *naming) words(field string, given []string) (out []string) {
	for i, w := range given {
		w = strings.TrimSpace(w)
		if w == "" || w == exchange.NoPurpose || len(w) > 200 || !exchange.Plain(w) {
			n.add(fmt.Sprintf("%s[%d]", field, i), "one line of 1 to 200 bytes is needed")
		}
		out = appendNew(out, w)
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
