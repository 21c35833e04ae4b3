package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Memberships is where memberships are read.
type Memberships interface {
	MembershipsOf(org exchange.OrgID) ([]exchange.Member, error)
	Charter(program exchange.ProgramID) (exchange.Charter, error)
}

// ProgramsOf lists the programs in which the organisation is an active member
// under the agreement in force, as far as they count for the policies of
// charter c: they have the same owner, or their charter names c's program in
// counts_for. The answer holds until lapses, when another version of some
// agreement comes into force; zero: until a fact changes. Nothing is read where
// c's policies do not ask.
func ProgramsOf(from Memberships, c exchange.Charter, org exchange.OrgID, now time.Time) (programs []exchange.ProgramID, lapses time.Time, err error) {
	if !RulesOf(c).AsksForPrograms() {
		return nil, time.Time{}, nil
	}
	all, err := from.MembershipsOf(org)
	if err != nil {
		return nil, time.Time{}, err
	}
	for _, m := range all {
		if m.State != exchange.MemberActive {
			continue
		}
		other, err := from.Charter(m.Program)
		if err != nil {
			return nil, time.Time{}, fmt.Errorf("reading a program of a member: %w", err)
		}
		required := other.Required(now)
		if m.Accepted < required || !Counts(other, c) {
			continue
		}
		programs = append(programs, m.Program)
		if next := other.Calendar.StartOfDay(other.Agreement.Effective); required != other.Agreement.Version && (lapses.IsZero() || next.Before(lapses)) {
			lapses = next
		}
	}
	slices.Sort(programs)
	return programs, lapses, nil
}

// Counts reports whether membership in one program may be asked for by the
// policies of another: who runs a program does not learn from its policies who
// is a member of somebody else's.
func Counts(one, forAnother exchange.Charter) bool {
	return one.Owner == forAnother.Owner || slices.Contains(one.CountsFor, forAnother.ID)
}
