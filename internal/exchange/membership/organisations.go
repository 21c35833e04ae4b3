package membership

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// AddOrganisation registers an organisation. Administrators may, and operators,
// who bring members in. An identifier that is taken is a Conflict.
func (s *Service) AddOrganisation(ctx context.Context, actor exchange.Actor, o exchange.Organisation) (exchange.Organisation, error) {
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		if may, err := bringsIn(tx, actor); err != nil || !may {
			return orDenied(err, "only an administrator or an operator may add an organisation")
		}
		o = tidy(o)
		if err := checkOrganisation(tx, o); err != nil {
			return err
		}
		switch _, err := tx.Organisation(o.ID); {
		case err == nil:
			return exchange.Fail(exchange.Conflict, "there is an organisation %s already", o.ID)
		case exchange.KindOf(err) != exchange.NotFound:
			return err
		}
		o.CreatedAt, o.Revision = tx.Now(), 1
		if err := tx.PutOrganisation(o); err != nil {
			return err
		}
		_, err := tx.Record(exchange.Event{
			Kind: exchange.EventOrgAdded, Actor: actor, Org: o.ID, Subject: []string{string(o.ID)}, Detail: facts(o),
		})
		return err
	})
	return o, err
}

// ChangeOrganisation replaces what is known of an organisation and places it
// anew in every program. ifRevision is the revision that the caller changed, 0
// for any; another one is a Precondition failure. Administrators only: an
// attribute decides on cohorts in the programs of every owner.
func (s *Service) ChangeOrganisation(ctx context.Context, actor exchange.Actor, o exchange.Organisation, ifRevision int64) (exchange.Organisation, error) {
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		old, err := changeable(tx, actor, o.ID)
		if err != nil {
			return err
		}
		if ifRevision != 0 && ifRevision != old.Revision {
			return exchange.Fail(exchange.Precondition, "the organisation was changed meanwhile; read it again, then repeat your change")
		}
		o = tidy(o)
		o.CreatedAt, o.Revision, o.SuspendedAt, o.SuspendReason = old.CreatedAt, old.Revision, old.SuspendedAt, old.SuspendReason
		if reflect.DeepEqual(o, old) {
			return nil
		}
		if err := checkOrganisation(tx, o); err != nil {
			return err
		}
		o.Revision++
		return s.changed(tx, o, exchange.Event{Kind: exchange.EventOrgChanged, Actor: actor, Detail: facts(o)})
	})
	return o, err
}

// SuspendOrganisation ends, at once, everything that the organisation's people
// and tokens may do, in every program. A second time changes nothing.
func (s *Service) SuspendOrganisation(ctx context.Context, actor exchange.Actor, id exchange.OrgID, reason string) (exchange.Organisation, error) {
	var o exchange.Organisation
	err := s.c.Store.Update(ctx, func(tx Tx) (err error) {
		o, err = changeable(tx, actor, id)
		switch {
		case err != nil || !o.SuspendedAt.IsZero():
			return err
		case id == actor.Org:
			return exchange.Fail(exchange.Conflict, "you cannot suspend your own organisation")
		case reason == "":
			return exchange.InvalidWith("nothing was suspended", []exchange.Problem{{Path: "reason", Message: "missing: why"}})
		}
		o.SuspendedAt, o.SuspendReason = tx.Now(), reason
		o.Revision++
		people, err := tx.ListPeople(id)
		if err != nil {
			return err
		}
		ended := 0
		for _, p := range people {
			n, err := tx.EndSessions(p.ID)
			if err != nil {
				return err
			}
			ended += n
		}
		return s.changed(tx, o, exchange.Event{
			Kind: exchange.EventOrgSuspended, Actor: actor,
			Detail: exchange.Detail{"reason": reason, "sessions_ended": ended},
		})
	})
	return o, err
}

// ResumeOrganisation lets a suspended organisation in again. Its people sign
// in anew; tokens that were not revoked work again.
func (s *Service) ResumeOrganisation(ctx context.Context, actor exchange.Actor, id exchange.OrgID) (exchange.Organisation, error) {
	var o exchange.Organisation
	err := s.c.Store.Update(ctx, func(tx Tx) (err error) {
		o, err = changeable(tx, actor, id)
		if err != nil || o.SuspendedAt.IsZero() {
			return err
		}
		from := o.SuspendedAt
		o.SuspendedAt, o.SuspendReason = time.Time{}, ""
		o.Revision++
		return s.changed(tx, o, exchange.Event{
			Kind: exchange.EventOrgResumed, Actor: actor, Detail: exchange.Detail{"suspended_at": from},
		})
	})
	return o, err
}

