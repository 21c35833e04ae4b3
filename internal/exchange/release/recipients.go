package release

import (
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// recipients lists the members of a program in every state, with the
// memberships that its policies ask for.
func recipients(tx Tx, c exchange.Charter) ([]Recipient, error) {
	all, err := tx.Recipients(c.ID)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Programs, _, err = policy.ProgramsOf(tx, c, all[i].Org, tx.Now()); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// mayHave reports whether the recipient may have the item, acting in any of its
// hats and for any purpose of the program, or in none and for none.
func (o *offering) mayHave(p policy.Recipient, i policy.Item, marks []exchange.HandlingClass, now time.Time) bool {
	for _, hat := range append([]string{""}, p.Attributes.Hats...) {
		for _, purpose := range append([]string{""}, o.c.Purposes...) {
			p.Hat, p.Purpose = hat, purpose
			if d, _ := policy.Whole(policy.Decide, p, i, marks, now); d.Allowed() {
				return true
			}
		}
	}
	return false
}
