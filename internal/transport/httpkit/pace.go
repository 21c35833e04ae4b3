package httpkit

import (
	"context"
	"sync"
	"time"
)

// beat is how far the instants lie apart at which Pace lets answers go.
const beat = 500 * time.Microsecond

// MissingPace is the least time that "not found" takes. What is withheld costs
// some tens of microseconds more than what does not exist, because the decision
// on it is made; this is more than either takes.
const MissingPace = 500 * time.Microsecond

// beats are those that are awaited, by their number since began; each is closed
// when it comes. There are no more than the longest pause has.
var beats struct {
	sync.Mutex
	at map[int64]chan struct{}
}

var began = time.Now()

// Pace waits until an answer has taken at least so long since the instant, or
// until ctx ends: what it would have taken less by does not show. A timer of the
// runtime may fire up to a millisecond late, counted from when the process had
// nothing more to do, so that the time of the work would show in it. So answers
// are let go at instants that lie a beat apart, which a thread of its own
// awaits.
func Pace(ctx context.Context, since time.Time, least time.Duration) {
	n := int64((since.Add(least).Sub(began) + beat - 1) / beat)
	if time.Since(began) >= time.Duration(n)*beat {
		return
	}
	select {
	case <-ctx.Done():
	case <-awaited(n):
	}
}

// awaited is closed at a beat.
func awaited(n int64) <-chan struct{} {
	beats.Lock()
	defer beats.Unlock()
	if done, ok := beats.at[n]; ok {
		return done
	}
	if beats.at == nil {
		beats.at = map[int64]chan struct{}{}
	}
	done := make(chan struct{})
	beats.at[n] = done
	go func() {
		sleep(time.Duration(n)*beat - time.Since(began))
		beats.Lock()
		delete(beats.at, n)
		beats.Unlock()
		close(done)
	}()
	return done
}

// LookupPace is the least time that a look-up of n values takes. A value that
// is known and withheld costs about a tenth of a microsecond more than an
// unknown one; with a hundred thousand names under one domain that could be
// measured. This is more than either takes.
func LookupPace(n int) time.Duration {
	return max(time.Millisecond, time.Duration(n)*700*time.Nanosecond)
}
