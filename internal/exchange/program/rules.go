package program

import (
	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/policy"
)

// checkRules runs the tests of the charter's policies and lists what keeps the
// policies from being put in force. Organisations and programs that they name
// must exist: one that does not would forbid nobody, without a word. A program
// of another owner that does not count for this one answers as none.
func checkRules(tx Tx, c exchange.Charter) ([]policy.TestResult, []exchange.Problem, error) {
	results, problems := policy.CheckRules(c)
	rules := policy.RulesOf(c)
	if rules == nil {
		return results, problems, nil
	}
	for _, id := range rules.Names("Org") {
		_, err := tx.Organisation(exchange.OrgID(id))
		if exchange.KindOf(err) == exchange.NotFound {
			problems = append(problems, policy.Unknown(c, "Org", id, "there is no such organisation; add it first"))
		} else if err != nil {
			return nil, nil, err
		}
	}
	for _, id := range rules.Names("Program") {
		if exchange.ProgramID(id) == c.ID {
			continue
		}
		other, err := tx.Program(exchange.ProgramID(id))
		if err != nil && exchange.KindOf(err) != exchange.NotFound {
			return nil, nil, err
		}
		if err != nil || !policy.Counts(other.Charter, c) {
			problems = append(problems, policy.Unknown(c, "Program", id, "there is no such program, or it does not count for this one (its charter's counts_for)"))
		}
	}
	return results, problems, nil
}
