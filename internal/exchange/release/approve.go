package release

import (
	"context"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Send hands a draft to the approvers. It is refused while something blocks
// it, with the preview's list, and while the charter stops releases.
func (s *Service) Send(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, ifVersion int64) (exchange.Release, error) {
	var out exchange.Release
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		r, c, err := mine(tx, a, id)
		if err != nil {
			return err
		}
		if err := current(r, ifVersion); err != nil {
			return err
		}
		if r.State == exchange.ReleaseWaiting {
			out = r
			return nil
		}
		if r.State != exchange.ReleaseDraft {
			return exchange.Fail(exchange.Conflict, "the release is %s; only a draft can be sent to the approvers", r.State)
		}
		if c.ReadOnlyAt(tx.Now()) {
			return sunset(c)
		}
		if err := s.stopped(tx, c, "the release was not sent"); err != nil {
			return err
		}
		f, err := factsOf(tx, r)
		if err != nil {
			return err
		}
		if ps := blocks(r, c, f.arts); len(ps) > 0 {
			return exchange.InvalidWith("the release was not sent to the approvers", ps)
		}
		r.State = exchange.ReleaseWaiting
		if err := tx.PutRelease(&r); err != nil {
			return err
		}
		out = r
		_, err = tx.Record(event(exchange.EventReleaseSent, a, r, exchange.Detail{"revision": r.Revision, "needed": needed(c, f.arts)}))
		return err
	})
	return out, err
}

// Approve gives one person's consent to the revision they saw. With enough of
// them, by different people none of whom wrote it, the release is armed.
func (s *Service) Approve(ctx context.Context, a exchange.Actor, id exchange.ReleaseID, revision int64) (exchange.Release, error) {
	var out exchange.Release
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		r, c, err := seen(tx, a, id)
		if err != nil {
			return err
		}
		if err := approvable(r, c, a, revision); err != nil {
			return err
		}
		if c.ReadOnlyAt(tx.Now()) {
			return sunset(c)
		}
		if slices.ContainsFunc(r.Valid(), func(v exchange.Approval) bool { return v.Person == a.Person }) {
			out = r
			return nil
		}
		f, err := factsOf(tx, r)
		if err != nil {
			return err
		}
		if ps := blocks(r, c, f.arts); len(ps) > 0 {
			return exchange.InvalidWith("the release was not approved", ps)
		}
		ap := exchange.Approval{Person: a.Person, Revision: r.Revision, At: tx.Now()}
		if err := tx.PutApproval(id, ap); err != nil {
			return err
		}
		r.Approvals = append(r.Approvals, ap)
		n, err := standing(tx, r)
		if err != nil {
			return err
		}
		of := needed(c, f.arts)
		if _, err := tx.Record(event(exchange.EventReleaseApproved, a, r, exchange.Detail{"revision": r.Revision, "approval": n, "of": of})); err != nil {
			return err
		}
		if n >= of {
			if err := arm(tx, &r, c, f); err != nil {
				return err
			}
		}
		err = tx.PutRelease(&r)
		out = r
		return err
	})
	s.Wake()
	return out, err
}

// standing counts the approvals by people who may still approve: one by
// somebody who was suspended since, or is no approver any more, no longer counts.
func standing(tx Tx, r exchange.Release) (n int, err error) {
	for _, a := range r.Valid() {
		p, err := tx.Person(a.Person)
		if err != nil {
			return 0, err
		}
		if p.SuspendedAt.IsZero() && p.Has(exchange.RoleApprover) {
			n++
		}
	}
	return n, nil
}

func approvable(r exchange.Release, c exchange.Charter, a exchange.Actor, revision int64) error {
	switch {
	case !a.Approves(c.Owner):
		return exchange.Fail(exchange.Denied, "only an approver of the program may approve; nothing was changed")
	case r.State != exchange.ReleaseWaiting:
		return exchange.Fail(exchange.Conflict, "the release is %s; only one that waits for approval can be approved", r.State)
	case revision != r.Revision:
		return exchange.Fail(exchange.Precondition, "the release is at revision %d, you saw %d; read it again before you approve", r.Revision, revision)
	case slices.Contains(r.Editors, a.Person):
		return exchange.Fail(exchange.Denied, "who wrote a release cannot approve it; another person must")
	}
	return nil
}

// arm puts the plan on the clock.
func arm(tx Tx, r *exchange.Release, c exchange.Charter, f facts) error {
	r.State = exchange.ReleaseArmed
	if len(f.given) > 0 {
		r.State = exchange.ReleaseReleasing
	}
	if !r.PublicAt.IsZero() {
		r.State = exchange.ReleasePublic
	}
	r.Editors = nil
	if err := tx.PutPlanned(r.ID, keepStops(f.planned(*r, c, tx.Now()), f.old)); err != nil {
		return err
	}
	return tx.BumpGeneration()
}

// needed is the number of approvals by different people that content of these
// classes requires.
func needed(c exchange.Charter, live []exchange.Artifact) int {
	classes := make([]exchange.ContentClass, len(live))
	for i, a := range live {
		classes[i] = a.Class
	}
	return c.Approvals.Needed(classes)
}

func afterSunset(c exchange.Charter) exchange.Problem {
	return exchange.Problem{Path: "t0", Message: "lies after the program's sunset date " + c.Sunset.String() + ": nothing new is shared then"}
}

// blocks lists what keeps a release with this content from being sent or approved.
func blocks(r exchange.Release, c exchange.Charter, live []exchange.Artifact) []exchange.Problem {
	ps := r.Plan.Check(c)
	if c.ReadOnlyAt(r.Plan.T0) {
		ps = append(ps, afterSunset(c))
	}
	for _, a := range live {
		if !slices.ContainsFunc(r.Plan.Rules, func(rule exchange.PlanRule) bool { return rule.Class == a.Class && !rule.At.IsNever() }) {
			ps = append(ps, exchange.Problem{Path: "artifact[" + string(a.ID) + "].class", Message: "no rule of the plan gives " + string(a.Class) + " to anyone"})
		}
	}
	if len(live) == 0 {
		ps = append(ps, exchange.Problem{Path: "artifact", Message: "the release holds nothing yet"})
	}
	return ps
}
