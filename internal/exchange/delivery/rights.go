package delivery

import (
	"context"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// rights returns the collection with what the actor may do in it (TAXII 2.1
// §5.2.1, can_read and can_write), or exchange.Missing where that is nothing:
// a collection is known to whoever reads or writes in it, and to nobody else.
func (s *Service) rights(ctx context.Context, known *cached, a exchange.Actor, c Collection) (Collection, error) {
	v, err := s.viewIn(ctx, known, a, c.Program)
	if err != nil {
		return Collection{}, err
	}
	c.view = v
	c.CanRead, c.CanWrite = v.reads(), v.writes(a, s.c.Now())
	if !c.CanRead && !c.CanWrite {
		return Collection{}, exchange.Missing()
	}
	return c, nil
}

// takesPart reports whether the organisation is an active member in a cohort,
// under the current agreement.
func (v *view) takesPart() bool {
	return v.r.Member && !v.r.Suspended && v.r.Audience.Cohort != "" && v.r.Accepted >= v.required
}

// writes reports whether the actor may add objects to the collection: the
// charter lets the cohort contribute, the credential is for handing in, and the
// program has not passed its sunset.
func (v *view) writes(a exchange.Actor, now time.Time) bool {
	return v.takesPart() && a.May(exchange.VerbSubmit) && v.charter.MayWrite(v.r.Audience.Cohort) && !v.charter.ReadOnlyAt(now)
}
