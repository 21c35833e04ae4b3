package pulse_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange/pulse"
)

// Followers are woken by a change and by nothing else, and a failing store
// wakes nobody.
func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n, fails atomic.Int64
		p := pulse.New(func(context.Context) (int64, error) {
			if fails.Load() > 0 {
				return 0, errors.New("no store")
			}
			return n.Load(), nil
		})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); p.Run(ctx) }()
		synctest.Wait() // the first answer is a change
		woken := func() bool {
			next := p.Next()
			time.Sleep(pulse.Every + time.Millisecond)
			synctest.Wait()
			select {
			case <-next:
				return true
			default:
				return false
			}
		}
		if woken() {
			t.Error("woken without a change")
		}
		n.Add(1)
		if !woken() {
			t.Error("a change wakes nobody")
		}
		fails.Store(1)
		n.Add(1)
		if woken() {
			t.Error("woken by a failure")
		}
		fails.Store(0)
		if !woken() {
			t.Error("a change during a failure is lost")
		}
		next := p.Next()
		p.Beat()
		<-next
		select {
		case <-p.Ended():
			t.Error("ended early")
		default:
		}
		p.Close()
		p.Close()
		<-p.Ended()
		stop()
		<-done
	})
}
