package feedback

import (
	"context"
	"slices"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Listing is the feedback on a release as one reader sees it.
type Listing struct {
	Entries []Entry // by time
	Others  []Count // how much the other members said, when the charter lets members see that
	Floor   int     // fewer organisations than this stand behind a kind that Others does not list
}

// Entry is one answer with the name of the organisation that gave it.
type Entry struct {
	exchange.Feedback
	OrgName  string
	Replaced bool // a later one amends it
	// NotCovering marks a protection against a case whose fix has turned out to
	// be incomplete: another case follows it, and this protection may not cover
	// that (MAPP-11). Members see it once they were told.
	NotCovering bool
}

// Count is how many organisations gave feedback of a kind.
type Count struct {
	Kind          exchange.FeedbackKind
	Organisations int
}

// List answers the feedback on a release. Those who oversee the program see all
// of it. A member sees its own, and how many other organisations answered,
// unless the charter says that members see nothing of each other; counts below
// the charter's floor are left out, and hidden members are not counted.
func (s *Service) List(ctx context.Context, actor exchange.Actor, release exchange.ReleaseID) (Listing, error) {
	var l Listing
	err := s.read(ctx, actor, release, func(tx Tx, _ exchange.Release, charter exchange.Charter, overseer bool) error {
		all, err := tx.FeedbackOf(release)
		if err != nil {
			return err
		}
		names, err := tx.NamesOf(release)
		if err != nil {
			return err
		}
		asked := actor.Org
		if overseer {
			asked = ""
		}
		incomplete, err := tx.ToldIncomplete(release, asked)
		if err != nil {
			return err
		}
		if !overseer {
			hidden, err := tx.HiddenMembers(charter.ID)
			if err != nil {
				return err
			}
			all = slices.DeleteFunc(all, func(f exchange.Feedback) bool { return hidden[f.Org] && f.Org != actor.Org })
		}
		l = listing(all, names, actor.Org, overseer, charter.Visibility)
		for i := range l.Entries {
			l.Entries[i].NotCovering = !incomplete.IsZero() && l.Entries[i].Kind == exchange.FeedbackProtection
		}
		return nil
	})
	return l, err
}

func listing(all []exchange.Feedback, names map[exchange.OrgID]string, org exchange.OrgID, overseer bool, v exchange.Visibility) Listing {
	l := Listing{Floor: v.Fewest()}
	replaced := amended(all)
	others := map[exchange.FeedbackKind]map[exchange.OrgID]bool{}
	for _, f := range all {
		if overseer || org != "" && f.Org == org {
			l.Entries = append(l.Entries, Entry{Feedback: f, OrgName: names[f.Org], Replaced: replaced[f.ID]})
			continue
		}
		if others[f.Kind] == nil {
			others[f.Kind] = map[exchange.OrgID]bool{}
		}
		others[f.Kind][f.Org] = true
	}
	if overseer || v.MembersSee == exchange.SeeNothing {
		return l
	}
	for _, k := range exchange.AllFeedbackKinds {
		if n := len(others[k]); n >= l.Floor {
			l.Others = append(l.Others, Count{k, n})
		}
	}
	return l
}

// amended names the protections that a later one replaces.
func amended(all []exchange.Feedback) map[exchange.FeedbackID]bool {
	out := map[exchange.FeedbackID]bool{}
	for _, f := range all {
		if f.Amends != "" && slices.ContainsFunc(all, func(o exchange.Feedback) bool { return o.ID == f.Amends && o.Org == f.Org }) {
			out[f.Amends] = true
		}
	}
	return out
}
