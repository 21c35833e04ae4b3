package program

import (
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// withheld stands where a list of a charter named hidden members alone: without
// it the list would be empty, which says something else.
const withheld exchange.OrgID = "not-shown"

// veil takes the names of hidden members out of the charter, for everybody but
// who oversees the program and the organisation itself.
func veil(tx Tx, actor exchange.Actor, p *Stored) error {
	if actor.Oversees(p.Owner) {
		return nil
	}
	hidden, err := tx.HiddenMembers(p.ID)
	if err != nil || len(hidden) == 0 {
		return err
	}
	// The charter is shared with others: what changes is copied.
	without := func(orgs []exchange.OrgID) []exchange.OrgID {
		kept := slices.DeleteFunc(slices.Clone(orgs), func(o exchange.OrgID) bool { return hidden[o] && o != actor.Org })
		if len(orgs) > 0 && len(kept) == 0 {
			return []exchange.OrgID{withheld}
		}
		return kept
	}
	c := &p.Charter
	c.Handling.Organisations, c.Handling.NotOrgs = without(c.Handling.Organisations), without(c.Handling.NotOrgs)
	c.Cohorts = slices.Clone(c.Cohorts)
	for i := range c.Cohorts {
		r := &c.Cohorts[i].Rule
		r.Terms.Organisations, r.Not.Organisations = without(r.Terms.Organisations), without(r.Not.Organisations)
	}
	c.Groups = slices.Clone(c.Groups)
	for i := range c.Groups {
		c.Groups[i].Organisations = without(c.Groups[i].Organisations)
	}
	return nil
}
