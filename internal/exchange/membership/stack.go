package membership

import (
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// placeElsewhere places the members of the organisation's other programs whose
// policies ask for memberships, after its membership in one has changed. It
// does not ask for room in cohorts: leaving one program is not refused because
// of seats in another.
func (s *Service) placeElsewhere(tx Tx, org exchange.OrgID, changed exchange.ProgramID) error {
	return eachProgram(tx, org, func(c exchange.Charter) error {
		if c.ID == changed || !policy.RulesOf(c).AsksForPrograms() {
			return nil
		}
		_, err := s.place(tx, c, false, org)
		return err
	})
}

// PlaceStacked places the members of the other programs whose policies ask for
// memberships, after the charter of one has changed, and lists those programs.
func PlaceStacked(tx Tx, changed exchange.Charter) ([]exchange.Charter, error) {
	all, err := tx.Charters()
	if err != nil {
		return nil, err
	}
	var stacked []exchange.Charter
	for _, c := range all {
		if c.ID == changed.ID || !policy.RulesOf(c).AsksForPrograms() {
			continue
		}
		if _, err := place(tx, c, false); err != nil {
			return nil, err
		}
		stacked = append(stacked, c)
	}
	return stacked, nil
}
