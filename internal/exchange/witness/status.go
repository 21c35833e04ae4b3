package witness

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Standing is how a witness stands to the ledger.
type Standing string

// The standings.
const (
	Agrees    Standing = "agrees"    // it cosigned all there is, or what came since is younger than the grace
	Behind    Standing = "behind"    // it lacks what is older than the grace
	Never     Standing = "never"     // it has cosigned nothing
	Disagrees Standing = "disagrees" // it saw another history
)

// One is what members see of a witness.
type One struct {
	Name     string
	Key      string
	Standing Standing
	Size     int64     // that it cosigned
	Behind   int64     // entries that it lacks
	Seen     time.Time // when its newest signature came; zero: never
	Failure  string    // why it gave nothing the last time; to those who oversee alone
	FailedAt time.Time
}

// Status is how the witnesses of a program stand to the ledger.
type Status struct {
	Program       exchange.ProgramID
	Origin        string
	Size          int64 // of the ledger
	Cosigned      int64 // entries that a quorum cosigned
	Quorum        int
	Grace         time.Duration
	Stop          bool
	Lacking       string // in words; empty: a quorum agrees
	Held          bool   // releases are
	Witnesses     []One  // in the charter's order
	Disagreements []Disagreement
}

// Status answers how the witnesses of a program stand, to its active members and
// to who oversees it. For everybody else the program does not exist.
func (s *Service) Status(ctx context.Context, actor exchange.Actor, program exchange.ProgramID) (Status, error) {
	l, err := s.c.Current()
	if err != nil {
		return Status{}, err
	}
	var out Status
	err = s.c.Store.View(ctx, func(tx Tx) (err error) {
		out, err = seen(tx, l, actor, program)
		return err
	})
	return out, err
}

func status(tx Tx, l Ledger, c exchange.Charter) (Status, error) {
	out := Status{
		Program: c.ID, Origin: l.Log.Origin(), Size: l.Log.Size(), Quorum: c.Ledger.Quorum, Grace: c.Ledger.Within(), Stop: c.Ledger.Stop,
	}
	if len(c.Ledger.Witnesses) == 0 {
		out.Grace = 0
		return out, nil
	}
	states, err := tx.WitnessStates(l.Number)
	if err != nil {
		return out, err
	}
	if out.Disagreements, err = tx.DisagreementsOf(c.ID, l.Number); err != nil {
		return out, err
	}
	if out.Lacking, err = lacking(tx, l, c); err != nil {
		return out, err
	}
	out.Held = out.Lacking != "" && c.Ledger.Stop
	out.Cosigned = min(quorumSize(c.Ledger, states), out.Size)
	for _, w := range c.Ledger.Witnesses {
		one := One{Name: w.Name, Key: w.Key, Standing: Never, Behind: out.Size}
		if i := slices.IndexFunc(states, func(st State) bool { return st.Key == w.Key }); i >= 0 {
			st := states[i]
			one.Size, one.Seen, one.Failure, one.FailedAt = st.Size, st.Seen, st.Failure, st.FailedAt
			one.Behind = max(0, out.Size-st.Size)
		}
		if !one.Seen.IsZero() {
			one.Standing = Agrees
			if one.Behind > 0 {
				at, err := tx.EventTime(l.Base + one.Size + 1)
				if err != nil && exchange.KindOf(err) != exchange.NotFound {
					return out, err
				}
				if err == nil && tx.Now().Sub(at) > out.Grace {
					one.Standing = Behind
				}
			}
		}
		if slices.ContainsFunc(out.Disagreements, func(d Disagreement) bool { return d.Key == w.Key && d.Open() }) {
			one.Standing = Disagrees
		}
		out.Witnesses = append(out.Witnesses, one)
	}
	return out, nil
}

// known is the charter, for who may know the program.
func known(tx Tx, actor exchange.Actor, program exchange.ProgramID) (exchange.Charter, error) {
	c, err := tx.Charter(program)
	if err != nil {
		return c, err
	}
	switch {
	case !actor.Reaches(program) || actor.Anonymous() && actor.Channel != exchange.ChannelSystem:
		return c, exchange.Missing()
	case actor.Oversees(c.Owner):
		return c, nil
	case actor.Org == "":
		return c, exchange.Missing()
	}
	m, err := tx.Member(program, actor.Org)
	if err != nil {
		return c, err
	}
	if m.State != exchange.MemberActive {
		return c, exchange.Missing()
	}
	return c, nil
}

// maxReason bounds a reason in bytes.
const maxReason = 2000

// Resolve settles a disagreement for a program, with a reason that is recorded. It
// takes nothing back: both checkpoints stay. Releases go on when nothing else holds
// them.
func (s *Service) Resolve(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, id int64, reason string) (Disagreement, error) {
	var out Disagreement
	err := s.c.Store.Update(ctx, func(tx Tx) error {
		c, err := known(tx, actor, program)
		if err != nil {
			return err
		}
		if !actor.Operates(c.Owner) {
			return exchange.Fail(exchange.Denied, "only an operator of the program resolves a disagreement; nothing was changed")
		}
		if strings.TrimSpace(reason) == "" || len(reason) > maxReason {
			return exchange.InvalidWith("nothing was changed", []exchange.Problem{{
				Path: "reason", Message: "1 to 2,000 bytes: what happened, and why releases may go on",
			}})
		}
		d, err := tx.Disagreement(id)
		if err != nil {
			return err
		}
		switch {
		case d.Program != program:
			return exchange.Missing()
		case !d.Open():
			return exchange.Fail(exchange.Conflict, "it has been resolved already; nothing was changed")
		}
		d.ResolvedAt, d.ResolvedBy, d.Reason = tx.Now(), actor.Person, reason
		if err := tx.PutDisagreement(&d); err != nil {
			return err
		}
		out = d
		_, err = tx.Record(event(exchange.EventWitnessResolved, actor, d))
		return err
	})
	if err == nil {
		s.Kick()
		s.c.Resume()
	}
	return out, err
}

// Standings answers how the witnesses stand of each program that names some, as far as
// the actor may know: to whoever is no member, of none.
func (s *Service) Standings(ctx context.Context, actor exchange.Actor) (out []Status, err error) {
	l, err := s.c.Current()
	if err != nil {
		return nil, err
	}
	err = s.c.Store.View(ctx, func(tx Tx) error {
		out = nil
		all, err := tx.Charters()
		if err != nil {
			return err
		}
		for _, c := range all {
			if len(c.Ledger.Witnesses) == 0 {
				continue
			}
			one, err := seen(tx, l, actor, c.ID)
			switch {
			case err == nil:
				out = append(out, one)
			case exchange.KindOf(err) != exchange.NotFound:
				return err
			}
		}
		return nil
	})
	return out, err
}

// seen is the status of a program's witnesses as the actor sees it.
func seen(tx Tx, l Ledger, actor exchange.Actor, program exchange.ProgramID) (Status, error) {
	c, err := known(tx, actor, program)
	if err != nil {
		return Status{}, err
	}
	out, err := status(tx, l, c)
	if err != nil || actor.Oversees(c.Owner) {
		return out, err
	}
	for i := range out.Witnesses {
		out.Witnesses[i].Failure, out.Witnesses[i].FailedAt = "", time.Time{}
	}
	return out, nil
}
