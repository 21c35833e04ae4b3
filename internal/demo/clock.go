package demo

import (
	"sync"
	"time"
)

// Clock shows the past while the demonstration's history is written, and the
// present from then on. It never goes back. Give its Now to server.Options
// before the server is opened.
type Clock struct {
	mu   sync.Mutex
	at   time.Time
	live bool
	real func() time.Time
}

// NewClock returns a clock that stands where the story of the demonstration
// begins, some seven weeks before now. Nil is the clock of the machine.
func NewClock(now func() time.Time) *Clock {
	if now == nil {
		now = time.Now
	}
	return &Clock{at: plan(now()).start, real: now}
}

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.real(); c.live && t.After(c.at) {
		c.at = t
	}
	return c.at
}

// set moves the clock on to t.
func (c *Clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.at) {
		c.at = t
	}
}

// golive hands over to the real clock.
func (c *Clock) golive() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = true
}
