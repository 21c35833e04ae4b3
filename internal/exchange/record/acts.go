package record

import (
	"context"
	"slices"
	"sync"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

// Acts collects the numbers of the events that one caller's acts recorded while a
// request is answered, so that the answer can say where their receipts are.
type Acts struct {
	client string
	mu     sync.Mutex
	seqs   []int64
}

// maxActs is how many numbers are kept: an answer names no more.
const maxActs = 16

type actsKey struct{}

// WithActs returns a context in which the acts of the actor are noted.
func WithActs(ctx context.Context, a exchange.Actor) (context.Context, *Acts) {
	acts := &Acts{client: a.Client()}
	return context.WithValue(ctx, actsKey{}, acts), acts
}

// ActsOf is what collects the actor's acts in the context; nil when nothing does,
// or when it collects those of somebody else. What the scheduler does while a
// request is answered is nothing of the caller's.
func ActsOf(ctx context.Context, a exchange.Actor) *Acts {
	acts, _ := ctx.Value(actsKey{}).(*Acts)
	if acts == nil || acts.client == "" || acts.client != a.Client() {
		return nil
	}
	return acts
}

// Note adds the number of an event that is committed.
func (a *Acts) Note(seq int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.seqs) < maxActs {
		a.seqs = append(a.seqs, seq)
	}
}

// Seqs are the numbers so far, in order.
func (a *Acts) Seqs() []int64 {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(slices.Values(a.seqs))
}
