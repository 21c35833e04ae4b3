package record

import (
	"context"
	"errors"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Objects lists the identifiers of what a disclosure gave, in its order: those from
// the place from on, limit of them, and how many there are. A party that is shown the
// whole event is told of all, as they were given, an originator of its own, as it handed
// them in. An act that gave no objects
// has none.
func (s *Service) Objects(ctx context.Context, actor exchange.Actor, seq int64, from, limit int) (ids []string, total int, err error) {
	var code []byte
	var own []bool // nil: all
	err = s.party(ctx, actor, seq, func(tx Tx, r Recorded, shown share) (err error) {
		if code, own = r.Covered, nil; len(code) == 0 || shown.whole {
			return nil
		}
		own, err = ownObjects(tx, code, actor.Org)
		return err
	})
	if err != nil || len(code) == 0 {
		return nil, 0, err
	}
	if s.c.Covered == nil {
		return nil, 0, errors.New("the room was given nothing to list objects with")
	}
	all, of, _, err := s.c.Covered(ctx, code)
	if err != nil {
		return nil, 0, err
	}
	for i, o := range all {
		if own != nil && (i >= len(own) || !own[i]) {
			continue
		}
		if total++; total > from && len(ids) < limit {
			id := o.ID
			if own != nil && of[i] != "" { // as its originator knows it
				id = of[i]
			}
			ids = append(ids, id)
		}
	}
	return ids, total, nil
}
