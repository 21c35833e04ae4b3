package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/core"
)

// act is something that somebody does at one moment of the story.
type act struct {
	at   time.Time
	what string // for errors
	do   func(ctx context.Context, x *core.Exchange) error
}

// agenda is the story as acts. Those of one moment are done in their order.
type agenda []act

func (a *agenda) add(at time.Time, what string, do func(ctx context.Context, x *core.Exchange) error) {
	*a = append(*a, act{at.Truncate(time.Second), what, do})
}

// run does, in the order of time, what lies before until. What lies later has
// not happened.
func (a agenda) run(ctx context.Context, x *core.Exchange, clock *Clock, until time.Time) error {
	slices.SortStableFunc(a, func(x, y act) int { return x.at.Compare(y.at) })
	for _, c := range a {
		if !c.at.Before(until) {
			return nil
		}
		clock.set(c.at)
		if err := c.do(ctx, x); err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
	}
	return nil
}
