// Package pulse wakes whoever follows feeds. One goroutine asks the store for a
// number that changes whenever a feed grew or a fact about who may see what
// changed, and wakes all followers at once; each then asks for what is new with
// its own credential.
package pulse

import (
	"context"
	"sync"
	"time"
)

// Every is how often the store is asked.
const Every = 250 * time.Millisecond

// Pulse is what followers wait on. The zero value is not ready; see New.
type Pulse struct {
	ask func(ctx context.Context) (int64, error)

	mu     sync.Mutex
	next   chan struct{}
	ended  chan struct{}
	closed bool
}

// New makes a pulse of a function that answers a number which differs after
// each change. It must be cheap.
func New(ask func(ctx context.Context) (int64, error)) *Pulse {
	return &Pulse{ask: ask, next: make(chan struct{}), ended: make(chan struct{})}
}

// Next is closed at the next change. Take it before looking at the store: what
// changes while one looks then wakes again.
func (p *Pulse) Next() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

// Ended is closed by Close: followers then end.
func (p *Pulse) Ended() <-chan struct{} { return p.ended }

// Beat wakes all followers.
func (p *Pulse) Beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.next)
	p.next = make(chan struct{})
}

// Close ends all followers. It may be called again.
func (p *Pulse) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.ended)
	}
}

// Run asks and wakes until ctx ends. A question that fails wakes nobody; the
// next one follows a moment later.
func (p *Pulse) Run(ctx context.Context) {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	known := int64(-1)
	for {
		if n, err := p.ask(ctx); err == nil && n != known {
			known = n
			p.Beat()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
