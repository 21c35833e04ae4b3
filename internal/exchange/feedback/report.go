package feedback

import (
	"cmp"
	"context"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Outcome computes what came of a program in the window. Those who oversee the
// program see every release and the rows behind each figure; its members see
// figures over what is public, with their own rows, where at least
// as many organisations as the charter's count floor stand behind a figure.
func (s *Service) Outcome(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, w Window) (Outcome, error) {
	if err := s.c.Due(ctx); err != nil {
		return Outcome{}, err
	}
	var out Outcome
	err := s.c.Store.View(ctx, func(tx Tx) error {
		charter, err := tx.Charter(program)
		if err != nil {
			return err
		}
		overseer, err := mayRead(tx, actor, charter)
		if err != nil {
			return err
		}
		releases, err := tx.ReleasesOf(program)
		if err != nil {
			return err
		}
		hidden, err := tx.HiddenMembers(program)
		if err != nil {
			return err
		}
		var cases []Case
		for _, r := range releases {
			// How many releases wait is itself under embargo.
			if !w.holds(cmp.Or(publicRelease(r, tx.Now()), r.Plan.T0)) || !overseer && r.PublicAt.IsZero() {
				continue
			}
			c, err := caseOf(tx, r)
			if err != nil {
				return err
			}
			if !overseer {
				c.hide(hidden, actor.Org)
			}
			if len(c.Reach) > 0 {
				cases = append(cases, c)
			}
		}
		out = compute(cases, charter, tx)
		out.Window = w
		if !overseer {
			out.redact(actor.Org, charter.Visibility.Fewest())
		}
		return nil
	})
	return out, err
}

// ReleaseOutcome is Outcome for one release, to everyone who may see it.
func (s *Service) ReleaseOutcome(ctx context.Context, actor exchange.Actor, release exchange.ReleaseID) (Outcome, error) {
	var out Outcome
	err := s.read(ctx, actor, release, func(tx Tx, r exchange.Release, charter exchange.Charter, overseer bool) error {
		c, err := caseOf(tx, r)
		if err != nil {
			return err
		}
		if !overseer {
			hidden, err := tx.HiddenMembers(charter.ID)
			if err != nil {
				return err
			}
			c.hide(hidden, actor.Org)
		}
		out = compute([]Case{c}, charter, tx)
		out.Release = release
		if !overseer {
			out.redact(actor.Org, charter.Visibility.Fewest())
		}
		return nil
	})
	return out, err
}

// read runs fn on a snapshot with the release, for those whom enter lets in.
func (s *Service) read(ctx context.Context, actor exchange.Actor, id exchange.ReleaseID,
	fn func(tx Tx, r exchange.Release, c exchange.Charter, overseer bool) error,
) error {
	overseer, err := s.enter(ctx, actor, id)
	if err != nil {
		return err
	}
	return s.c.Store.View(ctx, func(tx Tx) error {
		r, c, err := find(tx, id)
		if err != nil {
			return err
		}
		return fn(tx, r, c, overseer)
	})
}

// enter lets in whoever oversees the program, and whoever holds something of
// the release.
func (s *Service) enter(ctx context.Context, actor exchange.Actor, id exchange.ReleaseID) (overseer bool, err error) {
	if err := s.c.Due(ctx); err != nil {
		return false, err
	}
	err = s.c.Store.View(ctx, func(tx Tx) error {
		_, c, err := find(tx, id)
		overseer = err == nil && oversees(actor, c)
		return err
	})
	if err != nil || overseer {
		return overseer, err
	}
	return false, s.c.MaySee(ctx, actor, id)
}

func find(tx Tx, id exchange.ReleaseID) (exchange.Release, exchange.Charter, error) {
	r, err := tx.Release(id)
	if err != nil {
		return exchange.Release{}, exchange.Charter{}, err
	}
	if r.Standing {
		return exchange.Release{}, exchange.Charter{}, exchange.Missing()
	}
	c, err := tx.Charter(r.Program)
	return r, c, err
}

func oversees(actor exchange.Actor, c exchange.Charter) bool {
	return actor.Oversees(c.Owner) && actor.Reaches(c.ID)
}

// mayRead lets in those who oversee the program, and its active members.
func mayRead(tx Tx, actor exchange.Actor, c exchange.Charter) (overseer bool, err error) {
	if oversees(actor, c) {
		return true, nil
	}
	if actor.Anonymous() || !actor.Reaches(c.ID) || !actor.May(exchange.VerbRead) {
		return false, exchange.Missing()
	}
	m, err := tx.Member(c.ID, actor.Org)
	switch {
	case err != nil:
		return false, err
	case m.State != exchange.MemberActive, m.Accepted < c.Required(tx.Now()):
		return false, exchange.Missing()
	}
	return false, nil
}

func caseOf(tx Tx, r exchange.Release) (Case, error) {
	reach, err := tx.Reach(r.ID)
	if err != nil {
		return Case{}, err
	}
	answers, err := tx.FeedbackOf(r.ID)
	return Case{Release: r, Reach: reach, Feedback: answers}, err
}

// hide leaves out hidden members other than the reader's organisation.
func (c *Case) hide(hidden map[exchange.OrgID]bool, org exchange.OrgID) {
	other := func(o exchange.OrgID) bool { return hidden[o] && o != org }
	c.Reach = slices.DeleteFunc(c.Reach, func(r Reach) bool { return other(r.Org) })
	c.Feedback = slices.DeleteFunc(c.Feedback, func(f exchange.Feedback) bool { return other(f.Org) })
}

func compute(cases []Case, c exchange.Charter, tx Tx) Outcome {
	out := Compute(cases, tx.Now())
	out.Program, out.Title, out.Purpose = c.ID, c.Title, c.Outcome
	for i := range out.Measures {
		m := &out.Measures[i]
		if j := slices.IndexFunc(c.Measures, func(p exchange.Measure) bool { return p.ID == m.ID }); j >= 0 {
			m.judge(c.Measures[j], c.Calendar, out.At)
		}
	}
	// What the program is judged by comes first.
	slices.SortStableFunc(out.Measures, func(a, b Measure) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

func rank(m Measure) int {
	if m.Lead {
		return 0
	}
	return 1
}

// redact leaves what a reader outside the owner's organisation may see: no
// other organisation's rows, and no figure that few stand behind.
func (o *Outcome) redact(org exchange.OrgID, k int) {
	o.Overseer, o.Floor = false, k
	for i := range o.Measures {
		o.Measures[i].redact(org, k)
	}
	o.Quiet, o.Hoarders = own(o.Quiet, org), own(o.Hoarders, org)
	// One small count could be told from the sum of the others, so all go.
	small := slices.ContainsFunc(o.Reached, func(r Reached) bool { return r.Count > 0 && r.Count < k })
	for i := range o.Reached {
		if small {
			o.Reached[i] = Reached{State: o.Reached[i].State, Hidden: true}
		}
	}
	if small {
		o.Offered, o.Answered, o.Hidden = 0, 0, true
	}
	for i := range o.Cases {
		o.Cases[i].Reached = nil
		if small || o.Cases[i].Offered < k {
			o.Cases[i].Offered, o.Cases[i].Hidden = 0, true
		}
	}
}

func (m *Measure) redact(org exchange.OrgID, k int) {
	switch small := func(n int) bool { return n > 0 && n < k }; {
	case m.contributors() < k:
		m.Hidden = !m.NoData
		m.Figure, m.Attested, m.Evidenced = Figure{}, Figure{}, Figure{}
		m.P90, m.N, m.Of, m.Uncounted = 0, 0, 0, true
		if m.Hidden {
			m.State = StandingNone
		}
	case small(m.Attested.Count) || small(m.Evidenced.Count):
		m.Attested, m.Evidenced = Figure{}, Figure{}
	}
	m.Rows = own(m.Rows, org)
}

func own(rows []Row, org exchange.OrgID) []Row {
	return slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return org == "" || r.Org != org })
}
