package membership

import (
	"context"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// JoinHidden is Join for an organisation of which other members never learn that
// it takes part.
func (s *Service) JoinHidden(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, org exchange.OrgID) (exchange.Member, error) {
	return s.join(ctx, actor, program, org, true)
}

// HideMember hides a membership from the other members (GSP-08, AT-39), in every
// list, name and figure, or shows it again; an operator of the program does. What
// others were shown before cannot be unsaid. A second time changes nothing.
func (s *Service) HideMember(ctx context.Context, actor exchange.Actor, program exchange.ProgramID, org exchange.OrgID, hidden bool) (exchange.Member, error) {
	return s.change(ctx, func(tx Tx) (exchange.Member, error) {
		c, m, err := operatedMember(tx, actor, program, org)
		if err != nil || m.Hidden == hidden {
			return m, err
		}
		m.Hidden = hidden
		kind := exchange.EventMemberHidden
		if !hidden {
			kind = exchange.EventMemberShown
		}
		return s.store(tx, c, m, exchange.Event{Kind: kind, Actor: actor})
	})
}

func hiddenDetail(hidden bool) exchange.Detail {
	if !hidden {
		return nil
	}
	return exchange.Detail{"hidden": true}
}