// changeable answers an organisation that the actor may change.
func changeable(tx Tx, actor exchange.Actor, id exchange.OrgID) (exchange.Organisation, error) {
	o, err := tx.Organisation(id)
	if err != nil || administers(actor) {
		return o, err
	}
	if knows, err := knowsAll(tx, actor); err != nil || !knows && actor.Org != id {
		return exchange.Organisation{}, orMissing(err)
	}
	return exchange.Organisation{}, exchange.Fail(exchange.Denied, "only an administrator may change an organisation")
}

// changed stores a changed organisation, records the act and places members
// anew where the organisation takes part.
func (s *Service) changed(tx Tx, o exchange.Organisation, e exchange.Event) error {
	if err := tx.PutOrganisation(o); err != nil {
		return err
	}
	if err := tx.BumpGeneration(); err != nil {
		return err
	}
	e.Org, e.Subject = o.ID, []string{string(o.ID)}
	if _, err := tx.Record(e); err != nil {
		return err
	}
	return eachProgram(tx, o.ID, func(c exchange.Charter) error {
		_, err := s.place(tx, c, true, o.ID)
		return err
	})
}

// Organisation answers one organisation: to administrators, to who oversees a
// program, and to its own people.
func (s *Service) Organisation(ctx context.Context, actor exchange.Actor, id exchange.OrgID) (exchange.Organisation, error) {
	var o exchange.Organisation
	err := s.c.Store.View(ctx, func(tx Tx) error {
		knows, err := knowsAll(tx, actor)
		if err != nil || !knows && (actor.Org == "" || actor.Org != id) {
			return orMissing(err)
		}
		o, err = tx.Organisation(id)
		return err
	})
	return o, err
}

// ListOrganisations lists organisations by id, those after the given one:
// limit of them, 100 when it is 0, at most 1,000.
func (s *Service) ListOrganisations(ctx context.Context, actor exchange.Actor, after exchange.OrgID, limit int) ([]exchange.Organisation, error) {
	var all []exchange.Organisation
	err := s.c.Store.View(ctx, func(tx Tx) error {
		knows, err := knowsAll(tx, actor)
		if err != nil || !knows {
			return orDenied(err, "the register of organisations is for administrators and those who oversee a program")
		}
		all, err = tx.ListOrganisations(after, page(limit))
		return err
	})
	return all, err
}

// SetJurisdiction stores one line of the register of compelled disclosure and
// places the members of every program anew. Administrators only.
func (s *Service) SetJurisdiction(ctx context.Context, actor exchange.Actor, j exchange.Jurisdiction) error {
	return s.c.Store.Update(ctx, func(tx Tx) error {
		if !administers(actor) {
			return exchange.Fail(exchange.Denied, "only an administrator may change the register of jurisdictions")
		}
		if err := checkJurisdiction(j); err != nil {
			return err
		}
		all, err := tx.Jurisdictions()
		if err != nil {
			return err
		}
		if j.ValidFrom = j.ValidFrom.UTC().Truncate(time.Microsecond); slices.Contains(all, j) {
			return nil
		}
		if err := tx.PutJurisdiction(j); err != nil {
			return err
		}
		if err := tx.BumpGeneration(); err != nil {
			return err
		}
		_, err = tx.Record(exchange.Event{
			Kind: exchange.EventJurisdictionSet, Actor: actor, Subject: []string{j.Code},
			Detail: exchange.Detail{"compelled": j.Compelled, "within": j.Within, "source": j.Source, "valid_from": j.ValidFrom},
		})
		if err != nil {
			return err
		}
		_, err = s.placeEverywhere(tx)
		return err
	})
}

// Jurisdictions lists the register; everybody who signed in may read it, so
// that a line can be contested.
func (s *Service) Jurisdictions(ctx context.Context, actor exchange.Actor) ([]exchange.Jurisdiction, error) {
	if actor.Anonymous() {
		return nil, exchange.Missing()
	}
	var all []exchange.Jurisdiction
	err := s.c.Store.View(ctx, func(tx Tx) (err error) {
		all, err = tx.Jurisdictions()
		return err
	})
	return all, err
}

func orDenied(err error, text string) error {
	if err != nil {
		return err
	}
	return exchange.Fail(exchange.Denied, "%s", text)
}

func orMissing(err error) error {
	if err != nil {
		return err
	}
	return exchange.Missing()
}
