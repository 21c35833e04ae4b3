package membership

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// signsFor reports whether the actor signs for the organisation: a signatory
// in person, not a machine.
func signsFor(a exchange.Actor, p exchange.ProgramID, org exchange.OrgID) bool {
	return a.Org == org && a.Is(exchange.RoleSignatory) && a.May(exchange.VerbOperate) && !a.Machine && a.Reaches(p)
}

// Accept signs a version of the program's agreement for the actor's
// organisation. Only the current version counts: any other one is a Conflict
// that changes nothing but the record. The same version a second time answers
// the first acceptance.
func (s *Service) Accept(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, version int) (exchange.Acceptance, error) {
	var a exchange.Acceptance
	var refusal error // recorded, then answered
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		c, m, err := membership(tx, actor, program, actor.Org)
		if err != nil {
			return err
		}
		if m.State == exchange.MemberLeft {
			return exchange.Missing()
		}
		if refusal = unacceptable(actor, c, m, version); refusal != nil {
			_, err := tx.Record(exchange.Event{
				Kind: exchange.EventAgreementRefused, Actor: actor, Program: program,
				Detail: exchange.Detail{"version": version, "current": c.Agreement.Version, "because": public(refusal)},
			})
			return err
		}
		a, err = tx.Acceptance(program, m.Org, version)
		if exchange.KindOf(err) != exchange.NotFound {
			return err
		}
		a = exchange.Acceptance{Program: program, Org: m.Org, Version: version, Person: actor.Person, At: tx.Now()}
		if err := tx.PutAcceptance(a); err != nil {
			return err
		}
		if err := tx.BumpGeneration(); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{
			Kind: exchange.EventAgreementAccepted, Actor: actor, Program: program,
			Detail: exchange.Detail{"version": version},
		})
		if err != nil {
			return err
		}
		if err := s.entitle(tx, c, m.Org); err != nil {
			return err
		}
		return s.placeElsewhere(tx, m.Org, program)
	})
	if err == nil {
		err = refusal
	}
	if err != nil {
		return exchange.Acceptance{}, err
	}
	return a, nil
}

func unacceptable(actor exchange.Actor, c exchange.Charter, m exchange.Member, version int) error {
	current := c.Agreement.Version
	switch {
	case !signsFor(actor, c.ID, m.Org):
		return exchange.Fail(exchange.Denied, "only a signatory may accept an agreement for the organisation, in person")
	case m.State != exchange.MemberActive:
		return exchange.Fail(exchange.Conflict, "the membership is %s; nothing was accepted", m.State)
	case version < current:
		return exchange.Fail(exchange.Conflict,
			"version %d of the agreement was superseded; read and accept version %d. Nothing was accepted", version, current)
	case version > current:
		return exchange.Fail(exchange.Conflict,
			"there is no version %d of the agreement; the current one is %d. Nothing was accepted", version, current)
	}
	return nil
}

func public(err error) string {
	if e, ok := err.(*exchange.Error); ok {
		return e.Public
	}
	return ""
}
