package httpkit

import (
	"context"
	"time"
)

// Pace waits until an answer has taken at least so long since the instant, or
// until ctx ends: what it would have taken less by does not show.
func Pace(ctx context.Context, since time.Time, least time.Duration) {
	rest := least - time.Since(since)
	if rest <= 0 {
		return
	}
	t := time.NewTimer(rest)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// LookupPace is the least time that a look-up of n values takes. A value that
// is known and withheld costs about a tenth of a microsecond more than an
// unknown one; with a hundred thousand names under one domain that could be
// measured. This is more than either takes.
func LookupPace(n int) time.Duration {
	return max(time.Millisecond, time.Duration(n)*700*time.Nanosecond)
}
